"""The systems that the course rebuilds, as re-run by `tools/reruns.py` under their own protocols."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from llie_helpers.files import atomic_path

# What was measured on LOL v1, one file per network.
KEPT = Path(__file__).resolve().parent / "rerun_results"


@dataclass(frozen=True)
class Scores:
    """PSNR in dB and SSIM, as the system takes them or under the frozen protocol."""

    psnr: float
    ssim: float

    def __str__(self) -> str:
        return f"{self.psnr:.2f} dB, SSIM {self.ssim:.3f}"


@dataclass(frozen=True)
class Rerun:
    """One network, trained as a system trains, and scored three ways.

    Args:
        own: the system's protocol, on the images that chose its weights.
        test: the same way on the test images.
        frozen: the course's protocol on the test images at full size.
    """

    model: str
    parameters: int
    epochs: int
    seconds: float
    own: Scores
    test: Scores
    frozen: Scores

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.model}, {self.parameters:,} parameters: {self.epochs} epochs in "
                f"{self.seconds:.0f} s",
                f"its protocol, the images that chose: {self.own}",
                f"its protocol, test images:           {self.test}",
                f"frozen protocol, test images:        {self.frozen}",
            ]
        )

    def keep(self) -> Path:
        """Write it into the package, for lesson 08; returns the file."""
        path = KEPT / f"{self.model}.json"
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")
        return path


def kept(model: str) -> Rerun | None:
    """What the course measured for a network on LOL v1, if it has run it."""
    path = KEPT / f"{model}.json"
    if not path.is_file():
        return None
    entries = json.loads(path.read_text())
    scores = {name: Scores(**entries.pop(name)) for name in ("own", "test", "frozen")}
    return Rerun(**entries, **scores)
