# %% [markdown]
# # 07. Light and structure apart
#
# All networks so far worked on pixels, and a convolution sees only a few neighbours of each. This
# one also works on *waves*. The Fourier transform writes a photograph as a sum of stripes of all
# widths and directions, and each of its numbers depends on every pixel. So a layer that works on
# them can see the whole photograph at once.

# %% [markdown]
# {{setup}}

# %%
import copy
import inspect
import math
from statistics import fmean

import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from torch import nn

from llie_helpers import data, metrics, models, plotting, training
from llie_helpers.data import lighting, synthesis
from llie_helpers.images import quantise
from llie_helpers.lessons import literature, reruns, widgets
from llie_helpers.lessons.checks import lesson_07 as check
from llie_helpers.models import bilateral_grid
from llie_helpers.models.bilateral_grid import cubic_bspline
from llie_helpers.models.cards import shipped_cards
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.models.dual_branch import WindowAmplitude
from llie_helpers.tables import Table
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# Move the divider. On the right is the same dark photograph, and no network has touched it. Each of
# its waves has two numbers: how strong it is, and where its crests are. One of the two is replaced
# by that of the well-lit photograph. Which one?

# %% The dark garage, and half of its numbers exchanged tags=["hide-input"]
photographs = data.load_pairs("embedded", "test")
garage = next(pair for pair in photographs if pair.name == "motorcycle_4stops")
exchanged = check.swap.reference(garage.normal, garage.low).clamp(0, 1)
widgets.before_after(
    garage.low[:, 30:250, 60:390],
    exchanged[:, 30:250, 60:390],
    labels=("dark", "one of two numbers replaced"),
    alt="a motorcycle in a dark garage, and well lit, with a little grain",
)

# %% [markdown]
# You will find the answer in section 1, and rebuild a published network that rests on it. You will
# find three faults in that network by experiment, and repair them: light from a small map of gains,
# and frequencies mixed in a way that fits any size. Then you will measure what the repairs gained,
# and what they did not.
#
# **You will be able to**
#
# - say what amplitude and phase of a photograph hold, and show it by exchanging them;
# - test by experiment what a branch of a network can see, and what it contributes;
# - build a network of two branches, one of them on frequencies;
# - look up a gain for each pixel in a bilateral grid;
# - train in two stages, and recognise a schedule that ends before the training does.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs from the installed libraries; 1.5 minutes; 1 GB
#   of memory.
# - **Full profile**: LOL v1, 500 real pairs; several hours on two CPU cores, less on a GPU; 3 GB
#   of memory.

# %% [markdown]
# The photographs, and what has to be beaten: the histogram mapper. All scores are taken under the
# frozen protocol.

# %%
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
baselines = lessons.baselines(train, test)
best = baselines.scores[baselines.to_beat]


def report(label, its):
    """Print one row of scores."""
    print(f"{label:32}{its.psnr:5.2f} dB, SSIM {its.ssim:.3f}, GT-mean {its.psnr_gt_mean:5.2f} dB")


report(f"to beat: {baselines.to_beat}", best)

# %% Note the baselines in the ledger tags=["hide-input"]
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)

# %% [markdown]
# ## 1. Amplitude and phase
#
# `torch.fft.rfft2` gives one complex number for each wave in an image. Its length is the wave's
# *amplitude*: how strong the wave is. Its angle is the *phase*: where the wave has its crests. The
# slowest wave of all, of zero frequency, has no stripes: its amplitude is the sum of all pixels, so
# it holds the mean brightness. Two images of the same size can exchange amplitudes.
#
# {{exercise swap}}
#
# `light` and `structure` are images `(3, H, W)`. Return the image that has the amplitudes of
# `light` and the phases of `structure`. `torch.polar` makes complex numbers of the two. The result
# may leave [0, 1] a little, and need not be clipped.


# %%
def my_swap(light, structure):
    """Amplitude of one, phase of the other -> (3, H, W)."""
    ### SOLUTION swap


# %% tags=["nbval-check-output"]
my_swap = check.swap(my_swap)

# %% [markdown]
# {{answers swap}}

# %% [markdown]
# Two photographs of different scenes, one well lit and one dark, exchange their amplitudes.

# %%
scene_of_light, scene_of_phase = "the well-lit scene", "the dark scene, brighter"
mixture = "a mixture of both"
question_swap = widgets.predict(
    "What does the image with the amplitudes of the well-lit photograph and the phases of the dark "
    "one show?",
    [scene_of_light, scene_of_phase, mixture],
)
question_swap

# %% [markdown]
# Both exchanges, by your function, cut to a common size:


# %%
def exchange(light, structure):
    """Your exchange, as a tensor; an array of NumPy is right, too."""
    return torch.as_tensor(my_swap(light, structure))


bright, dark = test[0].normal[:, :256, :384], test[len(test) // 2].low[:, :256, :384]
first, second = exchange(bright, dark).clamp(0, 1), exchange(dark, bright).clamp(0, 1)

# %% Draw both exchanges tags=["hide-input"]
plotting.show_images(
    [bright, dark, first, second],
    ["1: well lit", "2: dark", "amplitudes 1, phases 2", "amplitudes 2, phases 1"],
    [f"mean {image.mean():.2f}" for image in (bright, dark, first, second)],
    columns=4,
    alt="A well-lit scene and a dark one. With the amplitudes of the first, the dark scene is "
    "bright, in blotches of colour; with those of the second, the well-lit scene is dark.",
)


# %% Which scene is it? tags=["hide-input"]
def alike(a, b):
    """Correlation of the grey values of two images."""
    return torch.corrcoef(torch.stack([a.mean(0).flatten(), b.mean(0).flatten()]))[0, 1].item()


to_light, to_phase = alike(first, bright), alike(first, dark)
question_swap.reveal(
    mixture
    if abs(to_light - to_phase) < 0.1
    else scene_of_light
    if to_light > to_phase
    else scene_of_phase,
    f"it correlates {to_phase:.2f} with the dark photograph and {to_light:.2f} with the other.",
)

# %% [markdown]
# The scene goes with the phases, which say *where* things are. The light goes with the amplitudes:
# compare the means. But here these amplitudes are of another scene, and stain the picture.
#
# The published network rests on the picture at the top of this lesson: there a dark photograph has
# the amplitudes of its *own* target, and its own phases.
#
# {{claim to_phase > to_light + 0.2}}
# {{claim abs(first.mean() - bright.mean()) < 0.05 and abs(second.mean() - dark.mean()) < 0.05}}

# %%
small, medium, large = "less than 3 dB", "3 to 12 dB", "more than 12 dB"
question_own = widgets.predict(
    "Now the other way round: dark photographs keep their amplitudes, and get the phases of their "
    "targets. By how much does their PSNR rise?",
    [small, medium, large],
)
question_own

# %% [markdown]
# Both exchanges on the test pairs. The second row corrects the mean brightness alone, with one gain
# for each photograph.


# %%
def mean_psnr(enhance):
    return fmean(metrics.psnr(enhance(p.low, p.normal).clamp(0, 1), p.normal).item() for p in test)


oracles = {
    "dark photograph": mean_psnr(lambda low, normal: low),
    "with its target's brightness": mean_psnr(metrics.match_gt_mean),
    "with its target's amplitudes": mean_psnr(lambda low, normal: exchange(normal, low)),
    "with its target's phases": mean_psnr(exchange),
}
for label, score in oracles.items():
    print(f"{label:30} {score:.2f} dB")
as_it_is, with_brightness, with_amplitudes, with_phases = oracles.values()
gain = with_phases - as_it_is
question_own.reveal(
    small if gain < 3 else medium if gain <= 12 else large,
    f"by {gain:.2f} dB; the amplitudes give {with_amplitudes - as_it_is:.1f} dB.",
)

# %% [markdown]
# More than half of what the amplitudes gain is the brightness of the whole, a single number. The
# rest is local light, contrast and colour. The third row also shows that the dark photograph's own
# phases are nearly right. The target's phases gain next to nothing, because with dark amplitudes no
# phases can help.
#
# All of these rows use the target, so none of them is a method. And look at what the exchange
# leaves:
#
# {{claim with_brightness > as_it_is + 8}}
# {{claim with_amplitudes - as_it_is < 2 * (with_brightness - as_it_is)}}
# {{claim with_amplitudes > with_brightness + 5 and with_amplitudes > 25}}
# {{claim with_phases < as_it_is + 1}}

# %% Draw what the exchange leaves tags=["hide-input"]
pair = test[1]
pictures = [pair.low, exchange(pair.normal, pair.low).clamp(0, 1), pair.normal]
plotting.show_images(
    [image[:, 70:130, 150:240] for image in pictures],
    ["low", "low, with the target's amplitudes", "target"],
    alt="Part of a photograph: dark; as bright as the target, but with grain; the smooth target.",
)

# %% [markdown]
# Grain: noise has disturbed the phases. So a network has two tasks: to guess the amplitudes without
# the target, and to remove noise. Can two branches share them?
#
# ## 2. Build the published network
#
# One branch works on pixels and one on frequencies. The course's file draws it:

# %% tags=["nbval-check-output"]
published = models.create_model("fft_dual_branch")
print(inspect.getmodule(type(published)).__doc__)

# %% [markdown]
# ### The branch on frequencies
#
# {{exercise frequency}}
#
# Write the branch as an `nn.Module`. `__init__` makes `self.mask`, an `nn.Parameter` that is 0.01
# everywhere, with one number for each channel and each entry of `rfft2`, for images of `size` x
# `size` pixels: `(1, 3, size, size // 2 + 1)`. (`rfft2` leaves out the columns that follow from the
# others.) `forward` transforms `low`, multiplies by the mask, and goes back.


# %%
class FrequencyBranch(nn.Module):
    """Multiply the spectrum of images (N, 3, size, size) by a learned mask."""

    def __init__(self, size=224):
        """Make the mask."""
        ### SOLUTION frequency.__init__

    def forward(self, low):
        """(N, 3, size, size) -> the same shape."""
        ### SOLUTION frequency.forward


# %% tags=["nbval-check-output"]
FrequencyBranch = check.frequency(FrequencyBranch)

# %% [markdown]
# {{answers frequency}}
#
# ### Both branches
#
# {{exercise network}}
#
# The layers are given, and so is the branch on pixels, `self.spatial(low)`. Write `forward`: put
# the outputs of both branches together as channels, `spatial` first, fuse them by `self.fusion`,
# apply `torch.tanh`, and add the image. In training (`self.training` is True) return this as it
# is, because a clamp has no gradient outside [0, 1]. Otherwise clamp it to [0, 1].

# %%
from llie_helpers.models.fft_dual_branch import norm  # instance norm and LeakyReLU
from llie_helpers.models.network import Network


class TwoBranches(Network):
    """Map dark images (N, 3, size, size) in [0, 1] to enhanced ones."""

    def __init__(self, size=224):
        super().__init__()
        self.full_size = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), *norm(32))
        self.half_size = nn.Sequential(
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            *norm(64),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        )
        self.head = nn.Conv2d(32, 3, 3, padding=1)
        self.frequency = FrequencyBranch(size)
        self.fusion = nn.Conv2d(6, 3, 1)

    def spatial(self, low):
        features = self.full_size(low)
        return self.head(features + self.half_size(features))

    def forward(self, low):
        """(N, 3, size, size) in [0, 1] -> the same size and range."""
        ### SOLUTION network.forward


