"""Structural similarity as a loss: the metric of ``metrics.ssim``, made cheap to train on."""

import torch
from torch import Tensor
from torch.nn import functional as F

from llie_helpers.errors import CourseError
from llie_helpers.losses.precision import full_precision

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2  # stabilisers of the two ratios, for data range 1
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@full_precision
def ssim_loss(enhanced: Tensor, normal: Tensor) -> Tensor:
    """``1 - SSIM`` (Wang et al., IEEE TIP 2004) over the valid region, in [0, 2].

    Args:
        enhanced, normal: images (N, C, H, W) in [0, 1], at least 11x11.

    Raises:
        CourseError: the images are smaller than the window.
    """
    _scales(enhanced)
    similarity, _ = _similarity(enhanced, normal)
    return 1 - similarity.mean()


@full_precision
def ms_ssim_loss(enhanced: Tensor, normal: Tensor) -> Tensor:
    """``1 - MS-SSIM`` (Wang, Simoncelli and Bovik, Asilomar 2003), in [0, 1].

    The contrast-structure term at each scale and the luminance at the coarsest, each halved
    in size by 2x2 averages, multiplied with the paper's exponents. All five scales need
    176x176 pixels; a smaller image gets as many as fit, with the exponents rescaled to
    their usual sum of 1.

    Args:
        enhanced, normal: images (N, C, H, W) in [0, 1], at least 11x11.

    Raises:
        CourseError: the images are smaller than the window.
    """
    scales = _scales(enhanced)
    exponents = enhanced.new_tensor(SCALE_WEIGHTS[:scales])
    terms = []
    for scale in range(scales):
        if scale:
            enhanced, normal = F.avg_pool2d(enhanced, 2), F.avg_pool2d(normal, 2)
        similarity, contrast = _similarity(enhanced, normal)
        terms.append(similarity if scale == scales - 1 else contrast)
    # A power of a negative number is not defined, and that of 0 has no finite slope.
    values = torch.stack(terms).clamp_min(1e-6)
    return 1 - (values ** (exponents / exponents.sum()).view(-1, 1)).prod(0).mean()


def _scales(image: Tensor) -> int:
    """How many times an image can be halved, counting itself, before the window is too large."""
    side = min(image.shape[-2:])
    if side < WINDOW:
        raise CourseError(
            f"The SSIM loss needs images of at least {WINDOW}x{WINDOW} pixels, but these are "
            f"{image.shape[-2]}x{image.shape[-1]}; train on larger crops."
        )
    return sum(side // 2**scale >= WINDOW for scale in range(len(SCALE_WEIGHTS)))


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mean SSIM and mean contrast-structure term of each image, both (N,)."""
    # The sum of both variances is all that SSIM needs, so four blurs do instead of five.
    mean_a, mean_b, square, product = _blur(torch.cat([a, b, a * a + b * b, a * b])).chunk(4)
    means_square, means_product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
    contrast = (2 * (product - means_product) + C2) / (square - means_square + C2)
    luminance = (2 * means_product + C1) / (means_square + C1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _blur(images: Tensor) -> Tensor:
    """Gaussian mean at each place where the window fits: (N, C, H, W) to (N, C, H-10, W-10).

    The window is a product of a column and a row: 22 products a pixel instead of 121. All
    planes are channels of one image, which is several times faster on a CPU than a batch.
    """
    n, channels, height, width = images.shape
    planes = n * channels
    offsets = torch.arange(WINDOW, device=images.device, dtype=images.dtype) - WINDOW // 2
    window = torch.softmax(-offsets.square() / (2 * SIGMA**2), dim=0)
    column = window.view(1, 1, -1, 1).expand(planes, -1, -1, -1)
    row = window.view(1, 1, 1, -1).expand(planes, -1, -1, -1)
    blurred = images.reshape(1, planes, height, width)
    blurred = F.conv2d(F.conv2d(blurred, column, groups=planes), row, groups=planes)
    return blurred.view(n, channels, *blurred.shape[-2:])
