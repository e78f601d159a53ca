# %% [markdown]
# # 01. What a dark photo is
#
# A photograph taken in the dark is not a bright photograph multiplied by a small number. Take one
# in good light, darken it by the number alone, and you can brighten it back without a trace. Take
# it in the dark, and what comes back is grainy, tinted and full of gaps. In this lesson you darken
# a photograph step by step, the way a camera does, and after each step you try to bring it back.
# What does not come back is what every network of this course has to guess.
#
# The other half of the lesson is about the data itself, because most wrong results in this field
# begin there: pairs that do not belong together, and test images that were seen in training.
#
# **You will be able to**
#
# - say which data set you stand on, and climb to a better one;
# - check a folder of image pairs, and recognise the bug that no check of files can find;
# - compute in linear light, in stops and in photons, and say what each step of a camera costs;
# - augment a pair without tearing it apart;
# - split data by scene, and measure what a careless split would have made you believe.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | eight photographs that come with the installed libraries | 1 | 1 GB |
# | full | LOL v1, 500 real pairs | 2, and the download | 2 GB |

# %% [markdown]
# {{setup}}

# %% [markdown]
# What the lesson needs from the package; everything else is imported where it first appears.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch

from llie_helpers import data, images, metrics, plotting
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_01 as check

# %% [markdown]
# ## 1. Which data do you stand on?
#
# The course looks for data in three places and takes the first that has it:
#
# 1. **present**: in the folder that `LLIE_DATA` names, in the course's `data/`, or in
#    `/kaggle/input` in a Kaggle notebook;
# 2. **Kaggle**: public sets download without an account;
# 3. **embedded**: photographs that scikit-image, scikit-learn and matplotlib ship, darkened by the
#    model of a camera that you build in this lesson. They need no network.
#
# The quick profile takes the embedded photographs on purpose, so that it runs anywhere in a minute.

# %%
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))

# %% [markdown]
# For real pairs, run `python -m llie_helpers data get lol_v1` once, or unpack the set yourself and
# point `LLIE_DATA` at its folder; then start the notebook with `LLIE_PROFILE=full`. These are the
# sets that the course knows, with the number of pairs that their authors published:

# %%
for key, folder in data.available().items():
    counts = ", ".join(f"{n} {split}" for split, n in data.CATALOG[key].counts.items())
    print(f"{key:17} {'present' if folder else 'absent':8} {counts or '-'}")

# %% [markdown]
# None of these sets states a licence that lets you publish its images. Use them to learn, to train
# and to compare. That is also why every figure of the course that is stored shows embedded
# photographs only.

# %% [markdown]
# ## 2. A set of pairs
#
# A *paired set* holds each scene twice: `low`, taken with too little light, and `normal`, the same
# view in good light. `normal` is what a method should produce from `low`; other names for it
# are target and *ground truth*. A set comes in three parts. You fit on `train`, make every choice
# on `val`, and look at `test` once, at the end.

# %% tags=["nbval-check-output"]
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# A *scene* is one view of one place. Several pairs may show the same scene: the embedded set
# darkens each photograph several times, and LOL v1 has two or more shots of most scenes. Section 7
# shows why you must know this before you split anything.
#
# An image is a tensor of shape `(3, height, width)`: red, green and blue, as numbers from 0 to 1.

# %% tags=["nbval-check-output"]
pair = train[0]
print(f"{pair.name}, scene {pair.scene}")
for side in ("low", "normal"):
    image = getattr(pair, side)
    print(f"{side:7} {tuple(image.shape)} {image.dtype}, mean {image.mean():.2f}")

# %% [markdown]
# Four pairs from across the training set, low light above normal light:

# %%
plotting.show_pairs(train.subset(np.linspace(1, len(train) - 1, 4)), 4)

# %% [markdown]
# ## 3. Check before you trust
#
# Somebody sends you a folder of pairs. Make such a folder, one pair per embedded photograph,
# named by number as cameras do, so that there is something to check.

# %%
shots = []
for split in ("train", "val", "test"):
    pairs = data.load_pairs("embedded", split)
    shots += [pairs[pairs.scenes.index(scene)] for scene in dict.fromkeys(pairs.scenes)]
demo = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
folder = Path(demo.name)
for number, shot in enumerate(shots, start=5):
    images.save_image(folder / "low" / f"{number}.png", shot.low)
    images.save_image(folder / "normal" / f"{number}.png", shot.normal)

# %% [markdown]
# `data.check` opens every file of a set. Any two folders are a set for the course, under the name
# `folders:LOW:NORMAL`. On the command line it is `python -m llie_helpers data check NAME`.

# %% tags=["nbval-check-output"]
two_folders = f"folders:{folder / 'low'}:{folder / 'normal'}"


def short(text):
    """Without the temporary folder's long name."""
    return str(text).replace(f"{folder}{os.sep}", "")


print(short(data.check(two_folders)))

# %% [markdown]
# Now spoil three pairs, each in a way that happens: a file that was never copied, a download that
# broke off, and an image that someone resized.

