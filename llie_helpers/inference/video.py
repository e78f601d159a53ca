"""Video: whatever FFmpeg reads, written as H.264 that a browser plays, sound and timing kept.

PyAV does the container work. Its wheel brings FFmpeg, so nothing else has to be installed,
and it hands over each frame with its own time, which a pipe to an ffmpeg program would lose
where the frame rate varies.
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import to_float
from llie_helpers.models.dual_branch import DualBranch, ExposureEstimator, expose

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".3gp"})
# Sound that MP4 holds as it is; any other is encoded anew.
SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "opus"}
SETTLE = 0.5  # seconds in which the exposure follows a change
CUT = 0.35  # mean difference of two thumbnails' logarithms that makes a new scene

Postprocess = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class SteadyExposure:
    """The exposure of a video over time: smoothed, so that it does not flicker, but for cuts."""

    def __init__(self, network: DualBranch):
        self.network = network
        self.logs: torch.Tensor | None = None
        self.seen: torch.Tensor | None = None
        self.time = 0.0

    @torch.no_grad()
    def __call__(self, frame: np.ndarray, time: float) -> torch.Tensor:
        """Logarithms of gains and exponents, ``(1, 6)``, for a frame at ``time`` in seconds."""
        # Every fourth pixel is plenty for a thumbnail of 64 x 64.
        step = max(1, min(frame.shape[:2]) // (2 * ExposureEstimator.SIDE))
        small = F.adaptive_avg_pool2d(to_float(frame[::step, ::step]), ExposureEstimator.SIDE)
        tones = (small + 0.01).log()
        estimated = self.network.prepare(small[None])
        cut = self.seen is None or (tones - self.seen).abs().mean() > CUT
        follow = 1.0 if cut else 1 - math.exp(-max(time - self.time, 0) / SETTLE)
        self.logs = estimated if self.logs is None else torch.lerp(self.logs, estimated, follow)
        self.seen, self.time = tones, time
        return self.logs


def enhance_video(
    source: str | os.PathLike,
    target: str | os.PathLike,
    network: DualBranch,
    postprocess: Postprocess | None = None,
    fast: bool = False,
) -> int:
    """Enhance a video; returns the number of frames.

    Args:
        source: any video that FFmpeg reads.
        target: an .mp4 file; it appears when it is complete.
        network: in eval mode.
        postprocess: given an enhanced frame and the frame ``(1, 3, H, W)``, returns what to keep.
        fast: apply the exposure alone, as one curve for each channel; noise stays.

    Raises:
        CourseError: PyAV is missing, the target is no .mp4, the source is no video, or the
            network has no exposure estimator.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() != ".mp4":
        raise CourseError(f"{target} cannot be written: videos are written as .mp4.")
    network = getattr(network, "network", network)
    if not isinstance(network, DualBranch):
        raise CourseError(f"{source} is a video; only dual_branch keeps its exposure steady.")
    av = import_av(source)
    try:
        with av.open(str(source)) as given:
            first = next(given.decode(video=0), None) if given.streams.video else None
        if first is None:
            raise CourseError(f"{source} holds no video that can be read.")
        size = upright(first).shape[:2]
        with (
            atomic_path(target) as temporary,
            av.open(str(source)) as given,
            av.open(str(temporary), "w", options={"movflags": "faststart"}) as made,
        ):
            return transfer(given, made, size, SteadyExposure(network), postprocess, fast)
    except av.FFmpegError as error:
        raise CourseError(f"{source} cannot be read as a video: {error.strerror}.") from error


def import_av(source: Path):
    try:
        import av
    except ImportError as error:
        raise CourseError(
            f"{source} is a video, which needs PyAV: run `pip install av`."
        ) from error
    return av


def transfer(
    given,
    made,
    size: tuple[int, int],
    steady: SteadyExposure,
    postprocess: Postprocess | None,
    fast: bool,
) -> int:
    """Decode, enhance and encode the pictures; copy the sound."""
    pictures = given.streams.video[0]
    pictures.thread_type = "AUTO"
    encoder = made.add_stream("libx264", rate=pictures.average_rate or 25)
    encoder.height, encoder.width = size
    encoder.pix_fmt = "yuv420p"
    # The source's own clock, so that a frame rate that varies goes on to vary.
    encoder.codec_context.time_base = pictures.time_base
    encoder.options = {"crf": "20", "preset": "veryfast"}
    sound = {stream.index: copied_sound(stream, made) for stream in given.streams.audio}
    progress = tqdm(total=pictures.frames or None, unit="frame")
    count = 0
    for packet in given.demux(pictures, *given.streams.audio):
        if packet.stream.index in sound:
            for out in sound[packet.stream.index](packet):
                made.mux(out)
            continue
        for frame in packet.decode():
            image = upright(frame)
            image = enhanced_frame(image, steady, frame.time or 0.0, postprocess, fast)
            out = type(frame).from_ndarray(image, format="rgb24")
            out.pts, out.time_base = frame.pts, pictures.time_base
            made.mux(encoder.encode(out))
            progress.update()
            count += 1
    progress.close()
    made.mux(encoder.encode(None))
    return count


def upright(frame) -> np.ndarray:
    """A frame as ``(H, W, 3)`` RGB, turned as a player would, with even sides for H.264."""
    image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    height, width = (side // 2 * 2 for side in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])


def copied_sound(stream, made) -> Callable[..., Iterator]:
    """A function from packets of ``stream`` to packets for ``made``."""
    if stream.codec_context.name in SOUND:
        copy = made.add_stream_from_template(stream)

        def passed_on(packet):
            if packet.dts is not None:
                packet.stream = copy
                yield packet

        return passed_on
    encoder = made.add_stream("aac", rate=stream.rate)

    def encoded(packet):
        for frame in packet.decode():
            yield from encoder.encode(frame)
        if packet.dts is None:  # the last packet is empty
            yield from encoder.encode(None)

    return encoded


@torch.no_grad()
def enhanced_frame(
    image: np.ndarray,
    steady: SteadyExposure,
    time: float,
    postprocess: Postprocess | None,
    fast: bool,
) -> np.ndarray:
    """One frame ``(H, W, 3)`` uint8, enhanced."""
    logs = steady(image, time)
    if fast:
        # All that happens to a pixel depends on its value alone: a table of 256 does it.
        levels = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
        curves = expose(levels, logs)
        curves = postprocess(curves, levels) if postprocess else curves
        return cv2.LUT(image, to_bytes(curves[0]))
    low = to_float(image)[None]
    enhanced = steady.network(low, logs)
    return to_bytes((postprocess(enhanced, low) if postprocess else enhanced)[0])


def to_bytes(image: torch.Tensor) -> np.ndarray:
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
