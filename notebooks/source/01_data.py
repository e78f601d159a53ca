# %% [markdown]
# # 01. What a dark photo is
#
# In lesson 00 you multiplied the light of a dark garage by 32 and got grain, although the garage
# has none. Where did it come from? In this lesson you build a camera, step by step, and see what it
# does to a photograph when light is scarce. Then you look at the pairs of photographs that networks
# learn from, and at two ways in which they deceive.

# %% [markdown]
# {{setup}}

# %% Imports tags=["hide-input"]
import tempfile
from pathlib import Path

import numpy as np
import torch
from IPython.display import display
from torch.nn.functional import avg_pool2d, interpolate

from llie_helpers import data, images, metrics, plotting
from llie_helpers.data import lighting, synthesis
from llie_helpers.data.augment import flip_rotate
from llie_helpers.data.embedded import PHOTOGRAPHS, photograph
from llie_helpers.data.relighting import KINDS, draw_pair
from llie_helpers.data.scenes import group_scenes, thumbnail
from llie_helpers.data.synthesis import expose, read_noise, to_linear, to_srgb, white_balance
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_01 as check
from llie_helpers.methods import classical, create_method
from llie_helpers.tables import Table


def psnr(image, truth):
    return metrics.psnr(image, truth).item()


def nearest(value, guesses):
    """The choice, among those of a question, that comes closest to the measured value."""
    return min(guesses, key=lambda guess: abs(guesses[guess] - value))


def floats(values):
    """What your functions return, as tensors: NumPy's arrays and lists are right answers, too."""
    return torch.as_tensor(values).float()


photos = {name: images.to_float(photograph(name)) for name in PHOTOGRAPHS}

# %% [markdown]
# ## The same darkness, twice
#
# Darken a portrait by 5 stops, to a 32nd of its light, in two ways. The first is a number: divide
# the light by 32. The second is a model of a camera that receives a 32nd of the light. Then
# brighten both by the same factor, 32.

# %%
photo = photos["astronaut"]
darkened = {
    "by a number": to_linear(photo) / 32,
    "by a camera": to_linear(synthesis.darken(photo, 5, photons=1000, read_sigma=0.002)),
}
brightened = {name: to_srgb(32 * light).clamp(0, 1) for name, light in darkened.items()}
pictures = {"the photograph": photo, **brightened}
plotting.show_images(
    [picture[:, 30:140, 135:245] for picture in pictures.values()],
    list(pictures),
    alt="A woman's face three times. Darkened by a number and brightened it looks like the "
    "photograph; darkened by a camera it is covered with coloured grain.",
)

# %% [markdown]
# The same factor both times. Darkened by a number, the photograph comes back exactly. Darkened by a
# camera, it does not. What did the camera lose?
#
# {{claim psnr(brightened["by a number"], photo) > 80}}
# {{claim psnr(brightened["by a camera"], photo) < 25}}
#
# **After this lesson you will be able to**
#
# - compute in linear light, in stops and in photons;
# - say what each step of a camera costs in the dark, and whether brightening can undo it;
# - recognise the bug in a set of pairs that no check of files can find;
# - split data by scene, and measure what a careless split would have made you believe.
#
# {{minutes}}
#
# The lesson runs in a minute, with 1 GB of memory, in the **quick** profile, and in two with LOL v1
# in the **full** one.
#
# ## 1. A file does not store light
#
# A pixel of a sensor counts photons: twice the light, twice the count. The numbers in an image file
# are *not* proportional to light. The **sRGB** standard bends them by a curve, because our eyes
# tell dark tones apart better than bright ones. Values before the curve are called **linear
# light**. In the figure, each dot has half the light of the dot to its right.

# %% Draw the sRGB curve tags=["hide-input"]
figure = plotting.CourseFigure(
    6,
    3.6,
    alt="sRGB value against linear light: steep near black, flat near white. Half the light "
    "is stored as 0.74, a quarter as 0.54, 1/32 as 0.2.",
)
axis = figure.subplots()
light = torch.linspace(0, 1, 400)
axis.plot(light, to_srgb(light))
for halvings in range(6):
    point = 2.0**-halvings, float(to_srgb(torch.tensor(2.0**-halvings)))
    axis.plot(*point, "o", color=plotting.COLOURS[1])
    axis.annotate(f"1/{2**halvings}", point, xytext=(7, -12), textcoords="offset points")
axis.set(xlabel="linear light (1 is a full pixel)", ylabel="sRGB value in the file")
figure

# %%
half_guesses = {"0.25": 0.25, "0.36": 0.36, "0.43": 0.43, "0.50": 0.5}
question_half = widgets.predict(
    "A pixel holds the sRGB value 0.50. You halve the light. What does the file hold now?",
    list(half_guesses),
)
display(question_half)
grey_light = to_linear(torch.tensor(0.5))
halved = to_srgb(grey_light / 2)
question_half.reveal(
    nearest(halved, half_guesses),
    f"The value 0.50 means {grey_light:.3f} of full light, and half of that is stored as "
    f"{halved:.3f}.",
)

# %% [markdown]
# {{exercise light}}
#
# To compute with light you have to undo the curve first. For an sRGB value $s$ the standard
# (IEC 61966-2-1) says
#
# $$\text{light} = \begin{cases} s / 12.92 & s \le 0.04045 \\
# \left(\dfrac{s + 0.055}{1.055}\right)^{2.4} & \text{otherwise.} \end{cases}$$
#
# Write it for a whole tensor at once: `torch.where(condition, a, b)` takes `a` where the condition
# holds, and `b` elsewhere.


# %%
def my_to_linear(srgb):
    """sRGB values in [0, 1], any shape -> linear light of the same shape."""
    ### SOLUTION light


# %% tags=["nbval-check-output"]
my_to_linear = check.light(my_to_linear)

# %% [markdown]
# {{answers light}}
#
# **Exposure** is the light that reaches the sensor, and it is counted in stops: one up is twice the
# light, one down is half. Stops add up, so three down is an eighth. A pixel cannot hold more than
# full, so light above 1 is **clipped** to 1.
#
# {{exercise expose}}
#
# Change the exposure of an sRGB photograph by `stops`. `to_linear` and `to_srgb` are imported
# above; the first does what you have just written, and the second is the way back.


# %%
def my_expose(srgb, stops):
    """An sRGB photograph, (3, H, W) in [0, 1], with 2 ** stops times the light."""
    ### SOLUTION expose


# %% tags=["nbval-check-output"]
my_expose = check.expose(my_expose)

# %% [markdown]
# {{answers expose}}
#
# Change the exposure yourself; the slider runs on your function and stores the result with 256
# levels. Watch how the histogram (the share of pixels at each value) slides to the left *and gets
# narrower*, and, above 0 stops, what happens at its right end.


