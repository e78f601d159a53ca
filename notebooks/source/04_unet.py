# %% [markdown]
# # 04. Structure and perception
#
# Lesson 03 ended with a pale, soft picture, and said that a mean of plausible answers looks like
# that. Two remedies are tried here. One is in the network: a U-Net passes fine structure across
# from its encoder to its decoder. The other is in the loss: compare what a classifier sees in the
# two images instead of their pixels. You will take a published U-Net apart, find out what its skip
# connections cannot carry, and see with your own eyes why squared error blurs and what happens when
# you pay for sharpness.
#
# **You will be able to**
#
# - count the parameters, the arithmetic and the receptive field of a U-Net by hand;
# - say what a skip connection carries, and prove what it loses when it leaves after the pooling;
# - explain from an experiment why the best answer under squared error is blurred;
# - write a perceptual loss, and name its price;
# - get better outputs from finished weights by self-ensemble, and measure flicker.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | hours on two CPU cores; made for a GPU | 4 GB |

# %% [markdown]
# {{setup}}

# %%
from functools import partial
from statistics import fmean

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from llie_helpers import data, losses, metrics, models, plotting, training
from llie_helpers.errors import CourseError
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_04 as check
from llie_helpers.methods import create_method
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. What it has to beat
#
# As in every lesson, the methods without a network come first.

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

# %%
fitted = baselines.tuned_gamma
fitted_gamma = baselines.methods[fitted]

# %% [markdown]
# ## 2. The published U-Net, layer by layer
#
# The system that this lesson follows calls its network a simplified MIRNet; its layers are those of
# a U-Net with two peculiarities. Follow the drawing from the image down and up again:

# %% tags=["nbval-check-output"]
import sys

network = models.create_model("unet")
print(sys.modules[type(network).__module__].__doc__)

# %% [markdown]
# The encoder halves the size twice, so that a small kernel sees more and many channels are cheap.
# On the way back the features are enlarged by copying each pixel into a 2 x 2 block, and something
# from the encoder is put beside them: a *skip connection*. Here each skip first runs through a
# convolution and a *transposed convolution*, because `down1` and `down2` have been pooled and must
# be enlarged as well.
#
# A transposed convolution turns the usual one round: instead of gathering a window into one output,
# it presses a stamp for each input pixel, two output pixels apart at stride 2, and adds up where
# stamps overlap. What does that cost?
#
# {{exercise transposed}}
#
# `height` and `width` are those of the layer's *input*; the output is twice as large. Count one
# multiply-add for each product of a weight and a value, none for the bias, and let the stamp stick
# out over the border.


# %%
def my_transposed(channels_in, channels_out, kernel, height, width):
    """-> (number of parameters, number of multiply-adds)."""
    ### SOLUTION transposed


# %% tags=["nbval-check-output"]
check.transposed(my_transposed)

# %% [markdown]
# {{answers transposed}}

# %% [markdown]
# Before you see the bill:

# %%
places = ["the convolutions at full size", "the convolutions at a quarter of the size",
          "the skip connection of down1", "the last convolution"]  # fmt: skip
question_work = widgets.predict(
    "Which part of the published U-Net takes most of the arithmetic?", places
)
question_work


# %% [markdown]
# An ordinary 3x3 convolution has the same number of weights, and uses each of them once for every
# output pixel. The size in brackets is that of the layer's input, for a photograph of 600 x 400.


# %% tags=["nbval-check-output"]
def bill(channels_in, channels_out, size):
    """A 3x3 convolution costs the same: one use of each weight for each pixel of its input."""
    return check.transposed.reference(channels_in, channels_out, 3, *size)


full, half, quarter = (400, 600), (200, 300), (100, 150)
parts = {
    "3 -> 32 -> 32 (full)": [bill(3, 32, full), bill(32, 32, full)],
    "32 -> 64 -> 64 (half)": [bill(32, 64, half), bill(64, 64, half)],
    "64 -> 128 -> 128 (quarter)": [bill(64, 128, quarter), bill(128, 128, quarter)],
    "skip of down2, 128 (quarter)": [bill(64, 128, quarter), bill(128, 128, quarter)],
    "skip of down1, 192 (half)": [bill(32, 192, half), bill(192, 192, half)],
    "448 -> 3 (full)": [bill(128 + 128 + 192, 3, full)],
}
for title, layers in parts.items():
    print(f"{title:29} {sum(p for p, _ in layers):8,} parameters, "
          f"{sum(work for _, work in layers) / 1e9:5.2f} GMACs")  # fmt: skip

