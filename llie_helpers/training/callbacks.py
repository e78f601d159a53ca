"""What happens between epochs: the run's record, its files and its progress line."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from tqdm import tqdm

from llie_helpers.files import atomic_path
from llie_helpers.images import save_image
from llie_helpers.models import weights as weights_file


class RunKeeper(Checkpoint):
    """Keep the history, the best weights, snapshots and a checkpoint to resume from.

    It is a Lightning `Checkpoint`, so that it runs after everything else of an epoch and
    the checkpoint holds the epoch whole.

    Args:
        folder: gets best.safetensors, last.ckpt and snapshots/.
        monitor: "val_loss" (lower is better), "val_psnr" or "val_ssim".
        snapshot_every: epochs between snapshots of the first validation image; 0: none.
    """

    def __init__(self, folder: Path, monitor: str, snapshot_every: int):
        self.folder, self.monitor, self.snapshot_every = folder, monitor, snapshot_every
        self.history: list[dict] = []
        self.seconds = 0.0
        self.stopped_early = False

    def state_dict(self) -> dict:
        return {
            "history": self.history,
            "seconds": self.seconds,
            "stopped_early": self.stopped_early,
        }

    def load_state_dict(self, state: dict) -> None:
        self.history, self.seconds = state["history"], state["seconds"]
        self.stopped_early = state["stopped_early"]

    def on_train_start(self, trainer, module) -> None:
        trainer.should_stop = self.stopped_early
        self.started = time.monotonic() - self.seconds

    def on_train_epoch_end(self, trainer, module) -> None:
        measured = {key: value.item() for key, value in trainer.callback_metrics.items()}
        columns = ("train_loss", "val_loss", "val_psnr", "lr")
        row = {"epoch": trainer.current_epoch + 1}
        row |= {key: measured[key] for key in columns} | measured
        self.history.append(row)
        if trainer.is_global_zero and row is best_row(self.history, self.monitor):
            made = module.model
            path = self.folder / "best.safetensors"
            weights_file.save(module.eval_network, path, made.name, made.options)
        self.seconds = time.monotonic() - self.started
        self.stopped_early = trainer.should_stop
        last = self.folder / "last.ckpt"
        # All processes take part in saving, but only the first one writes.
        with atomic_path(last) if trainer.is_global_zero else nullcontext(last) as path:
            trainer.save_checkpoint(path)

    def on_validation_end(self, trainer, module) -> None:
        due = self.snapshot_every and trainer.current_epoch % self.snapshot_every == 0
        if due and trainer.is_global_zero:
            low = module.val_set[0][0][None].to(module.device)
            with torch.no_grad():
                enhanced = module.eval_network(low)[0]
            name = f"epoch_{trainer.current_epoch + 1:03}.png"
            save_image(self.folder / "snapshots" / name, enhanced)


def best_row(history: list[dict], monitor: str) -> dict:
    """The first row of ``history`` with the lowest val_loss, or the highest of a score."""
    sign = 1 if monitor == "val_loss" else -1
    return min(history, key=lambda row: sign * row[monitor])


class ProgressLine(Callback):
    """One line for the whole run: batches done, time left and the latest scores."""

    def on_train_start(self, trainer, module) -> None:
        self.bar = tqdm(
            total=trainer.max_epochs * trainer.num_training_batches,
            initial=trainer.current_epoch * trainer.num_training_batches,
            desc="training",
            unit="batch",
            mininterval=0.5 if sys.stderr.isatty() else 30,
            # An argument would overrule TQDM_DISABLE, which keeps built notebooks clean.
            **({} if trainer.is_global_zero else {"disable": True}),
        )

    def on_train_batch_end(self, trainer, module, *_) -> None:
        self.bar.update()

    def on_train_epoch_end(self, trainer, module) -> None:
        scores = trainer.callback_metrics
        self.bar.set_postfix_str(
            f"epoch {trainer.current_epoch + 1}, train {scores['train_loss']:.4f}, "
            f"val {scores['val_loss']:.4f}, {scores['val_psnr']:.2f} dB"
        )

    def teardown(self, trainer, module, stage: str) -> None:
        if hasattr(self, "bar"):
            self.bar.close()
