"""Adversarial training as in pix2pix: the Lightning module of `training.fit` for a GAN."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from llie_helpers.losses import gan_discriminator_loss, gan_generator_loss
from llie_helpers.models.network import Network
from llie_helpers.training.module import EnhancementModule
from llie_helpers.training.recipe import Recipe


class Adversarial(EnhancementModule):
    """Train a generator and a discriminator alternately (Isola et al., CVPR 2017).

    On each batch the discriminator first learns to distinguish real from generated pairs; then
    the generator learns to fool it, and to match the target by the recipe's loss (L1 with weight
    100 in the paper). The history also has ``adversarial_loss`` and ``discriminator_loss``;
    ``train_loss`` and ``val_loss`` are the recipe's loss.

    Args:
        discriminator: maps ``(low, image)`` to logits of any shape.
        model, recipe, seed, halves: see `EnhancementModule`.
    """

    # Two optimisers alternate, which Lightning supports only in manual optimisation.
    automatic_optimization = False

    def __init__(
        self, model: Network, discriminator: nn.Module, recipe: Recipe, seed: int, halves: str
    ) -> None:
        super().__init__(model, recipe, seed, halves)
        self.discriminator = discriminator

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        low, normal = batch
        optimizers: Any = self.optimizers()
        generator, discriminator = optimizers
        enhanced = self.model(low)

        real = self.discriminator(low, normal)
        # Detached, so that the generator gets no gradient of the discriminator's loss.
        fake = self.discriminator(low, enhanced.detach())
        discriminator_loss = self.checked(gan_discriminator_loss(real, fake))
        self.update(discriminator, discriminator_loss, batch_idx)

        # The generator's loss must not add gradients to the discriminator.
        self.toggle_optimizer(generator)
        loss, adversarial_loss = self.generator_losses(low, normal, enhanced)
        total = self.recipe.adversarial * adversarial_loss + loss
        self.update(generator, self.checked(total), batch_idx)
        self.untoggle_optimizer(generator)

        self.log_training(
            {
                "train_loss": loss.detach(),
                "adversarial_loss": adversarial_loss.detach(),
                "discriminator_loss": discriminator_loss.detach(),
            }
        )

    def generator_losses(
        self, low: Tensor, normal: Tensor, enhanced: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the recipe's loss and the adversarial loss."""
        return self.loss(enhanced, normal), gan_generator_loss(self.discriminator(low, enhanced))

    def training_loss(self, *batch: Tensor) -> Tensor:
        low, normal = batch
        loss, adversarial_loss = self.generator_losses(low, normal, self.model(low))
        return self.recipe.adversarial * adversarial_loss + loss

    def update(self, optimizer: Any, loss: Tensor, batch_idx: int) -> None:
        """Accumulate the gradient of ``loss``, and step after ``accumulate`` batches."""
        self.manual_backward(loss / self.recipe.accumulate)
        if (batch_idx + 1) % self.recipe.accumulate == 0 or self.trainer.is_last_batch:
            optimizer.step()
            optimizer.zero_grad()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        # Not before `optimizer.step()`: half precision unscales the gradients within it.
        if self.recipe.gradient_clip:
            self.clip_gradients(optimizer, self.recipe.gradient_clip, "norm")

    def configure_optimizers(self) -> list[Optimizer]:
        return [self.optimizer(net.parameters()) for net in (self.model, self.discriminator)]
