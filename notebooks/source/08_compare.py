# %% [markdown]
# # 08. An honest comparison
#
# Seven lessons, six networks, and one question: which is the best? Papers answer it with a table,
# and the best method is the one on top. You begin this lesson by trying to rig such a table. Then
# you make an honest one, and find out how much of *that* could be luck.
#
# **You will be able to**
#
# - set quality against cost, and say which methods are worth having at all;
# - read a score image by image, and in light that a method was not made for;
# - say whether a difference could be chance;
# - name eight ways in which a score misleads, and say how much each is worth.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs from the installed libraries; 1.5 minutes; 1 GB
#   of memory.
# - **Full profile**: LOL v1, 500 real pairs; 10 minutes with a GPU; 3 GB of memory.

# %% [markdown]
# {{setup}}

# %%
import copy
import re
from functools import partial
from itertools import combinations
from statistics import fmean

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from llie_helpers import data, metrics, models, paths, plotting, training
from llie_helpers.data.lighting_scenes import lighting_scenes
from llie_helpers.data.scenes import shared_scenes
from llie_helpers.data.synthesis import darken
from llie_helpers.images import quantise
from llie_helpers.lessons import literature, quality, reruns, widgets
from llie_helpers.lessons.checks import lesson_08 as check
from llie_helpers.methods import create_method
from llie_helpers.models import cards, weights
from llie_helpers.models.cost import gmacs
from llie_helpers.plotting.trade_off import Point, show_trade_off
from llie_helpers.tables import Table
from llie_helpers.timing import median_milliseconds
from llie_helpers.training.recipe import load_recipe

device = lesson.device
blue, vermilion = plotting.COLOURS[:2]

# %% [markdown]
# The test pairs are those of every lesson.

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# A network that you trained on this computer is *yours*, as its lesson left it. A training that was
# interrupted is listed as unfinished: finish it before you compare. The other networks are those
# that the course ships, trained on the same pairs. If a sentence below does not hold for yours,
# believe your numbers. (Section 5 says how much of such a difference is luck.)

# %% Find the networks, yours or the course's tags=["hide-input"]
LESSONS = {
    "mse_cnn": "03_mse_cnn",
    "unet": "04_unet",
    "residual": "05_residual",
    "pix2pix": "06_gan",
    "fft_dual_branch": "07_fft_dual_branch",
    "dual_branch": "07_fft_dual_branch",
}


def unfinished(folder):
    """How far an interrupted training came, or nothing."""
    record = folder / "history.json"
    if not record.is_file() or (history := training.load_history(record)).finished:
        return ""
    return f", unfinished: {len(history)} of {history.settings['recipe']['epochs']} epochs"


def candidate(network):
    """A network ready to enhance, and whose it is."""
    folder = paths.runs_dir() / LESSONS[network] / lesson.profile / network
    own = folder / "best.safetensors"
    owner = weights.read(own)[1] if own.is_file() else ""
    if owner in models.MODELS:
        return create_method(owner, own, device), f"yours{unfinished(folder)}"
    return create_method(network, name, device), f"the course's ({name})"


networks, whose = {}, {}
for network in LESSONS:
    networks[network], whose[network] = candidate(network)
    print(f"{network:16} {whose[network]}")

# %% [markdown]
# Beside them are three methods without a network: the gamma curve that was tuned on the training
# pairs; the histogram mapper, the number to beat; and the mapper with lesson 02's bilateral filter
# behind it, whose strength the training pairs choose too.

# %%
baselines = lessons.baselines(train, test)
fitted, mapper, filtered = baselines.tuned_gamma, "histogram mapper", "mapper + filter"
by_mapper = baselines.methods[mapper]
by_filter = lessons.smoothed(by_mapper, lessons.tune_smoothing(by_mapper, train))
methods = {fitted: baselines.methods[fitted], mapper: by_mapper, filtered: by_filter} | networks
names = list(methods)
question_best = widgets.predict("Scored honestly, which has the highest PSNR?", names)
question_best

# %% [markdown]
# ## 1. Can you make your favourite win?
#
# Every method enhances the test photographs once, and is scored under the **frozen protocol**: in
# colour, at full size, each image by itself.


# %%
def output(method, low):
    """(3, H, W) -> (3, H, W), in 8-bit steps."""
    with torch.no_grad():
        return quantise(method(low[None].to(device))[0]).cpu()


def psnr(enhanced, normal):
    return metrics.psnr(enhanced, normal).item()


outputs = {label: [output(method, pair.low) for pair in test] for label, method in methods.items()}
frozen = {
    label: fmean(psnr(e, pair.normal) for e, pair in zip(its, test, strict=True))
    for label, its in outputs.items()
}
winner, second = sorted(names, key=frozen.get, reverse=True)[:2]
question_best.reveal(
    winner, f"{frozen[winner]:.2f} dB, before {second} with {frozen[second]:.2f} dB."
)

# %% [markdown]
# Now choose one method, and score *it* in another way. Each of these rules has been used in
# published comparisons, mostly in good faith:
#
# - **GT-mean**: scale the output to the mean of the target (the "ground truth") first;
# - **luma only**: compare a weighted grey, a habit from video coding;
# - **224 x 224**: make output and target small first;
# - **data range 2**: tell the score that white is 2, because images once were in [-1, 1];
# - **seen scenes**: photograph the scenes of the *training* again, in another darkness.


# %%
def luma(image):
    grey = (torch.tensor([0.299, 0.587, 0.114])[:, None, None] * image).sum(dim=0)
    return grey.expand_as(image)


def small(image):
    return F.interpolate(image[None], (224, 224), mode="bilinear", antialias=True)[0]


# What happens to output and target before they are compared.
RULES = {
    "GT-mean": lambda enhanced, normal: (metrics.match_gt_mean(enhanced, normal), normal),
    "luma only": lambda enhanced, normal: (luma(enhanced), luma(normal)),
    "224 x 224": lambda enhanced, normal: (small(enhanced), small(normal)),
    "data range 2": lambda enhanced, normal: (enhanced / 2, normal / 2),
}

# %% [markdown]
# A guess before you try:

# %%
none, one, several = "none of them", "one of them", "two or more"
question_rules = widgets.predict(
    "The histogram mapper never looks at the pixel next door, so it removes no noise. By how many "
    "of these five rules, applied to it alone, will it come first?",
    [none, one, several],
)
question_rules

# %% [markdown]
# Try each rule on the mapper. Then choose a favourite of your own. No network changes, and all
# other methods keep their honest scores.


# %% Score by every rule, and draw the rigged table tags=["hide-input"]
def photographed_again(pairs, scenes=6):
    """One target of each scene, in the dark at two new exposures -> list of (low, normal)."""
    generator = torch.Generator().manual_seed(8)
    firsts = list(dict(zip(pairs.scenes, pairs, strict=True)).values())
    return [
        (darken(pair.normal, stops, generator=generator), pair.normal)
        for pair in firsts[:scenes]
        for stops in (3.25, 4.25)
    ]


def on(photographs):
    """Mean PSNR of every method on pairs of (low, normal)."""
    return {
        label: fmean(psnr(output(method, low), normal) for low, normal in photographs)
        for label, method in methods.items()
    }


seen, unseen = on(photographed_again(train)), on(photographed_again(test))
rigged = {
    label: {"the frozen protocol": frozen[label]}
    | {
        rule: fmean(psnr(*change(e, pair.normal)) for e, pair in zip(its, test, strict=True))
        for rule, change in RULES.items()
    }
    | {"seen scenes": seen[label]}
    for label, its in outputs.items()
}


