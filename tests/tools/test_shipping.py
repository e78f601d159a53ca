"""Shipping weights with their card, and the README's table."""

import importlib.util
import shutil
from pathlib import Path

import cards as tool
import pytest
import torch

from llie_helpers import models
from llie_helpers.console import run
from llie_helpers.data import load_pairs
from llie_helpers.errors import CourseError
from llie_helpers.methods import NetworkMethod, create_method
from llie_helpers.methods.histogram import HistogramMapper, Q
from llie_helpers.metrics import evaluate
from llie_helpers.models import cards
from llie_helpers.models import weights as weights_file
from llie_helpers.training import History


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Copies of the package's weights and of the README, so that these are not written."""
    folder = tmp_path / "weights"
    shutil.copytree(cards.SHIPPED, folder)
    shutil.copyfile(tool.README, tmp_path / "README.md")
    monkeypatch.setattr(tool, "README", tmp_path / "README.md")
    for module in (cards, weights_file):
        monkeypatch.setattr(module, "SHIPPED", folder)
    return folder


def run_tool(*arguments: str | Path) -> int:
    return run(tool.app, [str(argument) for argument in arguments])


def ship(*weights: Path) -> None:
    named = [part for path in weights for part in ("--weights", path)]
    assert run_tool("ship", "--model", "mse_cnn", "--data", "embedded", "--title", "x", *named) == 0


def trained(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    path.parent.mkdir(exist_ok=True)
    History({"seed": seed, "recipe": {"monitor": "val_loss"}}).save(path.with_name("history.json"))
    models.save_weights(models.create_model("mse_cnn", widths=[4, 6]), path)
    return path


def up_to_date() -> bool:
    text = tool.README.read_text(encoding="utf-8")
    return tool.with_table(text) == text


def test_the_readme_has_the_scores_of_the_cards():
    assert up_to_date(), "run `python tools/cards.py results`"


def test_a_changed_card_is_noticed_and_written(shelf):
    card, text = cards.read(shelf / "mse_cnn_lol_v1.md")
    changed = card.scores | {"test": {"psnr": 99.5, "ssim": 0.5, "psnr_gt_mean": 1.0}}
    tool.write(cards.Card(**{**vars(card), "scores": changed}), text)
    assert not up_to_date()
    assert run_tool("results") == 0
    assert "| 99.50 | 0.500 | 1.00 |" in tool.README.read_text()
    assert up_to_date()


@pytest.mark.slow
def test_the_first_of_several_seeds_is_shipped_and_all_are_scored(shelf, tmp_path, monkeypatch):
    pairs = load_pairs("embedded", "test")[:2]
    monkeypatch.setattr(tool, "load_pairs", lambda *_: pairs)
    runs = [trained(tmp_path / str(seed) / "best.safetensors", seed) for seed in (3, 1)]
    ship(*runs)
    card, text = cards.read(shelf / "mse_cnn_embedded.md")
    assert card.seeds == [3, 1]
    assert "## Limits" in text
    each = [round(evaluate(create_method("mse_cnn", run), pairs).psnr, 2) for run in runs]
    assert [run["psnr"] for run in card.runs["test"]] == each
    # What is shipped is what anyone can measure again.
    assert card.scores["test"]["psnr"] == each[0]
    mean = f"| its recipe, mean and spread of 2 seeds | | {sum(each) / 2:.2f} ± "
    assert mean in tool.with_table(tool.README.read_text())


@pytest.fixture
def unscored(monkeypatch):
    """Ship without the seconds that scores take."""
    scores = {"psnr": 1.0, "ssim": 1.0, "psnr_gt_mean": 1.0}
    monkeypatch.setattr(tool, "evaluate", lambda *_, **__: None)
    monkeypatch.setattr(tool, "rounded", lambda _: scores)


def test_the_text_of_a_card_survives_a_new_score(shelf, tmp_path, unscored):
    before = cards.read(shelf / "mse_cnn_lol_v1.md")[1]
    shutil.move(shelf / "mse_cnn_lol_v1.md", shelf / "mse_cnn_embedded.md")
    ship(trained(tmp_path / "a.safetensors"))
    assert cards.read(shelf / "mse_cnn_embedded.md")[1] == before


def test_large_networks_are_shipped_in_half_precision(shelf, tmp_path, monkeypatch, unscored):
    monkeypatch.setattr(tool, "LARGEST", 1000)
    path = trained(tmp_path / "a.safetensors")
    ship(path)
    shipped = shelf / "mse_cnn_embedded.safetensors"
    assert shipped.stat().st_size < 0.7 * path.stat().st_size
    state = models.create_model("mse_cnn", weights="embedded").state_dict()
    for key, value in models.create_model("mse_cnn", weights=path).state_dict().items():
        assert torch.allclose(state[key], value, atol=1e-3)


@pytest.mark.skipif(importlib.util.find_spec("xgboost") is None, reason="needs xgboost")
def test_shipped_weights_bring_their_mapper(shelf, tmp_path, unscored):
    path = trained(tmp_path / "a.safetensors")
    method = create_method("mse_cnn", path)
    assert isinstance(method, NetworkMethod)
    assert method.mapper is None
    mapper = HistogramMapper().fit_percentiles(*torch.rand(2, 6, 3, len(Q)).sort().values.numpy())
    mapper.save(weights_file.mapper_path(path))
    ship(path)
    method = create_method("mse_cnn", "embedded")
    assert isinstance(method, NetworkMethod)
    assert method.mapper is not None


def test_a_readme_without_marks_is_refused():
    with pytest.raises(CourseError, match="must contain the lines"):
        tool.with_table("no table here")
