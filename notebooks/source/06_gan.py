# %% [markdown]
# # 06. Adversarial training
#
# A pixel loss asks for the mean of all plausible answers, and a mean is blurred (lessons 03 and
# 04). What if the loss were a network of its own, which learns to tell a photograph from an output?
# Then a blurred output would cost something, because photographs are not blurred. This is a GAN, a
# *generative adversarial network*. In this lesson you build one of the best known, pix2pix, with
# its adversary, train both in turns, and then check its work: what is better, what is worse, and
# what the network has made up.
#
# **You will be able to**
#
# - work out the layers of the pix2pix generator and of its PatchGAN, and what one verdict sees;
# - write both losses so that no logarithm breaks and no gradient takes the wrong path;
# - read the curves of a game, which tell less than those of a minimisation;
# - say what dropout and batch statistics do when they are left on at inference;
# - measure and show structure that the output has and the target lacks.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | needs a GPU; about two hours on a small one | 8 GB on the GPU |
#
# The full profile's hours and memory are worked out from the network's layers, not measured.

# %% [markdown]
# {{setup}}

# %%
import copy
import time
from functools import partial
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from torch import nn

from llie_helpers import data, metrics, models, plotting, training
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_06 as check
from llie_helpers.losses import gan_discriminator_loss, gan_generator_loss
from llie_helpers.methods import create_method
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.models.patchgan import LAYERS, PatchGAN
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. What it has to beat
#
# As before, the methods without a network come first; the second gamma and the histogram mapper
# are fitted to training pairs.

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# All scores of this lesson are taken under the frozen protocol and noted in the ledger.

# %%
baselines = lessons.baselines(train, test)
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)
baselines.table()

# %%
best = baselines.scores[baselines.best]
fitted = baselines.tuned_gamma
fitted_gamma = baselines.methods[fitted]
print(f"to beat: {baselines.best}, {best.psnr:.2f} dB on {test.title}")

# %% [markdown]
# ## 2. The generator
#
# The *generator* is the network that enhances. Ours goes down to a quarter of the size, changes the
# features in six residual blocks, and climbs back with skips, as the U-Net does. The drawing stands
# at the head of its file:

# %% tags=["nbval-check-output"]
from llie_helpers.models import pix2pix

print(pix2pix.__doc__)

# %% [markdown]
# Four things are new.
#
# - *Images in [-1, 1].* The output layer is a tanh, which is steepest at 0 and symmetric around it;
#   so black becomes -1 and white 1. The network converts on its way in and out, and to you it takes
#   and gives [0, 1] as all others do.
# - *LeakyReLU* lets a fifth of negative values through, so that no unit falls silent for good.
# - *Dropout* sets a random half of the decoder's activations to 0 in each training step. In pix2pix
#   it is the only source of chance.
# - *Batch norm* even after the last convolution, before the tanh. Section 6 shows what this does.
#
# Count the parameters from the published list, by hand as it were. A convolution before a batch
# norm needs no bias, since the norm subtracts the mean, but the norm itself learns a scale and a
# shift for each channel.


# %% tags=["nbval-check-output"]
def weights(channels_in, channels_out, kernel, normed=True):
    return channels_in * channels_out * kernel**2 + channels_out * (2 if normed else 1)


encoder = weights(3, 64, 7) + weights(64, 128, 3) + weights(128, 256, 3)
blocks = 6 * 2 * weights(256, 256, 3)
decoder = weights(256, 128, 1, normed=False) + weights(256, 64, 1, normed=False)
leave = weights(64 + 64, 3, 7)
print(f"by hand: {encoder:,} + {blocks:,} + {decoder:,} + {leave:,}")
print(f"       = {encoder + blocks + decoder + leave:,}")
print(f"network: {count_parameters(models.create_model('pix2pix')):,}")

# %% [markdown]
# Nearly all of it stands in the residual blocks. On a CPU the full network takes seconds for a
# single training step, so the quick profile uses an eighth of the width:

# %% tags=["nbval-check-output"]
width = lesson.choose(quick=8, full=64)


def fresh_pair():
    """A generator and a discriminator with the same first weights each time."""
    torch.manual_seed(lesson.seed)
    return models.create_model("pix2pix", width=width).to(device), PatchGAN(width).to(device)


generator, discriminator = fresh_pair()
print(f"this run: width {width}, {count_parameters(generator):,} parameters")

# %% [markdown]
# ## 3. The discriminator, and what one verdict sees
#
# The *discriminator* is given two images one upon the other, six channels: the dark input, and
# either its target or what the generator made of it. It says which it is. Seeing the input as well,
# it can tell not only "no photograph looks like this" but also "this is no photograph of *that*
# scene".
#
# It does not give one verdict. A *PatchGAN* is a stack of convolutions that ends in a small map of
# numbers, each a verdict on the patch it sees.

# %% tags=["nbval-check-output"]
from llie_helpers.models import patchgan

full_size = PatchGAN()
print(patchgan.__doc__)
answer = full_size(*torch.zeros(2, 2, 3, 256, 256))
print(f"{count_parameters(full_size):,} parameters")
print(f"verdicts on an image of 256 x 256: {answer.shape[2]} x {answer.shape[3]}")

# %% [markdown]
# Texture is local, so a judge of texture may be local too. It has fewer weights than one that sees
# everything, works on any size, and gives many verdicts per image to learn from. Overall
# structure is left to L1.
#
# {{exercise patch}}
#
# Which pixels? `layers` is a list of `(kernel, stride, padding)`. Padding adds so many rows of
# zeros at each border. For verdict number `index` along one side, counted from 0, return the first
# and the last input pixel that it sees. They may lie outside of the image.


# %%
def my_patch(layers, index):
    """List of (kernel, stride, padding), index -> (first pixel, last pixel)."""
    ### SOLUTION patch


# %% tags=["nbval-check-output"]
check.patch(my_patch)

# %% [markdown]
# {{answers patch}}

# %% [markdown]
# Papers speak of the "70x70 PatchGAN". With the layers of the system that this course follows, four
# of stride 2, it comes out otherwise; the paper's has three. One layer less also makes more
# verdicts.