def show_favourite(scored_by="the frozen protocol", favourite=mapper):
    """Bars of PSNR, the highest on top; one method is scored by a rule of its own."""
    scores = frozen | {favourite: rigged[favourite][scored_by]}
    order = sorted(scores, key=scores.get)
    figure = plotting.CourseFigure(9, 3.6)
    axis = figure.subplots()
    colours = [vermilion if label == favourite else blue for label in order]
    bars = axis.barh(order, [scores[label] for label in order], color=colours)
    axis.bar_label(bars, fmt="%.2f", padding=4)
    place = len(order) - order.index(favourite)
    axis.set(title=f"{favourite}, scored by {scored_by}: place {place} of {len(order)}")
    axis.set(xlabel="PSNR (dB)")
    axis.margins(x=0.08)
    axis.grid(axis="y", visible=False)
    return figure


rules = list(rigged[mapper])
widgets.parameter_slider(show_favourite, frames=len(rules), scored_by=rules, favourite=names)

# %% [markdown]
# How often did the mapper win?

# %%
others = max(value for label, value in frozen.items() if label != mapper)
winning = [rule for rule in rules if rigged[mapper][rule] > others]
question_rules.reveal(
    several if len(winning) > 1 else one if winning else none,
    f"it comes first by {', '.join(winning)}.",
)

# %% [markdown]
# That took no training. Section 6 says what each rule is worth, and why. When you read a table, ask
# of each row: who scored it, and how?
#
# {{claim len(winning) >= 2}}
# {{claim frozen[mapper] < others - 1}}
#
# ## 2. One honest table
#
# All rows under one protocol, measured here and now. Beside the scores are three costs: parameters,
# billions of multiply-adds for 600 x 400 pixels (GMACs), and milliseconds for a megapixel. A row of
# the course's weights differs from what you saw in that network's lesson, where *your* network was
# scored.

# %% Measure every network and make the table tags=["hide-input"]
judged = {label: metrics.evaluate(methods[label], test) for label in (filtered, *networks)}
for label, method in networks.items():
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged[label],
        parameters=method.parameter_count,
        gmacs=gmacs(method.network),
    )
judged = baselines.scores | judged
rows = [
    [
        label,
        whose.get(label, ""),
        f"{its.psnr:.2f}",
        f"{its.ssim:.3f}",
        f"{its.psnr_gt_mean:.2f}",
        f"{networks[label].parameter_count:,}" if label in networks else "",
        f"{gmacs(networks[label].network):.1f}" if label in networks else "",
        f"{its.ms_per_megapixel:.0f}",
    ]
    for label, its in judged.items()
]
header = "method,whose,PSNR (dB),SSIM,GT-mean PSNR (dB),parameters,GMACs,ms/Mpx"
losing = [
    number
    for number, (label, its) in enumerate(judged.items())
    if label in networks and its.psnr < judged[mapper].psnr
]
Table(header.split(","), rows, dict.fromkeys(losing, vermilion))

# %% [markdown]
# The networks in orange lose to the histogram mapper in PSNR: half of them, or more. But all beat
# it in SSIM. Here PSNR is mostly about light and colour, SSIM about noise and structure. GT-mean
# PSNR corrects the brightness by the target, which no user has, so it is a diagnosis and not a
# result. None of the three is "the quality". And the bar is low: put a filter behind the mapper,
# and only `dual_branch` is ahead of it in either PSNR or SSIM.
#
# {{claim [it for it in networks if frozen[it] > frozen[filtered] - 0.2] == ["dual_branch"]}}
# {{claim max(judged[it].ssim for it in networks if it != winner) < judged[filtered].ssim - 0.01}}
# {{claim 3 <= len(losing) <= 4}}
# {{claim all(judged[label].ssim > judged[mapper].ssim for label in networks)}}
#
# Where do the two scores disagree? Compare the networks with the mapper in detail (green), then in
# local light and local colour (the two oranges).

# %%
plotting.show_error_parts({label: judged[label] for label in names})

# %% [markdown]
# Every network has less error in detail than the mapper, which leaves the noise: that is what SSIM
# sees. The filter changes detail and nothing else. What costs most networks PSNR is in the oranges:
# in local light the mapper is far ahead of all but `dual_branch`, and only `dual_branch` has less
# error in local colour. Yet even its bar is not the shortest. Some photographs come out far too
# bright, and a mean of *squared errors* is hard on those. Remember this for trap 1.
#
# {{claim judged[filtered].detail < 0.5 * judged[mapper].detail}}
# {{claim 0.9 < judged[filtered].brightness / judged[mapper].brightness < 1.1}}
# {{claim 0.8 < judged[filtered].light / judged[mapper].light < 1.2}}
# {{claim 0.9 < judged[filtered].colour / judged[mapper].colour < 1.1}}
# {{claim judged["dual_branch"].brightness > 3 * judged["dual_branch"].local}}
# {{claim all(judged[it].detail < 0.9 * judged[it].local for it in networks if it != winner)}}
# {{claim all(judged[it].detail < 0.95 * judged[mapper].detail for it in networks)}}
# {{claim all(judged[it].light > 2 * judged[mapper].light for it in networks if it != winner)}}
# {{claim judged["dual_branch"].light < 1.6 * judged[mapper].light}}
# {{claim [it for it in networks if judged[it].colour < judged[mapper].colour] == ["dual_branch"]}}
#
# ## 3. Quality and cost
#
# A method is *dominated* if another one is nowhere worse and somewhere better. Nobody has a reason
# to choose it. The methods that are left form the **Pareto frontier**.
#
# {{exercise frontier}}
#
# Both arguments are NumPy arrays. `qualities` holds a number for each of N methods, and a higher
# one is better. `costs` is `(N, K)`: K costs of each method, such as time and size, and lower ones
# are better. Return the row numbers of all methods that no other dominates. Two methods that are
# equal in everything do not dominate each other.


# %%
def my_frontier(costs, qualities):
    """Row numbers of the methods that are not dominated -> list of int."""
    ### SOLUTION frontier


# %% tags=["nbval-check-output"]
my_frontier = check.frontier(my_frontier)

# %% [markdown]
# {{answers frontier}}
#
# Your function now says which are worth having. One cost first: the time for a megapixel on the
# device that this lesson runs on. The axis is logarithmic, so equal steps to the right are equal
# factors. No point is above a ringed one and to its left.


# %%
def not_dominated(points):
    """Labels of the points on the frontier, the cheapest first; no paper's own score takes part."""
    points = [point for point in points if point.source != "published"]
    costs = np.array([[point.cost] for point in points])
    rows = my_frontier(costs, np.array([point.quality for point in points]))
    return [points[i].label for i in sorted(rows, key=lambda i: points[i].cost)]


def show_frontier(points, cost, quality):
    """Plot quality against cost, with a ring around each point of the frontier."""
    kept = not_dominated(points)
    figure = show_trade_off(points, cost, quality)
    for point in points:
        if point.label in kept:
            figure.axes[0].plot(
                point.cost, point.quality, "o", color=vermilion, fillstyle="none", markersize=13
            )
    figure.axes[0].set_title(f"not dominated: {', '.join(kept)}")
    figure.alt += f" Not dominated: {', '.join(kept)}."
    return figure


