"""A folder with good and bad photographs: the good ones are done, each bad one is named."""

import os
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import photographs
import pytest
from PIL import Image

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import to_float
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.photos import read_photo
from llie_helpers.inference.video import Film


def square_root(pixels):
    return to_float(pixels) ** 0.5


def refuse_video(source, target):
    raise CourseError(f"{source} is a video.")


def image(path: Path, size=(40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def mixed(tmp_path):
    """180 good photographs in a tree, 17 bad ones, and what is none."""
    folder = tmp_path / "in"
    for i in range(180):
        image(folder / ("sub/deeper" if i % 2 else "") / f"{i}.{('jpg', 'png', 'webp')[i % 3]}")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "4.png").read_bytes()[:500])
    image(folder / "dot.png", (1, 1))
    image(folder / "moving.gif")
    (folder / "film.mov").write_bytes(b"pictures")
    image(folder / "flat.png", (400, 3))
    (folder / "cut.jpg").write_bytes((folder / "0.jpg").read_bytes()[:400])
    (folder / "cut.webp").write_bytes((folder / "2.webp").read_bytes()[:100])
    (folder / "header.jpg").write_bytes((folder / "0.jpg").read_bytes()[:20])
    (folder / "zeros.png").write_bytes(bytes(1000))
    (folder / "sub/page.jpg").write_text("<html>404</html>")
    (folder / "raw.dng").write_bytes(b"no raw file")
    (folder / "lost.bmp").write_bytes(b"BM" + bytes(40))
    Image.new("1", (30_000, 5_100)).save(folder / "wide.png")
    bomb = (folder / "4.png").read_bytes()
    sizes = struct.pack(">II", 100_000, 100_000)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + sizes + bomb[24:29]))
    (folder / "bomb.png").write_bytes(bomb[:16] + sizes + bomb[24:29] + check + bomb[33:])
    frames = [Image.new("L", (40, 30), tone) for tone in (0, 99)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "notes.txt").write_text("Buy milk.")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    return folder


BAD = """
empty.jpg text.jpg cut.png dot.png moving.gif film.mov flat.png cut.jpg cut.webp header.jpg
zeros.png sub/page.jpg raw.dng lost.bmp wide.png bomb.png moving.webp"""
OTHERS = {"notes.txt": "no photograph", "gone.jpg": "a broken link", "loop": "a link to a folder"}


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_good_are_done_and_every_other_is_named_once(mixed, tmp_path):
    out = tmp_path / "out"
    summary = enhance_files([mixed], out, square_root, refuse_video)
    bad = set(BAD.split())
    assert len(summary.done) == 180
    assert files(out) == files(mixed) - bad - {"notes.txt"}
    assert {str(path.relative_to(mixed)) for path in summary.failed} == bad
    for name, reason in OTHERS.items():
        assert reason in summary.skipped.pop(mixed / name)
    assert summary.skipped == {}
    for name in bad:
        (line,) = (line for line in str(summary).splitlines() if f"{mixed / name} " in line)
        assert re.fullmatch(r"  [^\n]+\.", line), line
    assert str(summary).startswith("180 enhanced, 17 failed\n")


def test_a_stopped_batch_is_finished_by_a_second(mixed, tmp_path):
    calls = []

    def stopping(pixels):
        calls.append(pixels)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return square_root(pixels)

    with pytest.raises(KeyboardInterrupt):
        enhance_files([mixed], tmp_path / "out", stopping, refuse_video)
    assert len(files(tmp_path / "out")) == 7
    summary = enhance_files([mixed], tmp_path / "out", square_root, refuse_video)
    assert (len(summary.left), len(summary.done)) == (7, 173)
    assert "7 left" in str(summary)


