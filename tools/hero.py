"""Create the README's picture: dark and backlit photographs, amplified, and enhanced."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from llie_helpers.data.embedded import LONGEST, photograph, real_photographs
from llie_helpers.data.lighting import backlight_stops
from llie_helpers.data.synthesis import capture, darken, expose, to_linear, to_srgb
from llie_helpers.images import read_rgb, to_float, to_uint8
from llie_helpers.inference.image import enhance

TARGET = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "enhanced.jpg"
STOPS = {"dark": 5.0, "backlit": 4.0, "sunset": 2.0}
ROWS = 260  # of each photograph, from its top
HEIGHT = 230
GAP = 6


def dark(name: str, longest: int = LONGEST) -> torch.Tensor:
    """Return a photograph at a thirty-second of its light."""
    normal = to_float(photograph(name, longest))
    return darken(normal, STOPS["dark"], generator=torch.Generator().manual_seed(0))


def backlit(name: str) -> torch.Tensor:
    """Return a photograph exposed for its sky: down to a sixteenth of the light elsewhere."""
    linear = to_linear(to_float(photograph(name)))
    lit = expose(linear, -backlight_stops(linear, STOPS["backlit"], level=0.75))
    return capture(lit, photons=2500, generator=torch.Generator().manual_seed(0))


def sunset() -> torch.Tensor:
    """Return a photograph that nothing has darkened, at the size of the others."""
    image = read_rgb(real_photographs()["sunset"])
    height = round(LONGEST * image.shape[0] / image.shape[1])
    return to_float(cv2.resize(image, (LONGEST, height), interpolation=cv2.INTER_AREA))


def row(low: torch.Tensor, stops: float) -> np.ndarray:
    """Return a photograph as it is, with its light multiplied, and enhanced."""
    amplified = to_srgb(expose(to_linear(low), stops)).clamp(0, 1)
    pictures = [to_uint8(image)[:ROWS] for image in (low, amplified, enhance(low))]
    width = round(HEIGHT * pictures[0].shape[1] / pictures[0].shape[0])
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    small = [cv2.resize(p, (width, HEIGHT), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.hstack([small[0], gap, small[1], gap, small[2]])


def main() -> None:
    rows = [row(dark(name), STOPS["dark"]) for name in ("motorcycle", "chelsea")]
    rows.append(row(backlit("china"), STOPS["backlit"]))
    rows.append(row(sunset(), STOPS["sunset"]))
    width = min(part.shape[1] for part in rows)
    gap = np.full((GAP, width, 3), 255, np.uint8)
    picture = np.vstack([part for one in rows for part in (one[:, :width], gap)][:-1])
    TARGET.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(TARGET), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
