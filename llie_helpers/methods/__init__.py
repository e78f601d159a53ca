"""Classical methods and networks with weights, under one interface."""

from llie_helpers.methods.method import Method, Pointwise, blend
from llie_helpers.methods.network import NetworkMethod, as_method
from llie_helpers.methods.registry import create_method, list_methods

__all__ = [
    "Method",
    "NetworkMethod",
    "Pointwise",
    "as_method",
    "blend",
    "create_method",
    "list_methods",
]