# %% tags=["nbval-check-output"]
(folder / "normal" / "6.png").unlink()
half = (folder / "low" / "8.png").read_bytes()[:20_000]
(folder / "low" / "8.png").write_bytes(half)
images.save_image(folder / "normal" / "10.png", shots[5].normal[:, ::2, ::2])
print(short(data.check(two_folders)))

# %% [markdown]
# Loading such a set stops with one sentence instead of training on it:

# %% tags=["nbval-check-output"]
try:
    data.load_pairs(two_folders, "train")
except Exception as error:
    print(type(error).__name__, "-", short(error))

# %% [markdown]
# ### The bug that no file check finds
#
# Much code pairs images by *position*: the first file of one listing with the first of the other.
# It works only while both listings have the same order. `os.listdir` promises no order at all,
# and sorting as text puts `10.png` before `5.png`. Pair a list sorted as text with one sorted by
# number:

# %% tags=["nbval-check-output"]
files = [f"{number}.png" for number in range(5, 13)]
as_text = sorted(files)
by_number = sorted(files, key=lambda file: int(Path(file).stem))
for low_file, normal_file in zip(as_text, by_number, strict=True):
    print(f"{low_file:7} {normal_file:7} {'' if low_file == normal_file else 'mispaired'}")

# %% [markdown]
# Every file exists, opens, and may even have the right size. To see what such a set does to a
# score, you need a score. *PSNR* (peak signal-to-noise ratio) measures how far two images differ,
# in decibels: $-10\log_{10}$ of the mean squared error. A typical error of 0.1 gives 20 dB, of
# 0.01 gives 40 dB; equal images give infinity. Lesson 02 treats it properly.

# %%
pairing_guesses = {"about 30 dB": 30, "about 20 dB": 20, "about 10 dB": 10}
question_pairing = widgets.predict(
    "A perfect method returns exactly the right normal image. Scored against the mispaired list, "
    "what is its mean PSNR?",
    list(pairing_guesses),
)
question_pairing

# %% [markdown]
# Each image is cut to the same size here, so that all of them can be compared.

# %%
views = {file: shot.normal[:, :260, :320] for file, shot in zip(files, shots, strict=True)}
lows = {file: shot.low[:, :260, :320] for file, shot in zip(files, shots, strict=True)}


def mean_psnr(pairs_of_images):
    return float(np.mean([metrics.psnr(output, target) for output, target in pairs_of_images]))


perfect = mean_psnr((views[a], views[b]) for a, b in zip(as_text, by_number, strict=True))
untouched = mean_psnr((lows[file], views[file]) for file in files)
grey = mean_psnr((torch.full((3, 260, 320), 0.5), views[file]) for file in files)

# %% [markdown]
# Beside each prediction of yours stands what was measured. If you have not chosen yet, choose
# above and run this cell again.


# %%
def nearest(value, guesses):
    """The guess, among those of a question, that comes closest to the measured value."""
    return min(guesses, key=lambda guess: abs(guesses[guess] - value))


question_pairing.reveal(
    nearest(perfect, pairing_guesses),
    f"measured {perfect:.1f} dB. With the right pairs, the dark input itself scores "
    f"{untouched:.1f} dB, and plain grey {grey:.1f} dB.",
)

# %% [markdown]
# So with wrong pairs perfection scores worse than grey, and a network that is trained on them
# learns to return the mean of all targets, close to grey. Its loss falls a little and then stops,
# and nothing crashes. The course pairs by name, never by position: `2.png` with `2.jpg`,
# `7_low.png` with `7_high.png`.
#
# Three habits catch what is left: look at some pairs, look at the worst scores first, and be
# suspicious of a network that does no better than a constant.

# %% [markdown]
# ## 4. Light, and the numbers in a file
#
# A pixel of a sensor counts photons: twice the light, twice the count. The numbers in an image
# file are not proportional to light. The *sRGB* standard bends them by a curve, because our eyes
# tell dark tones apart better than bright ones, and 256 levels are best spent where we see them.
# Values before the curve are called *linear light*.

# %%
from llie_helpers.data.synthesis import expose, to_linear, to_srgb

figure = plotting.CourseFigure(6, 3.6)
axis = figure.subplots()
light = torch.linspace(0, 1, 400)
axis.plot(light, to_srgb(light))
for halvings in range(6):
    point = 2.0**-halvings, float(to_srgb(torch.tensor(2.0**-halvings)))
    axis.plot(*point, "o", color=plotting.COLOURS[1])
    axis.annotate(f"1/{2**halvings}", point, xytext=(7, -12), textcoords="offset points")
axis.set(xlabel="linear light (1 is a full pixel)", ylabel="sRGB value in the file")
figure

# %% [markdown]
# The dots halve the light again and again.

# %%
half_guesses = {"0.25": 0.25, "0.36": 0.36, "0.43": 0.43, "0.50": 0.5}
question_half = widgets.predict(
    "A pixel holds the sRGB value 0.50. You halve the light. What does the file hold now?",
    list(half_guesses),
)
question_half

