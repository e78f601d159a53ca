"""Map high dynamic range (HDR) and wide gamuts to the range and gamut that every screen shows."""

from functools import cache

import numpy as np

# The numbers of transfer functions and primaries are those of ITU-T H.273, which FFmpeg uses.
TRANSFERS = {16: "PQ", 18: "HLG"}
WHITE = 203.0  # cd/m2, diffuse white of HDR (ITU-R BT.2408), which becomes the white of SDR
PEAK = 1000.0  # cd/m2, the highlights that remain distinct; brighter ones are clipped
BAND = 128  # rows that are converted at a time, to save memory
BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)
BT709, BT2020, P3 = 1, 9, 12
# RGB of each set of primaries to that of BT.709, which are those of sRGB.
TO_BT709 = {
    BT709: np.eye(3, dtype=np.float32),
    BT2020: np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
        np.float32,
    ),
    P3: np.array(
        [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]], np.float32
    ),
}


def to_bt709(image: np.ndarray, primaries: int) -> np.ndarray:
    """Turn SDR ``(H, W, 3)`` uint8 or uint16 with other primaries into BT.709 of the same type.

    Args:
        image: RGB.
        primaries: a key of ``TO_BT709``.
    """
    mapped, most = np.empty_like(image), np.iinfo(image.dtype).max
    for top in range(0, len(image), BAND):
        # The power, like that of sRGB, matters little: greys stay what they are with any.
        light = (image[top : top + BAND] / np.float32(most)) ** 2.2
        sdr = (light @ TO_BT709[primaries].T).clip(0, 1) ** (1 / 2.2)
        mapped[top : top + BAND] = np.rint(sdr * most)
    return mapped


def tone_map(image: np.ndarray, transfer: int, primaries: int = BT2020) -> np.ndarray:
    """Turn HDR ``(H, W, 3)`` RGB, uint16, into SDR uint8 with the primaries of BT.709.

    The brightest channel follows the curve of ITU-R BT.2390, which leaves dark and middle tones
    alone and compresses highlights; the others follow in proportion, so that hues stay.

    Args:
        image: all 16 bits are used, from 0 to 65535.
        transfer: a key of ``TRANSFERS``.
        primaries: a key of ``TO_BT709``; BT.2020's where it is another.
    """
    mapped = np.empty(image.shape, np.uint8)
    matrix = TO_BT709.get(primaries, TO_BT709[BT2020]).T
    lights, gains = _compression()
    for top in range(0, len(image), BAND):
        light = _light_of_codes(transfer)[image[top : top + BAND]]
        if TRANSFERS[transfer] == "HLG":  # from the light of the scene to that of the screen
            light *= ((light @ BT2020_LUMA) ** 0.2 * PEAK)[..., None]
        light *= np.interp(light.max(-1), lights, gains)[..., None] / WHITE
        sdr = (light @ matrix).clip(0, 1) ** (1 / 2.4)  # the screen of ITU-R BT.1886
        mapped[top : top + BAND] = np.rint(sdr * 255)
    return mapped


def pq_to_light(code: np.ndarray) -> np.ndarray:
    """Return cd/m2 for PQ codes in [0, 1] (ITU-R BT.2100)."""
    power = code ** (32 / 2523)
    return 1e4 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        8192 / 1305
    )


def light_to_pq(light: np.ndarray | float) -> np.ndarray:
    """Return PQ codes in [0, 1] for cd/m2 (ITU-R BT.2100)."""
    power = (np.asarray(light) / 1e4) ** (1305 / 8192)
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)


def hlg_to_light(code: np.ndarray) -> np.ndarray:
    """Return the light of the scene in [0, 1] for HLG codes in [0, 1] (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


@cache
def _light_of_codes(transfer: int) -> np.ndarray:
    """Return a table ``(65536,)`` float32 of the light of each code."""
    decode = pq_to_light if TRANSFERS[transfer] == "PQ" else hlg_to_light
    return decode(np.linspace(0, 1, 1 << 16)).astype(np.float32)


@cache
def _compression() -> tuple[np.ndarray, np.ndarray]:
    """Return lights in cd/m2, and the gain of each (ITU-R BT.2390, section 5.4.1)."""
    lights = pq_to_light(np.linspace(0, 1, 4096))
    code = (light_to_pq(lights) / light_to_pq(PEAK)).clip(0, 1)
    top = light_to_pq(WHITE) / light_to_pq(PEAK)
    knee = 1.5 * top - 0.5
    t = (code - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * top
    )
    mapped = pq_to_light(np.where(code < knee, code, spline) * light_to_pq(PEAK))
    return lights, mapped / np.maximum(lights, 1e-6)
