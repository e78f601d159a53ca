"""The command line: what it prints, what it writes, and its exit codes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from llie_helpers.cli import build_parser, key_and_value, main
from llie_helpers.images import load_image, save_image


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LLIE_DATA", str(tmp_path / "data"))
    return tmp_path / "runs"


@pytest.fixture
def folders(tmp_path):
    """A data set of twelve scenes in two folders; its low images are a quarter as bright."""
    draw = np.random.default_rng(0)
    for i in range(12):
        normal = torch.from_numpy(draw.random((3, 24, 28), dtype=np.float32))
        save_image(tmp_path / "set" / "normal" / f"{i}.png", normal)
        save_image(tmp_path / "set" / "low" / f"{i}.png", normal / 4)
    return f"folders:{tmp_path / 'set' / 'low'}:{tmp_path / 'set' / 'normal'}"


SHORT = ["--epochs", "1", "--set", "crop_size=16", "--set", "crops_per_epoch=8"]
TRAIN = ["--model", "mse_cnn", "--option", "widths=[4,6]", *SHORT]


def test_train_then_evaluate_then_enhance(folders, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *TRAIN, "--data", folders, "--out", str(out)]) == 0
    assert "Score it: python -m llie_helpers evaluate --model mse_cnn" in capsys.readouterr().out

    weights = str(out / "best.safetensors")
    arguments = ["--model", "mse_cnn", "--weights", weights]
    assert main(["evaluate", *arguments, "--data", folders, "--each"]) == 0
    printed = capsys.readouterr().out
    assert "PSNR" in printed
    assert "parameters           " in printed

    dark, bright = tmp_path / "set" / "low" / "0.png", tmp_path / "bright.png"
    assert main(["enhance", str(dark), "-o", str(bright), *arguments]) == 0
    assert load_image(bright).shape == (3, 24, 28)

    assert main(["train", *TRAIN, "--data", folders, "--out", str(out)]) == 1
    assert "holds a run already; add --resume" in capsys.readouterr().err
    again = ["--data", folders, "--out", str(out), "--resume", "--epochs", "2"]
    assert main(["train", *TRAIN, *again]) == 0
    assert "2 epochs" in capsys.readouterr().out


def test_training_can_start_from_weights(folders, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    main(["train", *TRAIN, "--data", folders, "--out", str(first), "--seed", "3"])
    weights = str(first / "best.safetensors")
    still = ["--weights", weights, "--set", "learning_rate=1e-12"]
    assert main(["train", *TRAIN, *still, "--data", folders, "--out", str(second)]) == 0
    before, after = (load_file(folder / "best.safetensors") for folder in (first, second))
    for key, value in before.items():
        assert torch.allclose(value, after[key], atol=1e-6)


def test_a_network_trains_on_mapped_images_and_is_scored_on_them(folders, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *TRAIN, "--mapped", "--data", folders, "--out", str(out)]) == 0
    method = ["--model", "mse_cnn", "--weights", str(out / "best.safetensors")]
    psnr = []
    for _ in range(2):
        assert main(["evaluate", *method, "--data", folders]) == 0
        psnr.append(next(li for li in capsys.readouterr().out.splitlines() if "PSNR" in li))
        (out / "best.mapper.json").unlink(missing_ok=True)
    assert psnr[0] != psnr[1]


def test_evaluate_scores_a_baseline_by_hand(folders, capsys):
    assert main(["evaluate", "--model", "identity", "--data", folders, "--split", "val"]) == 0
    table = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    # The error of a quarter of uniform noise: MSE = (3/4)^2 / 3.
    assert float(table["PSNR"].split()[0]) == pytest.approx(-10 * np.log10(0.1875), abs=0.15)
    assert table["parameters"] == "0"


def test_enhance_never_overwrites_unless_told_to(tmp_path, capsys):
    dark, bright = tmp_path / "dark.png", tmp_path / "bright.png"
    save_image(dark, torch.full((3, 16, 16), 0.25))
    save_image(bright, torch.ones(3, 16, 16))
    command = ["enhance", str(dark), "-o", str(bright), "--model", "gamma"]
    assert main(command) == 1
    assert "exists already; add --force" in capsys.readouterr().err
    assert load_image(bright).min() == 1
    assert main([*command, "--force"]) == 0
    assert load_image(bright).max() < 0.6


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("evaluate --model gama --data embedded", "did you mean gamma"),
        ("evaluate --model gamma --data lol_v7", "did you mean lol_v1"),
        ("evaluate --model gamma --data lol_v1", "python -m llie_helpers data get lol_v1"),
        ("train --model mse_cnn --data embedded --set epoch=3", "did you mean epochs"),
        ("train --model mse_cn --data embedded", "did you mean mse_cnn"),
        ("enhance gone.png -o out.png --model gamma", "gone.png"),
        ("enhance dark.png -o out.gif --model gamma", "out.gif cannot be written"),
        ("bench data --data embedded", "embedded has no files to decode"),
        ("data check lol_v7", "did you mean lol_v1"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_1(command, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_image("dark.png", torch.full((3, 16, 16), 0.25))
    assert main(command.split()) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("command", ["", "trian", "train", "enhance a.png", "train --option x"])
def test_a_mistyped_command_is_exit_code_2(command):
    with pytest.raises(SystemExit) as exit_:
        main(command.split())
    assert exit_.value.code == 2


def test_every_command_has_help_with_an_example(capsys):
    def leaves(parser, path=()):
        actions = [a for a in parser._actions if hasattr(a, "choices") and a.choices]
        commands = [a.choices for a in actions if isinstance(a.choices, dict)]
        if not commands:
            yield path
        for choices in commands:
            for name, child in choices.items():
                yield from leaves(child, (*path, name))

    found = list(leaves(build_parser()))
    assert ("data", "get") in found
    for path in found:
        with pytest.raises(SystemExit) as exit_:
            main([*path, "--help"])
        assert exit_.value.code == 0
        assert f"python -m llie_helpers {' '.join(path)}" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from llie_helpers.cli import build_parser; build_parser().format_help(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_data_list_and_check(folders, capsys):
    assert main(["data", "list"]) == 0
    assert "lol_v1" in capsys.readouterr().out
    assert main(["data", "check", folders]) == 0
    assert main(["data", "cache", folders]) == 0


def test_data_check_finds_a_missing_partner(folders, tmp_path, capsys):
    (tmp_path / "set" / "low" / "3.png").unlink()
    assert main(["data", "check", folders]) == 1
    assert "3.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("gamma=0.3", ("gamma", 0.3)),
        ("widths=[4,6]", ("widths", [4, 6])),
        ("optimizer=adamw", ("optimizer", "adamw")),
        ("augment=false", ("augment", False)),
    ],
)
def test_key_and_value(text, pair):
    assert key_and_value(text) == pair
