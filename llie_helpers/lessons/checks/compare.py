"""Compare a student's result with the expected one, and inputs before and after a call."""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

# Starts the sentence for results of the right form with wrong values.
UNNAMED = "the values differ from the expected ones"

# With this tolerance `difference` compares only structure, shapes and dtypes.
_ANY_VALUE = 1e9

NOTHING = "your function returned None; is the return statement missing?"

CHANGED = (
    "your function changes its input in place; work on a new tensor (no +=, *=, clamp_()), "
    "so that the caller's image stays as it was."
)

# An answer that is right for the first case fails where the numbers do not start at 0.
ANY_NUMBER = (
    "right for scenes numbered 0, 1, 2 and so on, but a scene may have any number; "
    "np.unique(scenes) lists those that occur."
)


class Finding(Exception):
    """One sentence on what is wrong with an answer; raised by ``Exercise.observe``."""


def difference(got: Any, expected: Any, tolerance: float = 1e-5) -> str | None:
    """Return one sentence on how ``got`` differs from ``expected``, or None if it does not.

    Tensors, arrays, lists of numbers and Python numbers are interchangeable, as are floats of any
    precision. Shapes and values must agree; if integers or booleans are expected, dtypes too.

    Args:
        got: the student's result.
        expected: the correct result: a tensor, array, number, string, or a tuple, list or dict
            of these.
        tolerance: largest absolute difference, or relative one for values above 1.
    """
    if expected is None:
        return None if got is None else f"expected None, got {_name(got)}."
    if got is None:
        return NOTHING
    if isinstance(expected, bool | str):
        return None if _is(got, expected) else f"expected {expected!r}, got {got!r}."
    if isinstance(expected, dict):
        return _dicts(got, expected, tolerance)
    if isinstance(expected, torch.Size):
        return (
            None if got == expected else f"the shape is {tuple(got)}, expected {tuple(expected)}."
        )
    if isinstance(expected, tuple | list):
        several = isinstance(got, torch.Tensor | np.ndarray) and got.ndim
        parts = list(got) if several else got
        if not isinstance(parts, tuple | list) or len(parts) != len(expected):
            return f"expected {len(expected)} values, got {_name(got)}."
        return _first(parts, expected, tolerance)
    return _arrays(got, expected, tolerance)


def expect_type(got: Any, example: torch.Tensor | np.ndarray) -> Any:
    """Return ``got``, or raise a `Finding` unless it has the type and dtype of ``example``."""
    if got is None:
        raise Finding(NOTHING)
    if not isinstance(got, type(example)):
        wanted = "tensor" if isinstance(example, torch.Tensor) else "numpy array"
        raise Finding(f"expected a {wanted}, got {_name(got)}.")
    if got.dtype != example.dtype:
        raise Finding(_wrong_dtype(got, example))
    return got


def expect_form(got: Any, example: Any) -> Any:
    """Return ``got``, or raise a `Finding` unless it has ``example``'s structure and shapes."""
    if found := difference(got, example, tolerance=_ANY_VALUE):
        raise Finding(found)
    return got


def copy_of(value: Any) -> Any:
    """Return a copy of an argument that shares no memory with it."""
    if isinstance(value, torch.Generator):
        # copy.deepcopy supports no generators before torch 2.6.
        return torch.Generator(value.device).set_state(value.get_state())
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return copy.deepcopy(value)


def changed(before: Any, after: Any) -> bool:
    """Return whether a tensor or array, alone or in a list, has changed."""
    if isinstance(before, torch.Tensor | np.ndarray):
        same_type = before.shape == after.shape and before.dtype == after.dtype
        return not same_type or not np.array_equal(
            _as_array(before), _as_array(after), equal_nan=True
        )
    if isinstance(before, tuple | list):
        return len(before) != len(after) or any(map(changed, before, after))
    return False


def _is(got: Any, expected: bool | str) -> bool:
    # An array of several values is neither a bool nor a string, and has no truth value.
    return np.ndim(got) == 0 and bool(got == expected)


def _first(got: Iterable, expected: Iterable, tolerance: float) -> str | None:
    pairs = zip(got, expected, strict=True)
    return next((d for g, e in pairs if (d := difference(g, e, tolerance))), None)


def _dicts(got: Any, expected: dict, tolerance: float) -> str | None:
    if not isinstance(got, dict):
        return f"expected a dict with the keys {list(expected)}, got {_name(got)}."
    parts = {
        "missing": [key for key in expected if key not in got],
        "not expected": [key for key in got if key not in expected],
    }
    if any(parts.values()):
        named = (f"{what}: {_some(keys)}" for what, keys in parts.items() if keys)
        return f"{'; '.join(named)}."
    for key, value in expected.items():
        if found := difference(got[key], value, tolerance):
            return f"{key}: {found}"
    return None


def _some(keys: list) -> str:
    more = len(keys) - 3
    return ", ".join(map(str, keys[:3])) + (f" and {more} more" if more > 0 else "")


def _arrays(got: Any, expected: Any, tolerance: float) -> str | None:
    right = _as_array(expected)
    try:
        given = _as_array(got)
    except (TypeError, ValueError, RuntimeError):
        given = np.array("neither a number nor numbers")
    if given.dtype.kind not in "biufc" or (right.ndim == 0 and given.size != 1):
        wanted = f"a {_name(expected)}" if right.ndim else "one number"
        return f"expected {wanted}, got {_name(got)}."
    if right.ndim == 0:
        return _numbers(given.item(), right.item(), tolerance)
    if given.shape != right.shape:
        return _wrong_shape(given, right)
    if np.isnan(given).any() and not np.isnan(right).any():
        return "the result holds NaN; is there a division by zero, a log or a root below zero?"
    kinds = given.dtype.kind, right.dtype.kind
    if kinds[0] != kinds[1] and (kinds[1] in "biu" or kinds[0] == "c"):
        return _wrong_dtype(got, expected)
    given, right = (a.astype(complex if a.dtype.kind == "c" else float) for a in (given, right))
    if np.allclose(given, right, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        largest = np.abs(given - right).max()
    return (
        f"{UNNAMED} by up to {largest:.3g} "
        f"(your mean {given.mean():.3g}, expected {right.mean():.3g})."
    )


def _numbers(got: float, expected: float, tolerance: float) -> str | None:
    if np.isnan(got) and not np.isnan(expected):
        return "the result is NaN (not a number); is there a division by zero or a log of zero?"
    if np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    # As few digits as show the difference.
    digits = next((d for d in range(4, 17) if f"{got:.{d}g}" != f"{expected:.{d}g}"), 17)
    return f"{UNNAMED}: yours is {got:.{digits}g}, expected {expected:.{digits}g}."


def _as_array(value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if isinstance(value, tuple | list):
        return np.stack([_as_array(part) for part in value])
    return np.asarray(value)


def _wrong_shape(got: Any, expected: Any) -> str:
    return f"the result has shape {tuple(got.shape)}, expected {tuple(expected.shape)}."


def _wrong_dtype(got: Any, expected: Any) -> str:
    def dtype(value: Any) -> str:
        value = value if hasattr(value, "dtype") else _as_array(value)
        return str(value.dtype).removeprefix("torch.")

    return f"the result has dtype {dtype(got)}, expected {dtype(expected)}."


def _name(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"numpy array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)} values"
    return type(value).__name__
