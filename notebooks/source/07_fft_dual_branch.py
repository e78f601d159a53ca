# %% [markdown]
# # 07. Light and structure apart
#
# All networks so far worked on pixels. This one also works on *waves*: the Fourier transform writes
# a photograph as a sum of stripes of all widths and directions, each with an amplitude (how strong)
# and a phase (where). There is a surprise in it for low light: most of what is wrong with a dark
# photograph sits in the amplitudes. You will take apart a published network that builds on this,
# find three things that hold it back, and rebuild it smaller, faster and for any size.
#
# **You will be able to**
#
# - say what amplitude and phase of a photograph hold, and show it by exchanging them;
# - read a spectrum: where each frequency stands, where leakage comes from, how to scale it;
# - find out by experiment what a branch of a network can and cannot see;
# - build layers on frequencies that know no image size;
# - train in two stages, and find out whether two data sets share scenes.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | an hour or more on two CPU cores | 3 GB |

# %% [markdown]
# {{setup}}

# %%
import inspect
from functools import partial
from statistics import fmean

import numpy as np
import torch

from llie_helpers import data, metrics, models, plotting, training
from llie_helpers.data.scenes import shared_scenes
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_07 as check
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. What it has to beat
#
# The methods without a network come first, as always.

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

# %% [markdown]
# Two of these rows come back below: the best one, and the gamma that was tuned on training pairs.

# %%
best = baselines.scores[baselines.best]
fitted = baselines.tuned_gamma
fitted_gamma = baselines.methods[fitted]

# %% [markdown]
# ## 2. Amplitude and phase
#
# `torch.fft.rfft2` gives one complex number for each wave in an image. Its length is the wave's
# *amplitude*, its angle the *phase*. Two images of the same size can exchange them.
#
# {{exercise swap}}
#
# `light` and `structure` are images `(3, H, W)`. Return the image that has the amplitudes of
# `light` and the phases of `structure`. It may leave [0, 1] a little, and need not be clipped.


# %%
def my_swap(light, structure):
    """Amplitude of one, phase of the other -> (3, H, W)."""
    ### SOLUTION swap


# %% tags=["nbval-check-output"]
check.swap(my_swap)

# %% [markdown]
# {{answers swap}}

# %% [markdown]
# Two photographs of different scenes, one well lit and one dark, exchange their amplitudes.

# %%
scene_of_light, scene_of_phase = "the well-lit scene", "the dark scene, brighter"
mixture = "a mixture of both"
question_swap = widgets.predict(
    "What does the image with the amplitudes of the well-lit photograph and the phases of the dark "
    "one show?",
    [scene_of_light, scene_of_phase, mixture],
)
question_swap

# %% [markdown]
# Both exchanges, cut to a common size:

