# %% [markdown]
# # 08. An honest comparison
#
# Seven lessons, seven ways to brighten a photograph. Which is the best? The answer depends on what
# you ask for, and on how you measure: with a few choices that each look harmless, any of them can
# be made to win. This lesson lines all methods up under the one frozen protocol, shows every image,
# goes looking for failures, and then sets the traps one by one, so that you know them when you meet
# them in a paper, or in your own results.
#
# **You will be able to**
#
# - set quality against cost, and say which methods are worth having at all;
# - read a score image by image, and find what the failures have in common;
# - say whether a difference could be chance;
# - name eight ways in which a score can be too good, and say how much each is worth.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | 10 with a GPU, if lessons 03 to 07 have been run | 3 GB |

# %% [markdown]
# {{setup}}

# %%
import copy
import shutil
from functools import partial
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import display

from llie_helpers import data, metrics, models, paths, plotting, training
from llie_helpers.images import quantise
from llie_helpers.lessons import literature, quality, reruns, widgets
from llie_helpers.lessons.checks import lesson_08 as check
from llie_helpers.methods import as_method, create_method, histogram
from llie_helpers.models import cards
from llie_helpers.models.cost import gmacs
from llie_helpers.plotting.gallery import write_gallery
from llie_helpers.plotting.trade_off import Point, show_trade_off
from llie_helpers.tables import Table
from llie_helpers.timing import median_milliseconds
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. The candidates
#
# The same test pairs as in all lessons:

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# If you have run lessons 03 to 07 on this computer, the networks are *yours*, as the lessons left
# them. A training that you interrupted counts too, although it is unfinished, so run its lesson to
# the end first. The others are the copies that the course ships; their cards in
# `llie_helpers/weights` say how they were trained. What is in neither place is trained now.
#
# One row is not like the others on LOL v1: the `dual_branch` that the course ships was trained on
# LOL v1 *and on photographs*. More data is a fair way to a better network, and an unfair way to
# show that its design is better. So the list below says what each was trained on.

# %%
RUNS = {
    "mse_cnn": "03_mse_cnn/{}/mse_cnn",
    "unet": "04_unet/{}/unet",
    "residual": "05_residual/{}/residual",
    "pix2pix": "06_gan/{}/pix2pix",
    "fft_dual_branch": "07_fft_dual_branch/{}/fft_dual_branch",
    "dual_branch": "07_fft_dual_branch/{}/dual_branch",
}


def shipped_for(network):
    """Name of the weights that the course ships for this data, or None."""
    wanted = [name, "photographs"] if name == "lol_v1" else [name]
    return next((weights for weights in wanted if weights in models.shipped(network)), None)


def candidate(network):
    """A network ready to enhance, and whose it is."""
    own = paths.runs_dir() / RUNS[network].format(lesson.profile) / "best.safetensors"
    if own.is_file():
        return create_method(network, own, device), f"yours, trained on {name}"
    if weights := shipped_for(network):
        return create_method(network, weights, device), f"the course's, trained on {weights}"
    model = models.create_model(network).to(device)
    recipe = load_recipe(network, lesson.profile)
    training.fit(model, train, val, recipe, run_dir=lesson.run_dir(network), seed=lesson.seed)
    return as_method(model), f"trained now, on {name}"


# %% [markdown]
# Beside them are three methods without a network: a gamma curve tuned on the training pairs, CLAHE,
# and the histogram mapper of lesson 02, the number to beat. Not all of the networks beat it.

# %%
gamma = lessons.tune_gamma(train)
fitted = f"gamma {gamma}"
methods = {
    fitted: create_method("gamma", gamma=gamma),
    "CLAHE": create_method("clahe"),
    "histogram mapper": as_method(histogram.HistogramMapper().fit(train)),
}
for network in RUNS:
    methods[network], whose = candidate(network)
    print(f"{network:16} {whose}")

# %% [markdown]
# ## 2. One table
#
# All under one protocol, measured here and now: RGB, full size, output rounded to 8 bits, PSNR and
# SSIM of each image, then the mean. First your guess.

# %%
names = list(methods)
question_best = widgets.predict("Which method has the highest PSNR?", names)
question_best

# %% [markdown]
# Each result goes into the ledger. The table holds this lesson's rows only; `lesson.ledger.table()`
# would show all that you have ever measured.

# %%
judged = {}
for label, method in methods.items():
    judged[label] = metrics.evaluate(method, test)
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged[label],
        parameters=method.parameter_count,
        gmacs=gmacs(method.network) if label in RUNS else 0.0,
    )
lesson.ledger.table(lesson=lesson.name)

# %%
ranking = sorted(judged, key=lambda label: judged[label].psnr, reverse=True)
winner, second = ranking[:2]
question_best.reveal(winner, f"{judged[winner].psnr:.2f} dB, before {second} with "
                             f"{judged[second].psnr:.2f} dB.")  # fmt: skip

