# %% [markdown]
# # 09. Your own photographs
#
# A network that scores well on fifteen images of 600 x 400 pixels is not yet a tool. Photographs
# have twenty megapixels and a dozen file formats, folders hold broken files, videos flicker, and
# the person in front of the screen may want the picture darker. In this lesson you take the
# course's network to all of them, see what each step costs, and think about what such a tool must
# not be used for.
#
# **You will be able to**
#
# - enhance a photograph of any size in little memory, by tiles without seams;
# - leave the choice of brightness to the photographer;
# - run a folder through the network, with all its broken files;
# - enhance a video that does not flicker;
# - find out where the time goes, and export a network for programs without PyTorch.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries, and yours | 1.5 | 1.5 GB |
# | full | the same | 1 | 2 GB |

# %% [markdown]
# {{setup video,onnx}}

# %%
import math
import time

import cv2
import numpy as np
import torch
from IPython.display import Video

from llie_helpers import inference, models, plotting
from llie_helpers.data.embedded import photograph
from llie_helpers.data.synthesis import darken
from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference import tiles
from llie_helpers.inference.photos import Photo, read_photo, write_photo
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_09 as check
from llie_helpers.methods import create_method
from llie_helpers.timing import median_milliseconds, peak_megabytes

device = lesson.device

# %% [markdown]
# ## 1. The network
#
# `dual_branch` of lesson 07, with the weights called `photographs`, which the course trained on
# LOL v1 and on photographs darkened by the physics of lesson 01. `create_method` returns a method
# by its name, ready to use; `method.network` is the network in it.

# %%
method = create_method("dual_branch", device=device)
network = method.network
print(f"dual_branch, {method.parameter_count:,} parameters")


def night(day, stops=4.0, seed=1):
    """A photograph (H, W, 3), darkened as in lesson 01 -> uint8."""
    generator = torch.Generator().manual_seed(seed)
    return to_uint8(darken(to_float(day), stops, generator=generator))


garage = night(photograph("motorcycle"))

# %% [markdown]
# ### Your photograph
#
# Choose a file, and it replaces the garage. *Exposure* is in stops, relative to what the network
# chose: which brightness is right is the photographer's decision, and no network can know it.
# *Strength* mixes the result with the photograph as it was. The sliders work on a small copy; the
# button computes the full size, and keeps format, metadata and transparency.

# %%
from functools import partial


def enhance(pixels, **controls):
    """(H, W, 3) uint8 or uint16 to (3, H, W) in [0, 1]."""
    return inference.enhance(to_float(pixels), method, **controls)


widgets.workshop(enhance, Photo(garage), lesson.run_dir("workshop"))

# %% [markdown]
# On a page without a kernel, here are five exposures:

# %%
stops = (-1.0, -0.5, 0.0, 0.5, 1.0)
pictures = [enhance(garage, exposure=stop) for stop in stops]
widgets.frames_slider(pictures, [f"{stop:+.1f}" for stop in stops], "exposure in stops")

# %% [markdown]
# ## 2. Any size: tiles
#
# 24 megapixels through a network at once would need many gigabytes: each of its layers holds a
# picture of its own. So the photograph is cut into tiles, which are enhanced one after the other.
#
# ### What goes wrong when each tile is a photograph
#
# Cut the garage into six tiles and let the network enhance each by itself, as if it were a
# photograph.

# %%
seen, unseen = "seams between tiles are plain to see", "seams cannot be seen"
question_seams = widgets.predict(
    "Each tile is enhanced by itself, light included. Then ...", [seen, unseen]
)
question_seams

# %% [markdown]
# The picture has 960 pixels, so that there is something to cut. It is enlarged by day and darkened
# afterwards: noise that is enlarged with the picture has coarse grains, which a network takes for
# detail.


# %%
day = cv2.resize(photograph("motorcycle"), (960, 640), interpolation=cv2.INTER_CUBIC)
large = night(day)


@torch.no_grad()
def alone(image, side):
    """Tiles without overlap, each a photograph of its own."""
    enhanced = torch.zeros(3, *image.shape[:2])
    for top in range(0, image.shape[0], side):
        for left in range(0, image.shape[1], side):
            part = to_float(image[top : top + side, left : left + side])[None].to(device)
            enhanced[:, top : top + side, left : left + side] = network(part)[0].cpu()
    return enhanced


