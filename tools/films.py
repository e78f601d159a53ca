"""Kinds of films: a small generated film of each, and what of it an enhanced film keeps.

`tests/inference/test_films.py` holds every kind to what it says here, by FFmpeg's programs.
"""

import os
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from llie_helpers.inference.hdr import TRANSFERS

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
    if kind.codec == "libsvtav1" and hasattr(os, "sched_setscheduler"):
        # As root, SVT-AV1 gives its caller a real-time priority, before which all else has to wait.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
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
        limits = 2 if av.VideoFormat(kind.pix_fmt).is_rgb else kind.meant[3]
        frame = frame.reformat(format=kind.pix_fmt, dst_color_range=limits)
        frame.color_primaries, frame.color_trc = kind.said[:2]
        frame.pts, frame.time_base = i + kind.start, Fraction(1, kind.rate)
        yield from stream.encode(frame)
    yield from stream.encode(None)


DEU, ENG = ("aac", "deu"), ("libmp3lame", "eng")
ABOUT = {
    "title": "Zoë, at night",
    "creation_time": "2023-05-06T07:08:09.000000Z",
    "location": "+48.8577+002.2950/",
    "comment": "quiet",
}
PHONE = ABOUT | {"make": "Maker", "com.android.version": "13"}
ANY_TAG = {"movflags": "use_metadata_tags"}
JPEG, VP8 = (5, 6, 5, 2), (5, 6, 5, 1)
PQ, HLG = (9, 16, 9, 1), (9, 18, 9, 1)
TONE_MAPPED = "HDR ({}) became SDR, with its highlights compressed"
BECAME = "audio track 1 ({}) became aac"
MPEG4 = {"codec": "mpeg4", "said": UNSAID}
LOSSLESS = {"x265-params": "lossless=1"}
FIELDS = {"flags": "+ildct+ilme"}

KINDS = {
    # Colours: primaries, transfer, matrix and range.
    "BT.709": Kind(),
    "BT.601": Kind(said=SD),
    "PAL": Kind(said=(5, 6, 5, 1)),
    "gamma 2.8": Kind(said=(5, 5, 5, 1)),
    "SMPTE 240M": Kind(said=(7, 7, 7, 1)),
    "BT.2020 SDR": Kind(said=(9, 14, 9, 1)),
    "Display P3": Kind(said=(12, 1, 1, 1)),
    "sRGB transfer": Kind(said=(1, 13, 1, 1)),
    "full range": Kind(said=(1, 1, 1, 2)),
    "full range BT.601": Kind(said=(5, 6, 6, 2)),
    "motion JPEG": Kind(".avi", "mjpeg", "yuvj420p", said=(2, 2, 2, 2), meant=JPEG),
    "no tags SD": Kind(said=UNSAID),
    "no tags HD": Kind(said=UNSAID, size=(720, 1280), frames=2),
    "MPEG-4 SD": Kind(**MPEG4),
    "MPEG-4 HD": Kind(**MPEG4, size=(720, 1280), frames=2),
    "matrix alone": Kind(said=(2, 2, 1, 1), meant=(1, 1, 1, 1)),
    "10 bits": Kind(pix_fmt="yuv420p10le", remarks="10 bits per channel became 8"),
    "HEVC 10 bits": Kind(codec="libx265", pix_fmt="yuv420p10le",
                         remarks="10 bits per channel became 8"),
    "4:2:2": Kind(pix_fmt="yuv422p"),
    "4:4:4": Kind(pix_fmt="yuv444p"),
    "RGB": Kind(".mkv", "ffv1", "bgr0", said=(1, 13, 0, 0), colours=(1, 13, 6, 1)),
    "RGB HD": Kind(".mkv", "ffv1", "bgr0", said=UNSAID, size=(720, 1280), frames=2),
    "transparent": Kind(".mkv", "ffv1", "bgra", said=UNSAID, remarks="transparency is lost"),
    "PQ": Kind(codec="libx265", pix_fmt="yuv420p10le", options=LOSSLESS, said=PQ, colours=HD,
               remarks=TONE_MAPPED.format("PQ")),
    "PQ in P3": Kind(codec="libx265", pix_fmt="yuv420p10le", options=LOSSLESS, said=(12, 16, 9, 1),
                     colours=HD, remarks=TONE_MAPPED.format("PQ")),
    "HLG": Kind(codec="libx265", pix_fmt="yuv420p10le", options=LOSSLESS, said=HLG, colours=HD,
                remarks=TONE_MAPPED.format("HLG")),
    # Shape.
    "wide pixels": Kind(aspect=Fraction(4, 3)),
    "narrow pixels AVI": Kind(".avi", aspect=Fraction(8, 9)),
    "narrow pixels MPEG-2": Kind(".mpg", "mpeg2video", aspect=Fraction(4, 3)),
    "wide pixels MKV": Kind(".mkv", aspect=Fraction(64, 45)),
    "turned 90": Kind(turn=90),
    "turned 180": Kind(turn=180),
    "turned 270": Kind(".mov", turn=270),
    "turned wide pixels": Kind(turn=90, aspect=Fraction(4, 3)),
    "mirrored": Kind(mirrored=True),
    "mirrored and turned": Kind(turn=90, mirrored=True),
    "odd sides": Kind(size=(49, 65), pix_fmt="yuv444p",
                      remarks="65x49 was cut to 64x48: sides are even"),
    "interlaced": Kind(".mpg", "mpeg2video", options=FIELDS,
                       remarks="interlaced frames became whole frames"),
    # Containers and codecs.
    "MOV ProRes": Kind(".mov", "prores_ks", "yuv422p10le", sounds=(("pcm_s16le", "eng"),),
                       heard=(("aac", "eng"),),
                       remarks=f"10 bits per channel became 8; {BECAME.format('pcm_s16le')}"),
    "QT": Kind(".qt", "mjpeg", "yuvj420p", said=(2, 2, 2, 2), meant=JPEG),
    "M4V": Kind(".m4v", sounds=(DEU,)),
    "3GP": Kind(".3gp", sounds=(("libopencore_amrnb", "eng"),), heard=(("aac", "eng"),),
                remarks=BECAME.format("amr_nb")),
    "AVI with B-frames": Kind(".avi", options={"bf": "3"}, sounds=(("libmp3lame", "und"),)),
    "AVI Xvid": Kind(".avi", options={"bf": "2"}, **MPEG4),
    "WMV": Kind(".wmv", "wmv2", said=UNSAID, sounds=(("wmav2", "eng"),), heard=(("aac", "eng"),),
                remarks=BECAME.format("wmav2")),
    "ASF": Kind(".asf", "msmpeg4", said=UNSAID),
    "FLV": Kind(".flv", "flv", said=UNSAID),
    "FLV H.264": Kind(".flv", sounds=(("aac", "und"),)),
    "WebM VP8": Kind(".webm", "libvpx", said=UNSAID, meant=VP8, sounds=(("libopus", "eng"),)),
    "WebM VP9": Kind(".webm", "libvpx-vp9"),
    "WebM AV1": Kind(".webm", "libsvtav1", size=(64, 64), options={"preset": "12"}),
    "MPEG-1": Kind(".mpg", "mpeg1video", said=UNSAID),
    "MPEG-2 HD": Kind(".mpeg", "mpeg2video", said=UNSAID, size=(720, 1280), frames=2),
    "VOB": Kind(".vob", "mpeg2video", said=SD, sounds=(("ac3", "und"),)),
    "bare MPEG-2": Kind(".m2v", "mpeg2video", said=HD),
    "MTS": Kind(".mts", sounds=(("ac3", "deu"),)),
    "M2TS": Kind(".m2ts", sounds=(("ac3", "deu"), ("aac", "eng"))),
    "TS with MP2": Kind(".ts", sounds=(("mp2", "eng"),), heard=(("aac", "eng"),),
                        remarks=BECAME.format("mp2")),
    "TS from any time": Kind(".ts", "mpeg2video", start=90000, rate=25),
    "MXF": Kind(".mxf", "mpeg2video", "yuv422p", said=HD),
    # Tracks and descriptions.
    "two languages": Kind(sounds=(DEU, ENG), subtitles=(("mov_text", "fra"),)),
    "chapters": Kind(chapters=True, frames=7),
    "described": Kind(about=ABOUT),
    "described MOV": Kind(".mov", about=ABOUT | {"copyright": "© Zoë"}),
    "described phone": Kind(about=PHONE, container=ANY_TAG),
    "cover": Kind(cover=True, about=ABOUT),
    "MKV with all": Kind(".mkv", sounds=(("flac", "deu"), ("pcm_s16le", "eng")), about=PHONE,
                         subtitles=(("srt", "fra"), ("ass", "eng")), chapters=True, frames=7,
                         fonts=True),
    "WebM with text": Kind(".webm", "libvpx", subtitles=(("webvtt", "eng"),), said=UNSAID,
                           meant=VP8, read=(("mov_text", "eng"),)),
}  # fmt: skip

