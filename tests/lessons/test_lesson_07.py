"""What lesson 07 has its students write is what the package does."""

import pytest
import torch

from llie_helpers.lessons.checks import lesson_07
from llie_helpers.losses.weighted import WeightedLoss
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters
from llie_helpers.training.recipe import load_recipe


def test_the_network_is_the_packages_whose_weights_fit():
    package, student = create_model("fft_dual_branch", size=32), lesson_07.TwoBranches(size=32)
    state = package.state_dict()
    student.load_state_dict(state | {"frequency.mask": state.pop("mask")})
    image = torch.rand(2, 3, 32, 32)
    for training in (True, False):
        outputs = [network.train(training)(image) for network in (package, student)]
        assert torch.allclose(*outputs, atol=1e-6)
    assert count_parameters(student) == count_parameters(package)


@pytest.mark.parametrize(
    ("stage", "recipe"), [(1, "fft_dual_branch"), (2, "fft_dual_branch_stage_two")]
)
def test_the_weights_of_the_loss_are_the_recipes(stage, recipe):
    weights = load_recipe(recipe, "full").loss
    vgg = weights.pop("perceptual")  # would load a network
    loss = WeightedLoss(weights)
    for epoch in (1, 50, 51, 200):
        loss.set_epoch(epoch - 1)  # counted from 0
        expected = loss.weights | {"perceptual": vgg}
        assert lesson_07.loss_weights_solution(stage, epoch) == expected
