"""A loss on the features of a classifier, which represent edges and textures."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llie_helpers.errors import CourseError
from llie_helpers.losses.precision import check_shapes


class Perceptual(nn.Module):
    """Mean squared difference of ImageNet features (Johnson, Alahi and Fei-Fei, ECCV 2016).

    The features are those of torchvision's VGG-19 up to its 18th layer (relu3_4); its weights,
    about 550 MB, are downloaded once. The network is frozen, and not stored in checkpoints.

    Called with ``enhanced`` and ``normal``, images (N, 3, H, W), RGB, in [0, 1], at least 32x32.

    Raises:
        CourseError: torchvision or the weights are missing.
    """

    LAYERS = 18

    def __init__(self) -> None:
        super().__init__()
        try:
            from torchvision.models import VGG19_Weights, vgg19

            vgg = vgg19(weights=VGG19_Weights.IMAGENET1K_V1)
        # OSError covers a failed download, RuntimeError an incompatible torchvision.
        except (ImportError, OSError, RuntimeError) as error:
            raise CourseError(
                f"The perceptual loss cannot load VGG-19 ({error}); run `pip install torchvision` "
                "and go online once, or train without it."
            ) from error
        layers = vgg.features[: self.LAYERS]
        mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet
        self.network = _frozen(nn.Sequential(Normalise(mean, std), layers))

    def forward(self, enhanced: Tensor, normal: Tensor) -> Tensor:
        check_shapes(enhanced, normal)
        with torch.no_grad():
            target = self.network(normal.float())
        return F.mse_loss(self.network(enhanced.float()).float(), target.float())


def random_vgg() -> nn.Sequential:
    """Return the layers of VGG-19 up to the 18th, a quarter as wide, with random weights, frozen.

    As features of a perceptual loss they need no training, no download and no torchvision (Liu,
    Chen, Chen, Yin and Shen, Generic Perceptual Loss for Modeling Structured Output
    Dependencies, CVPR 2021). The weights follow He et al. (ICCV 2015) and are always the same.
    They map normalised images (N, 3, H, W) to (N, 64, H/4, W/4).
    """
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # `torch.manual_seed` also seeds every GPU
        channels = [3, 16, 16, 32, 32, 64, 64, 64, 64]
        for before, after in itertools.pairwise(channels):
            if layers and after > before:
                layers.append(nn.MaxPool2d(2))
            convolution = nn.Conv2d(before, after, kernel_size=3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers).requires_grad_(False).eval()


class Normalise(nn.Module):
    """Normalise RGB in [0, 1] for a network: ``(image - mean) / std`` per channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std


def _frozen(network: nn.Module) -> nn.Module:
    """Turn all parameters into buffers, which no optimiser sees and no checkpoint stores."""
    for module in network.modules():
        constants = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in constants:
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=False)
    return network.eval()