# %% tags=["nbval-check-output"]
ours = [(kernel, stride, 1) for kernel, stride in LAYERS]
papers = ours[1:]


def verdicts(layers, size):
    """How many verdicts there are along ``size`` pixels."""
    for kernel, stride, padding in layers:
        size = (size + 2 * padding - kernel) // stride + 1
    return size


for title, layers in (("four strides", ours), ("three strides", papers)):
    first, last = check.patch.reference(layers, 0)
    print(f"{title:13} {last - first + 1} pixels, {verdicts(layers, 256)} verdicts in 256 pixels")

# %% [markdown]
# The same can be asked of the network: which input pixels have a gradient?

# %% tags=["nbval-check-output"]
image = torch.rand(1, 3, 256, 256, requires_grad=True)
judge = PatchGAN(width=4).eval()
judge(torch.zeros_like(image), image)[0, 0, 7, 7].backward()
rows = image.grad[0].abs().amax(dim=(0, 2)).nonzero()
print(f"measured: {int(rows[0])} to {int(rows[-1])}")
print("formula:  {} to {}".format(*check.patch.reference(ours, 7)))

# %% [markdown]
# Drag the verdict along the diagonal. The solid box is what one verdict of ours sees, the dashed
# box what the paper's sees. What does a box hold: a texture, a thing, half the scene? What happens
# at the border, and how much do neighbours share?


