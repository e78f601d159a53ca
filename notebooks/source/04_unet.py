# %% [markdown]
# # 04. Structure and perception
#
# The network of lesson 03 took the noise away, and the fins of the engine with it. It is tempting
# to blame the network: too small, trained too briefly. This lesson asks who is to blame. You will
# find the question to which blur is the best answer, build a U-Net that can carry fine structure
# from its first layer to its last, and train it with a loss that forgives what your eye forgives.

# %% [markdown]
# {{setup}}

# %%
from functools import partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers import data, losses, metrics, models, plotting, training
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_04 as check
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# Here is a game. Take one detail of a photograph, and move the window by up to four pixels to the
# left and to the right. That makes nine pictures. One of them is the truth, and each is equally
# likely. You hand in one picture and pay its mean squared error to the truth. You may hand in
# anything, even a picture that is none of the nine. Here are four candidates.

# %%
photographs = data.load_pairs("embedded", "test")
garage = next(pair for pair in photographs if pair.name == "motorcycle_4stops")


def window(image, shift=0):
    """A detail of 80 x 120 pixels, ``shift`` pixels further to the right."""
    return image[:, 100:180, 140 + shift : 260 + shift]


def moved(reach):
    """The detail at all places up to ``reach`` pixels to either side: (N, 3, 80, 120)."""
    return torch.stack([window(garage.normal, shift) for shift in range(-reach, reach + 1)])


def sharpened(image, strength):
    """Strengthen what differs from the mean of 9 x 9 pixels."""
    around = F.avg_pool2d(image, 9, stride=1, padding=4, count_include_pad=False)
    return (image + strength * (image - around)).clamp(0, 1)


nine = moved(4)
mean = nine.mean(dim=0)
candidates = {
    "the first": nine[0],
    "the one in the middle": nine[4],
    "the mean of all nine": mean,
    "the mean, sharpened": sharpened(mean, 2),
}
plotting.show_images(
    list(candidates.values()),
    list(candidates),
    columns=2,
    alt="Two sharp pictures of an engine, one four pixels beside the other; the mean of all nine, "
    "which is blurred; and the mean sharpened, with hard edges and false colours.",
)

# %%
question_hand_in = widgets.predict(
    "Which picture costs the least, on average over the nine?", list(candidates)
)
question_hand_in

# %% [markdown]
# **You will be able to**
#
# - say why a loss of squared errors asks for blur, and compute the safest answer;
# - build a U-Net, and say what its skip connections carry and what they cannot;
# - write a perceptual loss, and say what it forgives and what it costs;
# - tell true detail from false.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs from the installed libraries; 1.5 minutes; 1.5
#   GB of memory.
# - **Full profile**: LOL v1, 500 real pairs; hours on two CPU cores; meant for a GPU; 4 GB of
#   memory.


# %%
def price(picture, loss=F.mse_loss):
    """What ``picture`` costs on average, if each of the nine is equally likely to be the truth."""
    every = nine.to(device)
    return loss(picture.to(device).expand_as(every), every).item()


prices = {title: price(picture) for title, picture in candidates.items()}
question_hand_in.reveal(
    min(prices, key=prices.get),
    "; ".join(f"{title} costs {cost:.4f}" for title, cost in prices.items()) + ".",
)

# %% [markdown]
# ## 1. Why the safest answer is a blur
#
# Is there an even cheaper picture? The nine were equally likely. Now let each have its own
# probability.
#
# {{exercise guess}}
#
# `targets` holds K images, (K, 3, H, W), and `weights` says how likely each is, (K,), adding up
# to 1. Return the image with the least *expected* MSE, and that MSE (one number: the mean over
# pixels and channels).


# %%
def guess(targets, weights):
    """K images and their probabilities -> (the cheapest image, its expected MSE)."""
    ### SOLUTION guess


# %% tags=["nbval-check-output"]
guess = check.guess(guess)

# %% [markdown]
# {{answers guess}}
#
# Try it on the nine:

# %%
safest, expected = guess(nine, torch.full((9,), 1 / 9))
safest = torch.as_tensor(safest)  # NumPy is right, too
print(f"largest difference from the mean of the nine: {(safest - mean).abs().max():.6f}")
print(f"cost {expected:.4f}; the one in the middle costs {prices['the one in the middle']:.4f}")

# %% [markdown]
# The mean is the cheapest of all pictures, and it is none of the nine. Every sharp answer is right
# once and wrong eight times, and pays more.
#
# A network plays this game for every pixel. Many photographs could be behind a dark, noisy crop: an
# edge a pixel further to the left, the wall a little brighter. Squared error tells it to answer
# with the mean, and the mean of edges is a blur.
#
# {{claim (safest - mean).abs().max() < 1e-4}}
# {{claim min(prices, key=prices.get) == "the mean of all nine"}}
#
# How blurred the answer is depends on how much is in doubt; drag it below. **True detail** is the
# share of the target's fine structure that is in an answer: 100 % for the target itself. To measure
# it, give both the same mean, and subtract from each the mean of 9 x 9 pixels around each pixel.
# That leaves the fine structures $a$ of the answer and $t$ of the target. The share is
# $s = \sum a\,t \,/ \sum t^2$, the factor with which $t$ fits $a$ best.

# %% Draw the safest answers tags=["hide-input"]
reaches = (0, 2, 4, 8)
frames = []
for reach in reaches:
    possible = moved(reach)
    answer, _ = guess(possible, torch.full((len(possible),), 1 / len(possible)))
    answer = torch.as_tensor(answer).float()
    share = metrics.true_and_false_detail(answer, window(garage.normal))[0, 0]
    frames.append(
        plotting.show_images(
            [window(garage.normal), answer],
            ["the truth", "the safest answer"],
            ["", f"true detail {share:.0%}"],
        )
    )
widgets.frames_slider(
    frames,
    reaches,
    "uncertain by (pixels)",
    alt="a detail of a motorcycle, and the mean of it moved to all places in reach",
    first=2,
)

# %% [markdown]
# No network took part in this. Nothing was too small or trained too briefly. *Blur is the best
# answer to the question that squared error asks*, and every pixel of doubt makes it blurrier.
#
# Would the *absolute* error do? Its cheapest answer is not the mean but the median of each value.