points = [Point(label, judged[label].ms_per_megapixel, judged[label].psnr) for label in names]
show_frontier(points, "milliseconds for a megapixel", "PSNR (dB)")

# %% [markdown]
# The mapper with its filter is an awkward neighbour. Of all networks only `dual_branch` scores
# higher, so any other has to be *faster* than a filter to be worth having.
#
# Now let a second cost count as well: the number of parameters. A curve and trees have none, so
# this is among the networks. (Nor are the trees counted that `residual` needs. With them, its
# download is larger than that of `dual_branch`.)

# %% Find the frontier by one cost, and by both tags=["hide-input"]
labels = list(networks)
time_and_size = np.array(
    [[judged[label].ms_per_megapixel, methods[label].parameter_count] for label in labels]
)
quality_of = np.array([judged[label].psnr for label in labels])
by_time, by_both = (
    [labels[i] for i in sorted(my_frontier(costs, quality_of))]
    for costs in (time_and_size[:, :1], time_and_size)
)
print("by time:         ", ", ".join(by_time))
print("by time and size:", ", ".join(by_both))

# %% [markdown]
# Networks join the frontier, and none leaves it: to dominate, a method now has to be no worse in
# one more number. With enough costs, every method has an excuse. So say which costs count *before*
# you measure.
#
# {{claim set(by_time) < set(by_both)}}
#
# ### Among published networks
#
# The networks above are trained for a minute in the quick profile, and three of them are narrowed.
# The course also ships weights of all six that were trained on LOL v1. This is how they score on
# its 15 test images, and for how many steps they were trained, from their model cards. Lesson 02
# measured the two above them. The last column is PSNR on the validation pairs, of scenes that
# training never saw.

# %% List the networks trained on LOL v1 tags=["hide-input"]
shipped = {
    card.model if card.data == "lol_v1" else f"{card.model} + {card.data}": card
    for card in cards.shipped_cards()
    if card.data != "embedded"
}


def on_lol(label, split="test"):
    """The scores of one of these networks."""
    return shipped[label].scores[split]


def steps(label):
    """How many steps the training took, by the card: "4 epochs of 400 steps", "16,000 steps"."""
    run = cards.read(shipped[label].path)[1].split("| training run |")[1].splitlines()[0]
    found = re.findall(r"(?:(\d+) epochs of )?([\d,]+) steps", run)
    return sum(int(epochs or 1) * int(each.replace(",", "")) for epochs, each in found)


def row(label):
    """A row of the table: parameters, steps, and the scores of the card."""
    its, unseen = on_lol(label), on_lol(label, "val")
    scores = [f"{its['psnr']:.2f}", f"{its['ssim']:.3f}", f"{its['psnr_gt_mean']:.2f}"]
    size = [f"{shipped[label].parameters:,}", f"{steps(label):,}"]
    behind = "behind the histogram mapper" in shipped[label].title
    return [f"{mapper} + {label}" if behind else label, *size, *scores, f"{unseen['psnr']:.2f}"]


of_lesson_02 = lessons.measured("02_histograms")
mapper_there, filter_there = of_lesson_02["baselines"][mapper], of_lesson_02["filtered"]
header = "on LOL v1,parameters,steps,PSNR (dB),SSIM,GT-mean PSNR (dB),validation (dB)"
Table(
    header.split(","),
    [
        [mapper, "", "", f"{mapper_there:.2f}", "", "", ""],
        [filtered, "", "", f"{filter_there['psnr']:.2f}", f"{filter_there['ssim']:.3f}", "", ""],
        *map(row, shipped),
    ],
)

# %% [markdown]
# Here too, no network but `dual_branch` beats the mapper with its filter. But this is no ranking of
# *designs*. `residual` had 1,000 steps, `unet` 1,600, and their cards say that more would help;
# `dual_branch` had 33,000. Compare the order with that of the first table. There `unet` is behind
# `fft_dual_branch`, and here it is ahead. But here `unet` and `pix2pix` work behind the mapper, as
# `residual` does in both tables. Data, width and training differ as well, so each order holds for
# its own table only. (`fft_dual_branch` has more parameters here, because its mask grows with the
# crop.) Nor is the last column untouched: these pairs helped to choose the weights of every
# network, which is trap 6, in a mild form.
#
# {{claim sum(on_lol(it)["psnr"] > filter_there["psnr"] - 0.2 for it in shipped) == 2}}
# {{claim on_lol("dual_branch")["ssim"] > filter_there["ssim"] + 0.02}}
# {{claim max(map(steps, ("unet", "residual", "fft_dual_branch", "pix2pix"))) < 3000}}
# {{claim steps("residual") == 1000 and steps("unet") == 1600 and steps("dual_branch") == 33000}}
# {{claim frozen["unet"] < frozen["fft_dual_branch"] - 0.4}}
# {{claim on_lol("unet")["psnr"] > on_lol("fft_dual_branch")["psnr"]}}
#
# Now beside the networks of others. Hollow circles are scores from papers. Hollow squares were
# measured again with the authors' weights, under the frozen protocol. (Zero-DCE and PairLIE learned
# without targets, so they had less to go by than the others.) Only what was measured under that one
# protocol can get a ring. Choose the score.

# %% Draw quality against parameters for three scores tags=["hide-input"]
SCORES = {"PSNR (dB)": "psnr", "SSIM": "ssim", "GT-mean PSNR (dB)": "psnr_gt_mean"}


def published(score):
    """A point for each network with this score, its parameters as the cost."""
    key = SCORES[score]
    ours = [
        Point(label, card.parameters, card.scores["test"][key]) for label, card in shipped.items()
    ]
    theirs = [
        Point(peer.name, peer.parameters, getattr(peer, key), peer.source)
        for peer in literature.PEERS
        if getattr(peer, key) is not None
    ]
    return ours + theirs


def show_published(score="PSNR (dB)"):
    """A score on LOL v1 against parameters, for the course's networks and published ones."""
    return show_frontier(published(score), "parameters", f"{score} on LOL v1")


widgets.parameter_slider(show_published, frames=3, score=list(SCORES))

# %% [markdown]
# By your own function, none of the course's networks is worth its parameters in PSNR or in SSIM:
# smaller ones score higher. In GT-mean PSNR `dual_branch` is, by a hair. In PSNR it is IAT that
# scores higher than all of ours. What is it better at? GT-mean PSNR gives both the right
# brightness, so compare the leads in both scores. Here are all smaller networks that were measured
# again, against our best:
#
# {{claim not set(not_dominated(published("PSNR (dB)"))) & set(shipped)}}
# {{claim not set(not_dominated(published("SSIM"))) & set(shipped)}}
# {{claim set(not_dominated(published("GT-mean PSNR (dB)"))) & set(shipped) == {"dual_branch"}}}

# %%
best = max(shipped, key=lambda label: on_lol(label)["psnr"])
ours = on_lol(best)
leads = {
    peer.name: (peer.psnr - ours["psnr"], peer.psnr_gt_mean - ours["psnr_gt_mean"])
    for peer in literature.PEERS
    if peer.parameters < shipped[best].parameters and peer.psnr_gt_mean
}
for label, lead in leads.items():
    print(f"{label:11} {lead[0]:+6.2f} dB, with the right brightness {lead[1]:+6.2f} dB")

