# %% [markdown]
# # 02. Explore before you train
#
# Before you spend an hour on training a network, spend one on looking. In this lesson you brighten
# photographs without any network: with curves that are decades old, and with decision trees that
# see nothing but a histogram. You also learn to score the result, and you fool the score on
# purpose, so that you notice when somebody else does it by accident.
#
# What you leave with is a number: the score of the best method without a network. Every network of
# the following lessons has to beat it.
#
# **You will be able to**
#
# - read a histogram, on a linear and on a logarithmic axis, and the percentiles in it;
# - test whether a correlation means anything, by destroying what it claims to measure;
# - compute PSNR and SSIM by hand, and say which of your pictures they will like too much;
# - tune a baseline without touching the test set;
# - predict the histogram of a photograph that was never taken, by quantile regression;
# - recognise a leak: scores of a model on data it has learned from.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | eight photographs that come with the installed libraries | 1 | 0.7 GB |
# | full | LOL v1, 500 real pairs | 3 | 3 GB |

# %% [markdown]
# {{setup}}

# %%
from dataclasses import replace

import cv2
import numpy as np
import torch

from llie_helpers import data, metrics, plotting
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_02 as check
from llie_helpers.methods import classical, histogram

# %% [markdown]
# ## 1. Look at the training pairs only
#
# Exploring is part of training: whatever you notice here steers your choices later. So you look at
# the training pairs as long as you like, try things out on the validation pairs, and leave the
# test pairs alone until a method is finished.

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# One training pair will accompany you. Below each photograph stands its mean value; 0 is black and
# 1 is white.

