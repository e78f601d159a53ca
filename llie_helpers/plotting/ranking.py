"""Write a page on which people rank the outputs of methods without knowing which is whose."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import load_image, to_uint8
from llie_helpers.methods import as_method

TEMPLATE = Path(__file__).with_suffix(".html")
# Pixels, longer side of the images on the page; outputs are reduced after enhancement.
LONGEST = 1200
# The page numbers the outputs with one key each.
MOST_METHODS = 9


def ranking(
    images: Mapping[str, Tensor | Path],
    methods: Mapping[str, Callable[[Tensor], Tensor]],
    path: str | Path,
) -> Path:
    """Write one HTML file that asks for the best output of each image, in random order.

    The page needs no other file and no network. It keeps the choices in the browser, prints at
    the end how often each method came first, with Wilson's 95 % interval, and offers the choices
    as JSON and CSV.

    Args:
        images: title -> dark image ``(3, H, W)`` in [0, 1], or its file, which is read when it is
            its turn.
        methods: title -> a `Method`, a network, or any other callable that maps
            ``(1, 3, H, W)`` in [0, 1] to the same; 2 to 9 of them.
        path: the file to write.

    An image that cannot be read or enhanced is left out, with a warning.

    Raises:
        CourseError: no image is left, or there are too few or too many methods.
    """
    if not images or not 2 <= len(methods) <= MOST_METHODS:
        raise CourseError(
            f"A ranking needs at least one image and 2 to {MOST_METHODS} different methods, "
            f"but was given {len(images)} and {len(methods)}."
        )
    by_title = {title: as_method(method) for title, method in methods.items()}
    trials = []
    for name, given in tqdm(images.items()):
        try:
            image = load_image(given) if isinstance(given, Path) else given
            outputs = [
                {"method": title, "image": _data_uri(method(image[None].to(method.device))[0])}
                for title, method in by_title.items()
            ]
        except CourseError as error:
            logging.getLogger(__name__).warning("%s is left out: %s", name, error)
        else:
            trials.append({"name": name, "input": _data_uri(image), "outputs": outputs})
    if not trials:
        raise CourseError("No image is left to be ranked; see the warnings above.")
    # Choices are kept under the page's content: another page starts empty.
    content = json.dumps(trials)
    key = f"ranking {hashlib.sha256(content.encode()).hexdigest()[:16]}"
    text = json.dumps({"key": key, "trials": trials}).replace("<", r"\u003c")
    with atomic_path(path) as temporary:
        temporary.write_text(
            TEMPLATE.read_text(encoding="utf-8").replace("TRIALS", text), encoding="utf-8"
        )
    return Path(path)


def _data_uri(image: Tensor) -> str:
    """Return ``(3, H, W)`` as a JPEG that a page can hold."""
    scale = min(1.0, LONGEST / max(image.shape[-2:]))
    if scale < 1:
        size = [max(1, int(side * scale)) for side in image.shape[-2:]]
        image = F.interpolate(image[None], size, mode="area")[0]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(to_uint8(image), cv2.COLOR_RGB2BGR))
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"
