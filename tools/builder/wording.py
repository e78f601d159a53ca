"""Text that all lessons share: badges, setup, exercise headers and answers."""

from llie_helpers.lessons.checks.exercise import Exercise

SETUP_CODE = """\
import os, sys
if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    %pip install -q {package}
from llie_helpers import lessons
lesson = lessons.begin("{name}")"""

SETUP_NOTE = """\
## Setup

Run this cell first. On your own computer it installs nothing. On Colab and Kaggle it installs
the course's package and leaves their PyTorch, NumPy and ipywidgets as they are; on Kaggle,
switch on Settings > Internet first."""

UNPUBLISHED = """\

> **Not published yet.** The address in this cell, `{address}`, does not exist, on purpose: it
> holds the place of the real one. GitHub allows no underscore in an account name, so nobody can
> register it and put other code there. Until then, run the notebook from your copy of the
> course, after `pip install -r requirements.txt`."""


def badges(name: str, address: str) -> str:
    """Return two badges that open the lesson in Colab and in Kaggle."""
    page = f"https://github.com/{address}/blob/main/notebooks/{name}.ipynb"
    colab = page.replace("https://github.com", "https://colab.research.google.com/github")
    return (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab})\n"
        "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"(https://kaggle.com/kernels/welcome?src={page})"
    )


def setup_note(name: str, address: str) -> str:
    """Return the text above the setup cell.

    In the first lesson it says so if the address is a placeholder.
    """
    unpublished = name.startswith("00_") and "_" in address.split("/")[0]
    return SETUP_NOTE + ("\n" + UNPUBLISHED.format(address=address) if unpublished else "")


def setup_code(name: str, address: str, extras: str = "") -> str:
    """Return the setup cell, which differs between lessons only in the name and the extras."""
    package = f"git+https://github.com/{address}"
    if extras:
        package = f'"llie_helpers[{extras}] @ {package}"'
    return SETUP_CODE.format(name=name, package=package)


def exercise(number: int, check: Exercise) -> str:
    """Return the header of an exercise: title, difficulty and time."""
    dots = "●" * check.difficulty + "○" * (5 - check.difficulty)
    return (
        f"### Exercise {number}: {check.title}\n\n"
        f"*Difficulty {dots} · about {check.minutes} minutes*"
    )


def answers(check: Exercise) -> str:
    """Return the collapsed hints and solution of an exercise."""
    folds = [(f"Hint {number}", hint.strip()) for number, hint in enumerate(check.hints, start=1)]
    folds.append(("Solution", f"```python\n{check.code.strip()}\n```"))
    return "\n\n".join(
        f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" for title, body in folds
    )