# %%
def show_patch(verdict=6, photo=test[0].normal):
    figure = plotting.CourseFigure(9, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    left.imshow(photo[:, :256, :256].permute(1, 2, 0))
    for layers, style in ((ours, "-"), (papers, "--")):
        index = round(verdict * (verdicts(layers, 256) - 1) / (verdicts(ours, 256) - 1))
        first, last = check.patch.reference(layers, index)
        side = last - first + 1
        box = Rectangle((first, first), side, side, fill=False, linestyle=style, linewidth=2.5)
        box.set_edgecolor("#D55E00")
        left.add_patch(box)
        if layers is ours:
            left.set_title(f"pixels {first} to {last}")
    left.set(xlim=(-60, 316), ylim=(316, -60), xticks=[0, 255], yticks=[0, 255])
    left.grid(False)
    count = verdicts(ours, 256)
    grid = np.full((count, count), 0.9)
    grid[verdict, verdict] = 0.4
    right.imshow(grid, vmin=0, vmax=1)
    right.set(title=f"verdict ({verdict}, {verdict}) of {count} x {count}")
    right.set(xticks=np.arange(count) - 0.5, yticks=np.arange(count) - 0.5)
    right.tick_params(length=0, labelbottom=False, labelleft=False)
    right.set_axisbelow(False)
    return figure


widgets.parameter_slider(show_patch, frames=7, verdict=(0, 13, 1))

# %% [markdown]
# Neighbouring verdicts of ours are 16 pixels apart and share most of what they see, so the map is
# always soft. In the quick profile the training crops have only 64 pixels: there each verdict sees
# the whole crop and much padding, and the discriminator is not a judge of patches at all. Keep in
# mind what that leaves untested here.
#
# ## 4. The two losses
#
# A verdict $x$ is a *logit*: any number, which the sigmoid turns into the probability "real". The
# loss of a verdict is the surprise at the truth: $-\log p$ if the pair was real, $-\log(1 - p)$ if
# it was generated, which is called *binary cross-entropy*. The discriminator takes the mean of both
# kinds.

# %%
levels = ["0", "0.5", "log 2 = 0.69", "1"]
question_loss = widgets.predict(
    "A discriminator that cannot tell the two apart gives both probability 0.5. Its loss is ...",
    levels,
)
question_loss

# %% [markdown]
# Ask the package's loss, with logits of 0:

# %%
undecided = gan_discriminator_loss(torch.zeros(3), torch.zeros(3)).item()
question_loss.reveal(
    min(levels, key=lambda text: abs(float(text.split("= ")[-1]) - undecided)),
    f"it is {undecided:.4f}. Keep the number: it is the line of the undecided in the curves below.",
)

# %% [markdown]
# The network could end in a sigmoid and the loss take logarithms. On paper it is the same. In 32
# bits it is not:

# %% tags=["nbval-check-output"]
logits = torch.tensor([5.0, 15.0, 20.0, 120.0], requires_grad=True)
naive = -torch.log(1 - torch.sigmoid(logits))
stable = F.binary_cross_entropy_with_logits(logits, torch.zeros(4), reduction="none")
for kind, values in (("sigmoid, then log", naive), ("from the logits", stable)):
    (slope,) = torch.autograd.grad(values.sum(), logits, retain_graph=True)
    print(f"{kind:18} loss {[round(v, 3) for v in values.tolist()]}, "
          f"gradient {[round(v, 3) for v in slope.tolist()]}")  # fmt: skip

# %% [markdown]
# From about 17 on, the sigmoid rounds to exactly 1: `1 - p` is 0, its logarithm minus infinity, and
# the gradient not a number. One NaN ruins every weight it reaches. On the other side, for large
# negative logits, the sigmoid sinks to 0 in the same way. A confident discriminator gets there, and
# it does so exactly when it is wrong, which is when the gradient is needed most.
#
# {{exercise surprise}}
#
# Write the cross-entropy of logits of any size. `logits` is a tensor, `label` is 1.0 (real) or 0.0
# (generated). Return one surprise for each logit, finite and with the right gradient from -200 to
# 200, and without PyTorch's ready-made losses.


# %%
def my_surprise(logits, label):
    """Logits, label -> -log of the probability given to the label, same shape."""
    ### SOLUTION surprise


# %% tags=["nbval-check-output"]
check.surprise(my_surprise)

# %% [markdown]
# {{answers surprise}}

# %% [markdown]
# ### One step, written out
#
# The players take turns on each batch. First the discriminator learns to tell the target from the
# output. Then the generator learns to be taken for real and, by L1, to stay near the target. The
# paper weighs L1 with $\lambda = 100$, for images in [-1, 1]. Ours are compared in [0, 1], where
# all errors are half as large, so the same balance needs 200.


# %%
def gan_step(generator, discriminator, optimizers, low, normal, weight=200.0):
    """One turn of each player; returns the three losses."""
    enhanced = generator(low)

    real, fake = discriminator(low, normal), discriminator(low, enhanced.detach())
    judged = gan_discriminator_loss(real, fake)
    optimizers["discriminator"].zero_grad()
    judged.backward()
    optimizers["discriminator"].step()

    fooled = gan_generator_loss(discriminator(low, enhanced))
    near = F.l1_loss(enhanced, normal)
    optimizers["generator"].zero_grad()
    (fooled + weight * near).backward()
    optimizers["generator"].step()
    return judged.item(), fooled.item(), near.item()


# %% [markdown]
# `detach()` cuts the path from the discriminator's loss to the generator. In the second half the
# gradient does flow through the discriminator, on its way to the generator; it also leaves
# gradients in the discriminator's weights, which the next `zero_grad` throws away. Note that the
# generator minimises $-\log D$, "be taken for real", and not $\log(1 - D)$, "be less found out":
# the second has almost no slope while the discriminator wins, which is how every game begins.
#
# Both optimisers are Adam with a short memory ($\beta_1 = 0.5$), because yesterday's gradient is
# advice against an opponent who has moved. Eight steps on a single batch, to see it work:

# %%
from llie_helpers.data.crops import RandomCrops

recipe = load_recipe("pix2pix", lesson.profile)
optimizers = {
    "generator": torch.optim.Adam(generator.parameters(), recipe.learning_rate, (0.5, 0.999)),
    "discriminator": torch.optim.Adam(
        discriminator.parameters(), recipe.learning_rate, (0.5, 0.999)
    ),
}
crops = RandomCrops(train, recipe.crop_size, 12, lesson.seed)
low, normal = (torch.stack(images).to(device) for images in zip(*crops, strict=True))
for step in range(8):
    three = gan_step(generator, discriminator, optimizers, low[:4], normal[:4])
    print("step {}: discriminator {:.3f}, adversarial {:.3f}, L1 {:.3f}".format(step + 1, *three))

# %% [markdown]
# Within eight steps the discriminator is on its way to knowing these four crops by heart, while L1
# falls all the same. On fresh crops at each step the game is harder for it.
#
# {{exercise judge}}
#
# A colleague's discriminator learns the wrong thing, and the generator with it. There are three
# bugs. Return the discriminator's loss as above, without calling the package's loss.
#
# ```python
# def broken_judge(discriminator, low, normal, enhanced):
#     real = torch.sigmoid(discriminator(low, normal))
#     fake = torch.sigmoid(discriminator(low, enhanced))
#     right = F.binary_cross_entropy_with_logits(real, torch.zeros_like(real))
#     wrong = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
#     return (right + wrong) / 2
# ```


# %%
def my_judge(discriminator, low, normal, enhanced):
    """The discriminator's loss on a batch (a scalar tensor)."""
    ### SOLUTION judge


# %% tags=["nbval-check-output"]
check.judge(my_judge)

# %% [markdown]
# {{answers judge}}

# %% [markdown]
# ### A batch that does not fit
#
# The recipe takes 12 crops of 256 x 256 at a time. A small GPU cannot hold that many, but it can
# add up the gradients of three batches of 4 before it takes a step: *gradient accumulation*
# (`batch = 4` and `accumulate = 3` in the recipe).
#
# {{exercise accumulate}}
#
# `batches` is a list of `(low, normal)`; the last one may be smaller. Take one step of the
# optimiser with the gradient of `F.l1_loss` averaged over all crops, as if they had come in one
# batch.


# %%
def my_accumulate(model, optimizer, batches):
    """Take one optimiser step for all ``batches`` together."""
    ### SOLUTION accumulate


# %% tags=["nbval-check-output"]
check.accumulate(my_accumulate)

# %% [markdown]
# {{answers accumulate}}

# %% [markdown]
# Is it really the same step? Not with batch norm, whose mean and variance come from whatever stands
# in the batch: three batches of 4 have three means. Compare the gradient of the generator for 12
# crops at once with that for three batches of 4, once with batch statistics and once without.


# %%
def gradient(model, parts):
    """The gradient of L1 over ``parts`` of the 12 crops, as one long vector."""
    model.zero_grad()
    for dark, target in zip(low.chunk(parts), normal.chunk(parts), strict=True):
        (F.l1_loss(model(dark), target) / parts).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


without_chance, _ = fresh_pair()
for title, mode in (("batch statistics", True), ("fixed statistics", False)):
    without_chance.train(mode)
    for layer in without_chance.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    whole, three = gradient(without_chance, 1), gradient(without_chance, 3)
    print(f"{title}: gradients differ by {(whole - three).norm() / whole.norm():.1%}")

# %% [markdown]
# With fixed statistics only rounding is left. With batch statistics it is another step: not worse
# by rule, but noisier, and not the one that the paper took.
#
# ## 5. Train it, and a twin without an adversary
#
# `training.fit` plays the game where the recipe has an adversarial weight. The quick recipe also
# averages the weights over some thirty steps, and has a higher learning rate than the paper's 2e-4,
# because it must be done in some hundred steps. If you stop the cell and run it again, it goes on
# where it was.

# %%
for key in ("epochs", "crops_per_epoch", "crop_size", "batch_size", "loss", "adversarial",
            "learning_rate"):  # fmt: skip
    print(f"{key:15} {getattr(recipe, key)}")

# %%
generator, discriminator = fresh_pair()
processor = time.process_time()
run = training.fit(
    generator,
    train,
    val,
    recipe,
    discriminator=discriminator,
    run_dir=lesson.run_dir("pix2pix"),
    seed=lesson.seed,
)
print(run)
print(f"processor time: {time.process_time() - processor:.0f} s")

# %% [markdown]
# To know what the adversary is good for, you need the same generator without one: same first
# weights, same crops, same L1, and no discriminator.

# %%
l1_better = "the twin trained by L1 alone"
gan_better = "the GAN"
equal = "neither, they are within 0.2 dB"
question_twin = widgets.predict("Which has the higher PSNR on the test photographs?",
                                [l1_better, gan_better, equal])  # fmt: skip
question_twin

# %% [markdown]
# Now the twin:

# %%
twin, _ = fresh_pair()
alone = recipe.changed(adversarial=0.0)
twin_run = training.fit(
    twin, train, val, alone, run_dir=lesson.run_dir("l1_alone"), seed=lesson.seed
)
print(twin_run)

# %% [markdown]
# ### The curves of a game
#
# On the left the distance to the target, for both. On the right the two sides of the game, with the
# line at which a discriminator is undecided.

# %%
figure = plotting.CourseFigure(9, 3.4)
left, right = figure.subplots(1, 2)
histories = {"GAN": run.history, "L1 alone": twin_run.history}
for (label, rows), colour in zip(histories.items(), plotting.COLOURS, strict=False):
    for key, line in (("train_loss", "--"), ("val_loss", "-")):
        values = [row[key] / recipe.loss["l1"] for row in rows]
        left.plot(range(1, len(rows) + 1), values, line, color=colour, label=label)
names = {"adversarial_loss": "generator: be taken for real", "discriminator_loss": "discriminator"}
for key, label in names.items():
    right.plot(range(1, len(run.history) + 1), [row[key] for row in run.history], label=label)
right.axhline(undecided, color="black", linewidth=1, linestyle=":")
left.set(title="L1 (dashed: training)", xlabel="epoch", ylim=(0, None))
right.set(title="the game (dotted: undecided)", xlabel="epoch", ylim=(0, None))
left.legend(left.get_lines()[1::2], histories)
right.legend(loc="lower left")
figure

# %% [markdown]
# The left panel reads like any other. The right one does not:
#
# - The curves do not fall together. Each is measured against an opponent who learns as well, so a
#   level line can mean that both improve.
# - The adversarial loss rises when the discriminator gets better, though the pictures may be better
#   too. It is no measure of quality and cannot be used to stop.
# - What to look for are signs of a game that is over: a discriminator near 0 has won and teaches
#   little more; one at the dotted line is fooled, or was never any good. In between, somebody is
#   still learning.
#
# That is why the recipe keeps the learning rate constant, why the weights to keep are chosen by the
# validation L1, and why `fit` writes a sample and a checkpoint after each epoch: you have to look.
# `last.ckpt` holds both players and both optimisers, so that the game can go on from there.

# %% tags=["nbval-check-output"]
files = sorted(path for path in lesson.run_dir("pix2pix").rglob("*") if path.is_file())
for path in [*files[:3], files[-1]]:
    print(path.relative_to(lesson.run_dir("pix2pix")).as_posix())

# %% [markdown]
# The samples of all epochs, with the target on the right. Watch the brightness and the colours jump
# from one epoch to the next, long after shapes have settled. Section 6 finds a reason.

# %%
target = val[0].normal
widgets.frames_slider(
    [torch.cat([snapshot.image, target], dim=2) for snapshot in run.snapshots],
    [snapshot.epoch for snapshot in run.snapshots],
    "after epoch",
)

# %% [markdown]
# ### On the test photographs

# %%
judged = {}
for label, network, its in (("pix2pix", generator, run), ("pix2pix, L1 alone", twin, twin_run)):
    judged[label] = metrics.evaluate(network, test)
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged[label],
        parameters=count_parameters(network),
        gmacs=gmacs(network),
        train_seconds=its.seconds,
    )
