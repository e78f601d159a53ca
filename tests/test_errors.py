"""What cannot be used is refused everywhere in the same words."""

import re

import numpy as np
import pytest

from llie_helpers import lessons
from llie_helpers.cli import main
from llie_helpers.data import Pairs
from llie_helpers.data.crops import RandomCrops
from llie_helpers.data.scenes import scene_split
from llie_helpers.errors import CourseError, check_seed
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.models import create_model
from llie_helpers.training import fit

IMAGE = np.zeros((8, 8, 3), np.uint8)
PAIRS = Pairs("two", ("a", "b"), (0, 1), [(IMAGE, IMAGE)] * 2)

SEEDED = {
    "fit": lambda seed: fit(create_model("mse_cnn"), PAIRS, PAIRS, run_dir="run", seed=seed),
    "begin": lambda seed: lessons.begin("03_mse_cnn", seed),
    "RandomCrops": lambda seed: RandomCrops(PAIRS, 4, 1, seed)[0],
    "scene_split": lambda seed: scene_split([0, 1], 0.5, seed),
    "HistogramMapper": lambda seed: HistogramMapper(seed=seed).fit(PAIRS),
}


@pytest.mark.parametrize("call", SEEDED)
@pytest.mark.parametrize("seed", [-1, 2**32, 2**70, 1.5, "one", None])
def test_a_seed_that_is_none_is_refused(call, seed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = f"The seed is {seed!r}; it must be a whole number from 0 to 4294967295."
    with pytest.raises(CourseError, match=re.escape(said)):
        SEEDED[call](seed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7)])
def test_every_other_seed_serves_every_generator(seed):
    assert type(check_seed(seed)) is int
    for call in SEEDED.keys() - {"fit"}:
        SEEDED[call](seed)


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_the_command_line_says_so_before_it_makes_a_folder(seed, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    assert main(["train", "--model=mse_cnn", "--data=embedded", f"--seed={seed}"]) != 0
    said = capsys.readouterr().err
    assert said == f"error: The seed is {seed}; it must be a whole number from 0 to 4294967295.\n"
    assert list(tmp_path.iterdir()) == []
