"""Films of many kinds keep their colours, shape, timing, tracks and descriptions."""

import base64
import json
import os
import re
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")
from benchmarks import alone  # noqa: E402
from benchmarks.enhance import video_cost  # noqa: E402
from films import (  # noqa: E402
    DEU,
    KINDS,
    MPEG4,
    PATCHES,
    ROWS,
    Kind,
    make_film,
)

from llie_helpers.inference.hdr import TRANSFERS, tone_map  # noqa: E402
from llie_helpers.inference.video import enhance_video, video_suffix  # noqa: E402
from llie_helpers.methods import create_method  # noqa: E402

CODECS = {"libmp3lame": "mp3", "libopus": "opus", "srt": "subrip"}
NAMES = {  # ffprobe's
    "color_primaries": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020",
                        12: "smpte432"},
    "color_transfer": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
                       13: "iec61966-2-1", 14: "bt2020-10"},
    "color_space": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"},
    "color_range": {1: "tv", 2: "pc"},
}  # fmt: skip

needs_ffmpeg = pytest.mark.skipif(
    not shutil.which("ffprobe"), reason="FFmpeg's programs, which check the films, are missing"
)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Return a function from a name to its kind, source, enhanced film and what was said."""
    folder = tmp_path_factory.mktemp("films")
    made = {}

    def film(name):
        if name not in made:
            kind = KINDS[name]
            source = make_film(folder / f"{name}{kind.suffix}", kind)
            target = source.with_name(f"{name} enhanced{video_suffix(source)}")
            made[name] = (
                kind,
                source,
                target,
                enhance_video(source, target, create_method("identity")),
            )
        return made[name]

    return film


def probe(path):
    command = ["ffprobe", "-v", "error", "-of", "json"]
    command += ["-show_streams", "-show_format", "-show_chapters", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def colours(path):
    """The colours of the four patches as zimg shows them, which believes the film's tags."""
    convert = "zscale=matrix=gbr:range=full,format=gbrp"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", convert]
    command += ["-pix_fmt", "rgb24", "-f", "image2pipe", "-c:v", "ppm", "-"]
    ppm = subprocess.run(command, capture_output=True, check=True).stdout
    _, size, _, pixels = ppm.split(b"\n", 3)
    width, height = map(int, size.split())
    image = np.frombuffer(pixels, np.uint8).reshape(height, width, 3).astype(float)
    quarters = [np.array_split(half, 2, axis=1) for half in np.array_split(image, 2)]
    return np.array([[part[4:-4, 4:-4].mean((0, 1)) for part in row] for row in quarters])


