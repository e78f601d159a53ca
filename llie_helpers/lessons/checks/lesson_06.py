"""Exercises of lesson 06: what a patch sees, stable losses, the two sides of a GAN, inventions."""

import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers.lessons.checks.compare import Finding, difference, expect_form
from llie_helpers.lessons.checks.exercise import Exercise, combine


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
    return logits.clamp_min(0) - logits * label + torch.log1p(torch.exp(-logits.abs()))


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
            "logits.clamp_min(0) - logits * label + => logits * label - logits.clamp_min(0) -"
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
        lambda logits, label: torch.logaddexp(0 * logits, logits.double()) - label * logits,
    ],
    hints=[
        "Write `-log(sigmoid(x))` as `log(1 + exp(-x))`. For which x does that overflow? Pull "
        "something out of the logarithm there.",
        "`log(1 + exp(-x)) = max(-x, 0) + log(1 + exp(-|x|))` holds for every x, and its exp "
        "never exceeds 1. For label 0 the surprise is that of -x.",
        "Label 0 has `max(x, 0)` where label 1 has `max(-x, 0)`, which is `max(x, 0) - x`: one "
        "line can serve both. `clamp_min(0)` is the maximum, `torch.log1p(y)` is log(1 + y).",
    ],
)


def judge_solution(discriminator, low, normal, enhanced):
    """The discriminator's loss on a batch, with no gradient for the generator."""
    real = discriminator(low, normal)
    fake = discriminator(low, enhanced.detach())
    right = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))
    wrong = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    return (right + wrong) / 2


def judge_observe(student, layer, low, normal, enhanced):
    def discriminator(low, image):
        return layer(torch.cat([low, image], dim=1))

    loss = expect_form(student(discriminator, low, normal, enhanced.requires_grad_()), 0.0)
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        raise Finding("the loss has no gradient: the discriminator could not learn from it.")
    slope, leaked = torch.autograd.grad(loss, (layer.weight, enhanced), allow_unused=True)
    return loss, slope, leaked is not None


judge = Exercise(
    title="The discriminator's loss, with three bugs",
    minutes=6,
    difficulty=2,
    reference=judge_solution,
    inputs=lambda: [(nn.Conv2d(6, 1, 4, 2, 1), *torch.rand(3, 2, 3, 12, 16))],
    observe=judge_observe,
    mistakes=combine(
        {
            "the labels are swapped: the real pair is to get 1, the generated one 0.": [
                "zeros_like => ones_like",
                "ones_like(real) => zeros_like(real)",
            ],
            "both pairs get label 1; that is what the generator wants, "
            "not the discriminator.": "zeros_like => ones_like",
            "the sigmoid is applied twice: the loss with logits already holds one.": (
                "discriminator(low, => (lambda *pair: discriminator(*pair).sigmoid())(low,"
            ),
            "the two halves are added; take their mean, "
            "as pix2pix does to slow the discriminator.": " / 2 => ",
            "the gradient also reaches the generator's output, which would teach the generator "
            "to give itself away; detach the output first.": ["enhanced.detach() => enhanced"],
        },
        most=3,
    )
    | {
        "the discriminator must learn from both pairs, and learns nothing from the generated one: "
        "detach the image, not the verdict.": "enhanced.detach()) => enhanced.detach()).detach()",
        "the discriminator must learn from both pairs, and learns nothing from the real one: "
        "detach the generated image alone.": "low, normal) => low, normal).detach()",
        "the loss has no gradient": torch.no_grad()(judge_solution),
    },
    right=[
        lambda d, low, normal, made: (
            (F.softplus(-d(low, normal)) + F.softplus(d(low, made.detach()))).mean() / 2
        ),
    ],
    hints=[
        "What does `binary_cross_entropy_with_logits` expect: a probability or a logit? Which "
        "label belongs to which pair?",
        "`backward()` on this loss follows every path back. One of them leads through `enhanced` "
        "into the generator. How is a path cut?",
        "Leave out the sigmoid, and cut the path with `enhanced.detach()`. The third bug is in the "
        "labels: the discriminator is to say 1 to one of the pairs and 0 to the other.",
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
    },
    right=[
        lambda model, optimizer, batches: accumulate_solution(
            model, optimizer, [[torch.cat(images) for images in zip(*batches, strict=True)]]
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
        "the covariance enters squared: both**2 / window(true**2).": lambda m, t, w: (
            w(m**2) - w(m * t) / (w(t**2) + 1e-8)
        ),
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
