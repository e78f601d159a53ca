"""Sliders in plain HTML that need no kernel and no library, with one inline handler each.

They have no ids and no script elements, so a page can have any number of them. A page that strips
handlers shows the first state with all labels and says what wakes the slider; a page that strips
styles too shows each picture with its label.
"""

import html
from collections.abc import Sequence

import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from llie_helpers.errors import CourseError, check_lengths
from llie_helpers.lessons.widgets.embed import image_tag, picture, shown_width

# An invisible native slider covers the pictures and handles mouse, touch and arrow keys. It sets
# the width of the box that clips the upper picture, and keeps that picture's width. Only
# widths change, because JupyterLab strips clip-path, object-fit and variables from untrusted
# notebooks.
_CUT = (
    "var cut = Math.max(this.value, 0.1), box = this.parentNode.querySelector('.llie-before');"
    "box.style.width = cut + '%';"
    "box.firstElementChild.style.width = 10000 / cut + '%';"
    "this.parentNode.querySelector('.llie-line').style.left = cut + '%';"
    "if (this.name) window[this.name] = this.value"
)
# A handler that runs shows that the page strips none. It may run before the note is on the page.
_WAKE = "this.closest('.llie-slider').classList.add('llie-awake');"
_ASLEEP = (
    "<style>.llie-awake > .llie-asleep { display: none }</style>"
    '<div class="llie-asleep" style="font:13px/1.5 sans-serif">The slider works in Jupyter once '
    "this cell has run or the notebook is trusted (Trust Notebook in the command palette).</div>"
)
_SAME_PLACE = (
    "var cut = this.parentNode.querySelector('.llie-cut');"
    "if (cut.name in window) { cut.value = window[cut.name]; cut.oninput() }"
)
_BEFORE_AFTER = """\
<style>.llie-cut:focus-visible ~ .llie-line > span {{ outline: 3px solid #0072B2 }}</style>
<div class="llie-slider">
<div style="position:relative;width:{width};margin:0.5em 0;line-height:0;overflow:hidden">
  <div class="llie-before" style="position:absolute;top:0;left:0;width:50%;overflow:hidden">\
{before}</div>
  <span style="{label};left:8px">{name_before}</span>
  <input type="range" class="llie-cut" name="{name}" min="0" max="100" value="50" step="1"
    aria-label="{aria}" data-lm-suppress-shortcuts="true" oninput="{cut}"
    style="position:absolute;top:0;left:0;width:100%;height:100%;margin:0;opacity:0;z-index:2;\
cursor:ew-resize;touch-action:pan-y">
  <div class="llie-line" aria-hidden="true" style="position:absolute;top:0;height:100%;left:50%;\
width:2px;margin-left:-1px;background:#fff;box-shadow:0 0 4px #000;pointer-events:none">
    <span style="position:absolute;top:50%;left:-16px;margin-top:-17px;width:34px;height:34px;\
border-radius:50%;background:#fff;color:#222;box-shadow:0 0 5px #000;font:20px/32px sans-serif;\
text-align:center">&#9666;&#9656;</span>
  </div>
  {after}
  <span style="{label};right:8px">{name_after}</span>
</div>
{asleep}
</div>"""

_LABEL = (
    "position:absolute;top:8px;padding:2px 9px;border-radius:3px;background:rgba(0,0,0,.6);"
    "color:#fff;font:14px/1.5 sans-serif;pointer-events:none"
)


