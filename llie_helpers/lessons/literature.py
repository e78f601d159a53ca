"""Published scores: networks for comparison, and the five systems that the course rebuilds."""

from typing import NamedTuple


class Peer(NamedTuple):
    """A published network on LOL v1's 15 test pairs, RGB at full resolution.

    Attributes:
        parameters: number of learned values.
        psnr: in dB.
        ssim: as the source computes it; its window may differ from the course's.
        psnr_gt_mean: in dB, if re-measured; else None.
        source: "published" in its paper, or "re-measured" under the course's protocol with its
            authors' weights.
        paper: where it was published.
    """

    name: str
    parameters: int
    psnr: float
    ssim: float
    psnr_gt_mean: float | None
    source: str
    paper: str


PEERS = [
    Peer("Zero-DCE", 79_416, 14.86, 0.559, 20.95, "re-measured", "Guo et al., CVPR 2020"),
    Peer("PairLIE", 341_767, 19.52, 0.736, 23.21, "re-measured", "Fu et al., CVPR 2023"),
    Peer("FLOL", 94_518, 21.07, 0.816, 24.75, "re-measured", "Benito et al., 2025"),
    Peer("IAT", 91_154, 23.38, 0.808, 25.32, "re-measured", "Cui et al., BMVC 2022"),
    Peer("LYT-Net", 45_000, 21.59, 0.812, None, "published", "Brateanu et al., 2024"),
    Peer("CPGA-Net+", 60_378, 22.55, 0.815, 25.28, "re-measured", "Weng et al., 2024"),
    Peer("CPGA-Net++", 62_304, 22.24, 0.836, 25.74, "re-measured", "Weng et al., 2024"),
    Peer("CIDNet", 1_980_000, 23.61, 0.870, None, "published", "Yan et al., CVPR 2025"),
    Peer("URWKV", 2_250_000, 24.27, 0.856, None, "published", "Xu et al., CVPR 2025"),
    Peer("Retinexformer", 1_610_000, 25.15, 0.845, None, "published", "Cai et al., ICCV 2023"),
]


class System(NamedTuple):
    """A published system that the course rebuilds.

    Attributes:
        title: what it is.
        lesson: the number of the lesson that rebuilds it.
        model: the network's name in the course.
        reported: the score that its authors report.
        measured_on: the images and the protocol of that score.
    """

    title: str
    lesson: str
    model: str
    reported: str
    measured_on: str


SYSTEMS = [
    System(
        "encoder-decoder CNN with MSE",
        "03",
        "mse_cnn",
        "19.08 dB",
        "images resized to 128x128; a random fifth of all files, on which training was also "
        "stopped; one error pooled over all pixels",
    ),
    System("U-Net with perceptual loss", "04", "unet", "no score", "256x256, 10 epochs"),
    System(
        "residual CNN behind a histogram regressor",
        "05",
        "residual",
        "24.57 dB",
        "validation images whose targets the regressor was fitted to",
    ),
    System("pix2pix GAN", "06", "pix2pix", "no score", "256x256, 100 epochs"),
    System(
        "CNN-FFT dual branch",
        "07",
        "fft_dual_branch",
        "18.64 dB, SSIM 0.797 on LOL v1; 19.19 dB, 0.825 on LOL v2 real",
        "output and target resized to 224x224; the checkpoint with the best test SSIM; stage one "
        "trained on 91 of the 100 test targets of LOL v2 real",
    ),
]
