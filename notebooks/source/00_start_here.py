# %% [markdown]
# # 00. Start here
#
# You have a photograph that came out far too dark. Can a program save it? Run the cells from the
# top, and you will see one try within a minute. Nothing has to be downloaded, and you need neither
# a GPU nor an account. (Cells that only import or draw are folded: click to open them.)

# %% [markdown]
# {{setup}}

# %% Imports tags=["hide-input"]
from pathlib import Path

import numpy as np
import torch
from IPython.display import display
from matplotlib.patches import Rectangle
from torch.nn.functional import interpolate

from llie_helpers import data, images, inference, metrics, models, plotting
from llie_helpers.data import synthesis
from llie_helpers.lessons import environment, widgets
from llie_helpers.lessons.checks import lesson_00 as check
from llie_helpers.methods import create_method
from llie_helpers.models import cost
from llie_helpers.tables import Table

# %% [markdown]
# ## 1. Can this photograph be saved?
#
# A motorcycle in a garage. The camera received a 32nd of the light that it needed. That is 5
# *stops* too little: a **stop** is a factor of two in the light. Drag the line across to see what
# the best network of this course makes of it.

# %%
test = data.load_pairs("embedded", "test")
garage = test[test.names.index("motorcycle_4stops")].normal
dark = synthesis.darken(garage, 5, generator=torch.Generator().manual_seed(lesson.seed))
enhanced = inference.enhance(dark)
widgets.before_after(dark, enhanced, labels=("dark", "network"), alt="a garage")

# %% [markdown]
# Is that hard? A 32nd of the light is left, so multiply the light by 32 and you are done. Here is a
# part of the garage, enlarged. Compare the floor behind the wheel, then the black of the tyre.

# %%
# From the numbers in the file to light, 32 times as much of it, and back.
multiplied = synthesis.to_srgb(32 * synthesis.to_linear(dark)).clamp(0, 1)
three = {"dark": dark, "light times 32": multiplied, "network": enhanced}
plotting.show_images(
    [image[:, 100:235, 190:370] for image in three.values()],
    list(three),
    alt="The front of the motorcycle: nearly black, then bright but full of coloured grain, then "
    "smooth.",
)

# %% [markdown]
# The middle picture is what multiplying gives: the right brightness, since we know the factor, and
# grain all over. The right-hand one comes from a network, a program whose behaviour is set by some
# 130,000 numbers that were learned from examples. By lesson 07 you will have built it.
#
# {{claim 125_000 < create_method("dual_branch").parameter_count < 135_000}}
# {{claim metrics.ssim(enhanced, garage) > metrics.ssim(multiplied, garage) + 0.1}}
#
# Now look more critically. The computer darkened this photograph, with a model of a camera that
# you will build in lesson 01. So you also have the **truth**, the garage in good light. Drag again,
# and name three things that the network got wrong. Look at the spokes and the cooling fins, at the
# red of the tank, and at the brightness of the floor.

# %%
widgets.before_after(enhanced, garage, labels=("network", "truth"), alt="a garage")

# %% [markdown]
# <details><summary>What to look for</summary>
#
# *Fine lines.* Where a spoke was fainter than the grain around it, it can hardly be told from the
# grain, and something smooth takes its place. *Colour.* Grain hides colour too, so weak colours
# are guessed. *Brightness.* Nobody told the network how bright the garage was. It answers with the
# brightness that was usual in the photographs it learned from.
#
# </details>
#
# So a network does not undo the darkness. **It guesses, from what it was shown.** Some guesses are
# so good that you forget they are guesses. This course teaches you to build such a network, and to
# tell how far you can trust it.
#
# {{claim metrics.ssim(enhanced, garage) < 0.95}}
#
# **After this lesson you will be able to**
#
# - brighten a photograph with one call, and judge the result against a baseline and the truth;
# - read an image as numbers, and recognise three mistakes that raise no error;
# - use the questions, exercises, hints and checks that every lesson is made of;
# - say for which photographs a trained network can be trusted.
#
# {{minutes}}
#
# The lesson runs in a minute, with 1 GB of memory, in the **quick** profile, which needs no GPU.
# The **full** profile, with real data, adds the download.
#
# ## 2. Is everything there?
#
# The right column says "ok", what a package is for, or what to do. If a package is missing, run the
# command shown there in a terminal, restart the kernel (Kernel > Restart; on Colab, Runtime >
# Restart session) and run the notebook from the top. You can do without packages marked *optional*.

# %%
environment.report()