def before_after(
    before: torch.Tensor | Figure,
    after: torch.Tensor | Figure,
    labels: tuple[str, str] = ("low", "enhanced"),
    alt: str = "the same photograph",
    name: str = "",
) -> HTML:
    """Show two pictures on top of each other, with a draggable divider.

    Args:
        before: ``(3, H, W)`` in [0, 1], or a figure; shown to the left of the divider.
        after: of the same size; shown to the right of the divider.
        labels: names of the pictures.
        alt: what both show, for those who cannot see them.
        name: pictures of one name, of which a page shows one, keep the place of the divider.

    Raises:
        CourseError: the pictures differ in size.
    """
    left, right = picture(before), picture(after)
    if left.size != right.size:
        raise CourseError(
            f"before is {left.width}x{left.height} and after {right.width}x{right.height} "
            "pixels; give two images of one size."
        )
    name_before, name_after = (html.escape(label) for label in labels)
    return HTML(
        _BEFORE_AFTER.format(
            width=shown_width(left),
            after=image_tag(right, f"{alt}: {labels[1]}", onload=_WAKE + _SAME_PLACE),
            before=image_tag(left, f"{alt}: {labels[0]}", "width:200%;max-width:none;height:auto"),
            name=html.escape(name),
            cut=_CUT,
            label=_LABEL,
            name_before=name_before,
            name_after=name_after,
            aria=f"How much of the picture shows {name_before} instead of {name_after}, in percent",
            asleep=_ASLEEP,
        )
    )


_SHOW_FRAME = (
    "var all = this.closest('figure').querySelectorAll('[data-frame]');"
    "for (var i = 0; i < all.length; i++)"
    " all[i].style.display = i == this.value ? 'block' : 'none';"
    "this.setAttribute('aria-valuetext', all[this.value].dataset.frame)"
)


def frames_slider(
    images: Sequence[torch.Tensor | Figure],
    labels: Sequence[object],
    title: str = "",
    alt: str = "one picture of a series",
    first: int = 0,
) -> HTML:
    """Show one of several pictures, selected with a slider.

    Args:
        images: ``(3, H, W)`` tensors in [0, 1] or figures, of one size.
        labels: one per image, shown with it.
        title: the quantity that the labels are values of; shown before the label.
        alt: what the pictures show, for those who cannot see them.
        first: index of the picture that is shown first.

    Raises:
        CourseError: there are no images, or not one label per image.
    """
    check_lengths({"images": images, "labels": labels})
    return HTML(frames_html([picture(image) for image in images], labels, title, alt, "", first))


def frames_html(
    pictures: Sequence[Image.Image],
    labels: Sequence[object],
    title: str,
    alt: str,
    caption: str,
    first: int,
) -> str:
    """Return the HTML of `frames_slider`, with ``caption`` below the slider, which may be empty."""
    texts = [str(label) for label in labels]
    # The column of a label is as wide as one step of the slider, so the slider is one column
    # narrower than the pictures.
    column = 100 / len(texts)
    frames = "\n".join(
        _frame(picture, title, text, alt, hidden=i != first)
        for i, (picture, text) in enumerate(zip(pictures, texts, strict=True))
    )
    # On a phone, what does not fit below the slider is only above the picture.
    tick = "flex:1;text-align:center;white-space:nowrap;overflow:hidden;text-overflow:ellipsis"
    ticks = "".join(f'<span style="{tick}">{html.escape(text)}</span>' for text in texts)
    return f"""\
<figure class="llie-slider"
  style="width:{shown_width(pictures[0])};margin:0.5em 0;font:14px/1.5 sans-serif">
  {frames}
  <input type="range" min="0" max="{len(texts) - 1}" value="{first}" step="1"
    aria-label="{html.escape(title or "frame")}" aria-valuetext="{html.escape(texts[first])}"
    data-lm-suppress-shortcuts="true" oninput="{html.escape(_SHOW_FRAME)}"
    style="display:block;width:calc({100 - column:.2f}% + 16px);margin:6px auto 0;\
touch-action:pan-y">
  <div aria-hidden="true" style="display:flex;color:inherit">{ticks}</div>
  <figcaption style="margin-top:4px">{html.escape(caption)}</figcaption>
  {_ASLEEP}
</figure>"""


def _frame(image: Image.Image, title: str, label: str, alt: str, hidden: bool) -> str:
    name = f"{alt}, {title} {label}"
    return (
        f'<div data-frame="{html.escape(label)}" style="display:{"none" if hidden else "block"}">'
        f'<div style="margin-bottom:4px">{html.escape(title)} <b>{html.escape(label)}</b></div>'
        f"{image_tag(image, name, onload=_WAKE)}</div>"
    )
