"""Text that all lessons share: badges, setup, exercise headers and answers."""

import inspect

from llie_helpers import __version__
from llie_helpers.lessons.checks.exercise import Exercise
from llie_helpers.models import MODELS

SETUP_CODE = """\
import importlib.util, os, sys
if not importlib.util.find_spec("llie_helpers"):
    if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        %pip install -q {package}
    assert importlib.util.find_spec("llie_helpers"), "{missing}"
from llie_helpers import lessons
lesson = lessons.begin("{name}")"""

MISSING = (
    "The course is not installed: on Kaggle, switch on Settings > Internet and run this cell "
    "again; on your own computer, run `pip install -r requirements.txt` in the course's folder "
    "and restart the kernel."
)

SETUP_NOTE = """\
## Setup

Run this cell first. After each restart of the kernel run it again, and all cells down to where you
were; a `NameError` means that you skipped one. On your own computer it installs nothing. On Colab
and Kaggle it installs release {version} of the course, unless it is already there, and leaves their
PyTorch, NumPy and ipywidgets as they are; on Kaggle, switch on Settings > Internet first."""

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


def site(address: str) -> str:
    """Return the address of the book, where GitHub publishes the site of a repository."""
    owner, name = address.split("/")
    return f"https://{owner}.github.io/{name}/"


def is_placeholder(address: str) -> bool:
    """Return whether the owner in an address is a name that nobody can register."""
    return "_" in address.split("/")[0]


def page(address: str) -> str:
    """Return how to open the page that enhances a photograph in the browser, as a clause."""
    if is_placeholder(address):
        return (
            "run `python tools/webpage.py build` and `python tools/webpage.py serve` in the "
            "course's folder on your own computer (not on Colab or Kaggle), and open the address "
            "that it prints"
        )
    return f"open [its page]({site(address)}enhancer/)"


def setup_note(name: str, address: str) -> str:
    """Return the text above the setup cell.

    In the first lesson it says so if the address is a placeholder.
    """
    unpublished = name.startswith("00_") and is_placeholder(address)
    return SETUP_NOTE.format(version=__version__) + (
        "\n" + UNPUBLISHED.format(address=address) if unpublished else ""
    )


def setup_code(name: str, address: str, extras: str = "") -> str:
    """Return the setup cell, which differs between lessons only in the name and the extras.

    What it installs is the release that the notebook is built for.
    """
    package = f"git+https://github.com/{address}@v{__version__}"
    if extras:
        package = f'"llie_helpers[{extras}] @ {package}"'
    return SETUP_CODE.format(name=name, package=package, missing=MISSING)


def exercise(number: int, check: Exercise) -> str:
    """Return the header of an exercise: title, difficulty and time."""
    dots = "●" * check.difficulty + "○" * (5 - check.difficulty)
    return (
        f"### Exercise {number}: {check.title}\n\n"
        f"*Difficulty {dots} · about {check.minutes} minutes*"
    )


def answers(check: Exercise) -> str:
    """Return the collapsed hints and solution of an exercise; of a network, the whole as well."""
    folds = [(f"Hint {number}", hint.strip()) for number, hint in enumerate(check.hints, start=1)]
    folds.append(("Solution", f"```python\n{check.code.strip()}\n```"))
    if check.reference in MODELS.values():
        whole = inspect.getsource(check.reference).strip()
        folds.append(("The whole class, as the package has it", f"```python\n{whole}\n```"))
    return "\n\n".join(
        f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" for title, body in folds
    )