# %% [markdown]
# With the right brightness, IAT's lead is gone, and no smaller network is ahead, though
# CPGA-Net++, with half the parameters, is as good. So what IAT does better is to guess *how bright
# each room was meant to be*. Part of that may be better design. Part may be memory: 14 of the 15
# test images show a scene that the training images show too, and lesson 01 scored 23.50 dB by
# copying training targets. That is why the table above has a column of scenes that training has not
# seen. For the networks of others there is none, so this question stays open.
#
# {{claim leads["IAT"][0] > 0.2 and all(lead[1] < 0 for lead in leads.values())}}
# {{claim leads["CPGA-Net++"][1] > -0.1}}
#
# And against time? Milliseconds differ from computer to computer, so only what was timed on *one*
# can be in one plot: the course's networks and the mapper with its filter, on the CPU of this
# computer, with one image of 600 x 400.

# %% Time them, and draw tags=["hide-input"]
image = torch.rand(1, 3, 400, 600)
milliseconds = {  # by network: both sets of weights of dual_branch take the same time
    card.model: median_milliseconds(partial(create_method(card.model, card.data), image), 2)
    for card in shipped.values()
}
points = [
    Point(label, milliseconds[card.model], card.scores["test"]["psnr"])
    for label, card in shipped.items()
]
points.append(
    Point(filtered, median_milliseconds(partial(by_filter, image), 2), filter_there["psnr"])
)
show_frontier(points, "milliseconds for 600 x 400 on a CPU", "PSNR on LOL v1 (dB)")

# %% [markdown]
# By parameters, `dual_branch` was dominated in PSNR. By time, nothing that was timed here dominates
# it: it works at a quarter of the size, where a layer costs a sixteenth. (IAT was not timed. And
# `dual_branch` was trained for longer than the others, a cost that is in neither plot.) Of the
# other networks only `mse_cnn` is about as fast, and all five score lower than mapper and filter.
# "Is it worth its cost?" has no answer until you say which cost, and beside whom.
#
# {{claim "dual_branch" in not_dominated(points)}}
# {{claim set(not_dominated(points)) <= {"dual_branch", "mse_cnn", filtered}}}
# {{claim all(milliseconds[it] > 1.5 * milliseconds["dual_branch"] for it in list(LESSONS)[1:-1])}}
# {{claim steps("dual_branch") > max(steps(it) for it in shipped if not it.startswith("dual"))}}
#
# ## 4. Image by image
#
# A mean over images hides images. Choose a method and walk through the test photographs. Find one
# that is wrong in a way that the numbers below it do not tell you.

# %% Show one photograph, method by method tags=["hide-input"]
middle = len(test) // 2


def show_one(method=winner, image=middle):
    """A test photograph: dark, enhanced by a method, and the target."""
    pair, made = test[image], outputs[method][image]
    score = f"{psnr(made, pair.normal):.1f} dB, SSIM {metrics.ssim(made, pair.normal).item():.2f}"
    return plotting.show_images(
        [pair.low, made, pair.normal], [pair.name, method, "target"], ["", score, ""]
    )


widgets.parameter_slider(show_one, frames=len(methods), method=names, image=(0, len(test) - 1))

# %% [markdown]
# Did you look at the tank of the motorcycle?

# %% Compare the tank tags=["hide-input"]
shot = test.names.index("motorcycle_4stops") if "motorcycle_4stops" in test.names else middle
pair = test[shot]


def towards_yellow(image):
    """The hue of the tank: 0 is red, 1 is yellow."""
    red, green, blue = image[:, 105:121, 166:210].mean(dim=(1, 2)).tolist()
    return (green - blue) / (red - blue)


compared = {label: outputs[label][shot] for label in (fitted, "unet")}
scored = {label: judged[label].per_image[shot] for label in compared}
marks = [
    f"{its['psnr']:.1f} dB, SSIM {its['ssim']:.2f}, colour {its['colour']:.4f}"
    for its in scored.values()
]
plotting.show_images(
    [made[:, 90:200, 110:300] for made in (*compared.values(), pair.normal)],
    [*compared, "target"],
    [*marks, ""],
)

# %% [markdown]
# PSNR and SSIM, of the whole photograph, prefer the U-Net: it has removed the noise. But it has
# also painted a red motorcycle brownish, and the owner would see nothing else. The third number
# sees it: in local colour (the paler orange of section 2) the U-Net has more error than the curve.
#
# {{claim scored["unet"]["colour"] > 1.1 * scored[fitted]["colour"]}}
# {{claim psnr(compared["unet"], pair.normal) > psnr(compared[fitted], pair.normal) + 1}}
# {{claim towards_yellow(compared["unet"]) > 0.25}}
# {{claim max(towards_yellow(compared[fitted]), towards_yellow(pair.normal)) < 0.1}}
#
# ### The worst of each
#
# Do not pick failures by eye: you would find what you expect. Let the numbers pick.

# %%
minor, half, major = "less than a quarter", "a quarter to a half", "more than half"
question_failure = widgets.predict(
    "Take the worst photograph of each of the six networks. On average, what share of its squared "
    "error is the brightness of the whole?",
    [minor, half, major],
)
question_failure

# %% Find the worst photograph of each network tags=["hide-input"]
worst = {
    label: int(np.argmin([row["psnr"] for row in judged[label].per_image])) for label in networks
}
shares = {}
for label, i in worst.items():
    row = judged[label].per_image[i]
    shares[label] = 1 - 10 ** ((row["psnr"] - row["psnr_gt_mean"]) / 10)
share = fmean(shares.values())
question_failure.reveal(
    major if share > 0.5 else half if share > 0.25 else minor,
    f"on average of the six networks, {share:.0%}.",
)

# %% [markdown]
# Each network's worst photograph, above its target. "Light" is the share of the squared error that
# one gain would remove, the gain that GT-mean takes.

# %% Draw the worst photograph of each network tags=["hide-input"]
made = [outputs[label][i] for label, i in worst.items()]
targets = [test[i].normal for i in worst.values()]
scores = [
    f"{judged[label].per_image[i]['psnr']:.1f} dB, light {shares[label]:.0%}"
    for label, i in worst.items()
]
first, last = slice(0, 3), slice(3, 6)
plotting.show_images(
    [*made[first], *targets[first], *made[last], *targets[last]],
    [*networks][first] + ["target"] * 3 + [*networks][last] + ["target"] * 3,
    scores[first] + [""] * 3 + scores[last] + [""] * 3,
    columns=3,
)

# %% [markdown]
# Several of the six are night skies, and `dual_branch` turns its own into a blue morning. For every
# network, brightness is about half of its worst error, or more. Before you blame a network for its
# noise, look at its light. The remaining error has causes that no gain corrects: a teal sky, an
# orange tank.
#
# {{claim test.names[worst["dual_branch"]].startswith("rocket")}}
# {{claim sum(test.names[i].startswith("rocket") for i in worst.values()) >= 2}}
# {{claim share > 0.55}}
# {{claim min(shares.values()) > 0.4}}
#
# ### In other light
#
# All photographs so far are dark all over, and a method may brighten everything alike. What does it
# do where only the shadows are dark, or nothing is? The course scores all methods but the mapper in
# three kinds of light: in the *dark*; *backlit*, where only the shadows lose light; and in *full*
# light, where nothing should change. The scenes are again the three test photographs: in the dark
# and backlit at four settings each, in full light at two. The weights are those that the course
# ships.

