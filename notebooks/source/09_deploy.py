# %% [markdown]
# # 09. Your own photographs
#
# A network that scores well on fifteen images of 600 x 400 pixels is not yet a tool. Bring a dark
# photograph of your own. First you enhance it, at full size. Then you find out how that was
# possible, and divide photographs into tiles without a seam. Next you take the flicker out of a
# film. At the end you look for the point at which the picture becomes a guess.

# %% [markdown]
# {{setup video,onnx}}

# %%
import math
import subprocess
import sys
import time
from functools import partial

import cv2
import numpy as np
import torch
from IPython.display import Video

from llie_helpers import inference, metrics, plotting
from llie_helpers.data.embedded import photograph, real_photographs
from llie_helpers.data.synthesis import darken, expose, to_linear, to_srgb
from llie_helpers.images import Place, quantise, to_float, to_uint8
from llie_helpers.inference import tiles
from llie_helpers.inference.photos import Photo, read_photo, write_photo
from llie_helpers.inference.video import enhance_video
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_09 as check
from llie_helpers.methods import create_method

device = lesson.device

# %% [markdown]
# ## 1. Your photograph
#
# The method is `dual_branch` of lesson 07, with the weights called `photographs`. They learned from
# LOL v1 and from photographs that were darkened by the physics of lesson 01.
#
# The first photograph is a real one: dandelions against the sun, by Clemens Engelhardt (CC0).
# Nobody has darkened it, so there is no target and no score. You are the judge.

# %%
method = create_method("dual_branch", device=device)
network = method.network


def enhance(pixels, **controls):
    """(H, W, 3) uint8 or uint16 -> (3, H, W) in [0, 1]."""
    return inference.enhance(to_float(pixels), method, **controls)


dandelions, sunset = (read_photo(real_photographs()[scene]) for scene in ("dandelion", "sunset"))

# %% [markdown]
# Choose a file, and it replaces the dandelions. (Jupyter passes on files of up to 10 MB. For larger
# ones use a shell: `python -m llie_helpers enhance FILE -o OUT`.) *Exposure* is in stops, relative
# to what the network chose, because how bright a photograph should be is your decision. *Strength*
# mixes the result with the original. The sliders work on a small copy. The button computes the full
# size and keeps format, metadata and transparency.

# %%
widgets.workshop(enhance, dandelions, lesson.run_dir("workshop"))

# %% [markdown]
# On a page without a kernel, here are three exposures:

# %%
stops = (-1.0, 0.0, 1.0)
small = cv2.resize(dandelions.pixels, (640, 360), interpolation=cv2.INTER_AREA)
widgets.frames_slider(
    [enhance(small, exposure=stop) for stop in stops],
    [f"{stop:+.1f}" for stop in stops],
    "exposure in stops",
    alt="the enhanced dandelions",
    first=1,
)

# %% [markdown]
# The grass gets much light, the flower a little, the sun none: light for each place and tone, as
# lesson 07 built it. At -1 the sun turns grey. No detail was left in it, so there is none to bring
# back.
#
# {{claim enhance(small, exposure=-1.0)[:, :27, 253:427].mean() < 0.85}}
# {{claim to_float(small)[:, :27, 253:427].mean() > 0.99}}
# {{claim to_float(small[267:347, 320:467]).mean() < 0.09}}
# {{claim enhance(small)[:, 267:347, 320:467].mean() > 0.16}}
# {{claim 0.48 < to_float(small[60:190, 110:255]).mean() < 0.52}}
# {{claim 0.55 < enhance(small)[:, 60:190, 110:255].mean() < 0.64}}
#
# The same network runs in a browser, without Python. To try it, {{page}}.
# "Going deeper" shows how it got there.
#
# If your photograph has more than 1.4 megapixels, the network never saw it whole at full size. Why
# does it show no seam?
#
# {{claim tiles.TILE**2 < 1.4e6}}
#
# **You will be able to**
#
# - enhance a photograph of any size in little memory, by tiles without seams;
# - say which decisions belong to the whole and which to a part;
# - enhance a film without flicker;
# - measure where an enhanced picture stops being a measurement, and say what it must not be used
#   for.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs that come with the course, and yours; 1.5
#   minutes; 1.5 GB of memory.
# - **Full profile**: the same; 1 minute; 2 GB of memory.

# %% [markdown]
# ## 2. Any size: tiles without a seam
#
# Every layer of a network holds pictures of its own. For 24 megapixels at once, these would need
# gigabytes. So a photograph is cut into **tiles**, and these are enhanced one after the other.
#
# ### Six photographs in place of one
#
# Cut a sunset (by Aitzol Berasategi, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/))
# into six tiles, and let the network enhance each as if it were a photograph.


# %%
evening = to_float(sunset.pixels)[None].to(device)  # 640 x 960


@torch.no_grad()
def six_photographs(image, side=320):
    """Tiles without overlap, each a photograph of its own."""
    rows = (
        torch.cat([network(tile) for tile in row.split(side, dim=3)], dim=3)
        for row in image.split(side, dim=2)
    )
    return torch.cat(list(rows), dim=2)


# %%
nothing, line, edge = "nothing", "a thin line of a level or two", "a clear step in brightness"
question_seams = widgets.predict(
    "What will you see where two of the six tiles meet?",
    [nothing, line, edge],
)
question_seams

# %% [markdown]
# Choose first. Then compare how much neighbouring pixels differ across the cuts, and elsewhere.

# %%
with torch.no_grad():
    whole = network(evening)
patchwork = six_photographs(evening)


def jump(image, side=320):
    """How much more neighbours in a row differ across the upright cuts than elsewhere."""
    steps = (image[..., 1:] - image[..., :-1]).abs().mean(dim=(0, 1, 2))
    cuts = torch.zeros(len(steps), dtype=torch.bool)
    cuts[side - 1 :: side] = True
    return (steps[cuts].mean() / steps[~cuts].mean()).item()


question_seams.reveal(
    edge if jump(patchwork) > 1.5 * jump(whole) else line,
    f"across the cuts, neighbours differ {jump(patchwork):.1f} times as much as elsewhere; in the "
    f"picture enhanced at once {jump(whole):.1f} times, in the sunset itself "
    f"{jump(evening):.1f} times.",
)

# %% [markdown]
# Look at the sky beside the sun, then at the hills below it.

