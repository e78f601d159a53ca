# %% [markdown]
# # 00. Start here
#
# You have a photograph that came out far too dark, and a program that promises to light it up. In
# the next ten minutes you use such a program, a small neural network, and find out where its
# promise holds and where it breaks. On the way you meet everything that a lesson of this course is
# made of. Nothing has to be downloaded, and you need neither a GPU nor an account.
#
# **You will be able to**
#
# - tell whether your computer has all that the course needs;
# - brighten a photograph with one call, and judge the result beside a baseline and the truth;
# - read an image as numbers, and name three mistakes that raise no error;
# - use questions, exercises, hints, profiles and the ledger;
# - say for which photographs a trained network can be trusted.
#
# | profile | data | minutes to run | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | under 1 | 0.8 GB |
# | full | LOL v1, real pairs | 1, and the download | 0.9 GB |
#
# Reading takes about ten minutes, and the three exercises a quarter of an hour.

# %% [markdown]
# {{setup}}

# %% [markdown]
# The line above says which *profile* the lesson runs in; section 6 explains it. Imports come next,
# in every lesson.

# %%
import numpy as np
import torch
from matplotlib.patches import Rectangle

from llie_helpers import data, images, inference, metrics, models, plotting
from llie_helpers.data import synthesis
from llie_helpers.lessons import environment, widgets
from llie_helpers.lessons.checks import lesson_00 as check
from llie_helpers.methods import create_method
from llie_helpers.models import cost

# %% [markdown]
# ## 1. Is everything there?
#
# The right column says "ok", or what to do. If a package is missing or too old, run the command
# that stands there in a terminal, then choose Kernel > Restart (on Colab: Runtime > Restart
# session) and run the notebook from the top. Packages marked *optional* serve only what the right
# column names; all else works without them.

# %%
environment.report()

# %% [markdown]
# ## 2. One photograph, one network
#
# A motorcycle in a garage, taken in good light, and then darkened by the computer with a model of a
# camera: 4 *stops* less light. A stop is a factor of two, so that is a sixteenth of the light. The
# model adds the noise that a real camera has in the dark; you build it yourself in lesson 01.
#
# The network is the one of lesson 03. Its weights were trained on *LOL v1*, a set of real
# photographs, each taken twice, too dark and well lit, mostly indoors (Wei et al., 2018). It has
# never seen this garage. One call uses it:

# %%
test = data.load_pairs("embedded", "test")
garage = test[test.names.index("motorcycle_4stops")]
enhanced = inference.enhance(garage.low, method="mse_cnn")
widgets.before_after(garage.low, enhanced, labels=("dark", "network"))

# %% [markdown]
# Drag the line across. The network did not only multiply: multiplied noise would be plain to see.
#
# Since the computer darkened this photograph, you also have the *truth*, the picture as it was.
# Put the network's answer beside it, and look closely at three things: the spokes and the cooling
# fins of the engine, the red of the tank, and the brightness of the floor.

# %%
widgets.before_after(enhanced, garage.normal, labels=("network", "truth"))

# %% [markdown]
# The grain is gone, and fine lines went with it: where the network cannot tell structure from
# noise, it paints something smooth. Colour and brightness are a guess. It has learned what the
# rooms of LOL look like, and answers with that.
#
# ## 3. Is that good? Never ask without a baseline
#
# Two scores compare an output with the truth. *PSNR* (peak signal-to-noise ratio) says how close
# the values are, in decibels: 20 dB is a typical error of 0.1, where white is 1, and each 6 dB more
# is half of that. *SSIM* (structural similarity) compares small neighbourhoods, and 1 means equal.
# Lesson 02 takes both apart.
#
# A score alone says nothing, so this course puts every score beside two *baselines*: doing nothing,
# and a **gamma curve**, $\text{output} = \text{input}^{0.5}$. The curve is a single line of code
# and has learned nothing.

# %%
question_best = widgets.predict(
    "Three photographs, each with a tenth of the light. Which has the highest mean PSNR?",
    ["the dark photographs as they are", "the gamma curve", "the network"],
)
question_best

# %% [markdown]
# A tenth of the light is 3.25 stops less. Each of the two methods gets the same three photographs:

# %%
evening = [
    test[test.names.index(f"{name}_3.25stops")] for name in ("coffee", "motorcycle", "rocket")
]
low = [pair.low for pair in evening]
normal = [pair.normal for pair in evening]
outputs = {
    "gamma 0.5": [inference.enhance(image, method="gamma") for image in low],
    "network": [inference.enhance(image, method="mse_cnn") for image in low],
}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# Under each picture stand its PSNR and its SSIM. Their means settle the question:


