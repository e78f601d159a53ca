"""A folder with good and bad photographs: the good ones are done, each bad one is named."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llie_helpers.batch import enhance_files
from llie_helpers.errors import CourseError
from llie_helpers.images import to_float


def brighter(pixels):
    return to_float(pixels) ** 0.5


def no_film(source, target):
    raise CourseError(f"{source} is a film")


def image(path: Path, size=(40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def mixed(tmp_path):
    """20 good photographs in a tree, and 7 bad ones."""
    folder = tmp_path / "in"
    for i in range(20):
        image(folder / ("sub/deeper" if i % 2 else "") / f"{i}.{('jpg', 'png', 'webp')[i % 3]}")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "4.png").read_bytes()[:500])
    image(folder / "dot.png", (1, 1))
    image(folder / "moving.gif")
    (folder / "sub/named.jpg").write_bytes((folder / "4.png").read_bytes())
    (folder / "film.mov").write_bytes(b"pictures")
    (folder / "notes.txt").write_text("no photograph, and nobody said so")
    return folder


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_good_are_done_and_each_bad_one_is_named(mixed, tmp_path):
    out = tmp_path / "out"
    summary = enhance_files([mixed], out, brighter, no_film)
    assert summary.done == 20
    bad = {"empty.jpg", "text.jpg", "cut.png", "dot.png", "moving.gif", "sub/named.jpg", "film.mov"}
    assert files(out) == files(mixed) - bad - {"notes.txt"}
    assert len(summary.failures) == len(bad)
    for name in bad:
        assert sum(name in line for line in summary.failures) == 1, name
    assert "20 enhanced, 7 failed:" in str(summary)


def test_a_stopped_batch_is_finished_by_a_second(mixed, tmp_path):
    calls = []

    def stopping(pixels):
        calls.append(pixels)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return brighter(pixels)

    with pytest.raises(KeyboardInterrupt):
        enhance_files([mixed], tmp_path / "out", stopping, no_film)
    assert len(files(tmp_path / "out")) == 7
    summary = enhance_files([mixed], tmp_path / "out", brighter, no_film)
    assert (summary.skipped, summary.done) == (7, 13)
    assert "7 left as they were" in str(summary)


def test_nothing_is_overwritten_without_force(mixed, tmp_path):
    source, target = mixed / "0.jpg", image(tmp_path / "target.jpg")
    before = target.read_bytes()
    with pytest.raises(CourseError, match="add --force"):
        enhance_files([source], target, brighter, no_film)
    assert target.read_bytes() == before
    assert enhance_files([source], target, brighter, no_film, force=True).done == 1
    assert target.read_bytes() != before


def test_results_in_the_folder_itself_are_not_enhanced_again(mixed):
    out = mixed / "enhanced"
    assert enhance_files([mixed], out, brighter, no_film).done == 20
    assert enhance_files([mixed], out, brighter, no_film).skipped == 20


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(mixed, tmp_path):
    (mixed / "0.jpg").chmod(0)
    assert "permission denied" in str(enhance_files([mixed], tmp_path / "out", brighter, no_film))


def test_a_full_disk_or_a_wrong_plan_is_named(mixed, tmp_path):
    with pytest.raises(CourseError, match="no file or folder"):
        enhance_files([tmp_path / "gone"], tmp_path / "out", brighter, no_film)
    with pytest.raises(CourseError, match="is a file; give a folder"):
        enhance_files([mixed], image(tmp_path / "a.jpg"), brighter, no_film)
    with pytest.raises(CourseError, match="would both become"):
        enhance_files(
            [mixed / "4.png", image(mixed / "twin" / "4.png")], tmp_path / "o", brighter, no_film
        )
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CourseError, match="holds no photographs"):
        enhance_files([tmp_path / "nothing"], tmp_path / "out", brighter, no_film)