@torch.no_grad()
def at_once(image):
    return network(to_float(image)[None].to(device))[0].cpu()


whole, patchwork = at_once(large), alone(large, 320)
plotting.show_images([patchwork, whole], ["six photographs", "one photograph"])


# %%
def jump(image, side=320):
    """How much more neighbours differ across the cuts than elsewhere."""
    steps = (image[..., 1:] - image[..., :-1]).abs().mean(dim=(0, 1))
    cuts = torch.zeros(len(steps), dtype=torch.bool)
    cuts[side - 1 :: side] = True
    return (steps[cuts].mean() / steps[~cuts].mean()).item()


question_seams.reveal(
    seen if jump(patchwork) > 1.5 * jump(whole) else unseen,
    f"across the cuts neighbours differ {jump(patchwork):.1f} times as much as elsewhere; "
    f"in the whole picture {jump(whole):.1f} times.",
)

# %% [markdown]
# Each tile was given the light that would suit it alone. The remedy is in the network's plan
# (lesson 07): the light is decided *once*, from a thumbnail of the whole photograph, as gains for
# each place and brightness. A tile looks up the gains of its place. All other layers see the
# surroundings of a pixel only, so tiles agree a little way in from their borders.
#
# {{claim jump(patchwork) > 1.5 * jump(whole)}}
#
# {{exercise cover}}
#
# One side of a photograph has `length` pixels. Tiles are at most `tile` pixels long, and each
# shares exactly `overlap` pixels with the one before. Return a list of `(start, stop)`. The last
# tile may be shorter, but must add something; a short side gets one tile.


# %%
def my_cover(length, tile, overlap):
    """Where tiles lie along one side -> list of (start, stop)."""
    ### SOLUTION cover


# %% tags=["nbval-check-output"]
my_cover = check.cover(my_cover)

# %% [markdown]
# {{answers cover}}

# %% [markdown]
# ### The seams
#
# Where two tiles overlap, one fades out while the other fades in. The two weights must add up to 1
# everywhere, and begin and end flat, for the eye sees a kink in brightness as a line (Mach, 1865).
# The two halves of a Hann window do both.
#
# {{exercise fade}}
#
# Return the weights across `overlap` pixels, each a tensor `(overlap,)`: those of the tile that
# comes, and those of the tile before. Use the squared sine and cosine of an angle that goes from 0
# to pi / 2, taken at the middle of each pixel, so that one is the mirror image of the other.


# %%
def my_fade(overlap):
    """Weights of the tile that comes and of the one before -> two tensors (overlap,)."""
    ### SOLUTION fade


# %% tags=["nbval-check-output"]
my_fade = check.fade(my_fade)

# %% [markdown]
# {{answers fade}}

# %% [markdown]
# Why does it matter that both add up to 1? Here the garage is multiplied by the sum of all weights:
# those of the Hann window, and a sine and cosine that somebody forgot to square.


# %%
def sum_of_weights(length, tile, overlap, power):
    """What all tiles' weights add up to along one side, (length,)."""
    angle = (torch.arange(overlap) + 0.5) / overlap * torch.pi / 2
    total = torch.zeros(length)
    for start in range(0, max(length - overlap, 1), tile - overlap):
        stop = min(start + tile, length)
        weights = torch.ones(stop - start)
        if start > 0:
            weights[:overlap] = angle.sin() ** power
        if stop < length:
            weights[-overlap:] = angle.cos() ** power
        total[start:stop] += weights
    return total


# %%
laid = {}
for power, name in ((2, "squared: they add up to 1"), (1, "not squared: bands")):
    down, across = (sum_of_weights(side, 320, 64, power) for side in large.shape[:2])
    laid[name] = (whole * down[:, None] * across).clamp(0, 1)
plotting.show_images(list(laid.values()), list(laid))

# %% [markdown]
# `tiles.enhance_tiled` does all of this, with one precaution more. Near its border a tile lacks the
# surroundings that the network looks at, so the outer third of an overlap is not used: your weights
# fade across the middle third only.
#
# The course's tiles are 768 pixels long and overlap by 192. Here they are made small, so that there
# are seams to look for. Drag the overlap; the difference from the picture enhanced at once is drawn
# 20 times larger than it is.


