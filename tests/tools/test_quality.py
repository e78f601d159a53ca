"""Scores on the lighting scenes, and the rules that the default network must keep."""

import bench
import pytest
import torch
from benchmarks.quality import MARKS, every_method, markdown, score, score_pairs
from benchmarks.rules import RULES, report
from marked import README, between_marks

from llie_helpers.console import run
from llie_helpers.data import Pairs
from llie_helpers.images import quantise
from llie_helpers.lessons import quality
from llie_helpers.methods import Pointwise, create_method

IDENTITY = create_method("identity")
# For each rule a method that breaks it.
BREAKERS = {
    "brightness": lambda x: 0.97 * x,
    "whites": lambda x: 0.97 * x,
    "size": lambda x: x * (1 - min(x.shape[-2:]) / 10_000),
    "steps": lambda x: quantise(x, 5),
    "bands": lambda x: quantise(x, 4),
    "chroma": lambda x: (10 * x).clamp(0, 1),
}


def pairs(low, normal):
    low, normal = (torch.full((12, 16, 3), value, dtype=torch.uint8) for value in (low, normal))
    return Pairs("flat", ("a",), (0,), [(low.numpy(), normal.numpy())])


def test_scores_of_known_images():
    halved = Pointwise(lambda x: x / 2, "halved")
    white = score_pairs(IDENTITY, pairs(255, 255))
    assert white["psnr"] == white["psnr_gt_mean"] == 60
    assert white["whites"] == white["ssim"] == 1
    assert white["brightness"] == white["ciede2000"] == 0
    grey = score_pairs(halved, pairs(255, 255))
    assert grey["whites"] == 0
    assert grey["brightness"] == pytest.approx(128 / 255 - 1, abs=1e-4)
    # The gain restores the mean, so nothing but exposure is wrong.
    assert grey["psnr_gt_mean"] == 60
    assert score_pairs(IDENTITY, pairs(249, 255))["whites"] is None


def test_the_readme_shows_the_kept_scores():
    text = README.read_text(encoding="utf-8")
    assert between_marks(text, MARKS, markdown(quality.load())) == text


def test_every_method_has_kept_scores():
    assert set(quality.load()) == set(every_method())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lime", "dual_branch photographs"])
def test_kept_scores_are_those_of_today(name):
    found, kept = score(every_method()[name]), quality.load()[name]
    for kind, values in kept.items():
        assert found[kind] == pytest.approx(values, abs=0.02), kind


def test_the_table_is_sorted_and_shows_what_is_missing():
    rows = quality.table(quality.load(), "full").rows
    assert rows[0][:2] == ["identity", "60.00"]
    psnrs = [float(row[1]) for row in rows]
    assert psnrs == sorted(psnrs, reverse=True)
    assert "-" in quality.table(quality.load(), "dark").rows[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_kept_by_doing_nothing_and_can_be_broken(name):
    rule = RULES[name]
    assert rule.measure(IDENTITY) <= rule.limit
    assert rule.measure(Pointwise(BREAKERS[name], "breaker")) > rule.limit


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_the_default_network_keeps_the_rules(name):
    assert RULES[name].measure(create_method("dual_branch")) <= RULES[name].limit


def test_the_report_says_what_holds(monkeypatch):
    for name, rule in RULES.items():
        value = rule.limit + (0.001 if name == "size" else 0)
        monkeypatch.setitem(RULES, name, rule._replace(measure=lambda method, value=value: value))
    verdicts = [row[-1] for row in report(IDENTITY).rows]
    assert verdicts == ["FAIL" if name == "size" else "pass" for name in RULES]


def test_a_wrong_method_is_one_sentence(capsys):
    assert run(bench.app, ["quality", "--model", "gama"]) == 1
    assert "did you mean gamma" in capsys.readouterr().err
