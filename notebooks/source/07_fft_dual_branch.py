# %% [markdown]
# # 07. Light and structure apart
#
# All networks so far worked on pixels. This one also works on *waves*: the Fourier transform writes
# a photograph as a sum of stripes of all widths and directions, each with an amplitude (how strong)
# and a phase (where). There is a surprise in it for low light: most of what is wrong with a dark
# photograph is in the amplitudes. You will take apart a published network that builds on this and
# find three things that hold it back. Then you will rebuild it: the light first, for each place and
# each luminance, and the noise second.
#
# **You will be able to**
#
# - say what amplitude and phase of a photograph hold, and show it by exchanging them;
# - find out by experiment what a branch of a network can and cannot see;
# - build a network of two branches, one of them on frequencies;
# - look up a gain for each pixel in a bilateral grid;
# - train in two stages, and recognise a schedule that ends before the training does.
#
# {{minutes}}
#
# | profile | data | minutes to run | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | several hours on two CPU cores, less on a GPU | 3 GB |

# %% [markdown]
# {{setup}}

# %%
import inspect
import math
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers import data, metrics, models, plotting, training
from llie_helpers.data import lighting, synthesis
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_07 as check
from llie_helpers.models import bilateral_grid
from llie_helpers.models.bilateral_grid import cubic_bspline
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. What it has to beat
#
# The methods without a network come first, as always.

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# All scores are taken under the frozen protocol and noted in the ledger; the second gamma and the
# histogram mapper are fitted to training pairs.

# %%
baselines = lessons.baselines(train, test)
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)
baselines.table()

# %% [markdown]
# Two of these rows come back below: the best one, which every network has to beat, and the gamma
# that was tuned on training pairs.

# %%
best = baselines.scores[baselines.best]
fitted = baselines.tuned_gamma
fitted_gamma = baselines.methods[fitted]