# %% [markdown]
# Three networks of six lose to the histogram mapper in PSNR, and all six beat it in SSIM. PSNR is
# mostly about the right brightness, SSIM about noise and structure. The GT-mean score is a
# diagnostic: it asks what would be left if the brightness were right. None of the three is "the
# quality".
#
# {{claim sum(judged[label].psnr < judged["histogram mapper"].psnr for label in RUNS) == 3}}
# {{claim all(judged[label].ssim > judged["histogram mapper"].ssim for label in RUNS)}}
#
# ## 3. Quality against cost
#
# A method is *dominated* if another one costs no more and is no worse, and differs from it in at
# least one of the two. Nobody has a reason to choose a dominated method. Those that are left form
# the *Pareto frontier*.
#
# {{exercise frontier}}
#
# `costs` and `qualities` are lists with one number for each method. Return the row numbers of the
# methods that no other dominates. Of two equal ones keep both.


# %%
def my_frontier(costs, qualities):
    """Row numbers of the methods that are not dominated -> list of int."""
    ### SOLUTION frontier


# %% tags=["nbval-check-output"]
my_frontier = check.frontier(my_frontier)

# %% [markdown]
# {{answers frontier}}

# %% [markdown]
# Two costs: time for a megapixel, on the device that this lesson runs on, and parameters, that is,
# the size of a download. Time is on a logarithmic axis, so a step to the right is a factor.


# %%
def show_frontier(points, cost, quality):
    """Plot quality against cost -> labels of the methods that are not dominated."""
    display(show_trade_off(points, cost, quality))
    kept = my_frontier([point.cost for point in points], [point.quality for point in points])
    labels = [points[i].label for i in sorted(kept)]
    print("not dominated:", ", ".join(labels))
    return labels


points = [Point(label, its.ms_per_megapixel, its.psnr) for label, its in judged.items()]
_ = show_frontier(points, "milliseconds for a megapixel", "PSNR (dB)")

# %% [markdown]
# The same for SSIM and parameters, among networks:

# %%
points = [Point(label, method.parameter_count, judged[label].ssim)
          for label, method in methods.items() if label in RUNS]  # fmt: skip
_ = show_frontier(points, "parameters", "SSIM")

# %% [markdown]
# In the quick profile, the U-Net, the residual network, the GAN and the published dual branch are a
# fraction of their size, or were made for small crops. Only long trainings show what they can do at
# full size.
#
# ### Among published networks
#
# Those trainings are on LOL v1, and where the label says so on photographs as well. Hollow points
# are networks of others on its 15 test images: circles as their papers published them, squares with
# the authors' weights under our protocol. Full points are the weights that the course ships; each
# has a card with its recipe, and one command measures it again.

# %%
shipped = {card.model if card.data == "lol_v1" else f"{card.model} + {card.data}": card
           for card in cards.shipped_cards() if card.data != "embedded"}  # fmt: skip
points = [Point(label, card.parameters, card.scores["test"]["psnr"])
          for label, card in shipped.items()]  # fmt: skip
points += [Point(peer.name, peer.parameters, peer.psnr, peer.source) for peer in literature.PEERS]
small = show_frontier(points, "parameters", "PSNR on eval15 (dB)")
ours_best = max(point.quality for point in points if point.label in shipped)
better = [point.label for point in points if point.cost < 1e5 and point.quality > ours_best]
print(f"better than ours ({ours_best:.2f} dB), and smaller than 100,000:", ", ".join(better))

# %% [markdown]
# By your own function, none of the course's networks is worth its parameters here: four smaller
# ones of others, LYT-Net, CPGA-Net+, CPGA-Net++ and IAT, score higher than any of them. Part of
# that is better design. Another part may be memory, for a reason that lesson 01 measured: 14 of the
# 15 test images show a scene that the training images show too, and copying the most similar
# training target scores 23.50 dB. A point that high may remember more than it enhances. The cards
# therefore also give the score on scenes that training never saw.
#
# {{claim not set(small) & set(shipped)}}
# {{claim set(better) == {"LYT-Net", "CPGA-Net+", "CPGA-Net++", "IAT"}}}
#
# And against time: one image of 600 x 400, float32, on CPU cores. Where a network needs the
# histogram mapper, it is included. The hollow points were measured on two cores of another
# computer, so compare factors, not milliseconds.

# %%
image = torch.rand(1, 3, 400, 600)
points = [Point(label,
                median_milliseconds(partial(create_method(card.model, card.data), image), 2),
                card.scores["test"]["psnr"]) for label, card in shipped.items()]  # fmt: skip
points += [Point(peer.name, 1e3 * peer.seconds, peer.psnr, peer.source)
           for peer in literature.PEERS if peer.seconds]  # fmt: skip
