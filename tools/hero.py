"""Create the README's picture: dark photographs, amplified, and enhanced."""

from pathlib import Path

import cv2
import numpy as np
import torch

from llie_helpers.data.embedded import photograph
from llie_helpers.data.synthesis import darken, expose, to_linear, to_srgb
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference.image import enhance

TARGET = Path(__file__).resolve().parent.parent / "notebooks" / "images" / "enhanced.jpg"
STOPS = 4.0
HEIGHT = 230
GAP = 6


def row(name: str) -> np.ndarray:
    """Return a photograph at a sixteenth of its light, amplified by sixteen, and enhanced."""
    generator = torch.Generator().manual_seed(0)
    dark = darken(to_float(photograph(name)), STOPS, generator=generator)
    amplified = to_srgb(expose(to_linear(dark), STOPS)).clamp(0, 1)
    pictures = [to_uint8(image)[:260] for image in (dark, amplified, enhance(dark))]
    width = round(HEIGHT * pictures[0].shape[1] / pictures[0].shape[0])
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    small = [cv2.resize(p, (width, HEIGHT), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.hstack([small[0], gap, small[1], gap, small[2]])


def main() -> None:
    rows = [row(name) for name in ("motorcycle", "chelsea")]
    width = min(part.shape[1] for part in rows)
    gap = np.full((GAP, width, 3), 255, np.uint8)
    picture = np.vstack([rows[0][:, :width], gap, rows[1][:, :width]])
    TARGET.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(TARGET), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