# %% [markdown]
# ## 2. Amplitude and phase
#
# `torch.fft.rfft2` gives one complex number for each wave in an image. Its length is the wave's
# *amplitude*, its angle the *phase*. Two images of the same size can exchange them.
#
# {{exercise swap}}
#
# `light` and `structure` are images `(3, H, W)`. Return the image that has the amplitudes of
# `light` and the phases of `structure`. It may leave [0, 1] a little, and need not be clipped.


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
exchange = my_swap
bright, dark = test[0].normal[:, :256, :384], test[len(test) // 2].low[:, :256, :384]
first, second = exchange(bright, dark).clamp(0, 1), exchange(dark, bright).clamp(0, 1)
plotting.show_images(
    [bright, dark, first, second],
    ["well lit", "dark", "light of 1, phase of 2", "light of 2, phase of 1"],
    [f"mean {image.mean():.2f}" for image in (bright, dark, first, second)],
    columns=2,
)


# %%
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
# {{claim to_phase > to_light + 0.2}}
#
# The phase says *where* things are, so it carries the scene. The amplitude says how strong each
# wave is, and the strongest of all, the one of zero frequency, is the mean brightness. Now the
# experiment that the published network rests on: give a dark photograph the amplitudes of its *own*
# target, and leave its phases alone.

# %%
small, medium, large = "less than 3 dB", "3 to 8 dB", "more than 8 dB"
question_own = widgets.predict(
    "By how much does the PSNR of the dark photographs rise?", [small, medium, large]
)
question_own

# %% [markdown]
# Measured on the test pairs, with the opposite exchange for comparison:


# %%
def mean_psnr(enhance):
    return fmean(metrics.psnr(enhance(p.low, p.normal).clamp(0, 1), p.normal).item() for p in test)


as_it_is = mean_psnr(lambda low, normal: low)
own_amplitude = mean_psnr(lambda low, normal: exchange(normal, low))
own_phase = mean_psnr(lambda low, normal: exchange(low, normal))
print(f"dark photograph:               {as_it_is:.2f} dB")
print(f"with its target's amplitudes:  {own_amplitude:.2f} dB")
print(f"with its target's phases:      {own_phase:.2f} dB")
gain = own_amplitude - as_it_is
question_own.reveal(
    small if gain < 3 else medium if gain <= 8 else large,
    f"by {gain:.2f} dB.",
)

# %% [markdown]
# Amplitudes repair most of the light; right phases without them repair next to nothing. It is an
# oracle, of course: it uses the target. And look at what it leaves, noise:
#
# {{claim own_amplitude > as_it_is + 8}}
# {{claim own_phase < as_it_is + 1}}

# %%
pair = test[1]
pictures = [pair.low, exchange(pair.normal, pair.low).clamp(0, 1), pair.normal]
plotting.show_images(
    [image[:, 60:180, 120:300] for image in pictures],
    ["low", "low, with the target's amplitudes", "target"],
)

# %% [markdown]
# ## 3. Build the published network
#
# It has two branches, one on pixels and one on frequencies. The course's file draws it:

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
# `size` pixels: `(1, 3, size, size // 2 + 1)`. `forward` transforms `low`, multiplies by the mask,
# and goes back.


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
# apply `torch.tanh`, and add the image. When it does not train (`self.training` is False), clamp
# the result to [0, 1].

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
# The layers have the names of the course's network, so its weights fit into your class. (They were
# trained on LOL v1 by a recipe of the course; how the network was published is the topic of
# section 4.) Only the mask is one level deeper in yours.

# %% tags=["nbval-check-output"]
mine, trained_weights = TwoBranches().eval(), models.create_model("fft_dual_branch", "lol_v1")
state = trained_weights.state_dict()
mine.load_state_dict(state | {"frequency.mask": state.pop("mask")})
garage = next(p for p in data.load_pairs("embedded", "test") if "motorcycle_4" in p.name)
crop, target = (image[None, :, :224, 100:324] for image in (garage.low, garage.normal))
with torch.no_grad():
    by_mine, by_course = mine(crop), trained_weights.eval()(crop)
mask = mine.frequency.mask.numel()
total = count_parameters(mine)
print(f"{total:,} parameters, {mask / total:.0%} of them in the mask")
print(f"same output as the course's network: {torch.allclose(by_mine, by_course, atol=1e-5)}")

# %% [markdown]
# It is the same network. Drag the divider: the structure is there, and the light is too much. Why
# it cannot do better you will find out below.
#
# {{claim by_mine.mean() > target.mean() + 0.03}}
# {{claim total == 129_016}}
# {{claim torch.allclose(by_mine, by_course, atol=1e-5)}}

# %%
widgets.before_after(
    crop[0],
    by_mine[0],
    labels=("dark", "your class, trained"),
    alt="a dark square of a photograph, and what the published network makes of it",
)

# %% [markdown]
# More than half of all parameters are the mask: one number for each frequency and channel. What can
# it do? Multiplying a spectrum by a fixed mask is a *convolution*, with one kernel as large as the
# image, the same for each photograph. It can blur, sharpen or scale. It cannot look at an image and
# decide. And it is tied to 224 x 224 pixels. The course's network, which goes on below,
# interpolates the mask for other sizes.

# %%
nothing, hundredth, blurred = "plain grey", "the image at 1 % of its brightness", "a blurred image"
question_mask = widgets.predict(
    "What does the frequency branch give before training, with all mask values at 0.01?",
    [nothing, hundredth, blurred],
)
question_mask

# %%
image = torch.rand(1, 3, 224, 224)
with torch.no_grad():
    answer = published.frequency(image)
question_mask.reveal(
    hundredth if torch.allclose(answer, 0.01 * image, atol=1e-5) else nothing,
    "an even mask changes no wave against another, so it only scales the image.",
)

# %% [markdown]
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
# Compare its output for a photograph and for the same at half the light:

# %%
image = test[0].normal[None, :, :224, :224]
with torch.no_grad():
    full_light, half_light = published.spatial(image), published.spatial(image / 2)
change = ((full_light - half_light).abs().mean() / full_light.std()).item()
halved = torch.allclose(half_light, full_light / 2, rtol=0.05, atol=1e-3)
question_blind.reveal(
    same if change < 0.02 else half if halved else other,
    f"they change by {change:.2%} of their spread: the norm divides the light out.",
)

# %% [markdown]
# So the branch with most of the arithmetic is blind to light. That is not all bad: however dark the
# photograph, the branch gives the same structure, and the fusion can add it at the brightness that
# training scenes had on average. What it cannot do is decide. A kitchen and a night sky get the
# same light.
#
# {{claim change < 0.02}}
#
# Turn the light down yourself. The photograph on the left darkens; does anything move on the right?

# %%
well_lit, usual_spread = image, full_light.std()


def dimmed(halvings=2):
    """A photograph with less and less light, beside features of the spatial branch that stay."""
    darker = well_lit / 2**halvings
    with torch.no_grad():
        features = published.spatial(darker)[0]
    views = [darker[0], (features / (6 * usual_spread) + 0.5).clamp(0, 1)]
    return plotting.show_images(views, [f"light / {2**halvings}", "spatial branch"])


widgets.parameter_slider(dimmed, frames=3, halvings=(0, 4))

# %% [markdown]
# ## 4. Train it as published
#
# The loss has four terms: L1 (`l1`, weight 1), VGG features (`perceptual`, 0.05), the amplitude of
# the Fourier transform (`fft_amplitude`, 0.05), and 1 - SSIM (`ssim`). AdamW takes steps of 2e-5.
# Training has two stages: stage two goes on with another data set.
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
#
# A recipe of the course has such a schedule as pairs: epochs completed, and the weight from there
# on. Here is yours in this form, beside that of the recipe.

# %% tags=["nbval-check-output"]
by_epoch = [loss_weights(1, epoch)["ssim"] for epoch in range(1, 201)]
schedule = [[i, by_epoch[i]] for i in range(200) if i == 0 or by_epoch[i] != by_epoch[i - 1]]
print(f"yours: {schedule}; recipe: {load_recipe('fft_dual_branch', 'full').loss['ssim']}")

# %%
recipe = load_recipe("fft_dual_branch", lesson.profile)
entries = "epochs crops_per_epoch crop_size batch_size loss optimizer learning_rate weight_decay"
for entry in entries.split():
    print(f"{entry:15} {getattr(recipe, entry)}")

# %% [markdown]
# The quick profile leaves out the perceptual term, shortens everything, and takes a mask for its
# smaller crops. Stage one learns from one half of the training scenes here, stage two from the
# other half, which stands in for another data set.

# %% Divide the scenes, and a function that trains tags=["hide-input"]
scenes = sorted(set(train.scenes))
halves = [
    train.subset([i for i, scene in enumerate(train.scenes) if scenes.index(scene) % 2 == part])
    for part in (0, 1)
]
size = lesson.choose(quick=64, full=224)


def learn(label, model, pairs, recipe):
    """Train ``model`` on ``pairs``; returns the run."""
    folder = lesson.run_dir(label)
    run = training.fit(model, pairs, val, recipe, run_dir=folder, seed=lesson.seed)
    print(f"{label}: {run}")
    return run


def fresh_published():
    torch.manual_seed(lesson.seed)
    return models.create_model("fft_dual_branch", size=size).to(device)


# %%
as_published = fresh_published()
published_run = learn("as_published", as_published, halves[0], recipe)

# %% [markdown]
# Look at the curve before you read on. Is it done? What would you change first?

# %%
plotting.show_history(published_run.history)

# %% [markdown]
# The loss falls slowly, at the pace that the learning rate allows, but for the jump
# where the weight of SSIM changes: losses before and after it are not the same quantity, so the
# best epoch is chosen by validation SSIM. 2e-5 is a rate for weights that are nearly right. Adam
# moves a weight by about the learning rate in each step; as published, 485 images in batches of 32
# for 200 epochs are 3,200 steps, which move it by 0.06 at most. Now the same network at a rate a
# hundred times larger:

# %%
repaired = fresh_published()
repaired_run = learn("repaired", repaired, halves[0], recipe.changed(learning_rate=2e-3))
plotting.show_history({"2e-5": published_run.history, "2e-3": repaired_run.history})

# %% [markdown]
# ### Stage two
#
# From the weights of stage one, on other scenes, with a plateau schedule and early stopping on
# validation SSIM (patience 10, at least 1e-5 better). The rate stays at 2e-5 for the published run;
# the repaired run takes a tenth of its first rate.

# %%
stage_two = load_recipe("fft_dual_branch_stage_two", lesson.profile)
second_runs = {
    "as published": learn("as_published_2", as_published, halves[1], stage_two),
    "repaired": learn("repaired_2", repaired, halves[1], stage_two.changed(learning_rate=2e-4)),
}

# %% [markdown]
# Both on the test photographs, with the methods without a network beside them:

# %%
judged = {}
for label, model in {"as published": as_published, "with the larger rate": repaired}.items():
    judged[label] = metrics.evaluate(model, test)
baselines.table(judged)

# %% [markdown]
# A learning rate a hundred times larger makes the same network a better one. In PSNR it only draws
# level with the best method without a network.
#
# {{claim judged["with the larger rate"].psnr > judged["as published"].psnr + 1}}
# {{claim abs(judged["with the larger rate"].psnr - best.psnr) < 1}}
#
# ## 5. The redesign: light first
#
# You found three faults: no part of the network decides on the light, most parameters are one fixed
# filter, and that filter fits one size. The course's `dual_branch` repairs them. It decides on the
# light before anything else, and looks at the *whole* photograph for it, as a thumbnail of 64 x 64
# pixels.
#
# What should it decide? One gain for the whole photograph is not enough: in lesson 01 no single
# gain repaired a temple against a bright sky. A gain for each pixel is too much, because a
# thumbnail does not show pixels. In between is the **bilateral grid**: a gain for each *place*, of
# 8 x 8, and each *luminance*, of 12 levels from black to white, for each of three colours. A lamp
# and the wall behind it are in one place, but they differ in luminance, so each gets a gain of its
# own.
#
# The training of your own network comes in section 7. Here you use the weights that the course
# ships, trained for about an hour on LOL v1 and on photographs that were darkened by computation.

# %% tags=["nbval-check-output"]
shipped = models.create_model("dual_branch", weights="photographs").to(device).eval()
temple = next(p.normal for p in data.load_pairs("embedded", "train") if "china" in p.name)
temple = temple[:, :264]  # a height that can be halved three times
linear = synthesis.to_linear(temple)
backlit = synthesis.capture(
    synthesis.expose(linear, -lighting.backlight_stops(linear, depth=4.0, level=0.8)),
    photons=4000,
    generator=torch.Generator().manual_seed(lesson.seed),
)
with torch.no_grad():
    grid = shipped.prepare(backlit[None].to(device)).cpu()
print(f"{grid.numel():,} numbers: {tuple(grid.shape)}")

# %% [markdown]
# These numbers are logarithms of gains, none below 0: light is only added. To enhance, the grid is
# *sliced*. Places are easy: enlarge each level's 8 x 8 log gains smoothly to the size of the image.
# That gives 12 maps for each colour. Now each pixel has to choose between its 12 log gains, by its
# own luminance.
#
# The weights of this choice are cubic B-splines: bells that reach over four levels, centred on each
# level. Straight lines between the levels would do too, but they have corners, which show as bands
# in a smooth sky.

# %% Draw the splines tags=["hide-input"]
figure = plotting.CourseFigure(
    8, 2.4, alt="Twelve bells of equal width along the levels 0 to 11, cut off at both ends."
)
axis = figure.subplots()
along = torch.linspace(0, 11, 400)
for knot in range(12):
    axis.plot(along, cubic_bspline((along - knot).abs()), color=plotting.COLOURS[knot % 6])
axis.set(xlabel="level (0: black, 11: white)", ylabel="weight")
figure

# %% [markdown]
# {{exercise look_up}}
#
# `maps` is `(3, K, H, W)`: a log gain for each colour, level and pixel. `level` is `(H, W)`: where
# each pixel's luminance is between the levels, from 0 to K - 1. Return the mean of each pixel's K
# log gains, `(3, H, W)`. The weight of level k is `cubic_bspline(|level - k|)`, divided by the sum
# of the weights of all levels.


# %%
def look_up(maps, level):
    """Log gains of all pixels, chosen by luminance -> (3, H, W)."""
    ### SOLUTION look_up


# %% tags=["nbval-check-output"]
look_up = check.look_up(look_up)

# %% [markdown]
# {{answers look_up}}
#
# Your function now lights the temple. Two details make it robust. The luminance is that of means
# over 4 x 4 pixels, as single pixels are noisy. And log gains are multiplied by `headroom`,
# $1 - v^4$ for a luminance $v$, so that white stays white.

# %% Light the temple by your function tags=["hide-input"]
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


def light_by(grid):
    """The temple times its gains, and the gains in stops."""
    log_gains = look_up(enlarge(grid[0], *tone.shape), level)
    log_gains = log_gains * bilateral_grid.headroom(tone)
    gains = bilateral_grid.upsample(log_gains.exp()[None])[0]
    return (backlit * gains).clamp(max=1), gains.log2()


lit, stops = light_by(grid)
with torch.no_grad():
    enhanced = quantise(shipped(backlit[None].to(device))[0]).cpu()

# %% [markdown]
# Look at the map of gains first. The sky stays as it is, and the temple gets light, up to the edge
# of its roof, although a place of the grid is 50 pixels wide. Then compare the light alone with the
# whole network in the bushes: light brings the noise with it.

# %%
by_light, by_all = (metrics.psnr(image, temple).item() for image in (lit, enhanced))
plotting.show_images(
    [backlit, stops / stops.max(), temple, lit, enhanced],
    ["backlit", "gains in stops", "target", "the light alone", "the whole network"],
    ["", f"white: {stops.max():.1f} stops", "", f"{by_light:.1f} dB", f"{by_all:.1f} dB"],
    columns=3,
)

# %% [markdown]
# What you wrote is what the network does:

# %%
with torch.no_grad():
    by_network = shipped.illuminate(backlit[None].to(device), grid.to(device))[0].cpu()
difference = (lit - by_network).abs().max().item()
print(f"largest difference from the network's own light: {difference:.0e}")

# %% [markdown]
# {{claim difference < 1e-4}}
# {{claim by_all > by_light + 1}}
#
# ## 6. Noise second
#
# Light is set. What remains is noise, and detail. Both are matters of a few pixels, and ten blocks
# take care of them. In each block, most channels are convolved, and a quarter of them go through a
# spectral branch. In place of a mask for each frequency, it lets the network *look* at the
# amplitudes and decide: small 1x1 convolutions see the log amplitudes of a frequency in its
# channels, and answer by how much to change them. They are the same for every frequency, and the
# filter depends on the image.
#
# This is done in windows of 8 x 8 features, each with a transform of its own. So an amplitude
# belongs to one place ("stripes here"), and what a pixel becomes depends on its neighbourhood, not
# on the size of the image: a photograph of any size can be enhanced tile by tile, which lesson 09
# does. The mean of a window stays as it is. If neighbouring windows changed their means, squares
# would appear on smooth skies.
#
# Most of the work is done at a quarter and an eighth of the size, where the same arithmetic for
# each pixel costs a sixteenth or a sixty-fourth. The drawing in the file begins with the light:

# %% tags=["nbval-check-output"]
ours = models.create_model("dual_branch")
print(inspect.getmodule(type(ours)).__doc__)

# %% [markdown]
# Now read the class itself. In `restore`, follow three ideas. `smooth`, means over 4 x 4 pixels,
# have little noise. The detail `lit - smooth` passes a `gate`, and a `residual` is added. And
# `share` is 0 where no light was added: there nothing is changed.

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
)
from llie_helpers.models.network import Objective, any_size, check_images  # noqa: F401

