"""Adversarial training: the two sides, their turns, resuming and sharing."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import lightning
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from toys import kill_in, numbers, toy_pairs, weights

from llie_helpers.errors import CourseError
from llie_helpers.lessons.checks.lesson_06 import gan_step
from llie_helpers.models import create_model
from llie_helpers.models.network import Network
from llie_helpers.models.patchgan import PatchGAN
from llie_helpers.training import fit, load_history
from llie_helpers.training.adversarial import Adversarial
from llie_helpers.training.recipe import Recipe

GAN = Recipe(
    epochs=3,
    crops_per_epoch=8,
    crop_size=48,
    batch_size=4,
    loss={"l1": 100.0},
    adversarial=1.0,
    learning_rate=2e-4,
    beta1=0.5,
    schedule="constant",
)
SIZE = {"height": 56, "width": 60}


def generator(**options) -> nn.Module:
    torch.manual_seed(0)
    return create_model("pix2pix", **({"width": 2, "blocks": 1} | options))


def adversary() -> nn.Module:
    torch.manual_seed(1)
    return PatchGAN(width=2)


def train(folder, model=None, recipe=GAN, **changes):
    model = model or generator()
    discriminator = adversary()
    pairs = [toy_pairs("toy/train", **SIZE), toy_pairs("toy/val", 2, seed=1, **SIZE)]
    run = fit(
        model,
        *pairs,
        recipe,
        discriminator=discriminator,
        run_dir=folder,
        progress=False,
        **changes,
    )
    return model, discriminator, run


def test_both_learn_and_the_history_tells_of_both(tmp_path):
    model, discriminator, run = train(tmp_path)
    assert run.history[0].keys() >= {"adversarial_loss", "discriminator_loss", "train_loss"}
    assert not torch.equal(weights(model), weights(generator()))
    assert not torch.equal(weights(discriminator), weights(adversary()))


def test_a_batch_is_what_the_paper_does(tmp_path):
    """One step by Lightning against the step that students write in lesson 06."""
    settings = {"epochs": 1, "crops_per_epoch": 4, "augment": False, "loss": {"l1": 200.0}}
    low, normal = (torch.rand(4, 3, 48, 48) for _ in range(2))
    pairs = [(low[i], normal[i]) for i in range(4)]
    model, discriminator = generator(dropout=0.0), adversary()
    fit(model, pairs, pairs[:1], GAN, discriminator=discriminator, run_dir=tmp_path, progress=False,
        **settings)  # fmt: skip

    by_hand, its_discriminator = generator(dropout=0.0), adversary()
    adam = {"lr": 2e-4, "betas": (0.5, 0.999)}
    optimizers = [
        torch.optim.Adam(net.parameters(), **adam) for net in (by_hand, its_discriminator)
    ]
    gan_step.reference(by_hand, its_discriminator, optimizers, low, normal, weight=1.0)
    # The order of the crops within the batch differs, and with it the rounding.
    for ours, theirs in ((model, by_hand), (discriminator, its_discriminator)):
        moved = dict(theirs.named_parameters())
        for name, parameter in ours.named_parameters():
            # Adam's first step is the sign of the gradient, so rounding may flip a tiny one.
            same = torch.isclose(parameter, moved[name], atol=1e-5).float().mean()
            assert same > 0.97, name


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9, "gradient_clip": 0.5}])
@pytest.mark.parametrize("killed_in_epoch", [0, 2])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path, monkeypatch, killed_in_epoch, changes):
    whole, its_discriminator, expected = train(tmp_path / "a", **changes)
    kill_in(monkeypatch, Adversarial, killed_in_epoch)
    with pytest.raises(MemoryError):
        train(tmp_path / "b", **changes)
    monkeypatch.undo()
    resumed, discriminator, run = train(tmp_path / "b", **changes)
    assert numbers(run) == numbers(expected)
    assert torch.equal(weights(resumed), weights(whole))
    assert torch.equal(weights(discriminator), weights(its_discriminator))


class Scaled(MixedPrecision):
    """Scale the loss as half precision does, but compute in float32, on any device."""

    def __init__(self):
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu"))

    def autocast_context_manager(self):
        return nullcontext()


@pytest.mark.parametrize("scaled", [False, True])
def test_gradients_are_clipped_as_they_are_without_a_scale(tmp_path, monkeypatch, scaled):
    if scaled:
        plain = lightning.Trainer
        monkeypatch.setattr(
            lightning, "Trainer", lambda precision, **options: plain(plugins=Scaled(), **options)
        )
    norms, step = [], torch.optim.Adam.step

    def watched(optimizer, *arguments, **options):
        result = step(optimizer, *arguments, **options)
        every = (p.grad for group in optimizer.param_groups for p in group["params"])
        norms.append(torch.nn.utils.get_total_norm(grad for grad in every if grad is not None))
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train(tmp_path, recipe=GAN.changed(epochs=1, gradient_clip=0.01))
    assert max(norms).item() == pytest.approx(0.01, rel=0.01)


def test_averaging_leaves_the_discriminator_its_own_weights(tmp_path):
    _, discriminator, _ = train(tmp_path / "plain")
    model, its_discriminator, _ = train(tmp_path / "averaged", ema=1.0)  # stays at the first step
    assert torch.equal(weights(discriminator), weights(its_discriminator))
    trained = torch.load(tmp_path / "averaged" / "last.ckpt", weights_only=True)
    assert torch.equal(trained["state_dict"]["model.head.0.weight"], model.head[0].weight)


class OneLayer(Network):
    """Without batch statistics, so that small batches add up to a large one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, low):
        return torch.sigmoid(self.layer(low))