# %%
median = nine.median(dim=0).values
medium = {"the mean": mean, "the median": median, "the one in the middle": nine[4]}
for title, picture in medium.items():
    kept = metrics.true_and_false_detail(picture, nine[4])[0, 0]
    print(f"{title:22} absolute error {price(picture, F.l1_loss):.3f}, true detail {kept:.0%}")

# %% [markdown]
# The median keeps more, and is still cheaper than any sharp picture: blur again.
#
# {{claim price(median, F.l1_loss) < 0.95 * price(mean, F.l1_loss)}}
# {{claim price(median, F.l1_loss) < 0.9 * min(price(one, F.l1_loss) for one in nine)}}
# {{claim 0.4 < metrics.true_and_false_detail(median, nine[4])[0, 0] < 0.6}}
#
# So there are two remedies. Leave less doubt: let everything that the input knows about edges reach
# the output. That is a matter of the network, sections 2 and 3. Or ask another question. That is a
# matter of the loss, section 4.
#
# ## 2. Build a U-Net
#
# ### To beat

# %%
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)
baselines = lessons.baselines(train, test)
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)
to_beat = baselines.scores[baselines.best]
print(f"to beat: {baselines.best}, {to_beat.psnr:.2f} dB, SSIM {to_beat.ssim:.3f}")

# %% [markdown]
# The histogram mapper is still the one to beat, with the noise still in its pictures.
#
# {{claim baselines.best == "histogram mapper"}}
#
# ### The drawing
#
# A **U-Net** was made to find the outlines of cells under a microscope, where every pixel counts.
# Compare it with the drawing of lesson 03. The size is halved by *max-pooling*, which keeps the
# largest of 2 x 2 values. Each level has two convolutions. And a **skip connection** does not add
# the encoder's features to the decoder's. It puts them *beside* each other, as more channels, so
# that the next convolution can decide what to take from either. (The black arrows are
# convolutions alone: on the left two of 3 x 3, on the right one of 1 x 1.)

# %%
from llie_helpers.plotting.diagrams import show_unet

show_unet((22, 44, 88, 176))

# %% [markdown]
# On the way up, a **transposed convolution** makes features larger. An ordinary one gathers a
# window of the input into one output pixel. A transposed one does the reverse: each input pixel
# presses a stamp onto the output, scaled by the pixel's value. The stamps are `stride` pixels
# apart. Where they overlap, they add up.


# %% Draw stamps tags=["hide-input"]
def stamped(kernel):
    """The pixels, each stamped with a pattern of ``kernel`` x ``kernel``, two pixels apart."""
    layer = nn.ConvTranspose2d(1, 1, kernel, stride=2, bias=False)
    pattern = torch.tensor([1.0, 0.6, 0.4])[:kernel]
    layer.weight.data = (pattern[:, None] * pattern)[None, None]
    return layer(pixels).detach()[..., :8, :12]


pixels = torch.zeros(1, 1, 4, 6)
pixels[0, 0, 1, 0], pixels[0, 0, 1, 3], pixels[0, 0, 1, 4] = 1.0, 0.8, 0.5
panels = {
    "three pixels": F.interpolate(pixels, scale_factor=40),
    "stamps of 2 x 2, side by side": F.interpolate(stamped(2), scale_factor=20),
    "stamps of 3 x 3, which overlap": F.interpolate(stamped(3), scale_factor=20),
}
plotting.show_images(
    [panel[0].expand(3, -1, -1) for panel in panels.values()],
    list(panels),
    alt="Three grey pixels; the stamps of 2 x 2 pixels that they make, one beside the other; and "
    "stamps of 3 x 3 pixels, which overlap and add up.",
)

# %% [markdown]
# ### One level up
#
# This U-Net uses stamps of 2 x 2 pixels, two pixels apart, so each input pixel becomes four.
#
# {{exercise up}}
#
# Write the module for one step up. An `nn.Module` makes its layers in `__init__`, after
# `super().__init__()`, and uses them in `forward`. Make two layers, under these names:
#
# - `self.enlarge`: an `nn.ConvTranspose2d` from `channels_in` to `channels_out`, with `kernel_size`
#   and `stride` 2;
# - `self.mix`: a `double_conv(channels, channels_out)`, which is two 3x3 convolutions with ReLU.
#   How many channels does it get?
#
# `forward(x, skip)` enlarges `x`, puts `skip` first and the enlarged features second, and mixes
# them. `skip` is twice as large as `x` and has `channels_out` channels. `torch.cat([a, b], dim=1)`
# puts two tensors together along their channels.

# %%
from llie_helpers.models.plain_unet import double_conv


class Up(nn.Module):
    """One step up: twice the size, with the features of the skip connection."""

    def __init__(self, channels_in, channels_out):
        """Make the two layers."""
        ### SOLUTION up.__init__

    def forward(self, x, skip):
        """(N, channels_in, H, W), (N, channels_out, 2H, 2W) -> (N, channels_out, 2H, 2W)."""
        ### SOLUTION up.forward


# %% tags=["nbval-check-output"]
Up = check.up(Up)

# %% [markdown]
# {{answers up}}
#
# ### All levels
#
# {{exercise network}}
#
# `__init__` makes the layers; write `forward`. Follow the drawing:
#
# 1. `self.encoder[0]` takes the image. Each further level of `self.encoder` takes the level above
#    it, after `F.max_pool2d(x, kernel_size=2)`. Keep the features of every level but the deepest
#    for the skips, as they are *before* the pooling.
# 2. `self.up` has one module per step, **the one for full size first**, so the first to run is the
#    last of the list. Each takes `(x, skip)`.
# 3. `self.head`, a 1x1 convolution to three channels, and `torch.sigmoid`.

# %%
from itertools import pairwise

from llie_helpers.models.network import Network, any_size