# %% [markdown]
# The curve has an exact formula, which you will write in a minute:

# %%
light = to_linear(torch.tensor(0.5))
stored = to_srgb(light / 2)
question_half.reveal(
    nearest(stored, half_guesses),
    f"0.50 stands for {light:.3f} of full light, and half of that is stored as {stored:.3f}.",
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
# Write it for a whole tensor at once.


# %%
def my_to_linear(srgb):
    """sRGB values in [0, 1], any shape -> linear light of the same shape."""
    ### SOLUTION light


# %% tags=["nbval-check-output"]
check.light(my_to_linear)

# %% [markdown]
# {{answers light}}

# %% [markdown]
# ### Exposure in stops
#
# Photographers count light in *stops*: one stop up is twice the light, one stop down half of it.
# Stops add up, so three stops down is an eighth. A pixel cannot hold more than full, so light
# above 1 is lost: it is *clipped* to white.
#
# {{exercise expose}}
#
# Write what a change of exposure by `stops` does to an sRGB photograph. Use `to_linear` and
# `to_srgb`, which are imported above.


# %%
def my_expose(srgb, stops):
    """An sRGB photograph, (3, H, W) in [0, 1], with 2 ** stops times the light."""
    ### SOLUTION expose


# %% tags=["nbval-check-output"]
check.expose(my_expose)

# %% [markdown]
# {{answers expose}}

# %% [markdown]
# Turn the exposure yourself. Watch three things: how the histogram (the share of pixels at each
# value) slides and *squeezes* to the left; when you stop recognising the photograph; and what
# happens on the right at one stop too many. The dark images of LOL v1 lie between 4 and 7 stops
# below their partners (section 5).

# %%
photo = shots[0].normal


def exposed(stops=-2.0):
    image = to_srgb(expose(to_linear(photo), stops).clamp(max=1.0))
    return plotting.show_histograms([image], [f"{stops:+.1f} stops, mean {image.mean():.3f}"])


widgets.parameter_slider(exposed, stops=(-7.0, 1.0, 0.5))

# %% [markdown]
# If this were all, low light would be easy: multiply by `2**stops`, done, with no network. The
# following steps are why it is not.

# %% [markdown]
# ### Shot noise: photons are counted one by one
#
# Photons arrive at random, like drops of rain on a tile. A pixel that should get $N$ of them gets
# $N$ on average, and the actual count follows a *Poisson* distribution, whose variance equals its
# mean. This *shot noise* is in the light itself; no better camera removes it.
#
# Count the photons of a flat grey patch. `full_well` is how many photons a white pixel holds, and
# the signal-to-noise ratio (SNR) is the mean over the standard deviation.

# %%
from llie_helpers.data.synthesis import read_noise, shot_noise

generator = torch.Generator().manual_seed(lesson.seed)
patch = torch.full((3, 200, 200), 0.2)
for full_well in (5, 50, 500, 5000):
    counts = shot_noise(patch, full_well, generator) * full_well
    print(
        f"mean {counts.mean():7.1f} photons, variance {counts.var():7.1f}, "
        f"SNR {counts.mean() / counts.std():5.1f}"
    )

# %% [markdown]
# Mean and variance agree in each row. Here is the same effect on a photograph, shown equally
# bright each time.

# %%
face = photo[:, 20:180, 120:280]
wells = (5, 50, 500, 5000)
counted = [to_srgb(shot_noise(to_linear(face), well, generator).clamp(max=1)) for well in wells]
plotting.show_images(counted, [f"{well} photons at white" for well in wells])

# %% [markdown]
# How does the SNR grow with the light?

# %%
snr_guesses = {"10": 10, "20": 20, "40": 40}
question_snr = widgets.predict(
    "A patch has an SNR of 10. You give it four times the light. What is its SNR now?",
    list(snr_guesses),
)
question_snr

# %% [markdown]
# Measure it: 20,000 pixels at each of 25 light levels from 1 to 10,000 photons. The second curve
# adds *read noise*, what the electronics add whether light falls or not: here 5 electrons.

# %%
full_well = 10_000
signal = torch.logspace(-4, 0, 25)[:, None].expand(-1, 20_000)
shot_only = shot_noise(signal, full_well, generator)
with_read = read_noise(shot_only, 5 / full_well, generator)
photons = signal[:, 0] * full_well
snr = {"shot noise": shot_only, "shot and read noise": with_read}
snr = {label: values.mean(1) / values.std(1) for label, values in snr.items()}

# %% [markdown]
# Both axes are logarithmic, so that a power of the light becomes a straight line.

# %%
figure = plotting.CourseFigure(6, 3.8)
axis = figure.subplots()
axis.loglog(photons, photons.sqrt(), color=plotting.GREY, linewidth=1, label="square root of N")
for marker, (label, values) in zip("os", snr.items(), strict=True):
    axis.loglog(photons, values, marker, markersize=5, label=f"{label}, measured")
axis.set(xlabel="photons N", ylabel="SNR")
axis.legend()
figure

# %% [markdown]
# Your prediction, against two patches of 20,000 pixels with four times the light between them:

# %%
at_100, at_400 = (shot_noise(torch.full((20_000,), n / 1e4), 1e4, generator) for n in (100, 400))
before, after = (float(values.mean() / values.std()) for values in (at_100, at_400))
question_snr.reveal(
    nearest(after, snr_guesses),
    f"measured {before:.1f} at 100 photons and {after:.1f} at 400: the square root of the count.",
)

# %% [markdown]
# The points lie on a line of slope one half: SNR is $\sqrt N$. Each stop of darkness costs a
# factor of 1.4, and brightening does not give it back, since it multiplies signal and noise alike.
# Below about 25 photons (the square of 5) read noise takes over and the curve turns steeper.
# There each lost stop costs nearly a factor of two. That corner is what "extreme low light" means.
#
# {{exercise photons}}
#
# Add shot noise to an image in linear light, where a white pixel holds `full_well` photons. The
# result is linear light again, with white at 1.


# %%
def my_shot_noise(linear, full_well):
    """Linear light, any shape, with white at 1 -> the same light, counted in photons."""
    ### SOLUTION photons


# %% tags=["nbval-check-output"]
check.photons(my_shot_noise)

# %% [markdown]
# {{answers photons}}

# %% [markdown]
# ### Quantisation: a file has 256 levels
#
# An 8-bit file rounds each value to one of $2^8 = 256$ levels. A dark photograph uses only the
# lowest of them, and brightening spreads these few apart.

# %%
levels_guesses = {"about 16": 16, "about 70": 70, "about 130": 130}
question_levels = widgets.predict(
    "A smooth ramp from black to white is darkened by 4 stops and saved with 8 bits. How many of "
    "the 256 levels does it use?",
    list(levels_guesses),
)
question_levels

# %% [markdown]
# The answer depends on where the rounding happens: in the file, after the sRGB curve, or on the
# sensor, in linear light.

# %% tags=["nbval-check-output"]
from llie_helpers.images import quantise


def count_levels(values, bits):
    return len(torch.unique(quantise(values, bits)))


ramp = torch.linspace(0, 1, 100_000)
print("stops   8-bit sRGB file   8-bit linear   12-bit linear")
for stops in (0, -2, -4, -6):
    dark = expose(ramp, stops)
    linear = [f"{count_levels(dark, bits):14}" for bits in (8, 12)]
    print(f"{stops:5}   {count_levels(to_srgb(dark), 8):15}", *linear)

# %%
used = count_levels(to_srgb(expose(ramp, -4)), 8)
question_levels.reveal(
    nearest(used, levels_guesses),
    f"{used}. Linear 8-bit values would keep only {count_levels(expose(ramp, -4), 8)}; the sRGB "
    "curve spends more levels on the dark tones.",
)

# %% [markdown]
# This is why sensors convert to 12 or more bits: linear values waste most levels on highlights.
# The gaps show in a histogram as a *comb*. Move the slider and find the darkness at which you see
# flat patches in hair and wall; then choose more bits.


# %%
def brightened_back(stops=-5, bits=8):
    dark = quantise(to_srgb(expose(to_linear(face), stops)), bits)
    back = to_srgb(expose(to_linear(dark), -stops).clamp(max=1.0))
    return plotting.show_histograms([back], [f"{bits} bits, {stops} stops, and back"])


widgets.parameter_slider(brightened_back, stops=(-8, 0), bits=[8, 10, 12], frames=4)

# %% [markdown]
# ### White balance: a cast that hides in the dark
#
# Light has a colour: a lamp is redder than the sky. A camera divides it out by one gain per
# channel, its *white balance*, and in the dark it often guesses wrongly. Move the slider. Half a
# stop of red too much is easy to overlook in the dark picture, and plain in the brightened one.

# %%
from llie_helpers.data.synthesis import white_balance


def cast(red_stops=0.5):
    gains = (2**red_stops, 1.0, 2**-red_stops)
    dark = white_balance(expose(to_linear(photo[:, :200, 60:]), -5), gains)
    pictures = [to_srgb(dark), to_srgb(expose(dark, 5).clamp(max=1.0))]
    titles = ["5 stops dark", f"brightened: red x {gains[0]:.2f}, blue x {gains[2]:.2f}"]
    return plotting.show_images(pictures, titles)


widgets.parameter_slider(cast, red_stops=(-1.0, 1.0, 0.25), frames=3)

# %% [markdown]
# ## 5. Darken a photograph step by step
#
# Put the steps in the order in which a camera takes them. After each, brighten back with the one
# gain that exactly undoes the exposure. Nobody knows that gain in practice, so every loss you see
# here is one that no choice of exposure can repair.

# %%
question_step = widgets.predict(
    "Each step alone, on a photograph 4 stops dark: which one costs the most dB?",
    ["shot noise", "read noise", "12-bit sensor", "white balance", "8-bit file"],
)
question_step

# %% [markdown]
# Each step is a function from light to light. The camera is a plain small one: a white pixel holds
# 1000 photons, and the electronics add 2 electrons, 0.002 of that.

# %%
steps = {
    "shot noise": lambda light: shot_noise(light, 1000, generator),
    "read noise": lambda light: read_noise(light, 0.002, generator),
    "12-bit sensor": lambda light: quantise(light, 12),
    "white balance": lambda light: white_balance(light, (1.15, 1.0, 0.87)),
    "8-bit file": lambda light: to_linear(quantise(to_srgb(light), 8)),
}
dark = expose(to_linear(photo), -4)


def brighten(light):
    return to_srgb(expose(light, 4).clamp(0, 1))


# %% [markdown]
# The last line, the photograph left dark, is for comparison.

# %%
alone = {step: metrics.psnr(brighten(change(dark)), photo).item() for step, change in steps.items()}
for step, decibels in alone.items():
    print(f"{step:14} {decibels:5.1f} dB")
print(f"{'left dark':14} {metrics.psnr(to_srgb(dark), photo).item():5.1f} dB")
worst = min(alone, key=alone.get)
question_step.reveal(worst, f"{alone[worst]:.1f} dB, the lowest of the five.")

# %% [markdown]
# Many expect the 8-bit file to be the culprit, since its comb looks so bad. It is nearly harmless:
# an error of half a level is small. Noise is what hurts. Which of the two noises is worse depends
# on the photograph. Large parts of this one are black; few photons make little shot noise there,
# but read noise does not care. Set `photo = shots[1].normal` and run these cells again to see the
# two change places. Now all steps together, each on top of the last:

# %%
generator.manual_seed(lesson.seed)
light, stages, scores = dark, [photo], ["the photograph"]
for change in steps.values():
    light = change(light)
    stages.append(brighten(light))
    scores.append(f"{metrics.psnr(stages[-1], photo).item():.1f} dB")
crops = [stage[:, 20:145, 100:320] for stage in stages]
plotting.show_images(crops, ["no step", *(f"+ {step}" for step in steps)], scores, columns=3)

# %% [markdown]
# `darken` in the package is this chain. With the same seed it gives the same image:

# %% tags=["nbval-check-output"]
from llie_helpers.data.synthesis import darken

low = darken(
    photo,
    stops=4,
    photons=1000,
    read_sigma=0.002,
    gains=(1.15, 1.0, 0.87),
    generator=torch.Generator().manual_seed(lesson.seed),
)
print("same as your chain:", torch.allclose(to_linear(low), light, atol=1e-6))

# %% [markdown]
# Drag the divider: the file as it is, and the best that a gain alone can make of it.

# %%
part = low[:, :240, 60:360]
widgets.before_after(part, brighten(to_linear(part)), labels=("the dark file", "brightened"))

# %% [markdown]
# ### How close is this to real dark photographs?
#
# Put numbers on a pair: how many stops apart the two images are, how many of 256 levels the dark
# one uses, how much of it is pure black, how far red and blue gains stray from green, and how
# grainy it is once brightened. Grain is the standard deviation of the noise in levels of 255,
# estimated with a small filter that answers zero where an image is smooth (Immerkær, 1996); fine
# texture counts as grain too.

# %%
GRAIN = torch.tensor([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]]).view(1, 1, 3, 3)