# %%
def exposed(stops=-4.0):
    """The portrait at another exposure, with the histograms of its channels"""
    image = quantise(floats(my_expose(photo, stops)))
    return plotting.show_histograms([image], [f"{stops:+.1f} stops, mean {image.mean():.3f}"])


widgets.parameter_slider(exposed, frames=5, stops=(-8.0, 2.0, 0.5))

# %% [markdown]
# <details><summary>Answer</summary>
#
# Each stop less halves the light, so differences shrink with it and all tones end near black. (The
# title counts as black what is stored as 0.) Above 0 stops the brightest tones pile up at 1:
# they are clipped, and no exposure separates them again.
#
# </details>
#
# {{claim (quantise(my_expose(photo, 1)) == 1).float().mean() > 0.05}}
#
# If this were all, low light would be easy: multiply by `2**stops`, with no network. The next
# section says why it is not.
#
# ## 2. Photons are counted one by one
#
# Photons arrive at random, like drops of rain on a tile. A pixel that should get $N$ of them gets
# $N$ on average, but the count varies from pixel to pixel. This **shot noise** is in the light
# itself, and better electronics cannot remove it. Below, a white pixel counts 5, 50, 500 or 5,000
# photons. All four pictures are shown equally bright.

# %%
generator = torch.Generator().manual_seed(lesson.seed)
face = to_linear(photo[:, 45:125, 145:225])
wells = (5, 50, 500, 5000)
counted = [synthesis.shot_noise(face, well, generator).clamp(max=1) for well in wells]
plotting.show_images(
    [to_srgb(light) for light in counted],
    [f"white is {n:,} photons" for n in wells],
    alt="A face counted with 5, 50, 500 and 5,000 photons at white: coarse coloured grain that "
    "becomes finer and is hardly visible at 5,000.",
)

# %% [markdown]
# Such counts follow a *Poisson* distribution, whose variance equals its mean. Divide the mean by
# the standard deviation and you have the **signal-to-noise ratio** (SNR), the number of standard
# deviations by which the signal stands out from its noise.

# %%
snr_guesses = {"10": 10, "20": 20, "40": 40}
question_snr = widgets.predict(
    "A grey patch has an SNR of 10. You give it four times the light. What is its SNR now?",
    list(snr_guesses),
)
question_snr

# %% [markdown]
# {{exercise photons}}
#
# Add shot noise to an image in linear light, where a white pixel holds `full_well` photons. The
# result is linear light again, with white at 1; do not clip it, since a count may well exceed what
# is expected. `torch.poisson(expected)` draws one count for each number of expected photons.


# %%
def my_shot_noise(linear, full_well):
    """Linear light, any shape, with white at 1 -> the same light, counted in photons."""
    ### SOLUTION photons


# %% tags=["nbval-check-output"]
my_shot_noise = check.photons(my_shot_noise)

# %% [markdown]
# {{answers photons}}
#
# With it, answer the question: two patches of 20,000 pixels, one with 100 photons and one with 400.


# %%
def snr(values):
    return float(values.mean() / values.std())


torch.manual_seed(lesson.seed)
patches = (torch.full((20_000,), photons / 1000) for photons in (100, 400))
at_100, at_400 = (snr(floats(my_shot_noise(patch, 1000))) for patch in patches)
question_snr.reveal(
    nearest(at_400, snr_guesses),
    f"{at_100:.1f} at 100 photons and {at_400:.1f} at 400: it is the square root of the count.",
)

# %% [markdown]
# The same for 25 light levels. The second row of points adds **read noise**, which the electronics
# contribute whether light falls or not: here with a standard deviation of 5 electrons (each counted
# photon frees one). Both axes are logarithmic, so a square root becomes a straight line. Where do
# the two rows part?
#
# {{claim abs(at_400 / at_100 - 2) < 0.06}}

# %% Measure and draw the SNR tags=["hide-input"]
signal = torch.logspace(-4, 0, 25)[:, None].expand(-1, 20_000)
shot_only = synthesis.shot_noise(signal, 10_000, generator)
with_read = read_noise(shot_only, 5 / 10_000, generator)
levels = signal[:, 0] * 10_000
ratios = {"shot noise": shot_only, "shot and read noise": with_read}
ratios = {label: values.mean(1) / values.std(1) for label, values in ratios.items()}
shot, both = ratios.values()
figure = plotting.CourseFigure(
    6,
    3.8,
    alt="SNR against photons, both logarithmic. Shot noise follows the square root. With "
    "read noise the points fall away from that line below some 100 photons, and steeply below 25.",
)
axis = figure.subplots()
axis.loglog(levels, levels.sqrt(), color=plotting.GREY, linewidth=1, label="square root of N")
for marker, (label, values) in zip("os", ratios.items(), strict=True):
    axis.loglog(levels, values, marker, markersize=5, label=f"{label}, measured")
axis.axvline(25, color=plotting.GREY, linestyle=":", label="25 photons")
axis.set(xlabel="photons N", ylabel="SNR")
axis.legend()
figure

# %% [markdown]
# In good light, each stop less costs a factor of 1.4 in SNR. The rows part near 100 photons, where
# read noise takes a tenth of the SNR. At 25 the two kinds of noise are equal: shot noise has the
# variance 25, and so has read noise, $5^2$. Far below, read noise dominates and each stop costs
# nearly a factor of two. Brightening gives none of it back: it multiplies signal and noise alike.
#
# So this is what the camera lost at the start of the lesson. In full light, a white pixel of that
# portrait would have held 1,000 photons and had an SNR above 30. A 32nd of the light leaves it 31
# photons, and an SNR of about 5. In her hair it is lower still.
#
# {{claim 1000 / (1000 + 2**2) ** 0.5 > 30 and 4.5 < 31.25 / (31.25 + 2**2) ** 0.5 < 5.5}}
# {{claim levels[12].round() == 100 and 0.86 < both[12] / shot[12] < 0.93}}
# {{claim (both[3] / both[0]) ** (1 / 1.66) > 1.8 and both[-1] / shot[-1] > 0.97}}
#
# ## 3. Which step of a camera costs most?
#
# Our camera does five things to the light that it receives. It counts photons (here 1,000 at
# white), adds read noise (here 2 electrons), rounds the count to one of 4,096 levels (12 bits),
# multiplies red, green and blue by one gain each (its **white balance**, in the dark often a bit
# wrong), and stores sRGB values with 256 levels (8 bits). Rounding to levels is called
# **quantisation**. (*Measure a camera*, under Going deeper, finds the first two numbers of any
# camera.)

# %%
steps = {
    "shot noise": lambda light: floats(my_shot_noise(light, 1000)),
    "read noise": lambda light: read_noise(light, 0.002),
    "12-bit sensor": lambda light: quantise(light, 12),
    "white balance": lambda light: white_balance(light, (1.15, 1.0, 0.87)),
    "8-bit file": lambda light: floats(my_to_linear(quantise(to_srgb(light), 8))),
}


