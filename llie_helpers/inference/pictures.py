"""Turn the frames of a film into upright RGB arrays and back, with the film's colours."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from llie_helpers.inference.hdr import BT709, BT2020, TRANSFERS, tone_map

BT601 = 6  # as the other numbers, of primaries, transfer functions and matrices alike
UNSAID = {0, 2, 3}
MATRICES = {BT709, 4, 5, BT601, 7, BT2020}  # those that FFmpeg converts
TRANSFER_OF = {BT709: BT709, BT2020: 14}  # of a matrix; else that of BT.601
LIMITED, FULL = 1, 2
HD = 720  # rows from which players expect BT.709


class Colours(NamedTuple):
    """The tags by which a player shows the colours; the names are PyAV's."""

    color_primaries: int
    color_trc: int
    colorspace: int
    color_range: int


class Pictures:
    """Converts between the frames of a film and RGB arrays ``(H, W, 3)`` uint8.

    Attributes:
        size: height and width of the arrays: upright, and even, as H.264 needs.
        colours: the tags of the enhanced film.
        aspect: the shape of a pixel, width / height.
        notes: a sentence for each property that is not kept.
    """

    def __init__(self, first: Any, aspect: Fraction | None) -> None:
        """Prepare for a film with the frame ``first`` and pixels of the shape ``aspect``."""
        from av.video.reformatter import VideoReformatter

        # Two, because each is fast only while its formats stay the same.
        self._to_rgb, self._from_rgb = VideoReformatter(), VideoReformatter()
        self._hdr = first.color_trc if first.color_trc in TRANSFERS else None
        self._shape = {"width": first.width, "height": first.height}
        self._given = _colours(first)
        self._turn = _turn(first)
        self.colours = Colours(BT709, BT709, BT709, LIMITED) if self._hdr else self._given
        turned = self._turn[0]
        size = (first.width, first.height) if turned else (first.height, first.width)
        self.size = (size[0] // 2 * 2, size[1] // 2 * 2)
        aspect = aspect or Fraction(1)
        self.aspect = 1 / aspect if turned else aspect
        self.notes = list(self._losses(first, size))

    def read(self, frame: Any) -> np.ndarray:
        """Return a frame as ``(H, W, 3)`` uint8, upright; HDR is mapped to SDR."""
        frame.colorspace, frame.color_range = self._given.colorspace, self._given.color_range
        depth = "rgb48le" if self._hdr else "rgb24"
        rgb = self._to_rgb.reformat(frame, format=depth, dst_color_range=FULL, **self._shape)
        image = rgb.to_ndarray()
        if self._hdr:
            image = tone_map(image, self._hdr, self._given.color_primaries)
        transposed, rows, columns = self._turn
        image = image.swapaxes(0, 1) if transposed else image
        return np.ascontiguousarray(image[::rows, ::columns][: self.size[0], : self.size[1]])

    def write(self, image: np.ndarray) -> Any:
        """Return ``(H, W, 3)`` uint8 as a frame in the film's colours."""
        from av import VideoFrame

        frame = VideoFrame.from_ndarray(image, format="rgb24")
        frame.colorspace, frame.color_range = self.colours.colorspace, FULL
        return self._from_rgb.reformat(
            frame, format="yuv420p", dst_color_range=self.colours.color_range
        )

    def _losses(self, first: Any, size: tuple[int, int]) -> Iterator[str]:
        if self._hdr:
            yield f"HDR ({TRANSFERS[self._hdr]}) became SDR, with its highlights compressed"
        elif (bits := max(part.bits for part in first.format.components)) > 8:
            yield f"{bits} bits per channel became 8"
        if any(part.is_alpha for part in first.format.components):
            yield "transparency is lost"
        if size != self.size:
            yield f"{size[1]}x{size[0]} was cut to {self.size[1]}x{self.size[0]}: sides are even"
        if first.interlaced_frame:
            yield "interlaced frames became whole frames"
        if _side_data(first, "A53_CC"):
            yield "closed captions are lost"


def deinterlaced(frames: Iterable[Any], first: Any) -> Iterator[Any]:
    """Yield whole frames, one for each of ``frames``; those not marked interlaced stay the same."""
    from av.filter import Graph

    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    for frame in chain(frames, [None]):
        graph.push(frame)
        while True:
            try:
                yield graph.vpull()
            except (BlockingIOError, EOFError):  # no more until the next frame
                break


def _colours(frame: Any) -> Colours:
    """Return what the frame says of its colours, and where it says nothing, what players expect."""
    matrix = frame.colorspace
    if matrix not in MATRICES:
        matrix = BT709 if frame.height >= HD else BT601
    primaries, transfer = frame.color_primaries, frame.color_trc
    limits = LIMITED if frame.format.is_rgb or not frame.color_range else frame.color_range
    return Colours(
        matrix if primaries in UNSAID else primaries,
        TRANSFER_OF.get(matrix, BT601) if transfer in UNSAID else transfer,
        matrix,
        FULL if frame.format.name.startswith("yuvj") else limits,
    )


def _turn(frame: Any) -> tuple[bool, int, int]:
    """Return how to turn a frame upright: whether to transpose, and the steps of rows and columns.

    The display matrix of a file says where the axes go; they may be mirrored.
    """
    matrix = _side_data(frame, "DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        return True, -1 if b < 0 else 1, -1 if c < 0 else 1
    return False, -1 if d < 0 else 1, -1 if a < 0 else 1


def _side_data(frame: Any, name: str) -> Any:
    """Return data that came with a frame, or None."""
    try:
        return frame.side_data.get(name)
    except ValueError:  # PyAV lists none if it does not know one
        return None