# %% [markdown]
# ## 3. Is that good? Compared with what?
#
# Two scores say how close an output is to the truth. **PSNR** (peak signal-to-noise ratio) compares
# the values pixel by pixel, in decibels: 20 dB means a typical error of a tenth of white, and 6 dB
# more means half of that. **SSIM** (structural similarity) compares the patterns in small
# neighbourhoods, and 1 means equal. Lesson 02 takes both apart.
#
# A score alone says nothing. Is 20 dB good? You know only when you see what something simpler gets.
# Such a yardstick is called a **baseline**, and this course has two from the start: doing nothing,
# and a **gamma curve**, $\text{output} = \text{input}^{0.5}$, which has learned nothing.

# %%
question_best = widgets.predict(
    "Three photographs, each with a tenth of the light. Whose answers have the highest mean PSNR?",
    ["doing nothing", "gamma 0.5", "network"],
)
question_best

# %% [markdown]
# A tenth of the light is about 3.25 stops too little. Each method gets the same three photographs.
# Look before you measure: in each row, which of the pictures would you rather have taken?

# %%
NAMES = ("coffee", "motorcycle", "rocket")
evening = [test[test.names.index(f"{name}_3.25stops")] for name in NAMES]
low, normal = [pair.low for pair in evening], [pair.normal for pair in evening]
outputs = {
    "doing nothing": low,
    "gamma 0.5": [image**0.5 for image in low],
    "network": [inference.enhance(image) for image in low],
}
shown = {**outputs, "truth": normal}
rows = zip(*shown.values(), strict=True)
plotting.show_images(
    [image for row in rows for image in row],
    list(shown) * 3,
    alt="A cup of coffee, the garage and a rocket at dusk, each dark, under the gamma curve with "
    "grain, by the network, and in truth.",
)

# %% [markdown]
# Score every output, after rounding it to the 256 levels of a file:


# %%
def scores(outputs):
    """PSNR and SSIM of a method's outputs for the three photographs: two lists."""
    pairs = [(images.quantise(a), b) for a, b in zip(outputs, normal, strict=True)]
    return [[score(*pair).item() for pair in pairs] for score in (metrics.psnr, metrics.ssim)]


scored = {name: scores(answers) for name, answers in outputs.items()}
psnrs = {name: float(np.mean(psnr)) for name, (psnr, _) in scored.items()}
best = max(psnrs, key=psnrs.get)
question_best.reveal(best, f"It has {psnrs[best]:.1f} dB. Doing nothing is last by far.")

# %% [markdown]
# PSNR and SSIM, photograph by photograph and on average. These are the first rows of a table that
# grows through the whole course, the *table to beat*. Its strongest row without a network is still
# missing: you make it in lesson 02, and from lesson 03 on every network has to beat it.


# %% Make the table tags=["hide-input"]
def show(scored):
    rows = []
    for name, (psnr, ssim) in scored.items():
        values = [*zip(psnr, ssim, strict=True), (np.mean(psnr), np.mean(ssim))]
        rows.append([name, *(f"{a:.1f} dB, {b:.2f}" for a, b in values)])
    return Table(["method", *NAMES, "mean"], rows)


show(scored)

# %% [markdown]
# In SSIM the network beats the curve on every photograph. PSNR asks something else: above all,
# whether the brightness is right. Grain counts for less. Is there a photograph on which the two
# scores disagree? Go back to its pictures: whose side are you on?
#
# <details><summary>Answer</summary>
#
# *The rocket.* The network makes the evening sky too bright, so PSNR prefers the curve, which
# leaves it dark. The curve leaves all of the grain as well, so SSIM prefers the network. Neither
# score is wrong. They ask different questions.
#
# </details>
#
# {{claim psnrs["doing nothing"] < min(psnrs["gamma 0.5"], psnrs["network"]) - 3}}
# {{claim np.greater(scored["network"][1], np.add(scored["gamma 0.5"][1], 0.02)).all()}}
# {{claim scored["gamma 0.5"][0][2] > scored["network"][0][2] + 2}}
# {{claim outputs["network"][2].mean() > normal[2].mean() + 0.08}}
#
# Neither score sees what you see. So in this course you look first, then measure, and you measure
# with two scores, against two baselines.
#
# ## 4. How an exercise works
#
# An exercise is a cell with a function for you to finish, and a check in the cell below. Watch one
# being solved. The task is the gamma curve from above, and this is how you would find it:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    """An image in [0, 1] -> the image with each value raised to the power gamma."""
    raise NotImplementedError


brighten = check.gamma(brighten)

# %% [markdown]
# "Not attempted" is no mistake. You can leave any exercise like that, and the lesson goes on with
# the version from the course's package. Now a first try, which multiplies where it should bend:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    return image * gamma


brighten = check.gamma(brighten)
check.gamma.hint(1)

# %% [markdown]
# A check calls your function with random inputs and compares the results with the right ones. If
# they differ, it names the likely mistake. Hints are folded below each exercise, each going
# a step further, with the solution at the end. You can also call one up in code, as that cell did.
# Now a right answer:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    return image**gamma


brighten = check.gamma(brighten)