# %%
def mean_score(metric, outputs):
    scores = [metric(images.quantise(a), b) for a, b in zip(outputs, normal, strict=True)]
    return float(np.mean(scores))


answers = dict(zip(question_best.letters, (low, *outputs.values()), strict=True))
psnrs = {name: mean_score(metrics.psnr, answer) for name, answer in answers.items()}
ssims = {name: mean_score(metrics.ssim, answer) for name, answer in answers.items()}
question_best.reveal(
    max(psnrs, key=psnrs.get),
    "; ".join(f"{name}: {psnrs[name]:.1f} dB, SSIM {ssims[name]:.2f}" for name in answers),
)

# %% [markdown]
# Look at the numbers and the pictures together. PSNR punishes a wrong brightness in every pixel,
# and hardly minds grain. SSIM forgives some brightness, and punishes grain. So the two need not
# agree on who is best, and neither sees what you see at once: that the network painted the night
# sky a blotchy bright blue, with a halo around the rocket.
#
# The same weights do far better where they come from. On the 15 test photographs of LOL v1 the
# gamma curve reaches 12.33 dB, and the network leaves it behind by several decibels; the table in
# the README has the scores, and lesson 03 shows how they come about. What you see here is *domain
# shift*: other rooms, other darkness, another camera than in training. Section 5 measures it.

# %% [markdown]
# ## 4. An image is numbers
#
# Inside the course an image is always a PyTorch tensor of shape `(3, height, width)`, with red
# first, then green, then blue, and values from 0 (black) to 1 (full). A *batch* of images has one
# axis more in front, `(N, 3, height, width)`. A file stores the same numbers as `uint8`, whole
# numbers from 0 to 255, as `(height, width, 3)`.

# %% tags=["nbval-check-output"]
photo = garage.normal
stored = images.to_uint8(photo)
row, column = 106, 194
values = [round(value, 3) for value in photo[:, row, column].tolist()]
print("tensor", tuple(photo.shape), photo.dtype, values)
print("file  ", stored.shape, stored.dtype, stored[row, column].tolist())

# %% [markdown]
# Both lines end with the same pixel, on the edge of the tank. Here are its neighbours, each with
# its red, green and blue value. Find it: red is high, green and blue are low.

# %%
top, left, size = 101, 190, 6
crop = photo[:, top : top + size, left : left + size]
figure = plotting.CourseFigure(plotting.WIDTH, 3.7)
whole, zoom = figure.subplots(1, 2, width_ratios=[1.4, 1])
whole.imshow(stored)
whole.add_patch(Rectangle((left, top), size, size, fill=False, color="white", linewidth=2))
zoom.imshow(images.to_uint8(crop))
for row, column in np.ndindex(size, size):
    pixel = crop[:, row, column]
    text = "\n".join(f"{value:.2f}" for value in pixel.tolist())
    colour = "black" if pixel.mean() > 0.5 else "white"
    zoom.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
for axis in (whole, zoom):
    axis.set_axis_off()
figure

# %% [markdown]
# ### How an exercise works
#
# An exercise is a cell with a function for you to finish. It comes with a line in place of its
# body, and a check in the cell below. Watch one being solved; the task is the gamma curve from
# above. This is how you find it:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    """An image in [0, 1] -> the image with each value raised to the power gamma."""
    raise NotImplementedError


check.gamma(brighten)

# %% [markdown]
# "Not attempted" is no mistake. You can leave every exercise like that and run the whole notebook:
# nothing later uses your function. Now a first try, which confuses a curve with a gain:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    return image * gamma


check.gamma(brighten)

# %% [markdown]
# A check calls your function with random inputs, compares with the right result, and if they
# differ, says which mistake it looks like. Hints stand folded below each exercise, each going a
# step further, and the solution comes last. You can also ask for them in code:

# %% tags=["nbval-check-output"]
check.gamma.hint(1)
check.gamma.hint(2)


# %% [markdown]
# With `check.gamma.solution()` you would see the code. Done:


# %% tags=["nbval-check-output"]
def brighten(image, gamma):
    return image**gamma


check.gamma(brighten)

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
check.to_tensor(my_to_tensor)

# %% [markdown]
# {{answers to_tensor}}