# %%
plotting.show_images(
    [patchwork[0].cpu(), whole[0].cpu()],
    ["six photographs", "one photograph"],
    columns=1,
    alt="Above, the sunset from six tiles, with steps in brightness where they meet: the tile with "
    "the sun has the darkest sky. Below, the sunset enhanced at once, without steps.",
)

# %% [markdown]
# Each tile was given the light that would suit it alone; the one with the sun was given little. So
# the light must be decided *once*, for the whole photograph, and the network of lesson 07 was built
# for that. Its gains come from a thumbnail of the whole. A tile looks up the gains of its place.
# All other layers see only the surroundings of a pixel.
#
# {{claim jump(patchwork) > 1.5 * jump(whole)}}
# {{claim jump(whole) < 1.1 * jump(evening)}}
# {{claim patchwork[..., :100, 310:320].mean() > patchwork[..., :100, 320:330].mean() + 0.03}}
#
# ### Where tiles begin and end
#
# Near its border, a tile lacks surroundings. So tiles **overlap**, and the border of each is
# covered by the interior of its neighbour.
#
# {{exercise cover}}
#
# One side of a photograph has `length` pixels. Return a list of `(start, stop)`, with `stop` one
# past the last pixel, as in a slice. All tiles but the last are `tile` pixels long. Each shares
# exactly `overlap` pixels with the one before. The last ends with the photograph; it may be
# shorter, but must add something. A short side gets one tile.


# %%
def lay_tiles(length, tile, overlap):
    """Where tiles are along one side -> list of (start, stop)."""
    ### SOLUTION cover


# %% tags=["nbval-check-output"]
lay_tiles = check.cover(lay_tiles)

# %% [markdown]
# {{answers cover}}
#
# ### One fades out, the next fades in
#
# Where two tiles overlap, the result is a weighted mean of both. Their weights must add up to 1
# everywhere. And they must begin and end flat, because the eye sees a kink in brightness as a line
# (Mach, 1865). The two halves of a *Hann window*, a squared sine, do both.
#
# {{exercise fade}}
#
# Write `fade_weights`: the weights across `width` pixels, each a tensor `(width,)`, of the tile
# that comes and of the tile before. Use the squared sine and cosine of an angle that goes from 0 to
# pi / 2, taken at the middle of each pixel, so that one is the mirror image of the other.
#
# `tile_weights` is given. It puts your weights at the sides where a tile has neighbours. Note the
# `third`: a tile fades across the middle third of the overlap, and beyond it is not used at all.

# %%
### SOURCE llie_helpers.lessons.checks.lesson_09.tile_weights


def fade_weights(width):
    """Weights of the tile that comes and of the one before -> two tensors (width,)."""
    ### SOLUTION fade


# %% tags=["nbval-check-output"]
fade_weights = check.fade(fade_weights)

# %% [markdown]
# {{answers fade}}
#
# What if somebody forgets to square? These are the weights of three tiles along one side of the
# sunset, and their sum: yours on the left, and their roots, a sine and a cosine, on the right.

# %% Draw the weights of three tiles tags=["hide-input"]
figure = plotting.CourseFigure(
    10,
    2.8,
    alt="Weights of three tiles along a side: each is 0 at its shared ends, rises smoothly to 1 "
    "and falls again. Squared, they add up to 1 everywhere; not squared, their sum rises to 1.4 "
    "wherever one tile fades into the next.",
)
changes = {"sine and cosine squared": torch.clone, "not squared": torch.sqrt}
sums = {}
for axis, (title, change) in zip(figure.subplots(1, 2, sharey=True), changes.items(), strict=True):
    sums[title] = torch.zeros(960)
    for number, (start, stop) in enumerate(lay_tiles(960, 448, 192), start=1):
        weights = change(tile_weights((0, 1), (start, stop), (1, 960), 192)[0])
        sums[title][start:stop] += weights
        axis.plot(torch.arange(start, stop), weights, label=f"tile {number}")
    axis.plot(sums[title], "--", color="black", linewidth=1.5, label="sum")
    axis.set(title=title, xlabel="pixel", ylim=(-0.04, 1.6))
figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper")
figure

# %% [markdown]
# Squared, they add up to 1. Not squared, there would be bars where two tiles fade, up to 1.4 times
# as bright as they should be (sine and cosine of 45 degrees add up to the root of 2), and twice as
# bright where four meet.
#
# {{claim (sums["sine and cosine squared"] - 1).abs().max() < 1e-5}}
# {{claim 1.4 < sums["not squared"].max() < 1.42}}
#
# ### Enhance in tiles
#
# Now put it together. A method of this course works in two steps. `method.prepare(image)` looks at
# the whole photograph and returns the **context**, which is whatever must be decided for the whole:
# here the gains. `method(part, context, place)` enhances a part of it. `place` says where the part
# is: `Place(top, left, bottom, right)`, the edges as fractions of the photograph's height and
# width.
#
# {{exercise enhance_in_tiles}}
#
# `image` is `(1, 3, H, W)`. Return its enhanced version of the same shape: the outputs of all
# tiles, each times its weights, added up. `tile_weights(rows, columns, (H, W), overlap)` has those
# of a tile; `rows` and `columns` are two of your pairs `(start, stop)`.


# %%
def in_tiles(method, image, tile, overlap):
    """Enhance an image (1, 3, H, W) tile by tile -> (1, 3, H, W)."""
    ### SOLUTION enhance_in_tiles


# %% tags=["nbval-check-output"]
in_tiles = check.enhance_in_tiles(in_tiles)

# %% [markdown]
# {{answers enhance_in_tiles}}
#
# Your function enhances the sunset. The tiles are small here, 320 pixels, so that there are seams
# to look for. How much overlap does the network need? Drag the slider. The difference from the
# picture enhanced at once is drawn 100 times larger than it is.


# %%
def by_hand(tile, overlap, image=evening):
    with torch.device(device):  # new tensors, such as your weights, are made there
        return torch.as_tensor(in_tiles(method, image, tile, overlap))


def show_difference(overlap=128):
    """The sunset in tiles, and how far it is from the sunset enhanced at once."""
    tiled = by_hand(320, overlap)
    difference = (tiled - whole).abs()[0].cpu()
    return plotting.show_images(
        [tiled[0].cpu(), (100 * difference).clamp(0, 1)],
        [f"overlap {overlap} pixels", "difference x 100"],
        ["", f"at most {255 * difference.max():.2f} of 255 levels"],
    )