# %% [markdown]
# Its whole class:

# %%
### SOURCE llie_helpers.models.dual_branch.DualBranch


# %% tags=["nbval-check-output"]
predictor = count_parameters(ours.grid_predictor)
print(f"published:   {count_parameters(published):,} parameters")
print(f"dual_branch: {count_parameters(ours):,}, of which {predictor:,} predict the light")

# %%
tenth, similar, double = "less than a third", "about as much", "more than three times as much"
question_cost = widgets.predict(
    "The two have about as many parameters. How much arithmetic does `dual_branch` need for a "
    "photograph of 600 x 400, compared with the published network?",
    [tenth, similar, double],
)
question_cost

# %% [markdown]
# The published network works at full size with 32 and at half size with 64 channels.

# %%
ratio = gmacs(ours) / gmacs(published)
question_cost.reveal(
    tenth if ratio < 1 / 3 else double if ratio > 3 else similar,
    f"{gmacs(ours):.2f} GMACs against {gmacs(published):.2f}.",
)

# %% [markdown]
# {{claim count_parameters(ours) <= count_parameters(published)}}
# {{claim ratio < 1 / 3}}
#
# ## 7. Train and judge
#
# The loss is `gt_mean`, which mixes L1 with L1 after the brightness is corrected (in training only,
# where the target is at hand), and 1 - SSIM. The full recipe adds more. A crop cannot tell how
# bright the photograph around it should become, so each crop comes with a thumbnail of its
# photograph, which sets the light. The recipe's `objective` has the weights of what the network is
# asked for besides: the right `light` of the thumbnail, a result that is `steady` when the crop
# comes at half the size, a grid that is smooth, and gains that keep darker tones darker.
# `brighten_prob` is the share of crops that are brighter than LOL's, up to targets that are to stay
# as they are.
#
# The quick profile uses neither `objective` nor `brighten_prob`, and each crop is lit by itself:
# thumbnails of four photographs would be learned by heart. So your network's light is never asked
# to be right alone. Light and residual together have to be, and its light alone looks too dark.

