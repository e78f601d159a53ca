"""What the shipped weights do: the cards' scores, and any resolution."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from llie_helpers import metrics, models
from llie_helpers.data import load_pairs
from llie_helpers.methods import create_method
from llie_helpers.models import cards

EMBEDDED = {card.model: card for card in cards.shipped_cards() if card.data == "embedded"}


@pytest.mark.parametrize("model", EMBEDDED)
def test_the_card_says_what_the_weights_score(model):
    scores = metrics.evaluate(create_method(model, "embedded"), load_pairs("embedded", "test"))
    stated = EMBEDDED[model].scores["test"]
    # Other processors round otherwise.
    assert scores.psnr == pytest.approx(stated["psnr"], abs=0.05)
    assert scores.ssim == pytest.approx(stated["ssim"], abs=0.005)
    assert scores.psnr_gt_mean == pytest.approx(stated["psnr_gt_mean"], abs=0.05)


def test_the_dual_branch_is_the_best_of_the_miniatures():
    best = EMBEDDED["dual_branch"].scores["test"]
    for model, card in EMBEDDED.items():
        for score in best if model != "dual_branch" else ():
            assert best[score] > card.scores["test"][score], (model, score)


@pytest.mark.parametrize("weights", models.shipped("dual_branch"))
@pytest.mark.parametrize("scene", [0, 4, 8])
def test_the_dual_branch_gives_the_same_at_twice_the_size(weights, scene):
    network = create_method("dual_branch", weights)
    pair = load_pairs("embedded", "test")[scene]
    low, normal = (
        interpolate(image[None], (400, 600), mode="bilinear", antialias=True)
        for image in (pair.low, pair.normal)
    )
    with torch.no_grad():
        once = network(low)
        twice = avg_pool2d(network(interpolate(low, (800, 1200), mode="bilinear")), 2)
    difference = metrics.psnr(once, normal) - metrics.psnr(twice, normal)
    assert abs(difference.item()) < 1
