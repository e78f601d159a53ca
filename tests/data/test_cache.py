import errno
import io
import json
import os
import pickle
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import PureWindowsPath

import numpy as np
import pytest
import torch

from llie_helpers.data import cache
from llie_helpers.data.matching import PairFiles
from llie_helpers.errors import CourseError
from llie_helpers.files import STALE
from llie_helpers.images import read_rgb, save_image


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two training pairs and a test pair of other sizes, as files; the cache beside them."""
    monkeypatch.setenv("LLIE_CACHE", str(tmp_path / "cache"))
    found = []
    for number, (split, size) in enumerate(
        [("train", (20, 30)), ("train", (20, 30)), ("test", (16, 18))]
    ):
        paths = (tmp_path / side / f"{number}.png" for side in ("low", "high"))
        pair = PairFiles(str(number), *paths, split)
        noise = torch.rand(3, *size, generator=torch.Generator().manual_seed(number))
        save_image(pair.low, noise / 8)
        save_image(pair.normal, noise)
        found.append(pair)
    return found


def caches():
    return sorted(path.name for path in cache.cache_dir().glob("*"))


def test_a_cache_holds_the_pixels_names_splits_and_scenes(files):
    cached = cache.open_cache("tiny", files)
    assert cached.names == ("0", "1", "2")
    assert cached.splits == ("train", "train", "test")
    assert cached.scenes == (0, 1, 2)
    for (low, normal), pair in zip(cached, files, strict=True):
        assert np.array_equal(low, read_rgb(pair.low))
        assert np.array_equal(normal, read_rgb(pair.normal))
        assert not low.flags.owndata
        assert not low.flags.writeable


def test_a_second_opening_decodes_nothing(files, monkeypatch):
    cache.open_cache("tiny", files)
    monkeypatch.setattr(PairFiles, "read", lambda pair: pytest.fail(f"{pair} was decoded again"))
    assert len(cache.open_cache("tiny", files)) == 3


def test_pickling_sends_no_pixels(files):
    cached = cache.open_cache("tiny", files)
    pickled = pickle.dumps(cached)
    assert len(pickled) < 500
    assert np.array_equal(pickle.loads(pickled)[1][0], cached[1][0])


def touch_later(files):
    os.utime(files[2].low, ns=(time.time_ns(), time.time_ns() + 10**9))


def drop_a_pair(files):
    files.pop()


def move_a_pair(files):
    files[1] = files[1]._replace(split="test")


@pytest.mark.parametrize("change", [touch_later, drop_a_pair, move_a_pair])
def test_a_changed_source_makes_a_new_cache_and_removes_the_old(files, change):
    cache.open_cache("tiny", files)
    before = caches()
    change(files)
    cached = cache.open_cache("tiny", files)
    assert len(cached) == len(files)
    assert len(caches()) == 1
    assert caches() != before


def test_a_moved_data_folder_keeps_its_cache(files, tmp_path):
    before = cache.fingerprint(files)
    for side in ("low", "high"):
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / side).rename(tmp_path / "elsewhere" / side)
    elsewhere = tmp_path / "elsewhere"
    moved = [
        pair._replace(
            low=elsewhere / "low" / pair.low.name, normal=elsewhere / "high" / pair.normal.name
        )
        for pair in files
    ]
    assert cache.fingerprint(moved) == before


def test_once_rawpy_is_installed_damaged_files_are_read_again(files, monkeypatch):
    found = set()
    for rawpy in (None, object()):
        monkeypatch.setattr(cache, "find_spec", {"rawpy": rawpy}.get)
        found.add(cache.fingerprint(files))
    assert len(found) == 2


def test_a_relative_and_an_absolute_folder_or_two_drives(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mixed = [pair._replace(low=pair.low.relative_to(tmp_path)) for pair in files]
    assert cache.fingerprint(mixed) == cache.fingerprint(files)
    monkeypatch.setattr(cache.Path, "absolute", lambda path: PureWindowsPath(DRIVE[path], path))
    monkeypatch.setattr(cache, "_version", lambda path: (0, 0))
    DRIVE = {pair.low: "C:/" for pair in files} | {pair.normal: "D:/" for pair in files}
    assert len(cache.fingerprint(files)) == 12


def test_pixels_cut_short_are_made_again(files):
    folder = cache.open_cache("tiny", files).folder
    with open(folder / "images.u8", "r+b") as stream:
        stream.truncate(100)
    assert cache.open_cache("tiny", files)[2][1].shape == (16, 18, 3)


@pytest.mark.parametrize("left", ["", '{"pairs": [{"off'])
def test_an_index_that_a_power_cut_damaged_is_made_again(files, left):
    (cache.open_cache("tiny", files).folder / "index.json").write_text(left)
    assert len(cache.open_cache("tiny", files)) == 3
    cache.open_files("large", files)
    (cache.cache_dir() / "large.json").write_text(left)
    assert len(cache.open_files("large", files)) == 3


def test_a_damaged_image_is_named_and_its_pair_left_out(files):
    damaged = files[1].low
    damaged.write_bytes(damaged.read_bytes()[:200])
    for _ in range(2):  # when the cache is built, and when it is opened
        cached = cache.open_cache("tiny", files)
        assert cached.names == ("0", "2")
        assert np.array_equal(cached[1][1], read_rgb(files[2].normal))
        (said,) = cached.damaged
        assert "1.png cannot be read" in said


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own")
def test_a_link_to_nothing_is_named_and_its_pair_left_out(files, tmp_path):
    files[1].low.unlink()
    files[1].low.symlink_to(tmp_path / "moved.png")
    cached = cache.open_cache("tiny", files)
    assert cached.names == ("0", "2")
    assert "There is no image file" in cached.damaged[0]
    save_image(tmp_path / "moved.png", torch.zeros(3, 20, 30))
    assert cache.open_cache("tiny", files).names == ("0", "1", "2")


def test_sizes_that_differ_are_named_and_the_pair_left_out(files):
    save_image(files[2].normal, torch.zeros(3, 16, 16))
    cached = cache.open_cache("tiny", files)
    assert cached.names == ("0", "1")
    assert "is 18x16 but" in cached.damaged[0]


def test_where_no_pair_can_be_read_nothing_is_left_behind(files):
    for pair in files:
        pair.low.write_bytes(b"")
    with pytest.raises(CourseError, match=r"No pair can be read: .*0\.png"):
        cache.open_cache("tiny", files)
    assert caches() == []


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_clearly_and_leaves_nothing(files, monkeypatch, full):
    class FullDisk(io.BytesIO):
        def write(self, content):
            if self.tell() > 0:
                raise OSError(full, os.strerror(full))
            return super().write(content)

    monkeypatch.setattr(cache, "open", lambda path, mode: FullDisk(), raising=False)
    with pytest.raises(CourseError, match="disk is full"):
        cache.open_cache("tiny", files)
    assert caches() == []


# Another process that opens the cache: it says that it decodes, and waits for a line before it goes
# on. In the end it says which file it uses.
ANOTHER = """
import json, os, sys
from pathlib import Path
from llie_helpers.data import cache
from llie_helpers.data.matching import PairFiles