def brighten(light):
    """Undo a darkening by 4 stops, exactly."""
    return to_srgb(expose(light, 4).clamp(0, 1))


# %% [markdown]
# Take the last step alone. Darken the portrait by 4 stops, store it with 256 levels and brighten it
# by 4 stops. The dark end of the histogram, which is all that is drawn here, is torn into an ugly
# *comb*: a dark photograph uses few levels, and brightening spreads them apart.

# %%
dark = floats(my_to_linear(photo)) / 16
comb = brighten(steps["8-bit file"](dark))
figure = plotting.show_histograms([comb], ["stored with 8 bits"])
figure.axes[1].set_xlim(0, 0.35)
figure

# %%
question_step = widgets.predict(
    "Which costs more, in PSNR against the original: this 8-bit file, or the shot noise?",
    ["the 8-bit file, by more than 5 dB", "they are about equal", "shot noise, by more than 5 dB"],
)
question_step

# %% [markdown]
# Measure the PSNR after each step alone, for all eight photographs. (A typical error of 0.1 gives
# 20 dB, one of 0.01 gives 40 dB.) The gain is exactly the one that undoes the darkness, so what
# is lost here was not lost to a wrong exposure.

# %%
table = {
    name: {step: psnr(brighten(f(floats(my_to_linear(p)) / 16)), p) for step, f in steps.items()}
    for name, p in photos.items()
}
margins = [row["8-bit file"] - row["shot noise"] for row in table.values()]
noisiest = [sorted(row, key=row.get)[:2] for row in table.values()]
question_step.reveal(
    list(question_step.letters)[1 + int(min(margins) > 5) - int(max(margins) < -5)],
    f"By {min(margins):.0f} to {max(margins):.0f} dB. Rounding errs by half a level at most, and "
    "that is far less than the noise of the 62 photons that are left of 1,000.",
)

# %% [markdown]
# The comb looks terrible and costs next to nothing. Here are all the numbers. Which kind of noise
# is worse depends on the photograph: on which property of it?
#
# {{claim min(margins) > 5}}

# %%
rows = [[name, *(f"{value:.1f}" for value in row.values())] for name, row in table.items()]
Table(["PSNR (dB) after", *steps], rows)

# %% [markdown]
# <details><summary>Answer</summary>
#
# On how much of it is dark. Read noise is the same in any light, but the sRGB curve is steepest
# near black and magnifies it there. Shot noise shrinks in the dark about as fast as the curve
# magnifies it. So read noise costs most in the flower, with its dark background, and least in the
# cat (chelsea).
#
# </details>
#
# The two kinds of noise cost more than the other three steps, on every photograph, and nothing
# undoes them. The wrong white balance costs something too, but three gains would undo it.
#
# Now all steps in order, each on top of the last. This chain is `synthesis.darken` of the package,
# which darkened the garage too. If you used `torch.poisson`, the same seed gives the same image.
#
# {{claim np.ptp([row["read noise"] for row in table.values()]) > 3.5}}
# {{claim np.ptp([row["shot noise"] for row in table.values()]) < 3.2}}
# {{claim all(set(pair) == {"shot noise", "read noise"} for pair in noisiest)}}
# {{claim min(table, key=lambda name: table[name]["read noise"]) == "flower"}}
# {{claim max(table, key=lambda name: table[name]["read noise"]) == "chelsea"}}

# %%
torch.manual_seed(lesson.seed)
light, stages, scores = dark, [photo], ["the photograph"]
for change in steps.values():
    light = change(light)
    stages.append(brighten(light))
    scores.append(f"{psnr(stages[-1], photo):.1f} dB")
seeded = torch.Generator().manual_seed(lesson.seed)
package = synthesis.darken(photo, 4, 1000, 0.002, gains=(1.15, 1.0, 0.87), generator=seeded)
largest = (package - to_srgb(light)).abs().max()
print(f"largest difference from darken: {largest:.6f}")
crops = [stage[:, 60:110, 160:210] for stage in stages]
plotting.show_images(
    crops,
    ["no step", *(f"+ {step}" for step in steps)],
    scores,
    columns=6,
    alt="A face after each step of the camera, brightened. Shot and read noise add grain, the "
    "12-bit sensor and the 8-bit file change nothing visible, the white balance makes it warmer.",
)

# %% [markdown]
# {{claim largest < 1e-4}}
#
# ## 4. Light differs from place to place
#
# So far the whole scene lost the same number of stops. Real scenes seldom do: think of the sunset
# in lesson 00. Here is a temple against a bright sky, exposed for the sky. The sky keeps its light,
# and the darker a surface is, the more it loses, up to 4 stops (`lighting.backlight_stops`). There
# is no noise in this picture, and nothing is rounded. Only light is missing.

# %%
temple = photos["china"]
lost = lighting.backlight_stops(to_linear(temple), 4, level=0.8)
backlit = expose(to_linear(temple), -lost)
question_gain = widgets.predict(
    "You may brighten the picture by any one number of stops, the best there is. How close does it "
    "come to the original?",
    ["above 40 dB: you see no difference", "25 to 40 dB: close", "below 25 dB: plainly different"],
)
question_gain

# %% [markdown]
# Find the best number yourself. Look at the temple, then at the sky.


# %%
def one_gain(stops=0.0):
    """The temple, the map of stops lost, and the backlit temple brightened by one gain"""
    back = to_srgb(expose(backlit, stops).clamp(0, 1))
    titles = ["original", "stops lost (white: 4)", f"backlit, {stops:+.2f} stops"]
    pictures = [temple, lost.expand(3, -1, -1) / 4, back]
    return plotting.show_images(pictures, titles, ["", "", f"{psnr(back, temple):.1f} dB"])


widgets.parameter_slider(one_gain, frames=3, stops=(0.0, 4.0, 0.25))

# %%
gains = np.arange(0, 4.25, 0.25)
by_gain = {gain: psnr(to_srgb(expose(backlit, gain).clamp(0, 1)), temple) for gain in gains}
best_gain = max(by_gain, key=by_gain.get)
best = by_gain[best_gain]
question_gain.reveal(
    list(question_gain.letters)[int(best < 40) + int(best < 25)],
    f"{best:.1f} dB at best, with {best_gain:+.2f} stops. What brightens the temple burns out the "
    "sky.",
)

