"""The base class of the networks, their training objective, and support for any image size."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn

from llie_helpers.errors import CourseError, check_options
from llie_helpers.images import SMALLEST, WHOLE, Place


class Network(nn.Module):
    """Base class of the networks: map images ``(N, 3, H, W)`` in [0, 1] to the same.

    A network that needs information about the whole photograph returns it from `prepare`; its
    ``forward`` then takes that as ``context``, together with the `Place` of the part.

    Attributes:
        multiple: height and width are padded to a multiple of this.
        name, options: as passed to `create_model`; by default, the name of the class.
    """

    multiple: int = 1

    def __init__(self) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.options: dict[str, Any] = {}

    def prepare(self, whole: Tensor) -> Any:
        """Return what the network needs to know about the whole photograph, or None.

        Args:
            whole: ``(N, 3, H, W)`` in [0, 1], at least 16x16.

        Returns:
            A tensor, or a tuple of tensors.
        """
        return None

    def illuminate(self, image: Tensor, context: Any, place: Place = WHOLE) -> Tensor:
        """Correct only the exposure of ``image``; noise remains.

        Args:
            image: ``(N, 3, H, W)`` in [0, 1], the whole photograph or a part of it.
            context: from `prepare`.
            place: where ``image`` is in the photograph.

        Raises:
            CourseError: the network has no such step.
        """
        raise no_exposure_step(self.name)

    def objective(self, **options: float) -> "Objective":
        """Return what training minimises.

        Args:
            options: the recipe's ``objective`` table; a network with options overrides this.

        Raises:
            CourseError: the network's objective does not have such an option.
        """
        return Objective.create(self, options)


def no_exposure_step(name: str) -> CourseError:
    """Return the error for a method without a separate exposure correction."""
    return CourseError(
        f"{name} cannot correct the exposure alone; leave out --fast, or use dual_branch."
    )


@dataclass
class Objective:
    """What training minimises: by default, the loss between output and target.

    A subclass adds its options as fields, numbers with defaults.
    """

    network: Network

    # Whether batches also hold thumbnails of the whole images, see `data.placed_crops`.
    sees_whole: ClassVar[bool] = False

    @classmethod
    def create(cls, network: Network, options: Mapping[str, float]) -> Self:
        """Return the objective of ``network`` with a recipe's ``options``.

        Raises:
            CourseError: an option is unknown, or its value is not a number.
        """
        build = functools.partial(cls, network)
        check_options(f"{network.name}'s objective", build, options)
        return build(**options)

    def __call__(self, loss: nn.Module, low: Tensor, normal: Tensor, *whole: Tensor) -> Tensor:
        """Return the scalar to minimise for a batch of crops.

        Args:
            loss: maps ``(enhanced, normal)`` to a scalar.
            low: crops ``(N, 3, H, W)`` in [0, 1].
            normal: their targets.
            whole: where `sees_whole`, thumbnails of both whole images, ``(N, 3, h, w)``, and
                the edges of the crops' places in them, ``(N, 4)``.
        """
        return loss(self.network(low), normal)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return parameter groups as ``torch.optim`` takes them."""
        return [{"params": list(self.network.parameters())}]


def any_size(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let ``forward(self, image, ...)`` take images of any size from 16x16.

    The image is padded by reflection at its right and lower edge to a multiple of
    ``self.multiple``, and the output is cropped. So a network that halves the size more than four
    times needs larger images: more than half of ``self.multiple``.

    The decorated method takes ``(N, 3, H, W)``; for a part of a photograph also the ``context``
    from `Network.prepare`, and the part's ``place``. Without a context, an image is prepared before
    it is padded.

    Raises:
        CourseError: see `check_images`; or ``forward`` returns None.
    """

    @functools.wraps(forward)
    def padded(self: Network, image: Tensor, context: Any = None, place: Place = WHOLE) -> Tensor:
        check_images(image, self.multiple)
        height, width = image.shape[-2:]
        bottom, right = -height % self.multiple, -width % self.multiple
        if bottom or right:
            if context is None:
                context = self.prepare(image)  # so that the border does not count
            image = F.pad(image, (0, right, 0, bottom), mode="reflect")
            place = place.scaled(1 + bottom / height, 1 + right / width)
        whole = () if context is None else (context, place)
        enhanced = forward(self, image, *whole)
        if enhanced is None:
            raise CourseError(
                f"{type(self).__name__}.forward returned None instead of the enhanced images; "
                "add its return statement."
            )
        return enhanced[..., :height, :width]

    return padded


def check_images(image: Tensor, multiple: int = 1) -> None:
    """Check that ``image`` is a batch of images for a network that pads to a ``multiple``.

    Raises:
        CourseError: the tensor is not a batch of RGB images, smaller than 16x16, or no larger than
            half of ``multiple``.
    """
    if image.dim() != 4 or image.shape[1] != 3:
        raise CourseError(
            f"A network takes a batch of RGB images (N, 3, H, W), but got {tuple(image.shape)}; "
            "use image[None] to make a batch of one image."
        )
    height, width = image.shape[-2:]
    # Reflection padding needs more pixels than it adds.
    smallest = max(SMALLEST, multiple // 2 + 1)
    if min(height, width) < smallest:
        raise CourseError(
            f"An image of {width}x{height} pixels is too small for this network; "
            f"it needs at least {smallest}x{smallest}."
        )
