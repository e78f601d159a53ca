"""Say what to do about a name that no cell has defined yet."""

import sys
from types import TracebackType

from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell

MENU = "Run > Run All Above Selected Cell; on Colab Runtime > Run before"


def explain_missing_names() -> None:
    """Follow every NameError of the notebook with a sentence; without IPython do nothing.

    After a restart, or where a cell was skipped, the name is one that an earlier cell defines.
    """
    if (shell := get_ipython()) is not None:
        shell.set_custom_exc((NameError,), _explain)


def _explain(
    shell: InteractiveShell,
    kind: type[NameError],
    error: NameError,
    traceback: TracebackType,
    tb_offset: int | None = None,
) -> None:
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    # Not the name of a variable inside a function, used too early, nor an error without a name.
    if kind is NameError and error.name:
        print(
            f"Does a cell further up define {error.name}? Then run the cells above first ({MENU}). "
            "Otherwise check the spelling.",
            file=sys.stderr,
        )
