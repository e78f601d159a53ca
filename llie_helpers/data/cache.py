"""Cache decoded images on disk, so that a random crop takes microseconds; find damaged files.

A cache is a folder ``NAME-FINGERPRINT`` with two files: ``images.u8`` holds the pixels of
all pairs one after the other, low then normal, each uint8 ``(H, W, 3)`` RGB; and
``index.json`` has each pair's offset, shape, name, official split and scene, and a sentence for
each pair that could not be read and is left out.

Of sets that are too large for a cache, ``NAME.json`` has the versions of the files that were read.
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from llie_helpers.data.matching import PairFiles
from llie_helpers.data.pairs import Lazy, RawPair
from llie_helpers.data.report import failures, few
from llie_helpers.data.scenes import group_scenes
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path, remove, remove_stale
from llie_helpers.paths import cache_dir

# Part of the fingerprint; increment it when the layout of the two files changes.
FORMAT = 1
# Pairs that are decoded in parallel before they are written; bounds the memory of a build.
BATCH = 32


class CachedPairs:
    """The pairs of a cache folder: ``cached[i]`` is ``(low, normal)``, views without a copy.

    ``names``, ``splits`` and ``scenes`` have one entry per pair, and ``damaged`` one per pair that
    is left out. Pickling stores only the folder's path, so that other processes share the memory
    map.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = json.loads((folder / "index.json").read_text())
        self._places = [(p["offset"], p["height"], p["width"]) for p in index["pairs"]]
        self.names = tuple(p["name"] for p in index["pairs"])
        self.splits = tuple(p["split"] for p in index["pairs"])
        self.scenes = tuple(p["scene"] for p in index["pairs"])
        self.damaged = tuple(index["damaged"])
        # View the map as a plain array: slicing np.memmap itself is several times slower.
        self._pixels = np.memmap(folder / "images.u8", np.uint8, mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int, /) -> RawPair:
        offset, height, width = self._places[index]
        low, normal = self._pixels[offset : offset + 2 * height * width * 3].reshape(
            2, height, width, 3
        )
        return low, normal

    def __reduce__(self) -> tuple[Any, ...]:
        return CachedPairs, (self.folder,)


@dataclass(frozen=True, eq=False)
class FilePairs(Lazy):
    """Pairs of files, decoded on each access, with the attributes of `CachedPairs`."""

    names: tuple[str, ...]
    splits: tuple[str, ...]
    scenes: tuple[int, ...]
    damaged: tuple[str, ...]


def open_files(name: str, files: Sequence[PairFiles]) -> FilePairs:
    """Return those of the ``files`` of the data set ``name`` that can be read, without a cache.

    The first call decodes all pairs; later ones decode those that are new, changed or damaged.

    Raises:
        CourseError: the disk is full.
    """
    kept = cache_dir() / f"{name}.json"
    known = _entries(kept)
    versions = {pair: [*_version(pair.low), *_version(pair.normal)] for pair in files}
    unknown = [pair for pair in files if known.get(str(pair.low)) != versions[pair]]
    found = failures([pair.read for pair in unknown], f"checking {name}")
    damaged = {pair: problem for pair, problem in zip(unknown, found, strict=True) if problem}
    readable = [pair for pair in files if pair not in damaged]
    # What could not be read is not kept: it may be RAW files, before rawpy was installed.
    sound = {str(pair.low): versions[pair] for pair in readable}
    if sound != known:
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(sound))
    numbers = {scene: i for i, scene in enumerate(dict.fromkeys(pair.scene for pair in readable))}
    return FilePairs(
        calls=[pair.read for pair in readable],
        names=tuple(pair.name for pair in readable),
        splits=tuple(pair.split for pair in readable),
        scenes=tuple(numbers[pair.scene] for pair in readable),
        damaged=tuple(damaged.values()),
    )


