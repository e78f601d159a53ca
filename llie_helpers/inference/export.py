"""Export methods as ONNX files, for phones, browsers and programs without PyTorch."""

import copy
import logging
import os
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from llie_helpers.data.embedded import SPLITS, photograph
from llie_helpers.data.synthesis import darken, expose, to_linear, to_srgb
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import SMALLEST, Place, to_float
from llie_helpers.inference.image import MOST_STOPS, enhance
from llie_helpers.inference.traceable_mapper import TraceableMapper
from llie_helpers.methods import Method, NetworkMethod, as_method

OLDEST_TORCH = "2.9"
LARGEST = 16384  # pixels, of height and width
TOLERANCE = 1 / 255  # one 8-bit level
# Exposure and strength of each photograph that a file is compared on.
COMPARED = ((0.0, 1.0), (0.5, 1.0), (-1.0, 0.5))


def export_onnx(method: Method | Callable[[Tensor], Tensor], target: str | os.PathLike) -> float:
    """Write a method as ONNX and compare it with `enhance` on three embedded photographs.

    The file maps ``low`` to ``enhanced``, both float32 ``(1, 3, H, W)`` in [0, 1], for any H and W
    from 16 to 16,384. The histogram mapper, if any, and padding are part of it. The inputs
    ``exposure`` and ``strength`` are float32 scalars and mean what they mean in `enhance`. The
    file's metadata says all this. The file maps the whole photograph at once, where `enhance`
    divides a large one into tiles.

    Args:
        method: from `create_method`, or a network.
        target: the .onnx file.

    Returns:
        The largest absolute difference from `enhance`.

    Raises:
        CourseError: a package is missing or too old, the method is not a network, has an operation
            that ONNX lacks, or the results differ by more than one 8-bit level.
    """
    method = as_method(method)
    if not isinstance(method, NetworkMethod):
        raise CourseError(
            f"{method.name} cannot be exported: it is not a network; use a network such as "
            "dual_branch."
        )
    try:
        import onnx  # noqa: F401 - comes with onnxscript, which torch.onnx needs
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise CourseError(
            "ONNX needs two more packages: run `pip install onnxruntime onnxscript`."
        ) from error
    if torch.__version__ < OLDEST_TORCH:
        raise CourseError(
            f"ONNX export needs PyTorch {OLDEST_TORCH} or later, but this is {torch.__version__}, "
            "whose torch.export.export lacks prefer_deferred_runtime_asserts_over_guards; run "
            "`pip install --upgrade torch`."
        )
    with atomic_path(target) as temporary:
        temporary.write_bytes(_onnx_file(method))
        session = onnxruntime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        difference = _difference(method, session)
        if not difference <= TOLERANCE:
            raise CourseError(
                f"{Path(target).name} was not kept: its output differs from that of enhance by "
                f"{difference:.2g}, more than one 8-bit level; please report this."
            )
    return difference


class _Exported(nn.Module):
    """Everything that `enhance` does with one tile, in operations that can be traced."""

    def __init__(self, method: NetworkMethod) -> None:
        super().__init__()
        self.network = copy.deepcopy(method.network).cpu()
        self.mapper = TraceableMapper(method.mapper) if method.mapper else nn.Identity()

    def forward(self, low: Tensor, exposure: Tensor, strength: Tensor) -> Tensor:
        image = self.mapper(low)
        context = self.network.prepare(image)
        height, width = low.shape[-2:]
        # As `any_size` pads, which decides by the size whether to pad, and a graph cannot.
        down, across = (_reflected(side, self.network.multiple) for side in (height, width))
        image = image[:, :, down][:, :, :, across]
        # Tensors: a network may compute with them, and the tracer's open numbers are no tensors.
        bottom, right = (torch.scalar_tensor(pixels.shape[0]) for pixels in (down, across))
        place = Place(0.0, 0.0, bottom / height, right / width)
        enhanced = self.network(image, context, place)[..., :height, :width].clamp(0, 1)
        enhanced = to_srgb(expose(to_linear(enhanced), exposure)).clamp(0, 1)
        return torch.lerp(low, enhanced, strength).clamp(0, 1)


