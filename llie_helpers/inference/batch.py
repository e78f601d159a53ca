"""Enhance many photographs and videos; a failure is reported and does not stop the rest."""

import mimetypes
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from tqdm.auto import tqdm

from llie_helpers.codecs import IMAGE_SUFFIXES, RAW_SUFFIXES, check_suffix
from llie_helpers.errors import CourseError
from llie_helpers.files import explained, remove_leftovers
from llie_helpers.inference.image import enhance_visible
from llie_helpers.inference.photos import decode_photo, read_photo, write_photo
from llie_helpers.inference.video import VIDEO_SUFFIXES, Film, video_suffix

STREAM = Path("-")  # standard input or output


@dataclass
class Summary:
    """The result of a batch: each input is in one of the first four.

    Attributes:
        done: the output of each file that was enhanced.
        left: files whose output existed already.
        skipped: why, for each that is not enhanced.
        failed: one sentence for each that failed.
        remarks: what of a file that was enhanced could not be kept.
    """

    done: dict[Path, Path] = field(default_factory=dict)
    left: list[Path] = field(default_factory=list)
    skipped: dict[Path, str] = field(default_factory=dict)
    failed: dict[Path, str] = field(default_factory=dict)
    remarks: dict[Path, str] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = f"{len(self.done)} enhanced"
        if self.left:
            counts += f", {len(self.left)} left (their outputs exist; use --force to overwrite)"
        if self.skipped:
            counts += f", {len(self.skipped)} skipped"
        if self.failed:
            counts += f", {len(self.failed)} failed"
        lines = [f"{path}: {remark}." for path, remark in self.remarks.items()]
        lines += [f"skipped, {why}: {path}" for path, why in self.skipped.items()]
        return "\n  ".join([counts, *lines, *self.failed.values()])


def enhance_files(
    inputs: Sequence[str | Path],
    out: str | Path,
    enhance: Callable[[np.ndarray], torch.Tensor],
    enhance_video: Callable[[Path, Path], Film],
    force: bool = False,
) -> Summary:
    """Enhance photographs and videos and write them under ``out``.

    Photographs keep their name, format and metadata; videos become .mp4, or stay .mkv; all keep
    their time. Of two inputs with the same output, the second gets a name with its suffix or a
    number, and so does an output that would replace another input.

    Every output is written atomically, so an interrupted batch can be run again to do the rest.

    Args:
        inputs: files and folders, whose structure is kept; or "-", a photograph from standard
            input.
        out: a file, if there is one input file and this has a suffix; "-", standard output; else a
            folder.
        enhance: maps an ``(H, W, 3)`` array to a ``(3, H, W)`` tensor in [0, 1].
        enhance_video: reads the video at one path and writes it to another.
        force: overwrite existing files.

    Raises:
        CourseError: there is nothing to enhance, or ``out`` is an existing file, has an unknown
            suffix, or is a file's name for several inputs.
    """
    summary, out = Summary(), Path(out)
    jobs = _targets([Path(path) for path in inputs], out, summary)
    if out != STREAM and out in jobs.values() and os.path.exists(out) and not force:
        raise CourseError(f"{out} already exists; add --force to overwrite it.")
    with tqdm(jobs.items(), unit="file") as progress:
        for source, target in progress:
            try:
                # A file may also be called -, which is not meant.
                if target != STREAM and os.path.exists(target) and not force:
                    summary.left.append(source)
                    continue
                remove_leftovers(target)
                # Before a result may take the source's place.
                timed = os.path.isfile(source) and STREAM not in (source, target)
                times = source.stat() if timed else None
                if source.suffix.lower() in VIDEO_SUFFIXES:
                    remarks = enhance_video(source, target).remarks
                else:
                    remarks = _enhance_photo(source, target, enhance)
            # Whatever one file does to a decoder, the others must be done.
            except Exception as raised:
                error = explained(raised, target) if isinstance(raised, OSError) else raised
                reason = " ".join(str(error).split()) or "no reason given"
                if not isinstance(error, CourseError):
                    reason = f"{type(error).__name__}: {reason}"
                known = str(source) in reason or str(target) in reason
                summary.failed[source] = reason if known else f"{source} failed: {reason}"
                continue
            if times:
                with suppress(OSError):
                    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
            summary.done[source] = target
            if remarks:
                summary.remarks[source] = remarks
    return summary


def _enhance_photo(
    source: Path, target: Path, enhance: Callable[[np.ndarray], torch.Tensor]
) -> str:
    """Enhance one photograph; return what of it could not be kept, or ""."""
    if source == STREAM:
        photo = decode_photo(sys.stdin.buffer.read(), "standard input")
    else:
        photo = read_photo(source)
    # Called where it is written, which frees it early.
    enhanced = partial(enhance_visible, enhance, photo.pixels, photo.alpha)
    if target != STREAM:
        write_photo(target, enhanced(), photo)
        return photo.remarks
    try:
        with TemporaryDirectory() as folder:
            made = Path(folder) / f"photo{photo.kind}"
            write_photo(made, enhanced(), photo)
            with made.open("rb") as file, open(os.dup(1), "wb") as stream:
                shutil.copyfileobj(file, stream)
    except OSError as error:
        raise explained(error, Path("standard output")) from error
    return photo.remarks


