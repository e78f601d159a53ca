"""Inference: photographs of any size, folders, videos, and export to ONNX."""

from llie_helpers.inference.image import enhance
from llie_helpers.inference.tiles import enhance_tiled

__all__ = ["enhance", "enhance_tiled"]