# %% tags=["nbval-check-output"]
TwoBranches = check.network(TwoBranches)

# %% [markdown]
# {{answers network}}
#
# The layers have the names of the course's network, so its weights fit into your class. Only the
# mask is one level deeper in yours. (These weights were trained on LOL v1 by a recipe of the
# course. How the network's authors trained it is the topic of section 3.)

# %% tags=["nbval-check-output"]
mine, trained_weights = TwoBranches().eval(), models.create_model("fft_dual_branch", "lol_v1")
state = trained_weights.state_dict()
mine.load_state_dict(state | {"frequency.mask": state.pop("mask")})
crop, target = (image[None, :, :224, 100:324] for image in (garage.low, garage.normal))
with torch.no_grad():
    by_mine, by_course = mine(crop), trained_weights.eval()(crop)
mask = mine.frequency.mask.numel()
total = count_parameters(mine)
print(f"{total:,} parameters, {mask / total:.0%} of them in the mask")
print(f"same output as the course's network: {torch.allclose(by_mine, by_course, atol=1e-5)}")

# %% [markdown]
# It is the same network. The structure is there, and there is too much light:
#
# {{claim by_mine.mean() > target.mean() + 0.03}}
# {{claim total == 129_016}}
# {{claim torch.allclose(by_mine, by_course, atol=1e-5)}}

# %% Draw its output tags=["hide-input"]
views = [crop[0], by_mine[0], target[0]]
plotting.show_images(
    views,
    ["dark", "your class, trained", "target"],
    [f"mean {x.mean():.2f}" for x in views],
    alt="The garage: dark, brightened to more than the target's brightness, and the target.",
)

# %% [markdown]
# Why can it not do better? Look at the branches one by one.
#
# ### What the frequency branch can do
#
# More than half of all parameters are the mask: one number for each frequency and channel. A wave
# covers the whole photograph, so this branch could carry light from any corner to any other. What
# has training made of it? Send a single white pixel through the trained branch.

# %%
one_pixel, nearby, everywhere = "that pixel alone", "a few pixels around it", "the whole photograph"
question_mask = widgets.predict(
    "Where is most of what comes out of the trained frequency branch?",
    [one_pixel, nearby, everywhere],
)
question_mask

# %%
point = torch.zeros(1, 3, 224, 224)
point[..., 112, 112] = 1
with torch.no_grad():
    kernel = trained_weights.frequency(point)[0]


# %% Where is the energy? tags=["hide-input"]
def energy_within(distance):
    """Share of the energy, the sum of squares, in a square around the white pixel."""
    near = slice(112 - distance, 113 + distance)
    return (kernel[:, near, near].square().sum() / kernel.square().sum()).item()


alone, around = energy_within(0), energy_within(4)
question_mask.reveal(
    one_pixel if alone > 0.5 else nearby if around > 0.5 else everywhere,
    f"{alone:.0%} of the energy is in the pixel, {around:.0%} within 9 x 9 pixels.",
)

# %% [markdown]
# The middle of it, 31 pixels wide:

# %% Draw the kernel tags=["hide-input"]
middle = slice(97, 128)
plotting.show_images(
    [point[0, :, middle, middle], (0.5 + kernel / kernel.abs().max() / 2)[:, middle, middle]],
    ["one white pixel", "after the branch (grey is 0)"],
    columns=3,
    alt="One white pixel, and what the branch makes of it: a bright pixel, weak coloured ones "
    "around it, and a faint cross.",
)

# %% [markdown]
# Multiplying a spectrum by a fixed mask is a *convolution*: each pixel leaves this same pattern,
# the *kernel*, wherever it is and whatever the photograph shows. The kernel could be as large as
# the image, but it began as one pixel, and training kept it small. It can blur, sharpen or scale.
# It cannot look at a photograph and decide. Does it fit another size? Give your network 200 x 200
# pixels:
#
# {{claim alone < 0.48 and 0.8 < around}}

# %%
try:
    mine(crop[..., :200, :200])
except RuntimeError as error:
    print(error)

# %% [markdown]
# It does not: their transform has 101 columns, and the mask 113. (The course's network, used below,
# stretches the mask. So it runs on any size, with a filter that was learned for one.)
#
# {{claim mine.frequency.mask.shape[-2:] == (224, 113)}}
#
# ### What the spatial branch cannot see
#
# Its first two convolutions are followed by *instance norm*, which subtracts each channel's mean
# over the image and divides by its standard deviation.

# %%
half, same, other = "they halve", "hardly at all", "in a way that depends on the image"
question_blind = widgets.predict(
    "You halve the pixel values of a photograph. How do the features of the spatial branch change?",
    [half, same, other],
)
question_blind

# %% [markdown]
# Compare the trained branch's output for a photograph and for the same with halved values:

# %%
image = test[0].normal[None, :, :224, :224]
with torch.no_grad():
    full, halved = (trained_weights.spatial(image * factor) for factor in (1, 0.5))
change = ((full - halved).abs().mean() / full.std()).item()
question_blind.reveal(
    same
    if change < 0.02
    else half
    if torch.allclose(halved, full / 2, rtol=0.05, atol=1e-3)
    else other,
    f"they change by {change:.2%} of their spread: the norm divides the factor out.",
)

# %% [markdown]
# In grey, the mean of its three channels:

