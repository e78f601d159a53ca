"""Comparing what a student's function returns with what the reference returns."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

# Starts the sentence for results that differ in no way we can name.
UNNAMED = "the values differ from the expected ones"


def compare(
    student: Callable,
    reference: Callable,
    *inputs: Any,
    mistakes: Mapping[str, Callable] | None = None,
    tolerance: float = 1e-5,
) -> str | None:
    """Call both functions with copies of ``inputs`` and name what is wrong, or return None.

    Args:
        student: the function under test.
        reference: the function that is right.
        inputs: arguments; tensors, arrays, generators and modules are copied per call.
        mistakes: sentence -> function that makes this mistake. Where the student's result
            is wrong and equals such a function's, the sentence is returned.
        tolerance: largest absolute difference, or relative one for values above 1.
    """
    given = [_copy(value) for value in inputs]
    got = student(*given)
    if any(_changed(before, after) for before, after in zip(inputs, given, strict=True)):
        return (
            "your function changes its input in place; work on a new tensor (no +=, *=, clamp_()), "
            "so that the caller's image stays as it was."
        )

    def expected_of(function):
        return function(*[_copy(value) for value in inputs])

    found = difference(got, expected_of(reference), tolerance)
    if found is None:
        return None
    for sentence, wrong in (mistakes or {}).items():
        if difference(got, expected_of(wrong), tolerance) is None:
            return sentence
    return found


def difference(got: Any, expected: Any, tolerance: float = 1e-5) -> str | None:
    """One sentence on how ``got`` differs from ``expected``, or None where it does not.

    Knows tensors, arrays, numbers, and tuples, lists and dicts of these. Numbers may come
    as 0-d tensors; a tensor must have the same shape and dtype.
    """
    if got is None:
        return "your function returned None; is the return statement missing?"
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            return f"expected a dict with the keys {list(expected)}, got {_name(got)}."
        return _first(got.values(), [expected[key] for key in got], tolerance)
    if isinstance(expected, tuple | list):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            return f"expected {len(expected)} values, got {_name(got)}."
        return _first(got, expected, tolerance)
    if isinstance(expected, bool | str):
        return None if got == expected else f"expected {expected!r}, got {got!r}."
    if isinstance(expected, torch.Tensor | np.ndarray):
        return _arrays(got, expected, tolerance)
    return _numbers(got, expected, tolerance)


def _first(got, expected, tolerance):
    pairs = zip(got, expected, strict=True)
    return next((d for g, e in pairs if (d := difference(g, e, tolerance))), None)


def _numbers(got, expected, tolerance):
    try:
        got = float(got)
    except (TypeError, ValueError, RuntimeError):
        return f"expected one number, got {_name(got)}."
    if np.isnan(got) and not np.isnan(expected):
        return "the result is NaN (not a number); is there a division by zero or a log of zero?"
    if np.isclose(got, expected, rtol=tolerance, atol=tolerance):
        return None
    return f"{UNNAMED}: yours is {got:.4g}, expected {expected:.4g}."


def _arrays(got, expected, tolerance):
    if not isinstance(got, type(expected)):
        return f"expected a {_name(expected)}, got {_name(got)}."
    if got.shape != expected.shape:
        return f"the result has shape {tuple(got.shape)}, expected {tuple(expected.shape)}."
    if got.dtype != expected.dtype:
        return f"the result has dtype {_dtype(got)}, expected {_dtype(expected)}."
    got, expected = _as_numpy(got), _as_numpy(expected)
    if np.isnan(got).any() and not np.isnan(expected).any():
        return "the result holds NaN; is there a division by zero, a log or a root below zero?"
    if np.allclose(got, expected, rtol=tolerance, atol=tolerance):
        return None
    largest = np.abs(got - expected).max()
    return (
        f"{UNNAMED} by up to {largest:.3g} "
        f"(your mean {got.mean():.3g}, expected {expected.mean():.3g})."
    )


def _as_numpy(array) -> np.ndarray:
    array = array.detach().cpu().numpy() if isinstance(array, torch.Tensor) else array
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _dtype(array) -> str:
    return str(array.dtype).removeprefix("torch.")


def _name(value) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"numpy array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)} values"
    return f"{type(value).__name__}"


def _copy(value):
    if isinstance(value, torch.Generator):
        # copy.deepcopy knows no generators before torch 2.6.
        return torch.Generator(value.device).set_state(value.get_state())
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return copy.deepcopy(value)


def _changed(before, after) -> bool:
    if isinstance(before, torch.Tensor | np.ndarray):
        same_type = before.shape == after.shape and before.dtype == after.dtype
        return not same_type or not np.array_equal(_as_numpy(before), _as_numpy(after))
    return False
