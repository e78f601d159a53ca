"""Checks of lesson 06: what a patch sees, stable losses, the two sides of a GAN, inventions."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import compare, difference
from llie_helpers.lessons.checks.exercise import Check


def patch_solution(layers, index):
    """First and last input pixel that verdict ``index`` along a side sees."""
    first = last = index
    for kernel, stride, padding in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + kernel - 1
    return first, last


def _patch(layers, index, reverse=True, pad=True, own=1):
    first = last = index
    for kernel, stride, padding in reversed(layers) if reverse else layers:
        padding = padding if pad else 0
        first = first * stride - padding
        last = last * stride - padding + kernel - own
    return first, last


def _field(layers):
    first, last = patch_solution(layers, 0)
    return last - first + 1


def _centred(layers, index):
    jump = 1
    for _, stride, _ in layers:
        jump *= stride
    start = index * jump - _field(layers) // 2
    return start, start + _field(layers) - 1


def patch_test(student):
    mistakes = {
        "you walk from the first layer to the last; a verdict is at the end, so go back from the "
        "last layer.": lambda *a: _patch(*a, reverse=False),
        "the padding is left out: it puts the first window in front of the image, so indices "
        "below 0 are right.": lambda *a: _patch(*a, pad=False),
        "the last pixel of a window is start + kernel - 1, not start + kernel.": (
            lambda *a: _patch(*a, own=0)
        ),
        "the window is as wide as it should be, but it does not lie centred on index * stride: "
        "follow its first pixel back through each layer.": _centred,
        "indices outside of the image are right: the window then covers padding.": (
            lambda *a: (max(_patch(*a)[0], 0), _patch(*a)[1])
        ),
        "return the last pixel, not the width of the window.": (
            lambda layers, index: (patch_solution(layers, index)[0], _field(layers))
        ),
    }
    # Not symmetrical, so that the order of the layers matters.
    for layers in ([(5, 3, 2), (3, 2, 0), (4, 1, 1)], [(4, 2, 1), (4, 2, 1), (4, 1, 1)]):
        for index in (0, 3):
            if found := compare(student, patch_solution, layers, index, mistakes=mistakes):
                return found
    return None


patch = Check(
    "What a verdict sees",
    minutes=8,
    difficulty=3,
    reference=patch_solution,
    test=patch_test,
    hints=[
        "Start with a single layer. Its output number 0 sees the pixels from `-padding` to "
        "`-padding + kernel - 1`. Which does its output number 1 see?",
        "If a layer's output `i` is wanted, its inputs `i * stride - padding` to "
        "`i * stride - padding + kernel - 1` are needed. Ask the same of the layer before, for "
        "the first and for the last of them.",
        "`first = last = index`, then `for kernel, stride, padding in reversed(layers)`: "
        "`first = first * stride - padding`, and for `last` the same plus `kernel - 1`.",
    ],
)


def surprise_solution(logits, label):
    """``-log`` of the probability given to ``label``, safe for any logit."""
    return logits.clamp_min(0) - logits * label + torch.log1p(torch.exp(-logits.abs()))


def surprise_test(student):
    calm = torch.linspace(-6, 6, 25)

    mistakes = {
        "the label is the wrong way round: with label 1 a large logit is no surprise.": (
            lambda logits, label: surprise_solution(logits, 1 - label)
        ),
        "the sign is wrong: the surprise is never negative.": (
            lambda logits, label: -surprise_solution(logits, label)
        ),
        "return one surprise for each logit; do not take the mean.": (
            lambda logits, label: surprise_solution(logits, label).mean()
        ),
        "that is the probability, not minus its logarithm.": (
            lambda logits, label: torch.sigmoid(logits if label else -logits)
        ),
    }
    for label in (1.0, 0.0):
        if found := compare(student, surprise_solution, calm, label, mistakes=mistakes):
            return found
    # The right values; now where float32 runs out of digits.
    far = torch.tensor([-200.0, -100.0, -30.0, 30.0, 100.0, 200.0])
    for label in (1.0, 0.0):
        logits = far.clone().requires_grad_()
        got, right = student(logits, label), surprise_solution(far, label)
        if not torch.isfinite(got).all():
            return (
                "right for small logits, but infinite or NaN for a logit of 100 or -100: the "
                "sigmoid rounds to 0 or 1, or exp overflows, before the logarithm is taken."
            )
        if difference(got.detach(), right) is not None:
            return (
                "right for small logits, but too small for a logit of 100 or -100: a limit on "
                "the probability also limits the surprise, and its gradient is 0 there."
            )
        got.sum().backward()
        if difference(logits.grad, torch.sigmoid(far) - label, 1e-4) is not None:
            return (
                "the values are right, but their gradient is not sigmoid(logit) - label "
                "everywhere; is a branch taken that overflows?"
            )
    return None


surprise = Check(
    "A logarithm that does not break",
    minutes=8,
    difficulty=3,
    reference=surprise_solution,
    test=surprise_test,
    hints=[
        "Write `-log(sigmoid(x))` as `log(1 + exp(-x))`. For which x does that overflow? Pull "
        "something out of the logarithm there.",
        "`log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|))` holds for every x, and its exp "
        "never exceeds 1. For label 0 the surprise is that of -x.",
        "Both labels in one line: `max(x, 0) - x * label + log1p(exp(-|x|))`, with "
        "`clamp_min(0)` for the maximum.",
    ],
)


def judge_solution(discriminator, low, normal, enhanced):
    """The discriminator's loss on a batch, with no gradient for the generator."""
    real = discriminator(low, normal)
    fake = discriminator(low, enhanced.detach())
    right = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    wrong = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return (right + wrong) / 2


