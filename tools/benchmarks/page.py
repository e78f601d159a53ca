"""Measure the page that enhances in the browser, beside onnxruntime in Python."""

import re
from dataclasses import dataclass

import numpy as np
import webpage
from chromium import chromium

from llie_helpers.codecs import libvips
from llie_helpers.timing import median_milliseconds

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
MOMENT = 5_000  # milliseconds, over which frames are counted


@dataclass(frozen=True)
class PageSpeed:
    """How fast the page is, without threads and with them, and onnxruntime in Python.

    Attributes:
        seconds: for one photograph, by the number of threads.
        frames: a second, of the live camera.
        python: seconds for the same photograph in Python.
    """

    size: tuple[int, int]
    seconds: dict[int, float]
    frames: dict[int, int]
    python: float

    def __str__(self) -> str:
        width, height = self.size
        lines = [f"{width}x{height}: {self.python:.2f} s in Python's onnxruntime"]
        for threads, seconds in self.seconds.items():
            rate = f"camera {self.frames[threads]} frames a second"
            lines.append(f"in Chromium, threads: {threads}: {seconds:.1f} s; {rate}")
        return "\n".join(lines)


def bench_page(width: int, height: int, repeats: int) -> PageSpeed:
    """Measure one photograph, and the camera's frames of 640x360.

    Raises:
        CourseError: the page is not built, or a program is missing.
    """
    low = np.random.default_rng(0).integers(0, 60, (height, width, 3), dtype=np.uint8)
    file = {
        "name": "dark.png",
        "mimeType": "image/png",
        "buffer": libvips().Image.new_from_array(low).write_to_buffer(".png"),
    }
    seconds, frames = {}, {}
    with webpage.served() as (address, _), chromium(*CAMERA) as browser:
        page = browser.new_page()
        # The first visit has no threads.
        for threads in (1, page.evaluate("Math.min(4, navigator.hardwareConcurrency)")):
            page.goto(address)
            page.locator("[data-ready]").wait_for()
            times = []
            for _ in range(repeats + 1):
                page.set_input_files("#file", file)
                page.locator("[data-state=done]").wait_for()
                times.append(float(re.search(r"in ([\d.]+) s", page.inner_text("#status"))[1]))
                page.click("#again")
            seconds[threads] = float(np.median(times[1:]))
            page.click("#camera")
            page.wait_for_timeout(MOMENT)
            frames[threads] = int(page.inner_text("#rate").split()[0])
    return PageSpeed((width, height), seconds, frames, in_python(low, repeats))


def in_python(low: np.ndarray, repeats: int) -> float:
    """Return the seconds that onnxruntime takes for one photograph, whose sides 8 divides."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        webpage.BUILT / "restore.onnx", providers=["CPUExecutionProvider"]
    )
    inputs = {
        "low": np.float32(low.transpose(2, 0, 1)[None] / 255),
        "grid": np.ones((1, 3, 12, 8, 8), np.float32),
        "place": np.float32([0, 0, 1, 1]),
    }
    return median_milliseconds(lambda: session.run(None, inputs), repeats) / 1000