widgets.parameter_slider(show_difference, frames=3, overlap=(64, 192, 64))

# %% [markdown]
# At 192 pixels, nobody can tell the tiles from the whole. The 64 pixels nearest a shared border are
# never used, and the network hardly looks further than that. With less overlap, pixels near a
# border lack surroundings that matter to them, and the lattice of the tiles shows in the
# difference. (The slider moves by 64 pixels, the width of the network's windows of waves at their
# coarsest, so that no tile cuts a window.)
#
# {{claim 255 * (by_hand(320, 64) - whole).abs().max() > 4}}
# {{claim 255 * (by_hand(320, 192) - whole).abs().max() < 0.5}}
#
# The course's own tiles are larger, 1152 pixels, with the same overlap. `enhance` divides every
# photograph of more than 1.4 megapixels in this way, the one that you chose above too. Here are the
# package's tiles and yours, for a sunset that is large enough:

# %%
larger = to_float(cv2.resize(sunset.pixels, (1500, 1000)))
from_package = tiles.enhance_tiled(method, larger)
yours = by_hand(tiles.TILE, tiles.OVERLAP, larger[None].to(device))[0].cpu()
print(f"largest difference: {255 * (yours - from_package).abs().max():.5f} of 255 levels")

# %% [markdown]
# {{claim (yours - from_package).abs().max() < 1e-4}}
#
# And the memory? The peak of a process never falls, so each case below has a process of its own.
# The lines say how much memory it needed beyond PyTorch itself.

# %% Measure the memory, each in a new process tags=["hide-input"]
COST = """
import sys, torch
from llie_helpers.inference import enhance
from llie_helpers.methods import create_method
from llie_helpers.timing import peak_megabytes

how, megapixels = sys.argv[1], int(sys.argv[2])
method = create_method("dual_branch")
before = peak_megabytes()
image = torch.rand(3, 1000, 1000 * megapixels)
with torch.inference_mode():
    enhance(image, method) if how == "in tiles" else method(image[None])
print(peak_megabytes() - before)
"""


