"""Networks by name, one readable file each: ``create_model("mse_cnn", weights="lol_v1")``."""

import os
from typing import Any

from llie_helpers.errors import CourseError, check_options, unknown_name
from llie_helpers.models import weights as weights_file
from llie_helpers.models.dual_branch import DualBranch
from llie_helpers.models.fft_dual_branch import FFTDualBranch
from llie_helpers.models.mse_cnn import MSECNN
from llie_helpers.models.network import Network
from llie_helpers.models.pix2pix import Pix2Pix
from llie_helpers.models.plain_unet import PlainUNet
from llie_helpers.models.residual import Residual
from llie_helpers.models.unet import UNet
from llie_helpers.models.weights import shipped as shipped

MODELS: dict[str, type[Network]] = {
    "dual_branch": DualBranch,
    "fft_dual_branch": FFTDualBranch,
    "mse_cnn": MSECNN,
    "pix2pix": Pix2Pix,
    "plain_unet": PlainUNet,
    "residual": Residual,
    "unet": UNet,
}


def list_models() -> list[str]:
    """Return the names that `create_model` knows."""
    return sorted(MODELS)


def create_model(name: str, weights: str | os.PathLike | None = None, **options: Any) -> Network:
    """Build a network, with random weights or with ``weights``.

    Args:
        name: one of `list_models`.
        weights: shipped weights ("lol_v1"), the path of a .safetensors file, or None.
        options: arguments of the network's class, by default those stored with the weights.

    Returns:
        The network, in training mode; ``network.name`` and ``network.options`` record
        how it was built.

    Raises:
        CourseError: the name or an option is unknown, an option has a wrong type or value, or the
            weights are missing or belong to another network.
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    state = None
    if weights is not None:
        path = weights_file.find(name, weights)
        state, owner, saved_options = weights_file.read(path)
        if owner != name:
            raise CourseError(f"{path} holds weights of {owner}, not of {name}.")
        options = saved_options | options
    check_options(name, MODELS[name], options)
    try:
        model = MODELS[name](**options)
        if state is not None:
            model.load_state_dict(state)
    except (ValueError, RuntimeError, TypeError) as error:  # TypeError beyond 64 bits
        reason = str(error).splitlines()[0].rstrip(":.")
        given = options or "these weights"
        raise CourseError(f"{name} cannot be built with {given}: {reason}.") from error
    model.name, model.options = name, options
    return model


def save_weights(model: Network, path: str | os.PathLike) -> None:
    """Write the weights of a network from `create_model`, to be loaded with ``weights=path``."""
    weights_file.save(model.state_dict(), path, model.name, model.options)
