"""Read the packets of a film, even a damaged one, and write those of another, in order."""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

LONGEST = 10  # seconds without a packet, beyond which a time is taken for that of another piece
# Formats whose files say how long they are; the length of others is estimated.
SAY_LENGTH = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf"}
MISSING = 1  # seconds at the end of a film that it may lack and still be whole


class Source:
    """The packets of a film, from time 0, and the frames of its main video.

    Attributes:
        container: the open film.
        video: the stream of its main video, or None.
        damaged: the number of packets so far that could not be decoded.
        end: the time in seconds of the last packet so far.
    """

    def __init__(self, container: Any) -> None:
        self.container = container
        self.video = container.streams.best("video")
        self.damaged = 0
        self.end = Fraction(0)
        # Broadcasts and camcorders count from any time, in microseconds here.
        self._start = Fraction(max(container.start_time or 0, 0), 1_000_000)
        if self.video and self.video.codec_context:
            self.video.thread_type = "AUTO"
        else:
            self.video = None

    def packets(self, *streams: Any) -> Iterator[Any]:
        """Yield the packets of ``streams``; the last one of each is empty."""
        from av import FFmpegError, Packet

        joins = {stream.index: Join(round(self._start / stream.time_base)) for stream in streams}
        pieces = self.container.format.name in {"mpegts", "mpeg"}
        try:
            for packet in self.container.demux(*streams):
                join = joins[packet.stream.index]
                if pieces and packet.dts is not None and packet.stream.type in {"audio", "video"}:
                    join.see(packet)
                packet.pts = None if packet.pts is None else packet.pts - join.shift
                packet.dts = None if packet.dts is None else packet.dts - join.shift
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None:
                    self.end = max(self.end, (time + (packet.duration or 0)) * packet.time_base)
                yield packet
        except FFmpegError:  # nothing more can be read
            self.damaged += 1
            for stream in streams:
                packet = Packet()
                packet.stream, packet.time_base = stream, stream.time_base
                yield packet

    def losses(self) -> Iterator[str]:
        """Yield a sentence for what of the film was not read, once all of it should be."""
        if self.damaged:
            yield f"damaged packets skipped: {self.damaged}"
        length = Fraction(self.container.duration or 0, 1_000_000)
        # Some formats count the time before the start as well.
        missing = length - self._start - self.end
        if self.container.format.name in SAY_LENGTH and missing > MISSING:
            yield (
                f"the film is cut short: {float(self.end):.1f} of {float(length):.1f} seconds "
                "could be read"
            )

    def decoded(self, packet: Any) -> list[Any]:
        """Return the frames that a packet completes."""
        return self.attempt(lambda packet: packet.decode(), packet)

    def frames(self) -> Iterator[Any]:
        """Yield the frames of the video."""
        for packet in self.packets(self.video):
            yield from self.decoded(packet)

    def attempt(self, convert: Callable[[Any], Iterable[Any]], packet: Any) -> list[Any]:
        """Return what a packet converts to, or nothing, and count it, if it is damaged."""
        from av import FFmpegError

        try:
            return list(convert(packet))
        except (FFmpegError, ValueError):  # ValueError: sound that changes its format
            self.damaged += 1
            return []


class Join:
    """Joins the pieces of a track where time starts again, as in recordings put together.

    Attributes:
        shift: what to subtract from times, in the track's time base.
    """

    def __init__(self, shift: int) -> None:
        self.shift = shift
        self._last: int | None = None
        self._step = 1

    def see(self, packet: Any) -> None:
        """Let a piece that starts with ``packet`` follow the one before."""
        if self._last is not None:
            step = packet.dts - self._last
            if -1 < step * packet.time_base < LONGEST:
                self._step = step
            else:
                self.shift += step - self._step
        self._last = packet.dts


class Target:
    """Writes packets to an open film; in each track, each comes later than the one before."""

    def __init__(self, container: Any) -> None:
        self.container = container
        self._last: dict[int, int] = {}

    def write(self, packets: Iterable[Any]) -> None:
        """Write packets, and correct their times where a damaged film counts back."""
        for packet in packets:
            time = packet.pts if packet.dts is None else packet.dts
            last = self._last.get(packet.stream.index)
            if last is not None and (time is None or time <= last):
                time = last + 1
            packet.dts = self._last[packet.stream.index] = time or 0
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
            self.container.mux(packet)


class Clock:
    """Gives each frame of a video a time later than that of the frame before."""

    def __init__(self, video: Any) -> None:
        self._base = video.time_base
        self._step = max(round(1 / (video.average_rate or 25) / self._base), 1)
        self._last: int | None = None
        # AVI has the times of decoding alone, which the order of frames delays.
        self._decoding = video.container.format.name == "avi"
        self._delay: int | None = None

    def __call__(self, frame: Any) -> int:
        """Return the time of a frame in the video's time base."""
        given = frame.dts if self._decoding else frame.pts
        if given is None:
            time = 0 if self._last is None else self._last + self._step
        else:
            time = round(given * frame.time_base / self._base)
            if self._decoding:
                self._delay = time if self._delay is None else self._delay
                time -= self._delay
            if self._last is not None and time <= self._last:
                time = self._last + 1
        self._last = time
        return time