# %%
recipe = load_recipe("dual_branch", lesson.profile)
entries = "epochs crops_per_epoch crop_size batch_size loss objective brighten_prob learning_rate"
for entry in entries.split():
    print(f"{entry:15} {getattr(recipe, entry)}")

# %% [markdown]
# Both halves of the training scenes are used.

# %%
torch.manual_seed(lesson.seed)
ours = models.create_model("dual_branch").to(device)
our_run = learn("dual_branch", ours, train, recipe)

# %%
plotting.show_history(our_run.history)

# %% [markdown]
# How long is that, compared with the training of the shipped weights?

# %%
recording = lessons.recorded("dual_branch_photographs")
for label, history in {"yours": our_run.history, "shipped": recording}.items():
    print(f"{label:8} {history[-1]['crops']:8,.0f} crops")

# %% [markdown]
# ### On the test photographs
#
# The published network was trained on one half after the other. To be fair, train it too on all
# scenes at once, with our recipe, minus the options that it cannot use. In the full profile it gets
# as many epochs; in the quick one only three, to save time.

# %%
rival = fresh_published()
its_recipe = recipe.changed(
    objective={}, crop_size=size, epochs=lesson.choose(quick=3, full=recipe.epochs)
)
rival_run = learn("fft_dual_branch", rival, train, its_recipe)
trained = {"dual_branch": (ours, our_run), "fft_dual_branch": (rival, rival_run)}
for label, (model, run) in trained.items():
    judged[label] = metrics.evaluate(model, test)
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged[label],
        parameters=count_parameters(model),
        gmacs=gmacs(model),
        train_seconds=run.seconds,
    )