class LinearAdversary(OneLayer):
    def forward(self, low, image):
        return self.layer(low - image)


def test_small_batches_add_up_to_a_large_one(tmp_path):
    pairs = [toy_pairs("toy/train", **SIZE), toy_pairs("toy/val", 2, seed=1, **SIZE)]
    found = []
    for batch in (4, 2):
        model, discriminator = OneLayer(), LinearAdversary()
        sizes = {"batch_size": batch, "accumulate": 4 // batch, "learning_rate": 1e-2}
        fit(model, *pairs, GAN, discriminator=discriminator, run_dir=tmp_path / str(batch),
            progress=False, **sizes)  # fmt: skip
        found.append((model, discriminator))
    for one, two in zip(*found, strict=True):
        assert torch.allclose(weights(one), weights(two), atol=1e-4)


DISTRIBUTED = """
import sys
sys.path.insert(0, {tests!r})
import torch
from test_adversarial import *
if __name__ == "__main__":
    fit(OneLayer(), toy_pairs("toy/train", **SIZE), toy_pairs("toy/val", 2, seed=1, **SIZE), GAN,
        discriminator=LinearAdversary(), run_dir={folder!r} + "/one", progress=False, device="cpu",
        devices=2, learning_rate=1e-2)
    # With batch statistics each process has its own, but both must keep the same weights.
    model, discriminator, run = train({folder!r} + "/two", device="cpu", devices=2, ema=0.9)
    found = [weights(model), weights(discriminator), run.history.rows]
    torch.save(found, {folder!r} + f"/rank{{torch.distributed.get_rank()}}.pt")
"""


@pytest.mark.slow
def test_two_processes_train_the_same_networks(tmp_path):
    alone = OneLayer()
    pairs = [toy_pairs("toy/train", **SIZE), toy_pairs("toy/val", 2, seed=1, **SIZE)]
    run = fit(alone, *pairs, GAN, discriminator=LinearAdversary(), run_dir=tmp_path / "alone",
        progress=False, learning_rate=1e-2)  # fmt: skip
    script = tmp_path / "two.py"
    tests = str(Path(__file__).parent)
    script.write_text(DISTRIBUTED.format(tests=tests, folder=str(tmp_path)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    history = load_history(tmp_path / "one" / "history.json")
    columns = ("train_loss", "val_loss", "val_psnr", "adversarial_loss", "discriminator_loss")
    for one, two in zip(run.history, history, strict=True):
        for column in columns:
            assert one[column] == pytest.approx(two[column], rel=1e-3)
    (model, discriminator, history), (other, its_discriminator, its_history) = (
        torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert torch.equal(model, other)
    assert [r | {"seconds": 0} for r in history] == [r | {"seconds": 0} for r in its_history]
    assert torch.allclose(discriminator[:20], its_discriminator[:20])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schedule": "plateau"}, "schedule 'plateau'; it must be 'constant'"),
        ({"objective": {"weight": 1.0}}, "choose one of the two"),
    ],
)
def test_a_recipe_at_odds_with_an_adversary_is_refused(changes, sentence):
    with pytest.raises(CourseError, match=sentence):
        GAN.changed(**changes)


def test_an_exploding_adversary_stops_with_advice(tmp_path):
    class Furious(LinearAdversary):
        def forward(self, low, image):
            return 1e6 * super().forward(low, image)

    pairs = [toy_pairs("toy/train", **SIZE), toy_pairs("toy/val", 2, seed=1, **SIZE)]
    with pytest.raises(CourseError, match=r"The loss became \S+ at step 0 of epoch 1 with"):
        fit(OneLayer(), *pairs, GAN, discriminator=Furious(), run_dir=tmp_path, progress=False)


def test_the_default_adversary_is_as_wide_as_the_network(tmp_path):
    pairs = toy_pairs("toy/train", **SIZE)
    fit(generator(), pairs, pairs, GAN, run_dir=tmp_path, progress=False, epochs=1)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert saved["discriminator.layers.0.weight"].shape[0] == 2
