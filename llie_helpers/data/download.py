"""Download a data set from Kaggle: resumable, verified, all or nothing."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path, make_folder, remove, remove_stale

# Runs Kaggle's client even if its script is not on the PATH. Without an account, it runs a
# command only if argv[0] is "kaggle".
CLIENT = "import sys; sys.argv[0] = 'kaggle'; from kaggle.cli import main; main()"
# The client itself has no timeout for a connection that stalls.
STALLED_SECONDS = 120
# Bytes of disk space below which a download stops.
LEAST_FREE = 1 << 20
# What requests and urllib3 say when the network fails.
UNREACHABLE = ("ConnectionError", "Max retries", "Timeout", "timed out", "Connection broken")


def fetch(slug: str, parent: Path, recognise: Callable[[Path], bool]) -> Path:
    """Download the public Kaggle data set ``owner/name`` and unpack it to ``parent/name``.

    The archive is downloaded to ``parent/.downloads``; the next call resumes an interrupted
    download. The folder appears only when it is complete and ``recognise(folder)`` is true.

    Raises:
        CourseError: the network fails, there is no such set, the archive is damaged, its
            files are not recognised, or the disk is full.
    """
    name = slug.split("/")[-1]
    target = parent / name
    if os.path.exists(target):
        raise CourseError(
            f"{target} exists but does not hold the expected images; move it away and retry."
        )
    archive = parent / ".downloads" / f"{name}.zip"
    remove_stale(parent, name)
    _download(slug, archive)
    with atomic_path(target) as temporary:
        try:
            unpack(archive, temporary)
        except CourseError as error:
            # So that the next download starts from the beginning.
            remove(archive)
            raise CourseError(f"Kaggle sent a bad archive, now deleted: {error}") from error
        if not recognise(temporary):
            remove(archive)
            raise CourseError(
                f"Kaggle's {slug} does not hold the folders that the course expects; it may "
                "have changed, so please report this and use another data set."
            )
    remove(archive)
    with suppress(OSError):  # which holds the downloads of other sets
        archive.parent.rmdir()
    return target


def unpack(archive: Path, folder: Path) -> None:
    """Extract a zip archive into the new ``folder``; each file's checksum is verified.

    `zipfile` never writes outside the folder and makes no links.

    Raises:
        CourseError: the file is not a complete zip archive, or is encrypted.
        OSError: the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            members = content.infolist()
            folder.mkdir(parents=True)
            if sum(member.file_size for member in members) > shutil.disk_usage(folder).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
            for member in tqdm(members, f"unpacking {archive.name}", delay=2):
                content.extract(member, folder)
    # An encrypted archive raises RuntimeError, an unknown compression NotImplementedError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        with archive.open("rb") as stream:
            start = stream.read(512).lstrip().lower()
        found = "a web page" if start.startswith((b"<!doctype", b"<html")) else "not a complete zip"
        raise CourseError(f"{archive} is {found} ({error}); get it again.") from error


def _download(slug: str, archive: Path) -> None:
    """Run Kaggle's client until ``archive`` is complete, with a progress bar."""
    make_folder(archive.parent)
    command = [sys.executable, "-c", CLIENT, "datasets", "download", slug]
    command += ["--path", str(archive.parent), "--quiet"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output,
        tqdm(desc=f"downloading {archive.name}", unit="B", unit_scale=True, delay=2) as bar,
    ):
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            size, moved = 0, time.monotonic()
            while process.poll() is None:
                time.sleep(0.1)
                before, size = size, archive.stat().st_size if os.path.exists(archive) else 0
                bar.update(size - before)
                if size != before:
                    moved = time.monotonic()
                elif time.monotonic() - moved > STALLED_SECONDS:
                    raise _failed(slug, f"timed out: no data for {STALLED_SECONDS} seconds")
                # The client itself would keep trying for a minute.
                if shutil.disk_usage(archive.parent).free < LEAST_FREE:
                    raise _failed(slug, os.strerror(errno.ENOSPC))
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0 or not os.path.exists(archive):
            output.seek(0)
            raise _failed(slug, output.read())


def _failed(slug: str, output: str) -> CourseError:
    """Return the error for what Kaggle's client printed before it stopped."""
    last = (output.strip().splitlines() or ["no message"])[-1].rstrip(".")
    if os.strerror(errno.ENOSPC) in output:
        what = "the disk is full; free some space and retry"
    elif "401" in last or "Authentication required" in output:
        what = "your saved Kaggle credentials were refused; renew or delete them in ~/.kaggle"
    elif "403" in last or "404" in last:
        what = "Kaggle has no such public data set; please report this"
    elif any(word in output for word in UNREACHABLE):
        what = "Kaggle cannot be reached; check the network and retry, which resumes it"
    else:
        what = f"Kaggle's client stopped: {last}"
    return CourseError(f"{slug} was not downloaded: {what}.")