# %% [markdown]
# Compare the last two rows, and both with the histogram mapper.

# %%
baselines.table(judged)

# %% [markdown]
# `dual_branch` leaves the best method without a network behind in all three scores, and the
# published network too, which had fewer epochs in the quick profile. GT-mean PSNR ignores the
# brightness of the whole, so that difference is due to the light of places, noise and detail.
#
# {{claim judged["dual_branch"].psnr > best.psnr + 0.5}}
# {{claim judged["dual_branch"].ssim > best.ssim + 0.1}}
# {{claim judged["dual_branch"].psnr_gt_mean > best.psnr_gt_mean}}
# {{claim judged["dual_branch"].psnr > judged["fft_dual_branch"].psnr}}
# {{claim judged["dual_branch"].psnr_gt_mean > judged["fft_dual_branch"].psnr_gt_mean}}
#
# Now look at the photographs, the night sky first.


# %%
@torch.no_grad()
def enhance(model, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(model.eval()(image[None].to(device))[0]).cpu()


shown = [test[i] for i in np.linspace(1, len(test) - 2, 3).astype(int)]
low, normal = [pair.low for pair in shown], [pair.normal for pair in shown]
outputs = {label: [enhance(model, x) for x in low] for label, (model, _) in trained.items()}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# ### Where the error is
#
# As in lesson 02, a squared error can be split. What goes away when the output is scaled to its
# target's mean is an error of *brightness*. Of what is left, the means over 8 x 8 pixels hold the
# light and colour of *places*: a wall too dark, a shadow too blue. The rest is *detail*, noise
# included.
#
# The bars below are means of squared errors. One photograph that comes out far too bright counts
# for more in them than in a mean of decibels, so the shortest bar need not belong to the highest
# mean PSNR.

# %%
of_brightness, of_places, of_detail = "brightness", "light and colour of places", "detail"
question_error = widgets.predict(
    "Which is the largest part of your dual_branch's squared error on the test photographs?",
    [of_brightness, of_places, of_detail],
)
question_error

# %%
compared = {label: baselines.scores[label] for label in (fitted, baselines.best)}
compared |= {label: judged[label] for label in trained}
plotting.show_error_parts(compared)

# %%
new, old = judged["dual_branch"], judged["fft_dual_branch"]
parts = torch.tensor([new.brightness, new.local, new.detail])
share = parts / parts.sum()
question_error.reveal(
    (of_brightness, of_places, of_detail)[int(share.argmax())],
    f"{share.max():.0%} of it.",
)

# %% [markdown]
# In places and detail together, the error of `dual_branch` is less than half of the published
# network's. What it gets wrong is how bright the whole photograph was meant to be, although that is
# what it was built for: in the quick profile nothing teaches it the light of the whole.
#
# {{claim new.local + new.detail < 0.5 * (old.local + old.detail)}}
# {{claim share.argmax() == 0}}
#
# ### Weights that took longer
#
# The shipped weights of section 5, on the same test photographs as yours:

# %%
long_trained = metrics.evaluate(shipped, test)
baselines.table({"yours": judged["dual_branch"], "shipped": long_trained})

# %% [markdown]
# In the quick profile the shipped weights have the better SSIM, and yours the better PSNR. Yours
# saw photographs that were darkened by the same computation as these. The shipped weights have
# learned how bright the rooms of LOL and ordinary photographs were meant to be, and how a real
# camera fails in the dark; a rocket before dawn is no room. A network knows what it was shown.
#
# {{claim long_trained.ssim > judged["dual_branch"].ssim}}
# {{claim long_trained.psnr < judged["dual_branch"].psnr}}
#
# The strip, with your network's panel:

# %%
lessons.strip(lesson, ours)

# %% [markdown]
# The core path ends here. What follows goes deeper and can be read in any order; the recap is at
# the end.

# %% [markdown]
# ## Going deeper
#
# ### Which axis of the grid does the work?
#
# The grid of section 5 has places and luminances.

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
# Slice all four grids by your function:


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
    f"{scores['places']:.1f} dB without luminances, {scores['luminances']:.1f} dB without places. "
    "The sky and the roof share a place, and what is good for the roof burns the sky.",
)

