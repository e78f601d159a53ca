"""What happens in a training step: the Lightning modules behind `training.fit`.

`EnhancementModule` holds what every kind of training shares (data as a function of seed
and epoch, validation on whole images, averaged weights); `Supervised` adds the step.
Adversarial training is in `adversarial`.
"""

import math
from functools import partial

import lightning
import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.losses import WeightedLoss
from llie_helpers.metrics import psnr, ssim
from llie_helpers.training.recipe import Recipe

# Losses of the course begin at 100 or less; far above, training has left all reason.
EXPLODED = 1e4


def epoch_loader(
    train: Dataset, batch: int, seed: int, epoch: int, processes: int = 1, rank: int = 0
) -> DataLoader:
    """Batches of one epoch, in an order that depends on ``seed`` and ``epoch`` (from 0) alone.

    A run that is resumed, or shared by several processes, therefore sees the batches of
    an uninterrupted run by one process; each of the processes gets its share of each batch.

    Raises:
        CourseError: ``batch`` cannot be shared equally by the processes.
    """
    if batch % processes:
        raise CourseError(f"A batch of {batch} cannot be shared by {processes} processes.")
    if hasattr(train, "set_epoch"):
        train.set_epoch(epoch)
    sampler = DistributedSampler(train, processes, rank, shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    return DataLoader(train, batch // processes, sampler=sampler)


def cosine(step: int, end: float) -> float:
    """What the learning rate is multiplied by: half a cosine from 1 to 0, which ``end`` reaches."""
    return (1 + math.cos(math.pi * min(step / end, 1.0))) / 2


class EnhancementModule(lightning.LightningModule):
    """A network with its data, recipe and seed; validates and averages its weights.

    Args:
        model: maps ``(N, 3, H, W)`` in [0, 1] to the same.
        train, val: datasets of ``(low, normal)``, each ``(3, H, W)``; those of ``val``
            may differ in size, because it is taken one image at a time.
    """

    def __init__(self, model: nn.Module, train: Dataset, val: Dataset, recipe: Recipe, seed: int):
        super().__init__()
        self.model, self.train_set, self.val_set = model, train, val
        self.recipe, self.seed = recipe, seed
        self.loss = WeightedLoss(recipe.loss)
        self.objective = model.objective(**recipe.objective)
        self.average = None
        if recipe.ema:
            average = get_ema_multi_avg_fn(recipe.ema)
            self.average = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
            self.average.requires_grad_(False)

    @property
    def eval_network(self) -> nn.Module:
        """The network to validate and to keep: the averaged one, if there is one."""
        return self.model if self.average is None else self.average.module

    def train_dataloader(self) -> DataLoader:
        # The trainer asks anew each epoch, see reload_dataloaders_every_n_epochs.
        trainer = self.trainer
        return epoch_loader(
            self.train_set,
            self.recipe.batch_size,
            self.seed,
            trainer.current_epoch,
            trainer.world_size,
            trainer.global_rank,
        )

    def val_dataloader(self) -> DataLoader:
        # Every process validates all images, so that the score is exact on any number of them.
        return DataLoader(self.val_set)

    def on_train_epoch_start(self) -> None:
        self.loss.set_epoch(self.current_epoch)

    def on_train_batch_start(self, batch, batch_idx: int) -> None:
        # Dropout draws from torch's generator; set it once an epoch so that a resumed
        # run draws what an uninterrupted one would.
        if batch_idx == 0:
            seeds = np.random.SeedSequence((self.seed, self.current_epoch, self.global_rank))
            torch.manual_seed(int(seeds.generate_state(1)[0]))

    def on_validation_start(self) -> None:
        # Each process has batch statistics of its own; all must validate the same network.
        if self.trainer.world_size > 1:
            for buffer in self.eval_network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch, batch_idx: int) -> None:
        low, normal = batch
        enhanced = self.eval_network(low)
        loss = self.checked(self.loss(enhanced, normal))
        scores = {"val_loss": loss, "val_psnr": psnr(quantise(enhanced), normal).mean()}
        if self.recipe.monitor == "val_ssim":
            scores["val_ssim"] = ssim(quantise(enhanced), normal).mean()
        self.log_dict(scores, batch_size=1)

    def checked(self, loss: torch.Tensor) -> torch.Tensor:
        """Return ``loss``; stop the training with advice if it is NaN, infinite or exploding."""
        if not loss.abs() < EXPLODED:
            raise CourseError(
                f"The loss became {loss.item():.3g} at step {self.step} of epoch "
                f"{self.current_epoch + 1} with learning rate {self.learning_rate:.3g}; lower the "
                "learning rate or set gradient_clip = 1.0 (the last good checkpoint is kept)."
            )
        return loss

    @property
    def step(self) -> int:
        """Steps taken so far; Lightning counts those of every optimiser."""
        return self.global_step // len(self.trainer.optimizers)

    @property
    def learning_rate(self) -> float:
        return self.trainer.optimizers[0].param_groups[0]["lr"]

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        """The recipe's optimiser for ``parameters``."""
        recipe = self.recipe
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
        return kind(
            parameters,
            lr=recipe.learning_rate,
            betas=(recipe.beta1, 0.999),
            weight_decay=recipe.weight_decay,
        )

    def update_average(self) -> None:
        """Move the averaged weights, if there are any, towards the present ones."""
        if self.average is not None:
            self.average.update_parameters(self.model)

    def on_train_epoch_end(self) -> None:
        self.log("lr", self.learning_rate)


class Supervised(EnhancementModule):
    """Training on pairs: the loss between the enhanced image and the normal-light one."""

    def training_step(self, batch, batch_idx: int) -> torch.Tensor:
        loss = self.checked(self.objective(self.loss, *batch))
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def optimizer_step(self, *arguments, **keywords) -> None:
        super().optimizer_step(*arguments, **keywords)
        self.update_average()

    def configure_optimizers(self) -> dict:
        recipe = self.recipe
        optimizer = self.optimizer(self.objective.parameter_groups())
        if recipe.schedule == "plateau":
            scheduler = ReduceLROnPlateau(
                optimizer,
                mode="min" if recipe.monitor == "val_loss" else "max",
                factor=recipe.plateau_factor,
                patience=recipe.plateau_patience,
                min_lr=recipe.min_lr,
            )
            schedule = {"scheduler": scheduler, "interval": "epoch", "monitor": recipe.monitor}
        elif recipe.schedule == "cosine":
            steps = self.trainer.estimated_stepping_batches
            ends = [steps * group.get("schedule_share", 1.0) for group in optimizer.param_groups]
            scheduler = LambdaLR(optimizer, [partial(cosine, end=end) for end in ends])
            schedule = {"scheduler": scheduler, "interval": "step"}
        else:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler, metric) -> None:
        # Lightning would step a plateau schedule after the epoch's checkpoint is written,
        # and a run resumed from it would miss that step; see on_train_epoch_end.
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(self.trainer.callback_metrics[self.recipe.monitor])