# %% [markdown]
# Do the sums agree with the network itself?

# %%
parameters, work = (sum(cost[i] for layers in parts.values() for cost in layers) for i in (0, 1))
assert parameters == count_parameters(network)
assert abs(work / 1e9 - gmacs(network)) < 0.01
costliest = max(parts, key=lambda title: sum(work for _, work in parts[title]))
question_work.reveal(
    dict(zip(parts, [places[0], "", places[1], "", places[2], places[3]], strict=True))[costliest],
    f"{sum(its for _, its in parts[costliest]) / work:.0%} of {work / 1e9:.1f} GMACs, and "
    f"{sum(its for its, _ in parts[costliest]) / parameters:.0%} of {parameters:,} parameters.",
)

# %% [markdown]
# 192 channels at half the size, only to bring pooled features back to full size: that is a lot of
# work for a skip connection, and section 3 asks what it carries.
#
# ### How far does it see?
#
# Lesson 03's rule counted kernels and strides. With layers that enlarge, it is easier to ask
# backwards: on which input pixels does one output pixel depend?
#
# {{exercise sees}}
#
# `layers` is a list of the strings "conv" (3x3, one pixel of padding), "pool" (2x2) and "up" (each
# pixel is copied into two), in the order in which the image meets them. For output pixel number
# `index` along one side, counted from 0, return the first and the last input pixel. They may lie
# outside of the image.


# %%
def my_sees(layers, index):
    """List of layers, index -> (first pixel, last pixel)."""
    ### SOLUTION sees


# %% tags=["nbval-check-output"]
check.sees(my_sees)

# %% [markdown]
# {{answers sees}}

# %% [markdown]
# The longest way through the network, by your formula and by the gradient of the network itself:

# %% tags=["nbval-check-output"]
longest = ["conv", "conv", "pool"] * 2 + ["conv", "conv", "up", "up", "conv"]
for index in (64, 66, 67):
    image = torch.rand(1, 3, 128, 128).requires_grad_()
    network.eval()(image)[0, :, index, index].sum().backward()
    seen = image.grad.abs().amax(dim=(0, 1, 2)).nonzero().flatten()
    first, last = check.sees.reference(longest, index)
    print(f"pixel {index}: by hand {first} to {last}, {last - first + 1} pixels; "
          f"measured {int(seen[0])} to {int(seen[-1])}")  # fmt: skip

# %% [markdown]
# Not every pixel sees equally far, because enlarging by copies gives neighbours the same view. And
# none sees further than 36 pixels. With two poolings a U-Net stays short-sighted; it cannot judge
# the exposure of a whole photograph from 36 of its pixels. Keep that in mind when you see its
# scores.
#
# ## 3. What a skip connection carries
#
# In a U-Net as first published, the skip leaves *before* the pooling, with everything that the
# encoder has at that size. Here it leaves *after*. Max-pooling keeps the largest of four values and
# forgets which of them it was. Does that matter, with so many channels around?
#
# The finest pattern that an image can hold is a chequerboard of single pixels. Take one, and the
# same moved by a single pixel, so that bright and dark change places.

# %%
nothing, little, clearly = "exactly nothing", "a little", "clearly"
question_board = widgets.predict(
    "Far from the border, how much do the outputs of the published U-Net for the two boards "
    "differ, whatever its weights?",
    [nothing, little, clearly],
)
question_board

# %% [markdown]
# For comparison, `plain_unet` is a U-Net proper: skips before the pooling, three poolings, and two
# convolutions on every level of the decoder too. Its widths are chosen so that it has about as many
# parameters. Neither network is trained yet; the stripes below have periods of 2 to 8 pixels.


# %%
def stripes(period, shift, size=96):
    """Upright stripes of ``period`` pixels, (1, 3, size, size)."""
    wave = (torch.arange(size) + shift) % period < period / 2
    return (0.2 + 0.2 * wave.float()).expand(1, 3, size, size)