def open_cache(name: str, files: Sequence[PairFiles]) -> CachedPairs:
    """Open the cache of the data set ``name``, decoding its ``files`` first if necessary.

    The cache is rebuilt when a file is added, removed, renamed or changed, and the outdated
    one is deleted. Of two processes that make it at once, both use what the first one made.

    Pairs that cannot be read, whose sizes differ or that are too small, are left out.

    Raises:
        CourseError: no pair can be read, or the disk is full. Nothing is left behind.
    """
    folder = cache_dir() / f"{name}-{fingerprint(files)}"
    remove_stale(folder.parent, f"*-{'[0-9a-f]' * 12}")
    if not _complete(folder):
        remove(folder)  # its pixels may be cut short
        build(folder, files)
        for outdated in folder.parent.glob(f"{name}-{'?' * 12}"):
            if outdated != folder:
                remove(outdated)
    return CachedPairs(folder)


def fingerprint(files: Sequence[PairFiles]) -> str:
    """Return 12 hexadecimal digits that depend on the name, size and time of every file.

    And on whether rawpy is installed, without which RAW files count as damaged.
    """
    sides = [(pair, path.absolute()) for pair in files for path in (pair.low, pair.normal)]
    # Relative names, so that a data folder may be moved without decoding it again. Two drives of
    # Windows have no folder in common.
    levels = zip(*(path.parent.parts for _, path in sides), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda names: len(set(names)) == 1, levels))
    listing = [
        (pair.split, pair.name, "/".join(path.parts[shared:]), *_version(path))
        for pair, path in sides
    ]
    state = [FORMAT, find_spec("rawpy") is not None, listing]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:12]


def _version(path: Path) -> tuple[int, int]:
    """Return the size and the time of a file; zeros if it is missing, such as a broken link's."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def build(folder: Path, files: Sequence[PairFiles]) -> None:
    """Decode ``files`` into the cache ``folder``, all or nothing.

    Raises:
        CourseError: see `open_cache`.
    """
    index: list[dict[str, Any]] = []
    damaged: list[str] = []
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        with open(temporary / "images.u8", "wb") as stream:

            def normals() -> Iterator[np.ndarray]:
                """Write each pair that can be read, and yield its image in normal light."""
                decoded = _decoded(files, f"caching {folder.name}")
                for pair, (images, problem) in zip(files, decoded, strict=True):
                    if images is None:
                        damaged.append(problem)
                        continue
                    low, normal = images
                    height, width, _ = low.shape
                    place = {"offset": stream.tell(), "height": height, "width": width}
                    index.append({"name": pair.name, "split": pair.split, **place})
                    stream.write(low.tobytes())
                    stream.write(normal.tobytes())
                    yield normal

            # Scenes are found while the images are written, so that each is decoded once.
            scenes = group_scenes(normals())
        if not index:
            raise CourseError(f"No pair can be read: {few(damaged)}.")
        for entry, scene in zip(index, scenes, strict=True):
            entry["scene"] = scene
        (temporary / "index.json").write_text(json.dumps({"pairs": index, "damaged": damaged}))


def _decoded(files: Sequence[PairFiles], title: str) -> Iterator[tuple[RawPair | None, str]]:
    """Yield the images of each pair, or why they cannot be read, below a progress bar."""
    with ThreadPoolExecutor() as pool, tqdm(total=len(files), desc=title, delay=2) as bar:
        for start in range(0, len(files), BATCH):
            for found in pool.map(_read, files[start : start + BATCH]):
                bar.update()
                yield found


def _read(pair: PairFiles) -> tuple[RawPair | None, str]:
    """Return the images of a pair, or why they cannot be read."""
    try:
        return pair.read(), ""
    except CourseError as error:
        return None, str(error).rstrip(".")


def _complete(folder: Path) -> bool:
    """Return whether the cache exists and its pixel file has the expected size."""
    pairs, pixels = _entries(folder / "index.json").get("pairs"), folder / "images.u8"
    if not (pairs and os.path.isfile(pixels)):
        return False
    last = pairs[-1]
    return pixels.stat().st_size == last["offset"] + 2 * last["height"] * last["width"] * 3


def _entries(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing if it is missing or, as by a power cut, damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