# %%
pair = train[len(train) * 5 // 8]
plotting.show_images(
    [pair.low, pair.normal],
    titles=["low", "normal"],
    scores=[f"mean {image.mean():.2f}" for image in (pair.low, pair.normal)],
)

# %% [markdown]
# ## 2. Histograms
#
# A *histogram* counts how many values an image holds at each of the 256 levels of an 8-bit file.
# It forgets where the pixels are and keeps how bright they are. Before you draw one, guess:

# %%
shares = ["less than a quarter", "a quarter to a half", "a half to nine tenths", "more"]
question_share = widgets.predict(
    "Which share of the values of the dark photograph lies below 0.2, in the lowest fifth of the "
    "range?",
    shares,
)
question_share

# %%
below, below_normal = ((image < 0.2).float().mean().item() for image in (pair.low, pair.normal))
question_share.reveal(
    shares[np.searchsorted([0.25, 0.5, 0.9], below)],
    f"{below:.0%} lie below 0.2; in the normal photograph it is {below_normal:.0%}.",
)

# %% [markdown]
# Three views of the same counts follow, one line per colour channel:
#
# - **counts**: what most programs show. One peak can flatten everything else.
# - **counts on a logarithmic axis**: rare values become visible, such as lamps, sky and noise.
# - **cumulative**: the share of values at or below a level, also called the *cumulative
#   distribution function* (CDF). It climbs from 0 to 1, steeply where there are many values.


# %%
def draw_histograms(axes, image):
    """Counts, counts on a logarithmic axis and cumulative shares, per channel."""
    for values, colour in zip(image, plotting.CHANNELS.values(), strict=True):
        counts = torch.histc(values, 256, 0, 1)
        edges = np.linspace(0, 1, 257)
        axes[0].stairs(counts, edges, color=colour)
        axes[1].stairs(counts, edges, color=colour)
        axes[2].stairs(counts.cumsum(0) / counts.sum(), edges, color=colour, baseline=None)
    axes[1].set_yscale("log")
    axes[2].set_ylim(0, 1.02)


# %% [markdown]
# The dark photograph is in the upper row, the normal one below it:

# %%
figure = plotting.CourseFigure(9, 4.4)
grid = figure.subplots(2, 3, sharex=True)
for row, side in zip(grid, ("low", "normal"), strict=True):
    draw_histograms(row, getattr(pair, side))
    row[0].set_ylabel(side)
for axis, title in zip(grid[0], ("counts", "counts, log axis", "cumulative"), strict=True):
    axis.set_title(title)
figure

# %% [markdown]
# Read the upper row from the right. The cumulative curve is done early: nearly all values are in
# the lower part of the range, and everything that the normal photograph spreads over 256 levels
# has to share the few that are left.

# %% tags=["nbval-check-output"]
for side in ("low", "normal"):
    levels = [len(torch.unique(channel)) for channel in getattr(pair, side)]
    print(f"{side:7} levels in use (red, green, blue): {levels}")

# %% [markdown]
# This is why brightening is not free. No curve can turn a few levels into 256: it moves them apart
# and leaves gaps, and it moves the noise apart with them. Keep this in mind for the slider of
# section 5.
#
# ## 3. Percentiles
#
# 256 counts are more than you need. The *p-th percentile* is the value below which p percent of
# the values lie: read the cumulative curve sideways, from the share to the value. The 50th
# percentile is the median. Here are five percentiles of both photographs, with an arrow from the
# dark to the bright one:

# %%
Q = (5, 25, 50, 75, 95)
figure = plotting.CourseFigure(7, 3.6)
axis = figure.subplots()
grey_low, grey_normal = (image.mean(0, keepdim=True) for image in (pair.low, pair.normal))
for values, label in ((grey_low, "low"), (grey_normal, "normal")):
    axis.plot(values.flatten().sort().values, np.linspace(0, 1, values.numel()), label=label)
starts, ends = (histogram.percentiles(image, Q)[0] for image in (grey_low, grey_normal))
for share, start, end in zip(Q, starts, ends, strict=True):
    axis.annotate("", (end, share / 100), (start, share / 100), arrowprops={"arrowstyle": "->"})
axis.set(xlabel="value", ylabel="share of pixels below", xlim=(0, 1))
axis.legend(loc="lower right")
figure

# %% [markdown]
# The arrows say what a method has to do for the brightness: move each percentile of the dark
# photograph to where the normal photograph has it. If you knew the ends of the arrows, you could
# draw the curve. So the question of this lesson is: **can the ends be predicted from the starts?**
#
# ### A correlation that means little
#
# A first answer is the correlation between the percentiles of the low and the normal photographs
# of the training set. Correlation is 1 where one value follows the other on a straight line, and 0
# where it says nothing about it. Take all percentiles of all photographs and channels in one pot:

# %%
low, normal = histogram.pair_percentiles(train, Q)


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


pooled = correlation(low, normal)
print(f"{low.size} pairs of percentiles, correlation {pooled:.2f}")

# %% [markdown]
# On LOL v1 this number is about 0.6, and it is easily taken as evidence that the histogram of the
# dark photograph predicts that of the bright one. Test it. Shuffle the pairs, so that each dark
# photograph meets the normal percentiles of *another* scene. If the correlation measures what it
# seems to, it must collapse.

# %%
remains = ["almost nothing", "about a third", "more than half"]
question_shuffle = widgets.predict("How much of the correlation survives the shuffling?", remains)
question_shuffle

# %%
rng = np.random.default_rng(lesson.seed)
scenes = np.array(train.scenes)


def shuffled_correlation():
    order = rng.permutation(len(train))
    other = scenes[order] != scenes
    return correlation(low[order][other], normal[other])


shuffled = np.mean([shuffled_correlation() for _ in range(50)])
question_shuffle.reveal(
    remains[np.searchsorted([0.15, 0.5], shuffled / pooled)],
    f"it falls from {pooled:.2f} to {shuffled:.2f}, although nothing belongs together any more.",
)

# %% [markdown]
# Every photograph has dark and bright tones: its 95th percentile is above its 5th, in the dark as
# in good light. That alone lines the pooled points up, left in the figure. The colours tell them
# apart: the question is whether *within one colour*, for one percentile, a brighter dark
# photograph means a brighter normal one. The heat map on the right answers it for each percentile
# of the one with each of the other.

# %%
matrix = [[correlation(low[..., i], normal[..., j]) for j in range(len(Q))] for i in range(len(Q))]
figure = plotting.CourseFigure(9, 3.9)
left, right = figure.subplots(1, 2)
for i, share in enumerate(Q):
    left.scatter(low[..., i], normal[..., i], s=9, label=f"{share}th")
left.set(xlabel="percentile of low", ylabel="percentile of normal", title="all in one pot")
left.legend(markerscale=2, handletextpad=0)
right.pcolormesh(np.array(matrix), vmin=-1, vmax=1, cmap="RdBu_r")
for (i, j), value in np.ndenumerate(matrix):
    colour = "w" if value > 0.7 else "k"
    right.text(j + 0.5, i + 0.5, f"{value:.2f}", ha="center", va="center", color=colour)
centres = np.arange(len(Q)) + 0.5
right.set(xticks=centres, xticklabels=Q, yticks=centres, yticklabels=Q, title="one by one")
right.set(xlabel="percentile of normal", ylabel="percentile of low", aspect="equal")
right.grid(False)
figure

# %% [markdown]
# The package computes both kinds at once:

# %%
found = histogram.percentile_correlation(train, Q)
print(f"in one pot: {found.pooled:.2f}, after shuffling: {shuffled:.2f}")
print("at each percentile:", " ".join(f"{value:.2f}" for value in found.at_each))
print(f"photographs behind these numbers: {len(set(train.scenes))}")

# %% [markdown]
# On the real pairs of LOL v1, this lesson in the full profile finds 0.61 in one pot, 0.53 after
# shuffling, and 0.2 to 0.3 at single percentiles. So most of the 0.6 says only that photographs
# have dark and bright tones. What is left is real and weak: a dark photograph tells you little
# about how bright its photographer wanted it.
#
# On the embedded pairs the values at single percentiles are higher, for two reasons. All were
# darkened by one formula. And they show few photographs, which the last line counts: with four
# independent points, large correlations arise by chance. **Count scenes, not rows.**

# %% [markdown]
# ## 4. A score, by hand
#
# To say that one picture is closer to the target than another, you need a number. The field
# reports two. The first is the *peak signal-to-noise ratio*, PSNR. Square the difference between
# output and target, average over all values of the image to get the *mean squared error* (MSE),
# and turn it into decibels:
#
# $$\mathrm{PSNR} = 10\,\log_{10}\frac{1^2}{\mathrm{MSE}} = -10\,\log_{10}\mathrm{MSE}$$
#
# The 1 is the range of the data, from black to white. A decibel is a tenth of a power of ten, so
# halving the error of every pixel gains 6 dB, wherever you start:

# %% tags=["nbval-check-output"]
for error in (0.4, 0.2, 0.1, 0.05, 0.025):
    print(f"every value off by {error:<5}  PSNR {-10 * np.log10(error**2):.1f} dB")

# %% [markdown]
# {{exercise psnr}}
#
# Write PSNR for a batch: images of shape `(N, 3, H, W)` in, `N` scores out.


# %%
def my_psnr(enhanced, normal):
    """PSNR of each image: two (N, 3, H, W) tensors in [0, 1] -> (N,) in dB."""
    ### SOLUTION psnr


# %% tags=["nbval-check-output"]
check.psnr(my_psnr)

# %% [markdown]
# {{answers psnr}}

# %% [markdown]
# PSNR compares pixel by pixel and does not know what a picture is. The second score, *structural
# similarity* (SSIM), compares small windows: 11x11 pixels, weighted by a Gaussian with sigma 1.5.
# In each window it takes the means, the variances and the covariance of output $x$ and target $y$:
#
# $$\mathrm{SSIM} = \underbrace{\frac{2\mu_x\mu_y + C_1}{\mu_x^2+\mu_y^2 + C_1}}_{\text{luminance}}
# \cdot\underbrace{\frac{2\sigma_{xy} + C_2}{\sigma_x^2+\sigma_y^2 + C_2}}_{\text{structure}}$$
#
# The first factor is 1 where the window's mean is right. The second is 1 where the same detail is
# there with the same contrast; detail that is not in the target pulls it to 0. The small constants
# $C_1 = 0.01^2$ and $C_2 = 0.03^2$ keep flat windows from dividing by zero.


# %%
def window_mean(image):
    """The mean in an 11x11 Gaussian window around each pixel, where the window fits."""
    blurred = cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (11, 11), 1.5)
    return torch.from_numpy(blurred).permute(2, 0, 1)[:, 5:-5, 5:-5]