# %% [markdown]
# The check returns a right answer as it is, so from here on `brighten` is *your* function, and the
# lesson uses it. Give it a place in the table. Try other exponents: can you beat the network in
# PSNR? In SSIM?

# %%
exponent = 0.4  # choose your own
scored["your curve"] = scores([brighten(image, exponent) for image in low])
show(scored)

# %% [markdown]
# <details><summary>Answer</summary>
#
# On average no exponent beats the network in either score. One curve cannot suit a cup of coffee
# and a rocket at dusk, and no curve removes grain.
#
# </details>
#
# But you chose that exponent by its score on the very photographs that the table is about. That is
# cheating. The second half of lesson 02 measures how much it gains.
#
# {{claim all(np.mean(scores([x**g for x in low])[0]) < psnrs[best] - 0.3 for g in (0.4, 0.45))}}
# {{claim all(np.mean(scores([x**g for x in low])[1]) < 0.75 for g in (0.4, 0.6, 0.8))}}
#
# ## 5. An image is numbers
#
# In this course an image is a PyTorch **tensor** of shape `(3, height, width)`: red first, then
# green, then blue, with values from 0 (black) to 1 (full). A **batch** has one axis more in front,
# `(N, 3, height, width)`. A file stores the same numbers in another form: as `uint8`, whole numbers
# from 0 to 255, in the order `(height, width, 3)`.

# %% tags=["nbval-check-output"]
photo = garage
stored = images.to_uint8(photo)
row, column = 106, 194
values = [round(value, 3) for value in photo[:, row, column].tolist()]
print("tensor", tuple(photo.shape), photo.dtype, values)
print("file  ", stored.shape, stored.dtype, stored[row, column].tolist())

# %% [markdown]
# Both lines end with the same pixel, on the edge of the tank. Below, it is the fifth in the bottom
# row of the enlarged square: its red is high, its green and blue are low.


# %% Draw the zoom tags=["hide-input"]
def zoom(photo, top, left, size=6):
    figure = plotting.CourseFigure(
        plotting.WIDTH,
        3.7,
        alt="The garage with a small square on the edge of the tank, and that square enlarged: 36 "
        "pixels, each with its red, green and blue value; red is highest on the tank.",
    )
    whole, part = figure.subplots(1, 2, width_ratios=[1.4, 1])
    whole.imshow(images.to_uint8(photo))
    whole.add_patch(Rectangle((left, top), size, size, fill=False, color="white", linewidth=2))
    crop = photo[:, top : top + size, left : left + size]
    part.imshow(images.to_uint8(crop))
    for row, column in np.ndindex(size, size):
        text = "\n".join(f"{value:.2f}" for value in crop[:, row, column].tolist())
        colour = "black" if crop[:, row, column].mean() > 0.5 else "white"
        part.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    for axis in (whole, part):
        axis.set_axis_off()
    return figure


zoom(photo, top=101, left=190)

# %% [markdown]
# Now it is your turn. Replace the line `raise NotImplementedError`, then run your cell and the
# check.
#
# {{exercise to_tensor}}
#
# Turn a stored image, a NumPy array of type `uint8` and shape `(H, W, 3)`, into the course's form:
# a `float32` tensor of shape `(3, H, W)` in [0, 1].


# %%
def my_to_tensor(stored):
    """A stored image, uint8 (H, W, 3) -> a float32 tensor (3, H, W) in [0, 1]."""
    ### SOLUTION to_tensor


# %% tags=["nbval-check-output"]
my_to_tensor = check.to_tensor(my_to_tensor)

# %% [markdown]
# {{answers to_tensor}}
#
# {{exercise luma}}
#
# How bright is a pixel, as a single number? The eye is most sensitive to green and least to blue.
# Recommendation ITU-R BT.709 therefore weights red by 0.2126, green by 0.7152 and blue by 0.0722.
# The sum is called **luma**. Write it for every pixel of an image.


# %%
def my_luma(image):
    """An image (3, H, W) -> the luma of each pixel, (H, W)."""
    ### SOLUTION luma


# %% tags=["nbval-check-output"]
my_luma = check.luma(my_luma)

# %% [markdown]
# {{answers luma}}
#
# Your two functions on the garage. The plain mean of the three channels makes the red tank a little
# lighter than your luma does, since it counts red as a third and luma counts it as a fifth.

# %%
photo = my_to_tensor(stored)
greys = {"colour": photo, "plain mean": photo.mean(0), "luma": torch.as_tensor(my_luma(photo))}
parts = [grey.expand(3, -1, -1)[:, 80:150, 190:300] for grey in greys.values()]
for name in ("plain mean", "luma"):
    print(f"{name} of a pixel on the tank: {greys[name][106, 195]:.2f}")
plotting.show_images(
    parts, list(greys), alt="The red tank in colour and in two greys; the plain mean is lighter."
)