# %%
exchange = check.swap.reference
bright, dark = test[0].normal[:, :256, :384], test[len(test) // 2].low[:, :256, :384]
first, second = exchange(bright, dark).clamp(0, 1), exchange(dark, bright).clamp(0, 1)
plotting.show_images(
    [bright, dark, first, second],
    ["well lit", "dark", "light of 1, phase of 2", "light of 2, phase of 1"],
    [f"mean {image.mean():.2f}" for image in (bright, dark, first, second)],
    columns=2,
)


# %%
def alike(a, b):
    """Correlation of the grey values of two images."""
    return torch.corrcoef(torch.stack([a.mean(0).flatten(), b.mean(0).flatten()]))[0, 1].item()


to_light, to_phase = alike(first, bright), alike(first, dark)
question_swap.reveal(
    mixture if abs(to_light - to_phase) < 0.1
    else scene_of_light if to_light > to_phase else scene_of_phase,
    f"it correlates {to_phase:.2f} with the dark photograph and {to_light:.2f} with the other.",
)  # fmt: skip

# %% [markdown]
# The phase says *where* things are, so it carries the scene. The amplitude says how strong each
# wave is, and the strongest of all, the one of zero frequency, is the mean brightness. Now the
# experiment that the published network rests on: give a dark photograph the amplitudes of its *own*
# target, and leave its phases alone.

# %%
small, medium, large = "less than 3 dB", "3 to 8 dB", "more than 8 dB"
question_own = widgets.predict(
    "By how much does the PSNR of the dark photographs rise?", [small, medium, large]
)
question_own

# %% [markdown]
# Measured on the test pairs, with the opposite exchange for comparison:


# %%
def mean_psnr(enhance):
    return fmean(metrics.psnr(enhance(p.low, p.normal).clamp(0, 1), p.normal).item() for p in test)


as_it_is = mean_psnr(lambda low, normal: low)
own_amplitude = mean_psnr(lambda low, normal: exchange(normal, low))
own_phase = mean_psnr(lambda low, normal: exchange(low, normal))
print(f"dark photograph:               {as_it_is:.2f} dB")
print(f"with its target's amplitudes:  {own_amplitude:.2f} dB")
print(f"with its target's phases:      {own_phase:.2f} dB")
gain = own_amplitude - as_it_is
question_own.reveal(
    small if gain < 3 else medium if gain <= 8 else large, f"by {gain:.2f} dB."
)  # fmt: skip

# %% [markdown]
# Amplitudes repair most of the light; right phases without them repair next to nothing. It is an
# oracle, of course: it uses the target. And look at what it leaves, noise:

# %%
pair = test[1]
pictures = [pair.low, exchange(pair.normal, pair.low).clamp(0, 1), pair.normal]
plotting.show_images(
    [image[:, 60:180, 120:300] for image in pictures],
    ["low", "low, with the target's amplitudes", "target"],
)

# %% [markdown]
# ## 3. Reading a spectrum
#
# Which entry of the transform belongs to which wave? `rfft2` stores rows for 0, 1, 2, ... cycles
# per image downwards, and after the highest come the *negative* frequencies. Of the columns it
# keeps only half, since the spectrum of real numbers is symmetric.
#
# {{exercise radius}}
#
# For an image of `height` x `width` pixels, return the frequency of each entry of `rfft2` in cycles
# *per pixel*, whatever its direction: a tensor `(height, width // 2 + 1)`. Zero stands in the
# corner.


# %%
def my_radius(height, width):
    """Radial frequency of each entry of rfft2 -> (height, width // 2 + 1)."""
    ### SOLUTION radius


# %% tags=["nbval-check-output"]
check.radius(my_radius)

# %% [markdown]
# {{answers radius}}

# %% [markdown]
# With such a map you can keep the slow waves and drop the fast ones. Drag the limit. On the left is
# what lies below it, in the middle what lies above (grey stands for 0). Where are brightness and
# colour? Where is the noise of the dark photograph, brightened here by gamma?


# %%
noisy = fitted_gamma(test[1].low)


def show_bands(limit=0.05, image=noisy):
    spectrum = torch.fft.rfft2(image)
    keep = check.radius.reference(*image.shape[-2:]) <= limit
    below, above = (torch.fft.irfft2(spectrum * part, s=image.shape[-2:]) for part in (keep, ~keep))
    power = spectrum.abs() ** 2
    share = (power * ~keep).sum() / (power.sum() - power[:, 0, 0].sum())
    return plotting.show_images(
        [below.clamp(0, 1), (above + 0.5).clamp(0, 1), image],
        [f"up to {limit:.2f} cycles per pixel", "above it", "together"],
        [f"{keep.float().mean():.1%} of all waves", f"{share:.0%} of the variance", ""],
    )


widgets.parameter_slider(show_bands, frames=6, limit=(0.01, 0.26, 0.05))

# %% [markdown]
# A few per cent of the waves hold the light and the colours. That is why a small network can set
# the exposure from a thumbnail. The fast waves hold detail and noise, one on top of the other, and
# no limit separates them.
#
# ### Leakage
#
# The transform takes the image to be one tile of an endless pattern. If its left border is dark and
# its right border bright, there is a hard edge between two tiles that nobody photographed. In the
# spectrum it shows as a bright cross. Mirror the image, so that the borders fit, and the cross
# goes.


# %%
def spectrum_picture(image):
    """Log amplitude with zero frequency in the middle, scaled to [0, 1], (3, H, W)."""
    amplitude = torch.fft.fftshift(torch.fft.fft2(image.mean(0)).abs().log1p())
    return (amplitude / amplitude.max()).expand(3, -1, -1)


def mirrored(image):
    both = torch.cat([image, image.flip(-1)], dim=-1)
    return torch.cat([both, both.flip(-2)], dim=-2)


photo = test[0].normal
tiles = torch.cat([photo, photo], dim=-1)
plotting.show_images(
    [tiles, spectrum_picture(photo), spectrum_picture(mirrored(photo))],
    ["two tiles: mind the seam", "spectrum", "spectrum when mirrored"],
)

# %% [markdown]
# Whoever filters in the frequency domain filters across this seam too: what is bright on the right
# border glows into the left one. Networks pad their images for the same reason.
#
# ### A scale that does not depend on the size
#
# By default `rfft2` adds up all pixels, so its numbers grow with the image. A network that has
# learned what a large amplitude is on crops would be surprised by photographs.

# %% tags=["nbval-check-output"]
flat = torch.full((3, 256, 256), 0.5)
grain = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
for size in (64, 128, 256):
    row = []
    for image in (flat, grain):
        crop = image[:, :size, :size]
        row += [torch.fft.rfft2(crop, norm=norm).abs() for norm in ("backward", "ortho")]
    print(f"{size:3} x {size:3}: zero frequency {row[0].max():6.0f}, ortho {row[1].max():4.0f}; "
          f"noise {row[2].mean():4.0f}, ortho {row[3].mean():4.2f}")  # fmt: skip

# %% [markdown]
# With `norm="ortho"`, noise has the same amplitude on every size, and so do textures. What stands
# still in the image, such as its mean, still grows with the side; a logarithm tames that.
#
# ## 4. The published network
#
# 129,016 parameters in two branches, one on pixels and one on frequencies:

# %% tags=["nbval-check-output"]
published = models.create_model("fft_dual_branch")
print(inspect.getmodule(type(published)).__doc__)

# %% [markdown]
# Where are the parameters?

# %% tags=["nbval-check-output"]
total = count_parameters(published)
assert total == 129_016
for label, part in {
    "3x3 to 32, 3x3 stride 2 to 64": [published.full_size[0], published.half_size[0]],
    "4x4 up to 32, 3x3 to 3": [published.half_size[-1], published.head],
    "1x1 from 6 to 3": [published.fusion],
}.items():
    print(f"{label:30} {sum(map(count_parameters, part)):7,}")
print(f"{'mask':30} {published.mask.numel():7,}, {published.mask.numel() / total:.0%} of {total:,}")

# %% [markdown]
# More than half of all parameters are the mask: one number for each frequency and channel. What can
# it do? Multiplying a spectrum by a fixed mask is a *convolution*, with one kernel as large as the
# image, the same for each photograph. It can blur, sharpen or scale. It cannot look at an image and
# decide. And it is tied to 224 x 224 pixels; the course's version interpolates it for other sizes.
# All its numbers start at 0.01.

# %%
nothing, hundredth, blurred = "plain grey", "the image at 1 % of its brightness", "a blurred image"
question_mask = widgets.predict(
    "What does the frequency branch give before training, with all mask values at 0.01?",
    [nothing, hundredth, blurred],
)
question_mask

# %%
image = torch.rand(1, 3, 224, 224)
with torch.no_grad():
    answer = published.frequency(image)
question_mask.reveal(
    hundredth if torch.allclose(answer, 0.01 * image, atol=1e-5) else nothing,
    "an even mask changes no wave against another, so it only scales the image.",
)

# %% [markdown]
# ### What the spatial branch cannot see
#
# Its first two convolutions are followed by *instance norm*, which subtracts each channel's mean
# over the image and divides by its standard deviation.

# %%
half, same, other = "half as large", "the same", "different in a way that depends on the image"
question_blind = widgets.predict(
    "You halve the light of a photograph. The features of the spatial branch are then ...",
    [half, same, other],
)
question_blind

# %% [markdown]
# Compare its output for a photograph and for the same at half the light:

# %%
image = test[0].normal[None, :, :224, :224]
with torch.no_grad():
    full_light, half_light = published.spatial(image), published.spatial(image / 2)
change = ((full_light - half_light).abs().mean() / full_light.std()).item()
halved = torch.allclose(half_light, full_light / 2, rtol=0.05, atol=1e-3)
question_blind.reveal(
    same if change < 0.02 else half if halved else other,
    f"they change by {change:.2%} of their spread: the norm divides the light out.",
)

# %% [markdown]
# So the branch with most of the arithmetic is blind to light. That is not all bad: however dark the
# photograph, the branch gives the same structure, and the fusion can add it at the brightness that
# training scenes had on the average. What it cannot do is decide. A kitchen and a night sky get the
# same light.
#
# ## 5. Train it as published
#
# The loss has four terms: L1 (weight 1), VGG features (0.05), the amplitude of the Fourier
# transform (0.05), and 1 - SSIM, whose weight is 0.01 for the first 50 epochs and 0.2 after. AdamW
# takes steps of 2e-5. Stage two goes on with another data set and SSIM at 0.2 throughout.

# %%
recipe = load_recipe("fft_dual_branch", lesson.profile)
for entry in ("epochs", "crops_per_epoch", "crop_size", "batch_size", "loss", "optimizer",
              "learning_rate", "weight_decay", "gradient_clip"):  # fmt: skip
    print(f"{entry:15} {getattr(recipe, entry)}")

# %% [markdown]
# The quick profile leaves out the perceptual term, shortens everything, and takes a mask for its
# smaller crops. Stage one learns from one half of the training scenes here, stage two from the
# other half, which stands in for another data set.

# %%
scenes = sorted(set(train.scenes))
halves = [
    train.subset([i for i, scene in enumerate(train.scenes) if scenes.index(scene) % 2 == part])
    for part in (0, 1)
]
size = lesson.choose(quick=64, full=224)


def learn(label, model, pairs, recipe):
    """Train ``model`` on ``pairs``; returns the run."""
    folder = lesson.run_dir(label)
    run = training.fit(model, pairs, val, recipe, run_dir=folder, seed=lesson.seed)
    print(f"{label}: {run}")
    return run


def fresh_published():
    torch.manual_seed(lesson.seed)
    return models.create_model("fft_dual_branch", size=size).to(device)


# %%
as_published = fresh_published()
published_run = learn("as_published", as_published, halves[0], recipe)

# %% [markdown]
# Look at the curve before you read on. Is it done? What would you change first?

# %%
plotting.show_history(published_run.history)

# %% [markdown]
# The loss falls in a straight line, at the pace that the learning rate allows, but for the jump
# where the weight of SSIM changes: losses before and after it are not the same quantity, so the
# best epoch is chosen by validation SSIM. 2e-5 is a rate for weights that are nearly right. Adam
# moves a weight by about the learning rate in each step; as published, 485 images in batches of 32
# for 200 epochs are 3,200 steps, which move it by 0.06 at most. Now the same network at a rate a
# hundred times larger:

# %%
repaired = fresh_published()
repaired_run = learn("repaired", repaired, halves[0], recipe.changed(learning_rate=2e-3))
plotting.show_history({"2e-5": published_run.history, "2e-3": repaired_run.history})

# %% [markdown]
# ### Stage two
#
# From the weights of stage one, on other scenes, with a plateau schedule and early stopping on
# validation SSIM (patience 10, at least 1e-5 better). Its rate is the recipe's 2e-5 for the one and
# a tenth of stage one's for the other.

# %%
stage_two = load_recipe("fft_dual_branch_stage_two", lesson.profile)
second_runs = {
    "as published": learn("as_published_2", as_published, halves[1], stage_two),
    "repaired": learn("repaired_2", repaired, halves[1], stage_two.changed(learning_rate=2e-4)),
}

# %% [markdown]
# Both on the test photographs, with the best baseline beside them:

# %%
judged = {}
for label, model in (("FFT dual branch, as published", as_published),
                     ("FFT dual branch, repaired", repaired)):  # fmt: skip
    judged[label] = metrics.evaluate(model, test)
print(f"{baselines.best}: {best.psnr:.2f} dB, SSIM {best.ssim:.3f}")
for label, its in judged.items():
    print(f"{label}: {its.psnr:.2f} dB, SSIM {its.ssim:.3f}, GT-mean {its.psnr_gt_mean:.2f} dB")

# %% [markdown]
# ### Both branches at work
#
# What does each branch of the repaired network give, what comes out of the fusion, and what is
# added to the input? Signed values are drawn around grey.


# %%
def around_grey(features):
    """Values around 0 -> an image around 0.5."""
    return (features / features.abs().amax().clamp_min(1e-6) / 2 + 0.5).clamp(0, 1)


pair = test[0]
low = pair.low[None, :, : pair.low.shape[1] // 2 * 2, : pair.low.shape[2] // 2 * 2].to(device)
with torch.no_grad():
    repaired.eval()
    spatial, spectral = repaired.spatial(low), repaired.frequency(low)
    fused = torch.tanh(repaired.fusion(torch.cat([spatial, spectral], dim=1)))
stages = {"spatial": around_grey(spatial), "frequency": around_grey(spectral),
          "fused": around_grey(fused), "result": repaired(low).detach()}  # fmt: skip
plotting.show_images([image[0].cpu() for image in stages.values()], list(stages), columns=4)

# %% [markdown]
# The spatial branch draws structure without light. The frequency branch gives a filtered copy of
# the dark image. What is added to the input is mainly a picture with the *average* light of the
# training scenes, whatever the photograph.
#
# ## 6. A redesign
#
# Three faults were found: the light is decided by nobody, most parameters are one fixed filter, and
# the network fits one size. The course's `dual_branch` repairs them.
#
# ### Light first, from a thumbnail
#
# A small network looks at the whole image as a thumbnail of 64 x 64 and decides on six numbers: the
# logarithms of a gain and an exponent for each channel.
#
# {{exercise expose}}
#
# `image` is `(N, 3, H, W)` and `logs` is `(N, 6)`: three logarithms of gains, then three of
# exponents. Return `gain * (image + 0.001) ** exponent`, clipped to [0, 1].


# %%
def my_expose(image, logs):
    """Exposure by six numbers for each image -> (N, 3, H, W)."""
    ### SOLUTION expose


# %% tags=["nbval-check-output"]
check.expose(my_expose)

# %% [markdown]
# {{answers expose}}

# %% [markdown]
# ### Frequencies without a size
#
# In place of a mask for each frequency, let the network *look* at the amplitudes and decide: at
# each frequency, a small network of 1x1 convolutions sees the log amplitudes of all channels and
# answers by how much to change them. It has the same few weights for every frequency and every
# size, and its filter depends on the image.
#
# {{exercise amplify}}
#
# `features` is `(N, C, H, W)`; `gate` maps log amplitudes to changes of the same shape. Transform
# with `norm="ortho"`, give the gate `log(1 + amplitude)`, multiply the spectrum by `1 + gate`, and
# go back.


# %%
def my_amplify(features, gate):
    """Change amplitudes by a gate that sees them -> (N, C, H, W)."""
    ### SOLUTION amplify


# %% tags=["nbval-check-output"]
check.amplify(my_amplify)

# %% [markdown]
# {{answers amplify}}

# %% [markdown]
# The network does this in windows of 8 x 8 features, each with a transform of its own. Then an
# amplitude belongs to one place ("stripes here"), and what a pixel becomes depends on its
# surroundings alone: a photograph of any size can be enhanced tile by tile, which lesson 09 does.
# For so small a window the transform is a product with a matrix, and faster so. Only the mean of a
# window stays as it is: windows do not overlap, and where an earlier version of the network moved
# their means apart, squares appeared on smooth skies.
#
# Most of the work is done at a quarter and an eighth of the size, where a pixel is sixteen or 64
# times cheaper. The whole:

# %% tags=["nbval-check-output"]
ours = models.create_model("dual_branch")
print(inspect.getmodule(type(ours)).__doc__)
assert count_parameters(ours) <= count_parameters(published)
predictor = count_parameters(ours.grid_predictor)
print(f"parameters: {count_parameters(ours):,}, of which {predictor:,} predict the light; "
      f"published: {count_parameters(published):,}")  # fmt: skip

# %%
tenth, similar, double = "less than a third", "about as much", "more than three times as much"
question_cost = widgets.predict(
    "With about as many parameters, `dual_branch` computes, for one photograph of 600 x 400, ... "
    "of what the published network does",
    [tenth, similar, double],
)
question_cost

# %% [markdown]
# The published network works at full size with 32 and at half size with 64 channels.

# %%
ratio = gmacs(ours) / gmacs(published)
question_cost.reveal(
    tenth if ratio < 1 / 3 else double if ratio > 3 else similar,
    f"{gmacs(ours):.2f} GMACs against {gmacs(published):.2f}.",
)

# %% [markdown]
# ### Train it
#
# The loss is `gt_mean`, which mixes L1 with L1 after the brightness is corrected (in training only,
# where the target is at hand), and 1 - SSIM. A crop cannot tell how bright the photograph around it
# should become. On LOL, each crop therefore comes with a thumbnail of its photograph, which sets
# the light. The recipe's `objective` has the weights of what the network is asked for besides: the
# `light` of the thumbnail, a result that is `steady` at half the size, and a grid without jumps.
# `brighten_prob` is the share of crops that are brighter than LOL's, up to targets that are to stay
# as they are. In the quick profile both are off and each crop is lit by itself; section "What each
# lever gave" says why. Both halves of the training scenes are used.

# %%
recipe = load_recipe("dual_branch", lesson.profile)
for entry in ("epochs", "crops_per_epoch", "crop_size", "batch_size", "loss", "objective",
              "gain_jitter", "brighten_prob", "learning_rate", "weight_decay", "ema"):  # fmt: skip
    print(f"{entry:15} {getattr(recipe, entry)}")

# %% [markdown]
# And now the training itself, on the same photographs as before.

# %%
torch.manual_seed(lesson.seed)
ours = models.create_model("dual_branch").to(device)
our_run = learn("dual_branch", ours, train, recipe)
plotting.show_history(our_run.history)

# %% [markdown]
# ### On the test photographs
#
# The published network was trained on one half after the other. To be fair, train it too on all
# scenes at once, by our recipe less what it has no use for:

# %%
rival = fresh_published()
its_recipe = recipe.changed(
    objective={}, crop_size=size, epochs=lesson.choose(quick=3, full=recipe.epochs)
)
rival_run = learn("fft_dual_branch", rival, train, its_recipe)
trained = {"dual_branch": (ours, our_run), "fft_dual_branch": (rival, rival_run)}
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

# %%
for label, its in judged.items():
    print(f"{label:30} {its.psnr:.2f} dB ({its.psnr - best.psnr:+.2f} to {baselines.best}), "
          f"SSIM {its.ssim:.3f}, GT-mean {its.psnr_gt_mean:.2f} dB")  # fmt: skip

# %% [markdown]
# In GT-mean PSNR, the distance between the two is the work on noise and detail; the rest is
# exposure. In the pictures, see what the published network does with the photograph taken at night:


# %%
@torch.no_grad()
def enhance(model, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(model.eval()(image[None].to(device))[0]).cpu()


shown = [test[i] for i in np.linspace(1, len(test) - 2, 3).astype(int)]
low, normal = [pair.low for pair in shown], [pair.normal for pair in shown]
outputs = {label: [enhance(model, x) for x in low] for label, (model, _) in trained.items()}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# ### What the exposure alone does
#
# `dual_branch` can be asked for its first half: the exposure, before noise and detail. Compare in a
# detail:

# %%
pair = shown[0]
low_light = pair.low[None].to(device)
with torch.no_grad():
    light = ours.illuminate(low_light, ours.prepare(low_light))[0].cpu()
views = {"exposure alone": light, "the whole network": enhance(ours, pair.low),
         "target": pair.normal}  # fmt: skip
plotting.show_images([view[:, 60:180, 120:300] for view in views.values()], list(views))

# %% [markdown]
# ### One network, any size
#
# A thumbnail looks the same whatever the size of the photograph, and no layer knows a size. So the
# result for an enlarged photograph, made small again, should be the result for the photograph.

# %%
import torch.nn.functional as F

large = F.interpolate(pair.low[None], scale_factor=2, mode="bilinear")[0]
back = F.avg_pool2d(enhance(ours, large)[None], 2)[0]
for label, image in (("as it is", enhance(ours, pair.low)), ("twice as large", back)):
    print(f"{label:15} {metrics.psnr(image, pair.normal).item():.2f} dB, mean {image.mean():.3f}")

# %% [markdown]
# ### Where the error is
#
# A squared error can be split. What goes away when the output is scaled to its target's mean is an
# error of *brightness*. Of what is left, the means over 8 x 8 pixels hold the light and colour of
# *places*: a wall too dark, a shadow too blue. The rest is *detail*, noise included. Means and
# deviations from means are orthogonal, so the last two add up.

# %%
of_brightness, of_places, of_detail = "brightness", "light and colour of places", "detail"
question_error = widgets.predict(
    "The largest part of dual_branch's squared error on the test photographs is ...",
    [of_brightness, of_places, of_detail],
)
question_error


# %%
def error_parts(enhanced, target):
    """Two images (3, H, W) -> shares of the squared error: brightness, places, detail."""
    height, width = (side // 8 * 8 for side in target.shape[1:])
    before, after = (
        (image - target)[:, :height, :width]
        for image in (enhanced, metrics.match_gt_mean(enhanced, target))
    )
    whole, left = before.square().mean(), after.square().mean()
    places = F.avg_pool2d(after, 8).square().mean()
    return torch.stack([whole - left, places, left - places]) / whole


parts = {
    label: torch.stack([error_parts(method(pair.low), pair.normal) for pair in test]).mean(dim=0)
    for label, method in {
        fitted: fitted_gamma,
        "fft_dual_branch": partial(enhance, rival),
        "dual_branch": partial(enhance, ours),
    }.items()
}

# %%
figure = plotting.CourseFigure(9, 2.6)
axis = figure.subplots()
begin = np.zeros(len(parts))
for i, label in enumerate((of_brightness, of_places, of_detail)):
    share = np.array([float(its[i]) for its in parts.values()])
    axis.barh(list(parts), share, left=begin, color=plotting.COLOURS[i], label=label)
    begin += share
axis.set(xlabel="share of the squared error", xlim=(0, 1))
axis.grid(axis="y", visible=False)
figure.legend(loc="outside upper center", ncols=3, frameon=False)
figure

# %%
largest = int(parts["dual_branch"].argmax())
question_error.reveal(
    (of_brightness, of_places, of_detail)[largest],
    f"{parts['dual_branch'][largest]:.0%} of it.",
)

# %% [markdown]
# On LOL v1 the shipped weights of `dual_branch` were split in the same way, on the validation
# scenes: brightness 53 %, places 26 %, detail 21 %. So a sharper or cleaner output could win little
# there, and a self-ensemble of eight turned and mirrored views (lesson 04) wins 0.05 dB. What
# decides is light: that of the whole photograph, then that of its places.

# %% [markdown]
# ### What each lever gave
#
# Each row changes one thing, with everything else as in the quick recipe: means of two seeds on the
# embedded test photographs. Two seeds of one row differ by up to 0.7 dB, so only the first rows say
# anything for certain.
#
# | changed | PSNR (dB) | SSIM | GT-mean (dB) |
# | --- | --- | --- | --- |
# | nothing | 22.6 | 0.773 | 27.1 |
# | the same exposure for every photograph | 19.5 | 0.670 | 21.7 |
# | details all generated, none let through | 21.5 | 0.754 | 25.6 |
# | output begins from the exposed image, not from 4 x 4 means | 22.2 | 0.713 | 25.1 |
# | no 1 - SSIM in the loss | 22.1 | 0.695 | 26.3 |
# | 3x3 convolution in place of Fourier amplitudes | 22.1 | 0.760 | 26.6 |
# | crops exposed by their photographs' thumbnails | 22.1 | 0.747 | 25.6 |
# | L1 in place of `gt_mean` | 22.3 | 0.776 | 26.3 |
# | norm over the whole image, not over each pixel's channels | 22.5 | 0.769 | 26.7 |
# | averaged weights (EMA 0.97) | 22.4 | 0.781 | 27.1 |
# | no gain jitter | 22.5 | 0.794 | 27.4 |
# | weight decay 1.0 as measured above, here 0.1 | 22.4 | 0.788 | 26.9 |
#
# Those of the recipe can be repeated, for instance `python -m llie_helpers train --model
# dual_branch --data embedded --quick --set 'objective={"weight": 2}'`. Those of the network were
# measured while it was designed, with an exposure estimator whose gains were not yet relative to
# the mean tone; with the present one the first row is 22.7, 0.791 and 26.5. An exposure for each
# photograph is the largest lever by far. Next come two plain ideas about noise: begin from means,
# which have little of it, and let details through where they are real. The Fourier amplitudes,
# which give the network its name, add a few tenths of a decibel.
#
# Four photographs are not the world, so do not carry the last rows over to other data. On LOL v1,
# with 351 pairs, thumbnails *helped*: after six epochs, 21.86 dB and SSIM 0.833 on the validation
# scenes with them, 21.28 dB and 0.827 without (one seed, and a first version of the network). The
# full recipe therefore has them. Gain jitter and weight decay cost nothing here, and promise a
# network that minds the exposure of its input less.
#
# ### Exposure on LOL v1
#
# On LOL, where the first long training reached 21.2 dB on the validation scenes and 26.6 dB once
# the brightness was corrected, nearly all that is left to gain is exposure. It can be studied by
# itself: the exposure estimator, trained on thumbnails alone, takes a minute. Below, its PSNR on
# thumbnails (dB) for two kinds of photographs that it did not train on: the 45 of the validation
# scenes, and 60 whose scenes other training pairs show, as is the case for 14 of the 15 test
# photographs.
#
# | the estimator | unseen scenes | seen scenes |
# | --- | --- | --- |
# | as in the first long training: L1, a common gain on both images of a pair | 22.2 | 22.4 |
# | without the common gain | 22.2 | 23.3 |
# | twice the gain jitter | 22.2 | 22.8 |
# | gains relative to the image's mean tone | 22.2 | 22.6 |
# | all three | 21.7 | 23.5 |
# | and the root of the squared error in place of L1 | 22.1 | 23.6 |
# | and 28 channels, not 16 | 21.6 | 22.9 |
# | and three times the steps | 21.7 | 22.9 |
# | and photographs that are not dark, some bright enough | 21.3 | 23.7 |
# | the same, but gains *half* relative to the mean tone: the recipe | 22.5 | 23.2 |
# | the recipe, and what lies where (4 x 4 places, no rotations) | 21.9 | 23.7 |
# | the recipe, and a map of gains and exponents instead of six numbers | 22.5 | 22.8 |
# | the recipe, and colours made stronger or weaker in both images | 22.1 | 22.8 |
# | the recipe, mean of four estimators trained with different seeds | 22.4 | 23.1 |
#
# Seeds differ by 0.2 dB and more. The largest lever is to take something away: an augmentation that
# brightens both images of a pair by the same gain is common, harmless for noise and detail, and
# hides which brightness photographers choose. More steps and more channels learn scenes by heart.
# And photographs that are to stay as they are cost little here, while the embedded photographs in
# full light, which came back at 16 to 35 dB without such, come back at 23 to 37 dB.
#
# ### How much of it can be known?
#
# Nothing below the recipe helps on unseen scenes, not even four estimators instead of one. That is
# odd: a mean of several guesses should be better than one guess, unless all are wrong in the same
# way. So ask three methods that have little in common for the 45 validation photographs, none of
# whose scenes they have seen: this estimator, the published network (a mask over the frequencies of
# the whole image), and the histogram mapper of lesson 02 (trees on percentiles). For each
# photograph, take the logarithm of the output's mean over the target's.
#
# | | spread of that logarithm | its correlation with the estimator's |
# | --- | --- | --- |
# | the estimator | 0.21 | 1 |
# | the published network | 0.22 | 0.88 |
# | the histogram mapper | 0.22 | 0.88 |
#
# Where one of them is too bright, so are the others. What they miss, a fifth of the brightness more
# or less, is then hardly in the photograph at all.
#
# Then would it help to have seen the scene before? Many scenes stand in a data set several times.
# If all targets of a scene were equally bright, a network could learn their brightness by heart.
# Measure how far two takes differ:


# %%
def spread_between_takes(pairs):
    """Root mean square of log(mean of one target / mean of another of the same scene)."""
    means = np.log([pairs.raw(i)[1].mean() for i in range(len(pairs))])
    scenes = np.array(pairs.scenes)
    one, other = np.nonzero(np.triu(scenes[:, None] == scenes, k=1))
    return np.sqrt(np.mean((means[one] - means[other]) ** 2))


print(f"{train.title}: {spread_between_takes(train):.2f}")

# %% [markdown]
# The embedded photographs are darkened from one original each, so their takes agree. On LOL v1's
# training pairs it prints 0.21: two takes of one scene differ as much as an estimator errs that
# never saw the scene. To remember is then no better than to estimate. On the 294 training
# photographs that have another take, brightness copied from the take that looks most alike scores 1
# dB below the estimator, which knew these photographs, and one part of it to four parts of the
# estimator's 0.1 dB above. The 15 test images happen to resemble their takes more: there lesson
# 01's copying reached 23.50 dB. Single photographs scatter so widely (3.5 dB around the mean of our
# shipped weights) that the mean of 15 has a standard error of 0.9 dB. On scenes like LOL's, expect
# no method of this kind to go far beyond 22 dB.

# %% [markdown]
# ## 7. Have the data sets met?
#
# The system that this lesson follows was pretrained on LOL v1 and then tested on LOL v2. Both come
# from the same photographers, and v2's test set repeats scenes, and even targets, of v1's training
# set. Then a test score says what was remembered. How do you find out?
#
# {{exercise shared}}
#
# `ours` and `theirs` are arrays with one row of grey values for each image's thumbnail. Return the
# pairs `(i, j)` of row numbers whose *normalised correlation* is above `threshold`: subtract each
# row's mean, divide by its length, and multiply. Exposure and contrast must make no difference.


# %%
def my_shared(ours, theirs, threshold):
    """Rows that show the same scene -> list of (i, j)."""
    ### SOLUTION shared


# %% tags=["nbval-check-output"]
check.shared(my_shared)

# %% [markdown]
# {{answers shared}}

# %% [markdown]
# The package's `shared_scenes` does this for two data sets. On all splits of all sets that you
# have, except for a set's training and validation images among themselves:

# %%
present = ["embedded", *(key for key, folder in data.available().items() if folder)]
splits = {f"{key}/{split}": data.load_pairs(key, split) for key in present for split in
          ("train", "val", "test")}  # fmt: skip
for title, pairs in splits.items():
    for other, theirs in splits.items():
        if other.endswith("/test") and title != other:
            met = shared_scenes(pairs, theirs)
            known = len({name for _, name in met})
            print(f"{title:18} shows {known:3} of the {len(theirs):3} images of {other}")

# %% [markdown]
# Does the finder find anything? A test of the test: hide a test photograph, darker and saved with
# less contrast, among the training images.

# %% tags=["nbval-check-output"]
hidden = (test.raw(0)[1] * 0.4 + 30).astype(np.uint8)
planted = data.Pairs("planted", ("a", "b"), (0, 1), [train.raw(0), (hidden, hidden)])
print([mine for mine, _ in shared_scenes(planted, test.subset([0]))])

# %% [markdown]
# On LOL v1 it finds that 14 of the 15 test images show a scene of the training images, and lesson
# 01 has shown what copying those would score. Whoever has LOL v2 beside it can let this cell count
# how many of its test scenes LOL v1 trains on. The course leaves out such pairs of LOL v1 from
# training.
#
# ### Weights that took longer
#
# Weights that the course ships, trained on LOL v1 for more than an hour, on the same test
# photographs as yours:

# %%
shipped = models.create_model("dual_branch", weights="lol_v1").to(device)
print(f"shipped: {metrics.evaluate(shipped, test)}")

# %% [markdown]
# In the quick profile they score lower than yours. They have learned how bright the rooms of LOL
# were meant to be, and how LOL's camera fails in the dark; these photographs were darkened by a
# computer, and a rocket before dawn is no room. On LOL's own test images it is the other way
# round. A network knows what it was shown.

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - Phases hold the scene, amplitudes the light: with its target's amplitudes a dark photograph is
#   nearly repaired, but for the noise.
# - A fixed mask over frequencies is one convolution. It cannot decide, and it knows one size.
# - Instance norm makes a branch blind to brightness. What a branch can see is found out by changing
#   the input and looking for a change.
# - A learning rate can be so low that a finished schedule is an unfinished training.
# - Exposure needs the whole photograph and few numbers; noise needs few pixels and many numbers. A
#   network that gives each its own part is smaller, faster and better.
# - Two data sets may share scenes. Correlate their thumbnails before you believe a score.
#
# **What failed**
#
# - The Fourier amplitudes in our blocks are worth a few tenths of a decibel, no more. Space and
#   frequency are not the lever that the name of the network promises.
# - With four training scenes the exposure is soon known by heart. Only more photographs help.
# - Stage two cannot repair a stage one that has not arrived.
# - Training for longer. From the end of one of the runs below, 8,000 further steps (half as many
#   again, from a learning rate of 1e-3) left the validation scenes at 21.71 dB and 26.77 dB
#   GT-mean, where they had been at 21.76 and 26.78.
# - Three long runs from other seeds agree on the scores to 0.2 dB, but each of them changes the
#   brightness of some photograph by 4 to 7 % when it comes at twice the size: the blocks see how
#   coarse the noise is, and go by it. The course ships weights that pass its test of that, from
#   an earlier run. Crops enlarged at random, in a short second training, cost 0.6 to 0.9 dB on the
#   validation scenes and repaired little.
#
# ## Papers
#
# - A. V. Oppenheim, J. S. Lim. The Importance of Phase in Signals. Proceedings of the IEEE 69,
#   1981.
# - C. Li et al. Embedding Fourier for Ultra-High-Definition Low-Light Image Enhancement. ICLR 2023.
#   (amplitude carries light)
# - C. Wang, H. Wu, Z. Jin. FourLLIE: Boosting Low-Light Image Enhancement by Fourier Frequency
#   Information. ACM Multimedia 2023.
# - L. Chi, B. Jiang, Y. Mu. Fast Fourier Convolution. NeurIPS 2020.
# - L. Chen, X. Chu, X. Zhang, J. Sun. Simple Baselines for Image Restoration. ECCV 2022. (NAFNet:
#   gates in place of activations)
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. Instance Normalization: The Missing Ingredient for Fast
#   Stylization. 2016.
# - Liao, Hao, Hong and Wang. GT-Mean Loss. ICCV 2025.
#
# **Next**: lesson 08 lines up all methods of the course and looks for the ways in which such a
# comparison can deceive.
