"""The Lightning modules of `training.fit`.

`EnhancementModule` has what supervised and adversarial training share: validation on whole images,
reproducible dropout and a check of the loss. `Supervised` adds the training step; adversarial
training is in `adversarial`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.losses import WeightedLoss, ssim_loss
from llie_helpers.metrics import psnr
from llie_helpers.models.network import Network
from llie_helpers.training.recipe import Recipe

# The course's losses start at 100 or less; one this large is diverging.
EXPLODED = 1e4

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
ADAM_BETA2 = 0.999  # PyTorch's default, as in the papers


class EnhancementModule(lightning.LightningModule):
    """A network with its loss, recipe and seed; validates after each epoch.

    Args:
        model: maps ``(N, 3, H, W)`` in [0, 1] to the same.
        halves: "a" or "b" for each validation image, to score the two halves separately; or "".
    """

    def __init__(self, model: Network, recipe: Recipe, seed: int, halves: str) -> None:
        super().__init__()
        self.model, self.recipe, self.seed, self.halves = model, recipe, seed, halves
        self.loss = WeightedLoss(recipe.loss)
        self.objective = model.objective(**recipe.objective)

    def training_loss(self, *batch: Tensor) -> Tensor:
        """Return the loss to minimise on a batch."""
        return self.objective(self.loss, *batch)

    def on_train_epoch_start(self) -> None:
        self.loss.set_epoch(self.current_epoch)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout uses torch's global generator; seed it in each epoch, so that a resumed run draws
        # the same numbers as an uninterrupted one.
        if batch_idx == 0:
            seeds = np.random.SeedSequence((self.seed, self.current_epoch, self.global_rank))
            torch.manual_seed(int(seeds.generate_state(1)[0]))

    def log_training(self, losses: Mapping[str, Tensor]) -> None:
        """Log the losses of a step, and the unweighted terms, as means over the epoch."""
        terms = {f"terms/{name}": value for name, value in self.loss.terms.items()}
        self.log_dict({**losses, **terms}, on_step=False, on_epoch=True, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        # Processes have different batch statistics, but must validate the same network.
        if self.trainer.world_size > 1:
            for buffer in self.model.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        low, normal = batch
        enhanced = self.model(low)
        loss = self.checked(self.loss(enhanced, normal))
        if batch_idx == 0:
            self.snapshot = enhanced[0].float()
        enhanced = quantise(enhanced.float())
        scores = {"val_loss": loss, "val_psnr": psnr(enhanced, normal).mean()}
        # Equal to the metric, but ten times as fast.
        scores["val_ssim"] = 1 - ssim_loss(enhanced, normal)
        if self.halves:
            scores[f"val_psnr_{self.halves[batch_idx]}"] = scores["val_psnr"]
        self.log_dict(scores, batch_size=1)

    def checked(self, loss: Tensor) -> Tensor:
        """Return ``loss``, or raise a `CourseError` if it is NaN, infinite or diverging."""
        if not loss.abs() < EXPLODED:
            raise CourseError(
                f"The loss became {loss.item():.3g} at step {self.step} of epoch "
                f"{self.current_epoch + 1} with learning rate {self.learning_rate:.3g}; lower the "
                "learning rate or set gradient_clip = 1.0 (the last good checkpoint is kept)."
            )
        return loss

    @property
    def step(self) -> int:
        """Return the number of steps so far; Lightning adds up those of all optimisers."""
        return self.global_step // len(self.trainer.optimizers)

    @property
    def learning_rate(self) -> float:
        """Return the current learning rate of the first parameter group."""
        return self.trainer.optimizers[0].param_groups[0]["lr"]

    def optimizer(self, parameters: Iterable[Any]) -> torch.optim.Optimizer:
        """Return the recipe's optimiser for ``parameters``, or for groups of them."""
        return OPTIMIZERS[self.recipe.optimizer](
            parameters,
            lr=self.recipe.learning_rate,
            betas=(self.recipe.beta1, ADAM_BETA2),
            weight_decay=self.recipe.weight_decay,
        )

    def on_train_epoch_end(self) -> None:
        self.log("lr", self.learning_rate)


class Supervised(EnhancementModule):
    """Supervised training with the network's objective."""

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        loss = self.checked(self.training_loss(*batch))
        self.log_training({"train_loss": loss.detach()})
        return loss

    def configure_optimizers(self) -> Any:
        recipe = self.recipe
        optimizer = self.optimizer(self.objective.parameter_groups())
        if recipe.schedule == "plateau":
            scheduler: Any = ReduceLROnPlateau(
                optimizer,
                mode=recipe.mode,
                factor=recipe.plateau_factor,
                patience=recipe.plateau_patience,
                min_lr=recipe.min_lr,
            )
            schedule = {"scheduler": scheduler, "interval": "epoch", "monitor": recipe.monitor}
        elif recipe.schedule == "cosine":
            steps = self.trainer.estimated_stepping_batches
            scheduler = LambdaLR(optimizer, partial(cosine, end=steps, warmup=recipe.warmup))
            schedule = {"scheduler": scheduler, "interval": "step"}
        else:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        # Lightning would step a plateau schedule after writing the epoch's checkpoint, and a
        # resumed run would miss that step; see on_train_epoch_end.
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(self.trainer.callback_metrics[self.recipe.monitor])


def cosine(step: int, end: float, warmup: int = 0) -> float:
    """Return the factor of the learning rate: half a cosine, from 1 at step 0 to 0 at ``end``.

    In the first ``warmup`` steps, it is multiplied by a factor that rises linearly to 1.
    """
    rise = min((step + 1) / warmup, 1.0) if warmup else 1.0
    return rise * (1 + math.cos(math.pi * min(step / end, 1.0))) / 2