# %%
in_light = quality.load()
best, nothing = "the best of these networks", "doing nothing"
question_light = widgets.predict(
    "Take the five networks before dual_branch, trained on LOL v1, and backlit photographs, where "
    "only the shadows are dark. Which has the higher PSNR there?",
    [best, nothing],
)
question_light

# %%
backlit, in_full = (
    {method: scores[kind]["psnr"] for method, scores in in_light.items()}
    for kind in ("backlit", "full")
)
earlier = [f"{label} lol_v1" for label in networks if label != "dual_branch"]
question_light.reveal(
    nothing if backlit["identity"] > max(backlit[method] for method in earlier) else best,
    f"doing nothing has {backlit['identity']:.2f} dB, the best of them "
    f"{max(backlit[method] for method in earlier):.2f} dB.",
)

# %% [markdown]
# What goes wrong? Here is the cup, backlit: first as it is, then enhanced by two networks.

# %% Draw the backlit cup tags=["hide-input"]
scenes = lighting_scenes()["backlit"]
cup = scenes[scenes.names.index("coffee_backlit_3")]
panels = {"backlit": cup.low} | {
    f"{network} {kind}": output(create_method(network, kind, device), cup.low)
    for network, kind in (("unet", "lol_v1"), ("dual_branch", "photographs"))
}
of_cup = {label: psnr(image, cup.normal) for label, image in panels.items()}
plotting.show_images(
    [*panels.values(), cup.normal],
    [*panels, "target"],
    [*(f"{value:.1f} dB" for value in of_cup.values()), ""],
    columns=4,
    alt="A cup with dark shadows on a bright table; pale, by the U-Net; with lighter shadows, by "
    "dual_branch; the target.",
)

# %% [markdown]
# The U-Net (behind the mapper, as above) adds light everywhere, and bleaches the table, which was
# bright enough. `dual_branch`, trained on photographs too, lights the shadows, and the table only a
# little.
#
# {{claim of_cup["unet lol_v1"] < of_cup["backlit"] - 1}}
# {{claim of_cup["dual_branch photographs"] > of_cup["backlit"] + 4}}
#
# Now all of them. (An unchanged photograph counts as 60 dB.) The last column is how much brighter
# the photographs in full light became, which needed no light. Above the table are what training on
# photographs changes for `dual_branch`, and one of the means, photograph by photograph.

# %% Make the table tags=["hide-input"]
gain, cost = (
    its["dual_branch photographs"] - its["dual_branch lol_v1"] for its in (backlit, in_full)
)
print(f"photographs in training: {gain:+.1f} dB in backlight, {cost:+.1f} dB in full light")
on_lol_alone = create_method("dual_branch", "lol_v1", device)
one_by_one = [
    psnr(output(on_lol_alone, pair.low), pair.normal) for pair in lighting_scenes()["full"]
]
print(f"dual_branch lol_v1 in full light: {', '.join(f'{value:.1f}' for value in one_by_one)} dB")
kinds = ("dark", "backlit", "full")
Table(
    ["", *(f"{kind} (dB)" for kind in kinds), "brighter in full light"],
    [
        [
            method,
            *(f"{scores[kind]['psnr']:.2f}" for kind in kinds),
            f"{scores['full']['brightness']:+.0%}",
        ]
        for method, scores in sorted(in_light.items(), key=lambda row: -backlit[row[0]])
    ],
)

# %% [markdown]
# Doing nothing is a baseline, and a strong one as soon as a photograph is not dark all over. The
# networks before `dual_branch` have seen dark rooms only, and spoil photographs that need nothing.
# `dual_branch` is far above them in full light, even trained on LOL v1 alone. By its design, which
# gives light by place and tone? Or by its recipe, which moves a fifth of the dark crops towards
# their targets? Both changed at once, so this table cannot say.
#
# Its two rows share the design, and differ mainly in the photographs of their training: with them
# it gains enough in backlight to beat doing nothing, and loses much in full light. (The test
# favours these weights: its photographs were darkened in the same way as theirs.)
#
# And look at `dual_branch lol_v1` in full light: "42 dB" and "7 % brighter" describe no photograph.
# Two of the six came back unchanged ("inf"), and count 60 dB each, while a brightened night sky has
# 22 dB. That is trap 1 below, inside our own table.
#
# {{claim sum(value > 60 for value in one_by_one) == 2 and 21 < min(one_by_one) < 23}}
# {{claim 0.065 < in_light["dual_branch lol_v1"]["full"]["brightness"] < 0.075}}
# {{claim gain > 1 and cost < -2}}
# {{claim load_recipe("dual_branch", "full").brighten_prob == 0.2}}
# {{claim all(load_recipe(it, "full").brighten_prob == 0 for it in list(networks)[:-1])}}
# {{claim all(backlit["identity"] > backlit[method] for method in (*earlier, "gamma", "lime"))}}
# {{claim all(in_full[method] < 20 for method in earlier)}}
# {{claim in_full["dual_branch photographs"] > 25}}
# {{claim 41.5 < in_full["dual_branch lol_v1"] < 42.5}}
# {{claim backlit["dual_branch photographs"] > backlit["identity"] > backlit["dual_branch lol_v1"]}}
#
# ## 5. Could it be chance?
#
# In section 2 a network leads by about a decibel, before the mapper with its filter. Would it lead
# on other photographs? There are no others, but there is the **bootstrap**: draw test images with
# replacement, as many as there are, again and again, and see how the mean difference varies. Both
# methods are scored on the same images, so take differences first.
#
# {{exercise interval}}
#
# `ours` and `theirs` are arrays with the PSNR of N images each; `draws` is an integer array
# `(B, N)`, each row one draw of N image numbers. Return the 2.5th and the 97.5th percentile of the
# draws' mean difference, ours minus theirs.
#
# {{claim (winner, second) == ("dual_branch", filtered)}}
# {{claim 0.7 < frozen[winner] - frozen[second] < 1.3}}


# %%
def my_interval(ours, theirs, draws):
    """Ends of a 95 % interval of the mean difference -> (low, high)."""
    ### SOLUTION interval


# %% tags=["nbval-check-output"]
my_interval = check.interval(my_interval)

# %% [markdown]
# {{answers interval}}

# %%
clear, open_question = "no: chance alone would rarely do this", "yes: it could be chance"
question_chance = widgets.predict(
    f"{winner} against {second}, on these test photographs. Does the 95 % interval of the "
    "difference contain 0?",
    [clear, open_question],
)
question_chance

# %% [markdown]
# Your function answers, with 2,000 draws:

# %%
psnr_of = {label: np.array([row["psnr"] for row in judged[label].per_image]) for label in names}
draws = np.random.default_rng(0).integers(len(test), size=(2000, len(test)))
ranking = sorted(names, key=frozen.get, reverse=True)
intervals = {label: my_interval(psnr_of[winner], psnr_of[label], draws) for label in ranking[1:]}
question_chance.reveal(
    open_question if intervals[second][0] < 0 < intervals[second][1] else clear,
    f"from {intervals[second][0]:.2f} to {intervals[second][1]:.2f} dB.",
)

# %% [markdown]
# The intervals against all other methods. Grey ones contain 0: this test cannot tell the two apart.

# %% Draw the intervals tags=["hide-input"]
figure = plotting.CourseFigure(9, 3.2)
axis = figure.subplots()
for label, (low_end, high_end) in intervals.items():
    colour = plotting.GREY if low_end < 0 < high_end else blue
    axis.hlines(label, low_end, high_end, color=colour, linewidth=4)
    axis.plot((psnr_of[winner] - psnr_of[label]).mean(), label, "o", color=colour)