def describe(pair):
    low, normal = to_linear(pair.low), to_linear(pair.normal)
    gains = torch.log2(normal.mean((1, 2)) / low.mean((1, 2)))
    stops = torch.log2(normal.mean() / low.mean())
    back = to_srgb(expose(low, stops).clamp(max=1.0))
    grain = 255 / 6 * (np.pi / 2) ** 0.5 * torch.conv2d(back[:, None], GRAIN).abs().mean()
    levels = np.mean([len(torch.unique(channel)) for channel in pair.low])
    black = (pair.low == 0).float().mean()
    return [float(x) for x in (stops, levels, 100 * black, (gains - gains[1]).abs().max(), grain)]


# %% [markdown]
# The middle value over pairs, and in brackets the range from the 10th to the 90th of 100:

# %%
LABELS = ("stops darker", "levels used", "% black", "colour cast (stops)", "grain, brightened")


def print_statistics(pairs):
    chosen = pairs.subset(np.unique(np.linspace(0, len(pairs) - 1, 60).astype(int)))
    table = np.percentile([describe(pair) for pair in chosen], (50, 10, 90), axis=0)
    print(f"{pairs.title}, {len(chosen)} pairs")
    for label, (middle, lowest, highest) in zip(LABELS, table.T, strict=True):
        print(f"  {label:20} {middle:7.2f}  ({lowest:.2f} to {highest:.2f})")


