"""The page that shows input, outputs and target of every pair."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from llie_helpers.cli import main
from llie_helpers.data import Pairs
from llie_helpers.errors import CourseError
from llie_helpers.images import load_image, quantise
from llie_helpers.methods import Method, classical
from llie_helpers.metrics import psnr
from llie_helpers.plotting.gallery import write_gallery


@pytest.fixture(scope="module")
def pairs():
    draw = np.random.default_rng(0)
    normals = [draw.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(2)]
    return Pairs("toy/test", ("a", "b"), (0, 1), [(image // 4, image) for image in normals])


@pytest.fixture(scope="module")
def page(pairs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "gallery"
    methods = {"gamma": classical.gamma, "a <b>": classical.clahe}
    return write_gallery(methods, pairs, folder)


def test_every_image_is_on_both_pages_and_on_the_disk(page, pairs):
    text, markdown = page.read_text(), (page.parent / "gallery.md").read_text()
    shown = re.findall(r'src="([^"]+)"', text)
    assert len(shown) == len(pairs) * 4
    assert re.findall(r"\]\(([^)]+)\)", markdown) == shown
    assert {f"images/{p.name}" for p in (page.parent / "images").iterdir()} == set(shown)
    assert load_image(page.parent / shown[0]).shape == pairs[0].low.shape


def test_a_name_that_is_not_unicode_is_shown(pairs, tmp_path):
    odd = replace(pairs, names=("a", "caf\udce9"))
    page = write_gallery({"gamma": classical.gamma}, odd, tmp_path / "gallery")
    assert r"<h2>caf\udce9</h2>" in page.read_text()


def test_names_may_hold_any_characters_and_occur_twice(pairs, tmp_path):
    odd = replace(pairs, names=("a#1 (b) 100%.x", "a#1 (b) 100%.x"))
    page = write_gallery({"gamma": classical.gamma}, odd, tmp_path / "gallery")
    shown = re.findall(r'src="([\w/.]+)"', page.read_text())
    assert len(set(shown)) == 6
    assert all((page.parent / file).is_file() for file in shown)
    assert page.with_suffix(".md").read_text().count("| a#1 (b) 100%.x |") == 2


def test_outputs_have_scores(page, pairs):
    expected = psnr(quantise(classical.gamma(pairs[0].low)), pairs[0].normal).item()
    assert f"gamma {expected:.2f} dB, SSIM" in page.read_text()


def test_methods_may_have_any_name(pairs, tmp_path):
    methods = {"low": classical.gamma, "target": classical.gamma, "a|b": classical.identity}
    page = write_gallery(methods, pairs, tmp_path / "gallery")
    text, markdown = page.read_text(), page.with_suffix(".md").read_text()
    assert text.count("<figure>") == len(pairs) * 5
    assert len(re.findall(r"(?:low|target) [\d.]+ dB", text)) == len(pairs) * 3
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_titles_are_text_and_not_markup(page):
    assert "a &lt;b&gt;" in page.read_text()
    assert "<b>" not in page.read_text()


def test_an_existing_folder_is_left_alone(pairs, tmp_path):
    with pytest.raises(CourseError, match="already exists"):
        write_gallery({"gamma": classical.gamma}, pairs, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_fails_leaves_nothing(pairs, tmp_path):
    def broken(image):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        write_gallery({"broken": broken}, pairs, tmp_path / "gallery")
    assert list(tmp_path.iterdir()) == []


class Elsewhere(Method):
    """A method on a device that has no values, which notes where its images are."""

    device = torch.device("meta")

    def __init__(self):
        self.devices = []

    def enhance(self, part, context, place):
        self.devices.append(part.device)
        return torch.full(part.shape, 0.5)


def test_images_are_moved_to_the_device_of_a_method(pairs, tmp_path):
    method = Elsewhere()
    write_gallery({"elsewhere": method}, pairs, tmp_path / "gallery")
    assert method.devices == [torch.device("meta")] * 2


@pytest.mark.slow
def test_the_command_writes_a_page(tmp_path, capsys):
    out = tmp_path / "gallery"
    assert main(["gallery", "gamma", "--data", "embedded", "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip().endswith("gallery.html")
    assert (out / "gallery.html").is_file()