lesson.ledger.table()

# %% [markdown]
# And your prediction:

# %%
gan, l1 = judged["pix2pix"], judged["pix2pix, L1 alone"]
question_twin.reveal(
    equal if abs(gan.psnr - l1.psnr) < 0.2 else gan_better if gan.psnr > l1.psnr else l1_better,
    f"GAN {gan.psnr:.2f} dB, SSIM {gan.ssim:.3f}; L1 alone {l1.psnr:.2f} dB, {l1.ssim:.3f}; "
    f"{baselines.best} {best.psnr:.2f} dB, {best.ssim:.3f}.",
)

# %% [markdown]
# On the whole PSNR falls when an adversary joins, and it must: the L1 term alone is closer to what
# PSNR measures, and any other wish pulls away from it. Blau and Michaeli proved that, near the best
# that can be had, a method can only gain in looks what it loses in distance. In a short run, chance
# can hide this: the two differ by less than two runs from different seeds may.
#
# And against the best method without a network? The second line is the diagnostic of lesson 02,
# which corrects the brightness of each output by the target's. What it adds is the price of a wrong
# exposure.

# %%
beats = "beats" if gan.psnr > best.psnr else "does not beat"
print(f"The GAN {beats} {baselines.best}: {gan.psnr - best.psnr:+.2f} dB.")
print(f"GT-mean PSNR: GAN {gan.psnr_gt_mean:.2f} dB, L1 alone {l1.psnr_gt_mean:.2f} dB, "
      f"{baselines.best} {best.psnr_gt_mean:.2f} dB.")  # fmt: skip

# %% [markdown]
# The pictures:


# %%
@torch.no_grad()
def enhance(network, image):
    """(3, H, W) -> (3, H, W) by a network in the mode it is in, in 8-bit steps."""
    return quantise(network(image[None].to(device))[0]).cpu()


shown = [test[i] for i in np.linspace(1, len(test) - 2, 3).astype(int)]
low_images, targets = [pair.low for pair in shown], [pair.normal for pair in shown]
outputs = {
    fitted: [fitted_gamma(x) for x in low_images],
    "L1 alone": [enhance(twin, x) for x in low_images],
    "GAN": [enhance(generator, x) for x in low_images],
}
plotting.show_results(low_images, outputs, targets)

# %% [markdown]
# ## 6. At inference: what must be switched off
#
# Dropout and batch statistics belong to training. `network.eval()` switches both off: dropout
# passes everything, and batch norm uses the mean and variance that it averaged during training. The
# pix2pix paper, by the way, leaves both on at test time, on purpose; it wanted answers that vary.

