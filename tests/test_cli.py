"""The command line: what it prints, what it writes, and its exit codes."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file

from llie_helpers import __version__
from llie_helpers.cli import app, main
from llie_helpers.console import PROGRAM, key_values
from llie_helpers.images import load_image, save_image
from llie_helpers.methods import list_methods

SHORT = "--epochs 1 --set crop_size=16 --set crops_per_epoch=8 --device cpu"
TRAIN = f"train --model mse_cnn --option widths=[4,6] {SHORT}"


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """An empty working directory, in which data and runs are looked for."""
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LLIE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pairs(workspace):
    """The option for a data set of twelve scenes whose low images have a quarter of the light."""
    draw = np.random.default_rng(0)
    for i in range(12):
        normal = torch.from_numpy(draw.random((3, 24, 28), dtype=np.float32))
        save_image(f"normal/{i}.png", normal)
        save_image(f"low/{i}.png", normal / 4)
    return "--data folders:low:normal"


def run(line: str) -> int:
    return main(line.split())


def commands() -> list[str]:
    def names(group: typer.Typer) -> list[str]:
        return [its.name or its.callback.__name__ for its in group.registered_commands]

    groups = app.registered_groups
    return [*names(app), *(f"{g.name} {n}" for g in groups for n in names(g.typer_instance))]


@pytest.mark.slow
def test_train_then_evaluate_then_enhance(pairs, capsys):
    assert run(f"{TRAIN} {pairs} --out run") == 0
    printed = capsys.readouterr().out
    assert "on the CPU" in printed
    assert "Score it: python -m llie_helpers evaluate --model mse_cnn" in printed

    method = "--model mse_cnn --weights run/best.safetensors"
    assert run(f"evaluate {method} {pairs} --each") == 0
    printed = capsys.readouterr().out
    assert "image  PSNR" in printed
    assert "parameters" in printed

    assert run(f"enhance low/0.png -o enhanced.png {method}") == 0
    assert load_image("enhanced.png").shape == (3, 24, 28)

    assert run(f"{TRAIN} {pairs} --out run") == 1
    assert "already holds a run; add --resume" in capsys.readouterr().err
    assert run(f"{TRAIN} {pairs} --out run --resume --epochs 2") == 0
    assert "2 epochs" in capsys.readouterr().out


def test_training_can_start_from_weights(pairs):
    run(f"{TRAIN} {pairs} --out first --seed 3")
    still = "--weights first/best.safetensors --set learning_rate=1e-12"
    assert run(f"{TRAIN} {still} {pairs} --out second") == 0
    before, after = (load_file(f"{run}/best.safetensors") for run in ("first", "second"))
    for key, value in before.items():
        assert torch.allclose(value, after[key], atol=1e-6)


def test_the_folder_of_a_run_has_a_name_that_windows_allows(pairs, workspace):
    assert run(f"{TRAIN} {pairs}") == 0
    assert [path.name for path in workspace.glob("runs/m*")] == ["mse_cnn_folders_low_normal_0"]


@pytest.mark.slow
def test_a_network_trains_on_mapped_images_and_is_scored_on_them(pairs, workspace, capsys):
    assert run(f"{TRAIN} --mapped {pairs} --out run") == 0
    psnr = []
    for _ in range(2):
        assert run(f"evaluate --model mse_cnn --weights run/best.safetensors {pairs}") == 0
        psnr.append(next(li for li in capsys.readouterr().out.splitlines() if "PSNR" in li))
        (workspace / "run" / "best.mapper.json").unlink(missing_ok=True)
    assert psnr[0] != psnr[1]


def test_a_run_keeps_the_mapper_that_it_was_trained_behind(pairs, workspace, capsys):
    """Weights are scored behind the mapper beside them, so another's would go unnoticed."""
    mapper = workspace / "run" / "best.mapper.json"
    assert run(f"{TRAIN} --mapped {pairs} --out run") == 0
    kept = mapper.read_bytes()
    assert run(f"{TRAIN} --mapped --data folders:low:low --out run --resume") == 1
    assert "holds a run with other settings" in capsys.readouterr().err
    assert mapper.read_bytes() == kept
    # Stopped in its first epoch, a run leaves its mapper and nothing to resume.
    (workspace / "run" / "last.ckpt").unlink()
    assert run(f"{TRAIN} {pairs} --out run") == 0
    assert not mapper.exists()


def test_evaluate_scores_a_baseline_by_hand(pairs, capsys):
    assert run(f"evaluate --model identity {pairs} --split val") == 0
    table = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    # The error of a quarter of uniform noise: MSE = (3/4)^2 / 3.
    assert float(table["PSNR"].split()[0]) == pytest.approx(-10 * np.log10(0.1875), abs=0.15)
    assert table["parameters"] == "0"


