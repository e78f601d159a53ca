"""Enhance a student's own photograph: upload, adjust the exposure, compare and save it."""

import base64
import html
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import ipywidgets
import numpy as np
import torch
from IPython.display import HTML, DisplayHandle, display

from llie_helpers.codecs import IMAGE_SUFFIXES
from llie_helpers.errors import CourseError
from llie_helpers.images import SMALLEST, to_float
from llie_helpers.inference.photos import Photo, decode_photo, read_photo, write_photo
from llie_helpers.lessons.widgets.static import before_after

PREVIEW = 900  # pixels, longer side of the preview
# Jupyter's server closes a connection with a longer message, so the kernel hears nothing of it.
NOTE = "Jupyter uploads at most 10 MB. Of a larger photograph, give the path."


class Workshop:
    """The result of `workshop`: ``controls`` by name, and the current ``photo``."""

    def __init__(self, enhance: Callable[..., torch.Tensor], photo: Photo, folder: Path) -> None:
        self.enhance, self.photo, self.folder = enhance, photo, folder
        self.name = "photo.png"
        look = {"style": {"description_width": "initial"}, "continuous_update": False}
        whole = {"layout": {"width": "max-content"}}
        self.controls = {
            "upload": ipywidgets.FileUpload(accept="image/*", description="Your photograph",
                                            **whole),
            "path": ipywidgets.Text(description="or its path", placeholder="dark.jpg", **look),
            "exposure": ipywidgets.FloatSlider(0, min=-2, max=2, step=0.25, description="exposure "
                                               "(stops)", **look),
            "strength": ipywidgets.FloatSlider(1, min=0, max=1, step=0.1, description="strength",
                                               **look),
            "save": ipywidgets.Button(description="Save at full size", **whole),
        }  # fmt: skip
        self.message = ipywidgets.HTML(NOTE)
        self.screen: DisplayHandle | None = None
        self.controls["upload"].observe(self._upload, names="value")
        self.controls["path"].observe(self._open, names="value")
        for name in ("exposure", "strength"):
            self.controls[name].observe(self._show, names="value")
        self.controls["save"].on_click(self._save)

    def picture(self) -> HTML:
        """Return the photograph before and after, reduced to the preview size."""
        pixels = self.photo.pixels
        sides = pixels.shape[:2]
        # A panorama keeps as many rows as a network needs.
        scale = min(1.0, max(PREVIEW / max(sides), SMALLEST / min(sides)))
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return before_after(
            to_float(small),
            self._enhanced(small),
            ("before", "after"),
            alt=f"the photograph {self.name}",
            name="llie-workshop",
        )

    def _enhanced(self, pixels: np.ndarray) -> torch.Tensor:
        values = {name: self.controls[name].value for name in ("exposure", "strength")}
        return self.enhance(pixels, **values)

    def _upload(self, _change: object = None) -> None:
        value = self.controls["upload"].value
        if not value:
            return
        # A control that is given what it holds already tells nobody.
        self.controls["path"].value = ""
        # ipywidgets 7 has a dict here, 8 a tuple.
        name, file = next(iter(value.items())) if isinstance(value, dict) else ("", value[0])
        name = Path(name or file["name"]).name
        self._take(name, lambda: decode_photo(bytes(file["content"]), name))

    def _open(self, _change: object = None) -> None:
        if given := self.controls["path"].value.strip():
            upload = self.controls["upload"]
            upload.set_trait("value", type(upload.value)())
            path = Path(os.path.expanduser(given))  # leaves an unknown ~user as it is
            self._take(path.name, lambda: read_photo(path))

    def _take(self, name: str, read: Callable[[], Photo]) -> None:
        """Go on with the photograph that ``read`` returns, or say why there is none."""
        self._say(f"Reading {name} ...")
        try:
            self.photo = read()
        except CourseError as error:
            self._say(str(error))
            return
        self.name = name
        height, width, _ = self.photo.pixels.shape
        self._show()
        self._say(f"{name}: {width} x {height} pixels")

    def _say(self, text: str) -> None:
        self.message.value = html.escape(text)

    def _show(self, _change: object = None) -> None:
        if self.screen is not None:
            self.screen.update(self.picture())

    def _save(self, _button: object = None) -> None:
        path = self.folder / self.name
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            path = path.with_suffix(".png")
        button = self.controls["save"]
        button.disabled = True
        self._say(f"Enhancing {self.name} at full size ...")
        try:
            write_photo(path, self._enhanced(self.photo.pixels), self.photo)
        except CourseError as error:
            self._say(str(error))
        else:
            self._offer(path)
        finally:
            button.disabled = False

    def _offer(self, path: Path) -> None:
        """Show a link that downloads the saved file."""
        name = html.escape(path.name)
        data = base64.b64encode(path.read_bytes()).decode()
        self.message.value = (
            f'<a download="{name}" href="data:application/octet-stream;base64,{data}">'
            f"Download {name}</a>, {path.stat().st_size / 1e6:.1f} MB"
        )

    def _ipython_display_(self) -> None:
        display(ipywidgets.VBox([*self.controls.values(), self.message]))
        self.screen = display(self.picture(), display_id=True)


def workshop(enhance: Callable[..., torch.Tensor], photo: Photo, folder: str | Path) -> Workshop:
    """Let a student enhance their own photograph.

    Args:
        enhance: called as ``enhance(pixels, exposure=..., strength=...)`` with a uint8 or uint16
            array ``(H, W, 3)``; returns a tensor ``(3, H, W)`` in [0, 1]. For the other two see
            `inference.enhance`.
        photo: the first photograph.
        folder: where photographs are saved at full size.
    """
    return Workshop(enhance, photo, Path(folder))
