"""Enhance videos that FFmpeg reads, to H.264 that browsers play; sound and timing are kept.

PyAV reads and writes the files. Its wheel includes FFmpeg, and it gives the time of each frame,
which a pipe to an ffmpeg process would lose if the frame rate varies.
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference.tiles import Postprocess
from llie_helpers.methods import Method, as_method, blend

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".3gp"})
# Audio codecs that MP4 supports; others are converted to AAC.
SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "opus"}
SETTLE = 0.5  # seconds, time constant with which the exposure follows a change
THUMBNAIL = 64  # pixels, side of the thumbnails with which two frames are compared
CUT = 0.35  # mean absolute difference of log thumbnails above which a new scene starts


class TemporalSmoother:
    """Prepare a method for each frame of a video, so that the exposure does not flicker.

    The context (`Method.prepare`) follows changes slowly, except at cuts.
    """

    def __init__(self, method: Method) -> None:
        self.method = method
        self.context: Any = None
        self.seen: torch.Tensor | None = None
        self.time = 0.0

    @torch.no_grad()
    def __call__(self, frame: torch.Tensor, time: float) -> Any:
        """Return the context for a frame ``(1, 3, H, W)`` at ``time`` in seconds."""
        logs = (F.adaptive_avg_pool2d(frame, THUMBNAIL) + 0.01).log()
        context = self.method.prepare(frame)
        if self.seen is not None and (logs - self.seen).abs().mean() <= CUT:
            share = 1 - math.exp(-max(time - self.time, 0) / SETTLE)
            context = blend(self.context, context, share)
        self.context, self.seen, self.time = context, logs, time
        return context


def enhance_video(
    source: str | os.PathLike,
    target: str | os.PathLike,
    method: Method | Callable[[torch.Tensor], torch.Tensor],
    postprocess: Postprocess | None = None,
    fast: bool = False,
) -> int:
    """Enhance a video and return the number of frames.

    Args:
        source: a video that FFmpeg reads.
        target: an .mp4 file, written atomically.
        method: a `Method`, or any function of images.
        postprocess: applied to an enhanced frame and the input frame, both ``(1, 3, H, W)``.
        fast: correct only the exposure (`Method.illuminate`); noise remains.

    Raises:
        CourseError: PyAV is missing, the target is not an .mp4 file, the source is not a video,
            or the method has no fast mode.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() != ".mp4":
        raise CourseError(f"{target} cannot be written: videos are written as .mp4.")
    av = import_av(source)
    try:
        with av.open(str(source)) as given:
            first = next(given.decode(video=0), None) if given.streams.video else None
        if first is None:
            raise CourseError(f"{source} contains no video that can be read.")
        size = _upright(first).shape[:2]
        smoother = TemporalSmoother(as_method(method))
        with (
            atomic_path(target) as temporary,
            av.open(str(source)) as given,
            av.open(str(temporary), "w", options={"movflags": "faststart"}) as made,
        ):
            return _transcode(given, made, size, smoother, postprocess, fast)
    except av.FFmpegError as error:
        raise CourseError(f"{source} cannot be read as a video: {error.strerror}.") from error


@torch.no_grad()
def enhance_frame(
    image: np.ndarray,
    smoother: TemporalSmoother,
    time: float,
    postprocess: Postprocess | None = None,
    fast: bool = False,
) -> np.ndarray:
    """Enhance one frame ``(H, W, 3)`` uint8 at ``time`` in seconds."""
    method = smoother.method
    low = to_float(image)[None].to(method.device)
    if fast:
        # A subsampled frame, twice the size of a thumbnail or more, suffices for the exposure.
        step = max(1, min(image.shape[:2]) // (2 * THUMBNAIL))
        enhanced = method.illuminate(low, smoother(low[..., ::step, ::step], time))
    else:
        enhanced = method(low, smoother(low, time))
    return to_uint8((postprocess(enhanced, low) if postprocess else enhanced)[0])


def import_av(source: Path) -> ModuleType:
    """Import PyAV.

    Raises:
        CourseError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise CourseError(
            f"{source} is a video, which needs PyAV: run `pip install av`."
        ) from error
    return av


def _transcode(
    given: Any,
    made: Any,
    size: tuple[int, int],
    smoother: TemporalSmoother,
    postprocess: Postprocess | None,
    fast: bool,
) -> int:
    """Decode, enhance and encode the frames, copy the audio, and return the number of frames."""
    video = given.streams.video[0]
    video.thread_type = "AUTO"
    encoder = made.add_stream("libx264", rate=video.average_rate or 25)
    encoder.height, encoder.width = size
    encoder.pix_fmt = "yuv420p"
    # The time base of the source keeps variable frame rates.
    encoder.codec_context.time_base = video.time_base
    encoder.options = {"crf": "20", "preset": "veryfast"}
    sound = {stream.index: _sound_copier(stream, made) for stream in given.streams.audio}
    progress = tqdm(total=video.frames or None, unit="frame")
    count = 0
    for packet in given.demux(video, *given.streams.audio):
        if packet.stream.index in sound:
            for out in sound[packet.stream.index](packet):
                made.mux(out)
            continue
        for frame in packet.decode():
            image = _upright(frame)
            image = enhance_frame(image, smoother, frame.time or 0.0, postprocess, fast)
            out = type(frame).from_ndarray(image, format="rgb24")
            out.pts, out.time_base = frame.pts, video.time_base
            made.mux(encoder.encode(out))
            progress.update()
            count += 1
    progress.close()
    made.mux(encoder.encode(None))
    return count


def _upright(frame: Any) -> np.ndarray:
    """Return a frame as ``(H, W, 3)`` RGB, rotated upright, with even sides for H.264."""
    image = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    height, width = (side // 2 * 2 for side in image.shape[:2])
    return np.ascontiguousarray(image[:height, :width])


def _sound_copier(stream: Any, made: Any) -> Callable[[Any], Iterator[Any]]:
    """Return a function from packets of ``stream`` to packets for ``made``."""
    if stream.codec_context.name in SOUND:
        copy = made.add_stream_from_template(stream)

        def copied(packet: Any) -> Iterator[Any]:
            if packet.dts is not None:
                packet.stream = copy
                yield packet

        return copied
    encoder = made.add_stream("aac", rate=stream.rate)

    def encoded(packet: Any) -> Iterator[Any]:
        for frame in packet.decode():
            yield from encoder.encode(frame)
        if packet.dts is None:  # the last packet is empty
            yield from encoder.encode(None)

    return encoded