class MyUNet(Network):
    """Map dark images (N, 3, H, W) in [0, 1] to enhanced ones."""

    def __init__(self, widths=(22, 44, 88, 176)):
        super().__init__()
        steps = list(pairwise(widths))
        self.multiple = 2 ** len(steps)
        self.encoder = nn.ModuleList(double_conv(a, b) for a, b in pairwise((3, *widths)))
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in steps)
        self.head = nn.Conv2d(widths[0], 3, kernel_size=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    @any_size
    def forward(self, low):
        """(N, 3, H, W) in [0, 1] -> the same size and range."""
        ### SOLUTION network.forward


# %% tags=["nbval-check-output"]
MyUNet = check.network(MyUNet)

# %% [markdown]
# {{answers network}}
#
# The course has the same network as `PlainUNet`. Its weights start larger than PyTorch's default,
# after He et al.: by default, signals fade away in so many layers, and the network may never learn
# more than grey.

# %% tags=["nbval-check-output"]
network = MyUNet()
print(f"{count_parameters(network):,} parameters, {gmacs(network):.1f} GMACs for 600 x 400 pixels")

# %% [markdown]
# ## 3. What a skip connection carries, and what it cannot
#
# ### A pattern that pooling cannot see
#
# A published system for dark photographs uses a U-Net too. (It is the course's model `unet`; its
# code is in Going deeper.) One difference looks small: its skips leave *after* the pooling. Does
# that matter?
#
# The finest pattern that an image can hold is a chequerboard of single pixels. Move it by one
# pixel, and bright and dark change places.

# %%
nothing, little, clearly = "exactly nothing", "a little, depending on its weights", "clearly"
question_board = widgets.predict(
    "The published U-Net is given one board, then the other. How much do its two outputs differ, "
    "far from the border?",
    [nothing, little, clearly],
)
question_board

# %% [markdown]
# Ask both networks as they are, untrained.


# %%
def board(shift):
    """A chequerboard of single pixels, (1, 3, 96, 96)."""
    place = torch.arange(96)
    return (0.2 + 0.2 * ((place[:, None] + place + shift) % 2)).expand(1, 3, -1, -1)


torch.manual_seed(lesson.seed)
two_nets = {"published": models.create_model("unet").eval(), "yours": MyUNet().eval()}
with torch.no_grad():
    answers = {
        label: [net(board(shift))[0, :, 44:52, 44:52] for shift in (0, 1)]
        for label, net in two_nets.items()
    }
changes = {label: (a - b).abs().max().item() for label, (a, b) in answers.items()}
question_board.reveal(
    nothing if changes["published"] < 1e-6 else clearly,
    f"its output changes by at most {changes['published']:.6f}, that of your network by up to "
    f"{changes['yours']:.3f}. Each 2 x 2 window of the pooling holds both colours, wherever the "
    "board is.",
)

# %% [markdown]
# The pictures show 8 x 8 pixels, with the contrast of the outputs turned up.

# %% Draw boards and outputs tags=["hide-input"]
greys = {label: [x.mean(dim=0, keepdim=True) for x in pair] for label, pair in answers.items()}
spread = 2 * max((grey - grey.mean()).abs().max() for grey in greys["yours"])
panels = {}
for shift, moving in enumerate(("", ", moved")):
    panels[f"board{moving}"] = board(shift)[0, :, 44:52, 44:52]
    for label, pair in greys.items():
        contrast = (pair[shift] - pair[shift].mean()) / spread + 0.5
        panels[f"{label}{moving}"] = contrast.expand(3, -1, -1)
plotting.show_images(
    [F.interpolate(image[None], scale_factor=24)[0] for image in panels.values()],
    list(panels),
    columns=3,
    alt="chequerboards; plain grey by the published network; two different patterns by yours",
)

# %% [markdown]
# No training can change this. The board repeats every two pixels, and so does every feature that a
# convolution makes of it. So each pooling window contains all the values of a feature, and their
# maximum does not depend on the shift. The published network cannot tell the boards apart, and the
# best it can draw is the mean of the two, plain grey: the safest answer again. *What a network
# cannot represent, no training teaches.* Yours is untrained and draws the boards badly, but it
# draws two different pictures.
#
# {{claim changes["published"] < 1e-6}}
# {{claim changes["yours"] > 1e-3}}
#
# ### And a photograph?
#
# A chequerboard is extreme. How much do skips matter for photographs? The published network and
# yours differ in several things, so comparing their scores would prove nothing. Change one thing
# only. A *pre-hook* is called before a module and may change what the module is given. Of the two
# below, the first makes *pooled skips*: it pools the features, and copies each maximum back to its
# four pixels. The second makes *no skips*, only zeros. Layers, initial weights and crops stay the
# same. To train within a minute, the quick profile uses a quarter of the channels.


# %%
def pool_skip(_module, given):
    x, skip = given
    return x, F.interpolate(F.max_pool2d(skip, kernel_size=2), scale_factor=2)


def cut_skip(_module, given):
    x, skip = given
    return x, torch.zeros_like(skip)


recipe = load_recipe("plain_unet", lesson.profile).changed(loss={"mse": 1.0})
widths = lesson.choose(quick=(6, 11, 22, 45), full=(22, 44, 88, 176))


def learn(label, recipe, hook=None):
    """Train one network; return it with its run."""
    torch.manual_seed(lesson.seed)
    model = MyUNet(widths).to(device)
    if hook:
        for up in model.up:
            up.register_forward_pre_hook(hook)
    folder = lesson.run_dir(label.replace(" ", "_"))
    run = training.fit(model, train, val, recipe, run_dir=folder, seed=lesson.seed)
    return model.eval(), run


print(f"widths {widths}: {count_parameters(MyUNet(widths)):,} parameters")
print(f"{recipe.epochs} epochs of {recipe.crops_per_epoch} crops of {recipe.crop_size} pixels")

# %% [markdown]
# Before you train them:

# %%
most, some, few = (
    "nearly as much: at least 90 % of it",
    "clearly less: between 30 % and 90 % of it",
    "hardly any: under 30 % of it",
)
question_skips = widgets.predict(
    "How much true detail do the outputs have with pooled skips, compared with the U-Net's?",
    [most, some, few],
)
question_skips

# %% [markdown]
# All with squared error, on the same crops. If you stop the cell and run it again, training resumes
# where it was.

# %%
hooks = {"U-Net": None, "pooled skips": pool_skip, "no skips": cut_skip}
trained = {label: learn(label, recipe, hook) for label, hook in hooks.items()}


# %% [markdown]
# **False detail** is the rest, all fine structure that does not fit the target's: noise that was
# left, things that were made up, and edges too strong in one place and too weak in another. Its
# share is $\sqrt{\sum (a - s\,t)^2 / \sum t^2}$; the two need not add up to 100 %. The tuned gamma
# curve keeps all the noise, which shows what there is to remove.


# %%
@torch.no_grad()
def enhance(model, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(model(image[None].to(device))[0]).cpu()


def detail(method):
    """Shares of true and of false detail, mean over the test photographs."""
    each = [metrics.true_and_false_detail(method(pair.low), pair.normal) for pair in test]
    return torch.cat(each).mean(dim=0).tolist()


gamma = baselines.methods[baselines.tuned_gamma]
details = {baselines.tuned_gamma: detail(gamma)}
details |= {label: detail(partial(enhance, model)) for label, (model, _) in trained.items()}
ratio = details["pooled skips"][0] / details["U-Net"][0]
question_skips.reveal(
    most if ratio >= 0.9 else some if ratio >= 0.3 else few,
    "; ".join(
        f"{label}: {true:.0%} true, {false:.0%} false" for label, (true, false) in details.items()
    ),
)

# %% [markdown]
# And to the eye:

# %% Draw the engine by each network tags=["hide-input"]
close = {"dark, brightened": gamma(garage.low)}
close |= {label: enhance(model, garage.low) for label, (model, _) in trained.items()}
close |= {"target": garage.normal}
plotting.show_images(
    [window(image) for image in close.values()],
    list(close),
    columns=3,
    alt="The engine: brightened, full of coloured noise; by the U-Net, soft; with pooled skips, "
    "softer, with a mesh of dots on the seat; without skips, a fog in which no part can be told "
    "from another; and the target.",
)

# %% [markdown]
# With pooled skips, the engine is there, but much of its fine structure has gone. A photograph is
# no chequerboard: neighbouring windows differ, and the maxima of several channels tell roughly
# where in its window an edge is. Roughly, not exactly.
#
# Without skips, everything passes through the lowest level. There each channel has one number for
# 8 x 8 pixels. The network would have to invent a code for edges and learn to read it, and in a
# minute it gets no further than fog. A skip needs no code.
#
# So a network *can* be to blame for blur, if it has no short path for an edge. The network of
# lesson 03 has one: its shortcuts begin at full size. So do the skips of your U-Net, and it is
# still soft.
#
# {{claim details["pooled skips"][0] < 0.85 * details["U-Net"][0]}}
# {{claim details["pooled skips"][0] > 0.5 * details["U-Net"][0]}}
# {{claim details["no skips"][0] < 0.4 * details["U-Net"][0]}}
# {{claim details["U-Net"][0] < 0.8}}
# {{claim details["U-Net"][1] < 0.6 * details[baselines.tuned_gamma][1]}}

# %% [markdown]
# ## 4. A loss that forgives place
#
# ### Two pictures, one error
#
# Here are two wrong versions of the detail. One is moved by two pixels.
# The other is blurred, just so much that both have the same squared error.


# %% Move one, blur the other tags=["hide-input"]
def blurred(sigma):
    picture = cv2.GaussianBlur(garage.normal.permute(1, 2, 0).numpy(), (0, 0), sigma)
    return window(torch.from_numpy(picture).permute(2, 0, 1))


truth, shifted = window(garage.normal), window(garage.normal, 2)
wanted = F.mse_loss(shifted, truth)
sigma = min(np.geomspace(0.3, 20, 60), key=lambda s: abs(F.mse_loss(blurred(s), truth) - wanted))
wrong = {"moved by 2 pixels": shifted, f"blurred, sigma {sigma:.1f}": blurred(sigma)}
plotting.show_images(
    [truth, *wrong.values()],
    ["truth", *wrong],
    ["", *(f"PSNR {metrics.psnr(image, truth).item():.1f} dB" for image in wrong.values())],
    alt="The engine; the same two pixels further on, as sharp; and blurred beyond recognition. "
    "Both wrong ones have the same PSNR.",
)

# %% [markdown]
# PSNR calls them equal. You would not. Your eye forgives a small change of *place*. It does not
# forgive that the edges are gone.
#
# A **perceptual loss** compares *features*, not pixels. It sends both images through a network and
# takes the squared difference of what comes out. A common choice is VGG-19, a classifier of 2014,
# cut off after eight convolutions and two poolings. Its features are edges, corners and textures
# of small windows, and the poolings make them care less about the exact pixel.
#
# Its weights are half a gigabyte to download. Do they matter? Liu et al. (2021) tried the same
# layers with *random* weights, which did about as well. What counts, they say, is the structure:
# windows over windows, with poolings between. That is what runs here, a quarter as wide as VGG.
#
# {{exercise feature_loss}}
#
# `network` turns *normalised* images into features: subtract `mean` from each channel and divide by
# `std`, both of the shape `(3, 1, 1)`. Return the mean squared difference of the features of
# `enhanced` and `normal`, (N, 3, H, W) each. The weights of `network` are frozen already. The
# target is a constant, so spend no memory on gradients for it (`torch.no_grad()`).


# %%
def feature_loss(network, mean, std, enhanced, normal):
    """Perceptual loss of a batch (a scalar tensor)."""
    ### SOLUTION feature_loss


# %% tags=["nbval-check-output"]
feature_loss = check.feature_loss(feature_loss)

# %% [markdown]
# {{answers feature_loss}}

# %%
vgg = losses.random_vgg().to(device)
channel_mean = torch.tensor([0.485, 0.456, 0.406], device=device).view(3, 1, 1)
channel_std = torch.tensor([0.229, 0.224, 0.225], device=device).view(3, 1, 1)
features = partial(feature_loss, vgg, channel_mean, channel_std)

closer, alike, further = (
    "The moved one costs less than half as much as the blurred one.",
    "Both cost about the same.",
    "The blurred one costs less than half as much as the moved one.",
)
question_features = widgets.predict(
    "Squared error is the same for both. How does your loss, with random weights, judge them?",
    [closer, alike, further],
)
question_features

# %%
measured = {
    title: [loss(image[None].to(device), truth[None].to(device)).item() for image in wrong.values()]
    for title, loss in {"MSE": F.mse_loss, "features": features}.items()
}
by_move, by_blur = measured["features"]
question_features.reveal(
    closer if 2 * by_move < by_blur else further if 2 * by_blur < by_move else alike,
    "; ".join(f"{title}: moved {a:.4f}, blurred {b:.4f}" for title, (a, b) in measured.items()),
)

# %% [markdown]
# The reason can be seen in the features. Here are two of the 64, for the truth and for both wrong
# pictures. Each of their pixels stands for 4 x 4 of the picture's.

# %% Draw two features tags=["hide-input"]
with torch.no_grad():
    maps = {
        title: vgg((image[None].to(device) - channel_mean) / channel_std)[0].cpu()
        for title, image in {"truth": truth, **wrong}.items()
    }
of_truth, of_moved, of_blurred = (its[[25, 30]].std().item() for its in maps.values())
plotting.show_images(
    [
        F.interpolate(
            (its[None, i] / maps["truth"][i].max()).clamp(0, 1)[None], scale_factor=8
        ).expand(1, 3, -1, -1)[0]
        for i in (25, 30)
        for its in maps.values()
    ],
    [*maps, "", "", ""],
    columns=3,
    alt="Two features, as grey pictures of coarse pixels: the moved picture has nearly the pattern "
    "of the truth, the blurred one is dark and almost plain.",
)

# %% [markdown]
# Moved by two pixels, a picture keeps its pattern of features. Blurred, it loses most of it. Now
# play the game of the beginning again, at the new prices.
#
# {{claim of_moved > 0.9 * of_truth and of_blurred < 0.6 * of_truth}}

# %%
for title, picture in candidates.items():
    prices[title] = price(picture), price(picture, features)
    print(f"{title:22} squared error {prices[title][0]:.4f}, features {prices[title][1]:.4f}")

# %% [markdown]
# By features, moving costs less than blurring. And the mean is no longer the cheapest: both
# sharp pictures, though mostly in the wrong place, now cost less. This loss does not ask for blur.
#
# {{claim by_blur > 2 * by_move}}
# {{claim prices["the first"][1] < prices["the mean of all nine"][1]}}
# {{claim prices["the one in the middle"][1] < prices["the mean of all nine"][1]}}
#
# ### Train with it
#
# A training takes its loss by name. So give yours a name, and add it to the squared error. All else
# is as before: the same network, initial weights and crops.

# %%
losses.LOSSES["features"] = features
both = recipe.changed(loss={"mse": 1.0, "features": 0.1})

only_true, true_and_false, cleaner = (
    "more true detail, and no more false detail",
    "more true detail, and more false detail",
    "no more true detail, and less false detail",
)
question_both = widgets.predict(
    "What will the second term add to the outputs?", [only_true, true_and_false, cleaner]
)
question_both

# %%
trained["with features"] = learn("with features", both)
details["with features"] = detail(partial(enhance, trained["with features"][0]))
(true, false), (more_true, more_false) = details["U-Net"], details["with features"]
question_both.reveal(
    cleaner if more_true <= true else true_and_false if more_false > false else only_true,
    f"true detail goes from {true:.0%} to {more_true:.0%}, false detail from {false:.0%} to "
    f"{more_false:.0%}.",
)

# %% [markdown]
# More detail of both kinds. Strong features in about the right place satisfy the loss, and grain
# provides them as well as an edge does.
#
# {{claim more_true > true + 0.01}}
# {{claim more_false > false + 0.01}}
#
# ### More than sharpening?
#
# Has the network learned anything about edges? Compare it with a filter that knows nothing: the one
# that sharpened the mean in the game. Apply it to the outputs of the first U-Net, just so strongly
# that they have as much true detail. True detail grows in proportion to the strength, so one trial
# with 0.5 tells how strong that is.

# %%
first_unet = partial(enhance, trained["U-Net"][0])
gained = detail(lambda low: sharpened(first_unet(low), 0.5))[0] - true
strength = 0.5 * (more_true - true) / gained


def sharp_unet(low):
    """The U-Net, then the filter: (3, H, W) -> (3, H, W) in 8-bit steps."""
    return quantise(sharpened(first_unet(low), strength))


details["sharpened"] = detail(sharp_unet)
print(f"strength {strength:.2f}")
for label in ("U-Net", "sharpened", "with features"):
    print(f"{label:14} true {details[label][0]:.0%}, false {details[label][1]:.0%}")

# %% [markdown]
# A filter that strengthens all fine structure a little, by the share printed above, adds as much
# true detail, and little more that is false. So by these numbers, the loss has done hardly anything
# that sharpening does not do. Whenever a method promises detail, make this test. And to the eye?
# Look for the fins of the engine, with which this lesson began.
#
# {{claim 0.03 < strength < 0.5}}
# {{claim abs(details["sharpened"][0] - more_true) < 0.015}}
# {{claim -0.04 < details["sharpened"][1] - more_false < 0.12}}

# %% Draw the engine four times tags=["hide-input"]
close["sharpened"] = sharp_unet(garage.low)
close["with features"] = enhance(trained["with features"][0], garage.low)
order = ["U-Net", "sharpened", "with features", "target"]
cylinder = {label: close[label][:, 130:172, 214:258].mean(dim=0) for label in order}
lines = {label: its[2:] - 2 * its[1:-1] + its[:-2] for label, its in cylinder.items()}
shares = [metrics.true_and_false_detail(window(close[label]), truth)[0] for label in order]
plotting.show_images(
    [window(close[label]) for label in order],
    order,
    [f"true {true:.0%}, false {false:.0%}" for true, false in shares],
    columns=2,
)

# %% [markdown]
# The filter strengthens what the U-Net left, and it left no fins. With features, there are lines
# across the cylinders again. Now compare them with the target's: they are fainter, and some are in
# other places. A loss that forgives place asks for lines, but not for exactly these: *you get what
# the loss measures*. The stripe low on the tank is a true one. The fine mesh in plain areas, on
# the tank above all, is in no target.
#
# {{claim lines["with features"].std() > 1.15 * lines["sharpened"].std()}}
# {{claim lines["with features"].std() < 0.7 * lines["target"].std()}}
# {{claim np.corrcoef(lines["with features"].ravel(), lines["target"].ravel())[0, 1] < 0.7}}
#
# ## 5. Judge it
#
# ### The pictures first
#
# Before you read on, name what is wrong. Look at plain areas and at colours.

# %% Draw three results tags=["hide-input"]
first_of_each = {pair.name.split("_")[0]: pair for pair in reversed(test)}
shown = list(first_of_each.values())[:3]
outputs = {
    label: [enhance(trained[label][0], pair.low) for pair in shown]
    for label in ("U-Net", "with features")
}
furthest = max(
    float((made.mean(dim=(1, 2)) - pair.normal.mean(dim=(1, 2))).abs().max())
    for made, pair in zip(outputs["U-Net"], shown, strict=True)
)
plotting.show_results([pair.low for pair in shown], outputs, [pair.normal for pair in shown])

# %% [markdown]
# Plain areas are blotchy where there was noise. Sky and tank have the wrong colours, and the sky
# behind the rocket burns out: a few photographs do not teach what a sky looks like.
#
# {{claim furthest > 0.05}}
#
# ### The table

# %%
judged = {label: metrics.evaluate(model, test) for label, (model, _) in trained.items()}
judged["sharpened"] = metrics.evaluate(lambda low: sharp_unet(low[0])[None], test)
baselines.table({label: judged[label] for label in ("U-Net", "sharpened", "with features")})

# %% Keep scores and the U-Net for lesson 08 tags=["hide-input"]
for label, (model, run) in trained.items():
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged[label],
        parameters=count_parameters(model),
        gmacs=gmacs(model),
        train_seconds=run.seconds,
    )
to_keep = models.create_model("plain_unet", widths=widths)
to_keep.load_state_dict(trained["U-Net"][0].state_dict())
models.save_weights(to_keep, lesson.run_dir("unet") / "best.safetensors")

# %% [markdown]
# In SSIM the U-Net wins by far; in PSNR it loses. Neither sharpening nor the feature loss changes
# that. (With lesson 02's filter behind it, the mapper wins in both.) Whether livelier structure is
# worth the grain depends on what the picture is for. What holds both networks back can be read from
# the parts of the error:
#
# {{claim max(its.ssim for its in judged.values()) < 0.73}}
# {{claim judged["U-Net"].ssim > to_beat.ssim + 0.1}}
# {{claim judged["U-Net"].psnr < to_beat.psnr}}
# {{claim abs(judged["with features"].psnr - judged["U-Net"].psnr) < 1}}
# {{claim abs(judged["with features"].ssim - judged["U-Net"].ssim) < 0.05}}
# {{claim abs(judged["sharpened"].psnr - judged["U-Net"].psnr) < 0.3}}
# {{claim abs(judged["sharpened"].ssim - judged["U-Net"].ssim) < 0.03}}

# %%
both_networks = {label: judged[label] for label in ("U-Net", "with features")}
plotting.show_error_parts({baselines.best: to_beat, **both_networks})

# %% [markdown]
# The U-Net beats the mapper in detail (green). It loses in the two shades of orange, above all in
# local light: some places are too bright, others too dark. No loss of this lesson changes that.
#
# The mapper chooses a few curves for the whole photograph, which is little to learn. The U-Net
# decides for each place separately. Four scenes, in small crops, do not teach it which light and
# colour belong where.
#
# {{claim judged["U-Net"].detail < 0.9 * to_beat.detail}}
# {{claim judged["U-Net"].colour > 1.1 * to_beat.colour}}
# {{claim judged["U-Net"].light > 2 * to_beat.light}}
# {{claim judged["U-Net"].light - to_beat.light > judged["U-Net"].colour - to_beat.colour}}
# {{claim judged["with features"].local > 1.5 * to_beat.local}}
#
# ## Recap
#
# **What you learned.** Skips decide what gets through, and the loss decides what is asked for.
# Neither teaches which light and colour belong where.
#
# - Under squared error the cheapest answer is the mean of all that is possible, and the mean of
#   edges is a blur. The median, which absolute error asks for, is soft as well.
# - A skip connection carries fine structure past the poolings, if it leaves before them. After the
#   pooling, part of it is lost, and the finest pattern for good.
# - A perceptual loss compares features. It forgives a small change of place and does not forgive
#   blur, even with random weights.
#
# **What failed.** The U-Net loses to the histogram mapper in PSNR. It loses on local light and
# colour, which four training scenes cannot teach it. The feature loss brought back fins, but
# fainter than the target's, and not all in their places.
#
# The strip. Panel 04 is your network with features. (If you have trained none in lesson 03, its
# panel comes from a long training on real pairs.)

# %%
lessons.strip(lesson, trained["with features"][0])

# %% [markdown]
# A U-Net has to learn light, colour and noise at once, for every place. The trees of lesson 02
# decide on light and colour for the whole photograph, but they know nothing of noise. What if the
# trees go first, and a network only cleans up behind them? That is lesson 05.
#
# The core path ends here.
#
# ## Going deeper
#
# ### Epoch by epoch
#
# When do the curves of section 3 separate? The upper row has your trainings, the lower one a
# recorded training of the U-Net at full width, on LOL v1. Each of its crops has nine times as many
# pixels.

# %% recorded="plain_unet_0"
curves = {label: trained[label][1].history for label in hooks}
recording = lessons.recorded("plain_unet_0")
gap = [a["val_psnr"] - b["val_psnr"] for a, b in zip(*list(curves.values())[::2], strict=True)]
plotting.show_history(curves, {"U-Net": recording})

# %% [markdown] recorded="plain_unet_0"
# Without skips, the curve falls behind in the very first epoch, and the gap grows. With pooled
# skips, it stays much closer to the U-Net's: PSNR notices far less of the fine structure that
# pooling loses.
#
# The learning rate follows a *cosine*: slowly down, then fast, then slowly to zero, whatever the
# validation says. So you have to decide beforehand how long to train. (On this logarithmic axis the
# end looks steepest.)
#
# The recorded validation curves come to rest, and the last epochs are the best. Compare this with
# lesson 03, whose curve stayed restless to the end, so that the epoch to keep was partly luck. Two
# things calm it here: a rate that falls to zero, and weights that are averaged over the last steps
# (lesson 05).
#
# {{claim curves["U-Net"][0]["val_psnr"] > curves["no skips"][-1]["val_psnr"]}}
# {{claim gap[0] > 0.3}}
# {{claim abs(curves["pooled skips"][-1]["val_psnr"] - curves["U-Net"][-1]["val_psnr"]) < 1.1}}
# {{claim gap[-1] > gap[0] + 0.3}}
# {{claim recording.best["epoch"] > len(recording) - 3}}
# {{claim abs(recording[-1]["val_psnr"] - recording[-3]["val_psnr"]) < 0.3}}

# %% recorded="plain_unet_0"
pixels = {}
for label, run in {"lesson 03": lessons.recorded("mse_cnn_0"), "U-Net": recording}.items():
    row = run.best
    pixels[label] = row["crops"] * run.settings["recipe"]["crop_size"] ** 2
    seen = f"{pixels[label] / 1e6:,.0f} megapixels"
    print(f"{label:9} {row['val_psnr']:.2f} dB, SSIM {row['val_ssim']:.3f} after {seen}")

# %% [markdown] recorded="plain_unet_0"
# On the same validation pairs, the network of lesson 03 did a little better, with less than a tenth
# of the arithmetic per pixel, but from 13 times as many pixels: up to the epochs kept, both took
# about as much arithmetic. These recordings do not show that a U-Net is the better network.
#
# {{claim lessons.recorded("mse_cnn_0").best["val_ssim"] > recording.best["val_ssim"] + 0.01}}
# {{claim gmacs(models.create_model("mse_cnn")) < 0.1 * gmacs(network)}}
# {{claim 12.5 < pixels["lesson 03"] / pixels["U-Net"] < 13.5}}

# %% [markdown]
# ### The cheapest picture of all
#
# Section 4 gave the new loss four candidates. What if you search among *all* pictures, as `guess`
# did for squared error? There is no formula, so let Adam change the pixels.


# %%
def cheapest(loss, steps=60):
    """The picture with the least mean ``loss`` to the nine."""
    picture = torch.full_like(nine[:1], 0.5, device=device).requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=0.07)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(picture.expand(9, -1, -1, -1), nine.to(device)).backward()
        optimizer.step()
        schedule.step()
    return picture.detach()[0].clamp(0, 1).cpu()