def board(shift):
    return torch.where(stripes(2, 0) == stripes(2, shift).mT, 0.2, 0.4)


plain = models.create_model("plain_unet").eval()
patterns = {"chequerboard": board} | {
    f"stripes of {period}": partial(stripes, period) for period in (2, 4, 8)
}


# %% [markdown]
# The difference that a shift by one pixel makes, as a share of how much the output varies at all:


# %%
@torch.no_grad()
def response(model, pattern):
    """Largest change of the output for a shift by one pixel, relative to the output's spread."""
    here, there = (model(pattern(shift))[..., 24:-24, 24:-24] for shift in (0, 1))
    return ((here - there).abs().amax() / model(torch.rand(1, 3, 96, 96)).std()).item()


responses = {
    label: [response(model, pattern) for model in (network, plain)]
    for label, pattern in patterns.items()
}
for label, (ours, its) in responses.items():
    print(f"{label:13} published U-Net {ours:.4f}, U-Net proper {its:.4f}")

# %%
found = responses["chequerboard"][0]
question_board.reveal(
    nothing if found == 0 else little if found < 0.01 else clearly,
    "each 2x2 window of the pooling holds both colours of the board, wherever the board stands.",
)

# %% [markdown]
# It is a proof, not a matter of training. Every feature before the pooling repeats every two
# pixels, so each pooling window contains all of its values, and their maximum does not depend on
# the shift. Nothing at full size reaches the decoder by another way. So no weights whatever can
# make this network draw both boards where they belong: at best it draws the mean of the two, plain
# grey. The U-Net proper has no such limit. Lesson 06's generator, by the way, shrinks by strided
# convolutions instead, which can tell the two apart.
#
# ### The way up
#
# {{exercise decode}}
#
# Write the decoder of the U-Net proper. `x` are the deepest features. `skips` holds the encoder's
# features from the largest to the smallest. `ups` and `decoders` hold one layer for each level,
# from the smallest level to the largest: `ups[i]` doubles height and width, and `decoders[i]` takes
# skip and enlarged features together, the skip's channels first.


# %%
def my_decode(x, skips, ups, decoders):
    """The right side of a U-Net -> features at full size."""
    ### SOLUTION decode


# %% tags=["nbval-check-output"]
check.decode(my_decode)

# %% [markdown]
# {{answers decode}}

# %% [markdown]
# The two networks side by side:

# %%
for label, model in (("published", network), ("U-Net proper", plain)):
    print(f"{label:12} {count_parameters(model):,} parameters, {gmacs(model):.1f} GMACs")

# %% [markdown]
# As many parameters, less than half of the work: in the U-Net proper most weights stand at small
# sizes, where each is used less often.
#
# ## 4. More data from the same data
#
# A mirrored room is a room. *Augmentation* makes new pairs from old ones by changes after which the
# pair is still true, and of course the same change for both images. There are eight ways to turn
# and flip a square, and a pair may also be made brighter or darker together.

# %%
from llie_helpers.data.augment import BRIGHTEST, DARKEST, brightness, flip_rotate

sample = train[0]
views = [flip_rotate(sample.normal[:, :240, :240], k) for k in range(8)]
plotting.show_images(views, [f"turn {k % 4}" + ", flip" * (k >= 4) for k in range(8)], columns=8)

# %% [markdown]
# Brightness needs more care than geometry. A gain above 1 clips highlights, and what is clipped in
# the target is lost for good. And a pair says something about light; make only one of its images
# brighter, and you teach another exposure.

# %%
gains = (DARKEST, 1.0, BRIGHTEST)
changed = [brightness(image, gain) for image in (sample.low, sample.normal) for gain in gains]
shares = [f"{(image == 1).float().mean():.1%} at full white" for image in changed]
plotting.show_images(changed, [f"gain {gain}" for gain in gains] * 2, shares, columns=3)

# %% [markdown]
# In training each crop gets one of the eight symmetries and a gain between the outer two at random,
# and always both of its images.
#
# ## 5. Why squared error blurs
#
# A network that restores a dark, noisy edge cannot know to the pixel where it lies. Say that the
# true image may be any of nine, the same photograph moved by up to four pixels to the left or
# right, all equally likely. You may answer with *any* image, and pay its mean squared error to the
# truth, averaged over the nine.