def test_enhance_never_overwrites_unless_told_to(capsys):
    save_image("dark.png", torch.full((3, 16, 16), 0.25))
    save_image("enhanced.png", torch.ones(3, 16, 16))
    command = "enhance dark.png -o enhanced.png --model gamma"
    assert run(command) == 1
    assert "already exists; add --force" in capsys.readouterr().err
    assert load_image("enhanced.png").min() == 1
    assert run(f"{command} --force") == 0
    assert load_image("enhanced.png").max() < 0.6


EMBEDDED = "train --model mse_cnn --data embedded"
LONG = "n" * 300


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("evaluate --model gama --data embedded", "did you mean gamma"),
        ("evaluate --model gamma --data lol_v7", "did you mean lol_v1"),
        ("evaluate --model gamma --data lol_v1", "python -m llie_helpers data get lol_v1"),
        ("evaluate --model gamma --data embedded --split tset", "did you mean test"),
        ("evaluate --model gamma --data embedded --option gama=1", "did you mean gamma"),
        ("evaluate --model gamma --data embedded --option gamma=foo", "such as 0.5"),
        ("evaluate --model gamma --data embedded --device tpuu", "no device 'tpuu'"),
        ("evaluate --model unet --data embedded --weights gone", "are shipped for unet"),
        ("enhance dark.png -o out.png --model clahe --option clip=abc", "such as 2.0"),
        ("enhance dark.png -o out.png --model clahe --option tiles=1.5", "such as 8"),
        ("enhance dark.png -o out.png --model retinex --option sigmas=15", "such as [15.0,"),
        ("enhance dark.png -o out.png --model gamma --strength 2", "strength"),
        ("enhance dark.png -o out.png --model gamma --exposure 99", "exposure"),
        ("enhance dark.png -o out.png --model gamma --exposure nan", "exposure is nan"),
        ("enhance dark.png -o out.png --model gamma --exposure=-inf", "exposure is -inf"),
        ("enhance dark.png -o out.png --model gamma --strength nan", "strength is nan"),
        ("enhance dark.png -o out.png --model gamma --option gamma=NaN", "gamma is nan"),
        ("enhance dark.png -o out.png --model clahe --option clip=Infinity", "clip is inf"),
        ("enhance dark.png -o out.png --model retinex --option sigmas=[NaN]", "sigmas is [nan]"),
        (f"{EMBEDDED} --set learning_rate=NaN", "learning_rate is nan; it must be a finite"),
        (f"{EMBEDDED} --set min_lr=Infinity", "min_lr is inf; it must be a finite"),
        ("enhance gone.png -o out.png --model gamma", "gone.png"),
        ("enhance dark.png -o out.gif --model gamma", "out.gif cannot be written"),
        ("export --model mse_cnn -o dark.png", "dark.png already exists"),
        ("export --model gamma -o gamma.onnx", "network"),
        (f"{EMBEDDED} --set epoch=3", "did you mean epochs"),
        (f"{EMBEDDED} --set epochs=many", "epochs"),
        (f"{EMBEDDED} --set precision=foo", "precision"),
        (f'{EMBEDDED} --set objective={{"weight":1.0}}', "weight"),
        (f"{EMBEDDED} --epochs 0", "epochs"),
        (f"{EMBEDDED} --recipe gone.toml", "gone.toml"),
        (f"{EMBEDDED} --option widths=4", "such as [12, 24"),
        (f"{EMBEDDED} --device tpuu", "no device 'tpuu'"),
        (f"{EMBEDDED} --device cuda:99", "no device 'cuda:99'"),
        (f"{EMBEDDED} --devices 0", "must be 1 or more"),
        (f"{EMBEDDED} --out dark.png", "dark.png is a file"),
        ("train --model mse_cn --data embedded", "did you mean mse_cnn"),
        ("data check lol_v7", "did you mean lol_v1"),
        ("data get embedded", "no download"),
        ("ranking gone -m clahe -m gamma -o a.html", "no folder gone"),
        ("ranking dark.png -m clahe -m gamma -o a.html", "no folder dark.png"),
        ("gallery clahe --data embedded -o dark.png/gallery", "dark.png/gallery cannot be written"),
        # A name that is too long stands for all that the system refuses to answer.
        (f"evaluate --model gamma --data {LONG}.npz", "no file"),
        (f"evaluate --model gamma --data photographs:{LONG}", "no folder"),
        (f"evaluate --model gamma --data folders:{LONG}:{LONG}", "no folder"),
        (f"evaluate --model unet --data embedded --weights {LONG}", "are shipped for unet"),
        (f"evaluate --model unet --data embedded --weights {LONG}.safetensors", "no weights file"),
        (f"{EMBEDDED} --recipe {LONG}.toml", "no recipe"),
        (f"{EMBEDDED} --out {LONG}", "name too long"),
        (f"gallery clahe --data embedded -o {LONG}/a", "name too long"),
        (f"ranking gone -m clahe -m gamma -o {LONG}", "no folder gone"),
        (f"export --model mse_cnn -o {LONG}", "name too long"),
    ],
    ids=lambda text: text.replace(LONG, "LONG"),
)
def test_an_error_is_one_sentence_and_exit_code_1(command, sentence, capsys, workspace):
    save_image("dark.png", torch.full((3, 16, 16), 0.25))
    assert run(command) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert "unexpected" not in error
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not (workspace / "out.png").exists()


