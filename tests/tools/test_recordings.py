"""The queue of recorded training runs."""

import pytest
import recordings as tool

from llie_helpers import models
from llie_helpers.console import run
from llie_helpers.models import weights as weights_file
from llie_helpers.training import History, TrainingRun, fit, load_history
from llie_helpers.training.callbacks import RunKeeper

TOY = """
[{name}]
lesson = "03"
why = "A toy."
model = "mse_cnn"
data = "embedded"
seeds = [0]
options = {{ widths = [4, 6] }}
[{name}.changes]
epochs = {epochs}
crops_per_epoch = 8
crop_size = 32
batch_size = 4
loss = {loss}
"""


def toy(name: str, loss: str = "{ mse = 1.0 }", epochs: int = 1) -> str:
    return TOY.format(name=name, loss=loss, epochs=epochs)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Return a function that writes the list of recordings; runs and kept files are temporary."""
    monkeypatch.setattr(tool, "LIST", tmp_path / "recordings.toml")
    monkeypatch.setattr(weights_file, "SHIPPED", tmp_path / "weights")
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "runs"))
    # The threads of the other tests stay as they are.
    monkeypatch.setattr(tool.torch, "set_num_threads", lambda count: None)
    return lambda *entries: tool.LIST.write_text("".join(entries))


def call(*arguments: str) -> int:
    return run(tool.app, arguments)


def test_every_recording_can_be_built():
    for each in tool.chosen(None):
        about = each.recording
        assert about.how().epochs > 0
        assert models.create_model(about.model, **about.options).options == about.options
        assert "perceptual" not in about.how().loss  # would have to be downloaded


def test_a_failing_recording_is_named_and_the_next_one_runs(queue, capsys):
    queue(toy("broken", "{ nonsense = 1.0 }"), toy("sound"))
    assert call("run") == 1
    out, err = capsys.readouterr()
    assert err.splitlines()[0].startswith("broken_0: There is no loss term")
    assert out.startswith("sound_0: 1 epoch in")
    assert call("list") == 0
    assert [line.split()[:4] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["broken_0", "03", "0/1", "A"],
        ["sound_0", "03", "1/1", "finished"],
    ]


def test_finished_ones_are_skipped_until_their_definition_changes(queue, monkeypatch, capsys):
    trained = []

    def counted(*arguments, **options) -> TrainingRun:
        trained.append(options["run_dir"].name)
        return fit(*arguments, **options)

    monkeypatch.setattr(tool, "fit", counted)
    queue(toy("one"), toy("two"))
    assert call("run", "two") == 0
    assert call("run") == 0
    assert call("run") == 0
    assert trained == ["two_0", "one_0"]
    # A longer run goes on; another loss would be another run.
    queue(toy("one", epochs=2), toy("two", "{ l1 = 1.0 }"))
    assert call("run") == 1
    assert "two_0: " in capsys.readouterr().err
    assert trained[2:] == ["one_0", "two_0"]
    assert call("keep", "two") == 1


def test_an_interrupted_recording_is_resumed_and_loses_an_epoch_at_most(queue, monkeypatch):
    queue(toy("one", epochs=2))
    save_row = RunKeeper.row

    def interrupted(keeper, trainer, module):
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt
        return save_row(keeper, trainer, module)

    monkeypatch.setattr(RunKeeper, "row", interrupted)
    assert call("run") == 130
    (one,) = tool.chosen(["one"])
    assert not one.finished
    first = load_history(one.folder / "history.json").rows
    assert len(first) == 1
    assert call("keep", "one") == 1
    monkeypatch.setattr(RunKeeper, "row", save_row)
    assert call("run") == 0
    rows = load_history(one.folder / "history.json").rows
    assert (len(rows), rows[0]) == (2, first[0])
    assert one.finished


@pytest.mark.parametrize("shipped", ["none", "others", "its own"])
def test_a_history_is_kept_beside_the_weights_of_its_own_run_only(shipped, queue):
    queue(toy("one"))
    (one,) = tool.chosen(["one"])
    network, others = (models.create_model("mse_cnn", widths=[4, 6]) for _ in range(2))
    models.save_weights(network, one.folder / "best.safetensors")
    History({"recipe": {"monitor": "val_loss"}}).save(one.folder / "history.json")
    if shipped != "none":
        kept = network.half().float() if shipped == "its own" else others
        models.save_weights(kept, weights_file.SHIPPED / "mse_cnn_embedded.safetensors")
    assert call("keep", "one") == 1  # not finished
    assert not list(weights_file.SHIPPED.rglob("*.json"))
    (one.folder / "finished").write_text(one.definition)
    assert call("keep", "one") == 0
    name = "mse_cnn_embedded.history.json" if shipped == "its own" else "recordings/one_0.json"
    (target,) = weights_file.SHIPPED.rglob("*.json")
    assert target == weights_file.SHIPPED / name
    assert target.read_bytes() == (one.folder / "history.json").read_bytes()


@pytest.mark.parametrize(
    ("entries", "message"),
    [(toy("one").replace("why", "reason"), "reason"), ("[one]\nlesson = '03'\n", "missing")],
)
def test_wrong_entries_are_named(entries, message, queue, capsys):
    queue(entries)
    assert call("list") == 1
    assert message in capsys.readouterr().err


def test_an_unknown_name_trains_nothing(queue, capsys):
    queue(toy("one"))
    assert call("run", "one", "two") == 1
    assert "no recording called 'two'" in capsys.readouterr().err
    assert not tool.runs_dir().exists()