for source in dict.fromkeys(("embedded", name)):
    print_statistics(data.load_pairs(source, "train"))

# %% [markdown]
# In the quick profile you see the embedded set only. On 60 training pairs from across LOL v1 the
# same cell printed:
#
# | LOL v1 | middle | 10th to 90th |
# | --- | --- | --- |
# | stops darker | 5.39 | 4.17 to 7.31 |
# | levels used | 70.00 | 35.57 to 135.93 |
# | % black | 4.35 | 0.38 to 15.80 |
# | colour cast (stops) | 0.19 | 0.06 to 0.86 |
# | grain, brightened | 10.65 | 6.02 to 21.45 |
#
# Real pairs are more than a stop and a half darker than ours, and they differ more from one
# another: no single gain fits, and some have a cast of nearly a stop. The grain is of a similar
# size. Not in these numbers: a camera's own processing smears noise into blotches, lamps light one
# side of a room only, and a photographer chose how bright "normal" is.

# %% [markdown]
# ## 6. Augmentation: new pairs from old ones
#
# Turning or mirroring a photograph gives another plausible one, for free. A square has eight such
# *symmetries*: four rotations, each mirrored or not. The course numbers them 0 to 7.

# %%
from llie_helpers.data.augment import flip_rotate

square = photo[:, :260, 60:320]
turned = [flip_rotate(square, k) for k in range(8)]
plotting.show_images(turned, [f"k = {k}" for k in range(8)], columns=8)