# %%
little, lower, higher = "by less than 0.3 dB", "down by 0.3 dB or more", "up by 0.3 dB or more"
question_mode = widgets.predict(
    "You forget eval() and enhance the test photographs one by one with dropout and batch "
    "statistics on. Their PSNR changes ...",
    [little, lower, higher],
)
question_mode

# %% [markdown]
# The four combinations:


# %%
def in_mode(dropout, batch_statistics):
    """A copy of the generator with the one or the other left on."""
    network = copy.deepcopy(generator).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.train(dropout)
        if isinstance(layer, nn.BatchNorm2d):
            layer.train(batch_statistics)
    return network


some = test.subset(range(0, len(test), 2))


def score(method):
    """Mean PSNR and SSIM of a method on every second test pair."""
    outputs = [(method(pair.low)[None], pair.normal[None]) for pair in some]
    return [fmean(m(*images).item() for images in outputs) for m in (metrics.psnr, metrics.ssim)]


# %% [markdown]
# To save time, these and the following experiments look at every second test pair. For each mode,
# also how much two answers to the same image differ:

# %%
modes = {}
for title, mode in {
    "both off": (False, False),
    "dropout on": (True, False),
    "batch statistics on": (False, True),
    "both on": (True, True),
}.items():
    network = in_mode(*mode)
    modes[title] = score(partial(enhance, network))
    twice = [enhance(network, test[0].low) for _ in range(2)]
    print("{:20} {:.2f} dB, SSIM {:.3f}".format(title, *modes[title]), end="; ")
    print(f"two answers differ by {255 * (twice[0] - twice[1]).abs().mean():.1f} levels of 255")

# %%
change = modes["both on"][0] - modes["both off"][0]
question_mode.reveal(
    little if abs(change) < 0.3 else higher if change > 0 else lower,
    f"{change:+.2f} dB; dropout alone {modes['dropout on'][0] - modes['both off'][0]:+.2f} dB, "
    f"batch statistics alone {modes['batch statistics on'][0] - modes['both off'][0]:+.2f} dB.",
)

# %% [markdown]
# Dropout adds noise, as expected. The other change has another cause.
#
# ### Batch norm as the last word
#
# The last convolution is followed by a batch norm and a tanh. In training mode the norm subtracts
# the mean of the batch and puts a learned value in its place.

# %%
half, fixed, partly = "by about half", "by less than 2 %", "by 2 to 25 %"
question_norm = widgets.predict(
    "With batch statistics on, you give the generator one photograph, and then the same with half "
    "of its light. The mean of the output falls ...",
    [half, fixed, partly],
)
question_norm

# %% [markdown]
# Measure the mean of the output for several exposures of a single photograph, in both modes:

# %%
gains = [2.0**-k for k in range(5)]
photo = test[0]
means = {
    title: [enhance(in_mode(False, on), photo.low * gain).mean().item() for gain in gains]
    for title, on in (("batch statistics", True), ("fixed statistics", False))
}
figure = plotting.CourseFigure(6, 3.2)
axis = figure.subplots()
for title, values in means.items():
    axis.plot(gains, values, marker="o", label=title)
axis.axhline(photo.normal.mean().item(), color="black", linewidth=1, linestyle=":", label="target")
axis.set_xscale("log", base=2)
axis.set(xlabel="light given, as a share of the photograph's", ylim=(0, None))
axis.set_ylabel("mean of the output")
axis.legend()
figure

# %%
fall = 1 - means["batch statistics"][1] / means["batch statistics"][0]
question_norm.reveal(
    fixed if fall < 0.02 else partly if fall < 0.25 else half,
    f"it falls by {fall:.1%} with batch statistics, and by "
    f"{1 - means['fixed statistics'][1] / means['fixed statistics'][0]:.0%} with fixed ones.",
)

# %% [markdown]
# A network that is there to set the brightness has a last layer that forgets it. In training, the
# brightness of a batch as a whole is a constant: the generator can only say which crop of the batch
# is brighter than which other. At inference, fixed statistics stand in for the batch, and they are
# a running average that each step moves. This is why the samples jumped in brightness and colour
# from epoch to epoch, and it is a part of the published design that we would not copy. The averaged
# weights of the quick recipe calm it; how much of the error it leaves, the GT-mean score
# tells:

# %%
for label, its in judged.items():
    print(f"{label:18} {its.psnr:.2f} dB, GT-mean {its.psnr_gt_mean:.2f} dB")

# %% [markdown]
# ### A median filter at the end
#
# The published system can pass its output through a median filter, which replaces each value by the
# median of its window: single outliers go, straight edges stay, fine texture goes with the
# outliers. What does it cost and gain? *Detail* is the mean step between neighbouring pixels,
# compared with the target's; *grain* is what varies inside small windows where the target is plain.


# %%
def detail(image):
    return float(image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean())


