"""Write a page that compares methods on every image of a data set."""

import html
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor
from tqdm.auto import tqdm

from llie_helpers.data.pairs import Pair, Pairs
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import quantise, save_image
from llie_helpers.methods import Method, as_method
from llie_helpers.metrics import psnr, ssim

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 120rem; padding: 0 1rem }
section { display: flex; gap: .5rem; overflow-x: auto }
figure { flex: 1 0 15rem; margin: 0 } img { width: 100%; height: auto }
h2 { font-size: 1rem; margin: 1.5rem 0 .25rem }
""".strip()


def write_gallery(
    methods: Mapping[str, Callable[[Tensor], Tensor]], pairs: Pairs, folder: str | Path
) -> Path:
    """Write ``gallery.html`` and its images into a new folder.

    Each pair is one row: the low-light image, the output of each method with PSNR and SSIM under
    the frozen protocol, and the target.

    Args:
        methods: title -> a `Method`, a network, or any other callable that maps
            ``(1, 3, H, W)`` in [0, 1] to the same.
        pairs: the images and their targets.
        folder: must not exist yet.

    Returns:
        The path of the HTML page.

    Raises:
        CourseError: there are no pairs, or the folder already exists.
    """
    if not len(pairs):
        raise CourseError(f"{pairs.title} has no pairs to show; choose a split that has images.")
    folder = Path(folder)
    if os.path.exists(folder):
        raise CourseError(f"{folder} already exists; remove it or choose another folder.")
    by_title = {title: as_method(method) for title, method in methods.items()}
    with atomic_path(folder) as temporary:
        (temporary / "images").mkdir(parents=True)
        # Files are numbered: names may hold any characters, and those of two sets may be equal.
        rows = [_row(row, pair, by_title, temporary) for row, pair in enumerate(tqdm(pairs))]
        title = html.escape(f"{pairs.title}: {', '.join(methods)}")
        page = (
            f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
            f"<style>\n{STYLE}\n</style>\n<h1>{title}</h1>\n{''.join(rows)}</html>\n"
        )
        (temporary / "gallery.html").write_text(page, encoding="utf-8")
    return folder / "gallery.html"


def _row(row: int, pair: Pair, methods: Mapping[str, Method], folder: Path) -> str:
    """Write the images of one row, and return its HTML."""
    images = [("low", pair.low)]
    for title, method in methods.items():
        images.append((title, quantise(method(pair.low[None].to(method.device))[0]).cpu()))
    images.append(("target", pair.normal))
    figures = ""
    for number, (title, image) in enumerate(images):
        file = f"images/{row}_{number}.jpg"
        save_image(folder / file, image)
        name = html.escape(title)
        scores = f"{psnr(image, pair.normal).item():.2f} dB, SSIM "
        scores += f"{ssim(image, pair.normal).item():.3f}"
        caption = name if image is pair.normal else f"{name} {scores}"
        figures += (
            f'<figure><img src="{file}" alt="{name} of {html.escape(pair.name)}" loading="lazy">'
            f"<figcaption>{caption}</figcaption></figure>\n"
        )
    return f"<h2>{html.escape(pair.name)}</h2>\n<section>\n{figures}</section>\n"
