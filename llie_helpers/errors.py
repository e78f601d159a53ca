"""The one exception for errors that a user can cause and correct, and checks that raise it."""

import difflib
import inspect
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, get_args, get_origin

# What an option of each type accepts, in words.
ACCEPTED: dict[object, str] = {
    bool: "true or false",
    int: "a whole number from 1",
    float: "a number",
    tuple[int, ...]: "a list of whole numbers from 1",
    tuple[float, ...]: "a list of numbers",
}

SEEDS = 2**32  # NumPy's global generator takes no others


class CourseError(Exception):
    """One clear sentence: what was found, what was expected and what to do."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> CourseError:
    """Return the error for a ``kind`` (such as "model") for which there is no ``name``.

    Suggests the most similar of the ``known`` names, or lists them all if none is similar.
    """
    known = sorted(known)
    similar = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    every = ", ".join(known) or "none"
    advice = f"did you mean {' or '.join(similar)}?" if similar else f"known: {every}."
    return CourseError(f"There is no {kind} called {name!r}; {advice}")


def check_options(name: str, build: Callable[..., object], options: Mapping[str, Any]) -> None:
    """Check the names and types of ``options`` before ``build(**options)`` is called.

    Args:
        name: what messages call the network or method.
        build: its class; the parameters have annotations and defaults.
        options: values by name, as Python or JSON has them.

    Raises:
        CourseError: an unknown option, or a value that its annotation does not accept.
    """
    known = inspect.signature(build).parameters
    for option, value in options.items():
        if option not in known:
            raise unknown_name(f"option of {name}", option, known)
        kind = known[option].annotation
        if kind in ACCEPTED and not _accepts(kind, value):
            raise CourseError(
                f"{name}'s option {option} is {value!r}; it must be {ACCEPTED[kind]}, such as "
                f"{json.dumps(known[option].default)}."
            )


def check_seed(seed: int) -> int:
    """Return a seed as a plain number if every generator of random numbers takes it.

    Raises:
        CourseError: it is not a whole number from 0 to 4294967295.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < SEEDS:
        raise CourseError(
            f"The seed is {seed!r}; it must be a whole number from 0 to {SEEDS - 1}."
        ) from None
    return number


def check_lengths(lists: Mapping[str, Sized]) -> None:
    """Check that there is something in ``lists``, which messages call by their keys.

    Raises:
        CourseError: the lists are empty, or of different lengths.
    """
    lengths = [len(each) for each in lists.values()]
    if 0 in lengths or len(set(lengths)) > 1:
        *most, last = (f"{len(each)} {name}" for name, each in lists.items())
        found = f"{', '.join(most)} and {last}" if most else last
        of_each = " of each, and equally many" if most else ""
        raise CourseError(f"Found {found}; give at least one{of_each}.")


def _accepts(kind: Any, value: Any) -> bool:
    if get_origin(kind) is tuple:
        element = get_args(kind)[0]
        is_list = isinstance(value, list | tuple) and len(value) > 0
        return is_list and all(_accepts(element, item) for item in value)
    if kind is int:
        return type(value) is int and value > 0
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind
