"""Exercises of lesson 06: both networks of a GAN, their game, what it invents; and three more."""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, copy_of, difference
from llie_helpers.lessons.checks.exercise import Exercise, edited
from llie_helpers.lessons.checks.networks import network as look_at_network
from llie_helpers.lessons.checks.networks import network_with_advice
from llie_helpers.models.patchgan import patch_layers
from llie_helpers.models.pix2pix import Pix2Pix


def patch_solution(layers, index):
    """First and last input pixel that verdict ``index`` along a side sees."""
    first = last = index
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def patch_inputs():
    # Not symmetrical, so that the order of the layers matters.
    mixed, usual = [(5, 3, 2), (3, 2, 0), (4, 1, 1)], [(4, 2, 1), (4, 2, 1), (4, 1, 1)]
    return [(layers, index) for layers in (mixed, usual) for index in (0, 3)]


patch = Exercise(
    title="What a verdict sees",
    minutes=8,
    difficulty=3,
    reference=patch_solution,
    inputs=patch_inputs,
    mistakes={
        "you walk from the first layer to the last; a verdict is at the end, "
        "so go back from the last layer.": "reversed(layers) => layers",
        "the padding is left out: it puts the first window in front of the image, "
        "so indices below 0 are right.": " - padding => ",
        "the last pixel of a window is start + kernel - 1, "
        "not start + kernel.": "kernel - 1 => kernel",
        "indices outside of the image are right: "
        "the window then covers padding.": "return first => return max(first, 0)",
        "return the last pixel, "
        "not the width of the window.": "return first, last => return first, last - first + 1",
    },
    hints=[
        "Start with a single layer. Its output number 0 sees the pixels from `-padding` to "
        "`-padding + kernel - 1`. Which does its output number 1 see?",
        "If a layer's output `i` is wanted, its inputs `i * stride - padding` to "
        "`i * stride - padding + kernel - 1` are needed. Ask the same of the layer before, for "
        "the first and for the last of them.",
        "Begin with `first = last = index` and walk through `reversed(layers)`; each layer changes "
        "`first` and `last` by the formulas of hint 2.",
    ],
)


def surprise_solution(logits, label):
    """``-log`` of the probability given to ``label``, safe for any logit."""
    larger = torch.maximum(logits, torch.zeros_like(logits))
    return larger - logits * label + torch.log1p(torch.exp(-logits.abs()))


def surprise_inputs():
    # First where any formula does, then where float32 runs out of digits.
    calm, extreme = torch.linspace(-4, 4, 25), torch.tensor([-200.0, -100, -30, 30, 100, 200])
    return [(calm, (1.0, 0.0)), (extreme, (1.0, 0.0))]


def surprise_observe(student, logits, labels):
    """Return the values of calm logits, and of extreme ones what is wrong with them."""
    if logits.abs().max() < 10:
        return [student(logits, label) for label in labels]
    faults = [_fault(student, logits, label) for label in labels]
    return next((fault for fault in faults if fault), "right")


def _fault(student, logits, label):
    given = logits.clone().requires_grad_()
    got = student(given, label)
    if not getattr(got, "requires_grad", False):
        raise Finding(
            "no gradient comes back to `logits`, so nothing can be learned from this loss: compute "
            "it from the tensor itself, by PyTorch."
        )
    if not torch.isfinite(got).all():
        return "not finite"
    if difference(got, surprise_solution(logits, label)):
        return "limited"
    (slope,) = torch.autograd.grad(got.sum(), given)
    right = torch.sigmoid(logits) - label
    return "wrong gradient" if difference(slope, right, tolerance=1e-4) else None


surprise = Exercise(
    title="A logarithm that does not break",
    minutes=8,
    difficulty=3,
    reference=surprise_solution,
    inputs=surprise_inputs,
    observe=surprise_observe,
    tolerance=1e-4,
    mistakes={
        "the label is the wrong way round: "
        "with label 1 a large logit is no surprise.": "* label => * (1 - label)",
        "the sign is wrong: the surprise is never negative.": (
            "larger - logits * label + => logits * label - larger -"
        ),
        "return one surprise for each logit; do not take the mean.": lambda logits, label: (
            surprise_solution(logits, label).mean()
        ),
        "that is the probability, not minus its logarithm.": lambda logits, label: torch.sigmoid(
            logits if label else -logits
        ),
        "right for small logits, but infinite or NaN for a logit of 100 or -100: the sigmoid "
        "rounds to 0 or 1, or exp overflows, before the logarithm "
        "is taken.": lambda logits, label: -torch.sigmoid(logits if label else -logits).log(),
        "right for small logits, but too small for a logit of 100 or -100: a limit on the "
        "probability also limits the surprise, and its gradient is 0 there.": (
            lambda logits, label: (
                -torch.sigmoid(logits if label else -logits).clamp(1e-7, 1 - 1e-7).log()
            )
        ),
        "no gradient comes back to `logits`": lambda logits, label: [
            surprise_solution(logit.detach(), label).item() for logit in logits
        ],
        "the values are right, but their gradient is not sigmoid(logit) - label everywhere; is "
        "a branch taken that overflows?": (
            lambda logits, label: (
                torch.where(logits < 0, logits.exp().log1p(), logits + (-logits).exp().log1p())
                - label * logits
            )
        ),
    },
    right=[
        lambda logits, label: F.softplus(logits) - label * logits,
        # Its slope at 0 itself is not the right one; no test asks for that.
        lambda logits, label: logits.clamp_min(0) - logits * label + (-logits.abs()).exp().log1p(),
        lambda logits, label: torch.logaddexp(0 * logits, logits.double()) - label * logits,
    ],
    hints=[
        "Write `-log(sigmoid(x))` as `log(1 + exp(-x))`. For which x does that overflow? Pull "
        "something out of the logarithm there.",
        "`log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|))` holds for every x, and its exp "
        "never exceeds 1. For label 0 the surprise is that of -x.",
        "Label 0 has `max(x, 0)` where label 1 has `max(-x, 0)`, which is `max(x, 0) - x`: one "
        "line can serve both. `torch.maximum(x, torch.zeros_like(x))` is max(x, 0), and at x = 0 "
        "has the slope 0.5 that is wanted (`clamp_min` has 1). `torch.log1p(y)` is log(1 + y).",
    ],
)


def layers_observe(answer, channels, strides, features):
    """Observe the layers that the answer returns, and their output."""

    def flat(**options):
        made = answer(**options)
        if isinstance(made, nn.Module) and any(list(part.children()) for part in made.children()):
            raise Finding(
                "an nn.Sequential is inside of another; collect all layers in one list, and make "
                "one nn.Sequential of it."
            )
        return made

    return look_at_network(flat, {"channels": channels, "strides": strides}, features)


LEAKY = "        if i < last:\n            layers.append(nn.LeakyReLU(0.2))\n"

layers = Exercise(
    title="The layers of the discriminator",
    minutes=8,
    difficulty=3,
    reference=patch_layers,
    inputs=lambda: [
        ((6, 4, 5, 7, 1), (2, 2, 1, 1), torch.rand(2, 6, 48, 56) - 0.5),
        ((2, 3, 4, 1), (2, 1, 2), torch.rand(1, 2, 24, 24) - 0.5),
    ],
    observe=layers_observe,
    mistakes={
        "the first layer has a batch norm; pix2pix leaves it out there, so that the discriminator "
        "still sees the brightness of its input.": "0 < i < last => i < last",
        "the last layer has a batch norm; it would make half of the verdicts of every batch say "
        "real, whatever the images.": "0 < i < last => 0 < i",
        "the batch norms are missing; the layers between the first and the last have one.": (
            "0 < i < last => False"
        ),
        "a convolution that is followed by a batch norm needs no bias, and the first and the last "
        "do: bias is True, False ... False, True.": "bias=not normed => bias=True",
        "the first and the last convolution have no batch norm, so they need a bias.": (
            "bias=not normed => bias=False"
        ),
        "it ends in a LeakyReLU, so that nothing could say clearly fake: the last layer is the "
        "bare convolution.": "if i < last => if True",
        "it ends in a sigmoid; return logits, from which the loss is computed more precisely.": (
            "nn.Sequential(*layers) => nn.Sequential(*layers, nn.Sigmoid())"
        ),
        "nn.LeakyReLU(0.2) lets a fifth of negative values through; yours lets through another "
        "share, or none.": "nn.LeakyReLU(0.2) => nn.LeakyReLU()",
        "yours has ReLU where LeakyReLU(0.2) belongs.": "nn.LeakyReLU(0.2) => nn.ReLU()",
        "the LeakyReLU is before the batch norm; the order is convolution, norm, LeakyReLU.": [
            f"{LEAKY} => ",
            f"        if normed: => {LEAKY}        if normed:",
        ],
        "an nn.Sequential is inside of another": (
            "nn.Sequential(*layers) => nn.Sequential(nn.Sequential(*layers))"
        ),
        "the kernels are 4 pixels wide.": "4, stride, padding=1 => 3, stride, padding=1",
        "one pixel of padding is missing.": "4, stride, padding=1 => 4, stride",
        "every layer has stride 2; take each from strides.": "4, stride, padding => 4, 2, padding",
    },
    hints=[
        "Layer number i goes from `channels[i]` to `channels[i + 1]` with `strides[i]`. Which i "
        "are the first and the last?",
        "Collect the parts in a list and return `nn.Sequential(*parts)`. Only for "
        "`0 < i < len(strides) - 1` is there a batch norm, and only there has the convolution "
        "`bias=False`.",
        "In a loop over `enumerate(strides)`: append `nn.Conv2d(..., 4, stride, padding=1, "
        "bias=...)`, then `nn.BatchNorm2d(channels[i + 1])` where there is a norm, then "
        "`nn.LeakyReLU(0.2)` unless it is the last.",
    ],
)


network = Exercise(
    title="The forward pass of the generator",
    minutes=8,
    difficulty=3,
    reference=Pix2Pix,
    methods=("forward",),
    inputs=lambda: [
        ({"width": 4, "blocks": 1}, torch.rand(1, 3, 16, 20)),
        ({"width": 3, "blocks": 2}, torch.rand(2, 3, 18, 17)),
    ],
    observe=network_with_advice(
        "On the way up, each level is enlarged to the size of its partner of the encoder and put "
        "beside it, not added to it (torch.cat, dim=1): to_half meets half, to_full meets full."
    ),
    mistakes={
        "the network works on [-1, 1]: give self.full_size 2 * low - 1.": "2 * low - 1 => low",
        "the output is still in [-1, 1]; bring it back to [0, 1].": (
            "(torch.tanh(self.head(x)) + 1) / 2 => torch.tanh(self.head(x))"
        ),
        "inside the network values are in [-1, 1]: begin with 2 * low - 1, and make (t + 1) / 2 of "
        "the tanh t.": [
            "2 * low - 1 => low",
            "(torch.tanh(self.head(x)) + 1) / 2 => torch.tanh(self.head(x))",
        ],
        "the tanh is missing; without it values leave the range.": (
            "(torch.tanh(self.head(x)) + 1) / 2 => (self.head(x) + 1) / 2"
        ),
        "pix2pix ends in a tanh, moved to [0, 1]; that is not the sigmoid of the same number.": (
            "(torch.tanh(self.head(x)) + 1) / 2 => torch.sigmoid(self.head(x))"
        ),
        "both concatenations have the encoder's features first; the decoder's come first.": [
            "[self.to_half(F.interpolate(x, scale_factor=2)), half] => "
            "[half, self.to_half(F.interpolate(x, scale_factor=2))]",
            "[self.to_full(F.interpolate(x, scale_factor=2)), full] => "
            "[full, self.to_full(F.interpolate(x, scale_factor=2))]",
        ],
        "at half the size, the decoder's features come first in the concatenation.": (
            "[self.to_half(F.interpolate(x, scale_factor=2)), half] => "
            "[half, self.to_half(F.interpolate(x, scale_factor=2))]"
        ),
        "at full size, the decoder's features come first in the concatenation.": (
            "[self.to_full(F.interpolate(x, scale_factor=2)), full] => "
            "[full, self.to_full(F.interpolate(x, scale_factor=2))]"
        ),
        "the residual blocks are left out.": "self.blocks(self.quarter_size(half)) => "
        "self.quarter_size(half)",
        "the blocks have their shortcuts inside; do not add their input once more.": (
            "self.blocks(self.quarter_size(half)) => "
            "self.quarter_size(half) + self.blocks(self.quarter_size(half))"
        ),
        "features are enlarged by repeating pixels, not by interpolating between them: leave out "
        "mode.": 'scale_factor=2) => scale_factor=2, mode="bilinear")',
        "put beside it, not added to it": (
            "torch.cat([self.to_half(F.interpolate(x, scale_factor=2)), half], dim=1) => "
            "self.to_half(F.interpolate(x, scale_factor=2)) + half"
        ),
        "to_half meets half": ["half], dim=1) => full], dim=1)", "full], dim=1) => half], dim=1)"],
    },
    right=[
        edited(
            Pix2Pix,
            [
                "self.to_half(F.interpolate(x, scale_factor=2)) => "
                "F.interpolate(self.to_half(x), scale_factor=2)",
                "(torch.tanh(self.head(x)) + 1) / 2 => torch.sigmoid(2 * self.head(x))",
            ],
        )
    ],
    hints=[
        "Down: three parts in a row. Which two of their results are needed again on the way up? "
        "Up: enlarge, call the level, put the encoder's features beside it. Twice.",
        "`F.interpolate(x, scale_factor=2)` enlarges. `torch.cat([first, second], dim=1)` puts "
        "features together, and here the decoder's are the first.",
        "`full = self.full_size(2 * low - 1)`, `half = self.half_size(full)`, then "
        "`self.blocks(self.quarter_size(half))`. A tanh t becomes `(t + 1) / 2`.",
    ],
)


def gan_step_solution(generator, discriminator, optimizers, low, normal, weight):
    """One turn of each player -> the losses (judged, fooled, near) as numbers."""
    of_generator, of_discriminator = optimizers
    enhanced = generator(low)

    real = discriminator(low, normal)
    fake = discriminator(low, enhanced.detach())
    judged = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    judged = (judged + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))) / 2
    of_discriminator.zero_grad()
    judged.backward()
    of_discriminator.step()

    verdict = discriminator(low, enhanced)
    fooled = F.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict))
    near = F.l1_loss(enhanced, normal)
    of_generator.zero_grad()
    (weight * fooled + 200 * near).backward()
    of_generator.step()
    return judged.item(), fooled.item(), near.item()


def step_by_softplus(generator, discriminator, optimizers, low, normal, weight):
    """The same step with other formulas, and cleared gradients at other places."""
    of_generator, of_discriminator = optimizers
    enhanced = generator(low)
    both = F.softplus(-discriminator(low, normal)) + F.softplus(discriminator(low, enhanced.data))
    judged = both.mean() / 2
    judged.backward()
    of_discriminator.step()
    fooled = F.softplus(-discriminator(low, enhanced)).mean()
    near = (enhanced - normal).abs().mean()
    (fooled * weight + near * 200).backward()
    of_generator.step()
    of_generator.zero_grad()
    of_discriminator.zero_grad()
    return [loss.detach() for loss in (judged, fooled, near)]


def generator_first(generator, discriminator, optimizers, low, normal, weight):
    """The same two turns in the wrong order."""
    of_generator, of_discriminator = optimizers
    enhanced = generator(low)
    fooled = F.softplus(-discriminator(low, enhanced)).mean()
    near = F.l1_loss(enhanced, normal)
    of_generator.zero_grad()
    (weight * fooled + 200 * near).backward()
    of_generator.step()
    of_discriminator.zero_grad()
    both = F.softplus(-discriminator(low, normal)) + F.softplus(discriminator(low, enhanced.data))
    judged = both.mean() / 2
    judged.backward()
    of_discriminator.step()
    return judged.item(), fooled.item(), near.item()


class Painter(nn.Module):
    """A generator of one layer that counts its calls, and the gradients that reach it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 3, kernel_size=1)
        self.calls = self.gradients = 0
        self.layer.weight.register_hook(self.count)

    def count(self, gradient):
        self.gradients += 1

    def forward(self, low):
        self.calls += 1
        return torch.sigmoid(self.layer(low))


class Critic(nn.Module):
    """A discriminator of one layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(6, 1, kernel_size=4, stride=2)

    def forward(self, low, image):
        return 4 * self.layer(torch.cat([low, image], dim=1))


LEAK = (
    "the gradient of the discriminator's loss runs on into the generator, and would teach it to "
    "be recognised: give the discriminator enhanced.detach() in its own turn."
)
TWICE = (
    "the generator's turn has two backward() through one graph, which is gone after the first: add "
    "up weight * fooled and 200 * near, and call backward() once."
)
USED_UP = (
    "the verdict on the detached output is used again in the generator's turn, but no gradient "
    "comes back through it; ask the discriminator again, about enhanced itself."
)


def gan_step_observe(answer, weight, batches):
    """Take steps and follow the losses and the weights of both players."""
    generator, discriminator = Painter(), Critic()
    # So small a step of the generator that its L1, times 200, does not outweigh all else.
    optimizers = tuple(
        torch.optim.SGD(player.parameters(), lr=rate)
        for player, rate in ((generator, 0.003), (discriminator, 0.1))
    )
    early = 0  # gradients that have reached the generator when the discriminator steps

    def count_early(*_):
        nonlocal early
        early = generator.gradients

    optimizers[1].register_step_post_hook(count_early)
    seen = []
    for low, normal in batches:
        generator.calls = generator.gradients = early = 0
        try:
            losses = answer(generator, discriminator, optimizers, low, normal, weight)
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            raise Finding(LEAK if early else TWICE if generator.gradients else USED_UP) from error
        if 0 < early < generator.gradients:
            raise Finding(LEAK)
        if not isinstance(losses, tuple | list) or len(losses) != 3:
            raise Finding("return three numbers: judged, fooled, near.")
        if any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses):
            raise Finding("you return losses with their graphs; return numbers, by .item().")
        if generator.calls != 1:
            raise Finding(
                f"the generator is called {generator.calls} times; call it once per step. With "
                "dropout, a second output would be another one than the discriminator has judged."
            )
        players = (generator, discriminator)
        seen.append((losses, *(copy_of(player.layer.weight.detach()) for player in players)))
    return seen


REAL, FAKE = "torch.ones_like(real)", "torch.zeros_like(fake)"
ITS_STEP = "    of_discriminator.step()\n"

