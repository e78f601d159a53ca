"""Enhance many photographs and videos; a failure is reported and does not stop the rest."""

import mimetypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import remove_leftovers
from llie_helpers.images import FORMATS, RAW_SUFFIXES
from llie_helpers.inference.photos import read_photo, write_photo
from llie_helpers.inference.video import OUTPUT_SUFFIXES, VIDEO_SUFFIXES, Film, video_suffix


@dataclass
class Summary:
    """The result of a batch.

    Attributes:
        done: number of files written.
        skipped: number of files whose output already existed.
        remarks: one sentence for each film of which not all could be kept.
        failures: one sentence for each file that failed.
    """

    done: int = 0
    skipped: int = 0
    remarks: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.done} enhanced"
        if self.skipped:
            counts += f", {self.skipped} skipped (they exist already; use --force to overwrite)"
        if self.failures:
            counts += f", {len(self.failures)} failed:"
        return "\n".join([*self.remarks, "\n  ".join([counts, *self.failures])])


def enhance_files(
    inputs: Sequence[str | Path],
    out: str | Path,
    enhance: Callable[[np.ndarray], torch.Tensor],
    enhance_video: Callable[[Path, Path], Film],
    force: bool = False,
) -> Summary:
    """Enhance photographs and videos and write them under ``out``.

    Photographs keep their name, format and metadata; videos become .mp4, or
    stay .mkv.

    Every output is written atomically, so an interrupted batch can be run again to do the rest.

    Args:
        inputs: files and folders; the structure of folders is kept.
        out: a file, if there is one input file and this has a suffix; else a folder.
        enhance: maps an ``(H, W, 3)`` array to a ``(3, H, W)`` tensor in [0, 1].
        enhance_video: reads the video at one path and writes it to another.
        force: overwrite existing files.

    Raises:
        CourseError: there is nothing to enhance, two inputs have the same output, or ``out`` is
            an existing file or has an unknown suffix.
    """
    jobs = _targets([Path(path) for path in inputs], Path(out))
    if Path(out) in jobs and Path(out).exists() and not force:
        raise CourseError(f"{out} already exists; add --force to overwrite it.")
    summary = Summary()
    megapixels = 0.0
    with tqdm(jobs.items(), unit="image") as progress:
        for target, source in progress:
            if target.exists() and not force:
                summary.skipped += 1
                continue
            remove_leftovers(target)
            try:
                if source.suffix.lower() in VIDEO_SUFFIXES:
                    if remarks := enhance_video(source, target).remarks:
                        summary.remarks.append(f"{source}: {remarks}.")
                else:
                    photo = read_photo(source)
                    write_photo(target, enhance(photo.pixels), photo)
                    megapixels += photo.pixels.size / 3e6
            except CourseError as error:
                summary.failures.append(str(error))
                continue
            summary.done += 1
            seconds = progress.format_dict["elapsed"] or 1e-9
            progress.set_postfix_str(f"{megapixels / seconds:.2f} megapixels/s")
    return summary


def _targets(inputs: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return the jobs as ``{target: source}``."""
    if missing := [path for path in inputs if not path.exists()]:
        raise CourseError(f"There is no file or folder {missing[0]}; check its name.")
    if len(inputs) == 1 and inputs[0].is_file() and out.suffix and not out.is_dir():
        if out.suffix.lower() not in {*FORMATS, *OUTPUT_SUFFIXES}:
            known = ", ".join(sorted(FORMATS))
            raise CourseError(f"{out} cannot be written: use a suffix of {known}, .mp4 or .mkv.")
        return {out: inputs[0]}
    if out.is_file():
        raise CourseError(f"{out} is a file; give a folder for several photographs.")
    jobs: dict[Path, Path] = {}
    for top in inputs:
        for source in [top] if top.is_file() else _find_inputs(top, out):
            target = out / (source.name if source == top else source.relative_to(top))
            if target.suffix.lower() in RAW_SUFFIXES:
                target = target.with_suffix(".png")  # RAW files cannot be written
            elif target.suffix.lower() in VIDEO_SUFFIXES:
                target = target.with_suffix(video_suffix(target))
            if target in jobs:
                raise CourseError(
                    f"{source} and {jobs[target]} would both become {target}; rename one of them."
                )
            jobs[target] = source
    if not jobs:
        raise CourseError(f"{', '.join(map(str, inputs))} contains no photographs or videos.")
    return jobs


def _find_inputs(folder: Path, out: Path) -> Iterator[Path]:
    """Yield images and videos in ``folder``, except hidden files and those in ``out``."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file() and out.resolve() not in path.resolve().parents:
            kind = mimetypes.guess_type(path.name)[0] or ""
            if kind.startswith("image/") or path.suffix.lower() in RAW_SUFFIXES | VIDEO_SUFFIXES:
                yield path
