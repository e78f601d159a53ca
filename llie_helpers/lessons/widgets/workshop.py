"""Enhance a student's own photograph: upload, adjust the exposure, compare and save it."""

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import ipywidgets
import numpy as np
import torch
from IPython.display import HTML, DisplayHandle, display

from llie_helpers.codecs import IMAGE_SUFFIXES
from llie_helpers.errors import CourseError
from llie_helpers.images import to_float
from llie_helpers.inference.photos import Photo, read_photo, write_photo
from llie_helpers.lessons.widgets.static import before_after

PREVIEW = 900  # pixels, longer side of the preview


class Workshop:
    """The result of `workshop`: ``controls`` by name, and the current ``photo``."""

    def __init__(self, enhance: Callable[..., torch.Tensor], photo: Photo, folder: Path) -> None:
        self.enhance, self.photo, self.folder = enhance, photo, folder
        self.name = "photo.png"
        look = {"style": {"description_width": "initial"}, "continuous_update": False}
        self.controls = {
            "upload": ipywidgets.FileUpload(accept="image/*", description="Your photograph"),
            "exposure": ipywidgets.FloatSlider(0, min=-2, max=2, step=0.25, description="exposure "
                                               "(stops)", **look),
            "strength": ipywidgets.FloatSlider(1, min=0, max=1, step=0.1, description="strength",
                                               **look),
            "save": ipywidgets.Button(description="Save at full size"),
        }  # fmt: skip
        self.message = ipywidgets.HTML()
        self.screen: DisplayHandle | None = None
        self.controls["upload"].observe(self._open, names="value")
        for name in ("exposure", "strength"):
            self.controls[name].observe(self._show, names="value")
        self.controls["save"].on_click(self._save)

    def picture(self) -> HTML:
        """Return the photograph before and after, reduced to the preview size."""
        pixels = self.photo.pixels
        scale = min(1.0, PREVIEW / max(pixels.shape[:2]))
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return before_after(to_float(small), self._enhanced(small), ("before", "after"))

    def _enhanced(self, pixels: np.ndarray) -> torch.Tensor:
        values = {name: self.controls[name].value for name in ("exposure", "strength")}
        return self.enhance(pixels, **values)

    def _open(self, _change: object = None) -> None:
        value = self.controls["upload"].value
        # ipywidgets 7 has a dict here, 8 a tuple.
        name, file = next(iter(value.items())) if isinstance(value, dict) else ("", value[0])
        self.name = Path(name or file["name"]).name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.name
            path.write_bytes(bytes(file["content"]))
            try:
                self.photo = read_photo(path)
            except CourseError as error:
                self.message.value = str(error).replace(str(path), self.name)
                return
        height, width, _ = self.photo.pixels.shape
        self.message.value = f"{self.name}: {width} x {height} pixels"
        self._show()

    def _show(self, _change: object = None) -> None:
        if self.screen is not None:
            self.screen.update(self.picture())

    def _save(self, _button: object = None) -> None:
        path = self.folder / self.name
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            path = path.with_suffix(".png")
        height, width, _ = self.photo.pixels.shape
        self.message.value = f"Enhancing {width} x {height} pixels ..."
        write_photo(path, self._enhanced(self.photo.pixels), self.photo)
        data = base64.b64encode(path.read_bytes()).decode()
        self.message.value = (
            f'<a download="{path.name}" href="data:application/octet-stream;base64,{data}">'
            f"Download {path.name}</a>, {path.stat().st_size / 1e6:.1f} MB"
        )

    def _ipython_display_(self) -> None:
        display(ipywidgets.VBox([*self.controls.values(), self.message]))
        self.screen = display(self.picture(), display_id=True)


def workshop(enhance: Callable[..., torch.Tensor], photo: Photo, folder: str | Path) -> Workshop:
    """Let a student enhance their own photograph.

    Args:
        enhance: called as ``enhance(pixels, exposure=..., strength=...)``, see `inference.enhance`.
        photo: the first photograph.
        folder: where photographs are saved at full size.
    """
    return Workshop(enhance, photo, Path(folder))