# %% [markdown]
# So darkness does two things. The *signal* is drowned in noise, and no brightening gives it back.
# And the *light* is wrong, by an amount that nobody tells you and that may differ from place to
# place. Lesson 02 starts with the light; from lesson 03 on, networks tackle both.
#
# {{claim best < 22}}
#
# ## 5. Networks learn from pairs
#
# How does a network learn to undo this? From examples. A **pair** is one scene photographed twice,
# once with too little light (`low`) and once well lit (`normal`). `normal` is what a method should
# make of `low`, so it is also called the **target** or *ground truth*. A set of pairs is split into
# three parts. You fit on `train`, make your choices on `val` and look at `test` once, at the end.
# (The garage, the coffee and the rocket are test photographs. You see them all the time, so choose
# nothing by them.)
#
# The set that most papers use is **LOL v1**, 500 real pairs. Its authors state no licence, so no
# image of it is part of this course: you fetch your own copy. The next cell gets it from Kaggle
# (0.3 GB, no account needed) in the full profile, or if you set `fetch = True`. In the quick
# profile the lesson works with the *embedded* set, photographs that come with the installed
# libraries.

# %%
fetch = lesson.profile == "full"
if fetch:
    data.choose("lol_v1")
present = data.available()["lol_v1"] is not None
print("LOL v1 is on this computer." if present else "LOL v1 is not on this computer.")
name = "lol_v1" if present and lesson.profile == "full" else "embedded"
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
print(train, val, test, sep="\n")

# %% [markdown]
# The embedded set is made by the camera that you have just built. Here are three of its pairs,
# `low` above `normal`, and four of LOL if you have it.

# %%
embedded = data.load_pairs("embedded", "train")
display(plotting.show_pairs(embedded.subset((6, 15, 23)), 3))
if present:
    display(plotting.show_pairs(data.load_pairs("lol_v1", "train").subset(range(0, 320, 80)), 4))

# %% [markdown]
# Real pairs are more than a stop darker than ours, and vary more. Keep that in mind whenever a
# number in this course comes from the embedded set. (*How real is our camera?*, under Going deeper,
# measures it.)
#
# ## 6. The bug that no file check finds
#
# Much code pairs images by *position*: the first file of one list with the first of the other. This
# works only while both lists have the same order. Sorting as text puts `10.png` before `5.png`.
# Pair a list that was sorted as text with one that was sorted by number:

# %% tags=["nbval-check-output"]
files = [f"{number}.png" for number in range(5, 13)]
as_text = sorted(files)
by_number = sorted(files, key=lambda file: int(Path(file).stem))
for low_file, normal_file in zip(as_text, by_number, strict=True):
    print(f"{low_file:7} {normal_file:7} {'' if low_file == normal_file else 'mispaired'}")

# %% [markdown]
# Every file exists, opens, and may even have the right size. What does such a list do to a score?

# %%
question_pairing = widgets.predict(
    "A perfect method returns exactly the right normal image. Scored against the mispaired list, "
    "what is its mean PSNR?",
    ["above 25 dB: it is perfect, after all", "15 to 25 dB", "below 15 dB"],
)
question_pairing

# %% [markdown]
# Take one pair of each embedded photograph, cut to one size, and score the perfect method on the
# wrong list. For comparison, score the dark input and plain grey on the right one.

# %%
views = {file: photo[:, :260, :320] for file, photo in zip(files, photos.values(), strict=True)}
lows = {
    file: synthesis.darken(view, 4, generator=torch.Generator().manual_seed(lesson.seed))
    for file, view in views.items()
}


def mean_psnr(pairs):
    return float(np.mean([psnr(output, target) for output, target in pairs]))


perfect = mean_psnr((views[a], views[b]) for a, b in zip(as_text, by_number, strict=True))
untouched = mean_psnr((lows[file], views[file]) for file in files)
grey = mean_psnr((torch.full((3, 260, 320), 0.5), views[file]) for file in files)
question_pairing.reveal(
    list(question_pairing.letters)[int(perfect < 25) + int(perfect < 15)],
    f"{perfect:.1f} dB. With the right pairs, the dark input scores {untouched:.1f} dB and plain "
    f"grey {grey:.1f} dB.",
)

# %% [markdown]
# With wrong pairs, perfection scores worse than grey. All that a network can learn from them for
# new photographs is the mean of all targets, close to grey. Its validation loss falls a little and
# then stops, and nothing crashes.
#
# {{claim perfect < grey - 1}}
#
# The course pairs by name, never by position. Three habits catch what is left: look at some pairs,
# look at the worst scores first, and be suspicious of a network that does no better than grey.
#
# ## 7. Does your split leak?
#
# To collect pairs, people put the camera on a tripod and press the shutter several times, with
# different settings. So most views occur more than once. A **scene** is one view of one place,
# however many pairs show it. The next cell makes such series from the eight photographs: four shots
# of each, the tripod nudged by a few pixels and both exposures varied.


# %% Take the series tags=["hide-input"]
def press_shutter(view, draw, nudge=3):
    top, left = draw.integers(nudge + 1, size=2)
    moved = to_linear(images.to_float(view[top : top + 240, left : left + 320]))
    normal = to_srgb(expose(moved, draw.uniform(-0.5, 0.5)).clamp(max=1.0))
    noise = torch.Generator().manual_seed(int(draw.integers(2**31)))
    low = synthesis.darken(normal, stops=draw.uniform(3, 5), photons=1000, generator=noise)
    return images.to_uint8(low), images.to_uint8(normal)


draw = np.random.default_rng(lesson.seed)
shots = [press_shutter(photograph(view), draw) for view in PHOTOGRAPHS for _ in range(4)]
scenes = group_scenes(normal for _, normal in shots)
names = tuple(f"{view} {shot}" for view in PHOTOGRAPHS for shot in range(4))
series = data.Pairs("series", names, tuple(scenes), shots)
print(series)
plotting.show_pairs(series.subset(range(4, 8)), 4)

# %% [markdown]
# A real set does not say which shots belong together. `group_scenes` finds out, by correlating grey
# thumbnails of the normal images: above 0.95, two images show the same scene.
#
# {{claim len(set(scenes)) == 8}}
#
# **A method that has learned nothing.** It never brightens a pixel. It looks for the training image
# whose dark thumbnail resembles the input most, and returns that image's *normal* partner.


# %%
def copying_method(training):
    known = np.array([thumbnail(training.raw(i)[0]) for i in range(len(training))])

    def enhance(low):
        most_alike = int(np.argmax(known @ thumbnail(images.to_uint8(low[0]))))
        copied = training[most_alike].normal[None]
        return interpolate(copied, size=low.shape[-2:])  # other scenes may have other sizes

    return enhance


question_leak = widgets.predict(
    "A quarter of the pairs is held out at random. How does copying score on them, compared with "
    "a gamma curve that at least brightens the input?",
    ["more than 3 dB worse", "about the same", "more than 3 dB better"],
)
question_leak

# %% [markdown]
# {{exercise split}}
#
# Write the other way to hold out a quarter: by scene. `scenes` is an array with one scene number
# per pair; a scene may have any number. Return the indices of the training pairs and those of the
# validation pairs, as two arrays. About `fraction` of the *scenes* goes to validation, but at least
# one, drawn at random so that the same `seed` always gives the same split.