# %%
def tiled_with(overlap):
    """``large``, enhanced in tiles of 320 pixels."""
    before = tiles.TILE, tiles.OVERLAP
    tiles.TILE, tiles.OVERLAP = 320, overlap
    try:
        return tiles.enhance_tiled(method, large)
    finally:
        tiles.TILE, tiles.OVERLAP = before


def show_difference(overlap=128):
    """The garage in tiles, and how far it is from the garage enhanced at once."""
    tiled = tiled_with(overlap)
    difference = (tiled - whole).abs()
    return plotting.show_images(
        [tiled, (20 * difference).clamp(0, 1)],
        [f"overlap {overlap} pixels", "difference x 20"],
        ["", f"at most {255 * difference.max():.2f} of 255 levels"],
    )


widgets.parameter_slider(show_difference, frames=4, overlap=(96, 192, 32))

# %% [markdown]
# At 192 pixels, tiles and whole agree to less than a level of 255. At 128 some pixels lack
# surroundings. At 96 and 160 there is more, for a reason that only this network has: its frequency
# branch works in windows, at the coarsest 64 pixels wide in the photograph. Tiles that start
# anywhere but at a multiple of 64 cut them differently. This is why 768 - 192 is such a multiple.
#
# {{claim 255 * (tiled_with(192) - whole).abs().max() < 0.5}}
# {{claim 255 * (tiled_with(96) - whole).abs().max() > 5}}
#
# And the memory? A tile of 768 x 768 pixels needs the same memory whatever photograph it is part
# of.

# %%
for megapixels in (1, 4):
    side = round(math.sqrt(megapixels * 1e6))
    image = cv2.resize(garage, (side, side))
    start = time.perf_counter()
    enhance(image)
    seconds = time.perf_counter() - start
    print(f"{megapixels} megapixels: {seconds:.1f} s, {seconds / megapixels:.2f} s a megapixel, "
          f"peak memory of this notebook {peak_megabytes() / 1000:.1f} GB")  # fmt: skip

# %% [markdown]
# ## 3. A folder full of files
#
# People keep photographs in folders, and folders hold everything: files cut short by a full memory
# card, text files with the wrong suffix, photographs on their side, 16-bit scans, transparent
# logos. A tool for folders does the good ones, names each bad one in a sentence, and never
# overwrites or half-writes anything.

# %%
import shutil

folder = lesson.run_dir("folder")
shutil.rmtree(folder, ignore_errors=True)
for path, scene in (("in/coffee.jpg", "coffee"), ("in/holiday/rocket.png", "rocket")):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    dark = night(photograph(scene))
    write_photo(folder / path, to_float(dark), Photo(dark))
deep = night(photograph("chelsea")).astype(np.uint16) * 257
write_photo(folder / "in/holiday/cat.tiff", to_float(deep), Photo(deep))
(folder / "in/cut short.png").write_bytes((folder / "in/holiday/rocket.png").read_bytes()[:5000])
_ = (folder / "in/notes.jpg").write_text("Buy milk.")

# %% [markdown]
# One call, and the same from a shell: `python -m llie_helpers enhance in/ -o out/`.

# %%
from llie_helpers.inference.batch import enhance_files
from llie_helpers.inference.video import enhance_video


def film(source, target):
    return enhance_video(source, target, method)


summary = enhance_files([folder / "in"], folder / "out", enhance, film)
print(str(summary).replace(f"{folder}/", ""))
print(sorted(path.relative_to(folder).as_posix() for path in folder.glob("out/**/*.*")))

# %% [markdown]
# `summary.done` and `summary.failed` are dicts, for programs that go on with the results. Run the
# cell again: what exists is left alone. That is also how a batch that was interrupted goes on.
# Depth and metadata are kept:

# %%
kept = read_photo(folder / "out/holiday/cat.tiff")
print(kept.pixels.dtype, kept.pixels.shape)
plotting.show_images([to_float(read_photo(folder / place / name).pixels)
                      for name in ("coffee.jpg", "holiday/cat.tiff") for place in ("in", "out")],
                     ["coffee.jpg", "enhanced", "cat.tiff, 16 bits", "enhanced"],
                     columns=2)  # fmt: skip

