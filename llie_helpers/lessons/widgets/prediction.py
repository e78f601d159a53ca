"""Ask for a prediction before an experiment, and compare it with the result."""

import string
from collections.abc import Sequence

import ipywidgets
from IPython.display import HTML, DisplayHandle, display

from llie_helpers.tables import as_html


class Prediction:
    """A question with choices; ``control.value`` is the student's choice or None."""

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        self.question = question
        self.letters = dict(zip(choices, string.ascii_uppercase, strict=False))
        self.control = ipywidgets.ToggleButtons(
            options=[(letter, choice) for choice, letter in self.letters.items()],
            value=None,
            tooltips=list(choices),
            style={"button_width": "4em"},
        )
        self.screen: DisplayHandle | None = None  # of the last answer that was revealed
        self.control.observe(self._unfold, names="value")

    def reveal(self, answer: str, why: str = "") -> None:
        """Show the ``answer`` with the reason and the prediction, folded until one is made.

        A prediction made after this unfolds it. It can then no longer be changed.

        Raises:
            ValueError: the answer is not one of the choices.
        """
        if answer not in self.letters:
            raise ValueError(f"the answer {answer!r} is not one of {list(self.letters)}")
        self.answer, self.why = answer, why
        self.screen = display(HTML(self._revealed()), display_id=True)

    def _unfold(self, _change: object) -> None:
        if self.screen is not None:
            self.screen.update(HTML(self._revealed()))

    def _revealed(self) -> str:
        """Return the answer as HTML, and lock the prediction if there is one."""
        predicted = self.control.value
        self.control.disabled = predicted is not None
        lines = [f"You predicted: {self._lettered(predicted)}"] if predicted else []
        lines += [f"Answer: {self._lettered(self.answer)}", self.why]
        text = "<br>".join(as_html(line) for line in lines if line)
        return (
            f'<details class="llie-answer"{" open" if predicted else ""}>'
            f"<summary>Show the answer</summary><p>{text}</p></details>"
        )

    def _lettered(self, choice: str) -> str:
        return f"{self.letters[choice]}. {choice}"

    def _ipython_display_(self) -> None:
        # The text lists the choices, because a page without a kernel has no buttons.
        choices = "<br>".join(as_html(self._lettered(choice)) for choice in self.letters)
        question = as_html(self.question)
        display(HTML(f"<p><strong>Predict:</strong> {question}</p><p>{choices}</p>"))
        display(self.control)


def predict(question: str, choices: Sequence[str]) -> Prediction:
    """Ask ``question`` before the experiment that answers it.

    Call ``reveal(answer, why)`` of the result after the experiment.
    """
    return Prediction(question, choices)