# %% [markdown]
# {{claim parts[1].mean() > parts[2].mean() + 0.01}}
# {{claim greys["plain mean"][106, 195] > greys["luma"][106, 195] + 0.05}}
#
# {{exercise halves}}
#
# Make such a picture yourself: the left half of the result comes from `before`, the right half from
# `after`. If the width is odd, the column in the middle belongs to `after`.


# %%
def my_halves(before, after):
    """Two images (3, H, W) -> one, left half from ``before``, right half from ``after``."""
    ### SOLUTION halves


# %% tags=["nbval-check-output"]
my_halves = check.halves(my_halves)

# %% [markdown]
# {{answers halves}}
#
# Put any two pictures of this lesson together. In the second one below, what gives the line away?

# %%
plotting.show_images(
    [my_halves(dark, enhanced), my_halves(enhanced, photo)],
    ["dark | network", "network | truth"],
    alt="The garage twice, divided in the middle. Left, dark beside the network's answer. Right, "
    "the network's answer beside the truth, with a step in the brightness of the floor.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The light. On the floor the brightness jumps at the line, where no shadow ends. The lost detail
# is harder to see at this size.
#
# </details>
#
# {{claim enhanced[:, 220:, 180:200].mean() > photo[:, 220:, 200:220].mean() + 0.03}}
# {{claim photo[:, 220:, 180:200].mean() < photo[:, 220:, 200:220].mean() + 0.02}}
#
# ### Three mistakes that raise no error
#
# Three students load the file, each with one mistake in the code. Every result is a tensor of the
# right shape, with values in [0, 1], and nothing crashes. One took blue for red (OpenCV reads
# files with blue first). One called `reshape` where `permute` was right. One brightened the stored
# numbers: `stored + 60`.

# %% Make the three mistakes tags=["hide-input"]
mistakes = {
    "stored + 60": my_to_tensor(stored + np.uint8(60)),
    "reshape for permute": torch.from_numpy(stored).reshape(photo.shape) / 255,
    "blue for red": my_to_tensor(stored[:, :, ::-1].copy()),
}
plotting.show_images(
    list(mistakes.values()),
    [f"picture {number}" for number in (1, 2, 3)],
    alt="The garage, three times wrong. Picture 1: black and turquoise patches where it was "
    "bright. Picture 2: a coloured mesh with faint, flattened ghosts of the motorcycle. Picture 3: "
    "the red tank is blue.",
)

# %%
question_mistake = widgets.predict(
    "Which mistake made picture 2?", ["blue for red", "reshape for permute", "stored + 60"]
)
display(question_mistake)
question_mistake.reveal(
    list(mistakes)[1],
    "reshape cuts the row of numbers red, green, blue, red, ... into three equal pieces and takes "
    "each, a third of the photograph, for one colour. In picture 3 blue and red are swapped, as "
    "the tank shows. In picture 1 the brightest values, above 195, have wrapped round to black.",
)

# %% [markdown]
# ## 6. A mistake that cannot be seen
#
# Those three you can see at a glance. The next one hides in a number.
#
# {{claim all(m.shape == photo.shape and 0 <= m.min() and m.max() <= 1 for m in mistakes.values())}}

# %%
question_minus = widgets.predict(
    "`first` and `second` are NumPy arrays of type uint8 that hold 10 and 12. What is "
    "first - second?",
    ["-2", "2", "254", "an error"],
)
display(question_minus)
first, second = np.array([10], dtype=np.uint8), np.array([12], dtype=np.uint8)
question_minus.reveal(
    str((first - second).item()),
    "uint8 has no negative numbers, so NumPy wraps round without a warning: below 0 comes 255.",
)

# %% [markdown]
# {{exercise distance}}
#
# A colleague measures how far two stored images are apart, as the mean absolute difference with
# white at 1:
#
# ```python
# def distance(first, second):
#     return np.abs(first - second).mean() / 255
# ```
#
# It runs, gives numbers between 0 and 1, and gives 0 for equal images. Repair it.


# %%
def my_distance(first, second):
    """Two stored images, uint8 (H, W, 3) -> their mean absolute difference, white being 1."""
    ### SOLUTION distance


# %% tags=["nbval-check-output"]
my_distance = check.distance(my_distance)

# %% [markdown]
# {{answers distance}}
#
# What would the bug have done to a comparison? Take the garage, and two copies that no eye can tell
# from it: one darker by 2 of 255 levels, one brighter by 2.

# %% tags=["nbval-check-output"]
truth = stored.clip(2, 253)
for name, copy in {"2 too dark": truth - 2, "2 too bright": truth + 2}.items():
    buggy = np.abs(truth - copy).mean() / 255
    print(f"{name:13} with the bug {buggy:.3f}, repaired {my_distance(truth, copy):.3f}")

# %% [markdown]
# The brighter copy scores almost like black against white. Nothing crashed. Many wrong results in
# this field are of this kind, and every lesson looks for some of them.
#
# {{claim buggy > 0.5 and my_distance(truth, copy) < 0.01}}

# %% [markdown]
# ## 7. Turn the light down
#
# *It guesses, from what it was shown.* Time to test that sentence, with two networks. The final
# network, which you know, was shown photographs of every exposure. The first network, that of
# lesson 03, was shown LOL v1 and nothing else: 351 of its 500 real pairs, each taken once well
# lit and once too dark, mostly by 4 to 7 stops, and nearly all of them in rooms (Wei et al., 2018).

# %%
question_bright = widgets.predict(
    "You give the first network, which saw dark rooms and little else, three photographs in full "
    "light. They need no help. How close are its answers to these photographs?",
    ["above 30 dB: it leaves them alone", "20 to 30 dB: a little off", "below 20 dB: far off"],
)
question_cross = widgets.predict(
    "You take away more and more light. From where on does the first network stay ahead of the "
    "gamma curve?",
    ["from 1 stop", "from 4 stops", "never"],
)
display(question_bright, question_cross)

# %% [markdown]
# Darken each photograph by 0 to 7 stops, always from the same original, and let each method try.
# At zero stops the camera adds the little noise of full light, and nothing else.

# %%
first_network, final_network = create_method("mse_cnn"), create_method("dual_branch")


def answers(photo, stops):
    generator = torch.Generator().manual_seed(lesson.seed)
    dark = synthesis.darken(photo, stops, generator=generator)
    return {
        "doing nothing": dark,
        "gamma 0.5": brighten(dark, 0.5),
        "first network": first_network(dark[None])[0],
        "final network": final_network(dark[None])[0],
    }


sweep = [[answers(photo, stops) for photo in normal] for stops in range(8)]

# %% [markdown]
# Both answers are in the mean PSNR over the three photographs, for each method and each darkness:


# %%
def psnr(image, truth):
    return metrics.psnr(images.quantise(image), truth).item()


curves = {
    method: [
        np.mean([psnr(row[method], truth) for row, truth in zip(rows, normal, strict=True)])
        for rows in sweep
    ]
    for method in sweep[0][0]
}

# %% Answer the questions tags=["hide-input"]
full = {method: curve[0] for method, curve in curves.items()}
measured = full["first network"]
question_bright.reveal(
    list(question_bright.letters)[int(measured < 30) + int(measured < 20)],
    f"{measured:.1f} dB. Doing nothing scores {full['doing nothing']:.1f} dB.",
)
behind = np.less(curves["first network"], curves["gamma 0.5"])
crossing = int(np.flatnonzero(behind).max()) + 1
question_cross.reveal(
    "from 4 stops" if crossing == 4 else "from 1 stop" if crossing == 1 else "never",
    f"From {crossing} stops on. There its training exposures begin.",
)

# %% [markdown]
# Move the slider from 7 stops to 0. Watch the floor and the engine in the third picture: what
# happens to them while the light comes back?


# %%
def frame(stops):
    row = sweep[stops][NAMES.index("motorcycle")]
    scores = [f"{psnr(image, garage):.1f} dB" for image in row.values()]
    return plotting.show_images(list(row.values()), list(row), scores)


widgets.frames_slider(
    [frame(stops) for stops in range(8)],
    range(8),
    "stops less light:",
    alt="the garage as it is, under the gamma curve, and by the two networks, each with its PSNR",
    first=4,
)

# %% [markdown]
# The first network brightens the floor until it burns out, and blackens the engine, although less
# and less change is needed. The means over all three photographs, with the range of most of LOL's
# photographs shaded:
#
# {{claim (sweep[0][1]["first network"] - garage)[:, 230:].mean() > 0.1}}
# {{claim (sweep[0][1]["first network"] - garage)[:, 150:190, 195:225].mean() < -0.05}}

# %% Draw the scores tags=["hide-input"]
figure = plotting.CourseFigure(
    7,
    3.8,
    alt="Mean PSNR against stops less light, for doing nothing, gamma 0.5 and the two networks. "
    "Doing nothing falls from 38 dB at 0 stops to 8. The first network stays below 17 dB up to 3 "
    "stops and is best at 5.",
)
axis = figure.subplots()
for style, (method, curve) in zip(("k:", "k--", "-", "-"), curves.items(), strict=True):
    axis.plot(curve, style, marker="o", markersize=4, label=method)
axis.axvspan(4, 7, color=plotting.GREY, alpha=0.12, linewidth=0)
axis.set(xlabel="stops less light", ylabel="mean PSNR (dB)")
axis.legend()
figure

# %% [markdown]
# The first network is at its best in the shaded range. With 1 to 3 stops less it loses to one line
# of code, and it spoils photographs that need no help. Up to 3 stops the final network is 4 dB or
# more ahead of it. But it is not magic either: with 2 or 3 stops less, the one line of code has
# about the same PSNR, and in full light doing nothing is best. Is there a darkness at which the
# first network wins?
#
# <details><summary>Answer</summary>
#
# With 6 and 7 stops less, and by less than a decibel.
#
# </details>
#
# {{claim all(0.1 < curves["first network"][s] - curves["final network"][s] < 1 for s in (6, 7))}}
# {{claim all(curves["final network"][s] > curves["first network"][s] + 4 for s in range(4))}}
# {{claim all(abs(curves["final network"][s] - curves["gamma 0.5"][s]) < 1.2 for s in (2, 3))}}
# {{claim full["doing nothing"] > max(full[m] for m in full if m != "doing nothing") + 1}}
# {{claim full["first network"] < 18 and full["final network"] > full["first network"] + 3}}
# {{claim all(curves["final network"][s] > curves["gamma 0.5"][s] + 1 for s in range(4, 8))}}
# {{claim all(curves["first network"][s] < curves["gamma 0.5"][s] - 1 for s in (1, 2, 3))}}
# {{claim 4 <= np.argmax(curves["first network"]) <= 7}}
#
# But the two networks differ in more than what they were shown. They are also built differently.
# Which is to blame? Take the design of the final network, trained twice: once on other dark pairs,
# and once on LOL, with a fifth of the dark images brightened, some of them fully. Which of the two
# will leave a photograph in full light alone?


# %%
def in_full_light(network):
    spared = [network(row["doing nothing"][None])[0] for row in sweep[0]]
    return np.mean([psnr(*pair) for pair in zip(spared, normal, strict=True)])


dark_only = in_full_light(create_method("dual_branch", "embedded"))
some_bright = in_full_light(create_method("dual_branch", "lol_v1"))
rows = [
    ("first", "LOL: dark", measured),
    ("final", "other pairs: dark", dark_only),
    ("final", "LOL: dark, a fifth brightened", some_bright),
    ("final", "every exposure", full["final network"]),
]
Table(["design", "shown", "in full light"], [[*row[:2], f"{row[2]:.1f} dB"] for row in rows])

# %% [markdown]
# What do the two that fail have in common? Not the design, and not the data set: they were never
# shown a photograph that needs no help. The final network's design alone does not know better
# (a caveat: here it had only a minute and four photographs to learn from). It has to be shown.
# (Why is the last row not the best? Lesson 08 says what it got in exchange.)
#
# Meeting photographs unlike those in training is called **domain shift**. So before
# you ask how good a network is, ask what it was shown.
#
# {{claim max(measured, dark_only) < 18}}
# {{claim min(some_bright, full["final network"]) > 23}}
# {{claim some_bright > full["final network"] + 1}}
#
# ### A photograph that no computer darkened
#
# So far the computer took the light away. Here is a photograph as a camera took it: a sunset, with
# the ground in the dark. (It is by Aitzol Berasategi, 2018, under the licence
# [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/), and reduced in size.) Nobody knows how
# it should look, so there is no score. You have to look.
#
# Later, put the path of a photograph of your own in its place; on Colab or Kaggle, upload it first.

# %%
mine = data.real_photographs()["sunset"]  # or ["dandelion"], or the path of yours: "party.jpg"
own = images.load_image(mine)
height = round(600 * own.shape[1] / own.shape[2])
own = interpolate(own[None], (height, 600), mode="area")[0]
question_own = widgets.predict(
    "The first network saw dark rooms and little else. What will it do to this photograph?",
    ["brighten the dark places alone", "brighten everything", "darken some places, too"],
)
question_own

# %% [markdown]
# First the final network. Look at the ground, at the sun and at the sky:

# %%
tried = {
    "as taken": own,
    "gamma 0.5": brighten(own, 0.5),
    "first network": first_network(own[None])[0],
    "final network": inference.enhance(own),
}
pair = tried["as taken"], tried["final network"]
widgets.before_after(*pair, labels=("as taken", "network"), alt=f"the photograph {Path(mine).stem}")

# %% [markdown]
# Now beside a baseline, as always, and beside the first network:

# %%
lumas = {name: torch.as_tensor(my_luma(image)) for name, image in tried.items()}
darker = {name: (lumas["as taken"] - luma > 0.1).float().mean() for name, luma in lumas.items()}
question_own.reveal(
    list(question_own.letters)[2 if darker["first network"] > 0.01 else 1],
    f"It makes {darker['first network']:.0%} of the pixels clearly darker than they were; the "
    f"final network makes {darker['final network']:.0%} of them darker.",
)
plotting.show_images(
    list(tried.values())[1:],
    list(tried)[1:],
    alt="A sunset over hills, three times. The gamma curve makes it pale. The first network draws "
    "dark streaks into the sky and blackens the hills. The final network shows the ground, and "
    "keeps the sun and the colours.",
)

# %% [markdown]
# *What worked.* The grass, the snow and the stone table come out of the dark, the sun stays as it
# was, and nothing gets darker. The gamma curve brightens the ground even more, but washes out the
# colours.
#
# *What did not.* The first network draws dark streaks into the sky and blackens the hills: it knows
# only rooms. The final network brightens the sky too, which needed no help, and keeps the coloured
# spots, which are reflections in the lens. And was the grass really that bright? It looks right,
# but without the truth you cannot know.
#
# {{claim lumas["final network"][-130:].mean() > 1.6 * lumas["as taken"][-130:].mean()}}
# {{claim lumas["gamma 0.5"][-130:].mean() > lumas["final network"][-130:].mean()}}
# {{claim darker["final network"] < 0.002 and darker["first network"] > 0.015}}
# {{claim all((tried[name].amin(0) > 0.99).sum() > 1000 for name in ("as taken", "final network"))}}
# {{claim (tried["gamma 0.5"] - lumas["gamma 0.5"]).std() < 0.9 * (own - lumas["as taken"]).std()}}
# {{claim lumas["final network"][:130].mean() > lumas["as taken"][:130].mean() + 0.05}}

# %% [markdown]
# ## 8. The map
#
# Each lesson has a core path of 60 to 80 minutes, which is enough to go on, and a second half for
# those who want more. A table near its beginning says how long both take.
#
# | lesson | what you find out |
# | --- | --- |
# | **00 Start here** | what such a program can do, and where it breaks |
# | **01 What a dark photo is** | what darkness takes that multiplying cannot give back |
# | **02 Histograms** | how far you get without a network |
# | **03 The first network** | what a network gains by seeing more than one pixel |
# | **04 U-Net** | why results are so soft |
# | **05 Residual CNN** | what happens if something else sets the light |
# | **06 GAN** | whether sharpness can be learned, and what is invented on the way |
# | **07 FFT dual branch** | where light and structure can be told apart |
# | **08 Comparison** | which method is best, for what, and whether it was chance |
# | **09 Your own photographs** | what makes a network a tool |
#
# In lessons 03 to 07 your own training takes a minute. The weights behind the first picture above
# took an hour, and those lessons show what comes after your minute.
#
# Take the lessons in order. If you know how a camera works, skim 01 up to its section 5, on pairs.
# If you know PSNR and SSIM, skim 02, but not its section 5, on a leak. Answer the questions before
# the experiments, even by a guess: students who predict the outcome of a demonstration understand
# it better than those who only watch it (Crouch et al., 2004).
#
# ## Recap
#
# - A picture that looks repaired is a guess. Ask what the network was shown, and put a baseline and
#   the truth beside its answer.
# - An image is `(3, H, W)`, RGB, in [0, 1]. Wrong axes, swapped channels and whole numbers that
#   wrap round raise no error.
# - In the dark, PSNR is mostly about brightness, SSIM about structure. They can disagree.
# - A check tells "not attempted" from "wrong", and the lesson goes on with your function or the
#   package's.
#
# **What failed.** The network of lesson 03 works on the darkness that it was shown and on no other.
# And in full light, no method that you saw is as good as doing nothing.
#
# **Next:** you multiplied the light by 32 and got grain. Where did the grain come from, if the
# garage has none? [01. What a dark photo is](01_data.ipynb) takes the camera apart.
#
# *The core path ends here.*
#
# ## Going deeper
#
# ### Why the first network fails
#
# In full light it had nothing to do. Here is what it did, with the mean value below each picture:

# %% Draw full light tags=["hide-input"]
spoilt = [row["first network"] for row in sweep[0]]
plotting.show_images(
    [*normal, *spoilt],
    [*NAMES, *["its answer"] * 3],
    [f"mean {image.mean():.2f}" for image in [*normal, *spoilt]],
    columns=3,
    alt="Above, coffee, garage and rocket in full light. Below, the answers of the first "
    "network: the brown saucer is glaring red and the shadow beside the cup black, the "
    "floor of the garage white, and beside the rocket the sky has black smears.",
)

# %% [markdown]
# Is it the wrong brightness? Lesson 02 splits an error into parts: the brightness of the whole, the
# light of small places, their colour, and detail. The shares of the squared error:

# %%
parts = [
    metrics.error_parts(images.quantise(answer)[None], photo[None])[0]
    for answer, photo in zip(spoilt, normal, strict=True)
]
shares = torch.stack([part / part.sum() for part in parts], dim=1)
labels = ("brightness of the whole", "local light", "local colour", "detail")
Table(
    ["share of the error", *NAMES],
    [[label, *(f"{x:.0%}" for x in row)] for label, row in zip(labels, shares, strict=True)],
)

# %% [markdown]
# In part: for the rocket it is nearly half of the error. But the coffee has the right mean and only
# 17 dB, and most of its error is local colour: look at the saucer. In the garage the largest part
# is local light: look at the floor and the engine. The network learned to change every place
# strongly, as its surroundings suggest, and it does so even where nothing needs a change.
#
# {{claim abs(spoilt[0].mean() - normal[0].mean()) < 0.02 and psnr(spoilt[0], normal[0]) < 18}}
# {{claim 0.38 < shares[0, 2] < 0.49 and shares[2, 0] > 0.6}}
# {{claim shares[1, 1] > max(shares[0, 1], *shares[2:, 1]) + 0.1}}
#
# ### Profiles, data and the ledger
#
# A lesson runs in one of two profiles, with the same cells:
#
# - **quick**, the default without a GPU: embedded photographs and short training, at most 90
#   seconds on two CPU cores;
# - **full**, the default with a GPU: real data, LOL v1, and longer training.
#
# The setup cell chose, and said why. To choose yourself, set the variable `LLIE_PROFILE`: in a
# terminal `LLIE_PROFILE=full jupyter lab`, or in a cell of its own *above* the setup cell
# `%env LLIE_PROFILE=full`; then restart and run all. The full profile needs LOL v1, which the
# course fetches from Kaggle without an account. If that fails, it says so in one line and takes the
# embedded photographs.

# %%
print("profile:", lesson.profile, "| device:", lesson.device, "| seed:", lesson.seed)
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
pairs = data.load_pairs(name, "test")
print(pairs)

# %% [markdown]
# Every score that counts goes into the **ledger**, one file for all lessons (`runs/ledger.jsonl`).
# `metrics.evaluate` scores any method under the one protocol of the course, and `lesson.record`
# writes the row.

# %%
rows = []
for model in ("identity", "gamma", "dual_branch"):
    method = create_method(model, device=lesson.device)
    evaluation = metrics.evaluate(method, pairs)
    gmacs = cost.gmacs(method.network) if model in models.MODELS else 0.0
    lesson.record(
        model=model,
        data=name,
        split="test",
        evaluation=evaluation,
        parameters=method.parameter_count,
        gmacs=gmacs,
    )
    scores_and_cost = f"{evaluation.psnr:.2f}", f"{evaluation.ssim:.3f}", f"{gmacs:.2f}"
    rows.append([model, *scores_and_cost, f"{method.parameter_count:,}"])
Table(["method", "PSNR (dB)", "SSIM", "GMACs", "parameters"], rows)

# %% [markdown]
# `identity` is doing nothing. *Parameters* are the numbers that a method has learned, and *GMACs*
# the billions of multiply-adds that it needs for an image of 600x400. `dual_branch` needs few of
# them, because most of its parameters work on a smaller copy of the image.
# `lesson.ledger.table()` shows everything that the ledger keeps, the time on your computer
# included. If you run a lesson twice, it shows the latest run, and the file keeps both.
#
# ### When a runtime is lost
#
# Colab and Kaggle shut down a runtime that has been idle for a while, and its disk goes too: your
# ledger, your trained weights and the data. On your own computer nothing is lost.
#
# - **Before**: on Colab, run `lessons.use_drive()` in a cell of its own right after the setup cell.
#   It asks for access to your Google Drive, and keeps ledger and checkpoints there. On Kaggle,
#   choose Save Version > Save & Run All, which keeps the results of a whole run.
# - **After**: reconnect and choose Runtime > Run all. Training goes on from its last checkpoint if
#   that is on your Drive, and so does the ledger.
# - **A GPU**: on Colab choose Runtime > Change runtime type > T4 GPU, on Kaggle Settings >
#   Accelerator > GPU T4 x2.
# - **Your answers** are part of the notebook. Save a copy of it (on Colab: File > Save a copy in
#   Drive), because the original is read-only to you.
#
# If a cell behaves strangely, restart and run all. Cells that were run out of order are the most
# common reason why a notebook does not do what it says.

# %% [markdown]
# ## Papers
#
# - C. Wei, W. Wang, W. Yang, J. Liu. *Deep Retinex Decomposition for Low-Light Enhancement.* BMVC
#   2018. The data set LOL.
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. *Image Quality Assessment: From Error
#   Visibility to Structural Similarity.* IEEE Transactions on Image Processing 13(4), 2004. SSIM.
# - ITU-R. *Recommendation BT.709: Parameter values for the HDTV standards for production and
#   international programme exchange.* 2015. The weights of luma.
# - C. H. Crouch, A. P. Fagen, J. P. Callan, E. Mazur. *Classroom demonstrations: Learning tools or
#   entertainment?* American Journal of Physics 72(6), 2004. Why you predict first.