def window(values, side=9):
    """Mean over the ``side`` x ``side`` pixels around each, (N, C, H, W)."""
    return F.avg_pool2d(values, side, stride=1, padding=side // 2, count_include_pad=False)


def fine(image):
    """What is left of (3, H, W) without its local mean, (1, 3, H, W)."""
    return image[None] - window(image[None], 5)


def grain(image, target):
    """Standard deviation of the fine structure where the target has least, in levels of 255."""
    busy = window(fine(target) ** 2).mean(dim=1, keepdim=True)
    plain = (busy <= busy.quantile(0.25)).expand(-1, 3, -1, -1)
    return 255 * fine(image)[plain].std().item()


# %% [markdown]
# The filter is an option of the network, so that it comes with the weights: `median=3`.

# %%
filtered = {}
for side in (1, 3, 5):
    network = models.create_model("pix2pix", weights=run.best_path, median=side).to(device).eval()
    filtered[side] = [enhance(network, pair.low) for pair in some]
    both = list(zip(filtered[side], [pair.normal for pair in some], strict=True))
    psnr, ssim, kept, rough = (
        fmean(float(measure(*pair)) for pair in both)
        for measure in (metrics.psnr, metrics.ssim, lambda a, b: detail(a) / detail(b), grain)
    )
    print(f"median {side} x {side}: {psnr:.2f} dB, SSIM {ssim:.3f}, "
          f"detail {kept:.0%} of the target's, grain {rough:.1f}")  # fmt: skip
print(f"the targets' grain: {fmean(grain(pair.normal, pair.normal) for pair in some):.1f}")

# %% [markdown]
# Enlarged, the first test photograph without and with the filter (5 x 5):

# %%
cut = (slice(None), slice(60, 160), slice(150, 300))
widgets.before_after(
    *(F.interpolate(filtered[side][0][cut][None], scale_factor=4)[0] for side in (1, 5)),
    ("no filter", "median 5 x 5"),
)

# %% [markdown]
# The filter takes grain and detail alike, since it cannot tell them apart. It is made for outliers,
# such as the dots of an unstable generator; where the output is blurred already, the scores thank
# it little. That is why it is an option and not a part of the network.
#
# ## 7. What the judge goes by
#
# The discriminator is thrown away after training, but first it is worth a question: what gives an
# output away? Judge as in training, on crops of the training's size: a batch of real ones, then a
# batch of generated ones, each normalised by its own statistics. So cut a photograph into crops:


# %%
def tiles(image, side=recipe.crop_size):
    """(C, H, W) -> the whole side x side crops that fit in, row by row, (N, C, side, side)."""
    rows, columns = image.shape[1] // side, image.shape[2] // side
    crops = image[:, : rows * side, : columns * side].unfold(1, side, side).unfold(2, side, side)
    return crops.permute(1, 2, 0, 3, 4).flatten(0, 1)


def mosaic(crops, rows):
    """Put such crops together again: (N, C, h, w) -> (C, H, W)."""
    return crops.unflatten(0, (rows, -1)).permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2)


@torch.no_grad()
def real_probability(low, crops):
    """Probability "real" of each verdict on crops of one photograph, (N, 1, h, w)."""
    judge = copy.deepcopy(discriminator).train()
    return torch.sigmoid(judge(tiles(low).to(device), crops.to(device))).cpu()


# %% [markdown]
# The generator can make its crops as it did in training, with dropout and batch statistics, or as
# it is used, without.


# %%
@torch.no_grad()
def made(low, dropout, batch_statistics):
    """Crops made by the generator in one of its modes."""
    return in_mode(dropout, batch_statistics)(tiles(low).to(device)).cpu()


fewer, same, more = "clearly fewer (by 10 points or more)", "about as many", "clearly more"
question_judge = widgets.predict(
    "As made in training, most outputs are found out. Of the better ones that the generator makes "
    "with dropout and batch statistics off, the discriminator finds out ...",
    [fewer, same, more],
)
question_judge

# %%
found_out = {}
for title, mode in {
    "as in training": (True, True),
    "dropout alone": (True, False),
    "batch statistics alone": (False, True),
    "as used": (False, False),
}.items():
    each = [real_probability(pair.low, made(pair.low, *mode)) for pair in some]
    found_out[title] = fmean((p < 0.5).float().mean().item() for p in each)
    print(f"{title:23} {found_out[title]:4.0%} of the verdicts find the output out")
each = [real_probability(pair.low, tiles(pair.normal)) for pair in some]
print(f"{'targets':23} {fmean((p > 0.5).float().mean().item() for p in each):4.0%} taken for real")

# %%
change = found_out["as used"] - found_out["as in training"]
question_judge.reveal(
    fewer if change <= -0.1 else more if change >= 0.1 else same,
    f"{found_out['as in training']:.0%} as in training, {found_out['as used']:.0%} as used; "
    "the rows in between tell which of the two switches it was.",
)

# %% [markdown]
# In the run stored here it is the batch statistics, and section 6 says what they do: whatever the
# input, the mean brightness and colour of the batch are the same. Does that give the outputs away?
# Take those made as in training, and scale each channel to the target's mean, as a diagnostic:

# %%
each = []
for pair in some:
    crops, goal = made(pair.low, True, True), tiles(pair.normal)
    gain = goal.mean(dim=(0, 2, 3), keepdim=True) / crops.mean(dim=(0, 2, 3), keepdim=True)
    each.append(real_probability(pair.low, (crops * gain).clamp(0, 1)))
corrected = fmean((p < 0.5).float().mean().item() for p in each)
print(f"found out as made: {found_out['as in training']:.0%}; with three gains corrected: "
      f"{corrected:.0%}")  # fmt: skip

# %% [markdown]
# The same as maps, for one test photograph: blue is "real", red "generated".

