"""Files with flipped and lost bytes: each is enhanced or named, and the batch goes on."""

import random
import re
import time

import photographs
import pytest

from llie_helpers.images import to_float
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.photos import read_photo
from llie_helpers.inference.video import enhance_video, video_suffix
from llie_helpers.methods import create_method

LONGEST = 20  # seconds for one file
PHOTOGRAPHS, FILMS = 100, 200  # in a batch
SENTENCE = r"\S+ (cannot be read( as a video)?: |contains no video that can be read)[^\n]*\."


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A file's content with bytes changed, lost, zeroed or cut off."""
    data = bytearray(content)
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            return bytes(data[:at])
        case 1:
            del data[at : at + chance.randrange(64)]
        case 2:
            data[at : at + 64] = bytes(len(data[at : at + 64]))
        case _:  # headers are a small part of a file, and the most fragile
            most = min(chance.choice([64, 512, len(data)]), len(data))
            for _ in range(chance.choice([1, 4, 32])):
                data[chance.randrange(most)] = chance.randrange(256)
    return bytes(data)


def enhanced(folder, out):
    """Enhance a folder with the identity; return the summary and the seconds of each film."""
    method, seconds = create_method("identity"), []

    def film(source, target):
        start = time.perf_counter()
        try:
            return enhance_video(source, target, method)
        finally:
            seconds.append(time.perf_counter() - start)

    return enhance_files([folder], out, to_float, film), seconds


def check(summary, out, printed):
    """Check that each file is done, or named in a sentence, and that nothing else is left."""
    assert summary.done
    for sentence in summary.failed.values():
        assert re.fullmatch(SENTENCE, sentence), sentence
    assert {path.name for path in out.iterdir()} == {path.name for path in summary.done.values()}
    assert printed.out == ""
    progress = printed.err.replace("\r", "\n")
    assert re.fullmatch(r"(\s*(\d+%|\d*frame|\d+it)[^\n]*\n*)*", progress), progress


def slow_but_first(count):
    return [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, count))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", slow_but_first(21))
def test_damaged_photographs_are_done_or_named(seed, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(photographs, "HEIGHT", 36)
    monkeypatch.setattr(photographs, "WIDTH", 48)
    chance = random.Random(seed)
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number, kind in enumerate(chance.sample(list(photographs.kinds()), PHOTOGRAPHS)):
        path = folder / f"{number}{kind.suffix}"
        path.write_bytes(damaged(photographs.make(kind), chance))

    start = time.perf_counter()
    summary, _ = enhanced(folder, out)
    assert time.perf_counter() - start < LONGEST  # all together
    assert len(summary.done) + len(summary.failed) == PHOTOGRAPHS
    assert summary.failed
    check(summary, out, capfd.readouterr())
    for path in summary.done.values():
        read_photo(path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts", ".webm", ".mpg", ".flv", ".wmv",
                                    ".mov", ".mxf"])  # fmt: skip
def test_damaged_films_are_done_or_named(suffix, tmp_path, capfd):
    av = pytest.importorskip("av")
    import films

    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    whole = films.make_film(tmp_path / f"whole{suffix}", films.RICH[suffix]).read_bytes()
    chance = random.Random(suffix)
    for number in range(FILMS):
        (folder / f"{number}{suffix}").write_bytes(damaged(whole, chance))

    capfd.readouterr()
    summary, seconds = enhanced(folder, out)
    assert len(seconds) == len(summary.done) + len(summary.failed) == FILMS
    assert max(seconds) < LONGEST
    check(summary, out, capfd.readouterr())
    for source, path in summary.done.items():
        assert path.suffix == video_suffix(source)
        with av.open(str(path)) as made:
            assert any(made.decode(video=0))