# %%
def my_scene_split(scenes, fraction, seed):
    """Scene number of each pair -> (training indices, validation indices), no scene in both."""
    ### SOLUTION split


# %% tags=["nbval-check-output"]
my_scene_split = check.split(my_scene_split)

# %% [markdown]
# {{answers split}}
#
# Hold out a quarter both ways: at random, as most libraries do in one call, and by scene with your
# function.


# %%
def random_split(scenes, fraction, seed):
    order = np.random.default_rng(seed).permutation(len(scenes))
    held_out = round(fraction * len(scenes))
    return order[held_out:], order[:held_out]


def score(training, held_out):
    methods = {"doing nothing": classical.identity, "gamma 0.5": classical.gamma}
    methods["copying"] = copying_method(training)
    return {
        label: mean_psnr((method(pair.low[None]), pair.normal[None]) for pair in held_out)
        for label, method in methods.items()
    }


def mean_scores(split):
    parts = [split(np.array(series.scenes), 0.25, seed) for seed in range(5)]
    rows = [score(series.subset(fitted), series.subset(held_out)) for fitted, held_out in parts]
    return {label: np.mean([row[label] for row in rows]) for label in rows[0]}


splits = {"random split": random_split, "by scene": my_scene_split}
results = {title: mean_scores(split) for title, split in splits.items()}
gained = {title: row["copying"] - row["gamma 0.5"] for title, row in results.items()}
at_random = gained["random split"]
question_leak.reveal(
    list(question_leak.letters)[int(at_random > -3) + int(at_random > 3)],
    f"{at_random:.1f} dB above gamma. By scene it is {-gained['by scene']:.1f} dB below.",
)

# %% [markdown]
# The mean scores over the five seeds:

# %%
rows = [[title, *(f"{value:.1f}" for value in row.values())] for title, row in results.items()]
Table(["PSNR (dB)", *results["by scene"]], rows)

# %% [markdown]
# The random split calls a program that has learned nothing the best by far, because nearly every
# held-out image has a near-duplicate in training. The split by scene shows what it is worth. This
# is **leakage**: information about the test reaches training by a back door. A network with enough
# parameters finds the same door. It can remember how bright a scene is meant to be.
#
# {{claim gained["random split"] > 3 and gained["by scene"] < -1}}
#
# **Is this real?** On LOL v1, 14 of the 15 official test images have a training image of the same
# scene. The scores there:
#
# | on the test images of LOL v1 | PSNR (dB) |
# | --- | --- |
# | doing nothing | 7.77 |
# | gamma 0.5 | 12.33 |
# | IAT, a published network, with its authors' weights | 23.38 |
# | **copying** | **23.50** |
#
# This does not mean that IAT copies. It means that these 15 images cannot tell enhancing from
# copying. Between data sets it is no better: 91 of the 100 test targets of LOL v2 (real) are in
# LOL v1's *training* set, so a network that was pretrained on v1 and is tested on v2 has seen
# most of the answers. Not every leak is that large: lesson 02 meets one of 0.4 dB on LOL.
#
# The course keeps these images, because results must stay comparable. But its validation never
# shares a scene with training or test, and where it matters, you will see scores on unseen scenes
# too.
#
# One detail of the garage goes with you through the course, with one more panel in each lesson. So
# far it has only been brightened, by exactly the light that it lacked.

# %%
lessons.strip(lesson)

# %% [markdown]
# ## Recap
#
# - Darkness means fewer photons. What was not counted cannot come back, and brightening multiplies
#   signal and noise alike.
# - Files hold sRGB values, not light. Stops are factors of two in light.
# - The SNR is the square root of the number of photons, and lower where read noise counts too.
# - Light may differ from place to place, and then no single gain restores it.
# - A split that ignores scenes measures memory. A mispaired list makes perfection worse than grey.
#
# **What failed.** The comb in the histogram looked like the great loss and was nearly harmless. And
# the embedded set is brighter and less varied than LOL v1: what works on it need not work there.
#
# **Next:** brightening restores nothing that noise drowned. But the *light*: could a program guess,
# from the dark photograph alone, how bright it should be?
# [02. Explore before you train](02_histograms.ipynb)
#
# *The core path ends here.*
#
# ## Going deeper
#
# ### Measure a camera
#
# You gave your camera 1,000 photons at white and a read noise of 2 electrons. What are these two
# numbers for a camera that somebody hands you? Photograph a plain wall at several dim exposures,
# and compare the variance of the pixels with their mean. If white is $N$ photons and the read noise
# is $r$ electrons, a mean of $m$ (white is 1) comes with
#
# $$\text{variance} = \frac{m}{N} + \left(\frac{r}{N}\right)^2.$$
#
# The first part is shot noise: $mN$ photons have the variance $mN$, and light is their number
# divided by $N$. The second is read noise. Drawn against the mean, the variance is a straight line,
# the **photon transfer curve** (Janesick, 2007). Its slope tells you $N$, and then its height at
# black tells you $r$.
#
# {{exercise camera}}
#
# Find $N$ and $r$ from the means and the variances at several exposures, two arrays.
# `np.polyfit(mean, variance, 1)` fits a line, and returns its slope and its height at 0.


# %%
def my_camera(mean, variance):
    """Means and variances -> (photons at white, read noise in electrons)."""
    ### SOLUTION camera


# %% tags=["nbval-check-output"]
my_camera = check.camera(my_camera)

# %% [markdown]
# {{answers camera}}
#
# An old camera and a new phone photograph a wall, twice at each of twelve exposures. Twice, because
# no wall is lit evenly, and in one shot its shades would count as noise. The difference of the two
# cancels the wall, and has twice the variance of one shot.

# %%
# Photons at white, and electrons of read noise.
CAMERAS = {"old camera": (4000, 12.0), "new phone": (1500, 1.5)}
torch.manual_seed(lesson.seed)
wall = torch.linspace(0.8, 1.2, 100_000) * torch.linspace(0, 0.04, 12)[:, None]
points = {}
for camera, (photons, electrons) in CAMERAS.items():
    counted = (floats(my_shot_noise(wall, photons)) for _ in range(2))
    one, two = (read_noise(light, electrons / photons) for light in counted)
    points[camera] = ((one + two) / 2).mean(1).numpy(), ((one - two).var(1) / 2).numpy()
question_camera = widgets.predict(
    "Which of the two has less noise, pixel by pixel?",
    ["the camera, in any light", "the phone, in any light", "the phone, but only in the dark"],
)
question_camera

# %% [markdown]
# The points are measured. The lines are drawn with the two numbers that your function returns:

# %% Draw the photon transfer curves tags=["hide-input"]
figure = plotting.CourseFigure(
    6,
    3.6,
    alt="Variance against mean for both cameras, each a straight line through its points. That of "
    "the old camera starts higher at black and rises more slowly; they cross at 0.02 of white.",
)
axis = figure.subplots()
measured = {camera: my_camera(*shots) for camera, shots in points.items()}
for marker, (camera, (mean, variance)) in zip("os", points.items(), strict=True):
    n, r = measured[camera]
    label = f"{camera}: {n:,.0f} photons, {r:.1f} electrons"
    (dots,) = axis.plot(mean, 1e6 * variance, marker, markersize=5, label=label)
    axis.plot(mean, 1e6 * (mean / n + (r / n) ** 2), color=dots.get_color(), linewidth=1)
axis.set(xlabel="mean (1 is white)", ylabel="variance (millionths)", ylim=(0, None))
axis.legend()
figure

# %%
(n_old, r_old), (n_new, r_new) = measured.values()
crossing = ((r_old / n_old) ** 2 - (r_new / n_new) ** 2) / (1 / n_new - 1 / n_old)
question_camera.reveal(
    list(question_camera.letters)[2 if crossing > 0 else int(r_new / n_new < r_old / n_old)],
    f"The lines cross at {crossing:.3f} of white, {-np.log2(crossing):.1f} stops below it.",
)

# %% [markdown]
# The fit finds both numbers from the photographs alone. A pixel of the old camera counts more
# photons, which wins in good light. In the dark the read noise decides, and the phone wins.
#
# {{claim all(np.allclose(measured[c], CAMERAS[c], rtol=0.08) for c in CAMERAS)}}
# {{claim 0.012 < crossing < 0.03}}
#
# A raw file in the DNG format can hold the slope and the height of this line (`NoiseProfile`), and
# training sets are made with such numbers (Brooks and others, 2019). A JPEG shows no such line: the
# sRGB curve has bent it.
#
# ### How real is our camera?
#
# The camera of this lesson made the embedded set. How close does it come to the real pairs of LOL?
# Describe a pair by five numbers: how many stops darker `low` is, how many of the 256 levels it
# uses, how much of it is pure black, how strong its colour cast is, and how grainy it is once
# brightened.

# %% Describe both sets tags=["hide-input"]
# The filter is 0 where an image is smooth (Immerkær, 1996); fine texture counts as grain too.
GRAIN = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]).view(1, 1, 3, 3)
# Measured by this cell on 60 training pairs from across LOL v1: median, 10th and 90th percentile.
LOL = [
    (5.39, 4.17, 7.31),
    (70.00, 35.57, 135.93),
    (4.35, 0.38, 15.80),
    (0.19, 0.06, 0.86),
    (10.65, 6.02, 21.45),
]
LABELS = ("stops darker", "levels used", "% black", "colour cast (stops)", "grain, brightened")


def describe(pair):
    low, normal = to_linear(pair.low), to_linear(pair.normal)
    gains = torch.log2(normal.mean((1, 2)) / low.mean((1, 2)))
    stops = torch.log2(normal.mean() / low.mean())
    back = to_srgb(expose(low, stops).clamp(max=1.0))
    grain = 255 / 6 * (np.pi / 2) ** 0.5 * torch.conv2d(back[:, None], GRAIN).abs().mean()
    levels = np.mean([len(torch.unique(channel)) for channel in pair.low])
    black = (pair.low == 0).float().mean()
    return [float(x) for x in (stops, levels, 100 * black, (gains - gains[1]).abs().max(), grain)]


def statistics(pairs):
    chosen = pairs.subset(np.unique(np.linspace(0, len(pairs) - 1, 60).astype(int)))
    return np.percentile([describe(pair) for pair in chosen], (50, 10, 90), axis=0).T


def cells(values):
    digits = 2 if values[0] < 1 else 1
    return "{:.{n}f} ({:.{n}f} to {:.{n}f})".format(*values, n=digits)


ours = statistics(embedded)
lol = statistics(data.load_pairs("lol_v1", "train")) if present else LOL
rows = [[label, cells(a), cells(b)] for label, a, b in zip(LABELS, ours, lol, strict=True)]
Table(["median (10th to 90th percentile)", "embedded", "LOL v1"], rows)

# %% [markdown]
# Real pairs are darker. They also differ more from one another, in all but the share of black.
#
# {{claim ours[0][0] < LOL[0][0] - 1}}
# {{claim all(np.ptp(ours[row][1:]) < np.ptp(LOL[row][1:]) - 0.1 for row in (0, 1, 3, 4))}}
# {{claim np.ptp(ours[2][1:]) > np.ptp(LOL[2][1:])}}
#
# **The shape of grain.** In our pictures the noise of a pixel says nothing about that of its
# neighbour. Such noise is called **white noise**. In a real camera each pixel sees only one colour:
# half of them green, a quarter red, a quarter blue. The two that it lacks are computed from its
# neighbours. This is **demosaicing**, and after it neighbours share their noise. Its simplest form
# is a weighted mean of what was measured nearby:


# %%
WEIGHTS = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]).view(1, 1, 3, 3)


def demosaic(image):
    """An image (3, H, W), of which each pixel keeps one colour and gets the others."""
    seen = torch.zeros_like(image)
    seen[0, ::2, ::2] = seen[1, ::2, 1::2] = seen[1, 1::2, ::2] = seen[2, 1::2, 1::2] = 1
    near, weight = (
        torch.conv2d(x[:, None], WEIGHTS, padding=1)[:, 0] for x in (image * seen, seen)
    )
    return torch.where(seen > 0, image, near / weight)


# %% [markdown]
# Apply it to the noise alone, in the garage with 4 stops less light. To see only how the grain is
# spread, scale it back to its old strength. How alike are neighbours? Their **correlation** is 0 if
# they have nothing in common, and 1 if they are equal. And how much of the noise is left when you
# average squares of 4x4 pixels?

# %%
torch.manual_seed(lesson.seed)
light = expose(to_linear(photos["motorcycle"]), -4)
white = read_noise(floats(my_shot_noise(light, 2000)), 0.001) - light
coloured = demosaic(white)
coloured = coloured * (white.std() / coloured.std())


def correlation(noise):
    return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean())


grains = {
    "white": white,
    "demosaiced": coloured,
    "demosaiced, a quarter of the size": avg_pool2d(coloured, 4),
}
left = {name: float(avg_pool2d(noise, 4).std() / noise.std()) for name, noise in grains.items()}
Table(
    ["grain", "correlation of neighbours", "left after averaging 4x4"],
    [[name, f"{correlation(noise):.2f}", f"{left[name]:.0%}"] for name, noise in grains.items()],
)

