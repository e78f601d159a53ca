"""Embed tensors and figures in HTML, as base64 data URLs."""

import base64
import html
import io

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image

from llie_helpers.images import to_uint8
from llie_helpers.plotting.figures import check_image

LARGEST = 150_000  # bytes; a dozen such pictures stay below two megabytes
LONGEST = 16_383  # pixels, width or height; more than a screen has, and the most that WebP holds
NARROWEST = 480  # CSS pixels, so that controls fit under a small picture


def picture(image: torch.Tensor | Figure) -> Image.Image:
    """Turn a ``(3, H, W)`` tensor in [0, 1] or a matplotlib Figure into an 8-bit RGB picture.

    A pyplot figure is closed, so that the notebook does not show it again.

    Raises:
        CourseError: ``image`` is neither of these.
    """
    if isinstance(image, Figure):
        buffer = io.BytesIO()
        image.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
        plt.close(image)
        return Image.open(buffer).convert("RGB")
    check_image(image, "an image of shape (3, H, W) or a figure")
    return Image.fromarray(to_uint8(image))


def data_url(image: Image.Image) -> str:
    """Encode a picture as a ``data:`` URL of at most 150 kB.

    The format is WebP, which is small for photographs and sharp for text. Quality is reduced
    first, then size.
    """
    while max(image.size) > LONGEST:
        image = image.reduce(2)
    quality = 90
    while len(data := _webp(image, quality)) > LARGEST:
        if quality > 60:
            quality -= 15
        else:
            image = image.reduce(2)
    return "data:image/webp;base64," + base64.b64encode(data).decode()


def image_tag(
    image: Image.Image, alt: str, style: str = "width:100%;height:auto", **attributes: str
) -> str:
    """Return an ``<img>`` element with the embedded picture, by default as wide as its parent.

    Width and height reserve its place, so that the page does not move while it is decoded.
    """
    more = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return (
        f'<img src="{data_url(image)}" alt="{html.escape(alt)}" '
        f'width="{image.width}" height="{image.height}" '
        f'style="display:block;margin:0;{style}"{more}>'
    )


def shown_width(image: Image.Image) -> str:
    """Return the CSS width of a picture: its own, within a minimum and the width of the page."""
    return f"min(100%, {max(image.width, NARROWEST)}px)"


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="webp", quality=quality)
    return buffer.getvalue()