files = [PairFiles(name, Path(low), Path(normal), split, scene)
         for name, low, normal, split, scene in json.loads(sys.argv[1])]
decoded = cache._decoded
def slowly_decoded(*args):
    print("decoding", flush=True)
    input()
    return decoded(*args)
cache._decoded = slowly_decoded
cached = cache.open_cache("tiny", files)
print(len(cached), os.stat(cached.folder / "images.u8").st_ino, flush=True)
"""


@contextmanager
def another(files):
    """Another process, in the middle of making the cache."""
    listed = json.dumps([[str(part) for part in pair] for pair in files])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", ANOTHER, listed], **pipes) as process:
        try:
            assert process.stdout.readline() == "decoding\n"
            yield process
        finally:
            process.kill()


def finish(process):
    """Let another process go on; return the number of pairs and the file that it uses."""
    said, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0
    return tuple(map(int, said.split()))


def leftovers():
    return [path for path in cache.cache_dir().iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_of_two_processes_that_make_a_cache_at_once_both_use_the_first_ones(files):
    with another(files) as one, another(files) as other:
        first = finish(one)
        assert finish(other) == first
    pixels = cache.open_cache("tiny", files).folder / "images.u8"
    assert first == (3, pixels.stat().st_ino)
    assert leftovers() == []


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_removed_but_nothing_that_may_be_in_work(files):
    with another(files) as killed:
        killed.kill()
        killed.wait()
    (left,) = leftovers()
    with another(files) as working:
        (new,) = set(leftovers()) - {left}
        for path in (left, *left.iterdir(), new):  # what is in the new one was just written
            long_ago = time.time() - STALE - 60
            os.utime(path, (long_ago, long_ago))
        cache.open_cache("tiny", files)
        assert leftovers() == [new]
        assert finish(working)[0] == 3
    assert leftovers() == []


def test_where_a_folder_cannot_be_moved_onto_another_as_on_windows(files, monkeypatch):
    """The other process comes first between the last look and the move."""
    move = os.replace

    def refuse(temporary, target):
        if not target.exists():
            move(temporary, target)
            temporary.mkdir()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", refuse)
    assert len(cache.open_cache("tiny", files)) == 3
    assert leftovers() == []
