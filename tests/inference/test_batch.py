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
import pytest
from PIL import Image

from llie_helpers.errors import CourseError
from llie_helpers.images import to_float
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.photos import read_photo


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
    """180 good photographs in a tree, and 20 bad ones."""
    folder = tmp_path / "in"
    for i in range(180):
        image(folder / ("sub/deeper" if i % 2 else "") / f"{i}.{('jpg', 'png', 'webp')[i % 3]}")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.png").write_bytes((folder / "4.png").read_bytes()[:500])
    image(folder / "dot.png", (1, 1))
    image(folder / "moving.gif")
    (folder / "sub/named.jpg").write_bytes((folder / "4.png").read_bytes())
    (folder / "film.mov").write_bytes(b"pictures")
    image(folder / "flat.png", (400, 3))
    (folder / "cut.jpg").write_bytes((folder / "0.jpg").read_bytes()[:400])
    (folder / "cut.webp").write_bytes((folder / "2.webp").read_bytes()[:100])
    (folder / "header.jpg").write_bytes((folder / "0.jpg").read_bytes()[:20])
    (folder / "zeros.png").write_bytes(bytes(1000))
    (folder / "sub/page.jpg").write_text("<html>404</html>")
    (folder / "sub/swapped.jpg").write_bytes((folder / "2.webp").read_bytes())
    (folder / "raw.dng").write_bytes(b"no raw file")
    (folder / "lost.bmp").write_bytes(b"BM" + bytes(40))
    Image.new("CMYK", (40, 30)).save(folder / "print.jpg")
    Image.new("1", (30_000, 5_100)).save(folder / "wide.png")
    bomb = (folder / "4.png").read_bytes()
    sizes = struct.pack(">II", 100_000, 100_000)
    check = struct.pack(">I", zlib.crc32(b"IHDR" + sizes + bomb[24:29]))
    (folder / "bomb.png").write_bytes(bomb[:16] + sizes + bomb[24:29] + check + bomb[33:])
    frames = [Image.new("L", (40, 30), tone) for tone in (0, 99)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    (folder / "notes.txt").write_text("no photograph, and nobody said so")
    return folder


BAD = """
empty.jpg text.jpg cut.png dot.png moving.gif sub/named.jpg film.mov flat.png cut.jpg cut.webp
header.jpg zeros.png sub/page.jpg sub/swapped.jpg raw.dng lost.bmp print.jpg wide.png bomb.png
moving.webp"""


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_good_are_done_and_each_bad_one_is_named(mixed, tmp_path):
    out = tmp_path / "out"
    summary = enhance_files([mixed], out, square_root, refuse_video)
    bad = set(BAD.split())
    assert summary.done == 180
    assert files(out) == files(mixed) - bad - {"notes.txt"}
    assert len(summary.failures) == len(bad) == 20
    for name in bad:
        (line,) = (line for line in summary.failures if f"{mixed / name} " in line)
        assert re.fullmatch(r"[^\n]+\.", line), line
    assert "180 enhanced, 20 failed:" in str(summary)


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
    assert (summary.skipped, summary.done) == (7, 173)
    assert "7 skipped" in str(summary)


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
    assert enhance_files([folder], out, square_root, refuse_video).failures == []
    assert files(out) == files(folder)


def test_nothing_is_overwritten_without_force(mixed, tmp_path):
    source, target = mixed / "0.jpg", image(tmp_path / "target.jpg")
    before = target.read_bytes()
    with pytest.raises(CourseError, match="add --force"):
        enhance_files([source], target, square_root, refuse_video)
    assert target.read_bytes() == before
    assert enhance_files([source], target, square_root, refuse_video, force=True).done == 1
    assert target.read_bytes() != before


def test_results_in_the_folder_itself_are_not_enhanced_again(mixed):
    out = mixed / "enhanced"
    assert enhance_files([mixed], out, square_root, refuse_video).done == 180
    assert enhance_files([mixed], out, square_root, refuse_video).skipped == 180


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(mixed, tmp_path):
    (mixed / "0.jpg").chmod(0)
    assert "permission denied" in str(
        enhance_files([mixed], tmp_path / "out", square_root, refuse_video)
    )


def test_a_full_disk_or_a_wrong_plan_is_named(mixed, tmp_path):
    with pytest.raises(CourseError, match="no file or folder"):
        enhance_files([tmp_path / "gone"], tmp_path / "out", square_root, refuse_video)
    with pytest.raises(CourseError, match="is a file; give a folder"):
        enhance_files([mixed], image(tmp_path / "a.jpg"), square_root, refuse_video)
    with pytest.raises(CourseError, match="would both become"):
        enhance_files(
            [mixed / "4.png", image(mixed / "twin" / "4.png")],
            tmp_path / "o",
            square_root,
            refuse_video,
        )
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CourseError, match="contains no photographs"):
        enhance_files([tmp_path / "nothing"], tmp_path / "out", square_root, refuse_video)
