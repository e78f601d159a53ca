"""HDR becomes SDR by the formulas of BT.2100 and BT.2390."""

import shutil
import subprocess

import numpy as np
import pytest

from llie_helpers.inference.hdr import PEAK, WHITE, hlg_to_light, light_to_pq, pq_to_light, tone_map

PQ, HLG = 16, 18


def grey(code):
    return np.full((1, 1, 3), round(code * 65535), np.uint16)


@pytest.mark.parametrize(
    ("light", "code"), [(0, 0), (0.1, 0.0623), (100, 0.5081), (203, 0.5807), (1e4, 1)]
)
def test_pq_is_that_of_bt_2408(light, code):
    assert light_to_pq(light) == pytest.approx(code, abs=1e-4)
    assert pq_to_light(light_to_pq(light)) == pytest.approx(light, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("code", "light"), [(0, 0), (0.5, 1 / 12), (0.75, 0.265), (1, 1)])
def test_hlg_is_that_of_bt_2100(code, light):
    assert hlg_to_light(np.array(code)) == pytest.approx(light, abs=1e-4)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_greys_stay_grey_and_in_order(transfer):
    ramp = np.arange(0, 65536, 257, dtype=np.uint16)[None, :, None].repeat(3, 2)
    mapped = tone_map(ramp, transfer)[0].astype(int)
    assert (np.ptp(mapped, axis=1) <= 1).all()
    assert (np.diff(mapped[:, 1]) >= 0).all()
    assert mapped[[0, -1], 1].tolist() == [0, 255]


@pytest.mark.parametrize("light", [1, 10, 50, 80])
def test_dark_and_middle_tones_are_not_compressed(light):
    (value,) = tone_map(grey(light_to_pq(light)), PQ)[0, 0, :1]
    assert value == pytest.approx(255 * (light / WHITE) ** (1 / 2.4), abs=1)


def test_highlights_up_to_the_peak_stay_distinct():
    values = [int(tone_map(grey(light_to_pq(PEAK * part)), PQ).max()) for part in (0.2, 0.4, 0.8)]
    assert values == sorted(set(values))
    assert values[-1] <= 255


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="FFmpeg's program, which checks, is missing")
@pytest.mark.parametrize(("transfer", "name"), [(PQ, "smpte2084"), (HLG, "arib-std-b67")])
def test_dark_colours_are_as_zimg_converts_them(transfer, name):
    codes = np.random.default_rng(0).integers(9000, 26000, (8, 8, 3), dtype=np.uint16)
    if transfer == HLG:  # zimg brightens each channel by itself, and not by the luminance
        codes = codes[..., :1].repeat(3, 2)
    linear = (
        f"zscale=pin=bt2020:tin={name}:min=gbr:rin=full:p=bt709:t=linear:m=gbr:r=full:npl=203,"
        "format=gbrpf32le"
    )
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "8x8"]
    command += ["-i", "-", "-vf", linear, "-f", "rawvideo", "-"]
    planes = subprocess.run(command, input=codes.tobytes(), capture_output=True, check=True).stdout
    light = np.frombuffer(planes, np.float32).reshape(3, 8, 8)[[2, 0, 1]].transpose(1, 2, 0)
    expected = 255 * light.clip(0, 1) ** (1 / 2.4)
    assert np.abs(tone_map(codes, transfer) - expected).max() <= 3