# %%
pair = some[len(some) // 2]
shown_crops = {
    "target": tiles(pair.normal),
    "made as in training": made(pair.low, True, True),
    "made as used": made(pair.low, False, False),
}
rows = pair.low.shape[1] // recipe.crop_size
figure = plotting.CourseFigure(9, 2.6)
axes = figure.subplots(1, 3)
for axis, (title, crops) in zip(axes, shown_crops.items(), strict=True):
    image, verdict = mosaic(crops, rows), mosaic(real_probability(pair.low, crops), rows)[0]
    axis.imshow(image.mean(dim=0), extent=(0, 1, 0, 1))
    colours = axis.imshow(verdict, cmap="RdBu", vmin=0, vmax=1, alpha=0.5, extent=(0, 1, 0, 1))
    axis.set(title=title, xticks=[], yticks=[], aspect=image.shape[1] / image.shape[2])
figure.colorbar(colours, ax=axes, shrink=0.75, label='probability "real"')
figure

# %% [markdown]
# A judge learns whatever tells the two apart most easily. Compare the numbers above: where three
# gains are enough to pass, it went by brightness and colour, and not by blur or texture, for which
# it had been hired. Brightness is also the first thing that L1 sees, so such a judge teaches little
# that is new. A discriminator's loss says how well it tells outputs from targets, and never by
# what.
#
# ## 8. What it made up
#
# A loss of distance can be pleased with a blur. An adversary cannot: the output must have the
# texture of photographs, whether or not the dark input shows which. Where the input holds only
# noise, the generator has to make something up. Such structure looks right and is wrong, which PSNR
# does not tell from any other error. So measure it.
#
# Take the fine structure of output and target, both without their local mean: $m$ (made) and $t$
# (true). If $m$ is a weaker or stronger copy of $t$, nothing is invented. So around each pixel fit
# the best factor $a$, so that $a t$ explains as much of $m$ as it can. The energy that is left
# over, the mean of $(m - a t)^2$ in the window, is what the target does not explain.
#
# {{exercise invented}}
#
# `made` and `true` are (N, C, H, W), and `window(values)` returns the mean around each pixel, in
# the same shape. Return the left-over energy around each pixel. The best factor differs from pixel
# to pixel; work out the least squares on paper, and you will need `window` three times.


# %%
def my_invented(made, true, window):
    """Fine structures, (N, C, H, W) -> energy that the target does not explain."""
    ### SOLUTION invented


# %% tags=["nbval-check-output"]
check.invented(my_invented)

# %% [markdown]
# {{answers invented}}

# %% [markdown]
# Divided by the whole energy of the output's fine structure, it is a share: 0 where all of it
# stands in the target, 1 where none does.


# %%
def invented(image, target):
    """The left-over energy around each pixel, mean of the channels, (H, W)."""
    return check.invented.reference(fine(image), fine(target), window)[0].mean(dim=0)


def invented_share(method):
    """Share of the outputs' fine structure that their targets do not explain."""
    outputs = [(method(pair.low), pair.normal) for pair in some]
    energy = sum(float((fine(image) ** 2).mean()) for image, _ in outputs)
    return sum(float(invented(*images).mean()) for images in outputs) / energy


methods = {fitted: fitted_gamma, "L1 alone": partial(enhance, twin),
           "GAN": partial(enhance, generator)}  # fmt: skip
for label, method in methods.items():
    print(f"{label:10} {invented_share(method):.0%} of the fine structure is not in the target")

# %% [markdown]
# Be careful with the word "invented". For the gamma curve it is noise, which came with the input.
# For the networks it is noise that they let through, and structure that they made. And the GAN and
# its twin have become two different networks; which of them has the larger share may be chance. To
# see what the *adversary* does, start from one network and change nothing but its weight: take the
# trained GAN and go on training it for a short while with L1 alone, and with the adversary 10, 30
# and 100 times as loud, each time from the same weights and on the same crops.

# %%
up, down, mixed = "it rises", "it falls", "it goes up and down"
question_share = widgets.predict(
    "As the adversary gets louder from 0 to 100, what happens to the share of fine structure that "
    "the target does not explain?",
    [up, down, mixed],
)
question_share


# %%
def go_on(adversarial):
    """The trained GAN after one more epoch with this weight on the adversary."""
    network, adversary = copy.deepcopy(generator), copy.deepcopy(discriminator)
    one = recipe.changed(
        adversarial=adversarial,
        epochs=1,
        crops_per_epoch=lesson.choose(quick=200, full=4800),
        ema=0.9,
    )
    folder = lesson.run_dir(f"adversary_{adversarial:g}")
    training.fit(network, train, val, one, discriminator=adversary, run_dir=folder, progress=False)
    return network


loudness = [0.0, 10.0, 30.0, 100.0]
went_on = {weight: go_on(weight) for weight in loudness}

# %% [markdown]
# The scores of the four:

# %%
shares = {}
for weight, network in went_on.items():
    shares[weight] = invented_share(partial(enhance, network))
    psnr, ssim = score(partial(enhance, network))
    print(f"adversary x {weight:3g}: {psnr:.2f} dB, SSIM {ssim:.3f}, "
          f"not in the target {shares[weight]:.0%}")  # fmt: skip

# %%
steps = np.diff(list(shares.values()))
question_share.reveal(
    up if (steps > 0).all() else down if (steps < 0).all() else mixed,
    " -> ".join(f"{share:.0%}" for share in shares.values()),
)

# %% [markdown]
# Now look, at the middle of a dark photograph. On the left the target, in the middle the output, on
# the right where its fine structure is not that of the target. Drag the weight of the adversary.


# %%
def centre(image, height=180, width=240):
    """The middle of (..., H, W)."""
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


def show_invented(weight, pair):
    image = enhance(went_on[weight], pair.low)
    left_over = invented(image, pair.normal).clamp_min(0).sqrt()
    figure = plotting.CourseFigure(9, 2.5)
    axes = figure.subplots(1, 3)
    axes[0].imshow(centre(pair.normal).permute(1, 2, 0))
    axes[1].imshow(centre(image).permute(1, 2, 0))
    axes[2].imshow(centre(left_over), cmap="inferno", vmin=0, vmax=0.04)
    titles = ("target", f"adversary x {weight:g}", "not in the target")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xticks=[], yticks=[])
    return figure