_ = show_frontier(points, "milliseconds for 600 x 400 on a CPU", "PSNR on eval15 (dB)")

# %% [markdown]
# In time the picture is another: `dual_branch` works at a quarter of the size, where a layer costs
# a sixteenth. Which cost counts depends on where the network is to run.
#
# ## 4. Image by image
#
# A mean over images hides images. Walk through the test photographs, method by method.


# %%
@torch.no_grad()
def output(method, low):
    """(3, H, W) -> (3, H, W), in 8-bit steps."""
    return quantise(method(low[None].to(device))[0]).cpu()


outputs = {label: [output(method, pair.low) for pair in test] for label, method in methods.items()}
middle = len(test) // 2


def show_one(method=winner, image=middle):
    """A test photograph: dark, enhanced by a method, and the target."""
    low, _, pair_name, _ = test[image]
    row = judged[method].per_image[image]
    score = f"{row['psnr']:.1f} dB, SSIM {row['ssim']:.2f}"
    return plotting.show_images([low, outputs[method][image], test[image].normal],
                                [pair_name, method, "target"], ["", score, ""])  # fmt: skip


widgets.parameter_slider(show_one, frames=len(methods), method=names, image=(0, len(test) - 1))

# %% [markdown]
# ### The gallery
#
# All test images with all methods on one page, to scroll through, side by side, with their scores.
# Open it in a browser; `gallery.md` beside it shows the same on GitHub. Look at it before you
# believe a table.

# %%
folder = lesson.run_dir("pages") / "gallery"
shutil.rmtree(folder, ignore_errors=True)
write_gallery({label: methods[label] for label in (fitted, *RUNS)}, test, folder)
written = sorted(path.name for path in folder.iterdir())
print(", ".join(written), f"and {len(list((folder / 'images').iterdir()))} images in it")

# %% [markdown]
# The same from a shell, with the weights that the course ships:
#
#     python -m llie_helpers gallery clahe mse_cnn dual_branch --data lol_v1 -o gallery
#
# ## 5. Where they fail
#
# Do not pick failures by eye: you would find those that you look for. Let the numbers pick. The
# worst image of each method:

# %%
for label, its in judged.items():
    worst = min(its.per_image, key=lambda row: row["psnr"])
    best = max(its.per_image, key=lambda row: row["psnr"])
    print(f"{label:16} worst {worst['name']:20} {worst['psnr']:5.2f} dB "
          f"(GT-mean {worst['psnr_gt_mean']:5.2f}); best {best['name']:20} "
          f"{best['psnr']:5.2f} dB")  # fmt: skip

# %% [markdown]
# In pictures, the worst of the last four:

# %%
shown = list(RUNS)[2:]
index = {label: int(np.argmin([row["psnr"] for row in judged[label].per_image])) for label in shown}
worst_of = [outputs[label][i] for label, i in index.items()]
targets = [test[i].normal for i in index.values()]
scores = [f"{judged[label].per_image[i]['psnr']:.1f} dB" for label, i in index.items()]
plotting.show_images([*worst_of, *targets], [*shown, *["target"] * 4], [*scores, *[""] * 4],
                     columns=4)  # fmt: skip

# %%
light, noise, both = "mostly brightness", "mostly noise and detail", "about half of each"
question_failure = widgets.predict(
    "Take the worst image of each network. What is most of its squared error made of?",
    [light, noise, both],
)
question_failure

# %% [markdown]
# GT-mean scales the output to the target's mean brightness. What that takes away of the squared
# error was brightness; the rest is noise, detail and colour.


# %%
def brightness_share(row):
    """Share of the squared error that one gain removes."""
    return 1 - 10 ** ((row["psnr"] - row["psnr_gt_mean"]) / 10)


worst_rows = [min(judged[label].per_image, key=lambda row: row["psnr"]) for label in RUNS]
share = fmean(brightness_share(row) for row in worst_rows)
for label, row in zip(RUNS, worst_rows, strict=True):
    print(f"{label:16} {row['name']:20} {brightness_share(row):4.0%}")
question_failure.reveal(
    light if share > 0.6 else noise if share < 0.4 else both,
    f"one gain per image would remove {share:.0%} of it on the average.",
)  # fmt: skip

# %% [markdown]
# So do they fail together? Correlate the methods' scores over the images:

# %%
table = np.array([[row["psnr"] for row in judged[label].per_image] for label in names])
figure = plotting.CourseFigure(
    8.5, 5, alt="Correlations of the methods' PSNR over the test images, a square for each two "
    "methods, from red for -1 to blue for 1.")  # fmt: skip
axis = figure.subplots()
picture = axis.imshow(np.corrcoef(table), vmin=-1, vmax=1, cmap="RdBu")
axis.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
axis.set_yticks(range(len(names)), names)
axis.grid(False)
figure.colorbar(picture, label="correlation of PSNR over the test images")
figure