found = cheapest(features)
found_cost = price(found, features)
print(f"cost by features {found_cost:.4f}; a sharp one {prices['the one in the middle'][1]:.4f}")
share_true, share_false = metrics.true_and_false_detail(found, truth)[0].tolist()
plotting.show_images(
    [truth, mean, found],
    ["truth", "cheapest squared error", "cheapest features"],
    ["", "", f"true detail {share_true:.0%}, false {share_false:.0%}"],
)

# %% [markdown]
# By this loss, confetti is nearer to the nine than any one of them, and nobody would hand it in. A
# network is not as free as these pixels: it has to make its picture from the dark one, with the
# same weights at every place. So it goes only a small part of the way. You will meet more of such
# invention in lesson 06.
#
# {{claim found_cost < 0.95 * min(price(one, features) for one in nine)}}
# {{claim share_false > 2 * share_true}}
#
# ### With trained weights
#
# Are trained weights better than random ones? Two papers tried, and it depends on the purpose. As a
# training loss, for enlarging small photographs, random weights did about as well (Liu et al.,
# 2021). As a measure of what looks alike to people, trained weights agreed with people clearly more
# often (Zhang et al., 2018).
#
# How clearly do trained weights tell moved from blurred? torchvision has VGG-19's and fetches them
# once (550 MB). Without them, the cell shows the random ones alone:

# %%
try:
    by_vgg = [losses.Perceptual()(image[None], truth[None]).item() for image in wrong.values()]
    print(f"trained: blurred costs {by_vgg[1] / by_vgg[0]:.1f} times as much as moved")
except CourseError as error:
    print(error)
print(f"random: blurred costs {by_blur / by_move:.1f} times as much as moved")

# %% [markdown]
# To train with it, name it in the recipe: `recipe.changed(loss={"mse": 1.0, "perceptual": 0.02})`.
#
# ### Where a stamp lands
#
# {{exercise transposed}}
#
# A transposed convolution without padding presses a stamp of `kernel` pixels for each input pixel,
# `stride` pixels apart; the first begins at output pixel 0. Along one side: which output pixels
# does input pixel number `index` stamp? Return the first and the last.


# %%
def stamps(kernel, stride, index):
    """-> (first, last) output pixel, along one side."""
    ### SOLUTION transposed


# %% tags=["nbval-check-output"]
stamps = check.transposed(stamps)

# %% [markdown]
# {{answers transposed}}
#
# How many stamps fall on each output pixel?

# %% tags=["nbval-check-output"]
for kernel in (2, 3, 4):
    count = torch.zeros(2 * 8 + kernel, dtype=int)
    for index in range(8):
        first, last = stamps(kernel, 2, index)
        count[first : last + 1] += 1
    print(f"kernel {kernel}: {count[4:12].tolist()}")

