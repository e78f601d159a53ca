"""Videos keep their frames, times, size and sound, and do not flicker."""

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from llie_helpers.errors import CourseError
from llie_helpers.images import to_float
from llie_helpers.inference.video import TemporalSmoother, enhance_video
from llie_helpers.methods import as_method, create_method
from llie_helpers.models import create_model

av = pytest.importorskip("av")
MILLISECOND = Fraction(1, 1000)


def scene(seed: int, height=48, width=64) -> np.ndarray:
    """A dark picture with soft shapes."""
    rough = np.random.default_rng(seed).integers(10, 90, (6, 8, 3), dtype=np.uint8)
    return rough.repeat(height // 6, axis=0).repeat(width // 8, axis=1)


def clip(path, pictures, times, sound="aac"):
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10", "preset": "ultrafast"}
        stream.codec_context.time_base = MILLISECOND
        if sound:
            heard = made.add_stream(sound, rate=48000, layout="mono")
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = time, MILLISECOND
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if sound:
            wave = 0.1 * np.sin(np.arange(48 * times[-1]) / 20)[None].astype(np.float32)
            tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            tone.sample_rate = 48000
            queue = av.AudioFifo()
            queue.write(tone)
            for part in queue.read_many(960, partial=True):
                made.mux(heard.encode(part))
            made.mux(heard.encode(None))
    return Path(path)


def read(path):
    with av.open(str(path)) as given:
        frames = [(f.time, f.to_ndarray(format="rgb24")) for f in given.decode(video=0)]
        return [time for time, _ in frames], [image for _, image in frames]


def sound_of(path):
    with av.open(str(path)) as given:
        (stream,) = given.streams.audio
        samples = sum(frame.samples for frame in given.decode(audio=0))
        return stream.codec_context.name, samples


@pytest.fixture(scope="module")
def network():
    return create_method("dual_branch", "embedded")


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_times_size_and_sound_are_kept(tmp_path, network, fast, suffix):
    times = [0, 40, 80, 200, 240, 400, 440, 480]  # a frame rate that varies
    source = clip(tmp_path / f"in{suffix}", [scene(0)] * len(times), times)
    target = tmp_path / "out.mp4"
    assert enhance_video(source, target, network, fast=fast) == (len(times), "")
    before, after = read(source), read(target)
    assert after[0] == pytest.approx(before[0], abs=1e-3)
    assert after[1][0].shape == before[1][0].shape
    assert np.mean(after[1][0]) > 1.5 * np.mean(before[1][0])
    name, samples = sound_of(target)
    assert name == "aac"
    # Containers differ in whether they say how much silence an encoder put first.
    assert samples == pytest.approx(sound_of(source)[1], abs=1024)
    with av.open(str(target)) as made:
        stream = made.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_sound_that_mp4_cannot_hold_is_encoded_as_aac(tmp_path, network):
    source = clip(tmp_path / "in.mkv", [scene(0)] * 3, [0, 40, 600], sound="pcm_s16le")
    enhance_video(source, tmp_path / "out.mp4", network, fast=True)
    name, samples = sound_of(tmp_path / "out.mp4")
    assert name == "aac"
    assert samples == pytest.approx(48 * 600, abs=2048)


def test_a_static_scene_does_not_flicker(tmp_path, network):
    noise = np.random.default_rng(1)
    bright = [3.0 * (i % 2) for i in range(30)]  # a lamp that flickers
    pictures = [(scene(0) + b + noise.normal(0, 3, (48, 64, 3))).clip(0, 255).astype(np.uint8)
                for b in bright]  # fmt: skip
    source = clip(tmp_path / "in.mp4", pictures, range(0, 1200, 40), sound=None)
    enhance_video(source, tmp_path / "out.mp4", network)
    before, after = ([image.mean() for image in read(tmp_path / f"{name}.mp4")[1]]
                     for name in ("in", "out"))  # fmt: skip
    flicker = np.abs(np.diff(after)).mean() / np.mean(after)
    assert flicker <= 1.1 * np.abs(np.diff(before)).mean() / np.mean(before)


@pytest.mark.parametrize("name", ["gamma", "clahe", "retinex"])
def test_any_method_enhances_videos(tmp_path, name):
    source = clip(tmp_path / "in.mp4", [scene(0)] * 3, [0, 40, 80], sound=None)
    assert enhance_video(source, tmp_path / "out.mp4", create_method(name)).frames == 3
    assert np.mean(read(tmp_path / "out.mp4")[1]) > 1.2 * np.mean(read(source)[1])
    with pytest.raises(CourseError, match=f"{name} cannot correct the exposure alone"):
        enhance_video(source, tmp_path / "fast.mp4", create_method(name), fast=True)
    assert not (tmp_path / "fast.mp4").exists()


def test_the_exposure_follows_slowly_but_for_a_cut():
    torch.manual_seed(0)
    network = create_model("dual_branch", width=4, blocks=1, deep=1).eval()
    torch.nn.init.normal_(network.grid_predictor.head.weight, std=0.5)
    dark, lighter = scene(0), (scene(0) * 1.15).astype(np.uint8)
    cut = scene(7)[::-1] * 2
    method = as_method(network)
    frames = [to_float(frame)[None] for frame in (dark, lighter, cut)]
    smoother = TemporalSmoother(method)
    _, first = smoother(frames[0], 0.0)
    _, second = smoother(frames[1], 0.04)
    _, third = smoother(frames[2], 0.08)
    alone = [TemporalSmoother(method)(frame, 0.0)[1] for frame in frames]
    assert torch.equal(first, alone[0])
    assert (second - first).abs().max() < 0.2 * (alone[1] - alone[0]).abs().max()
    assert torch.equal(third, alone[2])


def test_a_stopped_video_leaves_nothing(tmp_path, network):
    source = clip(tmp_path / "in.mp4", [scene(0)] * 4, [0, 40, 80, 120])

    def interrupted(enhanced, low):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enhance_video(source, tmp_path / "out.mp4", network, interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_is_no_video_is_named(tmp_path, network):
    (tmp_path / "text.mp4").write_text("no video")
    for source, target, method, sentence in (
        ("text.mp4", "out.mp4", network, "cannot be read as a video"),
        ("text.mp4", "out.avi", network, r"written as \.mp4"),
    ):
        with pytest.raises(CourseError, match=sentence):
            enhance_video(tmp_path / source, tmp_path / target, method)
    assert not (tmp_path / "out.mp4").exists()


UPRIGHT = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
TURNED = {
    90: np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4").tobytes(),
    180: np.array([-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30], ">i4").tobytes(),
    270: np.array([0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30], ">i4").tobytes(),
}


@pytest.mark.parametrize("degrees", TURNED)
def test_a_video_filmed_on_its_side_is_turned_as_a_player_does(tmp_path, network, degrees):
    source = clip(tmp_path / "in.mp4", [scene(0)] * 3, [0, 40, 80], sound=None)
    content = source.read_bytes()
    track = content.index(b"tkhd")
    matrix = content.index(UPRIGHT, track)
    source.write_bytes(content[:matrix] + TURNED[degrees] + content[matrix + len(UPRIGHT) :])
    enhance_video(source, tmp_path / "out.mp4", network, fast=True)
    # OpenCV turns frames as the file asks for.
    shown, made = (
        cv2.VideoCapture(str(tmp_path / name)).read()[1] for name in ("in.mp4", "out.mp4")
    )
    assert made.shape == shown.shape
    assert np.corrcoef(made.ravel(), shown.ravel())[0, 1] > 0.8


@pytest.mark.skipif(os.name != "posix", reason="Windows has no colons in names")
@pytest.mark.parametrize("name", ["Meeting-12:30.mp4", "file:a.mp4", "pipe:0.mp4"])
def test_a_colon_in_a_name_is_no_protocol(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    clip("a.mp4", [scene(0)] * 2, [0, 40]).rename(name)
    assert enhance_video(name, f"Bright-{name}", create_method("identity")).frames == 2
    assert read(tmp_path / f"Bright-{name}")[0] == [0, 0.04]