# %% [markdown]
# ## 4. Video
#
# A video is many photographs, so why not enhance them one by one? Because each would get a light
# of its own. A car's headlights sweep past, and the brightness of the whole street jumps down and
# up again. So the light, all 2,304 gains of it, follows what the network would choose with a delay.
#
# {{claim method.prepare(to_float(garage)[None].to(device))[1].numel() == 2304}}
#
# {{exercise steady}}
#
# `values` are what the network would choose for each frame, `times` in seconds when the frames were
# taken, at no fixed rate. Return a list that starts at the first value and then moves, with each
# frame, by a share of `1 - exp(-dt / settle)` towards the new value; `dt` is the time since the
# frame before.


# %%
def my_steady(values, times, settle):
    """Values that follow with a delay of ``settle`` seconds -> list."""
    ### SOLUTION steady


# %% tags=["nbval-check-output"]
my_steady = check.steady(my_steady)

# %% [markdown]
# {{answers steady}}

# %% [markdown]
# ### Fast: the light alone
#
# On two processor cores the network takes about a quarter of a second for a frame of 1280 x 720,
# and a film has 24 frames in a second. The light is ready in a tenth of that, so `--fast` applies
# it alone and leaves the noise. Faster still would be a *table*: a byte has 256 values, so where
# one curve holds for all places, 256 numbers for each channel say it all.
#
# {{exercise table}}
#
# Return `gain * x ** gamma` for each of the 256 values of a byte as a uint8 array `(256,)`, where
# `x` goes from 0 to 1, clipped to [0, 1] and rounded to bytes.


# %%
def my_table(gain, gamma):
    """The curve for each value of a byte -> (256,) uint8."""
    ### SOLUTION table


# %% tags=["nbval-check-output"]
my_table = check.table(my_table)

# %% [markdown]
# {{answers table}}

# %% [markdown]
# Can a table stand in for the network's light? Take a photograph in uneven light, one stop too dark
# on the left and four on the right, and compute the *best* table that there is: for each value of a
# byte, the mean of what the network's light makes of it.

# %%
portrait = photograph("astronaut")
stops = 1 + 3 * torch.sigmoid(torch.linspace(-6, 6, portrait.shape[1]))
uneven = night(portrait, stops)
given = to_float(uneven)[None].to(device)
lit = to_uint8(method.illuminate(given, method.prepare(given))[0])


def mean_curve(values, outputs):
    """The mean output for each value of a byte -> (256,), 0 for values that do not occur."""
    count = np.bincount(values.ravel(), minlength=256)
    return np.bincount(values.ravel(), outputs.ravel(), minlength=256) / np.maximum(count, 1)


best = [mean_curve(uneven[..., c], lit[..., c]).round().astype(np.uint8) for c in range(3)]
by_table = np.dstack([best[c][uneven[..., c]] for c in range(3)])
pictures = {"one to four stops too dark": uneven, "the network's light": lit,
            "the best table": by_table}  # fmt: skip
wrong = {label: np.square(picture - portrait.astype(float)).mean() ** 0.5
         for label, picture in pictures.items()}  # fmt: skip
plotting.show_images([to_float(picture) for picture in pictures.values()], list(pictures),
                     [f"{error:.0f} levels from the truth" for error in wrong.values()],
                     alt="A portrait whose right half is dark. The network's light evens it out; "
                     "with the best table the right half stays darker.")  # fmt: skip

# %% [markdown]
# And what became of each value of the green channel, by place:

# %% Draw the curves tags=["hide-input"]
figure = plotting.CourseFigure(
    7, 3.6, alt="Output against input: the curve of the right third is far above that of the left "
    "third, and the table is between them.")  # fmt: skip
axis = figure.subplots()
third = portrait.shape[1] // 3
curves = {"left third": mean_curve(uneven[:, :third, 1], lit[:, :third, 1]),
          "right third": mean_curve(uneven[:, -third:, 1], lit[:, -third:, 1]),
          "the best table": best[1]}  # fmt: skip
for label, curve in curves.items():
    axis.plot(range(5, 60), curve[5:60], label=label)
axis.set(xlabel="green, before (bytes)", ylabel="green, after (bytes)")
axis.legend()
figure

# %% [markdown]
# A table cannot know *where* a value is. On the left a byte of 30 is a shadow, on the right it is a
# bright backdrop, and a table gives both the same output. The network's light looks a value up by
# its place as well, in a grid of 8 x 8 places (a *bilateral grid*, lesson 07). What can be said in
# one curve, such as a gamma or an exposure for the whole picture, a table does faster than anything
# else.
#
# {{claim curves["right third"][20:40].mean() > 1.3 * curves["left third"][20:40].mean()}}
# {{claim wrong["the network's light"] < 0.8 * wrong["the best table"]}}
#
# ### A film of two seconds
#
# The camera stands in the dark garage, and twice a torch sweeps through the picture. No film comes
# with the libraries, so it is made from the photograph.

