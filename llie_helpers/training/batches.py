"""Batches of a training run, which depend only on seed and epoch."""

from typing import Any

import lightning
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from llie_helpers.errors import CourseError


def epoch_loader(
    train: Dataset, batch_size: int, seed: int, epoch: int, processes: int = 1, rank: int = 0
) -> DataLoader:
    """Return the batches of one epoch, in an order that depends only on ``seed`` and ``epoch``.

    A resumed run, or one shared by several processes, therefore sees the same batches as an
    uninterrupted run by one process; each process gets its share of each batch.

    Args:
        train: a dataset of crops; its ``set_epoch`` is called if it has one.
        batch_size: crops per batch, over all processes.
        seed: seed of the order.
        epoch: counted from 0.
        processes: number of processes that share the run.
        rank: rank of this process.

    Raises:
        CourseError: ``batch_size`` is not divisible by ``processes``.
    """
    if batch_size % processes:
        raise CourseError(f"A batch of {batch_size} cannot be shared by {processes} processes.")
    if hasattr(train, "set_epoch"):
        train.set_epoch(epoch)
    sampler: DistributedSampler[Any] = DistributedSampler(
        train, processes, rank, shuffle=True, seed=seed
    )
    sampler.set_epoch(epoch)
    return DataLoader(train, batch_size // processes, sampler=sampler)


class TrainingData(lightning.LightningDataModule):
    """The training and validation data of a run.

    Args:
        train, val: datasets of ``(low, normal)``, each ``(3, H, W)``; images of ``val`` may differ
            in size, because its batch size is 1.
    """

    def __init__(self, train: Dataset, val: Dataset, batch_size: int, seed: int) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader:
        # Lightning calls this in each epoch: see reload_dataloaders_every_n_epochs.
        trainer = self.trainer
        assert trainer is not None
        return epoch_loader(
            self.train,
            self.batch_size,
            self.seed,
            trainer.current_epoch,
            trainer.world_size,
            trainer.global_rank,
        )

    def val_dataloader(self) -> DataLoader:
        # Every process validates all images, so that scores are exact.
        return DataLoader(self.val)