def megabytes(how, megapixels):
    """The memory that a photograph needs in a new process."""
    command = [sys.executable, "-c", COST, how, str(megapixels)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


cases = [("at once", 4), ("in tiles", 4), ("in tiles", 6)]
needed = {case: megabytes(*case) for case in cases}
for (how, megapixels), memory in needed.items():
    print(f"{megapixels} megapixels {how:9} {memory:5.0f} MB")

# %% [markdown]
# A tile needs the same, whatever photograph it is part of. What grows is only the photograph
# itself, before and after: 24 MB for each megapixel, as floats. (A process reuses memory that it
# has freed, so the lines may differ by less than that, or by more. Windows tells no peak: there
# the lines say `nan`.)
#
# {{claim needed["in tiles", 6] < 1.4 * needed["in tiles", 4]}}
# {{claim needed["at once", 4] > 1.5 * needed["in tiles", 4]}}
# {{claim needed["at once", 4] > needed["in tiles", 6]}}
#
# ## 3. A film without flicker
#
# A film is many photographs, so why not enhance them one by one? Two things would flicker: the
# noise, which is different in each frame, and the light, which the network chooses for each frame.
#
# ### The noise of each frame
#
# Six shots of a dark garage, computed from one photograph as in lesson 01. Nothing moves, and only
# the noise changes. They are enhanced by the network, all six with the gains of the first, and
# brightened by a gamma curve to the same mean. **Flicker** is the standard deviation of each pixel
# over the six, averaged over the picture.


# %%
def night(day, stops=4.0, seed=1):
    """A photograph (H, W, 3), darkened as in lesson 01 -> uint8."""
    generator = torch.Generator().manual_seed(seed)
    return to_uint8(darken(to_float(day), stops, generator=generator))


alike, less, more = (
    "about as much",
    "clearly less",
    "clearly more: it invents other detail each time",
)
question_flicker = widgets.predict(
    "Compared with the gamma curve, how much does the network's film flicker?", [alike, less, more]
)
question_flicker

# %%
garage = photograph("motorcycle")
shots = torch.stack([to_float(night(garage, 3.5, seed)) for seed in range(6)])
with torch.no_grad():
    gains = network.prepare(shots[:1].to(device))
    by_network = torch.cat([network(shot[None].to(device), gains) for shot in shots])
by_network = quantise(by_network).cpu()
gamma = min(
    torch.linspace(0.2, 1, 81), key=lambda gamma: abs((shots**gamma).mean() - by_network.mean())
)
films_of_six = {"gamma": quantise(shots**gamma), "network": by_network}
spread = {label: film.std(dim=0) for label, film in films_of_six.items()}
flicker = {label: 255 * its.mean().item() for label, its in spread.items()}
share = flicker["network"] / flicker["gamma"]
question_flicker.reveal(
    less if share < 0.8 else more if share > 1.25 else alike,
    f"{flicker['network']:.1f} of 255 levels; by gamma {flicker['gamma']:.1f}.",
)

# %% [markdown]
# Here is a detail. The maps show where it flickers, as a mean over the colours. White is 16 levels
# or more. Where does the network's film still flicker?

# %%
panels = [film[0] for film in films_of_six.values()]
maps = [its.mean(dim=0) for its in spread.values()]
panels += [(16 * its).clamp(0, 1).expand(3, -1, -1) for its in maps]
plotting.show_images(
    [panel[:, 80:160, 130:250] for panel in panels],
    ["gamma", "network", "flicker of gamma", "flicker of network"],
)

# %% [markdown]
# It flickers more on the engine and on the lettering of the tank than on the smooth seat. The
# noise that is gone cannot flicker. What is left is noise that the network took for structure.
#
# {{claim maps[1][130:160, 190:250].mean() > 1.2 * maps[1][100:120, 140:180].mean()}}
# {{claim maps[1][100:112, 205:240].mean() > 1.1 * maps[1][100:120, 140:180].mean()}}
# {{claim share < 0.75}}
#
# ### The light of each frame
#
# Next somebody films the garage by hand, and switches a torch on twice in two seconds. No film
# comes with the libraries, so this one is computed from the photograph: the camera pans and shakes,
# the torch adds light to the scene, every frame has noise of its own, and the sound is a hum.

# %% Film the garage for two seconds tags=["hide-input"]
import av


def write_film(path, frames, sound=None, crf=27):
    """Write frames (H, W, 3) uint8 as H.264, 24 a second, with sound at 48 kHz."""
    with av.open(str(path), "w") as made:
        video = made.add_stream("libx264", rate=24)
        video.options = {"crf": str(crf)}
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        tracks = [(video, [av.VideoFrame.from_ndarray(f, format="rgb24") for f in frames])]
        if sound is not None:
            audio = made.add_stream("aac", rate=48000, layout="mono")
            heard = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
            heard.sample_rate = 48000
            tracks.append((audio, [heard]))
        for stream, contents in tracks:
            for content in (*contents, None):
                made.mux(stream.encode(content))


def read_film(path):
    with av.open(str(path)) as given:
        return [frame.to_ndarray(format="rgb24") for frame in given.decode(video=0)]


def tracks_of(path):
    with av.open(str(path)) as given:
        return [stream.type for stream in given.streams]


def camera(t):
    """Left and top edge of the view after ``t`` seconds: the camera pans, and the hand shakes."""
    left = 40 + 40 * math.sin(math.pi * (t - 1) / 2) + 2 * math.sin(9 * t)
    return left, 20 + 2 * math.sin(7 * t)


def film(t):
    """The frame after ``t`` seconds: four stops too dark, but for the torch."""
    left, top = camera(t)
    view = cv2.warpAffine(scene, np.float32([[1, 0, -left], [0, 1, -top]]), (320, 240))
    lit = min(max(12 * min(t % 1 - 0.4, 0.75 - t % 1), 0), 1)  # on at 0.4 and off at 0.75 seconds
    across = torch.arange(320) - 160 - 500 * (t % 1 - 0.55)
    down = torch.arange(240)[:, None] - 165
    beam = 10 * lit * torch.exp(-(across**2 + down**2) / 46**2)
    return night(view, 4 - torch.log2(1 + beam), seed=round(24 * t))


scene = cv2.resize(photograph("motorcycle", 600), (420, 280), interpolation=cv2.INTER_AREA)
times = [i / 24 for i in range(48)]
hum = 0.1 * np.sin(2 * np.pi * 220 * np.arange(96000) / 48000).astype(np.float32)
clip = lesson.run_dir("film") / "dark.mp4"
write_film(clip, [film(t) for t in times], hum, crf=14)
frames = read_film(clip)
print(f"{len(frames)} frames of 320 x 240; tracks: {', '.join(tracks_of(clip))}")

# %% [markdown]
# Enhanced one by one, each frame gets gains of its own. When the torch goes on, the network sees a
# brighter picture and turns all of it down, at once. So let the gains *follow* what the network
# would choose, with a delay.
#
# {{exercise steady}}
#
# `values` are what the network would choose for each frame, numbers or tensors. `times` say when
# the frames were taken, in seconds, at no fixed rate. Return a list that starts at the first value
# and then moves, with each frame, by a share of `1 - exp(-dt / settle)` of the way towards the new
# value; `dt` is the time since the frame before.


# %%
def steady(values, times, settle):
    """Values that follow with a delay of ``settle`` seconds -> list."""
    ### SOLUTION steady


# %% tags=["nbval-check-output"]
steady = check.steady(steady)

# %% [markdown]
# {{answers steady}}
#
# Your function now steadies all gains of the film, 8 x 8 places for 12 levels and 3 colours.
# `network.prepare` chooses them for a frame, and `network(frame, gains)` applies them and removes
# the noise.

# %%
with torch.no_grad():
    lows = [to_float(frame)[None].to(device) for frame in frames]
    chosen = [network.prepare(low) for low in lows]
    followed = [torch.as_tensor(gains).float() for gains in steady(chosen, times, settle=0.5)]
    by_itself = [to_uint8(network(*both)[0]) for both in zip(lows, chosen, strict=True)]
    with_delay = [to_uint8(network(*both)[0]) for both in zip(lows, followed, strict=True)]

# %% [markdown]
# {{claim chosen[0].numel() == 8 * 8 * 12 * 3}}
#
# Three films in one, so that they play in step. From left to right: dark, each frame by itself, and
# steady. Watch the white door when the torch goes on.

# %%
together = clip.with_name("together.mp4")
write_film(
    together, [np.hstack(three) for three in zip(frames, by_itself, with_delay, strict=True)]
)
Video(together, embed=True, width=900, html_attributes="controls loop muted style='max-width:100%'")

# %% [markdown]
# For a whole film there is one call. Its gains follow as yours do, but jump where the scene is cut.
# It divides large frames into tiles and keeps timing, colours, subtitles and sound. It returns the
# number of frames, and remarks on what could not be kept.

# %%
start = time.perf_counter()
done = enhance_video(clip, clip.with_name("steady.mp4"), method)
rate = done.frames / (time.perf_counter() - start)
print(f"{rate:.1f} frames of 320 x 240 a second; a frame of 1280 x 720 has 12 times the pixels")
print(f"remarks: {done.remarks or 'none'}")
print(f"tracks: {', '.join(tracks_of(clip.with_name('steady.mp4')))}")

# %% [markdown]
# {{claim tracks_of(clip.with_name("steady.mp4")) == tracks_of(clip)}}
#
# Is it steady? This is the brightness of the door, where the torch hardly shines, relative to the
# first frame.

# %% Draw the brightness of the door tags=["hide-input"]
films = {
    "dark": frames,
    "each frame by itself": by_itself,
    "your delay": with_delay,
    "the package's film": read_film(clip.with_name("steady.mp4")),
}


def door(frame, t):
    """The mean of a piece of the door, wherever the camera has moved."""
    left, top = camera(t)
    return cv2.getRectSubPix(frame, (65, 50), (132 - left, 55 - top)).mean()


light = {label: np.array([*map(door, shown, times)]) for label, shown in films.items()}
light = {label: values / values[0] for label, values in light.items()}
jumps = {label: np.abs(np.diff(values)).max() for label, values in light.items()}
figure = plotting.CourseFigure(
    9,
    3.4,
    alt="Brightness of the door over two seconds: enhanced frame by frame it falls at once when "
    "the torch goes on; with a delay it falls slowly and by less, and so it does in the package's "
    "film.",
)
axis = figure.subplots()
for label, values in light.items():
    axis.plot(times, values, "--" if "package" in label else "-", label=label)
axis.set(xlabel="seconds", ylabel="brightness, relative")
figure.legend(loc="outside upper center", ncols=4)
figure

# %% [markdown]
# Frame by frame, the light is turned down as soon as the torch goes on, door and all. With the
# delay the door gives way by less than half as much, and slowly. What is the price? Look at the
# floor, just after the torch went on:
#
# {{claim 0.2 < (1 - light["your delay"].min()) / (1 - light["each frame by itself"].min()) < 0.5}}
# {{claim jumps["your delay"] < 0.25 * jumps["each frame by itself"]}}
# {{claim np.abs(light["your delay"] - light["the package's film"]).max() < 0.02}}

# %%
moment = {label: shown[12] for label, shown in films.items() if "package" not in label}
burnt = {label: (frame.min(axis=2) >= 245).mean() for label, frame in moment.items()}
plotting.show_images(
    [to_float(frame) for frame in moment.values()],
    list(moment),
    [f"burnt out: {share:.1%}" for share in burnt.values()],
    alt="The garage with the torch on the rear wheel: dark; enhanced by itself, the floor grey and "
    "the door dim; with the delay, the door bright and the floor around the wheel white.",
)

# %% [markdown]
# The gains were chosen for the dark, and burn out what the torch lights. That is a compromise, as
# in every camera: a shorter delay burns out less, and lets the flicker back in.
#
# {{claim burnt["your delay"] > 3 * burnt["each frame by itself"]}}
#
# ## 4. Where measurement ends
#
# A sensor counts photons. Where it counted three, the network fills in what three photons usually
# meant in its training pictures. Lessons 04 and 06 split the fine structure of a picture in two:
# *true* detail, which the target explains, and *false* detail, which it does not: all that was
# invented, and noise. Here is the cat, two to six stops too dark, each time enhanced.

# %%
never = "at no depth up to 6 stops"
question_fur = widgets.predict(
    "From which darkness on is more of the cat's fine structure false than true?",
    ["at 3 stops", "at 4 stops", "at 5 stops", "at 6 stops", never],
)
question_fur

# %% [markdown]
# Look at the whiskers and at the pattern of the fur. Where would *you* say that the fur is
# invented?

# %%
depths = (2, 3, 4, 5, 6)
cats = [night(photograph("chelsea"), float(depth)) for depth in depths]
shown = [quantise(enhance(cat)) for cat in cats]
widgets.frames_slider(
    shown, [f"{depth} stops" for depth in depths], "too dark by", alt="the enhanced cat", first=2
)

# %% [markdown]
# Now measure it. Beside the network are the same photographs with their light multiplied back, as
# in lesson 01. That invents nothing.

# %%
multiplied = [
    to_srgb(expose(to_linear(to_float(dark)), depth)).clamp(0, 1)
    for dark, depth in zip(cats, depths, strict=True)
]
cat = to_float(photograph("chelsea"))
detail = {
    label: torch.cat([metrics.true_and_false_detail(picture, cat) for picture in pictures])
    for label, pictures in {"network": shown, "multiplied": multiplied}.items()
}
true, false = detail["network"].T.tolist()
turned = [depth for depth, t, f in zip(depths, true, false, strict=True) if f > t]
question_fur.reveal(
    f"at {turned[0]} stops" if turned else never,
    "; ".join(
        f"{depth} stops: true {t:.0%}, false {f:.0%}"
        for depth, t, f in zip(depths, true, false, strict=True)
    ),
)

# %% Draw true and false detail tags=["hide-input"]
figure = plotting.CourseFigure(
    9,
    3.2,
    alt="The network's true detail falls with every stop and its false detail rises slowly towards "
    "it. The multiplied photograph keeps its true detail; its false rises far above.",
)
axes = figure.subplots(1, 2, sharey=True)
for axis, (label, values) in zip(axes, detail.items(), strict=True):
    for column, kind in enumerate(("true", "false")):
        axis.plot(depths, values[:, column], marker="o", label=kind)
    axis.set(title=label, xlabel="stops too dark", xticks=depths, ylim=(0, 1.7))
    axis.legend()
axes[0].set_ylabel("share of the target's")
figure

# %% [markdown]
# Beyond the point where the lines cross, more is false than true. (From five stops on, the noise
# on the right is above the frame.) This is what it looks like at four stops:

# %%
four = depths.index(4)
plotting.show_images(
    [picture[:, 60:180, 100:260] for picture in (cat, shown[four], multiplied[four])],
    ["target", "network", "multiplied"],
    alt="The cat's eye and the fur beside it. In the target single hairs show. The network's is "
    "clean, and smoother between eye and nose. The multiplied one is grainy all over.",
)

# %% [markdown]
# The network's true detail falls with every stop. At six stops the picture is smeared and faded,
# and you see that something is wrong. At four it looks clean, although part of the fur is the
# network's.
#
# The multiplied photograph invents nothing, and keeps *all* true detail. (The few per cent above 1
# come from noise, which clipping and the display's gamma make lopsided.) At four stops it is more
# false than true, but you see at once that this is noise. The network's false detail looks like
# fur, and no line in the picture says where measurement ends. That is why there are things which
# such a tool must not be used for.
#
# {{claim detail["multiplied"][3, 1] > 1.7}}
#
# {{claim 0.97 < detail["multiplied"][:, 0].min() < detail["multiplied"][:, 0].max() < 1.06}}
# {{claim true == sorted(true, reverse=True)}}
# {{claim false[-1] > false[0]}}
# {{claim false[2] < true[2]}}
# {{claim detail["multiplied"][2, 1] > 1.2 * detail["multiplied"][2, 0]}}
# {{claim detail["multiplied"][-1, 0] > 1.3 * true[-1]}}
# {{claim detail["multiplied"][-1, 1] > 3 * false[-1]}}
#
# ### What it must not be used for
#
# - **Evidence.** An enhanced frame may show a number plate that was never there. Investigators work
#   on the original, note every step, and show both. A court should ask for both.
# - **Recognising people.** What the network fills in comes from its training pictures: a few
#   hundred pairs from the rooms of one group of photographers, and photographs that were darkened
#   by computation. A face of a few pixels becomes an average face, and errors are not equal for
#   all.
# - **Medicine and science.** Brightness *is* the measurement there. Never measure on an enhanced
#   picture.
# - **Watching people.** Darkness hides people who count on it. That a camera recorded somebody by
#   chance is no consent to make them visible. Ask, or leave it dark.
#
# What helps: keep the original (the tool never overwrites it), say that a picture was enhanced and
# by what, keep the strength low where detail matters, and prefer a longer exposure to any network.
#
# ## 5. What now
#
# ### A card for every network
#
# All this, and what the weights were trained on, is in their **model card**. No weights should be
# published without one. This is its section on limits, and the price of the weights:

# %%
from llie_helpers.models import cards
from llie_helpers.models.weights import SHIPPED

_, card = cards.read(SHIPPED / "dual_branch_photographs.md")
print(card.split("## Limits")[1].split("##")[0].strip())
training = lessons.recorded("dual_branch_photographs")[-1]
print(f"\n{training['steps']:,} steps, {training['seconds'] / 3600:.1f} hours of one CPU core")

# %% [markdown]
# ### Train it on your own photographs
#
# Any folder of photographs in good light can teach it. `photographs:DIR` darkens each training
# photograph by the physics of lesson 01, in several ways, and holds some photographs back for
# validation. With `+` they come beside LOL v1, half of the crops from each, as for the weights of
# this lesson:
#
#     python -m llie_helpers data check photographs:DIR
#     python -m llie_helpers train --model dual_branch --data photographs:DIR
#     python -m llie_helpers train --model dual_branch --data lol_v1+photographs:DIR
#
# The first line checks the folder. Take a hundred photographs or more, of many kinds: what is not
# in them, the network has to guess. Without a GPU the full recipe takes an hour or two.
#
# Three projects to begin with:
#
# - **Your own pairs.** A tripod, one scene, one short exposure and one long. Twenty scenes make a
#   test set of your own, and lesson 01 says how to check it. Does the table of lesson 08 hold
#   there?
# - **Your own taste.** Train on photographs that *you* developed. Does the network learn how bright
#   you like your evenings?
# - **Your own network.** One file with one class, as in lessons 03 to 07, and one recipe.
#   `CONTRIBUTING.md` says where they go. Beat `dual_branch` on scenes that nobody trained on.
#
# ## Recap
#
# **What you learned.** Decide once, work locally, let people choose, and keep the original.
#
# - What depends on the whole is decided once, from the whole. Then tiles have no reason to differ,
#   and overlap and fading hide the rest.
# - In a film, smooth the decision over time and not the picture.
# - Brightness belongs to the photographer. It is a control, apart from noise and detail.
# - The darker the photograph, the more of the result is a guess, and it does not look like one.
#
# **What failed.** Where a film changes within a second, the light follows late, and burns out what
# a torch lights. Noise that was enlarged or smoothed before can come out blotched. And without a
# GPU, a film of 1280 x 720 takes much longer to enhance than to watch: divide the rate of section 3
# by 12.
#
# {{claim str(device) != "cpu" or rate / 12 < 20}}
#
# This is the strip once more, with a panel for each lesson that made a method: yours, or the
# course's. (The course does not ship the plain U-Net of lesson 04: its panel is there only if you
# trained one.)

# %%
lessons.strip(lesson)

# %% [markdown]
# You came with a photograph that was too dark. Show someone the one you leave with, and tell them
# which part of it is a guess.
#
# The core path ends here. What follows goes deeper and can be read in any order.
#
# ## Going deeper
#
# ### A folder full of files
#
# People keep photographs in folders, and folders hold everything: files cut short by a full memory
# card, text files with the wrong suffix, 16-bit scans. A tool for folders does the good ones, names
# each bad one in a sentence, and never overwrites or half-writes anything.

# %% Fill a folder tags=["hide-input"]
import shutil

folder = lesson.run_dir("folder")
shutil.rmtree(folder, ignore_errors=True)
(folder / "in/holiday").mkdir(parents=True)
dark = night(photograph("coffee"))
write_photo(folder / "in/coffee.jpg", to_float(dark), Photo(dark))
deep = night(photograph("chelsea")).astype(np.uint16) * 257
write_photo(folder / "in/holiday/cat.tiff", to_float(deep), Photo(deep))
shutil.copy(real_photographs()["sunset"], folder / "in/holiday")
(folder / "in/cut short.jpg").write_bytes((folder / "in/coffee.jpg").read_bytes()[:5000])
_ = (folder / "in/notes.jpg").write_text("Buy milk.")

# %% [markdown]
# One call, and the same from a shell: `python -m llie_helpers enhance in/ -o out/`.

# %%
from llie_helpers.inference.batch import enhance_files

summary = enhance_files(
    [folder / "in"], folder / "out", enhance, partial(enhance_video, method=method)
)
print(str(summary).replace(f"{folder}/", ""))
print(sorted(path.relative_to(folder).as_posix() for path in folder.glob("out/**/*.*")))
scan, brighter = (read_photo(folder / "out/holiday" / it) for it in ("cat.tiff", "sunset.jpg"))
print(f"cat.tiff: {scan.pixels.dtype}")
print(f"sunset.jpg names its photographer: {b'Aitzol Berasategi' in brighter.exif}")

# %% [markdown]
# Run the cell again: what exists is left alone. That is also how an interrupted batch goes on. The
# cat is still a file of 16 bits, and the sunset still says who took it. In the third column are the
# photographs as they were before `night`:
#
# {{claim scan.pixels.dtype == np.uint16 and b"Aitzol Berasategi" in brighter.exif}}

# %%
panels = {}
for name, scene in {"coffee.jpg": "coffee", "holiday/cat.tiff": "chelsea"}.items():
    for place in ("in", "out"):
        panels[f"{place}/{name}"] = read_photo(folder / place / name).pixels
    panels[f"{name} before night"] = photograph(scene)
panels |= {"in/holiday/sunset.jpg": sunset.pixels, "out/holiday/sunset.jpg": brighter.pixels}
plotting.show_images([to_float(pixels) for pixels in panels.values()], list(panels), columns=3)

# %% [markdown]
# The coffee comes out brighter than it was. Nobody told the network how dark that table was meant
# to be, so it guessed, as its card warns. And of the sunset there is no third picture. Is the
# evening too bright now? Only the photographer can say, and set `--exposure` or `--strength`.
#
# {{claim panels["out/coffee.jpg"].mean() > 1.1 * panels["coffee.jpg before night"].mean()}}
# {{claim panels["out/holiday/sunset.jpg"].mean() > 1.2 * panels["in/holiday/sunset.jpg"].mean()}}
#
# ### Fast: can a table set the light?
#
# The light is ready long before the rest of the network, so `--fast`, for films, applies it alone
# and leaves the noise. Faster still would be a **table**. A byte has 256 values. Where one curve
# holds for all places, 256 numbers for each channel say it all.
#
# {{exercise table}}
#
# `before` and `after` are photographs `(H, W, 3)` of bytes. For each channel and each value in
# `before`, take the mean of what it became in `after`: no table has a smaller squared error. Values
# that do not occur are interpolated between their neighbours (`np.interp`). After that, keep the
# largest value so far: a curve must not fall, even if that costs a little of the optimum. Round,
# and return the bytes, `(3, 256)`.


# %%
def best_table(before, after):
    """A rising table that turns one photograph into another, nearly best -> (3, 256) uint8."""
    ### SOLUTION table


# %% tags=["nbval-check-output"]
best_table = check.table(best_table)

# %% [markdown]
# {{answers table}}
#
# Take a portrait in uneven light, one stop too dark on the left and four on the right. Can your
# table stand in for the network's light?

# %%
portrait = photograph("astronaut")
stops = 1 + 3 * torch.sigmoid(torch.linspace(-6, 6, portrait.shape[1]))
uneven = night(portrait, stops)
given = to_float(uneven)[None].to(device)
lit = to_uint8(method.illuminate(given, method.prepare(given))[0])
table = best_table(uneven, lit)
by_table = np.dstack([table[c][uneven[..., c]] for c in range(3)])

# %%
pictures = {"uneven light": uneven, "the network's light": lit, "your table": by_table}
wrong = {
    label: np.square(picture - portrait.astype(float)).mean() ** 0.5
    for label, picture in pictures.items()
}
plotting.show_images(
    [to_float(picture) for picture in pictures.values()],
    list(pictures),
    [f"{error:.0f} levels from the truth" for error in wrong.values()],
    alt="A portrait whose right half is dark. The network's light evens it out; with the "
    "table the backdrop is too pale on the left, violet in the middle, and grey on the right.",
)

# %% [markdown]
# The table removes about half of the error, and the network's light clearly more. Look at the
# backdrop to see why. A table cannot know *where* a value is. On the left a byte of 50 is a
# shadow, on the right it is a bright backdrop, and both get the same output. The network looks a
# value up by its place as well. What can be said in one curve, such as a gamma, a table does faster
# than anything else.
#
# {{claim wrong["the network's light"] < 0.85 * wrong["your table"]}}
# {{claim 0.4 < wrong["your table"] / wrong["uneven light"] < 0.6}}
#
# ### Where the time goes
#
# Before you make anything faster, measure. PyTorch calls a function of yours before and after each
# part of a network if you register it as a *hook*. Two of them and a clock show how long each part
# takes. (Times on a GPU would be of no use here: it goes on computing after PyTorch has returned.)


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
# First the way of the photograph through the network, then the inside of its ten blocks.

# %% Measure and draw tags=["hide-input"]
WORDS = {
    "grid_predictor": "choose the light",
    "encoder": "blocks at quarter size",
    "down": "halve the size",
    "bottleneck": "blocks at eighth size",
    "up": "double the size",
    "decoder": "blocks at quarter size, again",
    "head": "detail to add",
    "norm": "normalise",
    "spatial": "look at neighbours",
    "spectral": "look at waves",
}
low = to_float(cv2.resize(sunset.pixels, (600, 400)))[None]
network.cpu()
places = [(WORDS[name], part) for name, part in network.named_children() if name in WORDS]
blocks = [
    (WORDS[name], part)
    for block in network.modules()
    if hasattr(block, "spectral")
    for name, part in block.named_children()
    if name in WORDS
]
with torch.inference_mode():
    network(low)
    by_place = time_parts(places, partial(network, low))
    by_part = time_parts(blocks, partial(network, low))
    start = time.perf_counter()
    network(low)
    whole_call = 1000 * (time.perf_counter() - start)
network.to(device)
in_blocks = sum(spent for name, spent in by_place.items() if name.startswith("blocks"))
by_place["the rest"] = max(whole_call - sum(by_place.values()), 0.0)
by_part["the rest"] = max(in_blocks - sum(by_part.values()), 0.0)

figure = plotting.CourseFigure(
    10,
    3.2,
    alt="Milliseconds: "
    + ", ".join(
        f"{name} {spent:.0f}" for parts in (by_place, by_part) for name, spent in parts.items()
    ),
)
for axis, spent, title in zip(
    figure.subplots(1, 2), (by_place, by_part), ("the whole way", "inside the blocks"), strict=True
):
    axis.barh(list(spent), list(spent.values()))
    axis.invert_yaxis()
    axis.set(title=title, xlabel="milliseconds for 600 x 400")
figure

# %% [markdown]
# Of the three named parts inside the blocks, the branch that looks at waves usually takes longest,
# though it works on only a quarter of the channels: every number moves into windows and back.
# Counting multiplications (lesson 03) shows nothing of this. "The rest" is found by subtraction: on
# the left the first features, the gains that each pixel looks up, the smoothing of colours, means
# and sums; on the right the two layers that mix the channels. Hooks do not see these two: a hook
# belongs to the *call* of a layer, and the code takes their weights without calling them, because
# that is faster.
#
# ### Without PyTorch: ONNX
#
# A browser has no PyTorch, a phone rarely. **ONNX** is a file format that holds a network as a
# graph of standard operations, for which there are fast programs on nearly every device. How does a
# method written in Python get into such a file? It is *traced*. `torch.export` runs it once, with
# height and width left symbolic, and writes down every operation on tensors. Python itself leaves
# no trace: loops are unrolled, function calls vanish, and an `if` on a symbol cannot be decided. So
# three things are written in another way:
#
# - *Padding* to a multiple of 8 depends on the size. Here each padded pixel copies another by its
#   number, and the numbers are computed in the graph.
# - *Fourier transforms* of windows of 8 x 8 are products with a fixed matrix, which they are in the
#   network anyway.
# - *Exposure and strength*, the sliders of section 1, are inputs beside the photograph.
#
# Then `export_onnx` compares the file with `enhance` on three photographs, and keeps it only if
# they agree within one of 255 levels.

# %%
from collections import Counter

from llie_helpers.errors import CourseError
from llie_helpers.inference.export import export_onnx

target = lesson.run_dir("onnx") / "dual_branch.onnx"
try:
    difference = export_onnx(network.cpu(), target)
    import onnx

    kinds = Counter(node.op_type for node in onnx.load(target).graph.node)
    print(f"{target.stat().st_size / 1e6:.1f} MB, differs from enhance by at most {difference:.0e}")
    print(f"{kinds.total()} operations, most often {dict(kinds.most_common(6))}")
except CourseError as error:  # its packages are missing
    print(error)
network = network.to(device)

# %% [markdown]
# The file is larger than the weights alone: fixed matrices and the lists of operations count too.
# From a shell, `python -m llie_helpers export --model dual_branch -o dual_branch.onnx` does the
# same.
#
# ### In a browser
#
# Open the page of section 1, go offline, and choose a photograph. It still works. The photograph
# need not be sent anywhere, because the network has come to it, as an ONNX file. In fact as three,
# which `python tools/webpage.py build` traces as you just did, and `onnxruntime-web` runs by
# WebAssembly or on the graphics card:
#
# - *grid* makes the gains from a thumbnail of the whole, once for a photograph;
# - *restore* takes a tile, the gains and the tile's place, and returns the tile enhanced;
# - *light* only applies the gains, fast enough for a live camera, where the gains follow slowly.
#
# Why not the one file from above? It chooses the light for whatever it is given. With tiles, that
# would be six photographs in place of one. What is around the network is written by hand: `web/src`
# has your `lay_tiles`, your weights and your `steady`, without PyTorch to help. Two things are new
# there.
#
# - *Pixels.* A canvas hands out bytes: red, green, blue, opacity, pixel after pixel, row after row.
#   The network takes floats, one plane after the other.
# - *Padding.* The network goes down to an eighth of the size, so both sides of a tile must be
#   multiples of 8. For each row of the padded tile, the page asks: which row of the photograph do I
#   read?
#
# {{exercise mirror}}
#
# A tile has the rows `start` to `stop` of the photograph, without `stop` itself. It is padded at
# its end to the next multiple of `multiple` rows, by reflection: after its last row the rows go
# backwards, and the last is not repeated. For each row of the padded tile, return the number of the
# row of the *photograph* that it copies, as a list. For 20, 30 and 4 these are 20 to 29, then 28
# and 27. (Columns work in the same way.)


# %%
def mirror(start, stop, multiple):
    """Which row each row of the padded tile copies -> list of numbers."""
    ### SOLUTION mirror


# %% tags=["nbval-check-output"]
mirror = check.mirror(mirror)

# %% [markdown]
# {{answers mirror}}
#
# Now do what the page does, from the bytes of a canvas to an enhanced picture. Its sides are odd,
# so the last tiles need padding. The place of a padded tile reaches a little further than the tile.


# %%
def planes(data, width, rows, columns):
    """Bytes of a canvas -> floats (1, 3, h, w) in [0, 1], for the given rows and columns."""
    pixel = 4 * (np.array(rows)[:, None] * width + np.array(columns))
    chosen = np.stack([data[pixel + channel] for channel in range(3)])
    return torch.from_numpy(chosen).float()[None] / 255


def like_the_page(data, height, width, tile=320, overlap=192):
    """Bytes of a canvas -> the enhanced picture (3, H, W)."""
    grid = network.prepare(planes(data, width, range(height), range(width)).to(device))
    enhanced = torch.zeros(3, height, width)
    for top, bottom in lay_tiles(height, tile, overlap):
        for left, right in lay_tiles(width, tile, overlap):
            down, across = mirror(top, bottom, 8), mirror(left, right, 8)
            end = (top + len(down)) / height, (left + len(across)) / width
            low = planes(data, width, down, across).to(device)
            output = network(low, grid, Place(top / height, left / width, *end))[0].cpu()
            weights = tile_weights((top, bottom), (left, right), (height, width), overlap)
            output = output[:, : bottom - top, : right - left]  # without the padding
            enhanced[:, top:bottom, left:right] += weights * output
    return enhanced


# %%
picture = sunset.pixels[:509, :747]
height, width = picture.shape[:2]
canvas = np.dstack([picture, np.full((height, width), 255, np.uint8)]).ravel()
with torch.no_grad():
    at_once = network(to_float(picture)[None].to(device))[0].cpu()
    difference = 255 * (like_the_page(canvas, height, width) - at_once).abs().max().item()
print(f"{height} x {width}, {len(canvas):,} bytes: at most {difference:.2f} of 255 levels apart")

# %% [markdown]
# That is the page. What it adds are sliders, a camera, and the metadata of your photograph.
#
# {{claim difference < 1}}
#
# ### Privacy, in full
#
# A photograph says more than it shows. Its metadata may hold the place, the time and the owner of
# the camera, and this tool *keeps* metadata. Strip them before you publish. Training data have a
# privacy of their own: weights trained on your family's photographs may hold traces of them. And
# ask where a picture goes. On your own computer, this course sends it nowhere; on Colab or Kaggle
# it is on somebody else's.
#
# ## Papers
#
# - J. Chen, S. Paris, F. Durand. *Real-time Edge-Aware Image Processing with the Bilateral Grid.*
#   SIGGRAPH 2007. How local curves can be had at low resolution.
# - M. Gharbi et al. *Deep Bilateral Learning for Real-Time Image Enhancement.* SIGGRAPH 2017.
# - C. Guo et al. *Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement.* CVPR 2020.
#   A curve for each pixel, learned without targets.
# - E. Mach. *Ueber die Wirkung der raeumlichen Vertheilung des Lichtreizes auf die Netzhaut.* 1865.
#   Why kinks in brightness look like lines.
# - F. J. Harris. *On the Use of Windows for Harmonic Analysis with the Discrete Fourier Transform.*
#   Proceedings of the IEEE 66(1), 1978.
# - M. Mitchell et al. *Model Cards for Model Reporting.* FAT* 2019.
