"""The embedded set: photographs that scikit-image, scikit-learn and matplotlib ship.

They come with the wheels, so there is nothing to download. Each is a scene of its own, darkened
several times by the camera model of `synthesis`, with fixed seeds. Two more photographs, which are
the course's own files, are as a camera took them.
"""

import zlib
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch

from llie_helpers.data.pairs import Lazy, Pairs, RawPair
from llie_helpers.data.report import Report
from llie_helpers.data.sources import Source
from llie_helpers.data.synthesis import darken
from llie_helpers.images import read_rgb, to_float, to_uint8

# Each photograph's package and its path there; the scene number is the position in this dict.
PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "coffee": ("skimage", "data/coffee.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
}

# Photographs of each split, and the stops by which they are darkened. The training range
# covers that of the test; no photograph is in two splits.
SPLITS = {
    "train": (("astronaut", "chelsea", "china", "flower"), (2.5, 3.0, 3.5, 4.0, 4.5, 5.0)),
    "val": (("hopper",), (2.75, 3.75, 4.75)),
    "test": (("coffee", "motorcycle", "rocket"), (2.75, 3.25, 4.0, 4.75)),
}

# Longest side in pixels: small enough for a lesson on two CPU cores.
LONGEST = 400


class EmbeddedSamples(Source):
    """Photographs that installed packages ship, darkened by a camera model.

    A pair's name, such as ``"coffee_3.75stops"``, is the photograph and its darkening.
    """

    def check(self) -> Report:
        return Report(self.title, {split: len(self.pairs(split)) for split in SPLITS})

    def where(self) -> None:
        return None

    def _load(self) -> tuple[Pairs, list[str]]:
        made = [
            (split, name, stops)
            for split, (photographs, darknesses) in SPLITS.items()
            for name in photographs
            for stops in darknesses
        ]
        pairs = Pairs(
            self.name,
            tuple(f"{name}_{stops:g}stops" for _, name, stops in made),
            tuple(list(PHOTOGRAPHS).index(name) for _, name, _ in made),
            Lazy([partial(_pair, name, stops) for _, name, stops in made]),
        )
        return pairs, [split for split, _, _ in made]


@cache
def photograph(name: str, longest: int = LONGEST) -> np.ndarray:
    """Read a photograph of `PHOTOGRAPHS` as uint8 ``(H, W, 3)``; even sides up to ``longest``."""
    package, path = PHOTOGRAPHS[name]
    # Find the package's folder without importing it, which can take a second.
    spec = find_spec(package)
    assert spec is not None  # all three are dependencies of the course
    image = read_rgb(Path(str(spec.origin)).parent / path)
    scale = min(1.0, longest / max(image.shape[:2]))
    height, width = (2 * int(side * scale / 2) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    small.flags.writeable = False
    return small


def real_photographs() -> dict[str, Path]:
    """Return the files of photographs that were taken against the light, by name.

    Nothing has darkened them, so there is no normal-light image to compare with. They are 960
    pixels wide; data/README.md says whose they are.
    """
    return {path.stem: path for path in sorted((Path(__file__).parent / "real").glob("*.jpg"))}


@cache
def _pair(name: str, stops: float) -> RawPair:
    """Return a photograph, darkened and as it is; noise and colour cast are drawn per pair."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name} {stops}".encode()))
    sensor, red, blue = torch.rand(3, generator=generator).tolist()
    low = darken(
        to_float(photograph(name)),
        stops,
        photons=1500 * 3**sensor,
        read_sigma=0.0015 / 2**sensor,
        # Up to a fifth of a stop off in red and blue.
        gains=(2 ** (0.4 * red - 0.2), 1.0, 2 ** (0.4 * blue - 0.2)),
        generator=generator,
    )
    image = to_uint8(low)
    image.flags.writeable = False
    return image, photograph(name)