# %% [markdown]
# {{exercise luma}}
#
# How bright is a pixel, as a single number? The eye is most sensitive to green and least to blue.
# Recommendation ITU-R BT.709 therefore weights red by 0.2126, green by 0.7152 and blue by 0.0722.
# Write this *luma* for every pixel of an image. (Strictly, the weights belong to light, and the
# numbers in a file are not proportional to light; lesson 01 puts that right.)


# %%
def my_luma(image):
    """An image (3, H, W) -> the luma of each pixel, (H, W)."""
    ### SOLUTION luma


# %% tags=["nbval-check-output"]
check.luma(my_luma)

# %% [markdown]
# {{answers luma}}

# %% [markdown]
# The last exercise of this lesson is about a bug, and it starts with a question. You subtract one
# stored pixel from another:

# %%
question_minus = widgets.predict(
    "`first` and `second` are NumPy arrays of type uint8 that hold 10 and 12. What is "
    "first - second?",
    ["-2", "2", "254", "an error"],
)
question_minus

# %% tags=["nbval-check-output"]
first, second = np.array([10], dtype=np.uint8), np.array([12], dtype=np.uint8)
question_minus.reveal(
    str((first - second).item()),
    "uint8 has no negative numbers, so NumPy counts on from 255 downwards, without a word.",
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
check.distance(my_distance)

# %% [markdown]
# {{answers distance}}
#
# What would the bug have done to a comparison? Take the photograph, and copies of it that are a
# little too dark and a little too bright, each by 2 of 255:

# %% tags=["nbval-check-output"]
truth = stored.clip(2, 253)
for name, copy in {"2 too dark": truth - 2, "2 too bright": truth + 2}.items():
    wrong = np.abs(truth - copy).mean() / 255
    right = check.distance.reference(truth, copy)
    print(f"{name:13} with the bug {wrong:.3f}, repaired {right:.3f}")

# %% [markdown]
# Two copies that no eye can tell from the truth, and one of them scores as if black and white had
# been swapped. Nothing crashed. Most wrong results in this field are of this kind, and the lessons
# name more of them.

# %% [markdown]
# ## 5. Turn the light down
#
# The three photographs above had a tenth of the light. What if there is more, or less?

# %%
guesses = {"about 40 dB, hardly changed": 40, "about 25 dB": 25, "about 12 dB": 12}
question_bright = widgets.predict(
    "You give the network photographs that need no help, in full light. What is the mean PSNR of "
    "its answers against these very photographs?",
    list(guesses),
)
question_bright

# %% [markdown]
# Darken each photograph by 0 to 7 stops, always from the same original, and give each result to
# the curve and to the network. Zero stops means the camera's noise in full light, and nothing else.

# %%
network = create_method("mse_cnn")


def at(photo, stops):
    generator = torch.Generator().manual_seed(lesson.seed)
    dark = synthesis.darken(photo, stops, generator=generator)
    with torch.no_grad():
        return {"as it is": dark, "gamma 0.5": dark**0.5, "network": network(dark[None])[0]}


photos = dict(zip(("coffee", "motorcycle", "rocket"), normal, strict=True))
sweep = {name: [at(photo, stops) for stops in range(8)] for name, photo in photos.items()}

# %% [markdown]
# Move the slider from 0 to 7. The middle picture darkens with the light, the right one hardly
# does. Watch the red of the tank on the right, and find the stop at which the network begins to
# look better to you than the curve.


# %%
def psnr(image, name):
    return metrics.psnr(images.quantise(image), photos[name]).item()


def frame(row, name):
    return plotting.show_images(
        list(row.values()), list(row), [f"{psnr(image, name):.1f} dB" for image in row.values()]
    )


frames = [frame(row, "motorcycle") for row in sweep["motorcycle"]]
widgets.frames_slider(frames, range(8), "stops less light:")

# %% [markdown]
# The first frame holds the answer to the question; all three photographs together give:

# %%
bright = {
    method: np.mean([psnr(rows[0][method], name) for name, rows in sweep.items()])
    for method in ("network", "as it is")
}
question_bright.reveal(
    min(guesses, key=lambda guess: abs(guesses[guess] - bright["network"])),
    f"measured {bright['network']:.1f} dB. Doing nothing scores {bright['as it is']:.1f} dB.",
)

# %% [markdown]
# The same for all three photographs. Above, the PSNR; below, the mean value of each output, with
# that of the truth as a dashed line. Most of LOL v1's training pairs lie 4 to 7 stops apart
# (measured in lesson 01); this band is shaded.

# %%
figure = plotting.CourseFigure(plotting.WIDTH, 5.4)
axes = figure.subplots(2, 3, sharex=True, sharey="row")
for (upper, lower), (name, rows) in zip(axes.T, sweep.items(), strict=True):
    for method in rows[0]:
        upper.plot([psnr(row[method], name) for row in rows], marker="o", markersize=4)
        lower.plot([row[method].mean() for row in rows], marker="o", markersize=4, label=method)
    lower.axhline(photos[name].mean(), color=plotting.GREY, linestyle="--", linewidth=1.5)
    upper.set(title=name, ylim=(5, 30))
    lower.set(xlabel="stops less light", ylim=(0, 0.7))
    for axis in (upper, lower):
        axis.axvspan(4, 7, color=plotting.GREY, alpha=0.12, linewidth=0)
axes[0, 0].text(5.5, 28, "LOL v1", ha="center", color=plotting.GREY)
axes[0, 0].set_ylabel("PSNR (dB)")
axes[1, 0].set_ylabel("mean value")
figure.legend(*lower.get_legend_handles_labels(), loc="outside lower center", ncols=3)
figure

# %% [markdown]
# The network is at its best where it was trained, in the shaded band. At two stops the curve
# wins, and in full light doing nothing wins by far. The lower row says why. A method that
# restores the truth would follow the dashed line. The curve knows nothing of the scene, and meets
# the line at one stop only. The network has learned a brightness of its own: nine in ten of LOL's
# well-lit images have a mean value between 0.31 and 0.62 (measured on its training pairs), and
# about there its outputs lie too, even for a launch at night.
#
# Keep this for your own photographs: ask what a network was trained on before you ask how good it
# is. Two remedies come up later: to train on many exposures (lesson 01 makes such photographs), and
# to estimate the right brightness first (lesson 02 does it with histograms).

# %% [markdown]
# ### Where the course is going
#
# Lesson 07 builds a network with a quarter of the parameters. It looks at a thumbnail first and
# sets the exposure, and it has met photographs of every brightness. It is what `inference.enhance`
# takes if you name no method. The garage again:

# %%
best = inference.enhance(garage.low)
widgets.before_after(enhanced, best, labels=("lesson 03", "lesson 07"))

# %% [markdown]
# And the three photographs with less and less light, as above:

# %%
final = create_method("dual_branch")


def means_of(metric, method):
    """Mean score over the three photographs for each of the eight exposures."""
    rows = [[metric(images.quantise(method(row["as it is"][None])[0]), photos[name]).item()
             for row in rows] for name, rows in sweep.items()]  # fmt: skip
    return np.mean(rows, axis=0)


print("stops less light  " + "".join(f"{stops:6}" for stops in range(8)))
for title, method in (("lesson 03", network), ("lesson 07", final)):
    print(f"{title}, PSNR   " + "".join(f"{mean:6.1f}" for mean in means_of(metrics.psnr, method)))
    print(f"{title}, SSIM   " + "".join(f"{mean:6.2f}" for mean in means_of(metrics.ssim, method)))

# %% [markdown]
# Wherever there is light, structure (SSIM) is kept far better, and photographs in full light change
# less. With five stops less the first network comes closer in PSNR: it happens to guess the
# brightness of these three better, and PSNR listens to brightness first. No network can know how
# bright a scene was meant to be; lesson 09 therefore leaves the last word to you.
#
# ## 6. Profiles, data and the ledger
#
# A lesson runs in one of two profiles, with the same cells:
#
# - **quick**, the default without a GPU: embedded photographs and short training, at most 90
#   seconds on two CPU cores;
# - **full**, the default with a GPU: real data, LOL v1, and longer training.
#
# The setup cell chose, and said why. To overrule it, set the variable `LLIE_PROFILE`: in a
# terminal `LLIE_PROFILE=full jupyter lab`, or in a cell of its own *above* the setup cell
# `%env LLIE_PROFILE=full`; then restart and run all.
#
# For a GPU, on Colab choose Runtime > Change runtime type > T4 GPU, and on Kaggle Settings >
# Accelerator > GPU T4 x2. The full profile needs LOL v1, which the course fetches from Kaggle
# without an account. If that fails, it says so in one line and takes the embedded photographs.

# %%
print("profile:", lesson.profile, "| device:", lesson.device, "| seed:", lesson.seed)
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
pairs = data.load_pairs(name, "test")
print(pairs)

# %% [markdown]
# Every score that counts goes into the **ledger**, one file for all lessons (`runs/ledger.jsonl`).
# Lesson 08 compares all methods from it. `metrics.evaluate` scores any method under the one
# protocol of the course, and `lesson.record` writes the row.

# %%
for model in ("identity", "gamma", "mse_cnn"):
    method = create_method(model, device=lesson.device)
    lesson.record(
        model=model,
        data=name,
        split="test",
        evaluation=metrics.evaluate(method, pairs),
        parameters=method.parameter_count,
        gmacs=cost.gmacs(method.network) if model in models.MODELS else 0.0,
    )

# %% [markdown]
# `identity` is doing nothing. *Parameters* are the numbers that a method has learned, *GMACs* the
# billions of multiplications with an addition that it spends on an image of 600x400, and *ms/Mpx*
# the milliseconds per megapixel on this computer. LPIPS is a third score, which needs the optional
# torchvision; an empty field was not measured. Run a lesson twice and the table shows the latest
# run, while the file keeps both.

# %%
lesson.ledger.table()

# %% [markdown]
# ## 7. When a runtime is lost
#
# Colab and Kaggle take a runtime back when it was idle for a while, and its disk goes with it: your
# ledger, your trained weights and the data. On your own computer nothing is lost.
#
# - **Before**: on Colab, run `lessons.use_drive()` in a cell of its own right after the setup cell.
#   It asks for access to your Google Drive, and keeps ledger and checkpoints there. On Kaggle,
#   choose Save Version > Save & Run All, which keeps the results of a whole run.
# - **After**: reconnect, choose Runtime > Run all. Training picks up at its last checkpoint if that
#   lies on your Drive, and the ledger goes on where it was.
# - **Your answers** to the exercises are part of the notebook. Save a copy of it (on Colab: File >
#   Save a copy in Drive), because the original is read-only to you.
#
# If a cell behaves strangely, restart and run all. That is not superstition: cells that were run
# out of order are the most common reason why a notebook does not do what it says.

# %% [markdown]
# ## 8. The map
#
# Measured on two CPU cores in the quick profile, without your time for thinking.
#
# | lesson | what you do there | minutes to run | memory |
# | --- | --- | --- | --- |
# | **00 Start here** | take this tour | under 1 | 0.8 GB |
# | **01 Data** | darken a photograph as a camera does; find bad pairs and leaks | 1 | 1 GB |
# | **02 Histograms** | tune baselines, predict a histogram, fool the scores | 1 | 1 GB |
# | **03 The first network** | write its training loop, and train it | 1.5 | 1 GB |
# | **04 U-Net** | see why mean squared error blurs, and what a perceptual loss does | 1.5 | 1 GB |
# | **05 Residual CNN** | add shortcuts, and find a leak worth several decibels | 1.5 | 1 GB |
# | **06 GAN** | train two networks against each other, and see what they invent | 1.5 | 1 GB |
# | **07 FFT dual branch** | part light from structure, and beat a published network | 1.5 | 1 GB |
# | **08 Comparison** | judge all methods, and set eight traps | 1.5 | 1 GB |
# | **09 Your own photographs** | any size, whole folders, video, export | 1.5 | 2 GB |
#
# Take them in order. Who knows cameras may skim 01, and who knows PSNR and SSIM may skim 02, but
# do read what they say about leaks.
#
# The questions before the experiments are worth a guess, even a wrong one: students who predict a
# demonstration before they see it understand it better than those who only watch (Crouch et al.,
# 2004).

# %% [markdown]
# ## Recap
#
# - One call, `inference.enhance(image, method="mse_cnn")`, brightens a photograph, and
#   `widgets.before_after` lays two pictures over one another.
# - An image is `(3, H, W)`, RGB, in [0, 1]. Wrong axes, wrong channel order and whole numbers that
#   wrap round raise no error.
# - Every score stands beside doing nothing and a gamma curve, and two scores need not agree.
# - Exercises tell "not attempted" from "wrong", and nothing depends on your answers.
#
# **What failed.** The network works on the darkness it was trained on. With more light left it
# loses to a curve of one line, it brightens a night sky as if it were a room, and it blurs
# everywhere. Lessons 03 and 04 show where the blur comes from.
#
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
#
# **Next:** [01. What a dark photo is](01_data.ipynb), in which you take the camera apart.