# %% [markdown]
# Where two rows are deep blue, the two methods find the same images hard, though they have nothing
# in common but the photographs. The photographs decide. Red means the opposite: what one method
# finds hard is easy for the other, as when one always comes out too bright and the other too dark.
#
# ## 6. In other light
#
# LOL v1 and the pairs above hold dark photographs only. A method that brightens everything by the
# same factor can score well on them, and would ruin a photograph in which only the shadows are
# dark, or none. So the course scores every method in three kinds of light, on the embedded test
# photographs: in the *dark* (2 to 5 stops, with noise and a colour cast); *backlit*, where only the
# shadows lose light; and in *full* light, where nothing should change. These are the weights that
# the course ships, scored by `python tools/bench.py quality`. *Whites kept* is the share of white
# pixels that stay white, *brightness* the mean compared with the target's, and CIEDE2000 the error
# of colours after GT-mean, lower is better.

# %%
in_light = quality.load()
for kind in ("dark", "backlit", "full"):
    display(quality.table(in_light, kind))
backlit = {method: scores["backlit"]["psnr"] for method, scores in in_light.items()}
on_lol = [method for method in in_light if method.endswith(" lol_v1")]
brighteners = ["gamma", "lime", "unet lol_v1", "residual lol_v1", "pix2pix lol_v1"]

# %% [markdown]
# Doing nothing (`identity`) is a strong baseline as soon as a photograph is not dark all over.
# Backlit, it has a higher PSNR than gamma, LIME and every network that has seen LOL v1 only. In
# full light these make the picture brighter although it needs nothing: gamma, LIME and the networks
# of lessons 04 to 06 by 30 % and more. `dual_branch` adds light by place and brightness, never
# takes any away, and has seen photographs that were bright enough. The test is partly its home
# ground: its photographs were darkened by the same physics, though none of these was among them.
#
# {{claim all(backlit["identity"] > backlit[method] for method in (*brighteners, *on_lol))}}
# {{claim all(in_light[method]["full"]["brightness"] > 0.3 for method in brighteners)}}
#
# ### Let people judge
#
# No score sees what people see. `plotting.ranking.ranking` writes one HTML page that shows each of
# your photographs enhanced by several methods, in random order and without names. You rank them,
# the page counts how often each method came first, with an interval, and keeps your choices. From a
# shell:
#
#     python -m llie_helpers ranking photographs/ -m clahe -m lime -m dual_branch -o ranking.html
#
# Ask friends who do not know which method is yours.
#
# ## 7. Could it be chance?
#
# The first two of the table differ by a fraction of a decibel, or by several. Would the order hold
# on other photographs? There are no others, but there is the *bootstrap*: draw test images with
# replacement, as many as there are, again and again, and see how the mean difference varies. Both
# methods are scored on the same images, so take differences first.
#
# {{exercise interval}}
#
# `ours` and `theirs` hold the PSNR of N images each; `draws` is an integer array `(B, N)`, each row
# one draw of N image numbers. Return the 2.5th and the 97.5th percentile of the draws' mean
# difference, ours minus theirs.


# %%
def my_interval(ours, theirs, draws):
    """Ends of a 95 % interval of the mean difference -> (low, high)."""
    ### SOLUTION interval


# %% tags=["nbval-check-output"]
my_interval = check.interval(my_interval)

# %% [markdown]
# {{answers interval}}

# %% [markdown]
# The winner against each other method. An interval that holds 0 says: this test cannot tell them
# apart.

# %%
draws = np.random.default_rng(0).integers(len(test), size=(2000, len(test)))
psnr_of = dict(zip(names, table, strict=True))
for label in ranking[1:]:
    low_end, high_end = my_interval(psnr_of[winner], psnr_of[label], draws)
    verdict = "cannot be told apart" if low_end < 0 < high_end else ""
    difference = (psnr_of[winner] - psnr_of[label]).mean()
    print(f"{winner} - {label:16} {difference:5.2f} dB, 95 % in [{low_end:5.2f}, {high_end:5.2f}] "
          f"{verdict}")  # fmt: skip

# %% [markdown]
# Even this is too kind. The bootstrap takes the images to be independent, and they are not: in the
# quick profile they are three scenes at four exposures each. Draw whole *scenes* instead:

# %%
scene_names = sorted(set(test.scenes))
by_scene = {label: np.array([fmean(p for p, s in zip(psnrs, test.scenes, strict=True) if s == scene)
                             for scene in scene_names])
            for label, psnrs in psnr_of.items()}  # fmt: skip