class _Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(6, 1, 4, 2, 1)

    def forward(self, low, image):
        return self.layer(torch.cat([low, image], dim=1))


def judge_test(student):
    bce = F.binary_cross_entropy_with_logits

    def loss(d, low, normal, enhanced, labels=(1.0, 0.0), squash=False, half=0.5, given=None):
        given = low if given is None else given
        logits = d(given, normal), d(given, enhanced)
        logits = [torch.sigmoid(x) for x in logits] if squash else logits
        parts = [bce(x, torch.full_like(x, y)) for x, y in zip(logits, labels, strict=True)]
        return half * sum(parts)

    mistakes = {
        "the labels are swapped: the real pair is to get 1, the generated one 0.": {
            "labels": (0.0, 1.0)
        },
        "both pairs get label 1; that is what the generator wants, not the discriminator.": {
            "labels": (1.0, 1.0)
        },
        "the sigmoid is applied twice: the loss with logits already holds one.": {"squash": True},
        "the two halves are added; take their mean, as pix2pix does to slow the discriminator.": {
            "half": 1.0
        },
    }
    torch.manual_seed(0)
    critic = _Critic()
    low, normal, enhanced = (torch.rand(2, 3, 12, 16) for _ in range(3))
    inputs = [critic, low, normal, enhanced.requires_grad_()]
    got = student(*inputs)
    found = difference(got.detach() if isinstance(got, torch.Tensor) else got, loss(*inputs).item())
    for sentence, change in mistakes.items() if found else ():
        if difference(got.detach(), loss(*inputs, **change).item()) is None:
            found = sentence
        both = loss(*inputs, **(change | {"squash": True})).item()
        if "squash" not in change and difference(got.detach(), both) is None:
            found = sentence + " Also, the sigmoid is applied twice."
    if found:
        return found
    if not got.requires_grad:
        return "the loss has no gradient: the discriminator could not learn from it."
    got.backward()
    if enhanced.grad is not None:
        return (
            "the gradient also reaches the generator's output, which would teach the generator to "
            "be found out; detach the output first."
        )
    reference = copy.deepcopy(critic)
    reference.zero_grad()
    judge_solution(reference, low, normal, enhanced.detach()).backward()
    if difference(critic.layer.weight.grad, reference.layer.weight.grad) is not None:
        return (
            "the loss is right, but its gradient is not: the discriminator must learn from both "
            "the real and the generated pair."
        )
    return None