# %%
import av


def write_film(path, frames):
    """Write frames (H, W, 3) uint8 as H.264, 24 a second."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=24)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            made.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        made.mux(stream.encode(None))


def read_film(path):
    with av.open(str(path)) as given:
        return [frame.to_ndarray(format="rgb24") for frame in given.decode(video=0)]


# %%
frames = []
scene = cv2.resize(night(photograph("motorcycle"), 3.5), (320, 240)).astype(float)
grain = np.random.default_rng(0)
for i in range(48):
    view = scene + grain.normal(0, 2, scene.shape)
    if i % 24 in range(9, 15):
        cv2.circle(view, (40 + (i % 24 - 9) * 48, 150), 45, (250, 245, 230), -1)
    frames.append(view.clip(0, 255).astype(np.uint8))

clip = lesson.run_dir("film") / "dark.mp4"
write_film(clip, frames)

# %% [markdown]
# The whole network on every frame, and the light alone. `enhance_video` returns the number of
# frames, and remarks on what could not be kept; sound, subtitles and timing are.

# %%
for name, fast in (("steady", False), ("fast", True)):
    start = time.perf_counter()
    made = enhance_video(clip, clip.with_name(f"{name}.mp4"), method, fast=fast)
    rate = made.frames / (time.perf_counter() - start)
    print(f"{name:6} {rate:5.1f} frames of 320 x 240 a second {made.remarks}")

# %% [markdown]
# For comparison, each frame by itself. Both in one film, so that they play in step: by itself on
# the left, steady on the right.

# %%
films = {
    "dark": read_film(clip),
    "each frame by itself": [to_uint8(at_once(frame)) for frame in frames],
    "steady": read_film(clip.with_name("steady.mp4")),
}
both = clip.with_name("both.mp4")
write_film(both, [np.hstack(pair) for pair in zip(*list(films.values())[1:], strict=True)])
Video(both, embed=True, html_attributes="controls loop muted")

# %% [markdown]
# Is it steady? Here is the brightness of the upper wall, which the torch never reaches, relative to
# its first frame.

# %%
wall = {label: np.array([frame[:90].mean() for frame in shown]) for label, shown in films.items()}
wall = {label: values / values[0] for label, values in wall.items()}
jumps = {label: np.abs(np.diff(values)).max() for label, values in wall.items()}
figure = plotting.CourseFigure(
    9, 3.4, alt="Brightness of the wall over two seconds: enhanced frame by frame it falls at once "
    "when the torch appears; with a steady light it falls slowly and by less.")  # fmt: skip
axis = figure.subplots()
for label, values in wall.items():
    axis.plot(np.arange(len(values)) / 24, values, label=label)
axis.set(xlabel="seconds", ylabel="brightness, relative")
figure.legend(loc="outside upper center", ncols=3)
figure

# %% [markdown]
# By itself, each frame with the torch is turned down at once, wall and all. The steady light gives
# way too, but by less than half as much and without a jump, and takes nearly a second to return: a
# compromise, as in every camera.
#
# {{claim 1 - wall["steady"].min() < 0.5 * (1 - wall["each frame by itself"].min())}}
# {{claim jumps["steady"] < 0.25 * jumps["each frame by itself"]}}
#
# ## 5. Where the time goes
#
# Before you make anything faster, measure. PyTorch calls a function of yours before and after each
# part of a network if you register it as a *hook*; two of them and a clock show how long a part
# takes. (`torch.profiler` goes down to single operations, and fills a screen.)


# %%
def time_parts(parts, call):
    """Milliseconds that each of ``parts``, pairs (name, module), takes during ``call()``."""
    spent, began = {}, {}

    def start(name, *_):
        began[name] = time.perf_counter()

    def stop(name, *_):
        spent[name] = spent.get(name, 0.0) + 1000 * (time.perf_counter() - began[name])

    handles = []
    for name, part in parts:
        handles.append(part.register_forward_pre_hook(partial(start, name)))
        handles.append(part.register_forward_hook(partial(stop, name)))
    call()
    for handle in handles:
        handle.remove()
    return spent


# %% [markdown]
# First by place in the network's plan (lesson 07), then by the parts of its ten blocks, which are
# spread over three of those places. Times on a GPU would be of no use here: it goes on computing
# after PyTorch has returned.

# %%
WORDS = {"grid_predictor": "gains, from the thumbnail", "stem": "cells of 4x4 pixels",
         "encoder": "blocks, quarter size", "down": "to an eighth",
         "bottleneck": "blocks, an eighth of the size", "up": "to a quarter",
         "decoder": "blocks, quarter size again", "head": "gate and residual",
         "norm": "normalisation", "spatial": "3x3 convolution", "spectral": "Fourier amplitudes",
         "mix": "1x1 before the gate", "project": "1x1 after the gate"}  # fmt: skip
low = to_float(cv2.resize(garage, (600, 400)))[None]
network.cpu()
places = [(WORDS[name], part) for name, part in network.named_children()]
blocks = [(WORDS[name], part) for block in network.modules() if hasattr(block, "spectral")
          for name, part in block.named_children()]  # fmt: skip
with torch.inference_mode():
    network(low)
    by_place = time_parts(places, partial(network, low))
    by_part = time_parts(blocks, partial(network, low))
    start = time.perf_counter()
    network(low)
    whole_call = 1000 * (time.perf_counter() - start)
network.to(device)
by_place["gains of each pixel, means, sums"] = max(whole_call - sum(by_place.values()), 0.0)

# %%
figure = plotting.CourseFigure(
    10, 3.2, alt="Milliseconds: " + ", ".join(f"{name} {spent:.0f}" for parts in (by_place, by_part)
                                              for name, spent in parts.items()))  # fmt: skip
for axis, spent, title in zip(figure.subplots(1, 2), (by_place, by_part),
                              ("places", "parts of the ten blocks"), strict=True):  # fmt: skip
    axis.barh(list(spent), list(spent.values()))
    axis.invert_yaxis()
    axis.set(title=title, xlabel="milliseconds for 600 x 400")
figure

# %% [markdown]
# In the blocks the Fourier amplitudes usually take longest, though they are those of a quarter of
# the channels: every number moves into windows and back. The last bar on the left is no layer at
# all: each pixel looks up its gains, and the picture moves through memory for means and sums.
# Counting multiplications (lesson 04) shows nothing of this.
#
# ### Order in memory, and threads
#
# A picture of 32 channels can lie in memory channel after channel, or pixel after pixel with all 32
# channels side by side (`torch.channels_last`). The numbers are the same, and so is the result;
# convolutions on a processor are usually faster with the second. `dual_branch` asks for it in its
# `forward`, because it is built of pointwise layers, for which the channels of a pixel belong
# together.
#
# The lesson's U-Net does not ask for it, so there you can see both. And how much do more threads
# help? Guess before you run.

# %%
twice, less = "about twice as fast", "clearly less than twice"
question_threads = widgets.predict(
    "All processor cores instead of one. For each doubling of threads, dual_branch gets ...",
    [twice, less],
)
question_threads

# %%
unet = models.create_model("unet", width=8).eval()
cores = torch.get_num_threads()
timings = {}
with torch.inference_mode():
    for order in (torch.contiguous_format, torch.channels_last):
        image = low.contiguous(memory_format=order)
        unet = unet.to(memory_format=order)
        name = str(order).removeprefix("torch.").replace("_", " ")
        timings[f"unet of width 8, {name}"] = median_milliseconds(partial(unet, image), 3)
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        call = partial(network.cpu(), low)
        timings[f"dual_branch, threads: {threads}"] = median_milliseconds(call, 5)
torch.set_num_threads(cores)
network.to(device)
for label, value in timings.items():
    print(f"{label:34} {value:6.0f} ms for 600 x 400")

# %%
one, all_cores = timings["dual_branch, threads: 1"], timings[f"dual_branch, threads: {cores}"]
doublings = math.log2(cores) or 1
gain = (one / all_cores) ** (1 / doublings)
question_threads.reveal(
    twice if gain > 1.8 else less,
    f"{gain:.2f} times as fast with each doubling, up to {cores} threads.",
)

# %% [markdown]
# A second core rarely doubles the speed: the cores share one path to memory, and some steps are too
# small to be worth sharing. Where many photographs wait, one process for each core, with one thread
# each, gets more done.
#
# ### Memory that is kept
#
# Each layer's output needs memory. On Linux a program asks the system for every large piece and
# gives it back after use, and the system clears each page before it lends it again. Two variables
# of the C library, read when a program starts, make it keep what it has. (Other systems ignore
# them.) Here the full U-Net of lesson 04 runs in two fresh processes:

# %%
import os
import subprocess
import sys

program = """
import torch
from llie_helpers.models import create_model
from llie_helpers.timing import median_milliseconds