# %% Draw what the branch makes of both tags=["hide-input"]
grey = [output.mean(dim=1).expand(3, -1, -1) for output in (full, halved)]
black, white = grey[0].min(), grey[0].max()
plotting.show_images(
    [image[0], image[0] / 2, *((output - black) / (white - black) for output in grey)],
    ["photograph", "halved", "spatial branch", "spatial branch, of halved"],
    columns=4,
    alt="A cup, and the same half as bright; and two pictures of its structure, which are alike.",
)

# %% [markdown]
# So the branch that does most of the arithmetic is blind to a common factor of all values. That
# is not all bad: however dark the photograph, the branch draws the same structure. But it cannot
# decide on the light, because it does not see whether a room was well lit or dim.
#
# {{claim change < 0.02}}
#
# ## 3. Train it as published
#
# The loss has four terms: L1 (`l1`, weight 1), VGG features (`perceptual`, 0.05), the amplitude of
# the Fourier transform (`fft_amplitude`, 0.05), and 1 - SSIM (`ssim`). AdamW has a learning rate of
# 2e-5. Training has two stages: stage two goes on with another data set.
#
# {{exercise loss_weights}}
#
# The weight of `ssim` is 0.01 in the first 50 epochs of stage 1 and 0.2 from the 51st on. In stage
# 2 it is 0.2 throughout. Epochs count from 1. Return the weights of all four terms as a dict.


# %%
def loss_weights(stage, epoch):
    """The weight of each term of the loss in an epoch, counted from 1 -> dict."""
    ### SOLUTION loss_weights


# %% tags=["nbval-check-output"]
loss_weights = check.loss_weights(loss_weights)

# %% [markdown]
# {{answers loss_weights}}

# %% [markdown]
# As published, 485 images in batches of 32 for 200 epochs are 3,200 steps. The quick profile takes
# far fewer, leaves out the perceptual term, and has a mask for its smaller crops. It raises the
# weight of SSIM after 2 epochs (`[2, 0.2]` below) in place of 50:

# %%
recipe = load_recipe("fft_dual_branch", lesson.profile)
recipe = recipe.changed(crops_per_epoch=lesson.choose(quick=120, full=recipe.crops_per_epoch))
steps = recipe.epochs * math.ceil(recipe.crops_per_epoch / recipe.batch_size)
print(f"{steps:,} steps of {recipe.batch_size} crops, {recipe.crop_size} pixels wide")
print(f"loss: {recipe.loss}, learning rate {recipe.learning_rate}")

# %% [markdown]
# Stage one learns from one half of the training scenes. Stage two will learn from the other half,
# in place of another data set.

# %% Divide the scenes, and a function that trains tags=["hide-input"]
scenes = sorted(set(train.scenes))
halves = [
    train.subset([i for i, scene in enumerate(train.scenes) if scenes.index(scene) % 2 == part])
    for part in (0, 1)
]


def learn(label, model, pairs, recipe):
    """Train ``model`` on ``pairs``; returns the run."""
    folder = lesson.run_dir(label)
    run = training.fit(model, pairs, val, recipe, run_dir=folder, seed=lesson.seed)
    print(f"{label}: {run}")
    return run


def fresh_published(size):
    torch.manual_seed(lesson.seed)
    return models.create_model("fft_dual_branch", size=size).to(device)


# %% [markdown]
# Two networks with the same starting weights, one at the published learning rate and one at a rate
# a hundred times larger:

# %%
slow, fast = fresh_published(recipe.crop_size), fresh_published(recipe.crop_size)
slow_run = learn("rate_2e-5", slow, halves[0], recipe)
fast_run = learn("rate_2e-3", fast, halves[0], recipe.changed(learning_rate=2e-3))

# %% [markdown]
# Look at the lower rate's curves first. Is it done?

# %%
plotting.show_history({f"2e-5, {steps:,} steps": slow_run, f"2e-3, {steps:,} steps": fast_run})

# %% [markdown]
# At 2e-5, validation PSNR and SSIM rise faster at the end than at the beginning: the training has
# hardly begun. Adam moves a weight by about the learning rate in each step. So 2e-5 is a rate for
# weights that are nearly right: all 3,200 published steps can move a weight by about 0.06.
#
# The loss jumps where the weight of SSIM changes. Losses before and after it are not the same
# quantity, so the best epoch is chosen by validation SSIM.
#
# {{claim slow_run.history[-1]["val_psnr"] > slow_run.history[-2]["val_psnr"] + 0.3}}
# {{claim slow_run.history[-1]["val_ssim"] > slow_run.history[-2]["val_ssim"] + 0.01}}
# {{claim slow_run.history[2]["val_loss"] > slow_run.history[1]["val_loss"] + 0.05}}
#
# ### Stage two
#
# Can a second stage make up for this? It starts from the slow network's weights.

# %%
stage_two = load_recipe("fft_dual_branch_stage_two", lesson.profile)
second_run = learn("rate_2e-5_stage_two", slow, halves[1], stage_two)

# %% [markdown]
# Both networks on the test photographs, and a longer training below them: stage one of the
# published recipe on LOL v1, for 40 of its 200 epochs (`python tools/reruns.py`). LOL v1 is darker,
# so the score of its untouched photographs is beside it.

# %%
at_slow, at_fast = metrics.evaluate(slow, test), metrics.evaluate(fast, test)
report(baselines.to_beat, best)
report("rate 2e-5, both stages", at_slow)
report("rate 2e-3, stage one", at_fast)
rerun = reruns.kept("fft_dual_branch")
untouched = baselines.on_lol.get("identity", baselines.scores["identity"].psnr)
print(f"LOL v1: our re-run {rerun.frozen}; untouched {untouched:.2f} dB")
reported = {system.model: system.reported for system in literature.SYSTEMS}
print(f"reported by its authors: {reported['fft_dual_branch']}")

# %% [markdown]
# A rate a hundred times larger makes the same network a far better one, in fewer steps. At the
# published rate, a second stage cannot make up for a first that has hardly begun. (GT-mean PSNR can
# be the lower one: its factor makes the mean right, and is not always the best factor.)
#
# Why did the authors report 18.64 dB when our re-run got far less? They resized all images to
# 224 x 224 and kept the checkpoint that was best on these very test images. That flatters, but
# scored in their way our re-run gains nothing. What remains is training: theirs was longer, and may
# have begun with weights that were already trained.
#
# {{claim at_fast.psnr > at_slow.psnr + 4}}
# {{claim at_slow.psnr < baselines.scores["identity"].psnr + 3}}
# {{claim rerun.frozen.psnr < 11 and rerun.frozen.psnr < untouched + 3}}
# {{claim abs(rerun.own.psnr - rerun.frozen.psnr) < 0.5 and rerun.epochs == 40}}
# {{claim reported["fft_dual_branch"].startswith("18.64 dB")}}
#
# ## 4. The redesign: light first
#
# You have met three faults: no part of the network decides on the light, most parameters are one
# fixed filter, and that filter fits one size. The course's `dual_branch` repairs them. It decides
# on the light first, from the *whole* photograph, as a thumbnail of 64 x 64 pixels.
#
# What should it decide? One gain for the whole photograph is not enough: in lesson 01 no single
# gain repaired a temple against a bright sky. A gain for each pixel is too much, because a
# thumbnail does not show pixels. In between is the **bilateral grid**: a gain for each *place*, of
# 8 x 8, and each *luminance*, of 12 levels from black to white, for each of three colours. A lamp
# and the wall behind it share a place, but they differ in luminance, so each gets a gain of its
# own.
#
# Your own network is trained in section 6. Here you use shipped weights, trained on LOL v1 and on
# photographs that were darkened by computation. The backlit temple is made as in lesson 01.

# %% Darken the temple, and load the weights tags=["hide-input"]
shipped = models.create_model("dual_branch", weights="photographs").to(device).eval()
temple = next(p.normal for p in data.load_pairs("embedded", "train") if "china" in p.name)
temple = temple[:, :264]  # a height that can be halved three times
linear = synthesis.to_linear(temple)
backlit = synthesis.capture(
    synthesis.expose(linear, -lighting.backlight_stops(linear, depth=4.0, level=0.8)),
    photons=4000,
    generator=torch.Generator().manual_seed(lesson.seed),
)

# %% [markdown]
# `prepare` predicts the grid:

# %% tags=["nbval-check-output"]
with torch.no_grad():
    grid = shipped.prepare(backlit[None].to(device)).cpu()