# %% [markdown]
# White noise averages out: over 16 pixels a quarter of it is left, as $1 / \sqrt{16}$ says. Of the
# demosaiced noise about half is left, since neighbours err alike. The last row shows how to get rid
# of that: a photograph that is reduced has nearly white grain again. LOL's photographs were reduced
# to 600x400 pixels. Those that come straight from your camera were not.
#
# Does a network care? Ask one that was trained on the embedded set, and so on white noise alone.
#
# {{claim abs(correlation(white)) < 0.03 and correlation(coloured) > 0.5}}
# {{claim abs(left["white"] - 0.25) < 0.02 and 0.45 < left["demosaiced"] < 0.65}}
# {{claim correlation(grains["demosaiced, a quarter of the size"]) < 0.2}}

# %%
network = create_method("dual_branch", "embedded")
panels, similar = {}, []
for kind in ("white", "demosaiced"):
    low = quantise(to_srgb(light + grains[kind]).clamp(0, 1))
    answer = network(low[None])[0]
    panels |= {f"{kind} grain": brighten(to_linear(low)), f"{kind}, enhanced": answer}
    similar.append(metrics.ssim(quantise(answer), photos["motorcycle"]).item())
plotting.show_images(
    [picture[:, 115:175, 262:334] for picture in panels.values()],
    list(panels),
    ["", f"SSIM {similar[0]:.2f}", "", f"SSIM {similar[1]:.2f}"],
    alt="The mudguard of the motorcycle with white grain, which the network removes, and with "
    "demosaiced grain, in blotches, which it leaves as dark and coloured spots.",
)

# %% [markdown]
# The network removes the grain that it knows, and keeps blotches of the other, as if they were part
# of the garage: domain shift again. The final network of this course was therefore trained with
# grain of many widths (`synthesis.grainy_noise`). Cameras demosaic better than by a mean (Malvar
# and others, 2004), and many smooth the noise as well, but neighbours share it all the same.
#
# {{claim similar[0] > similar[1] + 0.02}}
#
# ### More of what happens in the dark
#
# The final network of this course is trained on LOL and on photographs darkened by physics. Here
# are three parts of that physics that the core left out. The first two work in linear light.
#
# **Uneven light.** A smooth random map $m$ gives each place its stops. A few random numbers on a
# coarse grid are enlarged by bicubic interpolation (value noise, after Perlin, 1985), and `stops`
# says how strongly they vary. The more cells, the smaller the patches of light: few as in a room,
# many as in a street at night. One stop less everywhere leaves room for the bright places, so the
# light becomes $\text{light} \cdot 2^{m - 1}$.


# %%
def shown(lights):
    """Pictures of linear light, side by side, each below its title."""
    return plotting.show_images([to_srgb(x.clamp(0, 1)) for x in lights.values()], list(lights))


def uneven(cells=3, stops=1.0):
    """The garage in uneven light, and the smooth map of stops that made it"""
    light = to_linear(photos["motorcycle"])
    random_map = lighting.light_field(light.shape[-2:], cells, torch.Generator().manual_seed(1))
    m = stops * random_map
    map_in_grey = expose(torch.ones(3, 1, 1) / 8, m)
    return shown({"one stop less, and uneven": expose(light, m - 1), "the map m": map_in_grey})


widgets.parameter_slider(uneven, frames=2, cells=(2, 8), stops=(0.0, 2.0, 0.25))

# %% [markdown]
# **The colour of the light.** A bulb is redder than daylight. One gain per channel models it (von
# Kries), in proportion $e^{w} : e^{t} : e^{-w}$ with warmth $w$ and tint $t$; $w$ is about 1.0 for
# a tungsten bulb, 0.24 for light near the horizon, -0.1 for shade (CIE 15). In the dark picture a
# cast is easy to overlook. In the brightened one it is plain.


# %%
def cast(warmth=0.25, tint=0.0):
    """The portrait in coloured light, 5 stops dark and brightened"""
    light = expose(to_linear(photos["astronaut"])[:, :200, 60:], -5)
    light = white_balance(light, lighting.light_colour(warmth, tint))
    return shown({"5 stops dark": light, "brightened by 5 stops": 32 * light})


widgets.parameter_slider(cast, frames=2, warmth=(-0.25, 1.0, 0.125), tint=(-0.3, 0.3, 0.1))

# %% [markdown]
# **JPEG.** Most photographs on the web are JPEG files. The format divides the picture into blocks
# of 8x8 pixels and rounds their frequencies, more coarsely at lower `quality`. In the dark it
# discards faint detail, so brightening shows more damage the darker the picture was. Watch for
# squares.


# %%
def as_jpeg(light, quality, stops_dark):
    """Linear light -> sRGB, stored as JPEG with so many stops less and brightened again."""
    stored = synthesis.jpeg(to_srgb(expose(light, -stops_dark)), quality)
    return to_srgb(expose(to_linear(stored), stops_dark).clamp(0, 1))


def compressed(quality=70):
    """A face as JPEG, in full light, and in the dark and brightened, with square blocks"""
    pictures = [to_srgb(face), *(as_jpeg(face, quality, stops) for stops in (0, 4))]
    scores = ["", *(f"{psnr(picture, pictures[0]):.1f} dB" for picture in pictures[1:])]
    titles = ["the face", "JPEG, full light", "JPEG, 4 stops dark"]
    return plotting.show_images(pictures, titles, scores)


widgets.parameter_slider(compressed, frames=2, quality=(30, 100, 10))

# %% [markdown]
# At quality 70, JPEG costs some 5 dB more in a picture 4 stops dark than in full light.
#
# {{claim 4 < -np.diff([psnr(as_jpeg(face, 70, s), to_srgb(face)) for s in (0, 4)])[0] < 6}}
#
# **All at once.** `draw_pair` draws a scene at random and photographs it, with lamps, their glare
# and blotchy noise as well (`data.lighting`, `data.synthesis`). There are four kinds of scene. One
# of them, "unchanged", teaches a network to leave good photographs alone, even very bright ones and
# those with a plain strip (here a white one at the right, so that its pictures look narrow). The
# white disc is a lamp in the scene, so the target has it too. One photograph gives as many pairs as
# you like:

# %%
view = temple[:, :, 60:320]
drawn = [draw_pair(view, kind, torch.Generator().manual_seed(1)) for kind in KINDS]
plotting.show_images(
    [image for pair in zip(*drawn, strict=True) for image in pair],
    [f"{part}, {kind}" for part in ("low", "normal") for kind in KINDS],
    alt="Four random pairs of the temple, low above and normal below, one of each kind of scene.",
)

# %% [markdown]
# A folder of photographs of your own becomes a data set in the same way: `python -m llie_helpers
# train --model dual_branch --data photographs:DIR`.
#
# ### How many levels does a dark file use?
#
# That depends on where the rounding happens: in the file, after the sRGB curve, or on the sensor,
# in linear light. Darken a smooth ramp from black to white, and count the levels that are left.


