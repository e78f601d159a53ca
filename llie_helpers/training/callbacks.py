"""Lightning callbacks: averaged weights, the run's files, and its progress line."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping, WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from llie_helpers.files import atomic_path
from llie_helpers.images import save_image
from llie_helpers.models import weights as weights_file
from llie_helpers.training.history import History
from llie_helpers.training.module import EnhancementModule


class MovingAverage(WeightAveraging):
    """Validate and keep an exponential moving average of the weights.

    Lightning's WeightAveraging with two changes (its EMAWeightAveraging averages tensor by tensor,
    which is slower).

    Args:
        decay: decay of the average per step, such as 0.999.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=get_ema_multi_avg_fn(decay))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Lightning moves the module to the GPU only later, and would average on the CPU.
        pl_module.to(trainer.strategy.root_device)
        super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not copy the average into the module: a discriminator would lose its own weights."""


class Patience(EarlyStopping):
    """Lightning's EarlyStopping, but a resumed run has the patience that its recipe asks for."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict | {"patience": self.patience})

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience


class RunKeeper(Checkpoint):
    """Keep the history, the best weights, snapshots and a checkpoint to resume from.

    Lightning's ModelCheckpoint is not used, because the best weights are to be safetensors, and
    because it is not atomic if the temporary folder is on another disk. As a `Checkpoint`, this
    runs after all other callbacks of an epoch, so that a checkpoint holds the complete epoch.

    Args:
        folder: where history.json, best.safetensors, last.ckpt and snapshots/ are written.
        history: the run's settings, to which rows are added.
        crops: crops per epoch.
        snapshot_every: epochs between snapshots: the first validation image and the weights, to
            go back to; 0 for none.
    """

    def __init__(self, folder: Path, history: History, crops: int, snapshot_every: int) -> None:
        self.folder, self.history = folder, history
        self.crops, self.snapshot_every = crops, snapshot_every
        self.loaded = 0  # epochs that the checkpoint brought

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.history.rows, "stopped_early": self.history.stopped_early}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history.rows = state_dict["rows"]
        self.loaded = len(self.history.rows)
        self.history.stopped_early = state_dict["stopped_early"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.started = time.monotonic() - self.history.seconds

    def snapshot(self, epoch: int) -> Path | None:
        """Return where a snapshot of this epoch, counted from 1, goes, without a suffix."""
        due = self.snapshot_every and (epoch - 1) % self.snapshot_every == 0
        return self.folder / "snapshots" / f"epoch_{epoch:03}" if due else None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        snapshot = self.snapshot(trainer.current_epoch + 1)
        if snapshot and trainer.is_global_zero:
            assert isinstance(pl_module, EnhancementModule)
            save_image(snapshot.with_suffix(".png"), pl_module.snapshot)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, EnhancementModule)
        self.history.rows.append(self.row(trainer, pl_module))
        self.history.stopped_early = trainer.should_stop
        last = self.folder / "last.ckpt"
        if trainer.is_global_zero:
            self.history.save(self.folder / "history.json")
        # All processes have to call it, but only the first one writes.
        with atomic_path(last) if trainer.is_global_zero else nullcontext(last) as path:
            trainer.save_checkpoint(path)

    def row(self, trainer: Trainer, module: EnhancementModule) -> dict[str, Any]:
        """Return the row of the epoch that ends; see `History`."""
        measured = {key: value.item() for key, value in trainer.callback_metrics.items()}
        weights = {name: weight for name, weight in module.loss.weights.items() if weight}
        epoch = trainer.current_epoch + 1
        return {
            "epoch": epoch,
            "steps": module.step,
            "crops": epoch * self.crops,
            "seconds": time.monotonic() - self.started,
            **{key: value for key, value in measured.items() if not key.startswith("terms/")},
            "loss_weights": weights,
            "loss_terms": {name: measured[f"terms/{name}"] for name in weights},
        }

    def on_save_checkpoint(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        if not trainer.is_global_zero:
            return
        row, settings = self.history.rows[-1], self.history.settings
        # The checkpoint has the validated weights, which are averaged with `MovingAverage`.
        prefix, state = "model.", checkpoint["state_dict"]
        state = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        paths = [self.folder / "best.safetensors"] if row is self.history.best else []
        if snapshot := self.snapshot(row["epoch"]):
            paths.append(snapshot.with_suffix(".safetensors"))
        for path in paths:
            weights_file.save(state, path, settings["model"], settings["options"])


class ProgressLine(Callback):
    """One line for the whole run: batches done, time left and the latest scores.

    Lightning's own bar restarts in each epoch and does not show when the run ends.
    """

    bar: tqdm | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert trainer.max_epochs is not None
        self.bar = tqdm(
            total=trainer.max_epochs * trainer.num_training_batches,
            initial=trainer.current_epoch * trainer.num_training_batches,
            desc="training",
            unit="batch",
            mininterval=0.5 if sys.stderr.isatty() else 30,
            # Only where needed: it overrides TQDM_DISABLE, which keeps built notebooks clean.
            **({} if trainer.is_global_zero else {"disable": True}),
        )

    def on_train_batch_end(self, *_: Any) -> None:
        assert self.bar is not None
        self.bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self.bar is not None
        scores = trainer.callback_metrics
        self.bar.set_postfix_str(
            f"epoch {trainer.current_epoch + 1}, train {scores['train_loss']:.4f}, "
            f"val {scores['val_loss']:.4f}, {scores['val_psnr']:.2f} dB"
        )

    def teardown(self, *_: Any, **__: Any) -> None:
        if self.bar is not None:
            self.bar.close()
