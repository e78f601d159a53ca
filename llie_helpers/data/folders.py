"""Where data sets are looked for: folders of images, and zip archives of such folders."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from llie_helpers.codecs import IMAGE_SUFFIXES, RAW_SUFFIXES
from llie_helpers.data.download import unpack
from llie_helpers.data.matching import natural_sort
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path, remove_stale
from llie_helpers.paths import cache_dir, data_dir, own_dir

# The folder where Kaggle notebooks mount their data sets.
KAGGLE_INPUT = Path("/kaggle/input")
# Levels of folders that are searched: archives unpack as name/name/..., Kaggle mounts sets as
# datasets/owner/name/, and images are up to three levels below.
DEPTH = 8
# How far above a part of a set the rest is looked for, and how far below from there.
ABOVE = 2
# Folders that a message names.
MOST = 4

# Each folder below a root, and the images directly in it: the root first, then by depth.
Folders = dict[Path, list[Path]]


def places() -> Iterator[tuple[Path, Folders]]:
    """Yield the folders and archives that may hold a data set, each with all folders in it."""
    for root in roots():
        folders = folders_in(root)
        yield root, folders
        for archive in _archives(root):
            yield archive, folders_in(archive)
        # Above our485, or our485/low, is the rest of the set.
        for above in root.absolute().parents[:ABOVE]:
            if not any(folders[folder] for folder in folders if root in (folder, folder.parent)):
                break
            root, folders = above, folders_in(above, ABOVE)
            yield root, folders


def roots() -> list[Path]:
    """Return the folders to search: that of data sets, the user's own and Kaggle's."""
    others = (own_dir() / "data", KAGGLE_INPUT)
    return [data_dir(), *(root for root in others if os.path.isdir(root))]


def describe(root: Path) -> str:
    """Say which images a root holds, after "the folder, which "."""
    folders, archives = folders_in(root), _archives(root)
    if not os.path.exists(root):
        return "does not exist"
    if os.path.isfile(root) and not folders:
        return "is not a complete zip archive"
    held = [
        f"{folder.relative_to(root.parent)} ({len(images)})"
        for folder, images in folders.items()
        if images
    ]
    held += [
        f"{archive.name}, which is {'another set' if folders_in(archive) else 'damaged'}"
        for archive in archives
    ]
    more = [f"{len(held) - MOST} more"] if len(held) > MOST else []
    return f"holds images in {', '.join(held[:MOST] + more)}" if held else "holds no images"


def folders_in(root: Path, depth: int = DEPTH) -> Folders:
    """Return the folders in a folder or a zip archive; none if there is no such root.

    What is hidden is left out, and what is more than ``depth`` levels below.
    """
    if os.path.isfile(root):
        return _folders_in_archive(root)
    folders: Folders = {}
    level = [root] if os.path.isdir(root) else []
    for _ in range(depth + 1):
        folders |= {folder: images_in(folder) for folder in level}
        level = [folder for parent in level for folder in _subfolders(parent)]
    return folders


def images_in(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted, without hidden files.

    Raises:
        CourseError: there is no such folder.
    """
    try:
        return sorted(filter(_is_image, folder.iterdir()))
    except PermissionError:
        return []
    except OSError as error:
        raise CourseError(f"There is no folder {folder}; check its name.") from error


def unpacked(archive: Path) -> Path:
    """Return the folder of an archive's contents in the cache; the first call unpacks them.

    Raises:
        CourseError: a file in the archive is damaged, or the disk is full.
    """
    status = archive.stat()
    version = f"{archive.absolute()} {status.st_size} {status.st_mtime_ns}"
    folder = cache_dir() / "unpacked" / f"{archive.stem}-{zlib.crc32(version.encode()):08x}"
    remove_stale(folder.parent, "*")
    if not os.path.isdir(folder):
        with atomic_path(folder) as temporary:
            unpack(archive, temporary)
    return folder


def _folders_in_archive(archive: Path) -> Folders:
    try:
        with zipfile.ZipFile(archive) as content:
            names = content.namelist()
    except (OSError, zipfile.BadZipFile):
        return {}
    folders: Folders = {archive: []}
    for path in sorted(archive / name.lstrip("/") for name in names):
        inside = path.relative_to(archive).parts
        if _is_image(path) and not any(part.startswith((".", "__")) for part in inside):
            for parent in list(path.parents)[len(inside) - 1 :: -1]:
                folders.setdefault(parent, [])
            folders[path.parent].append(path)
    return dict(sorted(folders.items(), key=lambda entry: len(entry[0].parts)))


def _archives(root: Path) -> list[Path]:
    """Return the zip archives in a folder and in the folders directly below it."""
    folders = [root, *_subfolders(root)] if os.path.isdir(root) else []
    return [path for folder in folders for path in sorted(folder.glob("*.zip"))]


def _subfolders(folder: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(folder) if not name.startswith((".", "__"))]
    except PermissionError:
        return []
    return [folder / name for name in natural_sort(names) if os.path.isdir(folder / name)]


def _is_image(path: Path) -> bool:
    suffixes = IMAGE_SUFFIXES | RAW_SUFFIXES
    return path.suffix.lower() in suffixes and not path.name.startswith(".")
