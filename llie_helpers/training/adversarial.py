"""Adversarial training as in pix2pix: the Lightning module behind `training.fit` for a GAN."""

import torch
from torch import nn
from torch.optim import Optimizer

from llie_helpers.losses import gan_discriminator_loss, gan_generator_loss
from llie_helpers.training.module import EnhancementModule


class Adversarial(EnhancementModule):
    """A generator trained against a discriminator (Isola et al., CVPR 2017), in turns.

    On each batch the discriminator learns first to tell the real pair from the generated
    one; then the generator learns to be taken for real, and to be near the target by the
    recipe's loss (L1 with weight 100 in the paper). ``adversarial_loss`` and
    ``discriminator_loss`` join the history; ``train_loss`` and ``val_loss`` are the recipe's.

    Args:
        discriminator: maps ``(low, image)`` to logits of any shape.
        others: as `EnhancementModule` takes them.
    """

    # Two optimisers take turns, so Lightning must leave backward and step to us.
    automatic_optimization = False

    def __init__(self, model: nn.Module, discriminator: nn.Module, *others):
        super().__init__(model, *others)
        self.discriminator = discriminator

    def training_step(self, batch, batch_idx: int) -> None:
        low, normal = batch
        generator, discriminator = self.optimizers()
        enhanced = self.model(low)

        real = self.discriminator(low, normal)
        # Detached, or the generator would learn from the discriminator's loss too.
        fake = self.discriminator(low, enhanced.detach())
        judged = self.checked(gan_discriminator_loss(real, fake))
        self.update(discriminator, judged, batch_idx)

        # The generator's loss passes through the discriminator, but must not train it.
        self.toggle_optimizer(generator)
        near = self.loss(enhanced, normal)
        fooled = gan_generator_loss(self.discriminator(low, enhanced))
        self.update(generator, self.checked(self.recipe.adversarial * fooled + near), batch_idx)
        self.untoggle_optimizer(generator)

        losses = {"train_loss": near, "adversarial_loss": fooled, "discriminator_loss": judged}
        self.log_dict(losses, on_step=False, on_epoch=True, sync_dist=True)

    def update(self, optimizer: Optimizer, loss: torch.Tensor, batch_idx: int) -> None:
        """Add the gradient of ``loss``; step when enough batches have added theirs."""
        self.manual_backward(loss / self.recipe.accumulate)
        if (batch_idx + 1) % self.recipe.accumulate == 0 or self.trainer.is_last_batch:
            if self.recipe.gradient_clip:
                self.clip_gradients(optimizer, self.recipe.gradient_clip, "norm")
            optimizer.step()
            optimizer.zero_grad()

    def on_train_batch_end(self, *_) -> None:
        self.update_average()

    def configure_optimizers(self) -> list[Optimizer]:
        return [self.optimizer(net.parameters()) for net in (self.model, self.discriminator)]
