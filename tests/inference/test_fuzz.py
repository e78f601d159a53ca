"""Photographs with flipped and lost bytes: each is enhanced or named, and the batch goes on."""

import random
import re
import time

import kinds
import pytest

from llie_helpers.images import to_float
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.photos import read_photo

BATCH = 100


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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 21))]
)
def test_damaged_files_are_done_or_named(seed, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(kinds, "HEIGHT", 36)
    monkeypatch.setattr(kinds, "WIDTH", 48)
    chance = random.Random(seed)
    for number, kind in enumerate(chance.sample(list(kinds.kinds()), BATCH)):
        path = tmp_path / "in" / f"{number}{kind.suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(damaged(kinds.make(kind), chance))

    start = time.perf_counter()
    summary = enhance_files([tmp_path / "in"], tmp_path / "out", to_float, None)
    assert time.perf_counter() - start < 20
    assert len(summary.done) + len(summary.failed) == BATCH
    assert summary.done
    assert summary.failed
    for sentence in summary.failed.values():
        assert re.fullmatch(r"\S+ cannot be read: it is [^\n]+\.", sentence), sentence
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.name for path in summary.done.values()
    }
    for path in summary.done.values():
        read_photo(path)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"(\s*\d+%[^\r\n]*[\r\n]*)*", printed.err.replace("\r", "\n")), printed.err