def _targets(inputs: Sequence[Path], out: Path, summary: Summary) -> dict[Path, Path]:
    """Return the jobs as ``{source: target}``, and note in ``summary`` what is not one."""
    single = len(inputs) == 1 and (os.path.isfile(inputs[0]) or inputs[0] == STREAM)
    if STREAM in (*inputs, out) and not single:
        raise CourseError("- stands for one photograph; give no other input with it.")
    if single and (out == STREAM or inputs[0] == STREAM or (out.suffix and not os.path.isdir(out))):
        if out != STREAM and inputs[0].suffix.lower() not in VIDEO_SUFFIXES:
            check_suffix(out)
        return {inputs[0]: out}
    if os.path.exists(out) and not os.path.isdir(out):
        raise CourseError(
            f"{out} is a file; give a folder, or for one photograph a name such as a.jpg."
        )
    several = len(inputs) > 1 or any(map(os.path.isdir, inputs))
    named = out.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES
    if several and named and not os.path.exists(out):
        raise CourseError(f"{out} is a name for one file, and there may be several; give a folder.")
    wanted: dict[str, tuple[Path, Path]] = {}
    for top in inputs:
        for source in _find_inputs(top, out, summary) if os.path.isdir(top) else [top]:
            relative = source.relative_to(top) if source != top else Path(source.name)
            if os.path.isfile(source):
                wanted.setdefault(os.path.abspath(source), (source, relative))
            else:
                summary.failed[source] = (
                    f"There is no file or folder {source} that can be read; check its name."
                )
    if not wanted:
        reasons = [
            *summary.failed.values(),
            f"{', '.join(map(str, inputs))} contains no photographs or videos.",
        ]
        raise CourseError(reasons[0])
    jobs: dict[Path, Path] = {}
    taken: set[str] = set()
    read = {_key(os.path.realpath(source)) for source, _ in wanted.values()}
    # Those that keep their suffix come first, so that they keep their name.
    for source, name in sorted(
        wanted.values(), key=lambda job: _new_suffix(job[0]) != job[0].suffix
    ):
        itself = _key(os.path.realpath(source))
        for target in _names(out / name, _new_suffix(source)):
            # An input may be replaced by its own result, but not by another's before it is read.
            place = _key(os.path.realpath(target))
            if _key(target) not in taken and (place == itself or place not in read):
                break
        taken.add(_key(target))
        jobs[source] = target
    return jobs


def _key(path: str | Path) -> str:
    """Return what is equal for paths that some file systems take for the same.

    They do not tell a.jpg from A.JPG, or a letter with its accent from the letter and the accent.
    """
    return unicodedata.normalize("NFC", str(path).casefold())


def _new_suffix(source: Path) -> str:
    suffix = source.suffix.lower()
    if suffix in VIDEO_SUFFIXES and suffix != video_suffix(source):
        return video_suffix(source)
    # RAW and unknown kinds cannot be written.
    return source.suffix if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES else ".png"


def _names(path: Path, suffix: str) -> Iterator[Path]:
    """Yield names for an output: the source's, with both suffixes, and with numbers."""
    yield path.with_suffix(suffix)
    if suffix != path.suffix:
        yield path.with_name(path.name + suffix)
    for number in count(2):
        yield path.with_name(f"{path.stem} ({number}){suffix}")


def _find_inputs(folder: Path, out: Path, summary: Summary) -> Iterator[Path]:
    """Yield images and videos in ``folder``, except hidden files and those in ``out``."""

    def denied(error: OSError) -> None:
        summary.failed[Path(error.filename)] = f"{error.filename} cannot be read: {error.strerror}."

    for place, folders, files in os.walk(folder, onerror=denied):
        inside = sorted(Path(place) / name for name in folders if not name.startswith("."))
        summary.skipped |= {path: "a link to a folder" for path in inside if os.path.islink(path)}
        folders[:] = [path.name for path in inside if path.resolve() != out.resolve()]
        for path in sorted(Path(place) / name for name in files if not name.startswith(".")):
            suffix = path.suffix.lower()
            known = suffix in IMAGE_SUFFIXES | RAW_SUFFIXES | VIDEO_SUFFIXES
            try:
                is_file = path.is_file()
            except OSError as error:  # a folder that can be listed only, or a link into such a one
                denied(error)
                continue
            if not is_file:
                summary.skipped[path] = "a broken link" if path.is_symlink() else "no file"
            elif known or (mimetypes.guess_type(path.name)[0] or "").startswith("image/"):
                yield path
            else:
                summary.skipped[path] = "no photograph or video"