# %% [markdown]
# With a kernel of 3 and a stride of 2, every second pixel gets two stamps, and in two dimensions
# some get four. A network has to learn weights that even this out, and often does not quite: its
# pictures show a fine chequerboard (Odena et al., 2016). Kernel sizes that are a multiple of the
# stride avoid the uneven overlap. Yours are 2; those of the published network are 3. But unequal
# weights within one stamp can still draw a mesh: look at the dots on the seat in section 3, with
# pooled skips, and at the tank in section 4.
#
# ### The bill of the published network

# %%
from llie_helpers.models import unet

conv, skip = unet.conv, unet.skip


### SOURCE llie_helpers.models.unet.UNet


# %%
places = [
    "the convolutions at full size",
    "the convolutions at a quarter of the size",
    "the skip connection of down1",
    "the last convolution",
]
question_work = widgets.predict(
    "Which part of the published U-Net takes most of the arithmetic?", places
)
question_work

# %% [markdown]
# A 3x3 convolution uses each weight once for each pixel of its output, a transposed one once for
# each pixel of its input. The sizes are those of a photograph of 600 x 400.

# %%
published = two_nets["published"]
pixels_of = {1: 600 * 400, 2: 300 * 200, 4: 150 * 100}
layers_of = {
    places[0]: (published.full_size, 1),
    "the convolutions at half the size": (published.half_size, 2),
    places[1]: (published.quarter_size, 4),
    "the skip connection of down2": (published.skip2, 4),
    places[2]: (published.skip1, 2),
    places[3]: (published.head, 1),
}
work = {}
for title, (part, scale) in layers_of.items():
    weights = sum(p.numel() for p in part.parameters() if p.ndim > 1)
    work[title] = weights * pixels_of[scale] / 1e9
    print(f"{title:42} {count_parameters(part):8,} parameters {work[title]:5.2f} GMACs")