WORKER = """
import sys, torch
from llie_helpers.inference.batch import enhance_files
from llie_helpers.images import to_float
enhance_files([sys.argv[1]], sys.argv[2], lambda pixels: to_float(pixels).sqrt(), None)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for i in range(60):
        image(folder / f"{i} [{i}].png", (300, 200))
    command = [sys.executable, "-c", WORKER, str(folder), str(out)]
    chance = random.Random(0)
    for _ in range(3):
        before = len(files(out))
        worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while worker.poll() is None and len(files(out)) <= before:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        worker.kill()
        worker.wait()
        for path in out.glob("[!.]*"):
            read_photo(path)  # whole, or it raises
    assert before < len(files(out)) < 60
    assert enhance_files([folder], out, square_root, refuse_video).failed == {}
    assert files(out) == files(folder)


def test_a_second_batch_leaves_alone_what_the_first_is_writing(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    image(folder / "a.png")
    (folder / "film.mp4").write_bytes(b"pictures")

    def meanwhile(source, target):
        with atomic_path(target) as temporary:
            temporary.write_bytes(b"half, ")
            worker = [sys.executable, "-c", WORKER, str(folder), str(out)]
            subprocess.run(worker, stderr=subprocess.DEVNULL, check=True)
            with temporary.open("ab") as file:
                file.write(b"whole")
        return Film(1, "")

    assert enhance_files([folder], out, square_root, meanwhile).failed == {}
    assert files(out) == files(folder)
    assert (out / "film.mp4").read_bytes() == b"half, whole"


def test_nothing_is_overwritten_without_force(mixed, tmp_path):
    source, target = mixed / "0.jpg", image(tmp_path / "target.jpg")
    before = target.read_bytes()
    with pytest.raises(CourseError, match="add --force"):
        enhance_files([source], target, square_root, refuse_video)
    assert target.read_bytes() == before
    assert enhance_files([source], target, square_root, refuse_video, force=True).done
    assert target.read_bytes() != before


def test_results_in_the_folder_itself_are_not_enhanced_again(mixed):
    out = mixed / "enhanced"
    assert len(enhance_files([mixed], out, square_root, refuse_video).done) == 180
    assert len(enhance_files([mixed], out, square_root, refuse_video).left) == 180


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(mixed, tmp_path):
    (mixed / "0.jpg").chmod(0)
    assert "permission denied" in str(
        enhance_files([mixed], tmp_path / "out", square_root, refuse_video)
    )


@pytest.mark.skipif(os.name != "posix", reason="links need a permission")
def test_what_cannot_even_be_looked_at_ends_no_batch(tmp_path):
    """A name that is too long stands for all that the system refuses to answer, even to root."""
    good, long = image(tmp_path / "in/good.png"), Path("n" * 300 + ".png")
    (tmp_path / "in/link.png").symlink_to(long)
    summary = enhance_files([tmp_path / "in", long], tmp_path / "out", square_root, refuse_video)
    assert list(summary.done) == [good]
    assert "link.png cannot be read: File name too long" in summary.failed[tmp_path / "in/link.png"]
    assert "no file or folder n" in summary.failed[long]
    for out in (tmp_path / long, tmp_path / long.stem):
        (reason,) = enhance_files([good], out, square_root, refuse_video).failed.values()
        assert "name too long; choose another" in reason


def test_a_wrong_plan_is_named(mixed, tmp_path):
    with pytest.raises(CourseError, match="no file or folder"):
        enhance_files([tmp_path / "gone"], tmp_path / "out", square_root, refuse_video)
    with pytest.raises(CourseError, match="is a file; give a folder"):
        enhance_files([mixed], image(tmp_path / "a.jpg"), square_root, refuse_video)
    with pytest.raises(CourseError, match="is a file; give a folder"):
        enhance_files([mixed / "4.png"], "/dev/full", square_root, refuse_video)
    for inputs in ([mixed], [mixed / "4.png", mixed / "5.png"]):
        for name in ("two.jpg", "two.MP4"):
            with pytest.raises(CourseError, match="a name for one file"):
                enhance_files(inputs, tmp_path / name, square_root, refuse_video)
            assert not (tmp_path / name).exists()
    with pytest.raises(CourseError, match="give no other input"):
        enhance_files(["-", mixed / "4.png"], tmp_path / "out", square_root, refuse_video)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CourseError, match="contains no photographs"):
        enhance_files([tmp_path / "nothing"], tmp_path / "out", square_root, refuse_video)


def copy_video(source, target):
    target.write_bytes(source.read_bytes())
    return Film(1, "its chapters could not be kept")


def test_two_inputs_never_share_an_output(tmp_path):
    """A suffix that is kept comes first; names are the same in every run."""
    one, two, film = image(tmp_path / "x/a.png"), image(tmp_path / "y/a.png"), tmp_path / "a.mov"
    film.write_bytes(b"moving")
    (tmp_path / "a.mp4").write_bytes(b"mp4")
    inputs = [film, one, two, one, tmp_path / "x", tmp_path / "a.mp4", tmp_path / "gone.jpg"]
    for attempt in range(2):
        summary = enhance_files(inputs, tmp_path / "out", square_root, copy_video)
        assert set(summary.failed) == {tmp_path / "gone.jpg"}
        if attempt == 0:
            names = {source: target.name for source, target in summary.done.items()}
            assert f"{film}: its chapters could not be kept." in str(summary)
            assert names == {film: "a.mov.mp4", one: "a.png", two: "a (2).png",
                             tmp_path / "a.mp4": "a.mp4"}  # fmt: skip
    assert set(summary.left) == set(names)
    assert (tmp_path / "out/a.mp4").read_bytes() == b"mp4"


def test_no_output_takes_the_place_of_another_input(tmp_path):
    """Even with force, which would lose that photograph before it is read."""
    one, two = image(tmp_path / "x/a.png"), image(tmp_path / "y/a.png", (20, 30))
    before = two.read_bytes()
    for source in (tmp_path / "y", two):
        summary = enhance_files([one, source], tmp_path / "y", square_root, copy_video, force=True)
        assert summary.done == {one: tmp_path / "y/a (2).png", two: two}
        assert read_photo(two).pixels.shape == (30, 20, 3)
        two.write_bytes(before)
        (tmp_path / "y/a (2).png").unlink()


def test_names_that_some_disks_do_not_tell_apart_are_two(tmp_path):
    """An accent may be a letter's own or follow it; macOS takes both for the same name."""
    names = ["x/caf\u00e9.png", "y/cafe\u0301.png", "z/CAF\u00c9.png"]
    inputs = [image(tmp_path / name) for name in names]
    summary = enhance_files(inputs, tmp_path / "out", square_root, refuse_video)
    assert [path.stem[4:].strip("\u0301 ") for path in summary.done.values()] == ["", "(2)", "(3)"]