widgets.frames_slider(
    [show_invented(weight, test[len(test) * 3 // 4]) for weight in loudness],
    [f"x {weight:g}" for weight in loudness],
    "adversary",
)

# %% [markdown]
# In so short a run at an eighth of the width, no network invents a face or a window. What a loud
# adversary brings here are colours that no L1 would choose, glows and clouds in an empty sky, and a
# weave of fine stripes in plain areas. The bright columns of the map also stand where an edge is
# copied from the input and gets a second, false one beside it. PSNR jumps about with the
# brightness, as before; the share minds that less, since a gain scales both of its parts alike.
#
# ### Without a target
#
# For your own photographs there is no target to compare with. But there is a test that needs none:
# the noise of two exposures of a scene differs, the scene does not. What changes in the output from
# one exposure to the next cannot come from the scene. Here you can make as many exposures as you
# like, by lesson 01's physics.

# %%
from llie_helpers.data.synthesis import darken

scene = data.load_pairs("embedded", "test")[8].normal
exposures = [
    darken(scene, 4.5, photons=2500, generator=torch.Generator().manual_seed(seed))
    for seed in range(4)
]


def changing_share(method):
    """Share of the fine structure that changes with the noise of the exposure."""
    structure = torch.cat([fine(method(image)) for image in exposures])
    return float(structure.var(dim=0).mean() / (structure**2).mean())


methods |= {f"adversary x {weight:g}": partial(enhance, went_on[weight]) for weight in loudness}
for label, method in methods.items():
    print(f"{label:15} {changing_share(method):.0%} of the fine structure changes with the noise")

# %% [markdown]
# Drag through the exposures. Shown is the fine structure alone, with eight times the contrast. The
# rocket stands still; what boils around it was made from noise.


# %%
columns = {label: methods[label] for label in ("L1 alone", "GAN", "adversary x 10")}


def show_structure(image):
    figure = plotting.CourseFigure(9, 3.1)
    for axis, (title, method) in zip(figure.subplots(1, 3), columns.items(), strict=True):
        structure = 0.5 + 8 * fine(method(image))[0]
        axis.imshow(centre(structure, 110, 110).clamp(0, 1).permute(1, 2, 0))
        axis.set(title=title, xticks=[], yticks=[])
    return figure


widgets.frames_slider([show_structure(image) for image in exposures], range(1, 5), "exposure")

# %% [markdown]
# The test finds noise that was turned into texture. It cannot find what a network makes up every
# time in the same way, such as a wrong colour or a grid; for that you need the target. And that is
# what makes large GANs dangerous as witnesses: their loss rewards what is typical, not what was
# there. Cohen, Luck and Honari showed it with tumours that such networks added to medical images,
# or removed. An output of a GAN is a picture and no measurement, and a tool should say so.
#
# ## 9. `dataset.npz`
#
# The system that this lesson follows keeps its pairs in one file of arrays, `dataset.npz`. If you
# have such a file, its path is the name of a data set: `data.load_pairs("path/dataset.npz",
# "train")`, or `python -m llie_helpers train --model pix2pix --data path/dataset.npz`. The other
# way, export some pairs. An array holds images of one size only, so choose those of the commonest
# one:

# %%
from collections import Counter

from llie_helpers.data.npz import read_npz, write_npz

sizes = [train.raw(i)[0].shape for i in range(len(train))]
common, _ = Counter(sizes).most_common(1)[0]
chosen = [i for i, size in enumerate(sizes) if size == common][:: max(1, len(train) // 8)]
file = lesson.run_dir("export") / "dataset.npz"
write_npz(file, train.subset(chosen))

# %% [markdown]
# Reading it back must give the same pixels. `data.load_pairs` has more to do: a file has no
# official split, so it groups the pairs by scene and splits by scene, as lesson 01 taught.

# %%
names, arrays = read_npz(file)
same = all((low == train.raw(i)[0]).all() for i, (low, _) in zip(chosen, arrays, strict=True))
print(f"{len(names)} pairs of {common[1]} x {common[0]} pixels, same pixels: {same}")
for split in ("train", "val"):
    print(data.load_pairs(str(file), split))

# %% [markdown]
# ## On LOL v1
#
# The full network trains with one command, and is scored with another; a GPU is needed for the
# first. Where the memory is too small, add `--set batch_size=4 --set accumulate=3`.
#
# ```
# python -m llie_helpers train --model pix2pix --data lol_v1
# python -m llie_helpers evaluate --model pix2pix --data lol_v1 --split test \
#     --weights runs/pix2pix_lol_v1_0/best.safetensors
# ```
#
# Full-size weights would fill 30 MB. The course ships a generator of a quarter of the width,
# trained for 45 minutes on one processor core against a discriminator of the same width. It was
# shown photographs that lesson 02's mapper had brightened, as lesson 05 explains; `create_method`
# puts that mapper before it. On the same test photographs as yours:

# %%
shipped = metrics.evaluate(create_method("pix2pix", "lol_v1", device), test)
print(f"shipped: {shipped.psnr:.2f} dB, SSIM {shipped.ssim:.3f}")

# %% [markdown]
# In the quick profile these are photographs that a computer darkened, of scenes unlike LOL's rooms.
# The model card has the score on LOL's own test images, and the commands.
#
# ## Recap
#
# **What you learned**
#
# - A GAN replaces a fixed loss by a judge that learns. A PatchGAN judges patches; what one verdict
#   sees follows from kernels, strides and padding, and is 142 pixels here, 70 in the paper.
# - Losses are taken from logits, because the sigmoid rounds to 1 long before a network stops being
#   sure. `detach` keeps the discriminator's lesson out of the generator.
# - The curves of a game do not fall together and say little about quality; samples do.
# - Gradient accumulation needs the right divisor, and is not the same step under batch norm.
# - An adversary costs PSNR by design. What it makes up can be measured: against the target, or
#   between two exposures of a scene.
#
# **What failed**
#
# - Batch norm as the output layer throws away the brightness of the batch, in a task that is about
#   brightness. Outputs jump from epoch to epoch.
# - Against the same generator trained by L1 alone, the short run gains nothing that we could
#   measure.
# - The discriminator can win by a by-product of training, such as the brightness that batch
#   statistics set, and need not look at texture at all.
# - With crops of 64 pixels the patches are not patches; the adversary of the quick profile is a
#   small and young one. Only a long run at full width could show what the published one can do.
# - The measure of invention cannot tell noise that was let through from structure that was made.
#
# ## Papers
#
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y.
#   Bengio. Generative Adversarial Nets. NeurIPS 2014.
# - P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros. Image-to-Image Translation with Conditional
#   Adversarial Networks. CVPR 2017. (pix2pix)
# - J. Johnson, A. Alahi, L. Fei-Fei. Perceptual Losses for Real-Time Style Transfer and
#   Super-Resolution. ECCV 2016. (the generator's strided layers and residual blocks)
# - S. Ioffe, C. Szegedy. Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift. ICML 2015.
# - Y. Blau, T. Michaeli. The Perception-Distortion Tradeoff. CVPR 2018.
# - J. P. Cohen, M. Luck, S. Honari. Distribution Matching Losses Can Hallucinate Features in
#   Medical Image Translation. MICCAI 2018.
# - C. Wei, W. Wang, W. Yang, J. Liu. Deep Retinex Decomposition for Low-Light Enhancement. BMVC
#   2018. (LOL v1)
#
# **Next**: lesson 07 leaves pixels for frequencies, where the light of an image sits in one half of
# the numbers and its structure in the other.