print(f"{grid.numel():,} numbers: {tuple(grid.shape)}")

# %% [markdown]
# These numbers are logarithms of gains, none below 0: light is only added. To enhance, the grid is
# *sliced*: each pixel reads a gain of its own.
#
# 1. Its place has 12 log gains for each colour, one a level. (Each level's 8 x 8 numbers are
#    enlarged smoothly to the size of the image.)
# 2. Its luminance says where between the levels it is.
# 3. Its log gain is the weighted mean of those of the levels around it.
#
# The weights are cubic B-splines: bells that reach over four levels, of which the two nearest count
# most. Straight lines would do too, but their corners show as bands in a smooth sky. Follow two
# pixels of one place, in the shadow of the roof and in the sky beside it:

# %% Draw what two pixels read tags=["hide-input"]
cells = F.avg_pool2d(backlit[None], 4)
tone = bilateral_grid.luminance(cells)[0, 0]
darkest, top = bilateral_grid.DARK, grid.shape[2] - 1
level = top * (tone / darkest + 1).log() / math.log(1 / darkest + 1)


def enlarge(levels, height, width):
    """Log gains (3, K, 8, 8) -> (3, K, height, width), by splines as well."""
    down, across = (
        bilateral_grid.spline_weights(((torch.arange(n) + 0.5) / n * 8 - 0.5)[:, None], 8, dim=1)
        for n in (height, width)
    )
    return down @ levels @ across.T


ROW, COLUMN = 2, 3
figure = plotting.CourseFigure(
    9,
    3.6,
    alt="A temple under a grid of 8 x 8 places, and in one place two pixels, roof and sky. Beside "
    "it the place's 12 gains, which fall from black to white, and the bells over each pixel's "
    "level: the roof reads a large gain, the sky a small one.",
)
photo, gain, weight = figure.subplot_mosaic(
    "pg;pw", width_ratios=[1.25, 1], height_ratios=[1.6, 1]
).values()
photo.imshow(backlit.permute(1, 2, 0))
photo.set(title="two pixels of one place", xticks=[], yticks=[])
high, wide = backlit.shape[1] / 8, backlit.shape[2] / 8
for k in range(1, 8):
    photo.axhline(k * high, color="white", linewidth=0.4)
    photo.axvline(k * wide, color="white", linewidth=0.4)
photo.add_patch(
    Rectangle((COLUMN * wide, ROW * high), wide, high, fill=False, edgecolor="white", linewidth=2)
)
stops_of = enlarge(grid[0], *tone.shape).mean(dim=0) / math.log(2)
along, read = torch.linspace(0, 11, 400), {}
inside = tone[18:24, 39:48]  # of this place, in cells of 4 x 4 pixels
for name, at, colour, anchor, side in (
    ("roof", inside.argmin(), plotting.COLOURS[1], "left", 0.4),
    ("sky", inside.argmax(), plotting.COLOURS[0], "right", -0.4),
):
    y, x = 18 + int(at) // 9, 39 + int(at) % 9
    here, column = level[y, x], stops_of[:, y, x]
    shares = bilateral_grid.spline_weights(here[None, None], 12, dim=1)[0]
    read[name] = float(shares @ column)
    label = f"{name}: {read[name]:.1f} stops"
    photo.plot(4 * x + 2, 4 * y + 2, "o", color=colour, markeredgecolor="white", markersize=9)
    gain.bar(range(12), column, color="0.85")
    gain.plot(here, read[name], "o", color=colour)
    gain.text(here + side, read[name] + 0.15, label, color=colour, ha=anchor)
    for knot in shares.nonzero().flatten():
        bell = cubic_bspline((along - knot).abs())
        weight.plot(along, bell.where(bell > 0, math.nan), color=colour, linewidth=1)
        weight.plot(here, shares[knot], "o", color=colour, markersize=4)
    for axis in (gain, weight):
        axis.axvline(here, color=colour, linestyle=":")
gain.set(title="its 12 gains in stops (mean of the colours)", xticks=range(12))
weight.set(
    xlabel="level (0: black, 11: white)", ylabel="weight", xticks=range(12), xlim=gain.get_xlim()
)
figure

# %% [markdown]
# {{exercise look_up}}
#
# `maps` is `(3, K, H, W)`: a log gain for each colour, level and pixel. `level` is `(H, W)`: where
# each pixel's luminance is between the levels, from 0 to K - 1. Return the *weighted* mean of each
# pixel's K log gains, `(3, H, W)`. The weight of level k is `cubic_bspline(|level - k|)`, divided
# by the sum of the weights of all levels.


# %%
def look_up(maps, level):
    """Log gains of all pixels, chosen by luminance -> (3, H, W)."""
    ### SOLUTION look_up


# %% tags=["nbval-check-output"]
look_up = check.look_up(look_up)

# %% [markdown]
# {{answers look_up}}
#
# Roof and sky read very different gains. Now your function lights the whole temple. Two details
# make it robust. The luminance is that of means over 4 x 4 pixels, as single pixels are noisy. And
# log gains are multiplied by `headroom`, $1 - v^4$ for a luminance $v$, so that white stays white.
#
# {{claim read["roof"] > read["sky"] + 1}}


# %% Light the temple by your function tags=["hide-input"]
def light_by(grid):
    """The temple times its gains, and the gains in stops."""
    log_gains = torch.as_tensor(look_up(enlarge(grid[0], *tone.shape), level))
    log_gains = log_gains * bilateral_grid.headroom(tone)
    gains = bilateral_grid.upsample(log_gains.exp()[None])[0]
    return (backlit * gains).clamp(max=1), gains.log2()


lit, stops = light_by(grid)
with torch.no_grad():
    enhanced = quantise(shipped(backlit[None].to(device))[0]).cpu()
    by_network = shipped.illuminate(backlit[None].to(device), grid.to(device))[0].cpu()
difference = (lit - by_network).abs().max().item()
print(f"largest difference from the network's own light: {difference:.0e}")

# %% [markdown]
# Your function lights as the network does. Look at the map of gains first. The sky stays nearly as
# it is, and the temple gets light, up to the edge of its roof, although a place of the grid is 50
# pixels wide. (Where the map is pink, red gets most.) Then compare the bushes, by the light alone
# and by the whole network. Light brings the noise with it, and what removes the noise removes some
# leaves as well.
#
# {{claim difference < 1e-4}}

# %% Draw the temple tags=["hide-input"]
by_light, by_all = (metrics.psnr(image, temple).item() for image in (lit, enhanced))
bushes = torch.cat([image[:, 180:260, 300:360] for image in (lit, enhanced)], dim=-1)
plotting.show_images(
    [backlit, stops / stops.max(), temple, lit, enhanced, bushes],
    [
        "backlit",
        "gains in stops",
        "target",
        "the light alone",
        "the whole network",
        "both, enlarged",
    ],
    ["", f"white: {stops.max():.1f} stops", "", f"{by_light:.1f} dB", f"{by_all:.1f} dB", ""],
    columns=3,
    alt="A dark temple before a bright sky; the map of its gains, black in the sky and light on "
    "temple and bushes; the target. Below, by the light alone, the bushes are full of grain; by "
    "the whole network they are smooth.",
)

# %% [markdown]
# {{claim by_all > by_light + 1}}
#
# ## 5. Noise second, and frequencies of no fixed size
#
# Light is set. What remains is noise, and detail: matters of a few pixels. Ten blocks take care of
# them. In each block three quarters of the channels are convolved, and one quarter goes through a
# spectral branch. It has no mask. It *looks* at the amplitudes and decides: 1x1 convolutions see
# the log amplitudes of a frequency in all channels of the branch, and answer by how much to change
# them. The convolutions are the same for every frequency; their answers depend on the image.
# Section 6 measures what that is worth.
#
# The transform is taken in windows of 8 x 8 features. So an amplitude belongs to one place
# ("stripes here"), and what a pixel becomes depends on its neighbourhood, not on the size of the
# image. (Lesson 09 enhances large photographs tile by tile.) The mean of a window stays as it is:
# if neighbouring windows changed their means, squares would appear on smooth skies.
#
# Most of the work is done at a quarter and an eighth of the size, where a layer costs a sixteenth
# or a sixty-fourth. The drawing in the file begins with the light:

# %% tags=["nbval-check-output"]
ours = models.create_model("dual_branch")
print(inspect.getmodule(type(ours)).__doc__)

# %% [markdown]
# The class itself is folded below. Its heart is `restore`: means over 4 x 4 pixels have little
# noise, detail has to pass a `gate`, and a `residual` is added. Noise that is left in the colours
# is averaged away, by a bilateral filter as in lesson 02. Where no light was added, nothing is
# changed. (`spectral=False` leaves the spectral branches out, for comparison.)

# %% Import what the class uses tags=["hide-input"]
from llie_helpers.images import WHOLE, Place  # noqa: F401
from llie_helpers.models.bilateral_grid import (  # noqa: F401
    CELL,
    gain_map,
    headroom,
    luminance,
    upsample,
)
from llie_helpers.models.dual_branch import (  # noqa: F401
    DIM,
    FAINTEST,
    DualBlock,
    LightObjective,
    colour_noise,
)
from llie_helpers.models.network import Objective, any_size, check_images  # noqa: F401

# %% The whole class, DualBranch tags=["hide-input"]
### SOURCE llie_helpers.models.dual_branch.DualBranch


# %% tags=["nbval-check-output"]
predictor = count_parameters(ours.grid_predictor)
print(f"published:   {count_parameters(published):,} parameters")
print(f"dual_branch: {count_parameters(ours):,}, of which {predictor:,} predict the light")

# %%
fewer, similar, more = "less than a third", "about as much", "more than three times as much"
question_cost = widgets.predict(
    "The two have about as many parameters. How much arithmetic does `dual_branch` need for a "
    "photograph of 600 x 400, compared with the published network?",
    [fewer, similar, more],
)
question_cost

# %% [markdown]
# The published network works at full size with 32 and at half size with 64 channels. Multiply-adds
# of convolutions and matrix products are counted; Fourier transforms by FFT are not.

# %% Count the multiply-adds tags=["hide-input"]
ratio = gmacs(ours) / gmacs(published)
question_cost.reveal(
    fewer if ratio < 1 / 3 else more if ratio > 3 else similar,
    f"{gmacs(ours):.2f} GMACs against {gmacs(published):.2f}.",
)

# %% [markdown]
# {{claim count_parameters(ours) <= count_parameters(published)}}
# {{claim ratio < 1 / 3}}
#
# ## 6. Train both, and judge
#
# Both networks are now trained on all training scenes by one recipe, on the same number of crops.
# (The published network's mask is made for their size.) The loss has two terms: `gt_mean`, which
# mixes L1 with L1 after the brightness is corrected, and 1 - SSIM.
#
# Who teaches the light? A crop cannot tell how bright the photograph around it should become. So in
# the full recipe each crop comes with a thumbnail of its photograph, and `objective` asks for the
# right `light` on that thumbnail. The quick profile has no `objective`: it would learn the
# thumbnails of four photographs by heart. Each crop is lit by itself, and **nothing teaches your
# network how bright a whole photograph should be**. Remember this when you judge it.

# %%
recipe = load_recipe("dual_branch", lesson.profile)
recipe = recipe.changed(epochs=lesson.choose(quick=3, full=recipe.epochs))
print(f"{recipe.epochs} epochs of {recipe.crops_per_epoch} crops, {recipe.crop_size} pixels wide")
print(f"loss: {recipe.loss}, objective: {recipe.objective}")

# %%
torch.manual_seed(lesson.seed)
ours, theirs = models.create_model("dual_branch").to(device), fresh_published(recipe.crop_size)
our_run = learn("dual_branch", ours, train, recipe)
its_run = learn("fft_dual_branch", theirs, train, recipe.changed(objective={}))

# %% [markdown]
# Both trainings are short. For comparison, the course ships weights of both networks that were
# trained longer, on LOL v1, those of `dual_branch` with its `objective`. All four on the test
# photographs:

# %%
yours_published = f"published, {recipe.epochs} epochs"
yours_ours = f"dual_branch, {recipe.epochs} epochs"
long_published, long_ours = "published, LOL v1", "dual_branch, LOL v1"
networks = {
    yours_published: theirs,
    yours_ours: ours,
    long_published: trained_weights.to(device),
    long_ours: models.create_model("dual_branch", "lol_v1").to(device),
}
judged = {label: metrics.evaluate(network, test) for label, network in networks.items()}
old, new, old_long, new_long = judged.values()

# %% Note your two in the ledger tags=["hide-input"]
for model, its, run in ((ours, new, our_run), (theirs, old, its_run)):
    lesson.record(
        model="dual_branch" if model is ours else "fft_dual_branch",
        data=name,
        split="test",
        evaluation=its,
        parameters=count_parameters(model),
        gmacs=gmacs(model),
        train_seconds=run.seconds,
    )

# %% [markdown]
# Before you look, recall the three parts of a squared error from lesson 02: the *brightness* of the
# whole, *local light and colour* (a wall too dark, a shadow too blue), and *detail*, noise
# included.

# %%
parts = ["brightness", "local light and colour", "detail"]
question_error = widgets.predict(
    "Which is the largest part of your dual_branch's squared error on the test photographs?", parts
)
question_error

# %% [markdown]
# Now the photographs. Look at the shadows of the cup and of the saucer, and at the night sky. The
# last row is the photograph that your `dual_branch` gets *worst*.


