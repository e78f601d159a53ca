"""Scores of the rebuilt systems, trained under the protocols of their authors."""

import json
from dataclasses import dataclass
from pathlib import Path

# Measured on LOL v1 by `tools/reruns.py`, one file per network.
KEPT = Path(__file__).resolve().parent / "rerun_results"


@dataclass(frozen=True)
class Scores:
    """PSNR in dB and SSIM."""

    psnr: float
    ssim: float

    def __str__(self) -> str:
        return f"{self.psnr:.2f} dB, SSIM {self.ssim:.3f}"


@dataclass(frozen=True)
class Rerun:
    """One network, trained under the protocol of its authors and evaluated in three ways.

    Attributes:
        model: the network's name.
        parameters: number of learned values.
        epochs: number of epochs.
        seconds: wall-clock time of training.
        own: under the authors' protocol, on the images used for model selection.
        test: under the authors' protocol, on the test images.
        frozen: under the course's protocol, on the test images at full size.
    """

    model: str
    parameters: int
    epochs: int
    seconds: float
    own: Scores
    test: Scores
    frozen: Scores

    def __str__(self) -> str:
        return (
            f"{self.model}, {self.parameters:,} parameters: {self.epochs} epochs in "
            f"{self.seconds:.0f} s\n"
            f"authors' protocol, images of model selection: {self.own}\n"
            f"authors' protocol, test images:               {self.test}\n"
            f"frozen protocol, test images:                 {self.frozen}"
        )


def kept(model: str) -> Rerun | None:
    """Return the kept scores of a network on LOL v1, or None."""
    path = KEPT / f"{model}.json"
    if not path.is_file():
        return None
    entries = json.loads(path.read_text())
    entries |= {name: Scores(**entries[name]) for name in ("own", "test", "frozen")}
    return Rerun(**entries)
