"""Decoded images on disk, so that a random crop costs microseconds and not a PNG.

A cache is a folder ``NAME-FINGERPRINT`` with two files: ``images.u8`` holds the pixels of
all pairs one after the other, low then normal, each uint8 ``(H, W, 3)`` RGB; and
``index.json`` says where each pair lies, its shape, name, official split and scene.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from llie_helpers.data.pairs import PairFiles
from llie_helpers.data.scenes import group_scenes
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path, remove
from llie_helpers.images import read_rgb
from llie_helpers.paths import cache_dir

# Part of the fingerprint: raise it when the layout of the two files changes.
FORMAT = 1
# Pairs decoded side by side before they are written; it bounds the memory of a build.
BATCH = 32


class CachedPairs(Sequence):
    """The pairs of a cache folder: ``cached[i]`` is ``(low, normal)``, views without a copy.

    ``names``, ``splits`` and ``scenes`` have one entry per pair. Pickling sends the
    folder's name and not its pixels, so that a DataLoader's workers share the memory map.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        index = json.loads((folder / "index.json").read_text())
        self._places = [(p["offset"], p["height"], p["width"]) for p in index["pairs"]]
        self.names = tuple(p["name"] for p in index["pairs"])
        self.splits = tuple(p["split"] for p in index["pairs"])
        self.scenes = tuple(p["scene"] for p in index["pairs"])
        # A plain array over the map: slicing np.memmap itself is several times slower.
        self._pixels = np.memmap(folder / "images.u8", np.uint8, mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        offset, height, width = self._places[index]
        low, normal = self._pixels[offset : offset + 2 * height * width * 3].reshape(
            2, height, width, 3
        )
        return low, normal

    def __reduce__(self):
        return CachedPairs, (self.folder,)


def open_cache(
    name: str, splits: Mapping[str, Sequence[PairFiles]], progress: bool = True
) -> CachedPairs:
    """Open the cache of the data set ``name``, decoding its files first where need be.

    ``splits`` maps each official split to its files. The cache is made again when a file
    is added, removed, renamed or changed, and the outdated one is deleted.

    Raises:
        CourseError: an image cannot be read, a pair's sizes differ, or the disk is full.
            Nothing is left behind.
    """
    folder = cache_dir() / f"{name}-{fingerprint(splits)}"
    if not _complete(folder):
        build(folder, splits, progress)
        for outdated in folder.parent.glob(f"{name}-{'?' * 12}"):
            if outdated != folder:
                remove(outdated)
    return CachedPairs(folder)


def fingerprint(splits: Mapping[str, Sequence[PairFiles]]) -> str:
    """Twelve hexadecimal digits that change with any file's name, size or time of change."""
    files = [
        (split, pair.name, path)
        for split, pairs in splits.items()
        for pair in pairs
        for path in (pair.low, pair.normal)
    ]
    # Relative names, so that a data folder may be moved without decoding it anew.
    parent = os.path.commonpath([path.parent for _, _, path in files])
    listing = [
        (split, name, os.path.relpath(path, parent), path.stat().st_size, path.stat().st_mtime_ns)
        for split, name, path in files
    ]
    return hashlib.sha256(json.dumps([FORMAT, listing]).encode()).hexdigest()[:12]


def build(folder: Path, splits: Mapping[str, Sequence[PairFiles]], progress: bool = True) -> None:
    """Decode the files of ``splits`` into the cache ``folder``, all or nothing."""
    from tqdm.auto import tqdm

    files = [(split, pair) for split, pairs in splits.items() for pair in pairs]
    places = []
    with (
        atomic_path(folder) as temporary,
        tqdm(total=len(files), desc=f"caching {folder.name}", disable=not progress, delay=2) as bar,
    ):
        temporary.mkdir()
        with open(temporary / "images.u8", "wb") as stream:
            # Scenes are found in passing: each image is on its way to the disk.
            scenes = group_scenes(_write([pair for _, pair in files], stream, places, bar))
        pairs = [
            {"name": pair.name, "split": split, "scene": scene, **place}
            for (split, pair), scene, place in zip(files, scenes, places, strict=True)
        ]
        (temporary / "index.json").write_text(json.dumps({"pairs": pairs}))


def _write(
    files: Sequence[PairFiles], stream: BinaryIO, places: list[dict], bar
) -> Iterator[np.ndarray]:
    """Append the pixels of each pair to ``stream`` and its place to ``places``; yield normals."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(files), BATCH):
            for low, normal in pool.map(_decode, files[start : start + BATCH]):
                height, width, _ = low.shape
                places.append({"offset": stream.tell(), "height": height, "width": width})
                stream.write(low.tobytes())
                stream.write(normal.tobytes())
                bar.update()
                yield normal


def _decode(pair: PairFiles) -> tuple[np.ndarray, np.ndarray]:
    low, normal = read_rgb(pair.low), read_rgb(pair.normal)
    if low.shape != normal.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (low, normal)]
        raise CourseError(
            f"{pair.low} is {sizes[0]} but {pair.normal} is {sizes[1]}; "
            "the two images of a pair must have the same size."
        )
    return low, normal


def _complete(folder: Path) -> bool:
    """Whether the cache is there; its pixels may have been deleted or cut short since."""
    index, pixels = folder / "index.json", folder / "images.u8"
    if not (index.is_file() and pixels.is_file()):
        return False
    last = json.loads(index.read_text())["pairs"][-1]
    return pixels.stat().st_size == last["offset"] + 2 * last["height"] * last["width"] * 3