# %% tags=["nbval-check-output"]
def count_levels(values, bits):
    return len(torch.unique(quantise(values, bits)))


ramp = torch.linspace(0, 1, 100_000)
kept = {}
print("stops   8-bit sRGB file   8-bit linear   12-bit linear")
for stops in (0, -2, -4, -6):
    darker = expose(ramp, stops)
    kept[stops] = [count_levels(to_srgb(darker), 8)]
    kept[stops] += [count_levels(darker, bits) for bits in (8, 12)]
    print("{:5}   {:15} {:14} {:15}".format(stops, *kept[stops]))

# %% [markdown]
# Linear values spend most levels on highlights, so sensors use 12 bits or more. The sRGB curve
# gives more of them to the dark tones.
#
# {{claim kept[-4][0] > 3 * kept[-4][1] and kept[-4][2] > kept[-4][0]}}
#
# ### Check a folder before you trust it
#
# `data.check` opens every file of a set. Any two folders are a set, under the name
# `folders:LOW:NORMAL`. Make such folders with eight pairs, and spoil three in ways that happen: a
# file that was never copied, a download that broke off, and an image that someone resized.

# %% tags=["nbval-check-output"]
demo = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(demo.name)
for file in files:
    images.save_image(folder / "low" / file, lows[file])
    images.save_image(folder / "normal" / file, views[file])
(folder / "normal" / "6.png").unlink()
(folder / "low" / "8.png").write_bytes((folder / "low" / "8.png").read_bytes()[:20_000])
images.save_image(folder / "normal" / "10.png", views["10.png"][:, ::2, ::2])
report = str(data.check(f"folders:{folder / 'low'}:{folder / 'normal'}"))
print(report.replace(f"{folder}{os.sep}", ""))

# %% [markdown]
# Seven pairs were found, since the eighth has lost its target, and two of the seven are unusable.
# Loading the set leaves these out and says so once. On the command line the check is
# `python -m llie_helpers data check NAME`.
#
# {{claim report.count("problem:") == 3}}
#
# ### Augmentation: new pairs from old ones
#
# **Augmentation** turns one pair into several. A square has eight *symmetries*, four rotations,
# each mirrored or not, and the course numbers them 0 to 7. Whatever happens to `low` must happen to
# `normal` too. Here is the kind of function that is easy to write, and a way to test it without
# looking: give it the same image twice. If the two results differ, it tears pairs apart.


# %%
def augment_with_bugs(low, normal):
    low = flip_rotate(low, int(torch.randint(7, ())))
    normal = flip_rotate(normal, int(torch.randint(7, ())))
    gain = 0.8 + 0.45 * torch.rand(())
    return low * gain, normal * gain


square = photo[:, :260, 60:320]
trials = [augment_with_bugs(square[:, ::4, ::4], square[:, ::4, ::4]) for _ in range(200)]
torn = [psnr(*trial) for trial in trials if not torch.equal(*trial)]
print(f"{len(torn)} of 200 pairs torn; PSNR of the two images {np.mean(torn):.1f} dB")

# %% [markdown]
# Most pairs are torn. What would a network make of them? It cannot know how the target was turned.
# Trained with the mean squared error, it does best by returning the *mean* of all that the target
# might be:
#
# {{claim len(torn) > 140}}

# %%
turned = [flip_rotate(square, k) for k in range(7)]  # as many as the function draws
ghost = torch.stack(turned).mean(0)
plotting.show_images(
    [picture[:, ::2, ::2] for picture in (square, turned[5], ghost)],
    ["what it should return", "a target it was given", "what the error rewards"],
    alt="A portrait, the same turned by a quarter and mirrored, and the mean of all that the "
    "function draws: an orange kaleidoscope without a face.",
)

# %% [markdown]
# {{exercise augment}}
#
# `augment_with_bugs` has three bugs: one tears pairs apart, one never shows the network an eighth
# of what it could see, and one lets values leave the range of an image. Write it without them.
# Keep the gain between 0.8 and 1.25, one gain for all channels.
#
# (On sRGB values, a gain of 1.25 is one of about 1.6 on light, and of less near black. The field
# does it all the same, because it is cheap. `my_expose` would be physically correct.)


# %%
def my_augment(low, normal):
    """A pair of square images (3, H, H) in [0, 1] -> the pair, turned and brightened alike."""
    ### SOLUTION augment


# %% tags=["nbval-check-output"]
my_augment = check.augment(my_augment)

# %% [markdown]
# {{answers augment}}
#
# The same test, on your function:

# %%
trials = [my_augment(square[:, ::4, ::4], square[:, ::4, ::4]) for _ in range(200)]
trials = [[floats(image) for image in trial] for trial in trials]
print(f"{sum(not torch.equal(*trial) for trial in trials)} of 200 pairs torn")

# %% [markdown]
# Not one pair is torn any more.
#
# {{claim all(torch.equal(*trial) for trial in trials)}}
#
# ## Papers
#
# - C. Wei, W. Wang, W. Yang, J. Liu. Deep Retinex Decomposition for Low-Light Enhancement. BMVC
#   2018. (LOL v1)
# - J. R. Janesick. Photon Transfer. SPIE Press, 2007. (measuring a camera's noise)
# - A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. Practical Poissonian-Gaussian noise modeling
#   and fitting for single-image raw-data. IEEE Transactions on Image Processing, 2008.
# - T. Brooks, B. Mildenhall, T. Xue, J. Chen, D. Sharlet, J. T. Barron. Unprocessing Images for
#   Learned Raw Denoising. CVPR 2019.
# - H. S. Malvar, L. He, R. Cutler. High-quality linear interpolation for demosaicing of
#   Bayer-patterned color images. ICASSP 2004.
# - K. Wei, Y. Fu, J. Yang, H. Huang. A Physics-based Noise Formation Model for Extreme Low-light
#   Raw Denoising. CVPR 2020.
# - CIE 015:2018. Colorimetry. 4th edition. (the colours of standard lights)
# - K. Perlin. An image synthesizer. SIGGRAPH 1985. (value noise)
# - K. He, J. Sun. Fast guided filter. arXiv:1505.00996, 2015. (separates the surfaces of a backlit
#   scene)
# - Z. Cui and others. You Only Need 90K Parameters to Adapt Light. BMVC 2022. (IAT)
# - W. Yang and others. Sparse Gradient Regularized Deep Retinex Network for Robust Low-Light Image
#   Enhancement. IEEE Transactions on Image Processing, 2021. (LOL v2)
# - J. Immerkær. Fast Noise Variance Estimation. Computer Vision and Image Understanding, 1996.
# - B. Barz, J. Denzler. Do We Train on Test Data? Purging CIFAR of Near-Duplicates. Journal of
#   Imaging, 2020.