# %% [markdown]
# A variance is the mean of the square minus the square of the mean, and a covariance likewise:


# %%
def ssim_factors(x, y, c1=0.01**2, c2=0.03**2):
    """SSIM's two factors at each pixel, for two (3, H, W) images."""
    mean_x, mean_y = window_mean(x), window_mean(y)
    variance_x = window_mean(x * x) - mean_x**2
    variance_y = window_mean(y * y) - mean_y**2
    covariance = window_mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return luminance, structure


# %% [markdown]
# The mean of the product over all places and channels is the score. By hand and from the package,
# which scores every lesson of this course:

# %% tags=["nbval-check-output"]
luminance, structure = ssim_factors(pair.low, pair.normal)
by_hand, package = (luminance * structure).mean(), metrics.ssim(pair.low, pair.normal)
print(f"SSIM {by_hand:.3f}, package the same: {torch.allclose(by_hand, package, atol=1e-4)}")
print(f"mean luminance factor {luminance.mean():.2f}, mean structure factor {structure.mean():.2f}")

# %% [markdown]
# The package's `metrics.evaluate` fixes everything that people leave unsaid: RGB, full size,
# output clamped to [0, 1] and rounded to 8 bits, one score per image, then the mean over images.
#
# ### The same PSNR, five different pictures
#
# How much does PSNR see? Spoil the normal photograph in five ways and turn each up until the PSNR
# is the same, 20 dB. `strength` goes from 0 to 1.


# %%
def brighter(image, strength):
    return image + strength


def noisy(image, strength):
    return image + strength * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def hole(image, strength):
    image, side = image.clone(), int(strength * min(image.shape[1:]))
    top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
    image[:, top : top + side, left : left + side] = 0.5
    return image


# %% [markdown]
# Two more need OpenCV, which takes arrays of shape (H, W, 3):


# %%
def blurred(image, strength):
    soft = cv2.GaussianBlur(image.permute(1, 2, 0).numpy(), (0, 0), 0.1 + 40 * strength)
    return torch.from_numpy(soft).permute(2, 0, 1)