# %% [markdown]
# Look at the sky first, then at the lake.

# %%
plotting.show_images(
    list(by_axes.values()),
    [f"by {label}" if label != "one gain" else label for label in by_axes],
    [f"{score:.1f} dB" for score in scores.values()],
)

# %% [markdown]
# Against the light, luminance tells the places apart, so a single curve is nearly enough. Places
# count where equally bright pixels need different gains: a white wall far from the lamp is as dark
# as a black one beside it.
#
# {{claim scores["luminances"] > scores["places"] + 3}}
# {{claim scores["both"] > scores["one gain"] + 3}}
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
# what is below it, in the middle what is above (grey is 0). Where are brightness and
# colour? Where is the noise of the dark photograph, brightened here by gamma?


# %%
noisy = fitted_gamma(test[1].low)


def show_bands(limit=0.06):
    """Slow waves of a photograph, fast waves around grey, and both together."""
    image = noisy
    spectrum = torch.fft.rfft2(image)
    keep = my_radius(*image.shape[-2:]) <= limit
    below, above = (torch.fft.irfft2(spectrum * part, s=image.shape[-2:]) for part in (keep, ~keep))
    power = spectrum.abs() ** 2
    share = (power * ~keep).sum() / (power.sum() - power[:, 0, 0].sum())
    return plotting.show_images(
        [below.clamp(0, 1), (above + 0.5).clamp(0, 1), image],
        [f"up to {limit:.2f} cycles per pixel", "above it", "together"],
        [f"{keep.float().mean():.1%} of all waves", f"{share:.0%} of the variance", ""],
    )