network, image = create_model("unet").eval(), torch.rand(1, 3, 400, 600)
with torch.inference_mode():
    print(f"{median_milliseconds(lambda: network(image), 2):.0f} ms for 600 x 400")
"""
keep = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
for title, changes in {"as it is": {}, "memory kept": keep}.items():
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, env=os.environ | changes, capture_output=True, text=True)
    print(f"{title:12} {answer.stdout.strip() or answer.stderr}")

# %% [markdown]
# The larger the outputs, the more it saves, in training too: set them before `python -m
# llie_helpers train` on a CPU. The price is that the program never gets smaller until it ends.
#
# ### Without PyTorch
#
# A phone or a browser has no PyTorch. ONNX is a file format that holds a network as a graph of
# standard operations, for which there are fast programs on nearly every device. The export below
# traces the network with all that `enhance` does around it, leaves height and width open, and
# compares the file with `enhance` on three photographs before it keeps it.

# %%
from llie_helpers.errors import CourseError
from llie_helpers.inference.export import export_onnx

target = lesson.run_dir("onnx") / "dual_branch.onnx"
try:
    difference = export_onnx(network.cpu(), target)
    print(f"{target.stat().st_size / 1e6:.1f} MB, differs from enhance by at most {difference:.0e}")
except CourseError as error:  # its packages are missing
    print(error)
network = network.to(device)

# %% [markdown]
# Is onnxruntime faster than PyTorch? It fuses neighbouring operations and has no Python between
# them, but PyTorch's convolutions are tuned for the processor as well. Which way did it go for you?
# The file has two more inputs, the sliders of section 1.

# %%
if target.is_file():
    import onnxruntime

    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    part = to_float(garage)[None]
    fed = {"low": part.numpy(), "exposure": np.array(0, "f4"), "strength": np.array(1, "f4")}
    with torch.inference_mode():
        calls = {"PyTorch": partial(network.cpu(), part),
                 "onnxruntime": partial(session.run, None, fed)}  # fmt: skip
        for runtime, call in calls.items():
            print(f"{runtime:11} {median_milliseconds(call, 5):.0f} ms")
    network.to(device)

# %% [markdown]
# What else a phone or a browser would need:
#
# - tiles for large photographs, laid with your answers to section 2;
# - a runtime: `onnxruntime-web` runs the file in a browser (WebAssembly, or WebGPU where there is
#   one), `onnxruntime-mobile` on a phone;
# - the light once for the whole photograph: the file predicts it for what it is given, so for tiles
#   the predictor would have to be a file of its own;
# - half precision or 8-bit weights, if the file is too large. Check the scores again then.
#
# `python -m llie_helpers export --model dual_branch -o dual_branch.onnx` does the same from a
# shell, and `python tools/bench.py inference` sets every network of the course side by side.
#
# ## 6. Limits, and what this must not be used for
#
# ### What is not in the light cannot come out
#
# The sensor counted photons. Where it counted three, the network fills in what three photons
# usually meant in the pictures that it has seen. Below, the cat in five depths of darkness, each
# brightened. Look at the whiskers and at the pattern of the fur.

# %%
depths = (2, 3, 4, 5, 6)
cats = [night(photograph("chelsea"), float(depth)) for depth in depths]
brightened = [enhance(cat) for cat in cats]
widgets.frames_slider(brightened, [f"{depth} stops too dark" for depth in depths], "darkness")

# %% [markdown]
# How much of it is right? The GT-mean score (lesson 02), so that a wrong brightness does not count:

# %%
from llie_helpers.images import quantise
from llie_helpers.metrics import match_gt_mean, psnr, ssim

bright = to_float(photograph("chelsea"))[None]
similar = []
for depth, picture in zip(depths, brightened, strict=True):
    shown = quantise(picture[None])
    matched = psnr(match_gt_mean(shown, bright), bright).item()
    similar.append(ssim(shown, bright).item())
    print(f"{depth} stops: GT-mean PSNR {matched:5.2f} dB, SSIM {similar[-1]:.2f}")

# %% [markdown]
# Whiskers and the finest fur go first, while the picture still looks clean; at six stops it turns
# blotchy and grey. Nothing in it says where measurement ends and habit begins. From that follows
# what such a tool must not be used for.
#
# {{claim similar == sorted(similar, reverse=True)}}
#
# - **Evidence.** An enhanced frame may show a number plate that was never there. Investigators work
#   on the original, note every step, and show both. A court should ask for both.
# - **Recognising people.** What the network fills in comes from its training pictures: 351 pairs
#   from the rooms of one group of photographers, and 143 photographs that were darkened by
#   computation. A face of a few pixels becomes an average face, and errors are not equal for all.
# - **Medicine and science.** Brightness *is* the measurement there. Never measure on an enhanced
#   picture.
# - **Privacy.** Darkness hides people who count on it. That a camera recorded somebody by chance is
#   no consent to make them visible. Ask, or leave it dark.
#
# What helps: keep the original (the tool never overwrites it), say that a picture was enhanced and
# by what, keep the strength low where detail matters, and prefer a longer exposure to any network.
#
# ### What else this network cannot do
#
# - How bright a scene was meant to be is a guess. A concert or a night sky, dark by intention, may
#   be brightened; pull the exposure down.
# - Light is only added. What is burnt out stays burnt out, and motion blur stays.
# - The light has 8 x 8 places. It separates a window from the room around it by their brightness,
#   and smaller things of equal brightness not at all.
# - Noise that a camera has smoothed already (most phones do) does not look like what it was trained
#   on, and comes out blotched.
#
# ### Train it on your own photographs
#
# Any folder of photographs in good light can teach it. `photographs:DIR` darkens each training
# photograph in four ways, by the physics of lesson 01, and holds some photographs back for
# validation. With `+` they come beside LOL v1, half of the crops from each, as for the weights of
# this lesson:
#
#     python -m llie_helpers data check photographs:DIR
#     python -m llie_helpers train --model dual_branch --data lol_v1+photographs:DIR
#     python -m llie_helpers train --model dual_branch --data photographs:DIR
#
# The first line checks the folder. Take a hundred photographs or more, of many kinds: what is not
# in them, the network has to guess. Without a GPU the full recipe takes many hours.

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - Decide once for the whole photograph what depends on the whole, and tile only what is local.
#   Then seams have no reason to exist, and the fading hides the rest.
# - Brightness belongs to the photographer: a control, apart from noise and detail.
# - A tool for folders finishes the good files, names each bad one, never overwrites, and goes on
#   where it was stopped.
# - In a film, smooth the decision over time and not the picture.
# - Measure before you optimise. A table of 256 numbers is faster than any network where one curve
#   suits all places. Local light is no such curve.
#
# **What failed**
#
# - The fast mode brightens noise along with the picture: it only sets the light.
# - Where a film changes within a second, the light follows late. A shorter delay lets the flicker
#   back in.
# - On a laptop without a GPU the whole network manages a few frames a second at 1280 x 720.
#
# ## Papers
#
# - J. Chen, S. Paris, F. Durand. *Real-time Edge-Aware Image Processing with the Bilateral Grid.*
#   SIGGRAPH 2007. How local curves can be had at low resolution.
# - M. Gharbi et al. *Deep Bilateral Learning for Real-Time Image Enhancement.* SIGGRAPH 2017.
# - C. Guo et al. *Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement.* CVPR 2020.
# - E. Mach. *Ueber die Wirkung der raeumlichen Vertheilung des Lichtreizes auf die Netzhaut.* 1865.
#   Why kinks in brightness look like lines.
# - F. J. Harris. *On the Use of Windows for Harmonic Analysis with the Discrete Fourier Transform.*
#   Proceedings of the IEEE 66(1), 1978.
# - M. Mitchell et al. *Model Cards for Model Reporting.* FAT* 2019.
#
# This was the last lesson. What you can do from here: train on your own photographs, or on your own
# pairs (lesson 01 shows how to check them); try a lever that lesson 07 did not; send what you find.
