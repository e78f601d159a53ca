"""Carry sound, subtitles, chapters and descriptions from one film to another."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Codecs that players of MP4 know; other sound is converted to AAC.
SOUND = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
# The usual places of so many speakers, for sound that names none.
SPEAKERS = {1: "mono", 2: "stereo", 4: "quad", 6: "5.1", 8: "7.1"}
TEXT = {"mov_text", "subrip", "ass", "ssa", "webvtt", "text"}  # subtitles that are no pictures
# What describes the encoding or the container of the source.
STALE = re.compile(
    "major_brand|minor_version|compatible_brands|encoder|vendor_id|duration"
    "|(BPS|DURATION|NUMBER_OF_|_STATISTICS).*"
)

Convert = Callable[[Any], Iterable[Any]]


class Tracks:
    """All but the pictures of a film.

    Attributes:
        streams: the streams of the source whose packets go to `convert`.
        notes: a sentence for each track that is not kept as it is.
    """

    def __init__(self, given: Any, made: Any, video: Any) -> None:
        """Add tracks to ``made`` for all streams of ``given`` but ``video``, and describe it."""
        self._made = made
        self._converters: dict[int, Convert] = {}
        self.streams = []
        self.notes: list[str] = []
        made.metadata.update(description(given))
        chapters = given.chapters()
        self._chapters = len(chapters) or None
        made.set_chapters(chapters)
        for stream in given.streams:
            if stream is not video and (convert := self._converter(stream)):
                self._converters[stream.index] = convert
                self.streams.append(stream)

    def convert(self, packet: Any) -> Iterable[Any]:
        """Return the packets to write for ``packet``; an empty one ends its track."""
        return self._converters[packet.stream.index](packet)

    def _converter(self, stream: Any) -> Convert | None:
        """Return how the packets of a stream are carried over, or None if they are not."""
        codec = stream.codec_context and stream.codec_context.codec.canonical_name
        matroska = self._made.format.name == "matroska"
        what = f"{stream.type} track {stream.index} ({codec or 'unknown'})"
        if stream.type == "attachment" and matroska:
            self._made.add_stream_from_template(stream)
            return None
        same = {
            "audio": codec in SOUND or matroska,
            "subtitle": matroska != (codec == "mov_text"),
            "video": is_cover(stream),
        }
        if codec and (stream.type != "audio" or stream.codec_context.sample_rate):
            if same.get(stream.type):
                try:
                    return self._copied(stream)
                except ValueError:  # the container has no place for such a codec
                    pass
            elif stream.type == "audio":
                self.notes.append(f"{what} became aac")
                return self._sound(stream)
            elif codec in TEXT:
                return self._text(stream, "srt" if matroska else "mov_text")
        # MP4 stores chapters and the timecode, which are written in their own way, as tracks too.
        if stream.frames != self._chapters and "timecode" not in stream.metadata:
            self.notes.append(f"{what} is lost")
        return None

    def _copied(self, stream: Any) -> Convert:
        copy = describe(self._made.add_stream_from_template(stream, opaque=True), stream)

        def convert(packet: Any) -> Iterator[Any]:
            if not is_end(packet):
                packet.stream = copy
                yield packet

        return convert

    def _sound(self, stream: Any) -> Convert:
        from av import Codec

        rates = Codec("aac", "w").audio_rates or []
        rate = stream.rate if stream.rate in rates else max(rates)
        encoder = describe(self._made.add_stream("aac", rate=rate), stream)
        named = "channels" not in stream.layout.name
        encoder.layout = stream.layout if named else SPEAKERS.get(stream.channels, "stereo")
        encoder.bit_rate = 96_000 * encoder.layout.nb_channels

        def convert(packet: Any) -> Iterator[Any]:
            for frame in packet.decode():
                yield from encoder.encode(frame)
            if is_end(packet):
                yield from encoder.encode(None)

        return convert

    def _text(self, stream: Any, codec: str) -> Convert:
        encoder = describe(self._made.add_stream(codec), stream)
        stream.codec_context.open(strict=False)
        encoder.codec_context.subtitle_header = stream.codec_context.subtitle_header
        encoder.time_base = encoder.codec_context.time_base = stream.time_base

        def convert(packet: Any) -> Iterator[Any]:
            if is_end(packet) or not (subtitle := stream.codec_context.decode2(packet)):
                return
            text = encoder.codec_context.encode_subtitle(subtitle)
            text.stream, text.time_base = encoder, packet.time_base
            text.pts, text.dts, text.duration = packet.pts, packet.dts, packet.duration
            yield text

        return convert


def describe(target: Any, source: Any) -> Any:
    """Copy title, language, role and such to the track ``target``, and return it."""
    target.metadata.update(description(source))
    target.disposition = source.disposition
    return target


def is_end(packet: Any) -> bool:
    """Return whether a packet is the empty one that ends a track."""
    return packet.size == 0 and packet.dts is None


def is_cover(stream: Any) -> bool:
    """Return whether a stream is a picture on the cover and not a video."""
    return "attached_pic" in (stream.disposition.name or "")


def lost_tags(given: Any, made: Any) -> list[str]:
    """Return a sentence if the film ``made`` lacks tags of the film ``given``, else nothing."""
    kept = {key.lower() for key in made.metadata}
    lost = [key for key in description(given) if key.lower() not in kept]
    return [f"lost tags: {', '.join(lost)}"] if lost else []


def description(source: Any) -> dict[str, str]:
    """Return the tags of a film or a track, without those that describe its encoding."""
    return {key: value for key, value in source.metadata.items() if not STALE.fullmatch(key)}