# %%
costliest = max(work, key=work.get)
question_work.reveal(
    costliest, f"{work[costliest]:.2f} of {sum(work.values()):.1f} GMACs; yours needs less in all."
)

# %% [markdown]
# The published network spends most of its work on bringing pooled features back to full size. A
# U-Net proper with as many parameters has most of them at small sizes, where each is used less
# often, and needs less than half of the arithmetic.
#
# {{claim abs(sum(work.values()) - gmacs(published)) < 0.05}}
# {{claim costliest == places[2]}}
# {{claim gmacs(network) < 0.5 * gmacs(published)}}
#
# ### What the skips carry
#
# A photograph has three numbers per pixel. How many does a U-Net hand on?
#
# {{exercise carried}}
#
# `widths` are the channels of the levels, from full size down, as in `MyUNet`; `height` and `width`
# are the size of the photograph and can be halved as often as the network pools. Count the numbers
# that all skips carry together, and the numbers of the features at the deepest level.


# %%
def carried(widths, height, width):
    """-> (numbers in all skips, numbers at the deepest level)."""
    ### SOLUTION carried


# %% tags=["nbval-check-output"]
carried = check.carried(carried)

# %% [markdown]
# {{answers carried}}

# %% tags=["nbval-check-output"]
for label, channels in {"full width": (22, 44, 88, 176), "quick": (6, 11, 22, 45)}.items():
    in_skips, at_bottom = (count / (400 * 600) for count in carried(channels, 400, 600))
    print(f"{label:10} {in_skips:5.2f} numbers per pixel in the skips, {at_bottom:.2f} below")