# %% [markdown]
# A pair adds one condition: whatever you do to `low` happens to `normal` too. Here is a function
# of a kind that is easily written, and one way to test it without looking at a picture: give it
# the same image twice. If the two results differ, it tears pairs apart.


# %%
def augment_with_bugs(low, normal):
    low = flip_rotate(low, int(torch.randint(7, ())))
    normal = flip_rotate(normal, int(torch.randint(7, ())))
    gain = 0.8 + 0.45 * torch.rand(())
    return low * gain, normal * gain


small = square[:, ::4, ::4]
results = [augment_with_bugs(small, small) for _ in range(200)]
torn = [metrics.psnr(*result).item() for result in results if not torch.equal(*result)]
print(f"{len(torn)} of 200 pairs torn; between their halves {np.mean(torn):.1f} dB")

# %% [markdown]
# What would a network make of such pairs? It cannot know how the target was turned. Trained with
# the mean squared error, it does best by returning the *mean* of all that the target might be:

# %%
ghost = torch.stack(turned).mean(0)
plotting.show_images(
    [square, turned[5], ghost],
    ["what it should return", "a target it was given", "what the error rewards"],
    ["", "", f"{metrics.psnr(ghost, square).item():.1f} dB"],
)

# %% [markdown]
# {{exercise augment}}
#
# `augment_with_bugs` has three bugs: one tears pairs apart, one never shows the network an eighth
# of what it could see, and one lets values leave the range of an image. Write it without them.
# Keep the gain between 0.8 and 1.25.


# %%
def my_augment(low, normal):
    """A pair of square images (3, H, H) in [0, 1] -> the pair, turned and brightened alike."""
    ### SOLUTION augment


# %% tags=["nbval-check-output"]
check.augment(my_augment)

# %% [markdown]
# {{answers augment}}

# %% [markdown]
# ## 7. Scenes, splits and leakage
#
# Whoever collects pairs puts the camera on a tripod and presses the shutter several times, with
# other settings. LOL was made like this: most of its scenes come as runs of near-duplicates. Make
# such series from the eight photographs: four shots of each, with the tripod nudged by up to
# `nudge` pixels, and with both exposures varied.

# %%
from llie_helpers.data.embedded import PHOTOGRAPHS, photograph


def press_shutter(view, nudge, draw):
    top, left = draw.integers(nudge + 1, size=2)
    moved = to_linear(images.to_float(view[top : top + 240, left : left + 320]))
    normal = to_srgb(expose(moved, draw.uniform(-0.5, 0.5)).clamp(max=1.0))
    noise = torch.Generator().manual_seed(int(draw.integers(2**31)))
    low = darken(normal, stops=draw.uniform(3, 5), photons=1000, generator=noise)
    return images.to_uint8(low), images.to_uint8(normal)


def take_series(nudge):
    draw = np.random.default_rng(lesson.seed)
    return [press_shutter(photograph(p), nudge, draw) for p in PHOTOGRAPHS for _ in range(4)]


# %% [markdown]
# A real set does not tell you which shots belong together. The course finds out by shrinking each
# normal image to a grey thumbnail and correlating them all: above 0.95, two images show the same
# scene.

# %% tags=["nbval-check-output"]
from llie_helpers.data.scenes import group_scenes

taken = {nudge: take_series(nudge) for nudge in (0, 3, 8)}
for nudge, series in taken.items():
    scenes = group_scenes(normal for _, normal in series)
    print(f"nudged by up to {nudge} pixels: {len(set(scenes))} scenes found, 8 are right")

# %% [markdown]
# The method has a limit, as you see: when the camera moves too far, it takes one scene for
# several. For sets shot on a tripod it works. Take the middle series from here on.

# %%
scenes = group_scenes(normal for _, normal in taken[3])
names = [f"{photograph} {shot}" for photograph in PHOTOGRAPHS for shot in range(4)]
series = data.Pairs("series", tuple(names), tuple(scenes), taken[3])
plotting.show_pairs(series, 6)