def moved(image, strength):
    array, shift = image.permute(1, 2, 0).numpy(), np.float32([[1, 0, 40 * strength], [0, 1, 0]])
    aside = cv2.warpAffine(array, shift, array.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(aside).permute(2, 0, 1)


# %% [markdown]
# A search finds the strength: PSNR falls as the strength grows, so halve the interval again and
# again.


# %%
def spoil(distort, image, target=20.0):
    """Distort ``image`` with the strength at which its PSNR is ``target`` dB."""
    weak, strong = 0.0, 1.0
    for _ in range(20):
        middle = (weak + strong) / 2
        if metrics.psnr(distort(image, middle).clamp(0, 1), image) > target:
            weak = middle
        else:
            strong = middle
    return distort(image, strong).clamp(0, 1)


distortions = {f.__name__: f for f in (brighter, hole, blurred, moved, noisy)}
detail = pair.normal[:, :, : pair.normal.shape[1]].contiguous()  # a square
spoilt = {label: spoil(f, detail) for label, f in distortions.items()}

# %% [markdown]
# By construction PSNR cannot tell them apart. Before you look:

# %%
question_ssim = widgets.predict(
    "All five have a PSNR of 20 dB. Which of them has the lowest SSIM?", list(distortions)
)
question_ssim

# %% [markdown]
# Above each picture its PSNR, below it the SSIM of every window as a map: white where the window
# agrees with the target, black where it does not.

# %%
similarity = {label: metrics.ssim(image, detail).item() for label, image in spoilt.items()}
maps = [torch.mul(*ssim_factors(image, detail)).clamp(0, 1) for image in spoilt.values()]
scores = [metrics.psnr(image, detail).item() for image in spoilt.values()]
plotting.show_images(
    [*spoilt.values(), *(window.mean(0).expand(3, -1, -1) for window in maps)],
    titles=[f"{label}\n{score:.1f} dB" for label, score in zip(spoilt, scores, strict=True)]
    + [f"SSIM {value:.2f}" for value in similarity.values()],
    columns=5,
)

# %%
lowest, highest = (pick(similarity, key=similarity.get) for pick in (min, max))
question_ssim.reveal(
    lowest,
    f"its SSIM is {similarity[lowest]:.2f}, while '{highest}' keeps {similarity[highest]:.2f}; "
    "neither score asks which of them you would rather look at.",
)

# %% [markdown]
# Two lessons for low light. A picture that is merely somewhat too bright loses as much PSNR as one
# with a hole in it, so PSNR on this task is mostly a contest in guessing the exposure. And grain
# that you hardly notice at arm's length costs far more SSIM than the hole does, so SSIM is mostly
# a contest in denoising.
#
# ## 5. Baselines without learning
#
# A *baseline* is what you get without effort. The four in `llie_helpers.classical` have been in
# use for decades, and each is worth a slider.
#
# ### Gamma
#
# The simplest curve is a power: `enhanced = low ** gamma`. It leaves black and white where they
# are and, with gamma below 1, lifts what lies between, dark tones most. Tune it yourself. Above
# the photograph stand its scores; the black outline is the histogram of the target.


# %%
def try_gamma(gamma=1.0):
    enhanced = quantise(classical.gamma(pair.low, gamma))
    figure = plotting.CourseFigure(7, 2.6)
    left, right = figure.subplots(1, 2)
    left.imshow(enhanced.permute(1, 2, 0))
    left.set(xticks=[], yticks=[], title=score_line(enhanced))
    right.hist(enhanced.flatten(), 128, range=(0, 1), color=plotting.COLOURS[0])
    right.hist(pair.normal.flatten(), 128, range=(0, 1), color="k", histtype="step")
    right.set(yticks=[], xlabel="value", ylim=(0, 0.06 * enhanced.numel()))
    return figure


def score_line(image):
    psnr, ssim = metrics.psnr(image, pair.normal), metrics.ssim(image, pair.normal)
    return f"{psnr.item():.1f} dB, SSIM {ssim.item():.2f}"


widgets.parameter_slider(try_gamma, frames=5, gamma=(0.1, 1.0, 0.05))

# %% [markdown]
# Note the gamma that scores best. Notice also the comb in the histogram: the levels move apart and
# the gaps stay empty. That is the shortage that you counted in section 2.
#
# You have just tuned on *one* photograph, with its target in sight. A setting has to serve
# photographs that you do not know. So choose it on the training pairs: score every gamma on each.

# %%
gammas = np.arange(0.1, 1.01, 0.05)
tuning = train.subset(range(0, len(train), lesson.choose(quick=1, full=8)))


def gamma_psnr(pair, gamma):
    return metrics.psnr(quantise(classical.gamma(pair.low, gamma)), pair.normal).item()


def gamma_scores(pairs):
    """PSNR of every gamma on every pair, (len(pairs), len(gammas))."""
    return np.array([[gamma_psnr(pair, gamma) for gamma in gammas] for pair in pairs])


tuning_scores = gamma_scores(tuning)
best_gamma = gammas[tuning_scores.mean(axis=0).argmax()]

# %% [markdown]
# Each thin line is one training pair, with a dot at its own best gamma. The thick line is their
# mean, and its peak is the gamma to take.

# %%
figure = plotting.CourseFigure(7, 3.2)
axis = figure.subplots()
axis.plot(gammas, tuning_scores.T, color="#BBBBBB", linewidth=1)
axis.plot(gammas[tuning_scores.argmax(axis=1)], tuning_scores.max(axis=1), "k.", markersize=5)
axis.plot(gammas, tuning_scores.mean(axis=0), linewidth=3, label="mean over training pairs")
axis.axvline(best_gamma, linestyle=":", color=plotting.COLOURS[1], label="chosen")
axis.set(xlabel="gamma", ylabel="PSNR (dB)")
axis.legend()
figure

# %% [markdown]
# What would be possible if each photograph could have its own gamma?

# %%
own_best = tuning_scores.max(axis=1).mean()
print(f"one gamma for all ({best_gamma:.2f}): {tuning_scores.mean(axis=0).max():.1f} dB")
print(f"each pair its own best:   {own_best:.1f} dB, but that choice looks at the target")

# %% [markdown]
# The dots lie far apart. No single gamma suits every photograph, and the gap between the two
# numbers is what a method could gain by choosing the brightness well, and nothing else.
#
# How much would you gain by cheating, that is, by choosing the one gamma on the test set? For this
# experiment alone you peek.

# %%
gains = ["less than 0.1 dB", "0.1 to 0.5 dB", "more than 0.5 dB"]
question_cheat = widgets.predict(
    "By how much does a gamma tuned on the test set beat the one tuned on training, on test?", gains
)
question_cheat

# %%
test_scores = gamma_scores(test).mean(axis=0)
honest, tuned_on_test = test_scores[gammas == best_gamma].item(), test_scores.max()
question_cheat.reveal(
    gains[np.searchsorted([0.1, 0.5], tuned_on_test - honest)],
    f"tuned on training {honest:.2f} dB, tuned on test {tuned_on_test:.2f} dB "
    f"with gamma {gammas[test_scores.argmax()]:.2f}.",
)

# %% [markdown]
# Whatever the difference is here, it comes from one parameter and a handful of candidates. A
# network's checkpoints are candidates too: choose among hundreds of them on the test set, and the
# difference goes straight into the result. This course chooses on `train` and `val`.
#
# {{exercise gamma_for_mean}}
#
# If one gamma does not suit all, let each photograph have its own: the one that gives it a chosen
# mean brightness. Write the search. `target` is the mean that `image ** gamma` shall have, within
# 0.001; it may be above or below the mean of the image.


# %%
def my_gamma_for_mean(image, target):
    """The gamma (a float) for which the mean of image ** gamma is ``target``."""
    ### SOLUTION gamma_for_mean


# %% tags=["nbval-check-output"]
check.gamma_for_mean(my_gamma_for_mean)

# %% [markdown]
# {{answers gamma_for_mean}}

# %% [markdown]
# The lesson goes on with the solution. As target it takes the mean brightness of the *training*
# photographs in good light: the only brightness you may know in advance.

# %%
usual_mean = np.mean([p.normal.mean().item() for p in train])


def auto_gamma(images):
    """Each image with the gamma that gives it the mean of the training photographs."""
    found = [check.gamma_for_mean_solution(image, usual_mean) for image in images]
    return torch.stack([image**gamma for image, gamma in zip(images, found, strict=True)])


print(f"mean of the normal training photographs: {usual_mean:.2f}")

# %% [markdown]
# ### Histogram equalisation
#
# A gamma curve has one parameter. *Histogram equalisation* takes its curve from the photograph:
# the cumulative histogram itself. Where many values crowd, the curve is steep and moves them
# apart; where there are none, it is flat. The result uses every brightness about equally often.
#
# {{exercise equalise}}
#
# Write it for one grey photograph. `levels` holds whole numbers from 0 to 255; the result lies in
# [0, 1], with the darkest level that occurs at 0 and the brightest at 1.


# %%
def my_equalise(levels):
    """Histogram equalisation: (H, W) uint8 with at least two levels -> (H, W) float in [0, 1]."""
    ### SOLUTION equalise


# %% tags=["nbval-check-output"]
check.equalise(my_equalise)

# %% [markdown]
# {{answers equalise}}

# %% [markdown]
# Equalising red, green and blue one by one would give all three the same histogram, whatever the
# colour of the scene. The package equalises the lightness only (the L of CIELAB) and keeps the
# colour values as they are. In a dark photograph these are faint, so the result looks grey. The
# slider goes from the dark photograph (0) to full equalisation (1).


# %%
def scored(enhanced):
    """A small figure of the photograph with its scores."""
    enhanced = quantise(enhanced)
    figure = plotting.CourseFigure(3.4, 2.6)
    axis = figure.subplots()
    axis.imshow(enhanced.permute(1, 2, 0))
    axis.set(xticks=[], yticks=[], title=score_line(enhanced))
    return figure


def try_equalisation(amount=1.0):
    return scored(torch.lerp(pair.low, classical.histogram_equalisation(pair.low), amount))


widgets.parameter_slider(try_equalisation, frames=3, amount=(0.0, 1.0, 0.05))

# %% [markdown]
# ### CLAHE
#
# Equalisation of the whole photograph lets a large dark area dictate the curve for everything.
# *Contrast-limited adaptive histogram equalisation* (CLAHE) makes one curve per tile and blends
# between them. It also cuts off histogram peaks at `clip` times the mean count: a curve that rises
# less steeply amplifies less noise. Move `clip` and watch the flat areas.


# %%
def try_clahe(clip=2.0):
    return scored(classical.clahe(pair.low, clip=clip))


widgets.parameter_slider(try_clahe, frames=3, clip=(1.0, 9.0, 0.5))

# %% [markdown]
# ### Retinex
#
# *Retinex* starts from physics: what reaches the camera is light times reflectance, pixel by
# pixel. Light varies slowly across a scene, so estimate it by a wide blur, and divide it away;
# what remains is how much each surface reflects. `sigma` is the width of the blur in pixels. A
# small one takes every soft shadow for a change of light and leaves an embossed grey world.


# %%
def try_retinex(sigma=80.0):
    return scored(classical.retinex(pair.low, sigmas=(sigma,)))


widgets.parameter_slider(try_retinex, frames=3, sigma=(5.0, 245.0, 10.0))

# %% [markdown]
# ### The table
#
# All baselines are finished now, so the test set may speak. *Identity* does nothing at all: a
# method below it does harm.


# %%
def tuned_gamma(images):
    return classical.gamma(images, best_gamma)


baselines = {
    "identity": classical.identity,
    "gamma 0.5": classical.gamma,
    "gamma, tuned": tuned_gamma,
    "gamma to usual mean": auto_gamma,
    "histogram equalisation": classical.histogram_equalisation,
    "CLAHE": classical.clahe,
    "Retinex": classical.retinex,
}
question_baseline = widgets.predict("Which has the highest PSNR on the test set?", list(baselines))
question_baseline

# %% tags=["nbval-check-output"]
results = {label: metrics.evaluate(method, test) for label, method in baselines.items()}
for label, result in results.items():
    print(f"{label:23} {result.psnr:5.2f} dB   SSIM {result.ssim:.3f}")

# %%
winner = max(results, key=lambda label: results[label].psnr)
by_ssim = max(results, key=lambda label: results[label].ssim)
question_baseline.reveal(winner, f"with {results[winner].psnr:.2f} dB; by SSIM it is {by_ssim}.")

# %% [markdown]
# One photograph of the test set under all of them. Look before you believe the table: which would
# you keep?

# %%
shown = test[1]
outputs = [quantise(method(shown.low[None])[0]) for method in baselines.values()]
plotting.show_images(
    [*outputs, shown.normal],
    titles=[*baselines, "target"],
    scores=[*(f"{metrics.psnr(image, shown.normal).item():.1f} dB" for image in outputs), ""],
    columns=4,
)

# %% [markdown]
# ## 6. Three ways to another number for the same picture
#
# You saw how single pictures fool the scores. Tables are fooled more often, and nobody needs to
# mean it. Take the outputs that you just scored and watch the numbers move.
#
# **Borrow the exposure.** Multiply each output by the factor that gives it the mean of the
# *target*. The result is called the GT-mean PSNR (GT for ground truth). KinD and LLFlow score
# this way, for example; LLFlow's authors say so openly (issue 8 of their repository). Beside
# the plain PSNR of others, such numbers mislead.

# %% tags=["nbval-check-output"]
for label in ("identity", "gamma 0.5", "gamma, tuned", "CLAHE"):
    result = results[label]
    print(f"{label:13} {result.psnr:5.2f} dB   GT-mean {result.psnr_gt_mean:5.2f} dB")

# %% [markdown]
# The target is not there when you enhance your own photograph, so this is no result. It is a good
# *diagnostic*: what it adds is the price of the wrong exposure, and what remains is noise, colour
# and curve. It can even turn the order around, as it does here for the two gammas. On the 15 test
# pairs of LOL v1, gamma 0.5 goes from 12.33 to 23.20 dB
# (`python -m llie_helpers evaluate --model gamma --data lol_v1 --split test`).
#
# **Shrink before scoring.** Resize output and target, here to 224x224, and score those.


# %%
def shrunk(image):
    size = {"size": (224, 224), "mode": "bilinear", "antialias": True}
    return torch.nn.functional.interpolate(image[None], **size)[0]


print("mean SSIM                full size   224x224")
for label in ("gamma, tuned", "histogram equalisation", "CLAHE"):
    outputs = [quantise(baselines[label](p.low[None])[0]) for p in test]
    small = [
        metrics.ssim(shrunk(o), shrunk(p.normal)).item() for o, p in zip(outputs, test, strict=True)
    ]
    print(f"{label:25}{results[label].ssim:9.3f} {np.mean(small):9.3f}")

# %% [markdown]
# Shrinking averages neighbouring pixels, and averaging removes noise: the scoring has done the
# denoising. On the 600x400 pixels of LOL v1 the gift to these three methods is 0.02 to 0.24.
#
# **Pool.** Average the squared errors of a whole batch and take one logarithm, instead of one PSNR
# per image. It is what `mse_loss` over a batch leads to, and the result depends on which images
# happen to share a batch.

# %%
errors = np.array([10 ** (-row["psnr"] / 10) for row in results["gamma, tuned"].per_image])


def psnr_in_batches(errors, size):
    batches = [errors[start : start + size] for start in range(0, len(errors), size)]
    return np.mean([-10 * np.log10(batch.mean()) for batch in batches])


for size in (1, 4, len(errors)):
    print(f"batches of {size:2}: {psnr_in_batches(errors, size):.2f} dB")
print(f"batches of  4, images shuffled: {psnr_in_batches(rng.permutation(errors), 4):.2f} dB")

# %% [markdown]
# Pooling can only lower the result, because the worst image of a batch dominates its mean error.
# So it is no way to cheat, but two papers that differ in it cannot be compared.
#
# ## 7. Predict the histogram
#
# Back to the question of section 3. Suppose you knew the percentiles of the target. Then you would
# know the curve: it takes each percentile of the dark photograph to its place. This is *histogram
# mapping*; with the target's true percentiles it shows about how far any such method can get.


# %%
def told_the_answer(pairs):
    """Mean PSNR when the target's own percentiles are used."""
    outputs = [histogram.map_histogram(p.low, histogram.percentiles(p.normal)) for p in pairs]
    psnrs = [metrics.psnr(quantise(o), p.normal) for o, p in zip(outputs, pairs, strict=True)]
    return torch.cat(psnrs).mean().item()


print(f"percentiles used: {', '.join(f'{q:g}' for q in histogram.Q)}")
print(f"validation pairs, told the answer: {told_the_answer(val):.1f} dB")
print(f"validation pairs, tuned gamma:     {metrics.evaluate(tuned_gamma, val).psnr:.1f} dB")

# %% [markdown]
# Between these two lines lies everything that a better guess of the percentiles can gain. So let a
# model guess them.
#
# ### The quantile loss
#
# Several normal photographs could belong to the same dark one, some brighter, some darker. A model
# that minimises the squared error predicts their mean. Minimise the *quantile loss* instead, also
# called pinball loss, and you can ask for the median, or for a value that only one in ten exceeds.
# For an actual value $a$, a prediction $p$ and a quantile $q$ between 0 and 1:
#
# $$L_q(a, p) = \max\bigl(q\,(a - p),\;(q - 1)\,(a - p)\bigr)$$
#
# {{exercise pinball}}
#
# Write it for tensors of any shape, averaged over all values.


# %%
def my_pinball(predicted, actual, quantile):
    """The quantile loss, a 0-d tensor."""
    ### SOLUTION pinball


# %% tags=["nbval-check-output"]
check.pinball(my_pinball)

# %% [markdown]
# {{answers pinball}}

# %% [markdown]
# On the left, the loss for an actual value of 0.5. With quantile 0.9 a prediction that is too low
# costs nine times as much as one that is too high, so it pays to aim high. On the right, one and
# the same prediction for all training photographs' median brightness: the best constant, the dot,
# is that quantile of the medians.

# %%
figure = plotting.CourseFigure(9, 3.4)
left, right = figure.subplots(1, 2)
guess = torch.linspace(0, 1, 201)
medians = torch.tensor(normal[..., Q.index(50)].ravel())
for q in (0.1, 0.5, 0.9):
    left.plot(guess, [check.pinball_solution(g, torch.tensor(0.5), q) for g in guess], label=q)
    losses = torch.stack([check.pinball_solution(g, medians, q) for g in guess])
    (line,) = right.plot(guess, losses)
    right.plot(guess[losses.argmin()], losses.min(), "o", color=line.get_color())
    right.axvline(np.quantile(medians, q), color=line.get_color(), linestyle=":", linewidth=1.5)
left.set(xlabel="prediction, actual value 0.5", ylabel="loss")
right.set(xlabel="one prediction for all medians", title="dotted: the quantiles themselves")
left.legend(title="quantile")
figure

# %% [markdown]
# ### Trees that see a histogram
#
# `HistogramMapper` minimises this loss with XGBoost, which adds up two hundred small decision
# trees, each correcting the ones before it. There is one row of data for each photograph, channel
# and percentile: the percentiles of the dark photograph go in, one percentile of the target comes
# out. No pixel is seen, only histograms. It trains in seconds.

# %%
mappers = {q: histogram.HistogramMapper(quantile=q).fit(train) for q in (0.1, 0.5, 0.9)}
mapper = mappers[0.5]
print(f"training rows: {len(train)} photographs x 3 channels x {len(histogram.Q)} percentiles")

# %% [markdown]
# The three quantiles were fitted apart and may contradict one another, the 0.1 above the 0.5
# (*quantile crossing*); sorting the three values repairs that.


# %%
def predicted_quantiles(image):
    """Target percentiles at the quantiles 0.1, 0.5 and 0.9, (3, channels, percentiles)."""
    return torch.stack([m.predict(image) for m in mappers.values()]).sort(dim=0).values


# %% [markdown]
# Here is a validation pair, of a photograph that the trees never saw. The line is the predicted
# curve, the band reaches from the prediction for quantile 0.1 to the one for 0.9, and the dots are
# the curve that the target asks for.

# %%
unseen = val[0]
start = histogram.percentiles(unseen.low)
wanted = histogram.percentiles(unseen.normal)

lower, predicted, upper = predicted_quantiles(unseen.low)

figure = plotting.CourseFigure(9, 3.2)
panels = figure.subplots(1, 3, sharey=True)
for i, (channel, colour) in enumerate(plotting.CHANNELS.items()):
    panels[i].plot(start[i], predicted[i], color=colour, label="predicted")
    panels[i].fill_between(start[i], lower[i], upper[i], color=colour, alpha=0.2)
    panels[i].plot(start[i], wanted[i], "k.", label="wanted")
    panels[i].set(title=channel, xlabel="value in low", ylim=(0, 1.03))
panels[0].set_ylabel("value in enhanced")
panels[0].legend(loc="lower right")
figure

# %% [markdown]
# The mapper sends every value through its channel's curve. Beside it stands the tuned gamma.

# %%
outputs = {"gamma, tuned": [tuned_gamma(unseen.low)], "mapper": [mapper(unseen.low)]}
plotting.show_results([unseen.low], outputs, [unseen.normal])

# %% [markdown]
# Do the bands tell the truth? Between the quantiles 0.1 and 0.9 eight of ten actual values should
# lie. Count them, on the pairs that the trees learned from and on those they did not:


# %%
def coverage(pairs):
    """Share of the targets' percentiles between the predictions for 0.1 and 0.9."""
    inside = []
    for p in pairs:
        wanted = histogram.percentiles(p.normal)
        lower, _, upper = predicted_quantiles(p.low)
        inside.append((lower <= wanted) & (wanted <= upper))
    return torch.cat(inside).float().mean().item()


print(f"training pairs {coverage(tuning):.0%}, validation pairs {coverage(val):.0%}, promised 80%")

# %% [markdown]
# ## 8. The leak
#
# How good is the mapper, then? Score it on the pairs that you have at hand:


# %%
def mapped_psnr(pairs, targets):
    """PSNR of each pair when its low image is given the percentiles ``targets``."""
    outputs = [histogram.map_histogram(p.low, t) for p, t in zip(pairs, targets, strict=True)]
    psnrs = [metrics.psnr(quantise(o), p.normal) for o, p in zip(outputs, pairs, strict=True)]
    return torch.cat(psnrs).numpy()


in_sample = mapped_psnr(tuning, [mapper.predict(p.low) for p in tuning])
on_gamma = tuning_scores.mean(axis=0).max()
print(f"training pairs: tuned gamma {on_gamma:.1f} dB, mapper {in_sample.mean():.1f} dB")

# %% [markdown]
# A large gain, and worthless as evidence. The trees were fitted to these very targets, so what you
# scored is partly memory. Before you measure how much of it, guess:

# %%
drops = ["less than 1 dB", "1 to 3 dB", "3 to 6 dB", "more than 6 dB"]
question_leak = widgets.predict(
    "By how much does the mapper's score fall on photographs that it never saw?", drops
)
question_leak

# %% [markdown]
# To score *all* training pairs honestly, predict each with a mapper that has not seen it. Split
# the pairs into parts, called folds; predict each fold with a mapper fitted on the others. This is
# *cross-fitting*. But what is a fold? The same photograph stands in the training set more than
# once, in other darkenings here, in other exposures and near-duplicates in LOL. If one of them is
# in the training part, its brother gives the answer away.
#
# {{exercise honest_predictions}}
#
# Here is the function as one meets it, leak included. Find what is wrong and write it so that no
# prediction comes from a model that saw the same *scene*.
#
# ```python
# def predictions(features, targets, scenes, fit):
#     model = fit(features, targets)
#     return model.predict(features)
# ```
#
# All arguments are numpy arrays with one row per photograph: `features` (N, F), `targets` (N, T),
# `scenes` (N,). `fit(features, targets)` returns a new model with a method `predict(features)`.


# %%
def my_honest_predictions(features, targets, scenes, fit):
    """Predictions (N, T), in the order of the rows, each by a model that never saw its scene."""
    ### SOLUTION honest_predictions


# %% tags=["nbval-check-output"]
check.honest_predictions(my_honest_predictions)

# %% [markdown]
# {{answers honest_predictions}}

# %% [markdown]
# The package's `cross_fit` does this, in a few folds of whole scenes. For comparison, the careless
# version: the same function, told that every pair is a scene of its own.

# %%
FOLDS = 4
by_scene = histogram.cross_fit(train, FOLDS)
careless = histogram.cross_fit(replace(train, scenes=tuple(range(len(train)))), FOLDS)
rows = [train.names.index(name) for name in tuning.names]
honest_psnr = mapped_psnr(tuning, by_scene[rows])
careless_psnr = mapped_psnr(tuning, careless[rows])

# %% [markdown]
# Now the test set:

# %%
results["histogram mapper"] = metrics.evaluate(mapper, test)

# %% [markdown]
# The bars above the line show one and the same method on the same training
# pairs; they differ only in what it was allowed to see. Vermilion is a leak, grey the baseline.

# %%
honest_colour, leak = plotting.COLOURS[:2]
bars = {
    "test: tuned gamma": (results["gamma, tuned"].psnr, plotting.GREY),
    "test: mapper": (results["histogram mapper"].psnr, honest_colour),
    "train: tuned gamma": (on_gamma, plotting.GREY),
    "train: mapper, scenes kept apart": (honest_psnr.mean(), honest_colour),
    "train: mapper, pairs kept apart": (careless_psnr.mean(), leak),
    "train: mapper, saw everything": (in_sample.mean(), leak),
}

# %%
figure = plotting.CourseFigure(8, 3)
axis = figure.subplots()
values, colours = zip(*bars.values(), strict=True)
axis.bar_label(axis.barh(list(bars), values, color=colours), fmt="%.1f", padding=4)
axis.axhline(1.5, color="k", linewidth=1)
axis.set(xlabel="PSNR (dB)", xlim=(0, max(values) + 2))
axis.grid(axis="y", visible=False)
figure

# %%
drop = in_sample.mean() - honest_psnr.mean()
question_leak.reveal(
    drops[np.searchsorted([1, 3, 6], drop)],
    f"{in_sample.mean():.1f} dB on pairs it saw, {careless_psnr.mean():.1f} dB when only the pair "
    f"itself was held out, {honest_psnr.mean():.1f} dB when its whole scene was.",
)

# %% [markdown]
# Two leaks, then, and the second is the quiet one: the pair itself was held out, and still its
# brothers told the answer.
#
# One of the five published systems that this course rebuilds feeds a network with histogram-mapped
# images and reports 24.57 dB after five epochs. Its regressor had been fitted on all images, those
# of the network's validation included, so the network was tested on inputs that carried their
# targets inside. On LOL v1, in the full profile, this lesson finds for the mapper alone, with no
# network behind it:
#
# | LOL v1 | tuned gamma | mapper |
# | --- | --- | --- |
# | training pairs, mapper saw everything | 16.9 dB | 23.9 dB |
# | training pairs, pairs kept apart | 16.9 dB | 20.1 dB |
# | training pairs, scenes kept apart | 16.9 dB | 19.7 dB |
# | test pairs | 16.9 dB | 19.6 dB |
#
# With scenes kept apart, the training pairs foretell the test score. That is what an honest
# estimate is for. On the embedded photographs it does not come as close: it rests on few
# photographs, and they differ widely.

# %%
for scene in dict.fromkeys(tuning.scenes):
    members = [i for i, other in enumerate(tuning.scenes) if other == scene]
    if len(members) > 2:
        label = tuning.names[members[0]].split("_")[0]
        print(f"{label:10} {honest_psnr[members].mean():.1f} dB, mean of {len(members)} pairs")

# %% [markdown]
# Two things follow for the rest of the course. An input that a model predicts, such as the
# histogram-mapped photographs of lesson 05, must be cross-fitted by scene before a network trains
# on it. And a training score is never evidence.
#
# ## 9. The number to beat
#
# All scores on the test set go into the ledger, the file in which every lesson puts its results.
# Lesson 08 compares them all.

# %%
for label, result in results.items():
    lesson.record(model=label, data=name, split="test", evaluation=result)
best = max(results, key=lambda label: results[label].psnr)
print(f"to beat on {test.title}: {best}, {results[best].psnr:.2f} dB")
lesson.ledger.table()

# %% [markdown]
# Look once more at the mapper's photograph in section 7. Its brightness is about right, and the
# grain is all there. A curve moves values; it cannot tell noise from detail, because a histogram
# does not know which pixels are neighbours. That takes a network, and you train one in the next
# lesson.
#
# ## Recap
#
# - A histogram keeps brightness and forgets places. A dark photograph uses few levels, and no
#   curve creates new ones.
# - A correlation needs a null: shuffle what should matter and measure again. Most of the pooled
#   0.6 between percentiles of dark and bright photographs survives it.
# - PSNR rewards the right exposure, SSIM rewards the absence of grain. Neither looks at the
#   picture.
# - Gain correction, resizing and pooling change a score without changing a pixel. Say what you
#   did.
# - Choose on training or validation data; every look at the test set costs.
# - A score on data that the model has seen measures memory. Siblings of the same scene count as
#   seen.
#
# **What failed.** Giving every photograph the usual brightness was a plausible idea and lost to
# one fixed gamma: a rocket at night is meant to be dark. Histogram equalisation and Retinex make
# dramatic pictures and poor scores. The 80 % bands of the mapper held far less on new photographs.
# And a few embedded photographs are too few to tell how good the mapper is; for that you need the
# full profile.
#
# ## Papers
#
# - R. Koenker, G. Bassett: Regression quantiles. *Econometrica* 46, 1978.
# - V. Chernozhukov, I. Fernández-Val, A. Galichon: Quantile and probability curves without
#   crossing. *Econometrica* 78, 2010.
# - T. Chen, C. Guestrin: XGBoost: a scalable tree boosting system. KDD 2016.
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image quality assessment: from error
#   visibility to structural similarity. *IEEE Transactions on Image Processing* 13, 2004.
# - Z. Wang, A. C. Bovik: Mean squared error: love it or leave it? *IEEE Signal Processing
#   Magazine* 26, 2009. The idea of pictures with one error and different faces is theirs.
# - K. Zuiderveld: Contrast limited adaptive histogram equalization. *Graphics Gems IV*, 1994.
# - E. H. Land, J. J. McCann: Lightness and Retinex theory. *Journal of the Optical Society of
#   America* 61, 1971.
# - D. J. Jobson, Z. Rahman, G. A. Woodell: A multiscale Retinex for bridging the gap between color
#   images and the human observation of scenes. *IEEE Transactions on Image Processing* 6, 1997.
# - S. Kaufman, S. Rosset, C. Perlich, O. Stitelman: Leakage in data mining: formulation,
#   detection, and avoidance. *ACM Transactions on Knowledge Discovery from Data* 6, 2012.
# - C. Wei, W. Wang, W. Yang, J. Liu: Deep Retinex decomposition for low-light enhancement. BMVC
#   2018. The LOL data set.
# - J. Liao and others: GT-mean loss: a simple yet effective solution for brightness mismatch in
#   low-light image enhancement. ICCV 2025. On GT-mean scores, and how to train with them.
#
# **Next:** `03_mse_cnn`, the first network, and the first that has to beat these numbers.