# %% [markdown]
# Without skips, the quick network has to press three numbers per pixel through less than one. So
# the fog of section 3 was a matter of room as well. With skips there is room for everything, and it
# has a price: all those numbers wait in memory until the way up needs them. At full width and four
# bytes each, that is 37 MB for 600 x 400 pixels, and almost 2 GB for a photograph of 12 megapixels.
# Lesson 09 therefore cuts large photographs into tiles.
#
# {{claim carried((6, 11, 22, 45), 400, 600)[1] < 400 * 600}}
# {{claim 36.5e6 < 4 * carried((22, 44, 88, 176), 400, 600)[0] < 37.5e6}}
# {{claim 1.8e9 < 4 * carried((22, 44, 88, 176), 3000, 4000)[0] < 1.9e9}}
#
# ### Eight looks
#
# The network was trained on turned and flipped crops, but it does not give *exactly* the turned
# output for a turned input. Average the eight answers, and part of their errors cancels. This
# **self-ensemble** needs no training, but it takes eight times as long.
#
# {{exercise ensemble}}
#
# `image` is `(3, H, W)`; `model` maps `(N, 3, H, W)` to the same shape. For k from 0 to 7, turn the
# image with `torch.rot90(image, k % 4, dims=(-2, -1))`, and flip it (`.flip(-1)`) where `k >= 4`.
# Return the mean of the eight outputs, each turned back.


# %%
def ensemble(model, image):
    """Self-ensemble over the eight symmetries of the square -> (3, H, W)."""
    ### SOLUTION ensemble


# %% tags=["nbval-check-output"]
ensemble = check.ensemble(ensemble)

# %% [markdown]
# {{answers ensemble}}
#
# What is it worth here? On every third test photograph:

# %%
some_pairs = test.subset(range(0, len(test), 3))
model = trained["U-Net"][0]
alone = metrics.evaluate(model, some_pairs)


def eight_looks(low):
    """The self-ensemble as a method, on one photograph at a time."""
    return torch.as_tensor(ensemble(model, low[0].to(device)))[None].float().cpu()


eight = metrics.evaluate(eight_looks, some_pairs)
print(f"alone       {alone.psnr:.2f} dB, SSIM {alone.ssim:.3f}")
print(f"eight looks {eight.psnr:.2f} dB, SSIM {eight.ssim:.3f}")

# %% [markdown]
# The gain in SSIM comes from errors that the eight outputs do not share, such as noise. Most of the
# error of light and colour they do share, and no averaging takes that away.
#
# {{claim eight.ssim > alone.ssim}}
#
# ## Papers
#
# - O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional Networks for Biomedical Image
#   Segmentation. MICCAI 2015.
# - J. Johnson, A. Alahi, L. Fei-Fei. Perceptual Losses for Real-Time Style Transfer and
#   Super-Resolution. ECCV 2016.
# - Y. Liu, H. Chen, Y. Chen, W. Yin, C. Shen. Generic Perceptual Loss for Modeling Structured
#   Output Dependencies. CVPR 2021.
# - R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. The Unreasonable Effectiveness of Deep
#   Features as a Perceptual Metric. CVPR 2018. (trained and random features, compared with people)
# - K. Simonyan, A. Zisserman. Very Deep Convolutional Networks for Large-Scale Image Recognition.
#   ICLR 2015. (VGG)
# - H. Zhao, O. Gallo, I. Frosio, J. Kautz. Loss Functions for Image Restoration with Neural
#   Networks. IEEE Transactions on Computational Imaging, 2017.
# - K. He, X. Zhang, S. Ren, J. Sun. Delving Deep into Rectifiers. ICCV 2015. (the first weights)
# - A. Odena, V. Dumoulin, C. Olah. Deconvolution and Checkerboard Artifacts. Distill, 2016.
# - R. Timofte, R. Rothe, L. Van Gool. Seven Ways to Improve Example-Based Single Image Super
#   Resolution. CVPR 2016. (self-ensemble)
# - S. W. Zamir et al. Learning Enriched Features for Real Image Restoration and Enhancement. ECCV
#   2020. (MIRNet, which the published system simplifies)
#
# **Next**: lesson 05 lets the trees go first, and asks who told them the answer.