# A film with much in it in each kind of container, to be damaged.
RICH = {
    kind.suffix: kind
    for kind in (
        Kind(sounds=(DEU,), subtitles=(("mov_text", "fra"),), chapters=True, about=ABOUT),
        Kind(".mkv", sounds=(("flac", "deu"),), subtitles=(("srt", "fra"),)),
        Kind(".avi", options={"bf": "3"}, sounds=(("libmp3lame", "und"),)),
        Kind(".ts", sounds=(("ac3", "deu"),)),
        Kind(".webm", "libvpx", said=UNSAID, sounds=(("libopus", "eng"),)),
        Kind(".mpg", "mpeg2video", options=FIELDS, sounds=(("mp2", "und"),)),
        Kind(".flv", sounds=(("aac", "und"),)),
        Kind(".wmv", "wmv2", said=UNSAID, sounds=(("wmav2", "und"),)),
        Kind(".mov", "mjpeg", "yuvj420p", sounds=(("pcm_s16le", "eng"),), cover=True),
        Kind(".mxf", "mpeg2video", "yuv422p"),
    )
}

# Containers by their row of the table.
ROWS = {
    "MP4, M4V, 3GP": (".mp4", ".m4v", ".3gp"),
    "MOV": (".mov", ".qt"),
    "MKV": (".mkv",),
    "WebM": (".webm",),
    "AVI": (".avi",),
    "MPEG": (".mpg", ".mpeg", ".vob", ".m2v"),
    "TS, MTS, M2TS": (".ts", ".mts", ".m2ts"),
    "WMV, ASF": (".wmv", ".asf"),
    "FLV": (".flv",),
    "MXF": (".mxf",),
}
COLUMNS = ("colours", "shape", "sound", "subtitles", "chapters", "descriptions")


def keeps(kind):
    """Return what an enhanced film of ``kind`` keeps, of what it has."""
    kept = {
        "colours": kind.said[1] not in TRANSFERS,
        "shape": not any(side % 2 for side in kind.size),
    }
    if kind.sounds:
        kept["sound"] = kind.heard == kind.sounds
    if kind.subtitles:
        kept["subtitles"] = kind.read == kind.subtitles
    if kind.chapters:
        kept["chapters"] = True
    if kind.about or kind.cover or kind.fonts:
        kept["descriptions"] = True
    return kept