@pytest.mark.parametrize("file", ["last.ckpt", "history.json"])
def test_a_run_with_a_damaged_file_is_not_resumed(file, pairs, workspace, capsys):
    assert run(f"{TRAIN} {pairs} --out run") == 0
    content = (workspace / "run" / file).read_bytes()
    (workspace / "run" / file).write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    assert run(f"{TRAIN} {pairs} --out run --resume --epochs 2") == 1
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: ")
    assert "unexpected" not in error
    assert file in error


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_exception_is_one_sentence_too(debug, monkeypatch, capsys):
    def broken(name: str) -> None:
        raise RuntimeError("two\n  lines")

    monkeypatch.setattr("llie_helpers.data.check", broken)
    assert run("data check lol_v1 --debug" if debug else "data check lol_v1") == 1
    *trace, error = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("error: unexpected error: RuntimeError: two lines; run again with")
    assert bool(trace) == debug


def test_an_interrupt_is_exit_code_130(monkeypatch):
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("llie_helpers.data.check", interrupted)
    assert run("data check lol_v1") == 130


@pytest.mark.parametrize(
    "command",
    [
        "",
        "trian",
        "train",
        "train --model mse_cnn --data embedded --epochs many",
        "enhance a.png",
        "evaluate --model gamma --data embedded --option x",
        "export --model mse_cnn -o x.onnx --accelerator cpu",
    ],
)
def test_a_mistyped_command_is_exit_code_2(command, capsys):
    assert run(command) == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(command, capsys):
    assert run(f"{command} --help") == 0
    printed = capsys.readouterr().out
    assert f"Examples:\n    {PROGRAM} {command}" in printed


@pytest.mark.parametrize("command", commands())
def test_every_option_shows_its_default(command, capsys):
    assert run(f"{command} --help") == 0
    options = re.split(r"\n  (?=-)", capsys.readouterr().out)[1:]
    for option in options:
        # Flags are off, and KEY=VALUE changes nothing, where they are not given.
        takes_value = re.match(r"[-\w, ]+ (<|TEXT|INT|FLOAT|PATH|FILE|STOPS)", option)
        assert not takes_value or "default" in option or "required" in option


def test_the_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"llie_helpers {__version__}\n"


def test_help_imports_nothing_heavy():
    code = f"""
import sys
from pathlib import Path
from llie_helpers.cli import main
for command in {commands()}:
    assert main([*command.split(), "--help"]) == 0
print(sorted({{"torch", "lightning", "numpy", "cv2", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_runs_as_a_module():
    command = [sys.executable, "-m", "llie_helpers", "--version"]
    assert __version__ in subprocess.run(command, capture_output=True, text=True).stdout


def test_models_lists_every_method_with_parameters_and_weights(capsys):
    assert run("models") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["method", "parameters", "weights"]
    assert [row.split()[0] for row in rows] == list_methods()
    (pix2pix,) = (row for row in rows if row.startswith("pix2pix"))
    assert "7,531,142" in pix2pix
    assert "lol_v1 (477,350)" in pix2pix
    assert "width=64 blocks=6" in pix2pix


def test_data_list_check_and_cache(pairs, workspace, capsys):
    assert run("data list") == 0
    assert "lol_v1" in capsys.readouterr().out
    assert run("data cache folders:low:normal") == 0
    assert run("data check folders:low:normal") == 0
    assert run("data check photographs:normal") == 0
    (workspace / "low" / "3.png").unlink()
    capsys.readouterr()
    assert run("data check folders:low:normal") == 1
    assert "3.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gamma=0.3", {"gamma": 0.3}),
        ("widths=[4,6]", {"widths": [4, 6]}),
        ("optimizer=adamw", {"optimizer": "adamw"}),
        ("augment=false", {"augment": False}),
        ("title=a=b", {"title": "a=b"}),
    ],
)
def test_key_values(text, expected):
    assert key_values([text]) == expected


TOOLS = {
    path.stem: text
    for path in sorted((Path(__file__).parents[1] / "tools").glob("*.py"))
    if "__main__" in (text := path.read_text("utf-8"))
}


@pytest.mark.parametrize("tool", TOOLS)
def test_help_of_a_tool_says_what_it_does_in_place_of_doing_it(tool, monkeypatch, capsys):
    file = Path(__file__).parents[1] / "tools" / f"{tool}.py"
    monkeypatch.setattr(sys, "argv", [str(file), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(file), run_name="__main__")
    assert not end.value.code
    printed = capsys.readouterr().out
    assert f"{tool}.py [" in printed
    assert TOOLS[tool].split('"""')[1][:40] in printed