draws = np.random.default_rng(0).integers(len(scene_names), size=(2000, len(scene_names)))
low_end, high_end = my_interval(by_scene[winner], by_scene[second], draws)
print(f"{winner} - {second}, {len(scene_names)} scenes: [{low_end:.2f}, {high_end:.2f}] dB")
for scene, ours, theirs in zip(scene_names, by_scene[winner], by_scene[second], strict=True):
    first_name = test.names[test.scenes.index(scene)]
    print(f"  scene of {first_name:20} {ours:.2f} against {theirs:.2f} dB")

# %% [markdown]
# Look at the scenes one by one. If the first place was won on one of them alone, the mean hides it.
# Here most of the lead comes from one scene of three, the cup of coffee. At night the winner is
# behind, because it makes the sky too bright. Three scenes are three observations, and no
# arithmetic makes more of them. LOL v1's 15 test images show 14 scenes, so differences of two or
# three tenths of a decibel between papers mean little. What can be repeated cheaply is the
# training: the cards give means over seeds where more than one was run.
#
# {{claim max(by_scene[winner] - by_scene[second]) > sum(by_scene[winner] - by_scene[second]) / 2}}
# {{claim min(by_scene[winner] - by_scene[second]) < 0}}
#
# ## 8. Traps
#
# Each of the following has been used to report results in this field, mostly in good faith. You
# measure what it is worth on the networks above. First two small tools.
#
# ### Trap 1: one mean for all
#
# PSNR is a logarithm, so it matters whether you average before or after it.
#
# {{exercise pooled}}
#
# `enhanced` and `normal` are batches `(N, 3, H, W)`. Return two numbers: the mean of the images'
# PSNR, and the PSNR of the mean squared error over the whole batch. `data_range` is 1.


# %%
def my_pooled(enhanced, normal):
    """Mean of PSNR, and PSNR of the mean error -> two scalars in dB."""
    ### SOLUTION pooled


# %% tags=["nbval-check-output"]
my_pooled = check.pooled(my_pooled)

# %% [markdown]
# {{answers pooled}}

# %% [markdown]
# The pooled score is never higher (the logarithm is concave), and the worst images rule it. How
# much does each network lose by it on the test images?

# %%
lost = {}
for label in RUNS:
    errors = [10 ** (-row["psnr"] / 10) for row in judged[label].per_image]
    together = -10 * np.log10(np.mean(errors))
    lost[label] = judged[label].psnr - together
    print(f"{label:16} mean {judged[label].psnr:5.2f} dB, pooled {together:5.2f} dB")

# %% [markdown]
# `dual_branch` loses most, because of the photographs of one scene that it makes far too bright,
# and loses the first place with it. Pooling is no cheat, but another quantity: never compare one
# with the other.
#
# {{claim max(lost, key=lost.get) == "dual_branch"}}
# {{claim max(RUNS, key=lambda label: judged[label].psnr - lost[label]) != "dual_branch"}}
#
# ### Trap 2: luma
#
# Some papers score the luma channel Y only, a habit from video coding.
#
# {{exercise luma}}
#
# `enhanced` and `normal` are images `(3, H, W)`, RGB in [0, 1]. Return the PSNR in dB of their luma
# `0.299 R + 0.587 G + 0.114 B`, with `data_range` 1.


# %%
def my_luma(enhanced, normal):
    """PSNR of luma -> scalar in dB."""
    ### SOLUTION luma


# %% tags=["nbval-check-output"]
my_luma = check.luma(my_luma)

# %% [markdown]
# {{answers luma}}

# %% [markdown]
# ### Traps 3 to 5
#
# - *GT-mean*: scale the output to the target's mean, "for a fair comparison". It needs the
#   target, which no user has.
# - *Resizing*: shrink output and target to 224 x 224 before scoring. Noise averages out, and fine
#   detail that is missing is missing in both.
# - *Data range*: tell the metric that white is 2, because images were in [-1, 1] once. Or, for
#   SSIM, that it is 255.

# %%
question_traps = widgets.predict(
    "Which of these raises the PSNR of our networks most?",
    ["luma only", "GT-mean", "resizing to 224 x 224", "data range 2"],
)
question_traps


# %%
def resized(image):
    return F.interpolate(image[None], (224, 224), mode="bilinear", antialias=True)[0]


def psnr(enhanced, normal):
    return metrics.psnr(enhanced, normal).item()


TRAPS = {
    "luma only": lambda e, n: float(my_luma(e, n)),
    "GT-mean": lambda e, n: psnr(metrics.match_gt_mean(e, n), n),
    "resizing to 224 x 224": lambda e, n: psnr(resized(e), resized(n)),
    "data range 2": lambda e, n: psnr(e, n) + 20 * np.log10(2),
}
trapped = {
    label: {trap: fmean(score(e, pair.normal) for e, pair in zip(its, test, strict=True))
            for trap, score in TRAPS.items()}
    for label, its in outputs.items()
}  # fmt: skip