widgets.parameter_slider(show_bands, frames=4, limit=(0.01, 0.16, 0.05))

# %% [markdown]
# A few per cent of the waves hold the light and the colours. That is why a small network can set
# the light from a thumbnail. The fast waves hold detail and noise, one on top of the other, and
# no limit separates them.
#
# ### Leakage
#
# The transform takes the image to be one tile of an endless pattern. If its left border is dark and
# its right border bright, there is a hard edge between two tiles that nobody photographed. In the
# spectrum it shows as a bright cross. Mirror the image, so that the borders fit, and the cross
# goes.


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
for size in (64, 128, 256):
    row = []
    for image in (flat, grain):
        crop = image[:, :size, :size]
        row += [torch.fft.rfft2(crop, norm=norm).abs() for norm in ("backward", "ortho")]
    print(
        f"{size:3} x {size:3}: zero frequency {row[0].max():6.0f}, ortho {row[1].max():4.0f}; "
        f"noise {row[2].mean():4.0f}, ortho {row[3].mean():4.2f}"
    )

# %% [markdown]
# With `norm="ortho"`, noise has the same amplitude on every size, and so do textures. The mean
# of the image, however, still grows with the side; a logarithm tames that.
#
# ### Frequencies without a size
#
# Write what the spectral branch of a block does, for a whole image in place of windows.
#
# {{exercise amplify}}
#
# `features` is `(N, C, H, W)`; `gate` maps log amplitudes to changes of the same shape. Transform
# with `norm="ortho"`, give the gate `log(1 + amplitude)`, multiply the spectrum by `1 + gate`, and
# go back. The gate has the same weights whatever the size of the image.


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
# What does each branch of the repaired network give, what comes out of the fusion, and what is
# added to the input? Signed values are drawn around grey.