def shown(kind):
    """The patches as a player should show them."""
    patches = PATCHES
    primaries, transfer = kind.said[:2]
    if transfer in TRANSFERS:
        patches = tone_map(PATCHES.astype(np.uint16) * 257, transfer, primaries)
    patches = np.rot90(patches, kind.turn // 90)
    return patches[:, ::-1] if kind.mirrored else patches


def test_the_table_is_long():
    assert len(KINDS) >= 45
    assert {kind.suffix for kind in KINDS.values()} == {s for row in ROWS.values() for s in row}


@needs_ffmpeg
@pytest.mark.parametrize("name", KINDS)
def test_colours(films, name):
    kind, _, target, _ = films(name)
    assert np.abs(colours(target) - shown(kind)).max() <= 6


@needs_ffmpeg
@pytest.mark.parametrize("name", KINDS)
def test_all_else(films, name):
    kind, _, target, film = films(name)
    assert film.remarks == kind.remarks
    about = probe(target)
    video, *others = about["streams"]
    assert video["codec_name"] == "h264"
    wanted = dict(zip(NAMES, kind.colours, strict=True))
    assert {tag: video.get(tag) for tag in NAMES} == {
        tag: NAMES[tag][value] for tag, value in wanted.items()
    }
    size = [side // 2 * 2 for side in kind.size]
    aspect = Fraction(video.get("sample_aspect_ratio", "1:1").replace(":", "/"))
    turned = kind.turn in (90, 270)
    assert [video["height"], video["width"]] == (size[::-1] if turned else size)
    assert aspect == (1 / kind.aspect if turned else kind.aspect)

    def tracks(sort):
        streams = [stream for stream in others if stream["codec_type"] == sort]
        return [(s["codec_name"], s.get("tags", {}).get("language", "und")) for s in streams]

    assert tracks("audio") == [(CODECS.get(c, c), language) for c, language in kind.heard]
    assert tracks("subtitle") == [(CODECS.get(c, c), language) for c, language in kind.read]
    assert len(tracks("video")) == kind.cover
    assert len(tracks("attachment")) == kind.fonts
    titles = [f"Part {i}" for i in range(3)] if kind.chapters else []
    assert [chapter["tags"]["title"] for chapter in about["chapters"]] == titles
    tags = {key.lower(): value for key, value in about["format"]["tags"].items()}
    assert kind.about.items() <= tags.items()


@pytest.mark.parametrize("name", KINDS)
def test_times(films, name):
    kind, _, target, film = films(name)
    with av.open(str(target)) as made:
        times = [frame.time for frame in made.decode(video=0)]
    assert film.frames == len(times) == kind.frames
    assert np.diff(times) == pytest.approx(1 / kind.rate, abs=2e-3)
    assert times[0] <= 0.06  # sound may start a little earlier


DAMAGED = {
    "H.264 MP4": Kind(frames=12, options={"bf": "0"}),
    "H.264 MKV": Kind(".mkv", frames=12, sounds=(("flac", "deu"),)),
    "H.264 AVI": Kind(".avi", frames=12, options={"bf": "3"}),
    "HEVC": Kind(".mov", "libx265", frames=12),
    "MPEG-4": Kind(".avi", **MPEG4, frames=12),
    "VP9": Kind(".webm", "libvpx-vp9", frames=12),
    "motion JPEG": Kind(".mov", "mjpeg", "yuvj420p", said=(2, 2, 2, 2), frames=12),
    "ProRes": Kind(".mov", "prores_ks", "yuv422p10le", frames=12),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_packet_is_skipped_and_counted(tmp_path, name):
    kind = DAMAGED[name]
    source = make_film(tmp_path / f"in{kind.suffix}", kind)
    with av.open(str(source)) as given:
        packet = [packet for packet in given.demux(video=0) if packet.size][7]
    content = bytearray(source.read_bytes())
    start = content.index(bytes(packet)[-12:]) + 12 - packet.size  # a container may escape the head
    content[start : start + packet.size] = bytes(packet.size)
    source.write_bytes(content)
    target = tmp_path / f"out{video_suffix(source)}"
    film = enhance_video(source, target, create_method("identity"))
    # A decoder may refuse those that build on the damaged one, too.
    assert re.search(r"damaged packets skipped: [1-9]", film.remarks)
    with av.open(str(target)) as made:
        assert kind.frames - 4 <= len(list(made.decode(video=0))) == film.frames < kind.frames


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi", ".flv"])
def test_a_film_cut_short_keeps_what_is_there(tmp_path, suffix):
    """And says so, lest the film that is whole elsewhere is deleted."""
    index_first = {"movflags": "faststart"} if suffix == ".mp4" else {}
    kind = Kind(suffix, frames=90, options={"g": "2"}, container=index_first)
    source = make_film(tmp_path / f"in{suffix}", kind)
    whole = source.read_bytes()
    for share, said in ((0.5, r"cut short: \d\.\d of \d\.\d seconds could be read"), (1, "^$")):
        source.write_bytes(whole[: int(share * len(whole))])
        target = tmp_path / f"{share}{video_suffix(source)}"
        film = enhance_video(source, target, create_method("identity"))
        assert re.search(said, film.remarks)
        assert film.frames == 90 if share == 1 else 5 < film.frames < 80


def test_a_film_that_starts_late_is_not_cut_short(tmp_path):
    source = make_film(tmp_path / "in.mkv", Kind(".mkv", start=50))
    assert not enhance_video(source, tmp_path / "out.mkv", create_method("identity")).remarks


SHOW = """async (film) => {
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  const ended = new Promise(done => video.addEventListener("ended", done));
  video.src = film;
  await video.play();
  await ended;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  // In memory: read from a busy graphics process, pixels were once those of no frame.
  const brush = canvas.getContext("2d", {willReadFrequently: true});
  brush.drawImage(video, 0, 0);
  const {width, height} = canvas;
  const at = (x, y) => [...brush.getImageData(x * width / 4, y * height / 4, 1, 1).data];
  return [width, height, [[at(1, 1), at(3, 1)], [at(1, 3), at(3, 3)]]];
}"""


@pytest.mark.slow
@pytest.mark.browser
def test_colours_and_shape_in_chromium(films, browser):
    page = browser.new_page()
    names = ("BT.709", "no tags SD", "no tags HD", "full range", "turned wide pixels")
    for name in names:
        kind, _, target, _ = films(name)
        film = "data:video/mp4;base64," + base64.b64encode(target.read_bytes()).decode()
        width, height, middles = page.evaluate(SHOW, film)
        assert np.abs(np.array(middles)[..., :3] - shown(kind)).max() <= 10, name
        shape = kind.size[1] * kind.aspect / kind.size[0]
        assert width / height == pytest.approx(
            float(1 / shape if kind.turn == 90 else shape), rel=0.03
        )
    page.close()


@pytest.mark.parametrize("offset", [0, 3_000_000], ids=["back", "ahead"])
def test_time_goes_on_where_recordings_were_put_together(tmp_path, offset):
    source = tmp_path / "in.ts"
    pieces = [
        make_film(tmp_path / f"{start}.ts", Kind(".ts", frames=30, start=start, sounds=(DEU,)))
        for start in (100, 100 + offset)
    ]
    source.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    film = enhance_video(source, tmp_path / "out.mp4", create_method("identity"))
    with av.open(str(tmp_path / "out.mp4")) as made:
        times = [frame.time for frame in made.decode(video=0)]
    assert film.frames == len(times) == 60
    assert np.diff(times) == pytest.approx(1 / 25, abs=0.045)
    assert times[-1] - times[0] == pytest.approx(59 / 25, abs=0.1)


@pytest.mark.slow
def test_4k_takes_less_than_one_and_a_half_gigabytes():
    _, megabytes = alone(video_cost, "dual_branch", None, 3, (3840, 2160), False)
    assert megabytes < 1500


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="priorities of Linux")
def test_no_film_changes_the_priority_of_the_tests(tmp_path):
    make_film(tmp_path / "in.webm", KINDS["WebM AV1"])
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
