"""Controls that call a function in the kernel, with static frames for pages without one."""

import html
import inspect
import time
from collections.abc import Callable
from typing import Any

import ipywidgets
import torch
from IPython.display import HTML, display
from matplotlib.figure import Figure

from llie_helpers.errors import CourseError
from llie_helpers.lessons.widgets.embed import image_tag, picture, shown_width
from llie_helpers.lessons.widgets.static import frames_html

# The static frames are open on a page without a kernel. Whichever of them and the live picture
# comes last to the page folds them up, once, so that they can be opened again.
_FOLD = (
    "var frames = document.querySelector('details.{mark}');"
    "if (frames && !frames.dataset.folded && document.querySelector('div.{mark}'))"
    " {{ frames.dataset.folded = 'yes'; frames.open = false }}"
)
# Seconds; a faster function is called while a slider moves, a slower one when it is released.
_FAST = 0.15


class ParameterSlider:
    """The result of `parameter_slider`: ``controls`` by name, and the HTML ``screen``."""

    def __init__(
        self,
        function: Callable[..., torch.Tensor | Figure],
        frames: int,
        ranges: dict[str, tuple | list],
    ) -> None:
        self.function = function
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        }
        # The function says in its docstring what it shows; without one, its name does.
        self.alt = (
            (inspect.getdoc(function) or _title(getattr(function, "__name__", "picture")))
            .partition("\n")[0]
            .rstrip(".")
        )
        self.controls = {n: _control(n, r, defaults.get(n)) for n, r in ranges.items()}
        self.screen = ipywidgets.HTML()
        self.mark = f"llie-{self.screen.model_id[:8]}"
        self.fold = _FOLD.format(mark=self.mark)
        # The frames come first, so that an error in the function fails the cell.
        start = time.perf_counter()
        self.static = self._precomputed(frames)
        self._update()
        seconds = (time.perf_counter() - start) / (frames + 1)
        for control in self.controls.values():
            if hasattr(control, "continuous_update"):
                control.continuous_update = seconds < _FAST
            control.observe(self._update, names="value")
        self.box = ipywidgets.VBox([*self.controls.values(), self.screen])

    @property
    def values(self) -> dict[str, Any]:
        """Return the current value of each control."""
        return {name: control.value for name, control in self.controls.items()}

    def _update(self, _change: object = None) -> None:
        try:
            shown = picture(self.function(**self.values))
        except Exception as error:
            # Jupyter hides errors in widget callbacks, so show them on the screen too.
            text = html.escape(f"{type(error).__name__}: {error}")
            marked = "border-left:4px solid #D55E00;padding-left:8px"
            self.screen.value = f"<pre style='{marked}'>{text}</pre>"
            raise
        tag = image_tag(shown, f"{self.alt}, {_describe(self.values)}", onload=self.fold)
        self.screen.value = (
            f'<div class="{self.mark}" style="width:{shown_width(shown)}">{tag}</div>'
        )

    def _precomputed(self, frames: int) -> str:
        name, *others = self.controls
        values = _values_across(self.controls[name], frames)
        fixed = {other: self.values[other] for other in others}
        pictures = [picture(self.function(**{name: value}, **fixed)) for value in values]
        labels = [_text(value) for value in values]
        return frames_html(
            pictures,
            labels,
            f"{_title(name)} =",
            self.alt,
            _describe(fixed),
            first=values.index(self.values[name]),
        )

    def _ipython_display_(self) -> None:
        display(self.box)
        display(
            HTML(
                f'<details class="llie-frames {self.mark}" open '
                f'ontoggle="{html.escape(self.fold)}">'
                "<summary>Without a kernel: some values, computed beforehand</summary>"
                f"{self.static}</details>"
            )
        )


def parameter_slider(
    function: Callable[..., torch.Tensor | Figure],
    *,
    frames: int = 5,
    **ranges: tuple | list,
) -> ParameterSlider:
    """Show the result of ``function``, with a control for each of its parameters.

    ``parameter_slider(brighten, gamma=(0.2, 1.0, 0.05), method=["gamma", "clahe"])``

    Args:
        function: returns a ``(3, H, W)`` image in [0, 1] or a figure. Controls start at the
            defaults of its parameters. The first line of its docstring is the alt text.
        frames: number of values of the first parameter to precompute for pages without a kernel;
            its default is among them and comes up first.
        ranges: for each parameter, ``(low, high)`` or ``(low, high, step)`` for a slider, or a
            list for a menu.

    Raises:
        CourseError: there are no ranges, or a range is empty, has another form or lacks the
            default.
    """
    if not ranges:
        raise CourseError("parameter_slider needs a range, such as gamma=(0.2, 1.0, 0.05).")
    return ParameterSlider(function, frames, ranges)


def _control(name: str, choices: tuple | list, default: Any) -> ipywidgets.Widget:
    look = {
        "description": _title(name),
        "style": {"description_width": "initial"},
        "layout": {"width": "min(100%, 480px)"},
    }
    outside = CourseError(
        f"{name} starts at {default!r}, which is not in its range {choices!r}; change one of them."
    )
    if isinstance(choices, list) and choices:
        start = choices[0] if default is None else default
        if start not in choices:
            raise outside
        return ipywidgets.Dropdown(options=choices, value=start, **look)
    numbers = isinstance(choices, tuple) and all(isinstance(c, int | float) for c in choices)
    if not numbers or len(choices) not in (2, 3):
        raise CourseError(
            f"The range of {name} is {choices!r}; give (low, high), (low, high, step) or a list."
        )
    low, high, *step = choices
    if low >= high or any(each <= 0 for each in step):
        raise CourseError(
            f"The range of {name} is {choices!r}; low must be below high, and a step above 0."
        )
    start = low if default is None else default
    if not low <= start <= high:
        raise outside
    if all(isinstance(value, int) for value in (*choices, start)):
        kind, step, look = ipywidgets.IntSlider, step or [1], look
    else:
        kind, step = ipywidgets.FloatSlider, step or [(high - low) / 20]
        values = (low, start, *step)
        decimals = max(len(f"{v:.9f}".rstrip("0").partition(".")[2]) for v in values)
        look["readout_format"] = f".{decimals}f"
    return kind(value=start, min=low, max=high, step=step[0], **look)


def _values_across(control: ipywidgets.Widget, count: int) -> list[Any]:
    """Return at most ``count`` values from one end of the control to the other.

    The one nearest to the present value is replaced by it. A menu whose present value is further
    down gives all of its values.
    """
    if isinstance(control, ipywidgets.Dropdown):
        options = list(control.options)
        return options if control.value in options[count:] else options[:count]
    # The last step may end before the maximum; 0.3 / 0.1 is a little less than 3.
    steps = int((control.max - control.min) / control.step + 1e-6)
    count = min(count, steps + 1)
    chosen = {round(i * steps / max(count - 1, 1)) for i in range(count)}
    values = [control.min + step * control.step for step in sorted(chosen)]
    nearest = min(range(len(values)), key=lambda i: abs(values[i] - control.value))
    values[nearest] = control.value
    return values


def _describe(values: dict[str, Any]) -> str:
    return ", ".join(f"{_title(name)} = {_text(value)}" for name, value in values.items())


def _title(name: str) -> str:
    return name.replace("_", " ")


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