# %% [markdown]
# What each is worth, for each method:

# %%
print(f"{'':16}  frozen   " + "".join(f"{trap:>22}" for trap in TRAPS))
for label, its in trapped.items():
    frozen = judged[label].psnr
    print(f"{label:16} {frozen:6.2f} dB" + "".join(f"{v - frozen:+19.2f} dB" for v in its.values()))
mean_gain = {trap: fmean(trapped[label][trap] - judged[label].psnr for label in RUNS)
             for trap in TRAPS}  # fmt: skip
top = max(mean_gain, key=mean_gain.get)
question_traps.reveal(top, f"{mean_gain[top]:+.2f} dB on the average of the networks.")

# %% [markdown]
# As a picture: without touching a network, one can choose its place in the table.

# %%
figure = plotting.CourseFigure(
    9, 4.4, alt="PSNR of each method under the frozen protocol and, higher, with each of the four "
    "tricks; the data range is worth most to nearly all.")  # fmt: skip
axis = figure.subplots()
for colour, trap in zip(plotting.COLOURS[1:], TRAPS, strict=False):
    axis.plot([its[trap] for its in trapped.values()], names, "o", color=colour, label=trap)
axis.plot([judged[label].psnr for label in names], names, "|", color="black", markersize=18,
          markeredgewidth=3, label="frozen protocol")  # fmt: skip
axis.set(xlabel="PSNR (dB)")
figure.legend(loc="outside upper center", ncols=3)
figure

# %% [markdown]
# SSIM has a data range too. Its two small constants grow with its square, and where they dwarf the
# image everything is similar to everything:

# %%
from torchmetrics.functional.image import structural_similarity_index_measure as raw_ssim

dark, normal = test[0].low[None], test[0].normal[None]
for white in (1.0, 255.0):
    value = raw_ssim(dark, normal, data_range=white).item()
    print(f"dark photograph against its target, data_range {white:5.0f}: SSIM {value:.4f}")

# %% [markdown]
# An SSIM of nearly 1 for an image that is nearly black. If a score looks too good, feed the metric
# something bad.
#
# ### Trap 6: the checkpoint chosen on the test
#
# Train on, score each epoch on the test set, and report the best epoch. Here is such a run: the
# dual branch goes on for a few short rounds, at a high rate, and is scored after each on validation
# *and* on test images.

# %%
small, medium, large = "less than 0.2 dB", "0.2 to 1 dB", "more than 1 dB"
question_peek = widgets.predict(
    "How far is the best test score of all rounds above that of the round which validates best?",
    [small, medium, large],
)
question_peek

# %% [markdown]
# Eight rounds:

# %%
walker = copy.deepcopy(methods["dual_branch"].network).requires_grad_(True)
rounds = load_recipe("dual_branch", lesson.profile).changed(
    epochs=1, schedule="constant", ema=0.0, snapshot_every=0, crops_per_epoch=96)  # fmt: skip
walk = []
for seed in range(8):
    run = training.fit(walker, train, val, rounds, run_dir=lesson.run_dir("walk"), seed=seed,
                       resume=False, progress=False)  # fmt: skip
    on_test = [psnr(output(walker, pair.low), pair.normal) for pair in test]
    walk.append((run.best["val_psnr"], np.array(on_test)))

# %%
honest = max(walk, key=lambda row: row[0])[1]
peeked = max(walk, key=lambda row: row[1].mean())[1]
advantage = peeked.mean() - honest.mean()
print("validation:", "  ".join(f"{val_psnr:5.2f}" for val_psnr, _ in walk))
print("test:      ", "  ".join(f"{scores.mean():5.2f}" for _, scores in walk))
question_peek.reveal(
    small if advantage < 0.2 else medium if advantage <= 1 else large,
    f"{peeked.mean():.2f} dB instead of {honest.mean():.2f} dB.",
)

# %% [markdown]
# (If both fell on the same round, nothing was gained by peeking this time. That is luck, and no
# defence.)
#
# Is a peeked checkpoint perhaps really better? Ask images that took no part in the choice. Let the
# validation pairs and each scene of the test choose a round in turn. How far above the mean of all
# rounds is the chosen one, on the images that chose it and on the others?

# %%
curves = {"validation": np.array([row[0] for row in walk])}
for scene in scene_names:
    mine = np.array(test.scenes) == scene
    curves[test.names[int(np.argmax(mine))]] = np.array([row[1][mine].mean() for row in walk])
above = {label: curve - curve.mean() for label, curve in curves.items()}
own, others = [], []
for label, curve in above.items():
    chosen = int(curve.argmax())
    own.append(curve[chosen])
    others.append(fmean(other[chosen] for name_, other in above.items() if name_ != label))
    print(f"chosen on {label:22} there {own[-1]:+5.2f} dB, elsewhere {others[-1]:+5.2f} dB")
