"""The one exception for errors that a user can cause and mend."""

import difflib
from collections.abc import Iterable


class CourseError(Exception):
    """One clear sentence: what was found, what was expected and what to do."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> CourseError:
    """The error for a ``kind`` (such as "model") that is called ``name`` by mistake.

    Suggests the nearest of the ``known`` names, or lists them all where none is near.
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
    return CourseError(f"There is no {kind} called {name!r}; {advice}")