judge = Check(
    "The discriminator's loss, with three bugs",
    minutes=6,
    difficulty=2,
    reference=judge_solution,
    test=judge_test,
    hints=[
        "What does `binary_cross_entropy_with_logits` expect: a probability or a logit? Which "
        "label belongs to which pair?",
        "`backward()` on this loss follows every path back. One of them leads through `enhanced` "
        "into the generator. How is a path cut?",
        "No sigmoid, `enhanced.detach()`, ones for real and zeros for generated, and the mean of "
        "the two.",
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


def _accumulate(model, optimizer, batches, weight="share", clear="first", step="last"):
    total = sum(len(low) for low, _ in batches)
    if clear == "first":
        optimizer.zero_grad()
    for low, normal in batches:
        if clear == "each":
            optimizer.zero_grad()
        scale = {"share": len(low) / total, "count": 1 / len(batches), "sum": 1, "total": 1 / total}
        (F.l1_loss(model(low), normal) * scale[weight]).backward()
        if step == "each":
            optimizer.step()
    if step == "last":
        optimizer.step()


def accumulate_test(student):
    mistakes = {
        "the losses are added up: the step is as many times too long as there are batches; divide "
        "each loss.": {"weight": "sum"},
        "each batch counts the same, but the last one is smaller: weigh it by its number of "
        "crops.": {"weight": "count"},
        "l1_loss is a mean already: multiply it by len(low) before you divide by the total.": {
            "weight": "total"
        },
        "gradients are cleared for each batch, so only the last one counts; clear them once.": {
            "clear": "each"
        },
        "old gradients are still there: clear them before the first batch.": {"clear": "never"},
        "the weights move after each batch; step once, after the last.": {"step": "each"},
        "the weights move after each batch, and gradients are cleared for each: those are "
        "several steps, not one.": {"step": "each", "clear": "each"},
        "the weights do not change: the optimiser never steps.": {"step": "never"},
    }

    def run(function, **options):
        torch.manual_seed(0)
        model = nn.Conv2d(3, 3, 3, padding=1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        batches = [(torch.rand(n, 3, 8, 8), torch.rand(n, 3, 8, 8) + n / 4) for n in (4, 4, 1)]
        # Leftovers of an earlier step.
        model(batches[1][0]).sum().mul(1e-4).backward()
        function(model, optimizer, batches, **options)
        return [parameter.detach() for parameter in model.parameters()]

    got = run(student)
    found = difference(got, run(accumulate_solution))
    if found:
        for sentence, options in mistakes.items():
            if difference(got, run(_accumulate, **options)) is None:
                return sentence
    return found


accumulate = Check(
    "One step from several small batches",
    minutes=8,
    difficulty=3,
    reference=accumulate_solution,
    test=accumulate_test,
    hints=[
        "`backward()` adds to the gradients that are there. What has to happen once before the "
        "first batch, and once after the last?",
        "The mean over nine crops is not the mean of the means over four, four and one. Which "
        "share of all crops does each batch hold?",
        "`total = sum(len(low) for low, _ in batches)`, then each batch's loss times "
        "`len(low) / total`, then `backward()`.",
    ],
)


def invented_solution(made, true, window):
    """Energy of ``made`` that no multiple of ``true`` explains, around each pixel."""
    both = window(made * true)
    return window(made**2) - both**2 / (window(true**2) + 1e-8)


def invented_test(student):
    def window(values):
        return F.avg_pool2d(values, 5, stride=1, padding=2, count_include_pad=False)

    def pixelwise(made, true, window):
        return window(made**2 - (made * true) ** 2 / (true**2 + 1e-8))

    mistakes = {
        "that is the energy of the difference: a structure that is there, but stronger or weaker, "
        "would count as invented.": lambda m, t, w: w((m - t) ** 2),
        "that is the difference of the energies: a wrong structure as strong as the true one "
        "would count as 0.": lambda m, t, w: w(m**2) - w(t**2),
        "that is the part that true explains; asked is the rest.": (
            lambda m, t, w: w(m * t) ** 2 / (w(t**2) + 1e-8)
        ),
        "made and true are swapped: that is what the output lacks.": (
            lambda m, t, w: w(t**2) - w(m * t) ** 2 / (w(m**2) + 1e-8)
        ),
        "the factor is fitted at each pixel alone, where it explains everything; take window() of "
        "the products first.": pixelwise,
        "the covariance enters squared: both**2 / window(true**2).": (
            lambda m, t, w: w(m**2) - w(m * t) / (w(t**2) + 1e-8)
        ),
        "one factor is fitted to the whole image; each neighbourhood has its own.": (
            lambda m, t, w: w((m - (m * t).mean() / (t**2).mean() * t) ** 2)
        ),
        "the energy of what is left has to be averaged over the window with one factor for all "
        "of its pixels; use the formula for the least squares.": (
            lambda m, t, w: w((m - w(m * t) / (w(t**2) + 1e-8) * t) ** 2)
        ),
    }
    true = torch.randn(1, 1, 12, 14)
    made = 0.7 * true + 0.5 * torch.randn(1, 1, 12, 14)
    return compare(student, invented_solution, made, true, window, mistakes=mistakes)


invented = Check(
    "What the target does not explain",
    minutes=12,
    difficulty=4,
    reference=invented_solution,
    test=invented_test,
    hints=[
        "Fix one neighbourhood. For which factor a is the mean of `(made - a * true)**2` least? "
        "Take the derivative with respect to a.",
        "`a = mean(made * true) / mean(true**2)`. Put it into the mean of "
        "`made**2 - 2 * a * made * true + a**2 * true**2` and simplify.",
        "What is left is `mean(made**2) - mean(made * true)**2 / mean(true**2)`; `window` takes "
        "the means. Add 1e-8 to the denominator.",
    ],
)
