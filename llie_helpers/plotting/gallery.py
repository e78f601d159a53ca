"""Write a page that compares methods on every image of a data set."""

import html
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class Picture(NamedTuple):
    """One image of the page: its file, title and score."""

    file: str
    title: str
    score: str


def write_gallery(
    methods: Mapping[str, Callable[[Tensor], Tensor]], pairs: Pairs, folder: str | Path
) -> Path:
    """Write ``gallery.html``, ``gallery.md`` and their images into a new folder.

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
        rows = [
            (pair.name, _pictures(row, pair, by_title, temporary))
            for row, pair in enumerate(tqdm(pairs))
        ]
        title = f"{pairs.title}: {', '.join(methods)}"
        for name, text in (
            ("gallery.html", _page(title, rows)),
            ("gallery.md", _markdown(title, rows)),
        ):
            # Names of files may be no Unicode.
            (temporary / name).write_text(text, "utf-8", errors="backslashreplace")
    return folder / "gallery.html"


def _pictures(row: int, pair: Pair, methods: Mapping[str, Method], folder: Path) -> list[Picture]:
    """Write the images of one row."""
    images = [("low", pair.low)]
    for title, method in methods.items():
        images.append((title, quantise(method(pair.low[None].to(method.device))[0]).cpu()))
    pictures = []
    for number, (title, image) in enumerate([*images, ("target", pair.normal)]):
        file = f"images/{row}_{number}.jpg"
        save_image(folder / file, image)
        score = (
            f"{psnr(image, pair.normal).item():.2f} dB, SSIM {ssim(image, pair.normal).item():.3f}"
        )
        pictures.append(Picture(file, title, score if number < len(images) else ""))
    return pictures


def _page(title: str, rows: Sequence[tuple[str, Sequence[Picture]]]) -> str:
    title = html.escape(title)
    parts = [
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>',
        f"<style>\n{STYLE}\n</style>\n<h1>{title}</h1>",
    ]
    for name, pictures in rows:
        parts.append(f"<h2>{html.escape(name)}</h2>\n<section>")
        for picture in pictures:
            alt = html.escape(f"{picture.title} of {name}")
            caption = html.escape(f"{picture.title} {picture.score}".strip())
            parts.append(
                f'<figure><img src="{html.escape(picture.file)}" alt="{alt}" loading="lazy">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        parts.append("</section>")
    return "\n".join([*parts, "</html>\n"])


def _markdown(title: str, rows: Sequence[tuple[str, Sequence[Picture]]]) -> str:
    _, first = rows[0]
    table = [["image", *(picture.title for picture in first)], ["---"] * (len(first) + 1)]
    for name, pictures in rows:
        cells = [f"![{p.title} of {name}]({p.file}) {p.score}".strip() for p in pictures]
        table.append([name, *cells])
    # A vertical bar would end the cell.
    lines = [" | ".join(cell.replace("|", r"\|") for cell in cells) for cells in table]
    return "\n".join([f"# {title}", "", *(f"| {line} |" for line in lines), ""])
