"""Small films of any kind, made for the tests with PyAV."""

from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

UNSAID = (2, 2, 2, 0)
SD, HD = (6, 6, 6, 1), (1, 1, 1, 1)
PATCHES = np.array([[[190, 40, 30], [13, 222, 12]], [[25, 40, 170], [90, 90, 90]]], np.uint8)
TONE = 48000


@dataclass
class Kind:
    """What a film is: its container, codec, colours, shape, tracks and descriptions."""

    suffix: str = ".mp4"
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    # Numbers of primaries, transfer, matrix and range, as the file says and as they are meant.
    said: tuple = HD
    meant: tuple = ()
    size: tuple = (48, 64)
    aspect: Fraction = Fraction(1)
    turn: int = 0  # degrees
    mirrored: bool = False
    sounds: tuple = ()  # of (codec, language)
    subtitles: tuple = ()  # of (codec, language)
    cover: bool = False
    chapters: bool = False
    about: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    container: dict = field(default_factory=dict)
    start: int = 0  # time of the first frame, in frames
    frames: int = 6
    rate: int = 25
    fonts: bool = False
    # What the enhanced film has, where that is not the same.
    heard: tuple | None = None
    read: tuple | None = None
    colours: tuple | None = None
    remarks: str = ""

    def __post_init__(self):
        if not self.meant:
            default = HD if self.size[0] >= 720 else SD
            limits = self.said[3] or 1
            said = default if 2 in self.said[:3] or not self.said[2] else self.said
            self.meant = (*said[:3], limits)
        self.heard = self.sounds if self.heard is None else self.heard
        self.read = self.subtitles if self.read is None else self.read
        self.colours = self.meant if self.colours is None else self.colours

    def picture(self):
        """The picture as it is stored, ``(H, W, 3)``: four patches of colour."""
        height, width = self.size
        rows, columns = np.arange(height) * 2 // height, np.arange(width) * 2 // width
        return PATCHES[rows[:, None], columns]


def make_film(path, kind):
    """Write a film of ``kind``."""
    formats = {".m4v": "ipod", ".qt": "mov", ".m2v": "mpeg2video"}
    name = formats.get(kind.suffix)
    with av.open(str(path), "w", format=name, container_options=kind.container) as made:
        made.metadata.update(kind.about)
        if kind.chapters:
            made.set_chapters(
                [
                    {"id": i, "start": i * 80, "end": (i + 1) * 80,
                     "time_base": Fraction(1, 1000), "metadata": {"title": f"Part {i}"}}
                    for i in range(3)
                ]
            )  # fmt: skip
        stream = made.add_stream(kind.codec, rate=kind.rate, options=dict(kind.options))
        stream.height, stream.width = kind.size
        stream.pix_fmt = kind.pix_fmt
        context = stream.codec_context
        context.sample_aspect_ratio = kind.aspect
        (context.color_primaries, context.color_trc, context.colorspace,
         context.color_range) = kind.said  # fmt: skip
        if kind.turn or kind.mirrored:
            stream.set_display_rotation(kind.turn, hflip=kind.mirrored)
        tracks = []
        for codec, language in kind.sounds:
            rate = 8000 if "amr" in codec else TONE
            heard = made.add_stream(codec, rate=rate, layout="mono" if "amr" in codec else "stereo")
            heard.bit_rate = 12200 if "amr" in codec else 128000
            heard.metadata["language"] = language
            tracks.append(heard)
        texts = []
        for codec, language in kind.subtitles:
            text = made.add_stream(codec)
            text.metadata["language"] = language
            text.codec_context.subtitle_header = ASS_HEADER
            text.time_base = text.codec_context.time_base = Fraction(1, 1000)
            texts.append(text)
        if kind.cover:
            art = made.add_stream("png", rate=1)
            art.width, art.height, art.pix_fmt = 16, 16, "rgb24"
            art.disposition = av.stream.Disposition.attached_pic
        if kind.fonts:
            made.add_attachment("font.ttf", "application/x-truetype-font", b"not a font")
        made.start_encoding()
        if kind.cover:
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 200, np.uint8), "rgb24")
            made.mux(art.encode(frame))
            made.mux(art.encode(None))
        for text in texts:
            made.mux(subtitle_packet(text))
        for heard in tracks:
            for packet in sound_packets(heard, kind.frames / kind.rate):
                made.mux(packet)
        for packet in picture_packets(stream, kind):
            made.mux(packet)
    return path


ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n"
    b"[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, "
    b"OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, "
    b"Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0"
    b"\r\n\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n\0"
)


def subtitle_packet(text):
    from av.subtitles.subtitle import SubtitleSet

    subtitle = SubtitleSet.create(text=b"0,0,Default,,0,0,0,,It is dark.", start=0, end=120, pts=0)
    packet = text.codec_context.encode_subtitle(subtitle)
    packet.stream, packet.time_base = text, Fraction(1, 1000)
    packet.pts, packet.dts, packet.duration = 20, 20, 120
    return packet


def sound_packets(heard, seconds):
    wave = 0.1 * np.sin(np.arange(round(TONE * seconds)) / 20)[None].repeat(2, 0)
    tone = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="stereo")
    tone.sample_rate, tone.pts = TONE, 0
    return [*heard.encode(tone), *heard.encode(None)]


def picture_packets(stream, kind):
    for i in range(kind.frames):
        frame = av.VideoFrame.from_ndarray(kind.picture(), format="rgb24")
        frame.colorspace, frame.color_range = kind.meant[2], 2
        limits = 2 if frame_is_rgb(kind.pix_fmt) else kind.meant[3]
        frame = frame.reformat(format=kind.pix_fmt, dst_color_range=limits)
        frame.color_primaries, frame.color_trc = kind.said[:2]
        frame.pts, frame.time_base = i + kind.start, Fraction(1, kind.rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def frame_is_rgb(pix_fmt):
    return av.VideoFormat(pix_fmt).is_rgb