print(f"{'mean':32} there {fmean(own):+5.2f} dB, elsewhere {fmean(others):+5.2f} dB")

# %% [markdown]
# A choice looks best on the images that made it. Part of that is in the network, part is chance
# that will not come again, and only images that took no part can tell. With hundreds of epochs
# instead of eight there is more to choose from, and more chance to collect.
#
# {{claim fmean(own) > fmean(others) + 0.1}}
#
# ### Trap 7: scenes that training has seen
#
# LOL's test images show scenes of its training images at another exposure. To see what that is
# worth, darken the targets of the *training* scenes once more, with exposures and noise that no
# network was trained on. The test scenes get the same treatment.
# Some photographs are easier than others, so the fitted gamma, which remembers nothing, says how
# much of the difference is in the photographs.

# %%
from llie_helpers.data.synthesis import darken


def photographed_again(pairs, scenes=6):
    """One target of each scene, in the dark at two new exposures -> list of (low, normal)."""
    generator = torch.Generator().manual_seed(8)
    firsts = list(dict(zip(pairs.scenes, pairs, strict=True)).values())
    return [(darken(pair.normal, stops, generator=generator), pair.normal)
            for pair in firsts[:scenes] for stops in (3.25, 4.25)]  # fmt: skip


seen, unseen = photographed_again(train), photographed_again(test)
memory = {label: [fmean(psnr(output(method, low), normal) for low, normal in photographs)
                  for photographs in (seen, unseen)]
          for label, method in methods.items() if label != "CLAHE"}  # fmt: skip

# %% [markdown]
# The last column is what is left after gamma's difference is taken off: memory.

# %%
seen_gamma, unseen_gamma = memory[fitted]
gains = {label: on_seen - on_unseen - (seen_gamma - unseen_gamma)
         for label, (on_seen, on_unseen) in memory.items()}  # fmt: skip
for label, (on_seen, on_unseen) in memory.items():
    print(f"{label:16} seen scenes {on_seen:5.2f} dB, unseen {on_unseen:5.2f} dB, "
          f"memory {gains[label]:+5.2f} dB")  # fmt: skip

# %% [markdown]
# The histogram mapper remembers most by far: with four training scenes, its trees know the answers
# by heart. Every network remembers some. Of these `dual_branch` remembers most: it decides the
# light by a thumbnail of the whole photograph, and four thumbnails are soon known. With LOL's
# hundreds of scenes it is harder to remember, but not impossible. If you test on scenes of the
# training set, you report the left column.
#
# {{claim max(gains, key=gains.get) == "histogram mapper"}}
# {{claim all(gains[network] > 0 for network in RUNS)}}
# {{claim max(RUNS, key=gains.get) == "dual_branch"}}
#
# ### Trap 8: a higher score that looks worse
#
# Take the winner's output for one photograph, and spoil it in two ways: make it a little too dark,
# or blur it.

# %%
dimmer, blurred = "the sharp one, half a stop too dark", "the blurred one (sigma 1.5 pixels)"
question_look = widgets.predict("Which of the two has the higher PSNR?", [dimmer, blurred])
question_look

# %% [markdown]
# The photograph is the one with the brightest target, and so that both start from the right
# brightness, the output is scaled to the target's mean first. Drag the blur until both have the
# same PSNR, and decide which of the two you would keep.

# %%
import cv2

brightest = int(np.argmax([pair.normal.mean() for pair in test]))
goal = test[brightest].normal
clean = metrics.match_gt_mean(outputs[winner][brightest], goal)
dim = clean * 2 ** (-1 / 2 / 2.2)  # half a stop of light, through the display's gamma


def blur(image, sigma):
    array = image.permute(1, 2, 0).numpy()
    return torch.from_numpy(cv2.GaussianBlur(array, (0, 0), sigma)).permute(2, 0, 1)


def show_blur(sigma=1.5):
    """A detail: sharp but half a stop too dark, blurred, and the target."""
    pictures = [dim, blur(clean, sigma), goal]
    marks = [f"{psnr(image, goal):.2f} dB" for image in pictures[:2]]
    return plotting.show_images([image[:, 60:200, 120:330] for image in pictures],
                                ["half a stop too dark", f"blurred, sigma {sigma:.1f}",
                                 "target"], [*marks, ""])  # fmt: skip


widgets.parameter_slider(show_blur, frames=6, sigma=(0.5, 3.0, 0.5))

# %% [markdown]
# At sigma 1.5:

# %%
of_dim, of_blurred = psnr(dim, goal), psnr(blur(clean, 1.5), goal)
question_look.reveal(
    dimmer if of_dim > of_blurred else blurred,
    f"{of_dim:.2f} dB for the dim one and {of_blurred:.2f} dB for the blurred one.",
)