def _reflected(side: int, multiple: int) -> Tensor:
    """Return the pixels of a side that is padded by reflection to a multiple of ``multiple``."""
    pixel = torch.arange(multiple * ((side + multiple - 1) // multiple))
    return torch.where(pixel < side, pixel, 2 * (side - 1) - pixel)


def _onnx_file(method: NetworkMethod) -> bytes:
    """Return the content of the file."""
    from onnx import helper

    height, width = (torch.export.Dim(name, min=SMALLEST, max=LARGEST) for name in ("H", "W"))
    # Sides without common factors, from which no relation between them is inferred.
    low = torch.rand(1, 3, 133, 203)
    inputs = {"low": low, "exposure": torch.tensor(0.0), "strength": torch.tensor(1.0)}
    try:
        model = traced(_Exported(method), inputs, {"low": {2: height, 3: width}}, "enhanced")
    # Tracer and exporter raise exceptions of many types.
    except Exception as error:
        raise CourseError(
            f"{method.name} cannot be exported: it has an operation that ONNX lacks."
        ) from error
    helper.set_model_props(model, _description(method))
    return model.SerializeToString()


@torch.no_grad()
def traced(
    module: nn.Module, inputs: dict[str, Tensor], sides: dict[str, dict[int, Any]], output: str
) -> Any:
    """Return a module as an ONNX model.

    Args:
        module: maps the inputs to one tensor.
        inputs: an example of each, by the name of the parameter of ``module.forward``.
        sides: the sizes that are open, a ``torch.export.Dim`` by dimension, by name of the input.
        output: the name of the result.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(action="ignore"):
        exported = torch.export.export(
            module.eval(),
            tuple(inputs.values()),
            dynamic_shapes={name: sides.get(name) for name in inputs},
            strict=False,
            # Networks compare sizes, such as whether 8 divides them; the answers hold after
            # padding.
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        program = torch.onnx.export(
            exported,
            dynamo=True,
            verbose=False,
            input_names=list(inputs),
            output_names=[output],
        )
        assert program is not None  # true with dynamo=True
        model = program.model_proto
    # Inferred sizes of intermediate results; those of a real FFT are wrong, and none are needed.
    del model.graph.value_info[:]
    return model


def _description(method: NetworkMethod) -> dict[str, str]:
    """Return the metadata of the file: everything that a program needs to use it."""
    side = f"any height H and width W from {SMALLEST} to {LARGEST}, also odd; no padding is needed"
    description = {
        "method": method.name + (" behind its histogram mapper" if method.mapper else ""),
        "low": f"the photograph: float32 (1, 3, H, W), RGB, in [0, 1]; {side}",
        "exposure": f"float32 scalar: stops of light to add, from -{MOST_STOPS} to {MOST_STOPS}; "
        "0 for none",
        "strength": "float32 scalar: from 0, the photograph, to 1, the result",
        "enhanced": "the result: like low",
    }
    try:
        package = metadata.metadata("llie_helpers")
    except metadata.PackageNotFoundError:
        return description
    about = {"licence": "License", "course": "Project-URL"}
    return description | {name: package[of] for name, of in about.items() if of in package}


def _difference(method: NetworkMethod, session: Any) -> float:
    """Return the largest difference from `enhance` on three photographs of different sizes."""
    largest = 0.0
    for i, (name, (exposure, strength)) in enumerate(zip(SPLITS["test"][0], COMPARED, strict=True)):
        photo = to_float(photograph(name)[i:, i // 2 :])  # odd sides too
        low = darken(photo, stops=3.0, generator=torch.Generator().manual_seed(i))
        expected = enhance(low, method, exposure=exposure, strength=strength)
        numbers = {"exposure": np.array(exposure, "f4"), "strength": np.array(strength, "f4")}
        (enhanced,) = session.run(None, {"low": low[None].numpy(), **numbers})
        largest = max(largest, (torch.from_numpy(enhanced[0]) - expected).abs().max().item())
    return largest