axis.axvline(0, color="black", linewidth=1)
axis.invert_yaxis()
axis.set(xlabel=f"{winner} minus the other (dB): mean and 95 % interval")
told = [
    f"{label} {low_end:.1f} to {high_end:.1f}" for label, (low_end, high_end) in intervals.items()
]
figure.alt = f"95 % intervals of {winner}'s lead in dB: {'; '.join(told)}."
figure

# %% [markdown]
# A larger lead can be the less certain one. Find a method that is further behind than another, and
# whose interval begins lower nevertheless:

# %% Find such a pair tags=["hide-input"]
nearer, further = max(
    combinations(ranking[1:], 2), key=lambda pair: intervals[pair[0]][0] - intervals[pair[1]][0]
)
for label in (nearer, further):
    print(
        f"{label:17} behind by {frozen[winner] - frozen[label]:.2f} dB, "
        f"interval from {intervals[label][0]:.2f} dB"
    )

# %% [markdown]
# Its difference varies more from photograph to photograph, so its interval is wider.
#
# {{claim intervals[further][0] < intervals[nearer][0] - 0.2}}
# {{claim np.ptp(intervals[further]) > np.ptp(intervals[nearer]) + 0.5}}
#
# Even this is too kind. The winner was chosen on these very photographs, and of many intervals at
# 95 % one may miss by chance. Above all, the bootstrap takes the images to be independent, and they
# are not: in the quick profile they are three scenes at four exposures each. Draw whole *scenes*:

# %%
scene_names = sorted(set(test.scenes))
of_scene = [np.array(test.scenes) == scene for scene in scene_names]
by_scene = {
    label: np.array([values[mine].mean() for mine in of_scene]) for label, values in psnr_of.items()
}
draws = np.random.default_rng(0).integers(len(scene_names), size=(2000, len(scene_names)))
low_end, high_end = my_interval(by_scene[winner], by_scene[second], draws)
print(f"{winner} - {second}, {len(scene_names)} scenes: [{low_end:.2f}, {high_end:.2f}] dB")
for mine, ours, theirs in zip(of_scene, by_scene[winner], by_scene[second], strict=True):
    print(f"  scene of {test.names[int(mine.argmax())]:20} {ours:.2f} against {theirs:.2f} dB")

# %% [markdown]
# The network leads by more than two decibels in two scenes. In the third, at night, it makes the
# sky too bright, and is about as far behind, or further. Who wins depends on who chose the scenes.
# And look at the interval: it simply goes from the worst scene to the best. Of the 27 equally
# likely draws, one takes the worst scene three times, and 1 in 27 is more than 2.5 %. Three scenes
# are three observations, and no arithmetic makes more of them. LOL v1's 15 test images show 14
# scenes, so a few tenths of a decibel between two papers mean little.
#
# {{claim 2.2 < sorted(by_scene[winner] - by_scene[second])[1]}}
# {{claim min(by_scene[winner] - by_scene[second]) < -1.8}}
# {{claim np.isclose(low_end, min(by_scene[winner] - by_scene[second]))}}
# {{claim np.isclose(high_end, max(by_scene[winner] - by_scene[second]))}}
#
# Images are only half of the luck. Each network here is *one* training, from one seed. But
# `dual_branch` was trained on LOL v1 three more times, for fewer steps, with nothing changed but
# the seed (lesson 07 draws the histories).

# %%
tenths, half_decibel, whole_decibel = "0.1 or 0.2 dB", "about 0.5 dB", "1 dB or more"
question_seed = widgets.predict(
    "How far apart are the best and the worst of the three, in PSNR on the 15 test images?",
    [tenths, half_decibel, whole_decibel],
)
question_seed

# %% [markdown]
# The model card has their scores, each at the epoch that validation chose:

# %% Read the scores of three seeds tags=["hide-input"]
KINDS = ["test, PSNR", "test, SSIM", "test, GT-mean", "val, PSNR", "val, SSIM", "val, GT-mean"]
card = cards.read(shipped["dual_branch"].path)[1]


def of_seeds(heading):
    """The scores of three seeds by kind, from the card's table under a heading."""
    told = card.split(f"### {heading}")[1].split("##")[0]
    lines = re.findall(r"^\| \d \|.*", told, re.MULTILINE)
    rows = [line.strip("| ").split(" | ") for line in lines]
    return dict(zip(KINDS, np.array(rows, dtype=float).T[1:], strict=True))


by_seed = of_seeds("Other seeds")
apart = {kind: np.ptp(values) for kind, values in by_seed.items()}
question_seed.reveal(
    whole_decibel if apart["test, PSNR"] > 0.8 else half_decibel,
    f"{apart['test, PSNR']:.2f} dB.",
)

# %% [markdown]
# Does a seed change the noise, or the light? The same three, with the target's brightness as well:

# %% Show the scores of three seeds tags=["hide-input"]
Table(
    ["dual_branch on LOL v1 (dB)", "seed 0", "seed 1", "seed 2", "apart"],
    [
        [kind, *(f"{value:.2f}" for value in values), f"{apart[kind]:.2f}"]
        for kind, values in by_seed.items()
        if "SSIM" not in kind
    ],
)

# %% [markdown]
# Once the brightness is right, only a quarter of a decibel is left on the test images: what the
# seed changed is, above all, how bright the rooms come out. That alone is worth more than a
# decibel, and more than IAT's whole lead in section 3. Three seeds are too few to say how large the
# spread is: on the validation pairs, which chose their epochs, they are closer in PSNR, and further
# apart with the right brightness. Three trainings on more crops say the same: they are 1.1 dB apart
# on the test images, and a quarter of that with the right brightness. (The row in section 3 is one
# training too, by an earlier form of the recipe and then of the detail alone: 0.5 dB above the mean
# of these three.) So a lead of one training over another is a lead of these *weights*, and not yet
# of a design.
#
# {{claim 22.3 < of_seeds("Three seeds of the recipe")["test, PSNR"].mean() < 22.45}}
# {{claim 22.9 < on_lol("dual_branch")["psnr"] < 23}}
# {{claim 1.05 < np.ptp(of_seeds("Three seeds of the recipe")["test, PSNR"]) < 1.15}}
# {{claim 0.2 < np.ptp(of_seeds("Three seeds of the recipe")["test, GT-mean"]) < 0.3}}
# {{claim apart["test, PSNR"] > 1.25 and 0.2 < apart["test, GT-mean"] < 0.3}}
# {{claim apart["test, PSNR"] > leads["IAT"][0] + 0.3}}
# {{claim apart["val, PSNR"] < apart["test, PSNR"] / 2}}
# {{claim apart["val, GT-mean"] > 2 * apart["test, GT-mean"]}}
#
# ## 6. Eight traps, measured
#
# ### Trap 1: one error for all
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
#
# Now every method. The photographs differ in size and fit into no batch, but each PSNR gives back
# its photograph's mean squared error, and so the PSNR of their mean.

# %%
for label in names:
    errors = 10 ** (-psnr_of[label] / 10)
    together = float(-10 * np.log10(errors.mean()))
    rigged[label]["one error for all"] = together
    print(f"{label:17} mean of PSNR {frozen[label]:5.2f} dB, one error for all {together:5.2f} dB")