# %% [markdown]
# ### A method that has learned nothing
#
# This "method" never brightens a pixel. It looks for the training image whose dark thumbnail
# resembles the input most, and returns that image's *normal* partner.

# %%
from llie_helpers.data.scenes import thumbnail
from llie_helpers.methods import classical


def copying_method(training):
    known = np.array([thumbnail(training.raw(i)[0]) for i in range(len(training))])

    def enhance(low):
        most_alike = int(np.argmax(known @ thumbnail(images.to_uint8(low[0]))))
        copied = training[most_alike].normal[None]
        # Photographs of other scenes may have other sizes.
        return torch.nn.functional.interpolate(copied, size=low.shape[-2:])

    return enhance


def three_methods(training):
    copying = copying_method(training)
    return {"identity": classical.identity, "gamma": classical.gamma, "copying": copying}


# %%
leak_guesses = {"about 6 dB worse": -6, "about the same": 0, "about 6 dB better": 6}
question_leak = widgets.predict(
    "A quarter of the pairs is held out at random. How does copying score on them, compared with a "
    "gamma curve (values to the power 0.5), which at least brightens the input?",
    list(leak_guesses),
)
question_leak

# %% [markdown]
# Now hold out a quarter twice: at random, as one call of most libraries does it, and by scenes.
# Each is repeated with five seeds. The two baselines, `identity` (the input as it is) and the gamma
# curve, see no training data, so they show how hard the held-out images are.

# %%
from llie_helpers.data.scenes import scene_split


def random_split(scenes, fraction, seed):
    order = np.random.default_rng(seed).permutation(len(scenes))
    held_out = round(fraction * len(scenes))
    return order[held_out:], order[:held_out]


def score(training, held_out):
    return {
        label: mean_psnr((enhance(pair.low[None]), pair.normal[None]) for pair in held_out)
        for label, enhance in three_methods(training).items()
    }


# %% [markdown]
# The mean over the seeds, for either way of splitting:


# %%
def mean_scores(split):
    rows = []
    for seed in range(5):
        fitted, held_out = split(series.scenes, 0.25, seed)
        rows.append(score(series.subset(fitted), series.subset(held_out)))
    return {label: np.mean([row[label] for row in rows]) for label in rows[0]}


results = {"random split": mean_scores(random_split), "by scene": mean_scores(scene_split)}
for split, row in results.items():
    print(f"{split:13}", ", ".join(f"{label} {value:.1f} dB" for label, value in row.items()))

# %%
gained = {split: row["copying"] - row["gamma"] for split, row in results.items()}
question_leak.reveal(
    nearest(gained["random split"], leak_guesses),
    f"{gained['random split']:+.1f} dB against gamma, and {gained['by scene']:+.1f} dB by scene.",
)

# %% [markdown]
# The random split calls a program that has learned nothing the best by far, because for nearly
# every held-out image a near-duplicate stands in the training data. The scene split shows what it
# is worth: less than a gamma curve. This is *leakage*: information about the test images that
# reaches training by a back door. A network with enough parameters finds the same door. It can
# remember how bright a scene is meant to be, and exposure is the greater part of the error.
#
# ### The official split of your data set
#
# A split that comes with a data set may leak as well. Score the same three on the test images of
# yours, now under the protocol that the course uses everywhere (lesson 02), and note the results
# in the *ledger*, the file of results that lesson 08 will compare.

# %%
for label, enhance in three_methods(train).items():
    evaluation = metrics.evaluate(enhance, test)
    lesson.record(model=label, data=name, split="test", evaluation=evaluation, parameters=0)
    print(f"{label:9} PSNR {evaluation.psnr:5.2f} dB, SSIM {evaluation.ssim:.3f} on {test.title}")

# %% [markdown]
# The embedded set keeps each photograph in one part, so copying fails. The same cell on LOL v1
# (351 of its 485 training pairs, none from validation scenes) printed 7.77 dB for the input, 12.33
# dB for the gamma curve and **23.50 dB for copying**, with an SSIM (a score for structure, 1 is
# perfect) of 0.854. IAT, a published network of 91 thousand parameters, reaches 23.38 dB and 0.808
# on the same 15 images under the same protocol, with its authors' weights. This does not mean that
# IAT copies. It means that these 15 images cannot tell enhancing from copying.
#
# The reason, and another like it:
#
# - **LOL v1**: 14 of the 15 test images (`eval15`) have a training image of the same scene.
#   Thumbnails of all normal images were correlated, as above, with the threshold of 0.95 (404 of
#   the 485 training images are enough to see it); the fifteenth, `179.png`, reaches 0.35 at most.
# - **LOL v1 and v2**: 91 of the 100 normal images of LOL v2 real's test set also stand in LOL v1's
#   *training* set, found by matching the images of the two sets. A network that was pretrained on
#   the one and tested on the other has seen most of the answers.
#
# The course leaves these sets as they are, because results must stay comparable, and does three
# things about it. Validation never shares a scene with training or test. Scores on `eval15` are
# named as such. And where it matters, scenes that training never saw are reported beside them.
#
# {{exercise split}}
#
# Write the split yourself. `scenes` is an array with one scene number per pair. Return the indices
# of the training pairs and those of the validation pairs, as two arrays. About `fraction` of the
# *scenes* goes to validation, at least one, drawn at random so that the same `seed` always gives
# the same split.