# %% [markdown]
# Few would choose the blurred photograph: anybody can turn up half a stop, and lost detail does not
# come back. PSNR counts every pixel of an even shift and forgives what a
# blur takes away, because edges are few. This is also why networks trained on squared error blur
# (lesson 03). SSIM and LPIPS see more of it, and your own eyes on the gallery see most.
#
# ## 9. The five systems
#
# What the five systems that this course rebuilds reported, and what that number was measured on:

# %%
Table(["system", "reported", "measured on"],
      [(its.title, its.reported, its.measured_on) for its in literature.SYSTEMS])  # fmt: skip

# %% [markdown]
# No two numbers are of the same kind. To repair such a table, you have to run everything again. The
# course has done so twice, on LOL v1:
#
# - *their way*: trained and scored as the system does it, on the images that also chose its
#   weights; then the same weights under the frozen protocol, on the test images. Each of these rows
#   is one command, `python tools/reruns.py NETWORK --data lol_v1`;
# - *our way*: trained by the recipe of its lesson, weights chosen on scenes that are in neither
#   training nor test, scored under the frozen protocol. These are the weights of the cards.
#
# All of it ran on one processor core. So two runs are shorter than the systems' own: the dual
# branch has 40 of its 200 epochs; the GAN has 10 of its 100, at a quarter of the width, which takes
# `--option width=16`.

# %%
rows = []
for system in literature.SYSTEMS:
    again, card = reruns.kept(system.model), shipped.get(system.model)
    row = [f"{system.model} (lesson {system.lesson})", system.reported]
    row += ([f"{again.own}; {again.epochs} epochs, {again.parameters:,} parameters",
             str(again.frozen)] if again else ["-"] * 2)  # fmt: skip
    row += [f"{its['psnr']:.2f} dB, SSIM {its['ssim']:.3f}" if its else "-"
            for its in (card and card.scores[split] for split in ("test", "val"))]  # fmt: skip
    rows.append(row)
Table(["system", "reported", "re-run their way", "those weights, frozen protocol",
       "our way, frozen protocol", "our way, unseen scenes"], rows)  # fmt: skip

# %% [markdown]
# Read each row from left to right. The third column is what the system might have reported from
# this course's data. From there to the fourth column the weights stay the same. The scoring
# changes, and so do the images: from those that chose the weights to the test images. That does not
# make the systems bad; it makes their numbers useless for a choice between them.
#
# With its leak, the residual network repeats its published number to 0.15 dB. Scored without the
# leak, the same weights lose 5.4 dB. The dual branch does not repeat its own number: at the
# published learning rate it reaches 10 dB in 40 epochs, and the last ten of them brought 0.05 dB.
# Lesson 07 has shown why. What led to 18.64 dB is not among the settings that are known.
#
# {{claim abs(reruns.kept("residual").own.psnr - 24.57) < 0.15}}
# {{claim 5.3 < reruns.kept("residual").own.psnr - reruns.kept("residual").frozen.psnr < 5.5}}
# {{claim 9.5 < reruns.kept("fft_dual_branch").own.psnr < 10.5}}
#
# ## Recap
#
# **What you learned**
#
# - Fix the protocol before you compare, and write it down. Each small choice is worth decibels.
# - Show the trivial baseline, the cost, and every image. A mean hides the failures. In the worst
#   images, brightness is about half of the error or more.
# - Test where nothing should change, too. Doing nothing is a baseline.
# - A dozen images of three scenes are three observations. Ask for intervals, by scene.
# - A checkpoint is chosen on validation images, whose scenes neither training nor test shows.
# - PSNR is a proxy. Where it disagrees with your eyes, say so.
#
# **What failed**
#
# - The bootstrap over images gives narrow intervals for the wrong question; over three scenes it
#   says little more than the three numbers do.
# - In the quick profile most networks are miniatures. Their order here says nothing about their
#   order at full size.
# - LPIPS would be a better judge of blur, and its weights need a download (`pip install
#   torchvision`).
#
# ## Papers
#
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. Image Quality Assessment: From Error
#   Visibility to Structural Similarity. IEEE TIP 2004.
# - R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. The Unreasonable Effectiveness of Deep
#   Features as a Perceptual Metric. CVPR 2018.
# - Y. Blau, T. Michaeli. The Perception-Distortion Tradeoff. CVPR 2018.
# - B. Efron. Bootstrap Methods: Another Look at the Jackknife. Annals of Statistics 7, 1979.
# - J. Pineau et al. Improving Reproducibility in Machine Learning Research. JMLR 22, 2021.
# - C. Wei, W. Wang, W. Yang, J. Liu. Deep Retinex Decomposition for Low-Light Enhancement. BMVC
#   2018. (LOL v1)
#
# **Next**: lesson 09 takes `dual_branch`, with the weights trained on photographs as well, to your
# own photographs and videos.
