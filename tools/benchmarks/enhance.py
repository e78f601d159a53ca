"""Measure time and memory for large photographs and a video."""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks import alone
from llie_helpers.data.embedded import photograph
from llie_helpers.inference.image import enhance
from llie_helpers.inference.video import enhance_video, import_av
from llie_helpers.methods import create_method
from llie_helpers.timing import peak_megabytes

FRAME_RATE = 24


def bench_photo(model: str, weights: str | None, megapixels: float) -> str:
    """Enhance a 3:2 photograph of ``megapixels`` in a fresh process, and describe the cost."""
    seconds, megabytes = alone(photo_cost, model, weights, megapixels)
    return (
        f"photograph of {megapixels:5.1f} megapixels:{seconds:7.2f} s, "
        f"{seconds / megapixels:5.2f} s a megapixel, {megabytes:5.0f} MB"
    )


def photo_cost(model: str, weights: str | None, megapixels: float) -> tuple[float, float]:
    """Return the seconds, and the peak memory of this process in megabytes."""
    method = create_method(model, weights)
    width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
    image = dark(width, round(width * 2 / 3))
    enhance(image[:64, :64], method)  # warm-up
    start = time.perf_counter()
    enhance(image, method)
    return time.perf_counter() - start, peak_megabytes()


def bench_video(
    model: str, weights: str | None, frames: int, size: tuple[int, int], fast: bool
) -> str:
    """Enhance a synthetic video of ``size``, (width, height), decoding and encoding included.

    Raises:
        CourseError: PyAV is missing, or the network has no fast mode.
    """
    rate, megabytes = alone(video_cost, model, weights, frames, size, fast)
    return (
        f"video of {size[0]}x{size[1]}, {'exposure alone' if fast else 'whole network'}: "
        f"{rate:6.1f} frames a second, {megabytes:5.0f} MB"
    )


def video_cost(
    model: str, weights: str | None, frames: int, size: tuple[int, int], fast: bool
) -> tuple[float, float]:
    """Return frames per second, and the peak memory of this process in megabytes."""
    method = create_method(model, weights)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "dark.mp4", Path(folder) / "enhanced.mp4"
        make_video(source, frames, size)
        start = time.perf_counter()
        enhance_video(source, target, method, fast=fast)
        return frames / (time.perf_counter() - start), peak_megabytes()


def make_video(target: Path, frames: int, size: tuple[int, int]) -> None:
    """Write a video of a dark photograph under a slowly moving camera."""
    av = import_av(target)
    width, height = size
    wide = dark(width + frames, height)
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for left in range(frames):
            view = np.ascontiguousarray(wide[:, left : left + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))


def dark(width: int, height: int) -> np.ndarray:
    """Return an embedded photograph times a quarter, ``(height, width, 3)`` uint8."""
    return cv2.resize(photograph("motorcycle"), (width, height)) // 4