gan_step = Exercise(
    title="One turn of each player",
    minutes=12,
    difficulty=4,
    reference=gan_step_solution,
    inputs=lambda: [
        (weight, [tuple(torch.rand(2, 2, 3, 8, 10)) for _ in range(3)]) for weight in (1.0, 50.0)
    ],
    observe=gan_step_observe,
    mistakes={
        "the labels are swapped: to the discriminator the real pair is 1, the generated one 0.": [
            f"{REAL} => torch.zeros_like(real)",
            f"{FAKE} => torch.ones_like(fake)",
        ],
        "the discriminator is taught that both pairs are real; its label for the generated one "
        "is 0.": f"{FAKE} => torch.ones_like(fake)",
        "the sigmoid is applied twice: the loss with logits already contains one.": [
            "discriminator(low, normal) => discriminator(low, normal).sigmoid()",
            "discriminator(low, enhanced.detach()) => "
            "discriminator(low, enhanced.detach()).sigmoid()",
        ],
        "the two halves of the discriminator's loss are added; take their mean.": ") / 2 => )",
        LEAK: "enhanced.detach() => enhanced",
        "in its own turn.": [
            "enhanced.detach() => enhanced",
            "judged.backward() => judged.backward(retain_graph=True)",
        ],
        "the discriminator learns nothing from the generated pair: detach the image, not the "
        "verdict.": "enhanced.detach()) => enhanced).detach()",
        "in its own turn the generator is taught to be recognised: it wants the label 1, "
        "real.": "torch.ones_like(verdict) => torch.zeros_like(verdict)",
        "the generator minimises log(1 - D), minus the discriminator's loss: where the "
        "discriminator is sure, that has no slope. Minimise the loss of the label 1 instead.": (
            "fooled = F.binary_cross_entropy_with_logits(verdict, torch.ones_like(verdict)) => "
            "fooled = -F.binary_cross_entropy_with_logits(verdict, torch.zeros_like(verdict))"
        ),
        USED_UP: "verdict = discriminator(low, enhanced) => verdict = fake",
        TWICE: (
            "(weight * fooled + 200 * near).backward() => "
            "(weight * fooled).backward(); (200 * near).backward()"
        ),
        "in the generator's turn the output is detached as well, so no gradient of the "
        "discriminator's opinion reaches the generator.": (
            "verdict = discriminator(low, enhanced) => "
            "verdict = discriminator(low, enhanced.detach())"
        ),
        "the discriminator's opinion is asked before its step; ask it again afterwards.": [
            "    verdict = discriminator(low, enhanced)\n => ",
            "    judged = F. =>     verdict = discriminator(low, enhanced)\n    judged = F.",
            f"{ITS_STEP} => ",
            "    of_generator.zero_grad()\n => ",
            "    (weight * fooled + 200 * near).backward()\n => "
            "    of_generator.zero_grad()\n    (weight * fooled + 200 * near).backward()\n"
            f"{ITS_STEP}",
        ],
        "the discriminator never steps.": f"{ITS_STEP} => ",
        "the generator never changes: its optimiser does not step, or its output has no graph.": (
            "    of_generator.step()\n => "
        ),
        "old gradients of the discriminator are still there. The generator's turn leaves some as "
        "well: clear them before the discriminator's backward().": (
            "    of_discriminator.zero_grad()\n => "
        ),
        "the generator's turn leaves gradients in the discriminator as well: clear them right "
        "before the discriminator's backward(), not after its step.": [
            "    of_discriminator.zero_grad()\n => ",
            f"{ITS_STEP} => {ITS_STEP}    of_discriminator.zero_grad()\n",
        ],
        "the discriminator gets its images in the wrong order: first the dark one, then the one "
        "that it judges.": [
            "discriminator(low, normal) => discriminator(normal, low)",
            "discriminator(low, enhanced.detach()) => discriminator(enhanced.detach(), low)",
            "discriminator(low, enhanced) => discriminator(enhanced, low)",
        ],
        "old gradients of the generator are still there: clear them before its backward().": (
            "    of_generator.zero_grad()\n => "
        ),
        "gradients are never cleared: each turn needs its optimiser's zero_grad() before "
        "backward().": [
            "    of_discriminator.zero_grad()\n => ",
            "    of_generator.zero_grad()\n => ",
        ],
        "weight belongs to the adversary, 200 to L1; yours are the other way round.": (
            "weight * fooled + 200 * near => 200 * fooled + weight * near"
        ),
        "the weight of the adversary is not used.": "weight * fooled => fooled",
        "L1 counts 200 times in the generator's loss.": "200 * near => near",
        "near is the mean absolute error, F.l1_loss.": "F.l1_loss => F.mse_loss",
        "the optimisers are mixed up: the first is the generator's.": (
            "of_generator, of_discriminator = optimizers => "
            "of_discriminator, of_generator = optimizers"
        ),
        "the generator takes its turn first; the discriminator goes first, and the generator then "
        "plays against what it has learned.": generator_first,
        "return fooled and near as they are; their weights belong to the sum that the generator "
        "minimises.": "fooled.item(), near.item() => weight * fooled.item(), 200 * near.item()",
        "return near as it is; 200 belongs to the sum that the generator minimises.": (
            "near.item() => 200 * near.item()"
        ),
        "return fooled as it is; weight belongs to the sum that the generator minimises.": (
            "fooled.item() => weight * fooled.item()"
        ),
        "you return losses with their graphs": "judged.item(), => judged,",
        "call it once per step": "enhanced.detach() => generator(low).detach()",
    },
    right=[
        step_by_softplus,
        edited(
            gan_step_solution,
            "(weight * fooled + 200 * near).backward() => "
            "(weight * fooled).backward(retain_graph=True); (200 * near).backward()",
        ),
    ],
    hints=[
        "Two turns, each with the same five lines: ask the discriminator, compute the loss, "
        "zero_grad, backward, step. Whose optimiser, and which labels, in each turn?",
        "In the first turn the discriminator sees `enhanced.detach()`, and its loss is the mean of "
        "two cross-entropies. In the second turn it sees `enhanced`, and the label is 1.",
        "`F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))` is the surprise at "
        "the label 1. The generator's loss is `weight * fooled + 200 * near`; `.item()` makes "
        "a number of a loss.",
    ],
)


