"""How long photographs of many megapixels and a video take, and how much memory."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench_inference import alone, peak_megabytes

from llie_helpers.data.embedded import photograph
from llie_helpers.inference.image import enhance
from llie_helpers.inference.video import enhance_video, import_av
from llie_helpers.methods import create_method

VIDEO = (1280, 720)
RATE = 24  # frames a second


@dataclass(frozen=True)
class PhotoCost:
    """What one photograph costs; ``megabytes`` is the peak of a process that does nothing else."""

    megapixels: float
    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return (
            f"photograph of {self.megapixels:5.1f} megapixels:{self.seconds:7.2f} s, "
            f"{self.seconds / self.megapixels:5.2f} s a megapixel, {self.megabytes:5.0f} MB"
        )


@dataclass(frozen=True)
class VideoCost:
    """What a video costs, decoding and encoding included."""

    mode: str
    frames_per_second: float
    megabytes: float

    def __str__(self) -> str:
        width, height = VIDEO
        return (
            f"video of {width}x{height}, {self.mode}: {self.frames_per_second:6.1f} frames a "
            f"second, {self.megabytes:5.0f} MB"
        )


def bench_photos(
    model: str, weights: str | None, megapixels: Sequence[float] = (1, 4, 12, 24)
) -> list[PhotoCost]:
    """Enhance a photograph enlarged to each size, 3:2, in a fresh process each."""
    return [alone(photo_cost, model, weights, size) for size in megapixels]


def photo_cost(model: str, weights: str | None, megapixels: float) -> PhotoCost:
    method = create_method(model, weights)
    width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
    image = dark(width, round(width * 2 / 3))
    enhance(image[:64, :64], method)  # not timed: the first call prepares
    start = time.perf_counter()
    enhance(image, method)
    return PhotoCost(megapixels, time.perf_counter() - start, peak_megabytes())


def bench_video(model: str, weights: str | None, frames: int = 96) -> list[VideoCost]:
    """Enhance a made-up video, by the whole network and by the exposure alone.

    Raises:
        CourseError: PyAV is missing, or the model is not ``dual_branch``.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "dark.mp4"
        make_video(source, frames)
        return [alone(video_cost, model, weights, source, fast) for fast in (False, True)]


def video_cost(model: str, weights: str | None, source: Path, fast: bool) -> VideoCost:
    network = create_method(model, weights)
    start = time.perf_counter()
    frames = enhance_video(source, source.with_name("bright.mp4"), network, fast=fast)
    rate = frames / (time.perf_counter() - start)
    return VideoCost("exposure alone" if fast else "whole network", rate, peak_megabytes())


def make_video(target: Path, frames: int) -> None:
    """A dark photograph under a slowly moving camera."""
    av = import_av(target)
    width, height = VIDEO
    wide = dark(width + frames, height)
    with av.open(str(target), "w") as made:
        stream = made.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for left in range(frames):
            view = np.ascontiguousarray(wide[:, left : left + width])
            made.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        made.mux(stream.encode(None))


def dark(width: int, height: int) -> np.ndarray:
    """An embedded photograph, four times darker, ``(height, width, 3)`` uint8."""
    return cv2.resize(photograph("motorcycle"), (width, height)) // 4
