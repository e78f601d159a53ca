"""A page with every test image: before, enhanced by each method, and the target."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from llie_helpers.data import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.images import quantise, save_image
from llie_helpers.metrics import psnr, ssim

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 120rem; padding: 0 1rem }
section { display: flex; gap: .5rem; overflow-x: auto }
figure { flex: 1 0 15rem; margin: 0 } img { width: 100%; height: auto }
h2 { font-size: 1rem; margin: 1.5rem 0 .25rem }
""".strip()


@dataclass(frozen=True)
class Picture:
    """One image of the page: its file, what it is, and how it scores."""

    file: str
    title: str
    score: str


@torch.no_grad()
def write_gallery(
    methods: Mapping[str, Callable[[Tensor], Tensor]], pairs: Pairs, folder: str | Path
) -> Path:
    """Write ``gallery.html``, ``gallery.md`` and their images into a new ``folder``.

    Each pair is one row: the dark image, the output of each method with PSNR and SSIM under
    the frozen protocol, and the target.

    Args:
        methods: title -> anything that maps ``(1, 3, H, W)`` in [0, 1] to the same; networks
            in eval mode.
        pairs: as `data.load` gives them.

    Returns:
        The path of the HTML page.

    Raises:
        CourseError: the folder exists already.
    """
    folder = Path(folder)
    if folder.exists():
        raise CourseError(f"{folder} exists already; remove it or choose another folder.")
    with atomic_path(folder) as temporary:
        (temporary / "images").mkdir(parents=True)
        rows = {pair.name: _pictures(pair, methods, temporary) for pair in tqdm(pairs)}
        title = f"{pairs.title}: {', '.join(methods)}"
        (temporary / "gallery.html").write_text(_page(title, rows), encoding="utf-8")
        (temporary / "gallery.md").write_text(_markdown(title, rows), encoding="utf-8")
    return folder / "gallery.html"


def _pictures(pair, methods: Mapping[str, Callable], folder: Path) -> list[Picture]:
    """Write the images of one row."""
    low, normal = pair.low[None], pair.normal[None]
    images = {"low": low} | {title: quantise(method(low)) for title, method in methods.items()}
    pictures = []
    for number, (title, image) in enumerate([*images.items(), ("target", normal)]):
        file = f"images/{pair.name}_{number}.jpg"
        save_image(folder / file, image[0].cpu())
        score = f"{psnr(image, normal).item():.2f} dB, SSIM {ssim(image, normal).item():.3f}"
        pictures.append(Picture(file, title, "" if title == "target" else score))
    return pictures


def _page(title: str, rows: Mapping[str, Sequence[Picture]]) -> str:
    title = html.escape(title)
    parts = [
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>',
        f"<style>\n{STYLE}\n</style>\n<h1>{title}</h1>",
    ]
    for name, pictures in rows.items():
        parts.append(f"<h2>{html.escape(name)}</h2>\n<section>")
        for its in pictures:
            alt = html.escape(f"{its.title} of {name}")
            caption = html.escape(f"{its.title} {its.score}".strip())
            parts.append(
                f'<figure><img src="{html.escape(its.file)}" alt="{alt}" loading="lazy">'
                f"<figcaption>{caption}</figcaption></figure>"
            )
        parts.append("</section>")
    return "\n".join([*parts, "</html>\n"])


def _markdown(title: str, rows: Mapping[str, Sequence[Picture]]) -> str:
    first = next(iter(rows.values()))
    lines = [f"# {title}", "", "| image | " + " | ".join(its.title for its in first) + " |"]
    lines.append("| --- " * (len(first) + 1) + "|")
    for name, pictures in rows.items():
        cells = [f"![{its.title} of {name}]({its.file}) {its.score}".strip() for its in pictures]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