# %%
def my_scene_split(scenes, fraction, seed):
    """Scene number of each pair -> (training indices, validation indices), no scene in both."""
    ### SOLUTION split


# %% tags=["nbval-check-output"]
check.split(my_scene_split)

# %% [markdown]
# {{answers split}}

# %% [markdown]
# ## 8. Decode once
#
# Networks are trained on small random crops, a thousand a second if the processor keeps up. A PNG
# can only be decoded whole, however small the crop. So the course decodes each image once and
# keeps the bytes in one large file, a *memory map*: the file appears as an array, and the
# operating system reads only the parts that you touch.
#
# Save your training pairs as PNG and build the cache from them:

# %%
from llie_helpers.data.cache import CachedPairs, build
from llie_helpers.data.matching import match

for i, number in enumerate(np.linspace(0, len(train) - 1, 12).astype(int)):
    for side, image in zip(("low", "normal"), train.raw(number), strict=True):
        images.save_image(folder / "png" / side / f"{i}.png", images.to_float(image))
files, _ = match(*((folder / "png" / side).iterdir() for side in ("low", "normal")))
build(folder / "cache", files)
cached = CachedPairs(folder / "cache")
print(f"{len(cached)} pairs, {(folder / 'cache' / 'images.u8').stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# Now draw random 128 x 128 crops for a second each way:

# %%
import time


def crops_per_second(fetch, seconds=1.0):
    draw, count, start = np.random.default_rng(lesson.seed), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        low, normal = fetch(draw.integers(len(cached)))
        top, left = (draw.integers(side - 127) for side in low.shape[:2])
        window = np.s_[top : top + 128, left : left + 128]
        images.to_float(low[window]), images.to_float(normal[window])
        count += 1
    return count / (time.perf_counter() - start)


# %%
decoding = crops_per_second(
    lambda i: (images.read_rgb(files[i].low), images.read_rgb(files[i].normal))
)
mapped = crops_per_second(lambda i: cached[i])
print(f"decoding each time: {decoding:6.0f} pairs of crops a second")
print(f"from the cache:     {mapped:6.0f} pairs of crops a second, {mapped / decoding:.0f} times")

# %% [markdown]
# The gain grows with the size of the images, and the price is disk: a 600 x 400 pair takes 1.4 MB
# whatever the PNGs took. `data.load_pairs` builds and uses the cache by itself, and
# `python tools/bench.py data` measures it on a set of your own.

# %% [markdown]
# ## Recap
#
# What you learned:
#
# - A pair is two images of one scene. Files are paired by name, and checked by opening them; a
#   mispaired list passes every file check and makes perfection score worse than grey.
# - Light is counted in linear units. Files hold sRGB values, and stops are factors of two in light.
# - Shot noise has a variance equal to its mean, so SNR is the square root of the photons; read
#   noise makes it worse below a corner. Brightening repairs neither.
# - A pair is augmented by one draw for both images.
# - Splits are made by scene. A copying program beat a gamma curve on a random split and lost to it
#   on an honest one.
#
# What failed:
#
# - The comb in the histogram looked like the great loss and was nearly harmless; noise was.
# - Grouping scenes by thumbnails broke as soon as the camera moved by some pixels.
# - The embedded set is brighter and less varied than LOL v1, and its noise is simpler. What works
#   on it need not work there.
#
# ## The papers this lesson rests on
#
# - C. Wei, W. Wang, W. Yang, J. Liu. Deep Retinex Decomposition for Low-Light Enhancement. BMVC
#   2018. (LOL v1)
# - W. Yang, W. Wang, H. Huang, S. Wang, J. Liu. Sparse Gradient Regularized Deep Retinex Network
#   for Robust Low-Light Image Enhancement. IEEE Transactions on Image Processing, 2021. (LOL v2)
# - A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian. Practical Poissonian-Gaussian noise modeling
#   and fitting for single-image raw-data. IEEE Transactions on Image Processing, 2008.
# - T. Brooks, B. Mildenhall, T. Xue, J. Chen, D. Sharlet, J. T. Barron. Unprocessing Images for
#   Learned Raw Denoising. CVPR 2019.
# - K. Wei, Y. Fu, J. Yang, H. Huang. A Physics-based Noise Formation Model for Extreme Low-light
#   Raw Denoising. CVPR 2020.
# - J. Immerkær. Fast Noise Variance Estimation. Computer Vision and Image Understanding, 1996.
# - B. Barz, J. Denzler. Do We Train on Test Data? Purging CIFAR of Near-Duplicates. Journal of
#   Imaging, 2020.
#
# ## Next
#
# In lesson 02 you look at what darkness does to histograms, set the classical methods by
# hand, and learn how a score can be fooled.