def accumulate_solution(model, optimizer, batches):
    """One step with the gradient of the mean loss over all crops of ``batches``."""
    total = sum(len(low) for low, _ in batches)
    optimizer.zero_grad()
    for low, normal in batches:
        loss = F.l1_loss(model(low), normal) * len(low) / total
        loss.backward()
    optimizer.step()


def accumulate_observe(student, sizes):
    """Return the weights after a step from batches of these sizes."""
    model = nn.Conv2d(3, 3, 3, padding=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = [(torch.rand(n, 3, 8, 8), torch.rand(n, 3, 8, 8) + n / 4) for n in sizes]
    # Leftovers of an earlier step.
    model(batches[1][0]).sum().mul(1e-4).backward()
    held = []  # crops that wait for their gradient

    def hold(module, given, output):
        if not output.requires_grad:
            return
        held.append(len(output))
        if sum(held) > max(sizes):
            raise Finding(
                f"the model holds {sum(held)} crops at once, and the memory only those of one "
                "batch: call backward() for each batch before the model gets the next."
            )
        output.register_hook(lambda gradient: held.clear())

    model.register_forward_hook(hold)
    student(model, optimizer, batches)
    return list(model.parameters())


accumulate = Exercise(
    title="One step from several small batches",
    minutes=8,
    difficulty=3,
    reference=accumulate_solution,
    inputs=lambda: [((4, 4, 1),)],
    observe=accumulate_observe,
    mistakes={
        "the losses are added up: the step is as many times too long as there are batches; "
        "divide each loss.": " * len(low) / total => ",
        "each batch counts the same, but the last one is smaller: "
        "weigh it by its number of crops.": " * len(low) / total =>  / len(batches)",
        "l1_loss is a mean already: multiply "
        "it by len(low) before you divide by the total.": " * len(low) / total =>  / total",
        "gradients are cleared for each batch, so only the last one counts; "
        "clear them once.": "in batches: => in batches:\n        optimizer.zero_grad()",
        "old gradients are still there: "
        "clear them before the first batch.": "optimizer.zero_grad() => pass",
        "the weights move after each batch; step once, "
        "after the last.": "\n    optimizer.step() => \n        optimizer.step()",
        "the weights move after each batch, and gradients are cleared for each: those are "
        "several steps, not one.": [
            "in batches: => in batches:\n        optimizer.zero_grad()",
            "\n    optimizer.step() => \n        optimizer.step()",
        ],
        "the weights do not change: the optimiser never steps.": "optimizer.step() => pass",
        "the model holds 9 crops at once": lambda model, optimizer, batches: accumulate_solution(
            model, optimizer, [[torch.cat(images) for images in zip(*batches, strict=True)]]
        ),
        "the model holds 8 crops at once": [
            "optimizer.zero_grad() => losses = []\n    optimizer.zero_grad()",
            "loss.backward() => losses.append(loss)",
            "\n    optimizer.step() => \n    sum(losses).backward()\n    optimizer.step()",
        ],
    },
    right=[
        lambda model, optimizer, batches: accumulate_solution(
            model,
            optimizer,
            [
                pair
                for low, normal in batches
                for pair in zip(low.split(1), normal.split(1), strict=True)
            ],
        ),
    ],
    hints=[
        "`backward()` adds to the gradients that are there. What has to happen once before the "
        "first batch, and once after the last?",
        "The mean over nine crops is not the mean of the means over four, four and one. Which "
        "share of all crops does each batch hold?",
        "`total = sum(len(low) for low, _ in batches)` counts the crops. Weigh each batch's loss "
        "by its share of them before you call `backward()`.",
    ],
)


def invented_solution(made, true, window):
    """Energy of ``made`` that no multiple of ``true`` explains, around each pixel."""
    both = window(made * true)
    return window(made**2) - both**2 / (window(true**2) + 1e-8)


def invented_inputs():
    def window(values):
        return F.avg_pool2d(values, 5, stride=1, padding=2, count_include_pad=False)

    true = torch.randn(1, 1, 12, 14)
    return [(0.7 * true + 0.5 * torch.randn(1, 1, 12, 14), true, window)]


invented = Exercise(
    title="What the target does not explain",
    minutes=12,
    difficulty=4,
    reference=invented_solution,
    inputs=invented_inputs,
    mistakes={
        "that is the energy of the difference: a structure that is there, but stronger or weaker, "
        "would count as invented.": lambda m, t, w: w((m - t) ** 2),
        "that is the difference of the energies: a wrong "
        "structure as strong as the true one would count as 0.": lambda m, t, w: w(m**2) - w(t**2),
        "that is the part that true explains; asked is the rest.": lambda m, t, w: (
            w(m * t) ** 2 / (w(t**2) + 1e-8)
        ),
        "made and true are swapped: that is what the output lacks.": lambda m, t, w: (
            invented_solution(t, m, w)
        ),
        "the factor is fitted at each pixel alone, where it explains everything; take window() "
        "of the products first.": lambda m, t, w: w(invented_solution(m, t, lambda values: values)),
        "window() is missing around made**2: the energy, too, is a mean around each pixel.": (
            "window(made**2) => made**2"
        ),
        "window() is missing around made * true: the factor is fitted to a neighbourhood, not to "
        "one pixel.": "window(made * true) => made * true",
        "window() is missing around true**2: the factor is a ratio of two means.": (
            "window(true**2) => true**2"
        ),
        "the covariance enters squared: both**2 / window(true**2).": lambda m, t, w: (
            w(m**2) - w(m * t) / (w(t**2) + 1e-8)
        ),
        "the energy of what is left is a mean over the window; yours is that of single "
        "pixels.": lambda m, t, w: (m - w(m * t) / (w(t**2) + 1e-8) * t) ** 2,
        "one factor is fitted to the whole image; each neighbourhood "
        "has its own.": lambda m, t, w: w((m - (m * t).mean() / (t**2).mean() * t) ** 2),
        "the energy of what is left has to be averaged over the window with one factor for all of "
        "its pixels; use the formula "
        "for the least squares.": lambda m, t, w: w((m - w(m * t) / (w(t**2) + 1e-8) * t) ** 2),
    },
    right=[lambda m, t, w: w(m * m) * (1 - w(m * t) ** 2 / (w(m * m) * w(t * t)))],
    hints=[
        "Fix one neighbourhood. For which factor a is the mean of `(made - a * true)**2` least? "
        "Take the derivative with respect to a.",
        "`a = mean(made * true) / mean(true**2)`. Put it into the mean of "
        "`made**2 - 2 * a * made * true + a**2 * true**2` and simplify.",
        "What is left is `mean(made**2) - a * mean(made * true)`. `window` takes the three means; "
        "add 1e-8 to the denominator of a.",
    ],
)
