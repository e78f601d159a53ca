"""Model cards, the README's table, and shipping weights."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from llie_helpers import models
from llie_helpers.cli import main
from llie_helpers.errors import CourseError
from llie_helpers.methods import NetworkMethod, create_method
from llie_helpers.methods.histogram import HistogramMapper
from llie_helpers.models import cards
from llie_helpers.models import weights as files
from llie_helpers.models.cost import count_parameters

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A package of its own, so that nothing is written into this one."""
    folder = tmp_path / "llie_helpers" / "weights"
    shutil.copytree(cards.SHIPPED, folder)
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    for module in (cards, files):
        monkeypatch.setattr(module, "SHIPPED", folder)
    return folder


def trained(path: Path, seed: int) -> str:
    torch.manual_seed(seed)
    path.parent.mkdir(exist_ok=True)
    path.with_name("run.json").write_text(json.dumps({"seed": seed}))
    models.save_weights(models.create_model("mse_cnn", widths=[4, 6]), path)
    return str(path)


def test_every_shipped_file_of_weights_has_a_card_that_fits():
    weights = sorted(cards.SHIPPED.glob("*.safetensors"))
    assert weights
    for path in weights:
        card, text = cards.read(path.with_suffix(".md"))
        assert path.stem == f"{card.model}_{card.data}"
        network = models.create_model(card.model, weights=card.data)
        assert count_parameters(network) == card.parameters
        for heading in ("## Scores", "## Limits", "## Licence"):
            assert heading in text, (path.stem, heading)


def test_the_readme_has_the_scores_of_the_cards(capsys):
    assert main(["results", "--check"]) == 0
    assert "are those" in capsys.readouterr().out


def test_a_changed_card_is_noticed_and_written(shelf, capsys):
    card, text = cards.read(shelf / "mse_cnn_lol_v1.md")
    changed = card.scores | {"test": {"psnr": 99.5, "ssim": 0.5, "psnr_gt_mean": 1.0}}
    cards.write(cards.Card(**{**vars(card), "scores": changed}), text)
    assert main(["results", "--check"]) == 1
    assert main(["results"]) == 0
    assert "| 99.50 | 0.500 | 1.00 |" in (shelf.parent.parent / "README.md").read_text()
    assert main(["results", "--check"]) == 0


def test_the_first_of_several_seeds_is_shipped_and_all_are_scored(shelf, tmp_path, capsys):
    runs = [trained(tmp_path / str(seed) / "best.safetensors", seed) for seed in (3, 1)]
    arguments = ["ship", "--model", "mse_cnn", "--data", "embedded", "--title", "a trial"]
    assert main([*arguments, "--weights", *runs]) == 0
    card, text = cards.read(shelf / "mse_cnn_embedded.md")
    assert card.seeds == [3, 1]
    assert "## Limits" in text
    each = []
    for run in runs:
        capsys.readouterr()
        arguments = ["evaluate", "--model", "mse_cnn", "--weights", run, "--data", "embedded"]
        assert main(arguments) == 0
        lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        each.append(float(lines["PSNR"].split()[0]))
    assert [run["psnr"] for run in card.runs["test"]] == each
    # What is shipped is what anyone can measure again.
    assert card.scores["test"]["psnr"] == each[0]
    mean = f"| its recipe, mean and spread of 2 seeds | | {sum(each) / 2:.2f} ± "
    assert mean in cards.with_table((ROOT / "README.md").read_text())


def test_the_text_of_a_card_survives_a_new_score(shelf, tmp_path):
    before = cards.read(shelf / "mse_cnn_lol_v1.md")[1]
    shutil.move(shelf / "mse_cnn_lol_v1.md", shelf / "mse_cnn_embedded.md")
    run = trained(tmp_path / "a.safetensors", 0)
    main(["ship", "--model", "mse_cnn", "--data", "embedded", "--title", "x", "--weights", run])
    assert cards.read(shelf / "mse_cnn_embedded.md")[1] == before


def test_large_networks_are_shipped_in_half_precision(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr("llie_helpers.commands.LARGEST", 1000)
    run = trained(tmp_path / "a.safetensors", 0)
    main(["ship", "--model", "mse_cnn", "--data", "embedded", "--title", "x", "--weights", run])
    shipped = shelf / "mse_cnn_embedded.safetensors"
    assert shipped.stat().st_size < 0.7 * Path(run).stat().st_size
    state = models.create_model("mse_cnn", weights="embedded").state_dict()
    for key, value in models.create_model("mse_cnn", weights=run).state_dict().items():
        assert torch.allclose(state[key], value, atol=1e-3)


def test_shipped_weights_bring_their_mapper(shelf, tmp_path):
    run = trained(tmp_path / "a.safetensors", 0)
    shutil.copyfile(run, shelf / "mse_cnn_mine.safetensors")
    assert not isinstance(create_method("mse_cnn", "mine"), NetworkMethod)
    q = len(HistogramMapper().q)
    mapper = HistogramMapper().fit_percentiles(*torch.rand(2, 6, 3, q).sort().values.numpy())
    mapper.save(shelf / "mse_cnn_mine.mapper.json")
    assert isinstance(create_method("mse_cnn", "mine"), NetworkMethod)


def test_a_damaged_card_is_named(tmp_path):
    path = tmp_path / "mine.md"
    path.write_text("---\nmodel: x\n---\n")
    with pytest.raises(CourseError, match=r"mine\.md"):
        cards.read(path)


def test_a_readme_without_marks_is_refused():
    with pytest.raises(CourseError, match="must hold the lines"):
        cards.with_table("no table here")