# %% [markdown]
# The second score is never the higher one, and the worst images rule it. `dual_branch` loses most,
# because of the few photographs that it makes far too bright. Now the mapper with its filter leads.
# Neither score is a cheat, but they are different quantities: never compare one with the other.
#
# {{claim max(networks, key=lambda n: frozen[n] - rigged[n]["one error for all"]) == "dual_branch"}}
# {{claim sorted(names, key=lambda n: rigged[n]["one error for all"])[-1] == filtered}}
#
# ### Traps 2 to 5: the rules of the beginning
#
# Some rules change only the scoring. What is each of them worth, in decibels, and to whom?


# %% Make the table tags=["hide-input"]
def gained(label, rule="224 x 224"):
    """What a rule adds to the honest score, in dB."""
    return rigged[label][rule] - frozen[label]


changes = ["one error for all", *RULES]
Table(
    ["", "frozen (dB)", *changes],
    [
        [label, f"{frozen[label]:.2f}"] + [f"{gained(label, rule):+.2f}" for rule in changes]
        for label in names
    ],
)

# %% [markdown]
# - Trap 2, **GT-mean**, gives most where brightness is the largest share of the error: to
#   `dual_branch`, and to the mapper with its filter.
# - Trap 3, **luma only**, adds about a decibel or two: it forgives errors of colour, and averages
#   the noise of three channels.
# - Trap 4, **224 x 224**, gives most to the noisy ones: small pictures have averaged their noise
#   away.
# - Trap 5, **data range 2**, adds 6.02 dB to everything, since 20 log10(2) is 6.02.
#
# {{claim all(gained(label, "luma only") > 0.5 for label in names)}}
# {{claim set(sorted(names, key=lambda n: gained(n, "GT-mean"))[-2:]) == {filtered, winner}}}
# {{claim min(map(gained, (fitted, mapper))) > max(map(gained, (filtered, *networks)))}}
# {{claim all(abs(gained(label, "data range 2") - 6.02) < 0.01 for label in names)}}
#
# ### Trap 6: the checkpoint chosen on the test
#
# You keep training, score each epoch on the test set, and report the best. How much of its lead is
# real? Ask images that took no part in the choice. Here `dual_branch` goes on for eight short
# rounds at a high learning rate. The validation pairs and each test scene choose a round in turn.

# %%
alike, less, little = "about as far", "less far, but more than half", "less than half as far"
question_peek = widgets.predict(
    "On the images that chose it, the chosen round is some way above the mean of all rounds. How "
    "far above it is the same round on the other images?",
    [alike, less, little],
)
question_peek

# %% Train eight rounds, and score each tags=["hide-input"]
walker = copy.deepcopy(networks["dual_branch"].network).requires_grad_(True)
rounds = load_recipe("dual_branch", lesson.profile).changed(
    epochs=1, schedule="constant", ema=0.0, snapshot_every=0, crops_per_epoch=96
)
walk = []
for seed in range(8):
    run = training.fit(
        walker,
        train,
        val,
        rounds,
        run_dir=lesson.run_dir("walk"),
        seed=seed,
        resume=False,
        progress=False,
    )
    on_test = np.array([psnr(output(walker, pair.low), pair.normal) for pair in test])
    walk.append([run.best["val_psnr"], *(on_test[mine].mean() for mine in of_scene)])


# %%
above = np.array(walk).T  # a row for each group of images, a column for each round
above = above - above.mean(axis=1, keepdims=True)
chosen = above.argmax(axis=1)
there = above.max(axis=1)
elsewhere = [np.delete(above[:, k], group).mean() for group, k in enumerate(chosen)]
kept = fmean(elsewhere) / there.mean()
question_peek.reveal(
    alike if kept > 0.9 else less if kept > 0.5 else little,
    f"{there.mean():+.2f} dB where it was chosen, {fmean(elsewhere):+.2f} dB elsewhere.",
)

# %% [markdown]
# Each choice by itself:

# %%
groups = ["validation", *(test.names[int(mine.argmax())] for mine in of_scene)]
for group, one, other in zip(groups, there, elsewhere, strict=True):
    print(f"chosen on {group:22} there {one:+5.2f} dB, elsewhere {other:+5.2f} dB")

# %% [markdown]
# Elsewhere, most of the lead is gone. What is left is the network's own; the rest belongs to the
# images that chose. If those are the test images, the report contains both. With hundreds of epochs
# in place of eight, there are more chances to be lucky.
#
# {{claim kept < 0.5}}
#
# ### Trap 7: scenes that training has seen
#
# The fifth rule of the beginning: targets of the *training* scenes, darkened once more, at
# exposures and with noise that no network was trained on. For comparison, the same was done to the
# test scenes. Some photographs are easier than others, so the difference for gamma, which remembers
# hardly anything, is taken off. What is left is a rough measure of **memory**.

# %%
memory = {label: (seen[label] - unseen[label]) - (seen[fitted] - unseen[fitted]) for label in names}
for label in sorted(memory, key=memory.get, reverse=True):
    print(
        f"{label:17} seen scenes {seen[label]:5.2f} dB, unseen {unseen[label]:5.2f} dB, "
        f"memory {memory[label]:+5.2f} dB"
    )

# %% [markdown]
# The mapper remembers most by far, with its filter or without: with four training scenes, its trees
# know the answers by heart. Every network remembers something, and the one with the highest honest
# score, `dual_branch`, is among the two that remember most. Hundreds of scenes are harder to
# remember, but not impossible. Anyone who tests on scenes of the training set reports the left
# column.
#
# {{claim min(memory[mapper], memory[filtered]) > max(memory[it] for it in networks) + 1}}
# {{claim min(memory[network] for network in networks) > 0.3}}
# {{claim "dual_branch" in sorted(networks, key=memory.get)[-2:]}}
#
# ### Trap 8: what your eyes say
#
# Take the winner's output for one photograph, scaled to the target's mean so that its light is
# right. Now spoil it in two ways: make it half a stop too dark, or blur it by a Gaussian of 1.5
# pixels.

# %%
dimmer, blurred = "the sharp one, half a stop too dark", "the blurred one"
question_look = widgets.predict("Which of the two has the higher PSNR?", [dimmer, blurred])
question_look

# %% [markdown]
# The slider begins with a stronger blur. Move it down until both have about the same PSNR (of the
# whole photograph). Which of the two would you keep?

# %% Blur one detail, and darken it tags=["hide-input"]
brightest = int(np.argmax([pair.normal.mean() for pair in test]))
goal = test[brightest].normal
clean = metrics.match_gt_mean(outputs[winner][brightest], goal)
dim = clean * 2 ** (-1 / 2 / 2.2)  # half a stop of light, through the display's gamma


def blur(image, sigma):
    array = image.permute(1, 2, 0).numpy()
    return torch.from_numpy(cv2.GaussianBlur(array, (0, 0), sigma)).permute(2, 0, 1)


def show_blur(sigma=3.0):
    """A detail: sharp but half a stop too dark, blurred, and the target."""
    pictures = [dim, blur(clean, sigma), goal]
    marks = [f"{psnr(image, goal):.2f} dB" for image in pictures[:2]]
    return plotting.show_images(
        [image[:, 60:200, 120:330] for image in pictures],
        ["half a stop too dark", f"blurred, sigma {sigma:.1f}", "target"],
        [*marks, ""],
    )


widgets.parameter_slider(show_blur, frames=6, sigma=(0.5, 3.0, 0.5))

