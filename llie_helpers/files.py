"""Write files and folders atomically: a target is either complete or as it was before."""

import errno
import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from llie_helpers.errors import CourseError

LONGEST = 255  # bytes of a name on usual file systems
MARK = "[0-9a-f]" * 8  # of a temporary file; the number of its process follows in the same form
STALE = 24 * 3600  # seconds after which nothing is written to a temporary folder any more
# Numbers of system errors; a quota, as hubs have it, may end before the disk does.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR}
REFUSED |= {errno.EEXIST, errno.EFBIG}  # a file where a folder is to be made; 4 GB on FAT disks


@contextmanager
def atomic_path(target: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``target`` and move it there on success.

    The block may write a file or make a folder at that path. An existing file is replaced
    when the block succeeds, and left alone when it raises. A folder that another process makes
    meanwhile is kept, because it may be in use.

    Raises:
        CourseError: the disk is full or the folder cannot be written.
    """
    target = Path(target)
    # The suffix is kept, because writers choose the format by it.
    temporary = target.with_name(f".{_stem(target)}.{_mark()}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            target.lstat()  # a name that is too long is said now, not after minutes of work
        yield temporary
        try:
            os.replace(temporary, target)
        except OSError:
            # Another process has made the folder; the error for that depends on the system.
            if not (os.path.isdir(temporary) and os.path.isdir(target)):
                raise
    except OSError as error:
        raise explained(error, target) from error
    finally:
        remove(temporary)


def make_folder(folder: Path) -> Path:
    """Make a folder, with those above it, unless it exists; return it.

    Raises:
        CourseError: the disk is full or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, folder) from error
    return folder


def remove_leftovers(target: Path) -> None:
    """Delete temporary files of ``target`` that killed processes left."""
    start = f".{_stem(target)}."
    name = f"{glob.escape(start)}{2 * MARK}{glob.escape(target.suffix)}"
    for leftover in target.parent.glob(name):
        if not _runs(process=int(leftover.name[len(start) :][8:16], 16)):
            with suppress(PermissionError):  # where an open file cannot be deleted
                remove(leftover)


def remove_stale(parent: Path, name: str) -> None:
    """Delete temporary folders in ``parent`` that killed processes left a day ago or earlier.

    Younger ones stay: another process may be writing them now.

    Args:
        parent: the folder of their targets.
        name: a pattern for the names of the targets.
    """
    for leftover in parent.glob(f".{name}.{MARK}*"):
        with suppress(OSError):  # another process deletes it too
            written = max(path.stat().st_mtime for path in (leftover, *leftover.iterdir()))
            if written < time.time() - STALE:
                remove(leftover)


def _mark() -> str:
    return f"{uuid.uuid4().hex[:8]}{os.getpid():08x}"


def _runs(process: int) -> bool:
    """Return whether a process runs, as far as it can be told."""
    if os.name == "nt":  # where to ask would be to interrupt it
        return False
    try:
        os.kill(process, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _stem(target: Path) -> str:
    """Return the stem of the temporary file, cut so that its name is not too long."""
    most = LONGEST - len(os.fsencode(target.suffix)) - len(f"..{_mark()}")
    return os.fsencode(target.stem)[:most].decode(errors="ignore")


def remove(path: Path) -> None:
    """Delete a file, or a folder with all its contents; a missing one is fine."""
    # To remove what is not there is an error on a read-only disk, which would hide the first one.
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink(missing_ok=True)


def explained(error: OSError, target: Path) -> Exception:
    """Return a `CourseError` for a full disk or a refused name, else ``error`` itself."""
    if error.errno in DISK_FULL:
        return CourseError(
            f"The disk is full: {target} was not written; free some space and retry."
        )
    if error.errno in REFUSED:
        reason = os.strerror(error.errno).lower()
        return CourseError(f"{target} cannot be written: {reason}; choose another folder or name.")
    return error
