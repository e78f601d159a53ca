"""Enhance videos that FFmpeg reads, to H.264 that browsers play; all else is kept.

PyAV reads and writes the files. Its wheel includes FFmpeg, and it gives the time of each frame,
which a pipe to an ffmpeg process would lose if the frame rate varies.
"""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference.packets import Clock, Source, Target
from llie_helpers.inference.pictures import Pictures, deinterlaced
from llie_helpers.inference.tiles import Postprocess, enhance_tiled
from llie_helpers.inference.tracks import Tracks, describe, is_cover, lost_tags
from llie_helpers.methods import Method, as_method, blend

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov",
     ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"}
)  # fmt: skip
OUTPUT_SUFFIXES = frozenset({".mp4", ".mkv"})
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


class Film(NamedTuple):
    """An enhanced film: the number of its frames, and a line on what could not be kept, or ""."""

    frames: int
    remarks: str


def enhance_video(
    source: str | os.PathLike,
    target: str | os.PathLike,
    method: Method | Callable[[torch.Tensor], torch.Tensor],
    postprocess: Postprocess | None = None,
    fast: bool = False,
) -> Film:
    """Enhance a video, and keep its timing, colours, sound, subtitles and descriptions.

    Args:
        source: a video that FFmpeg reads.
        target: an .mp4 or .mkv file, written atomically; see `video_suffix`.
        method: a `Method`, or any function of images.
        postprocess: applied to an enhanced part and the input part, both ``(1, 3, h, w)``.
        fast: correct only the exposure (`Method.illuminate`); noise remains.

    Raises:
        CourseError: PyAV is missing, the target has another suffix, the source is not a video,
            or the method has no fast mode.
    """
    source, target = Path(source), Path(target)
    if target.suffix.lower() not in OUTPUT_SUFFIXES:
        raise CourseError(f"{target} cannot be written: videos are written as .mp4 or .mkv.")
    av = import_av(source)
    try:
        with _opened(source) as given:
            film = Source(given)
            first = next(film.frames(), None) if film.video else None
        if first is None:
            raise CourseError(f"{source} contains no video that can be read.")
        smoother = TemporalSmoother(as_method(method))
        with atomic_path(target) as temporary, _opened(source) as given:
            with av.open(_address(temporary), "w", container_options=_options(given)) as made:
                count, notes = _transcode(Source(given), made, first, smoother, postprocess, fast)
            with _opened(temporary) as made:
                notes += lost_tags(given, made)
            return Film(count, "; ".join(notes))
    except av.FFmpegError as error:
        raise CourseError(f"{source} cannot be read as a video: {error.strerror}.") from error


def video_suffix(source: Path) -> str:
    """Return the suffix for the enhanced ``source``: ".mp4", but ".mkv" for Matroska.

    Matroska holds all that a Matroska film may contain, and MP4 does not.
    """
    return ".mkv" if source.suffix.lower() == ".mkv" else ".mp4"


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
    if not fast:
        return to_uint8(enhance_tiled(method, low[0], postprocess, smoother(low, time)))
    # A subsampled frame, twice the size of a thumbnail or more, suffices for the exposure.
    step = max(1, min(image.shape[:2]) // (2 * THUMBNAIL))
    enhanced = method.illuminate(low, smoother(low[..., ::step, ::step], time))
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


def _opened(source: Path) -> Any:
    return import_av(source).open(_address(source), metadata_errors="replace")


def _address(path: Path) -> str:
    """Return what FFmpeg calls a file: it takes "a:b" for the protocol a, and "/a:b" for a file."""
    return str(path.absolute())


def _options(given: Any) -> dict[str, str]:
    """Return how to write MP4: with tags of any name, which a cover excludes."""
    cover = any(is_cover(stream) for stream in given.streams)
    return {"movflags": "faststart" if cover else "faststart+use_metadata_tags"}


def _transcode(
    source: Source,
    made: Any,
    first: Any,
    smoother: TemporalSmoother,
    postprocess: Postprocess | None,
    fast: bool,
) -> tuple[int, list[str]]:
    """Write the enhanced film; return the number of frames and what could not be kept."""
    video = source.video
    pictures = Pictures(first, video.sample_aspect_ratio)
    encoder = describe(made.add_stream("libx264", rate=video.average_rate or 25), video)
    encoder.height, encoder.width = pictures.size
    encoder.sample_aspect_ratio = pictures.aspect
    encoder.pix_fmt = "yuv420p"
    for name, value in pictures.colours._asdict().items():
        setattr(encoder.codec_context, name, value)
    # The time base of the source keeps variable frame rates.
    encoder.codec_context.time_base = video.time_base
    encoder.options = {"crf": "20", "preset": "veryfast"}
    tracks = Tracks(source.container, made, video)
    target = Target(made)

    def frames() -> Iterator[Any]:
        for packet in source.packets(video, *tracks.streams):
            if packet.stream is video:
                yield from source.decoded(packet)
            else:
                target.write(source.attempt(tracks.convert, packet))

    clock = Clock(video)
    count = 0
    shown = deinterlaced(frames(), first) if first.interlaced_frame else frames()
    for frame in tqdm(shown, total=video.frames or None, unit="frame"):
        time = clock(frame)
        image = pictures.read(frame)
        image = enhance_frame(image, smoother, float(time * video.time_base), postprocess, fast)
        out = pictures.write(image)
        out.pts, out.time_base = time, video.time_base
        target.write(encoder.encode(out))
        count += 1
    target.write(encoder.encode(None))
    return count, [*pictures.notes, *tracks.notes, *source.losses()]