# %%
of_dim, of_blurred = psnr(dim, goal), psnr(blur(clean, 1.5), goal)
question_look.reveal(
    dimmer if of_dim > of_blurred else blurred,
    f"at 1.5 pixels, {of_dim:.2f} dB for the dim one and {of_blurred:.2f} dB for the blurred one.",
)

# %% [markdown]
# Few would choose the blurred photograph. Anybody can add half a stop, and lost detail does not
# come back. But PSNR charges an even shift at every pixel, and a blur only at edges, which are few.
#
# {{claim of_blurred > of_dim + 0.5}}
#
# ### Several at once
#
# The residual network of lesson 05 was published with a leak: the images that gave its score had
# also fitted its histogram mapper and chosen its weights. The course trained it that way, on LOL
# v1, and then scored the same weights under the frozen protocol, on the test images:

# %%
again = reruns.kept("residual")
print(f"as published: {again.own}\nfrozen:       {again.frozen}")

# %% [markdown]
# Five decibels, and not one weight is different. (The images are, so not all of it is the leak.)
#
# {{claim 5 < again.own.psnr - again.frozen.psnr < 6}}
#
# ## Recap
#
# **What you learned.** A table is an argument. Protocol, split and luck each move a score by more
# than most papers claim to gain. Pin this above your desk. The numbers are those of the traps, and
# behind each question is the answer for *our own* tables.
#
# 1. Averaged before or after the logarithm? *After. Before it, no network would lead.*
# 2. Whose brightness, the method's own or the target's? *Its own; GT-mean has a column apart.*
# 3. In colour? *Yes.*
# 4. At full size? *Yes.*
# 5. On the scale 0 to 1? *Yes.*
# 6. Which checkpoint, chosen on what? *On validation pairs, so that column is a little too good.*
# 7. Which scenes, and has training seen them? *Section 2: no. LOL v1: 14 of 15 test images.*
# 8. Have I looked at every image, the worst first? *Only you can say.*
#
# And what no single score shows:
#
# - How many scenes and seeds? *Three scenes, 14 on LOL v1. One seed, and another may differ by a
#   decibel.*
# - Were all trained alike? *No: on LOL v1 for 1,000 to 33,000 steps, by different recipes.*
# - Which baselines, and is doing nothing among them? *Nine without a network, and yes.*
#
# **What failed.** By this list, our tables compare *weights*, on few scenes, and no more. Three
# scenes cannot decide between our best network and a filtered mapper. On LOL v1, none of our
# networks is worth its parameters next to the best small published ones, in PSNR or in SSIM. And no
# score sees what you see: "Going deeper" ends with a command that lets people judge.
#
# {{claim len(baselines.scores) == 8 and "identity" in baselines.scores}}
# {{claim (min(map(steps, shipped)), max(map(steps, shipped))) == (1000, 33000)}}
#
# All of this was about photographs that you did not take. Bring your own to lesson 09.
#
# The core path ends here.
#
# ## Going deeper
#
# ### Have the data sets met?
#
# A published system was pretrained on LOL v1 and then tested on LOL v2. Both come from the same
# photographers. Does one contain the other's test scenes? File names will not tell you.
#
# {{exercise shared}}
#
# `ours` and `theirs` are arrays with one row of grey values for each image's thumbnail. Return the
# pairs `(i, j)` of row numbers whose *normalised correlation* is above `threshold`: subtract each
# row's mean, divide by its Euclidean length, and multiply. Exposure and contrast must make no
# difference.


# %%
def my_shared(ours, theirs, threshold):
    """Rows that show the same scene -> list of (i, j)."""
    ### SOLUTION shared


# %% tags=["nbval-check-output"]
my_shared = check.shared(my_shared)

# %% [markdown]
# {{answers shared}}
#
# Does your finder find anything? A test of the test: hide a test photograph, darker and with less
# contrast, among training images.


# %% tags=["nbval-check-output"]
def thumbnails(images):
    """uint8 images -> an array with one row of grey values each."""
    return np.stack([cv2.resize(image, (36, 24)).mean(axis=2).ravel() for image in images])


hidden = (test.raw(0)[1] * 0.4 + 30).astype(np.uint8)
planted = thumbnails([train.raw(0)[1], hidden, val.raw(0)[1]])
print(my_shared(planted, thumbnails([test.raw(0)[1]]), 0.95))

# %% [markdown]
# It does. The package's `shared_scenes` does the same for two data sets. On all splits of all sets
# that you have:

# %%
present = ["embedded", *(key for key, folder in data.available().items() if folder)]
splits = {
    f"{key}/{split}": data.load_pairs(key, split)
    for key in present
    for split in ("train", "val", "test")
}
for title, pairs in splits.items():
    for other, theirs in splits.items():
        if other.endswith("/test") and title != other:
            known = len({name for _, name in shared_scenes(pairs, theirs)})
            print(f"{title:18} shows {known:3} of the {len(theirs):3} images of {other}")

# %% [markdown]
# On LOL v1 it prints 14 of 15, which you met above. And 91 of the 100 test targets of LOL v2 are
# among the training images of LOL v1. A network that is pretrained on the one and tested on the
# other is tested on its memory, so the course leaves such pairs out of training.
#
# ### A score of nearly 1
#
# SSIM has a data range too. Its two small constants grow with the square of it. What happens if you
# tell it that white is 255, and give it images in [0, 1]?

# %%
from torchmetrics.functional.image import structural_similarity_index_measure as raw_ssim

dark, normal = test[0].low[None], test[0].normal[None]
for white in (1.0, 255.0):
    value = raw_ssim(dark, normal, data_range=white).item()
    print(f"dark photograph against its target, data_range {white:5.0f}: SSIM {value:.4f}")

# %% [markdown]
# Nearly 1, for the same dark photograph. If a score looks too good, feed it something bad.
#
# {{claim value > 0.95}}
#
# ### Let people judge
#
# `plotting.ranking.ranking` writes one HTML page that shows each of your photographs enhanced by
# several methods, in random order and without names. You rank them, the page counts how often each
# method came first, and keeps your choices. From a shell:
#
#     python -m llie_helpers ranking photographs/ -m clahe -m lime -m dual_branch -o ranking.html
#
# Ask friends who do not know which method is yours. Closer to people than PSNR is LPIPS, a distance
# between features of a network that was trained to recognise objects. `pip install torchvision`
# adds it to the ledger, if that network's weights can be downloaded at its first use.
#
# ## Papers
#
# - C. Tomasi, R. Manduchi. Bilateral Filtering for Gray and Color Images. ICCV 1998.
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. Image Quality Assessment: From Error
#   Visibility to Structural Similarity. IEEE TIP 2004.
# - R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang. The Unreasonable Effectiveness of Deep
#   Features as a Perceptual Metric. CVPR 2018. (LPIPS)
# - Y. Blau, T. Michaeli. The Perception-Distortion Tradeoff. CVPR 2018.
# - B. Efron. Bootstrap Methods: Another Look at the Jackknife. Annals of Statistics 7, 1979.
# - J. Pineau et al. Improving Reproducibility in Machine Learning Research. JMLR 22, 2021.
# - C. Wei, W. Wang, W. Yang, J. Liu. Deep Retinex Decomposition for Low-Light Enhancement. BMVC
#   2018. (LOL v1)
#
# **Next**: lesson 09 takes `dual_branch`, with the weights trained on photographs as well, to your
# own photographs and videos.
