"""A loss on what a classifier sees: edges and textures instead of pixels."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from llie_helpers.errors import CourseError
from llie_helpers.losses.precision import check_shapes


class Perceptual(nn.Module):
    """Mean squared difference of ImageNet features (Johnson, Alahi and Fei-Fei, ECCV 2016).

    The network is the SqueezeNet 1.1 in the file ``$LLIE_SQUEEZENET`` where that is set (the
    outputs of its fire5, about 3 MB), else torchvision's VGG-19 up to its 18th layer
    (relu3_4; its weights, about 550 MB, are downloaded once). The two give numbers of
    different size, so a weight tuned for one does not fit the other; ``name`` says which it
    is. The network is a constant: not trained, and not in checkpoints.

    Args of a call:
        enhanced, normal: images (N, 3, H, W), RGB, in [0, 1], at least 32x32.

    Raises:
        CourseError: neither network can be had, or the file is not the right one.
    """

    def __init__(self):
        super().__init__()
        path = os.environ.get("LLIE_SQUEEZENET")
        self.name = "squeezenet" if path else "vgg19"
        self.network = _frozen(_squeezenet(Path(path)) if path else _vgg19())

    def forward(self, enhanced: Tensor, normal: Tensor) -> Tensor:
        check_shapes(enhanced, normal)
        with torch.no_grad():
            target = self.network(normal.float())
        return F.mse_loss(self.network(enhanced.float()).float(), target.float())


class Normalise(nn.Module):
    """RGB in [0, 1] to what a network was trained on: ``(image - mean) / std`` per channel."""

    def __init__(self, mean: list[float], std: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) / self.std


class Fire(nn.Module):
    """SqueezeNet's block: few channels by 1x1, then many by 1x1 and 3x3 side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze1x1(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1).relu()


class SqueezeNetFeatures(nn.Module):
    """SqueezeNet 1.1 (Iandola et al., arXiv 1602.07360) up to fire5: 256 channels, stride 8.

    For weights trained on BGR in 0..255 less a mean, as in Caffe and keras-squeezenet.
    """

    # The root mean square of these features on photographs is about 57 (40 to 85).
    SCALE = 50.0

    def __init__(self):
        super().__init__()
        mean = [123.68 / 255, 116.779 / 255, 103.939 / 255]
        self.normalise = Normalise(mean, [1 / 255] * 3)
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2)
        self.fire2, self.fire3 = Fire(64, 16, 64), Fire(128, 16, 64)
        self.fire4, self.fire5 = Fire(128, 32, 128), Fire(256, 32, 128)

    def forward(self, image: Tensor) -> Tensor:
        bgr = self.normalise(image).flip(1)
        x = F.max_pool2d(self.conv1(bgr).relu(), 3, stride=2)
        x = F.max_pool2d(self.fire3(self.fire2(x)), 3, stride=2)
        return self.fire5(self.fire4(x)) / self.SCALE


def _squeezenet(path: Path) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = SqueezeNetFeatures()
    needed = dict(network.named_parameters())
    try:
        weights = load_file(path)
        for name, parameter in needed.items():
            parameter.data.copy_(weights[name])
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise CourseError(
            f"$LLIE_SQUEEZENET is {path}, but that is not a SqueezeNet 1.1 safetensors file "
            f"({error}); correct the path, or unset it to use VGG-19."
        ) from error
    return network


def _vgg19() -> nn.Module:
    try:
        from torchvision.models import VGG19_Weights, vgg19

        layers = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).features[:18]
    # OSError covers a failed download, RuntimeError a torchvision that does not fit torch.
    except (ImportError, OSError, RuntimeError) as error:
        raise CourseError(
            f"The perceptual loss cannot load VGG-19 ({error}); run "
            'pip install "llie_helpers[perceptual]" and go online once, or set '
            "$LLIE_SQUEEZENET to a SqueezeNet 1.1 safetensors file."
        ) from error
    return nn.Sequential(Normalise([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), layers)


def _frozen(network: nn.Module) -> nn.Module:
    """Turn all weights into constants, which no optimiser sees and no checkpoint stores."""
    for module in network.modules():
        constants = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in constants:
            delattr(module, name)
            module.register_buffer(name, tensor.detach(), persistent=False)
    return network.eval()