# %%
@torch.no_grad()
def enhance(model, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(model.eval()(image[None].to(device))[0]).cpu()


worst = min(range(len(test)), key=lambda i: new.per_image[i]["psnr"])
shown = [test[i] for i in (1, len(test) // 2, worst)]
low, normal = [pair.low for pair in shown], [pair.normal for pair in shown]
drawn = {"published": theirs, "dual_branch": ours, long_ours: networks[long_ours]}
outputs = {label: [enhance(network, x) for x in low] for label, network in drawn.items()}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# How red are the shadows of the first photograph, the pixels whose target is darker than 0.2?

# %% Measure the red tags=["hide-input"]
shadow = normal[0].mean(0) < 0.2
views = {"low": low[0], **{label: images[0] for label, images in outputs.items()}}
views["target"] = normal[0]
red = {label: view[0][shadow].mean().item() for label, view in views.items()}
print(", ".join(f"{label} {value:.2f}" for label, value in red.items()))

# %% [markdown]
# The published network leaves the shadows dark and blue where saucer and wood should be red: wrong
# light and colour in some places. Your `dual_branch` gets such places right, but it turns the night
# before the launch into day. There it is worse than no change at all: it was never told that some
# photographs are meant to be dark. The scores:
#
# {{claim red["published"] < 0.6 * red["target"]}}
# {{claim abs(red["dual_branch"] - red["target"]) < 0.07}}
# {{claim "rocket" in test[worst].name}}
# {{claim outputs["dual_branch"][2].mean() > 1.4 * normal[2].mean()}}
# {{claim new.per_image[worst]["psnr"] < metrics.psnr(low[2], normal[2]).item()}}

# %%
baselines.table(judged)

# %% [markdown]
# Your `dual_branch` beats the histogram mapper in all three scores. It leads the published network
# in PSNR and, by more, in GT-mean PSNR, which ignores the brightness of the whole. The weights from
# LOL v1 have never met such photographs: those of the published network fall far below the mapper
# in PSNR.
#
# {{claim new.psnr > best.psnr + 0.5 and new.ssim > best.ssim + 0.1}}
# {{claim new.psnr_gt_mean > best.psnr_gt_mean + 1}}
# {{claim new.psnr > old.psnr + 0.5}}
# {{claim new.psnr_gt_mean - old.psnr_gt_mean > 1.5}}
# {{claim new.psnr_gt_mean - old.psnr_gt_mean > new.psnr - old.psnr}}
# {{claim old_long.psnr < best.psnr - 2}}
#
# ### Where the error is
#
# Now the parts of the error, local light and local colour in two shades:

# %%
fitted = baselines.tuned_gamma
compared = {label: baselines.scores[label] for label in (fitted, baselines.to_beat)}
plotting.show_error_parts(compared | judged)

# %%
errors = torch.tensor([new.brightness, new.local, new.detail])
share = errors / errors.sum()
question_error.reveal(parts[int(share.argmax())], f"{share.max():.0%} of it.")
each = torch.tensor([row["brightness"] for row in new.per_image])
print(f"{each[worst] / each.sum():.0%} of the error in brightness is made on {test[worst].name}.")

# %% [markdown]
# Compare the bars colour by colour. (Their lengths need not rank networks as PSNR does: in a mean
# of squared errors, one bad rocket weighs more.)
#
# - **Local light and colour** is what the grid was built for. Your `dual_branch` has less than half
#   of the published network's error; with the weights from LOL v1 it has about half. In detail
#   your two networks are close.
# - **Brightness**: of *your* two networks, `dual_branch` is worse. The network that was designed to
#   set the light misjudges the whole where nobody teaches it. The weights from LOL v1 were taught
#   it, on other scenes, and make less than half of the error that the published network's make, but
#   about as much as yours. What is left is the rocket: a night sky, lit like a room.
#
# A design makes an answer possible. It does not give it.
#
# {{claim new.local < 0.5 * old.local and 0.4 < new_long.local / old_long.local < 0.6}}
# {{claim new.brightness > old.brightness and share.argmax() == 0}}
# {{claim each.argmax() == worst and each[worst] > 0.35 * each.sum()}}
# {{claim new_long.brightness < 0.5 * old_long.brightness}}
# {{claim 0.7 < new_long.brightness / new.brightness < 1.4}}
# {{claim sum(row["brightness"] for row in new_long.per_image[8:]) > 10 * new_long.brightness}}
# {{claim abs(new.detail - old.detail) < 0.001}}
#
# ### What does each part contribute?
#
# Switch a part off in the weights from LOL v1, and evaluate again: the published network's mask,
# the spectral branches of `dual_branch`, and then all that follows its light.

# %%
no_mask, no_spectral = (copy.deepcopy(networks[label]) for label in (long_published, long_ours))
nn.init.zeros_(no_mask.mask)
for module in no_spectral.modules():
    if isinstance(module, WindowAmplitude):
        for parameter in module.gate[-1].parameters():
            nn.init.zeros_(parameter)  # the answer to every amplitude: no change
lamp = networks[long_ours].eval()
ablated = {
    "mask": metrics.evaluate(no_mask, test),
    "spectral": metrics.evaluate(no_spectral, test),
    "blocks": metrics.evaluate(lambda x: lamp.illuminate(x, lamp.prepare(x)), test),
}
report(long_published, old_long)
report("  without its mask", ablated["mask"])
report(long_ours, new_long)
report("  without spectral branches", ablated["spectral"])
report("  light alone", ablated["blocks"])

# %% [markdown]
# Without its mask, the published network scores about the same: more than half of its parameters
# hardly matter. Without its spectral branches, `dual_branch` loses less than 0.3 dB, and a few
# hundredths of SSIM. By its light alone it loses nearly 2 dB, and nearly half of its SSIM: the
# noise is back.
#
# This shows what *these weights* rely on, not what the network needs: trained without the branch,
# it might find another way. "Going deeper" tries that.
#
# {{claim abs(ablated["mask"].psnr - old_long.psnr) < 0.4}}
# {{claim 0.1 < new_long.psnr - ablated["spectral"].psnr < 0.3}}
# {{claim 0.1 < new_long.psnr_gt_mean - ablated["spectral"].psnr_gt_mean < 0.3}}
# {{claim 0.015 < new_long.ssim - ablated["spectral"].ssim < 0.045}}
# {{claim 1.7 < new_long.psnr - ablated["blocks"].psnr < 2}}
# {{claim 0.5 < ablated["blocks"].ssim / new_long.ssim < 0.6}}
#
# ### On real pairs
#
# The scores of the same weights on LOL v1, from their cards. Of the 15 test pairs, 14 show a scene
# of the training set. Validation (`val`) has 23 scenes that training never shows.

# %% Read the cards tags=["hide-input"]
on_lol = {card.model: card.scores for card in shipped_cards() if card.data == "lol_v1"}
rows, lead = [], {}
for split in ("test", "val"):
    for score, unit in {"psnr": "PSNR", "psnr_gt_mean": "GT-mean PSNR"}.items():
        one, other = (on_lol[model][split][score] for model in ("fft_dual_branch", "dual_branch"))
        lead[split, score] = other - one
        rows.append([f"{split}, {unit} (dB)", f"{one:.2f}", f"{other:.2f}", f"{other - one:+.2f}"])
Table(["LOL v1", "published", "dual_branch", "lead"], rows)

# %% [markdown]
# `dual_branch` leads by more than two decibels in GT-mean PSNR on either split. In plain PSNR it
# leads by three on the test pairs, and by only one on scenes that it has never seen: there, how
# bright a room was meant to be is still a guess. Three reservations:
#
# - `dual_branch` was trained for sixteen times the steps, in thirteen times the time.
# - `val` is not quite unseen: it chose the published network's epoch, and how `dual_branch` was
#   trained further.
# - Each score is that of one seed. Lesson 08 asks what such a lead is worth.
#
# {{claim 2 < lead["val", "psnr_gt_mean"] < 2.7 and 2 < lead["test", "psnr_gt_mean"] < 2.7}}
# {{claim 2.8 < lead["test", "psnr"] < 3.3 and 0.8 < lead["val", "psnr"] < 1.2}}
# {{claim 16 <= lessons.recorded("dual_branch_lol_v1")[-1]["steps"] / (4 * 500) < 17}}
# {{claim 13 <= lessons.recorded("dual_branch_lol_v1")[-1]["seconds"] / (21 * 60) < 13.5}}
# {{claim any("4 epochs of 500 steps" in card.path.read_text() for card in shipped_cards())}}
#
# The strip, with your network's panel: most of the grain of 02 is gone, and the finest detail with
# it. (The blotch under `06 pix2pix` is not in the photograph. 04 has a panel only if you have
# trained it.)

# %%
lessons.strip(lesson, ours)

# %% [markdown]
# The core path ends here. What follows goes deeper and can be read in any order; the recap is at
# the end.

# %% [markdown]
# ## Going deeper

# %% [markdown] recorded="dual_branch_2"
# ### Three seeds
#
# Would another seed have given `dual_branch` another score? Three trainings on LOL v1 differ in
# nothing but the seed. They are *shortened*, to 24 epochs of 400 steps of 8 crops, so their scores
# are below those of the shipped weights. But how far do they differ from one another? The band
# reaches from the lowest seed to the highest, the dots are the epochs that validation would keep,
# and the line is the published network.

# %% Draw the validation scores tags=["hide-input"] recorded="dual_branch_2"
seeds = [lessons.recorded(f"dual_branch_{seed}") for seed in range(3)]
ends = [run[-1]["val_psnr"] for run in seeds]


def draw_seeds(ablation=None):
    """Validation scores of the three seeds, and of a training beside them, from epoch 6 on."""
    told = f"Validation scores by epoch: three seeds, which end at {min(ends):.2f} to "
    told += f"{max(ends):.2f} dB"
    if ablation:
        told += f", and no spectral branches, which end at {ablation[-1]['val_psnr']:.2f} dB"
    figure = plotting.CourseFigure(8, 3.2, alt=f"{told}.")
    for axis, score in zip(figure.subplots(1, 2), ("psnr", "ssim"), strict=True):
        column, unit = f"val_{score}", " (dB)" if score == "psnr" else ""
        epochs = [row["epoch"] for row in seeds[0][5:]]
        at_epoch = list(zip(*([row[column] for row in run[5:]] for run in seeds), strict=True))
        low, high = map(min, at_epoch), map(max, at_epoch)
        axis.fill_between(epochs, [*low], [*high], alpha=0.4, linewidth=0, label="three seeds")
        kept = zip(*((run.best["epoch"], run.best[column]) for run in seeds), strict=True)
        axis.plot(*kept, "o", color=plotting.COLOURS[0], label="epochs kept")
        if ablation:
            late = [row[column] for row in ablation[5:]]
            axis.plot(epochs, late, color=plotting.COLOURS[1], label="no spectral branches")
        published_score = on_lol["fft_dual_branch"]["val"][score]
        axis.axhline(published_score, color="black", linestyle="--", label="published network")
        axis.set(title=f"validation {score.upper()}{unit}", xlabel="epoch", xticks=epochs[::3])
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


draw_seeds()

# %% recorded="dual_branch_2"
ssims = [run[-1]["val_ssim"] for run in seeds]
for seed, (psnr, ssim) in enumerate(zip(ends, ssims, strict=True)):
    print(f"seed {seed}, last epoch: {psnr:.2f} dB, SSIM {ssim:.3f}")
published_psnr = on_lol["fft_dual_branch"]["val"]["psnr"]
print(f"published network:  {published_psnr:.2f} dB")

# %% [markdown] recorded="dual_branch_2"
# In PSNR, the line of the published network is within the band when training ends, and above one of
# the three dots: after so short a training `dual_branch` has no lead that another seed could not
# undo. In SSIM its lead is several times as large as the differences between its seeds.
#
# So a lead has to be read against such a band. Three seeds are few, so the true one may be wider.
# And the seed is not the only accident in a score: other scenes would have given another one too,
# as lesson 08 measures.
#
# {{claim min(ends) + 0.1 < published_psnr < max(ends) - 0.1}}
# {{claim sorted(run.best["val_psnr"] < published_psnr for run in seeds) == [False, False, True]}}
# {{claim max(ends) < on_lol["dual_branch"]["val"]["psnr"] - 0.3}}
# {{claim min(ssims) > on_lol["fft_dual_branch"]["val"]["ssim"] + 3 * (max(ssims) - min(ssims))}}

# %% [markdown] recorded="dual_branch_spatial_0"
# ### Without waves
#
# Does `dual_branch` need its spectral branches? In a fourth training, with the first seed, it had
# none: all channels of a block were convolved. The number of parameters is nearly the same.

# %% recorded="dual_branch_spatial_0"
upper = "in the upper third of the band, or above it"
middle_third = "in the middle"
lower = "in the lower third, or below it"
question_waves = widgets.predict(
    "Where does the validation PSNR of the network without spectral branches end?",
    [upper, middle_third, lower],
)
question_waves

# %% [markdown] recorded="dual_branch_spatial_0"
# Its curve beside the band:
#
# {{claim count_parameters(models.create_model("dual_branch", spectral=False)) > 126_000}}

# %% recorded="dual_branch_spatial_0"
without = lessons.recorded("dual_branch_spatial_0")
end = without[-1]["val_psnr"]
height = (end - min(ends)) / (max(ends) - min(ends))
question_waves.reveal(
    lower if height < 1 / 3 else upper if height > 2 / 3 else middle_third,
    f"{end:.2f} dB; the seeds end between {min(ends):.2f} and {max(ends):.2f} dB.",
)
draw_seeds(without)

# %% [markdown] recorded="dual_branch_spatial_0"
# It ends just above the band in PSNR and in the middle of it in SSIM, hardly apart from seed 1,
# which had spectral branches. The seeds differ from one another by far more. So this training does
# not show that the branches are needed. That they help a little, it cannot rule out either: to know
# takes several seeds without them.
#
# See what a single pair of trainings would have told you. With seed 0, the network without spectral
# branches leads the one with them by more than half a decibel, and the waves would have got the
# blame. They have had the credit, too: an earlier form of the recipe, which resized more of its
# crops, gave the same pair more than half a decibel the other way (the model card has the numbers).
#
# {{claim 0 < end - max(ends) < 0.2 * (max(ends) - min(ends))}}
# {{claim min(ssims) < without[-1]["val_ssim"] < max(ssims)}}
# {{claim end - ends[0] > 0.55}}
# {{claim ends.index(max(ends)) == 1}}
# {{claim any("21.39 dB with them, 20.77 dB" in card.path.read_text() for card in shipped_cards())}}

# %% [markdown]
# ### Which axis of the grid does the work?
#
# The grid of section 4 has places and luminances.

# %%
costs_places = "without places: one curve of gains over luminance, for the whole photograph"
costs_levels = "without luminances: one gain for each place, whatever is there"
costs_alike = "both alike, within 1 dB"
question_axes = widgets.predict(
    "Take one axis away, by averaging the grid over it. What is worse for the backlit temple?",
    [costs_places, costs_levels, costs_alike],
)
question_axes

# %% [markdown]
# Slice all four grids by your function. "One gain" is the mean of the log gains of this grid, not
# the best single gain.


# %%
def averaged(grid, *axes):
    return grid.mean(dim=axes, keepdim=True).expand_as(grid)


grids = {
    "one gain": averaged(grid, 2, 3, 4),
    "places": averaged(grid, 2),
    "luminances": averaged(grid, 3, 4),
    "both": grid,
}
by_axes = {label: light_by(its)[0] for label, its in grids.items()}
scores = {label: metrics.psnr(image, temple).item() for label, image in by_axes.items()}
lost = scores["luminances"] - scores["places"]
question_axes.reveal(
    costs_levels if lost > 1 else costs_places if lost < -1 else costs_alike,
    f"{scores['places']:.1f} dB without luminances, {scores['luminances']:.1f} dB without places.",
)

# %% [markdown]
# Look at the sky first, then at the lake: is it there?

# %%
plotting.show_images(
    list(by_axes.values()),
    [f"by {label}" if label != "one gain" else label for label in by_axes],
    [f"{score:.1f} dB" for score in scores.values()],
    alt="The temple, four times. With one gain, and by places, sky and lake are white; by "
    "luminances, and by both, they are there.",
)

# %% [markdown]
# Sky and roof share a place, and what is good for the roof burns out sky and lake. So gains by
# places alone do not help here. Luminance tells sky and roof apart, and a single curve of gains is
# nearly enough. Places count where equally bright pixels need different gains: a
# white wall far from the lamp is as dark as a black one beside it.
#
# {{claim scores["luminances"] > scores["places"] + 3}}
# {{claim scores["places"] < scores["one gain"] + 0.5}}
# {{claim abs(scores["both"] - scores["luminances"]) < 1}}
#
# ### Reading a spectrum
#
# Which entry of the transform belongs to which wave? `rfft2` stores rows for 0, 1, 2, ... cycles
# per image downwards, and after the highest come the *negative* frequencies. Of the columns it
# keeps only half, since the spectrum of real numbers is symmetric.
#
# {{exercise radius}}
#
# For an image of `height` x `width` pixels, return the frequency of each entry of `rfft2` in cycles
# *per pixel*, whatever its direction: a tensor `(height, width // 2 + 1)`. Zero is in the
# corner.


# %%
def my_radius(height, width):
    """Radial frequency of each entry of rfft2 -> (height, width // 2 + 1)."""
    ### SOLUTION radius


# %% tags=["nbval-check-output"]
my_radius = check.radius(my_radius)

# %% [markdown]
# {{answers radius}}

# %% [markdown]
# With such a map you can keep the slow waves and drop the fast ones. Drag the limit. On the left is
# what is below it, in the middle what is above (grey is 0), in a part of the photograph. Where are
# brightness and colour? Where is the noise of the dark photograph, brightened here by gamma?


# %%
noisy = baselines.methods[fitted](test[1].low)


def show_bands(limit=0.06):
    """Slow waves of a photograph, fast waves around grey, and both together."""
    image = noisy
    spectrum = torch.fft.rfft2(image)
    keep = torch.as_tensor(my_radius(*image.shape[-2:])) <= limit
    below, above = (torch.fft.irfft2(spectrum * part, s=image.shape[-2:]) for part in (keep, ~keep))
    power = spectrum.abs() ** 2
    share = (power * ~keep).sum() / (power.sum() - power[:, 0, 0].sum())
    bands = below.clamp(0, 1), (above + 0.5).clamp(0, 1), image
    return plotting.show_images(
        [band[:, 100:220, 60:240] for band in bands],  # small enough to see the noise
        [f"up to {limit:.2f} cycles per pixel", "above it", "together"],
        [f"{keep.float().mean():.2%} of all waves", f"{share:.0%} of the variance", ""],
    )


widgets.parameter_slider(show_bands, frames=3, limit=(0.01, 0.11, 0.05))

# %% [markdown]
# A few per cent of the waves hold the light and the colours. That is why a network can set
# the light from a thumbnail. The fast waves hold detail and noise, one on top of the other, and
# no limit separates them.
#
# ### Spectral leakage
#
# The transform takes the image to be one tile of an endless pattern. If its left border is dark and
# its right border bright, there is a hard edge between two tiles that nobody photographed, and
# another between bottom and top. In the spectrum they show as a bright cross. Mirror the image, so
# that the borders fit, and the cross goes. (The X that comes was half there before: a slanted
# streak, and now its mirror image too.)


# %%
def spectrum_picture(image):
    """Log amplitude with zero frequency in the middle, scaled to [0, 1], (3, H, W)."""
    amplitude = torch.fft.fftshift(torch.fft.fft2(image.mean(0)).abs().log1p())
    return (amplitude / amplitude.max()).expand(3, -1, -1)


def mirrored(image):
    both = torch.cat([image, image.flip(-1)], dim=-1)
    return torch.cat([both, both.flip(-2)], dim=-2)


photo = test[0].normal
tiles = torch.cat([photo, photo], dim=-1)
plotting.show_images(
    [tiles, spectrum_picture(photo), spectrum_picture(mirrored(photo))],
    ["two tiles: mind the seam", "spectrum", "spectrum when mirrored"],
    alt="A photograph twice, side by side, with a seam where they meet. Its spectrum has a bright "
    "upright cross; that of the mirrored photograph has none.",
)

# %% [markdown]
# A filter in the frequency domain filters across this seam too: what is bright on the right
# border glows into the left one. Mirror-padding before such a filter prevents this.
#
# ### A scale that does not depend on the size
#
# By default `rfft2` adds up all pixels, so its numbers grow with the image. A network that has
# learned what a large amplitude is on crops would be surprised by photographs.

# %% tags=["nbval-check-output"]
flat = torch.full((3, 256, 256), 0.5)
grain = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
for side in (64, 128, 256):
    row = []
    for image in (flat, grain):
        part = image[:, :side, :side]
        row += [torch.fft.rfft2(part, norm=norm).abs() for norm in ("backward", "ortho")]
    print(
        f"{side:3} x {side:3}: zero frequency {row[0].max():6.0f}, ortho {row[1].max():4.0f}; "
        f"noise {row[2].mean():4.0f}, ortho {row[3].mean():4.2f}"
    )

# %% [markdown]
# With `norm="ortho"`, noise has the same amplitude on every size, and so do irregular textures.
# Regular stripes and the zero frequency, however, still grow with the side; a logarithm tames that.
#
# ### Frequencies without a size
#
# Write nearly what the spectral branch of a block does, for a whole image in place of windows. (Its
# gates see the logarithm of 1 + squared amplitude, yours that of 1 + amplitude.)
#
# {{exercise amplify}}
#
# `features` is `(N, C, H, W)`; `gate` maps log amplitudes to changes of the same shape. Transform
# with `norm="ortho"`, give the gate `log(1 + amplitude)`, multiply the spectrum by `1 + gate`, and
# go back. The zero frequency is multiplied by 1, so the mean stays, as in section 5. The gate has
# the same weights whatever the size of the image.


# %%
def my_amplify(features, gate):
    """Change amplitudes by a gate that sees them -> (N, C, H, W)."""
    ### SOLUTION amplify


# %% tags=["nbval-check-output"]
my_amplify = check.amplify(my_amplify)

# %% [markdown]
# {{answers amplify}}

# %% [markdown]
# ### Both branches at work
#
# What does each branch of the published network do to a photograph? Switch one of them off in the
# network that you trained: its output is replaced by zeros. Then both, to see what is left.


# %%
@torch.no_grad()
def with_branches(low, spatial=True, frequency=True):
    """Enhance (3, H, W) with one branch or both."""
    low = low[None].to(device)
    branches = theirs.spatial(low) * spatial, theirs.frequency(low) * frequency
    change = torch.tanh(theirs.fusion(torch.cat(branches, dim=1)))
    return (low + change).clamp(0, 1)[0].cpu()


pair = test[0]
low = pair.low[:, : pair.low.shape[1] // 2 * 2, : pair.low.shape[2] // 2 * 2]
theirs.eval()
views = {
    "dark": low,
    "neither": with_branches(low, spatial=False, frequency=False),
    "frequency alone": with_branches(low, spatial=False),
    "spatial alone": with_branches(low, frequency=False),
    "both": with_branches(low),
}
means = [f"mean {view.mean():.2f}" for view in views.values()]
plotting.show_images(list(views.values()), list(views), means, columns=5)

# %% [markdown]
# The spatial branch alone does nearly everything. It draws the structure, and the fusion adds it at
# a brightness that suited the training scenes. With the frequency branch alone the photograph is
# darker and redder, but so it is with neither: this is the bias of the fusion, which stays. The
# frequency branch itself changes little.
#
# {{claim views["spatial alone"].mean() > 2 * views["dark"].mean()}}
# {{claim views["neither"].mean() < views["dark"].mean() - 0.03}}
# {{claim views["frequency alone"].mean() < views["dark"].mean()}}
# {{claim views["neither"][0].mean() > 4 * views["neither"][1].mean()}}
# {{claim abs(views["frequency alone"].mean() - views["neither"].mean()) < 0.05}}
# {{claim abs(views["both"].mean() - views["spatial alone"].mean()) < 0.08}}
#
# ### One network, any size
#
# A thumbnail looks the same whatever the size of the photograph, and no layer of `dual_branch`
# knows a size. So enlarge a photograph, enhance it, and make it small again: is this the result for
# the photograph itself?

# %%
pair = shown[0]
enlarged = F.interpolate(pair.low[None], scale_factor=2, mode="bilinear")[0]
by_size = {}
for label in (yours_ours, long_ours):
    model = networks[label]
    as_it_is, back = enhance(model, pair.low), F.avg_pool2d(enhance(model, enlarged)[None], 2)[0]
    by_size[label] = as_it_is, back
    for size_label, image in {"as it is": as_it_is, "twice as large": back}.items():
        score = metrics.psnr(image, pair.normal).item()
        print(f"{label:20} {size_label:15} {score:.2f} dB, mean {image.mean():.3f}")

# %% [markdown]
# Nearly. The light is the same, but an enlarged photograph has coarser noise, and the blocks see
# that.
#
# {{claim all(abs(one.mean() - other.mean()) < 0.02 for one, other in by_size.values())}}

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - Phases hold the scene, amplitudes the light. With its target's amplitudes a dark photograph is
#   nearly repaired, but for the noise; more than half of that is one number, the brightness.
# - A fixed mask over frequencies is one convolution, and training kept it a small one. It cannot
#   decide, it fits one size, and switched off it is hardly missed.
# - Instance norm makes a branch blind to a common factor of all values. To know what a branch can
#   see, change its input and look for a change; to know what it does, switch it off.
# - A learning rate can be so low that a finished schedule is an unfinished training.
# - Light from a map, for each place and luminance, then blocks against noise that fit any size: no
#   more parameters, less than a third of the arithmetic, less error in local light and colour.
#
# **What failed**
#
# - The brightness of the whole, where nothing teaches it: your `dual_branch` is worse at it than
#   the published network, and turns a night sky into day.
# - Taught on LOL v1, it beats the published network there, and it still guesses: what was meant to
#   be dark may be brightened all the same.
# - A second stage cannot make up for a first that has hardly begun.
# - A gain for each place alone burns the sky behind a roof.
# - Frequencies gave less than they promised: without their spectral branches the weights from LOL
#   v1 lose less than 0.3 dB.
#
# ## Papers
#
# - A. V. Oppenheim, J. S. Lim. The Importance of Phase in Signals. Proceedings of the IEEE 69,
#   1981.
# - C. Li et al. Embedding Fourier for Ultra-High-Definition Low-Light Image Enhancement. ICLR 2023.
#   (amplitude carries light)
# - C. Wang, H. Wu, Z. Jin. FourLLIE: Boosting Low-Light Image Enhancement by Fourier Frequency
#   Information. ACM Multimedia 2023.
# - L. Chi, B. Jiang, Y. Mu. Fast Fourier Convolution. NeurIPS 2020.
# - L. Chen, X. Chu, X. Zhang, J. Sun. Simple Baselines for Image Restoration. ECCV 2022. (NAFNet:
#   gates in place of activations)
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. Instance Normalization: The Missing Ingredient for Fast
#   Stylization. 2016.
# - J. Chen, S. Paris, F. Durand. Real-time Edge-aware Image Processing with the Bilateral Grid.
#   SIGGRAPH 2007.
# - M. Gharbi, J. Chen, J. T. Barron, S. W. Hasinoff, F. Durand. Deep Bilateral Learning for
#   Real-Time Image Enhancement. SIGGRAPH 2017. (a grid predicted from a thumbnail)
# - J. Liao, S. Hao, R. Hong, M. Wang. GT-Mean Loss. ICCV 2025.
#
# **Next**: lesson 08 lines up all methods of the course and looks for the ways in which such a
# comparison can deceive.