# %%
most, some, hardly = "more than 80 %", "30 to 80 %", "less than 30 %"
question_blur = widgets.predict(
    "The cheapest answer is found by gradient descent on its pixels. How much of the photograph's "
    "detail (mean step between neighbouring pixels) does it have?",
    [most, some, hardly],
)
question_blur


# %% [markdown]
# No network takes part; the answer's pixels themselves are trained.


# %%
def cheapest(truths, loss, steps=60):
    """The image with the least mean ``loss`` to ``truths`` (N, 3, H, W), found by Adam."""
    answer = torch.full_like(truths[:1], 0.5).requires_grad_()
    optimizer = torch.optim.Adam([answer], lr=0.07)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(answer.expand_as(truths), truths).backward()
        optimizer.step()
        schedule.step()
    return answer.detach()[0].clamp(0, 1)


def detail(image):
    return float(image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean())


# %% [markdown]
# The candidates are windows of one photograph, so that nothing has to be filled in at the border.

# %%
photo = test[len(test) // 2].normal
top, left, high, wide = 100, 140, 80, 120


def moved(reach):
    """All windows of the photograph that lie up to ``reach`` pixels to either side."""
    return torch.stack([photo[:, top : top + high, left + s : left + s + wide]
                        for s in range(-reach, reach + 1)])  # fmt: skip


truth = moved(0)[0]
safest = cheapest(moved(4), losses.mse)
kept = detail(safest) / detail(truth)
question_blur.reveal(
    most if kept > 0.8 else some if kept >= 0.3 else hardly,
    f"{kept:.0%}. It is the mean of the nine, to within "
    f"{(safest - moved(4).mean(dim=0)).abs().max():.3f}.",
)

# %% [markdown]
# Gradient descent has found the mean, as it must: the derivative of the summed squares is zero only
# there. The mean of a moved photograph is a blurred photograph, and it is *none* of the nine. To
# answer with a sharp one would be right now and then and cost more on the average:

# %%
for label, answer in (("the blurred mean", safest), ("a sharp one of the nine", truth)):
    print(f"{label:24} costs {losses.mse(answer.expand_as(moved(4)), moved(4)):.4f}")

# %% [markdown]
# ### A ruler that does not mind the place
#
# Is squared error a fair ruler? Here are two wrong versions of a photograph. One is the photograph
# moved by two pixels. The other is blurred, just so much that both have the same squared error.


# %%
def blurred(sigma):
    picture = cv2.GaussianBlur(photo.permute(1, 2, 0).numpy(), (0, 0), sigma)
    return torch.from_numpy(picture).permute(2, 0, 1)[:, top : top + high, left : left + wide]


shifted = moved(2)[-1]
wanted = F.mse_loss(shifted, truth)
sigmas = np.geomspace(0.3, 20, 60)
sigma = min(sigmas, key=lambda s: abs(F.mse_loss(blurred(s), truth) - wanted))
wrong = {"moved by 2 pixels": shifted, f"blurred (sigma {sigma:.1f})": blurred(sigma)}
plotting.show_images(
    [truth, *wrong.values()],
    ["truth", *wrong],
    ["", *(f"PSNR {metrics.psnr(x, truth).item():.1f} dB" for x in wrong.values())],
)

# %% [markdown]
# PSNR calls them equal. You would not. What your eye forgives is a small change of *place*; what it
# does not forgive is that edges are gone. A ruler for this takes the steps between neighbouring
# pixels, and keeps of each window of 8 x 8 only the largest, wherever in the window it lies:


# %%
def edges(images, window=8):
    """Largest horizontal and vertical step in each window, (N, 3, H, W) -> (N, 2, h, w)."""
    grey = images.mean(dim=1, keepdim=True)
    across = F.pad(grey.diff(dim=-1).abs(), (0, 1))
    down = F.pad(grey.diff(dim=-2).abs(), (0, 0, 0, 1))
    return F.max_pool2d(torch.cat([across, down], dim=1), window)


def edge_loss(enhanced, normal):
    return F.l1_loss(edges(enhanced), edges(normal))


# %%
less, equal, more = "clearly less for the moved one", "about the same for both", \
    "clearly less for the blurred one"  # fmt: skip
question_ruler = widgets.predict(
    "Squared error is the same for both. The loss of the edges is ...", [less, equal, more]
)
question_ruler

# %% [markdown]
# All rulers at once. The numbers of different rows cannot be compared, those of one row can.

# %%
rulers = {"MSE": losses.mse, "L1": losses.l1, "1 - SSIM": losses.ssim_loss, "edges": edge_loss}
measured = {
    label: [ruler(image[None], truth[None]).item() for image in wrong.values()]
    for label, ruler in rulers.items()
}
for label, (by_move, by_blur) in measured.items():
    print(f"{label:9} moved {by_move:.4f}, blurred {by_blur:.4f}")
by_move, by_blur = measured["edges"]
question_ruler.reveal(
    less if by_move < 0.7 * by_blur else more if by_blur < 0.7 * by_move else equal,
    f"the blurred image is {by_blur / by_move:.1f} times as far away.",
)

# %% [markdown]
# That is the idea of a perceptual loss: measure in *features* that stay when things move a little.
# These two were made by hand. A network that was trained to recognise things has hundreds of them
# in each layer.
#
# ### Pay for sharpness, and see what you get
#
# Now give the nine candidates to other losses. Drag the uncertainty: each answer is the cheapest
# image under its loss. The last adds the edges to the squared error.

# %%
priced = {
    "MSE": losses.mse,
    "1 - SSIM": losses.ssim_loss,
    "MSE + edges": lambda answer, truths: losses.mse(answer, truths) + edge_loss(answer, truths),
}
reaches = (0, 1, 2, 4, 8)
frames = []
for reach in reaches:
    answers = [cheapest(moved(reach), loss) for loss in priced.values()]
    marks = [f"detail {detail(answer) / detail(truth):.0%}" for answer in answers]
    frames.append(plotting.show_images([truth, *answers], ["truth", *priced], ["", *marks]))
widgets.frames_slider(frames, reaches, "uncertain by (pixels)")

# %% [markdown]
# Three things to see. Uncertainty alone makes the blur: where nothing is uncertain, squared error
# finds the truth. SSIM, which compares contrast in windows, keeps more detail. And under the last
# loss edges come back, but look closely: as *specks*, even where nothing was uncertain. The loss
# asked for strong steps somewhere in each window, and got them in the cheapest way. A loss gets
# what it measures, and features can be satisfied by things that no photograph holds. Remember this
# when a sharper output looks so convincing: lesson 06 is about little else.
#
# ## 6. A perceptual loss
#
# The usual choice of features is VGG-19, a classifier of 2014, cut off after some of its
# convolutions. It expects inputs that are *normalised* as in its training on ImageNet: each channel
# minus its mean, over its standard deviation.
#
# {{exercise feature_loss}}
#
# `network` turns normalised images into features and is not to be trained. `mean` and `std` have
# the shape `(3, 1, 1)`. Return the mean squared difference of the features of both images. The
# target is a constant: spend no memory on gradients for it.


# %%
def my_feature_loss(network, mean, std, enhanced, normal):
    """Perceptual loss of a batch (a scalar tensor)."""
    ### SOLUTION feature_loss


# %% tags=["nbval-check-output"]
check.feature_loss(my_feature_loss)

# %% [markdown]
# {{answers feature_loss}}

# %% [markdown]
# The package's `losses.Perceptual` does this with VGG-19 up to its 18th layer. torchvision fetches
# the weights once (about 550 MB), checks their hash and keeps them. Without torchvision or a
# network, it says so, and this lesson goes on with SSIM in its place, which needs no weights.

# %%
try:
    losses.Perceptual()
    extra_name, extra = "VGG-19", {"perceptual": 0.02}
except CourseError as error:
    extra_name, extra = "SSIM", {"ssim": 0.05}
    print(error)
print("the second term of the loss:", extra_name)

# %% [markdown]
# ## 7. Train
#
# Three trainings: the published U-Net and the U-Net proper with squared error alone, then the
# published one with the second term. In the quick profile both networks have an eighth of their
# width or so. The recipe:

# %%
recipe = load_recipe("unet", lesson.profile)
for entry in (
    "epochs",
    "crops_per_epoch",
    "crop_size",
    "batch_size",
    "optimizer",
    "learning_rate",
    "ema",
):
    print(f"{entry:15} {getattr(recipe, entry)}")
options = {
    "unet": {"width": lesson.choose(quick=8, full=32)},
    "plain_unet": {"widths": lesson.choose(quick=(6, 11, 22, 45), full=(22, 44, 88, 176))},
}

# %% [markdown]
# If you stop a cell and run it again, the training goes on where it was.


# %%
def learn(label, model_name, loss):
    """Train one network; returns it with its run."""
    torch.manual_seed(lesson.seed)
    model = models.create_model(model_name, **options[model_name]).to(device)
    folder = lesson.run_dir(label.replace(" ", "_").replace(",", ""))
    its_recipe = recipe.changed(loss=loss)
    run = training.fit(model, train, val, its_recipe, run_dir=folder, seed=lesson.seed)
    print(f"{label}: {count_parameters(model):,} parameters; {run}")
    return model, run


trained = {
    "U-Net": learn("U-Net", "unet", {"mse": 1.0}),
    "U-Net proper": learn("U-Net proper", "plain_unet", {"mse": 1.0}),
}

# %%
sharper, same, softer = "sharper", "about as sharp (within 5 %)", "softer"
question_extra = widgets.predict(
    "With the second term in its loss, the same U-Net's outputs will be ...",
    [sharper, same, softer],
)
question_extra

# %% [markdown]
# The third, from the same first weights and with the same crops in the same order:

# %%
both_terms = f"U-Net, MSE + {extra_name}"
trained[both_terms] = learn(both_terms, "unet", {"mse": 1.0} | extra)

# %% [markdown]
# The losses of the third run are of another kind, so compare the validation PSNR.

# %%
plotting.show_history({label: run.history for label, (_, run) in trained.items()})

# %% [markdown]
# In the quick profile the validation photographs are all of one scene, and a rough judge. On to the
# test photographs.

# %%
judged = {}
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
lesson.ledger.table()

# %% [markdown]
# Do they beat the best method without a network? And how much of the targets' detail do the outputs
# have?


# %%
@torch.no_grad()
def enhance(model, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(model(image[None].to(device))[0]).cpu()


best = baselines.scores[baselines.best]
print(f"{baselines.best}: {best.psnr:.2f} dB, SSIM {best.ssim:.3f}")
details = {}
for label, (model, _) in trained.items():
    its = judged[label]
    details[label] = fmean(detail(enhance(model, p.low)) / detail(p.normal) for p in test)
    print(f"{label}: {its.psnr:.2f} dB ({its.psnr - best.psnr:+.2f}), SSIM {its.ssim:.3f}, "
          f"detail {details[label]:.0%} of the targets'")  # fmt: skip

# %%
change = details[both_terms] / details["U-Net"] - 1
question_extra.reveal(
    sharper if change > 0.05 else softer if change < -0.05 else same,
    f"their detail changes by {change:+.0%}, PSNR by "
    f"{judged[both_terms].psnr - judged['U-Net'].psnr:+.2f} dB, SSIM by "
    f"{judged[both_terms].ssim - judged['U-Net'].ssim:+.3f}.",
)

# %% [markdown]
# One run each, of half a minute, and two runs that differ only in their seed may lie half a decibel
# apart. So do not read much into small differences. To know what the missing perceptual term costs,
# this training was run for two seeds with the features of a SqueezeNet in the loss. Detail
# rose from 63 % and 46 % of the targets' (MSE alone) to 105 % and 123 %, PSNR by 0.6 and 0.4 dB,
# and SSIM hardly moved (+0.006, -0.007). More detail than the target has cannot all be true: a part
# is grain that nobody photographed.
#
# Now look at the pictures:

# %%
shown = [test[i] for i in np.linspace(1, len(test) - 2, 3).astype(int)]
low, normal = [pair.low for pair in shown], [pair.normal for pair in shown]
outputs = {label: [enhance(model, x) for x in low] for label, (model, _) in trained.items()}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# And closely, where there is fine structure:

# %%
middle = len(shown) // 2
cut = (slice(None), slice(top, top + high), slice(left, left + wide))
close = [fitted_gamma(low[middle]), *(images[middle] for images in outputs.values())]
plotting.show_images(
    [image[cut] for image in [*close, normal[middle]]],
    [fitted, *trained, "target"],
    columns=3,
)

# %% [markdown]
# ### Fine stripes, after training
#
# Section 3 proved what the published network cannot do. Does it show once the networks are trained?
# Drag the period of dark stripes, and watch what comes out. The number is the contrast of the
# output's stripes, brightest less darkest, in levels of 255.


# %%
def contrast(image):
    line = image[:, 24:-24, 24:-24].mean(dim=(0, 1))
    return 255 * (line.max() - line.min()).item()


def show_stripes(period=4):
    given = stripes(period, 0)[0] - 0.15
    made = {label: enhance(trained[label][0], given) for label in ("U-Net", "U-Net proper")}
    pictures = {"input": given} | made
    centre = [image[:, 32:64, 24:72] for image in pictures.values()]
    marks = [f"contrast {contrast(image):.0f}" for image in pictures.values()]
    return plotting.show_images(centre, list(pictures), marks)


widgets.parameter_slider(show_stripes, frames=4, period=(2, 8, 2))

# %% [markdown]
# Both lose the finest stripes: in training, fine dark structure was mostly noise, and both learned
# to remove it. But only one of them could ever learn to keep it. Colours and contrast are off in
# both, since no photograph of the training looks like this.
#
# ## 8. Eight looks
#
# The network has been trained on turned and flipped crops, but it does not give *exactly* the
# turned output for a turned input. Average the eight answers and part of their errors cancels. This
# is called *self-ensemble*; it needs no training, and eight times the time.
#
# {{exercise ensemble}}
#
# `image` is `(3, H, W)`; `model` maps `(N, 3, H, W)` to the same shape. Turn the image with
# `torch.rot90(image, k % 4, dims=(-2, -1))`, and flip it (`.flip(-1)`) where `k >= 4`. Return the
# mean of the eight outputs, each turned back.


# %%
def my_ensemble(model, image):
    """Self-ensemble over the eight symmetries of the square -> (3, H, W)."""
    ### SOLUTION ensemble


# %% tags=["nbval-check-output"]
check.ensemble(my_ensemble)

# %% [markdown]
# {{answers ensemble}}

# %% [markdown]
# What is it worth here? On every third test photograph:

# %%
some_pairs = test.subset(range(0, len(test), 3))
for label in ("U-Net", "U-Net proper"):
    model = trained[label][0]
    single = metrics.evaluate(model, some_pairs)
    eight = metrics.evaluate(lambda x, m=model: check.ensemble.reference(m, x[0])[None], some_pairs)
    print(f"{label:12} alone {single.psnr:.2f} dB, SSIM {single.ssim:.3f}; "
          f"eight looks {eight.psnr:.2f} dB, SSIM {eight.ssim:.3f}")  # fmt: skip

# %% [markdown]
# ## 9. From photographs to video
#
# The published system also enhances video, frame by frame. In a video of a scene where nothing
# moves, only the noise changes. Every change of an output pixel is then *flicker*. Six frames of
# one photograph, with six draws of noise:

# %%
from llie_helpers.data.synthesis import darken

still = photo[:, : photo.shape[1] // 4 * 4, : photo.shape[2] // 4 * 4]
noise = torch.Generator().manual_seed(lesson.seed)
video = [darken(still, stops=3.5, photons=1000, generator=noise) for _ in range(6)]

steady, steadier, wilder = "about as much as gamma", "clearly less", "clearly more"
question_flicker = widgets.predict(
    f"The same frames are brightened by {fitted} and by the trained U-Net, each as the only "
    "method. Compared with gamma, the U-Net's output flickers ...",
    [steady, steadier, wilder],
)
question_flicker

# %% [markdown]
# Flicker is the standard deviation of each pixel over the frames, averaged over the picture.

# %%
methods = {fitted: fitted_gamma}
methods |= {label: partial(enhance, model) for label, (model, _) in trained.items()}
videos = {label: torch.stack([method(frame) for frame in video])
          for label, method in methods.items()}  # fmt: skip
flicker = {label: 255 * its.std(dim=0).mean().item() for label, its in videos.items()}
for label, size in flicker.items():
    print(f"{label:22} flicker {size:.1f} levels of 255")
share = flicker["U-Net"] / flicker[fitted]
question_flicker.reveal(
    steadier if share < 0.8 else wilder if share > 1.25 else steady,
    f"its flicker is {share:.0%} of gamma's.",
)

# %% [markdown]
# Step through the frames, enlarged: gamma, the U-Net, the U-Net with the second term.

# %%
three = [fitted, "U-Net", both_terms]
frames = [plotting.show_images([videos[label][i][cut] for label in three], three) for i in range(4)]
widgets.frames_slider(frames, range(1, 5), "frame")

# %% [markdown]
# Taking noise out takes flicker out. What is left is noise that the network took for structure, and
# a term that rewards structure leaves more of it. A method that looks at several frames at once
# could do better; lesson 09 measures that on video.
#
# ### Weights that took longer
#
# The course ships a U-Net of full width, trained on LOL v1 for an hour on one processor core. A
# field of 36 pixels cannot tell how bright a room should be, and shown dark photographs the network
# stayed below 18 dB on LOL's test images. So this one was shown photographs that the histogram
# mapper of lesson 02 had brightened, and `create_method` puts that mapper before it. (Lesson 05
# explains how to make such inputs without cheating.) On the same test photographs as yours:

# %%
shipped = metrics.evaluate(create_method("unet", "lol_v1", device), test)
print(f"shipped: {shipped.psnr:.2f} dB, SSIM {shipped.ssim:.3f}")

# %% [markdown]
# In the quick profile these are photographs that a computer darkened, of scenes unlike LOL's rooms.
# The model card has the score on LOL's own test images.

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - A weight is paid for wherever it is used: the published U-Net spends most of its arithmetic on
#   one skip connection, and a U-Net proper of the same size costs less than half.
# - A skip connection that leaves after max-pooling cannot carry the finest pattern, whatever the
#   weights. What a network cannot represent, no training teaches.
# - Under squared error the cheapest answer to an uncertain question is the mean of all answers, and
#   a mean of moved edges is a ramp.
# - Two images can have the same squared error and look quite different. Features that stay when
#   things move a little tell them apart.
# - A feature loss is paid with detail that may be invented.
# - Averaging the outputs over eight symmetries costs time and no training. Where noise is removed,
#   a video flickers less.
#
# **What failed**
#
# - Two poolings see 36 pixels. The U-Net sets its exposure from what is near, and uneven brightness
#   remains its main error on photographs as different as these.
# - In a first version the U-Net proper sometimes learned nothing and gave plain grey at 12 dB: with
#   PyTorch's usual first weights, signals fade away in its 14 layers. It now starts with larger
#   ones, after He et al., as its authors said in 2015.
# - With the edges made by hand, the cheapest image had specks: a loss that is easily satisfied is
#   satisfied easily.
# - Offline, SSIM stood in for the perceptual term. It is not the same: it compares patches in
#   place, and forgives no shift.
#
# ## Papers
#
# - O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional Networks for Biomedical Image
#   Segmentation. MICCAI 2015.
# - S. W. Zamir et al. Learning Enriched Features for Real Image Restoration and Enhancement. ECCV
#   2020. (MIRNet, which the published system simplifies)
# - J. Johnson, A. Alahi, L. Fei-Fei. Perceptual Losses for Real-Time Style Transfer and
#   Super-Resolution. ECCV 2016.
# - K. Simonyan, A. Zisserman. Very Deep Convolutional Networks for Large-Scale Image Recognition.
#   ICLR 2015. (VGG)
# - H. Zhao, O. Gallo, I. Frosio, J. Kautz. Loss Functions for Image Restoration with Neural
#   Networks. IEEE Transactions on Computational Imaging, 2017.
# - K. He, X. Zhang, S. Ren, J. Sun. Delving Deep into Rectifiers. ICCV 2015. (the first weights)
# - R. Timofte, R. Rothe, L. Van Gool. Seven Ways to Improve Example-Based Single Image Super
#   Resolution. CVPR 2016. (self-ensemble)
#
# **Next**: lesson 05 leaves the size alone from the first layer to the last, and lets lesson 02's
# histogram mapper set the exposure.