# %%
def around_grey(features):
    """Values around 0 -> an image around 0.5."""
    return (features / features.abs().amax().clamp_min(1e-6) / 2 + 0.5).clamp(0, 1)


pair = test[0]
low = pair.low[None, :, : pair.low.shape[1] // 2 * 2, : pair.low.shape[2] // 2 * 2].to(device)
with torch.no_grad():
    repaired.eval()
    spatial, spectral = repaired.spatial(low), repaired.frequency(low)
    fused = torch.tanh(repaired.fusion(torch.cat([spatial, spectral], dim=1)))
stages = {
    "spatial": around_grey(spatial),
    "frequency": around_grey(spectral),
    "fused": around_grey(fused),
    "result": repaired(low).detach(),
}
plotting.show_images([image[0].cpu() for image in stages.values()], list(stages), columns=4)

# %% [markdown]
# The spatial branch draws structure without light. The frequency branch gives a blurred copy of
# the dark image. What is added to the input is mainly a picture with the *average* light of the
# training scenes, whatever the photograph.
#
# ### One network, any size
#
# A thumbnail looks the same whatever the size of the photograph, and no layer of `dual_branch`
# knows a size. So the result for an enlarged photograph, made small again, should be the result for
# the photograph. It is only nearly so: an enlarged photograph has coarser noise, and the blocks see
# that. The full recipe asks for a `steady` result; the quick one, by which yours was trained,
# does not.

# %%
pair = shown[0]
enlarged = F.interpolate(pair.low[None], scale_factor=2, mode="bilinear")[0]
for label, model in {"yours": ours, "shipped": shipped}.items():
    as_it_is, back = enhance(model, pair.low), F.avg_pool2d(enhance(model, enlarged)[None], 2)[0]
    for size_label, image in {"as it is": as_it_is, "twice as large": back}.items():
        score = metrics.psnr(image, pair.normal).item()
        print(f"{label:8} {size_label:15} {score:.2f} dB, mean {image.mean():.3f}")

# %% [markdown]
# ### How much of the light can be known?
#
# Many scenes occur several times in a data set. If all targets of a scene were equally bright, a
# network could learn their brightness by heart. Measure how far two takes differ:


# %%
def spread_between_takes(pairs):
    """Root mean square of log(mean of one target / mean of another of the same scene)."""
    means = np.log([pairs.raw(i)[1].mean() for i in range(len(pairs))])
    scenes = np.array(pairs.scenes)
    one, other = np.nonzero(np.triu(scenes[:, None] == scenes, k=1))
    return np.sqrt(np.mean((means[one] - means[other]) ** 2))


between_takes = spread_between_takes(train)
print(f"{train.title}: {between_takes:.2f}")

# %% [markdown]
# The embedded photographs are darkened from one original each, so their takes agree. On LOL v1's
# training pairs it prints 0.21: two takes of one scene typically differ by a fifth of the
# brightness. A method that sees only the dark photograph can hardly know which was meant.
#
# {{claim between_takes < 0.01}}

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - Phases hold the scene, amplitudes the light: with its target's amplitudes a dark photograph is
#   nearly repaired, but for the noise.
# - A fixed mask over frequencies is one convolution. It cannot decide, and it knows one size.
# - Instance norm makes a branch blind to brightness. What a branch can see is found out by changing
#   the input and looking for a change.
# - A learning rate can be so low that a finished schedule is an unfinished training.
# - Light is a decision about the whole photograph, for each place and luminance. Noise is one about
#   a few pixels. A network with a part for each is no larger, cheaper and better.
#
# **What failed**
#
# - Stage two cannot repair a stage one that has not arrived.
# - A gain for each place alone burns the sky behind a roof.
# - With four training scenes, the light of whole photographs would be learned by heart, so the
#   quick recipe does not teach it. Only more photographs help.
# - The shipped weights guess how bright a scene was meant to be. What was meant to be dark, such as
#   a night sky, may be brightened all the same.
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
# - Liao, Hao, Hong and Wang. GT-Mean Loss. ICCV 2025.
#
# **Next**: lesson 08 lines up all methods of the course and looks for the ways in which such a
# comparison can deceive.