def test_any_exception_is_the_line_of_its_file(tmp_path):
    inputs = [image(tmp_path / f"{i}.png") for i in range(3)]
    errors = iter([ZeroDivisionError("by\nzero"), MemoryError(), None])

    def sometimes(pixels):
        if error := next(errors):
            raise error
        return square_root(pixels)

    summary = enhance_files(inputs, tmp_path / "out", sometimes, refuse_video)
    assert list(summary.done) == inputs[2:]
    assert list(summary.failed.values()) == [
        f"{inputs[0]} failed: ZeroDivisionError: by zero",
        f"{inputs[1]} failed: MemoryError: no reason given",
    ]


NAMES = ["n" * 251, "夜" * 83, os.fsdecode(b"caf\xe9"), "a[Q=1]", "two\nlines", "100 %d"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, names must be Unicode")
@pytest.mark.parametrize("stem", NAMES, ids=ascii)
def test_files_of_any_name_are_written(tmp_path, stem):
    source = image(tmp_path / "in" / f"{stem}.png")
    assert enhance_files([source], tmp_path / "out", square_root, refuse_video).failed == {}
    assert files(tmp_path / "out") == {source.name}
    twin = image(tmp_path / "twin" / source.name)
    summary = enhance_files([source, twin], tmp_path / "both", square_root, refuse_video)
    assert len(summary.done) == (1 if len(os.fsencode(source.name)) > 251 else 2)
    assert all("name too long; choose" in reason for reason in summary.failed.values())


def test_what_a_photograph_cannot_keep_is_said(tmp_path):
    source = tmp_path / "a.png"
    source.write_bytes(photographs.make(photographs.Kind(".png", colours=(9, 16))))
    summary = enhance_files([source], tmp_path / "out", square_root, refuse_video)
    assert f"{source}: HDR (PQ) became SDR." in str(summary)


@pytest.mark.parametrize("name", ["no suffix", "a.pbm", "b.heic"])
def test_a_kind_that_cannot_be_written_becomes_png(tmp_path, name):
    image(tmp_path / "a.png").rename(tmp_path / name)
    summary = enhance_files([tmp_path / name], tmp_path / "out", square_root, refuse_video)
    assert [path.name for path in summary.done.values()] == [f"{Path(name).stem}.png"]


def test_the_time_of_a_file_is_kept(tmp_path):
    source = image(tmp_path / "a.png")
    os.utime(source, (1e9, 1e9))
    enhance_files([source], tmp_path / "out", square_root, refuse_video)
    assert (tmp_path / "out/a.png").stat().st_mtime == 1e9
    assert enhance_files([source], source, square_root, refuse_video, force=True).done
    assert source.stat().st_mtime == 1e9


@pytest.fixture
def standard_input(tmp_path, monkeypatch):
    """A photograph in standard input."""
    with open(image(tmp_path / "a.webp")) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        yield tmp_path / "a.webp"


def test_a_photograph_goes_from_standard_input_to_output(
    standard_input, tmp_path, capfdbinary, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("-").touch()  # is another file
    summary = enhance_files(["-"], "-", square_root, refuse_video)
    assert list(map(str, summary.done)) == ["-"]
    written = capfdbinary.readouterr().out
    enhance_files([standard_input], tmp_path / "b.webp", square_root, refuse_video)
    assert written == (tmp_path / "b.webp").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk_is_named(standard_input, capfd):
    full, before = os.open("/dev/full", os.O_WRONLY), os.dup(1)
    try:
        os.dup2(full, 1)
        summary = enhance_files(["-"], "-", square_root, refuse_video)
    finally:
        os.dup2(before, 1)
        os.close(full)
        os.close(before)
    assert "The disk is full: standard output" in str(summary)


def test_colours_behind_transparency_are_kept_and_do_not_count(tmp_path):
    pixels = np.full((20, 30, 4), (90, 60, 30, 255), np.uint8)
    pixels[:, 10:] = 0
    Image.fromarray(pixels).save(tmp_path / "cutout.png")
    seen = []
    enhance_files(
        [tmp_path / "cutout.png"],
        tmp_path,
        lambda x: seen.append(x) or to_float(x),
        None,
        force=True,
    )
    assert (seen[0] == (90, 60, 30)).all()
    assert np.array_equal(np.asarray(Image.open(tmp_path / "cutout.png")), pixels)
