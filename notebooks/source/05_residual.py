# %% [markdown]
# # 05. Residual learning
#
# A network can be short-sighted and still enhance well, if somebody else decides how bright the
# picture should be. In this lesson the histogram mapper of lesson 02 sets the exposure, and a
# residual network that never leaves full resolution cleans up what the mapper's curve cannot. On
# the way you meet shortcuts, batch norm, AdamW and half precision, each with an experiment that
# says what it does. And you rebuild the leak that gave a published system of this kind its score.
#
# **You will be able to**
#
# - write a residual module, count its weights, and measure what a shortcut does to gradients;
# - say why a network with batch norm is two networks, one in training and one at inference;
# - write AdamW's step, and tell its decay from an L2 penalty;
# - say what float16 can and cannot hold, and write the loss scaling that lives with it;
# - feed a network with predictions of another model without letting the targets leak in.
#
# | profile | data | minutes | memory |
# | --- | --- | --- | --- |
# | quick (no GPU needed) | photographs from the installed libraries | 1.5 | 1 GB |
# | full | LOL v1, 500 real pairs | hours on two CPU cores; made for a GPU | 3 GB |

# %% [markdown]
# {{setup}}

# %%
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from llie_helpers import data, metrics, models, plotting, training
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_05 as check
from llie_helpers.methods import create_method, histogram
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# ## 1. What it has to beat
#
# The methods without a network come first. One of them is the histogram mapper of lesson 02:
# gradient-boosted trees predict the percentiles of the target from those of the dark image, and a
# tone curve follows them. It is fitted to the training pairs.

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %% [markdown]
# All scores are taken under the frozen protocol and noted in the ledger. The second gamma is fitted
# to the training pairs too.

# %%
baselines = lessons.baselines(train, test)
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)
baselines.table()

# %% [markdown]
# The mapper chooses the exposure better than any fixed curve. Its SSIM is modest: a curve moves
# every pixel by its value alone, and brightens the noise as it brightens the rest. Choosing the
# exposure asks for a look at the whole picture, removing noise asks for a close look at a few
# pixels. So the labour can be divided.
#
# ## 2. The network
#
# After a *preprocessing layer*, which turns three channels into many, stands a series of equal
# modules, and a last convolution makes three channels again for a sigmoid. Nothing is ever made
# smaller. Here is one module:

# %%
from llie_helpers.plotting.diagrams import show_two_path

show_two_path()

# %% [markdown]
# Two paths leave `x`: a 1x1 convolution, which mixes the channels of each pixel, and two 3x3
# convolutions, which look at neighbours. Their sum is `y`. Then come two more 3x3 convolutions with
# a *shortcut* beside them, so that they need only say what to change about `y`. Each convolution is
# followed by a batch norm, where it is switched on.
#
# {{exercise two_path}}
#
# Write it without batch norm. `short` is the 1x1 convolution, `long` and `refine` hold two 3x3
# convolutions each; all are ready to be called.


# %%
def my_two_path(x, short, long, refine):
    """The two-path module of the figure: (N, C, H, W) -> the same shape."""
    ### SOLUTION two_path


# %% tags=["nbval-check-output"]
check.two_path(my_two_path)

# %% [markdown]
# {{answers two_path}}

# %% [markdown]
# The course's network sets another shortcut around each module. This is all of it:

# %% tags=["nbval-check-output"]
import inspect

network = models.create_model("residual")
print(inspect.getsource(type(network).forward))

# %% [markdown]
# Its parameters can be counted on paper. With batch norm a convolution needs no bias, because the
# norm subtracts the mean and any bias with it; the norm brings two numbers per channel.

# %% tags=["nbval-check-output"]
width, modules = 32, 4
norm = 2 * width
module = (width * width + norm) + 4 * (9 * width * width + norm)
total = (9 * 3 * width + norm) + modules * module + (9 * width * 3 + 3)
assert total == count_parameters(network)
print(f"a module {module:,}, the network {total:,} parameters")

# %% [markdown]
# That is about a third of the network of lesson 03. What about the work?

# %%
less, alike, more = "less than half as much", "about as much", "more than twice as much"
question_work = widgets.predict(
    "The residual network has a third of the parameters of lesson 03's encoder-decoder. For one "
    "photograph it computes ...",
    [less, alike, more],
)
question_work

# %% [markdown]
# Count the multiplications and additions of both for the same photograph.

# %%
first_network = models.create_model("mse_cnn")
ratio = gmacs(network) / gmacs(first_network)
question_work.reveal(
    more if ratio > 2 else less if ratio < 0.5 else alike,
    f"{gmacs(network):.1f} GMACs against {gmacs(first_network):.1f} for 600 x 400 pixels: every "
    "weight works at every pixel, because nothing is ever made smaller.",
)

# %% [markdown]
# And how far does it see? By the rule of lesson 03, each 3x3 layer at stride 1 adds one pixel on
# every side. The gradient of one output pixel confirms it:

# %% tags=["nbval-check-output"]
image = torch.rand(1, 3, 65, 65, generator=torch.Generator().manual_seed(0)).requires_grad_()
network.eval()(image)[0, :, 32, 32].sum().backward()
seen = int((image.grad.abs().amax(dim=(0, 1, 2)) > 0).sum())
print(f"by the layers: {1 + 2 * (1 + 4 * modules + 1)} pixels, by the gradient: {seen} pixels")

# %% [markdown]
# A window of that width never sees a scene. This network cannot know whether a grey patch is a wall
# in the shade or a sheet of paper in the dark. It is made for what can be decided close by.

# %% [markdown]
# ## 3. Why shortcuts help
#
# A network learns by its gradients, and they reach the first layers through all the others. Stack
# 24 layers of 3x3 with a ReLU each, and compare three ways to join them: in a plain row, with a
# shortcut around each layer, and in a row with batch norm.

# %%
shrinks, level = "more than 10 times smaller", "within a factor of 10"
grows = "more than 10 times larger"
question_depth = widgets.predict(
    "In the plain stack, before any training, the gradient of the first layer's weights compared "
    "with that of the last layer's is ...",
    [shrinks, level, grows],
)
question_depth

# %% [markdown]
# The three stacks, before any training, on random images:


# %%
def stack_gradients(kind, depth=24, width=16):
    """Root mean square of the gradient of each layer's weights, for one batch."""
    torch.manual_seed(lesson.seed)
    layers = [nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in range(depth)]
    x, target = torch.rand(4, width, 24, 24), torch.rand(4, width, 24, 24)
    for layer in layers:
        out = layer(x)
        if kind == "batch norm":
            out = F.batch_norm(out, None, None, training=True)
        x = x + torch.relu(out) if kind == "shortcuts" else torch.relu(out)
    F.mse_loss(x, target).backward()
    return [layer.weight.grad.square().mean().sqrt().item() for layer in layers]


# %% [markdown]
# Each curve is drawn relative to its last layer, on a logarithmic scale.

# %%
gradients = {kind: stack_gradients(kind) for kind in ("plain", "shortcuts", "batch norm")}
figure = plotting.CourseFigure(8, 3.2)
axis = figure.subplots()
for kind, sizes in gradients.items():
    axis.semilogy(range(1, len(sizes) + 1), np.array(sizes) / sizes[-1], label=kind)
axis.set(xlabel="layer (1 is next to the image)", ylabel="gradient, last layer = 1")
axis.legend()
figure

# %% [markdown]
# Read the left end of the curves: that is what reaches the first layer.

# %%
ratio = gradients["plain"][0] / gradients["plain"][-1]
question_depth.reveal(
    shrinks if ratio < 0.1 else grows if ratio > 10 else level,
    f"it is {ratio:.1e} of it. With shortcuts the factor is "
    f"{gradients['shortcuts'][0] / gradients['shortcuts'][-1]:.2g}, with batch norm "
    f"{gradients['batch norm'][0] / gradients['batch norm'][-1]:.2g}.",
)

# %% [markdown]
# In the plain stack each layer shrinks the signal a little, and a product of 24 such factors is
# next to nothing: *vanishing gradients*. The first layers hardly move. With a shortcut, the
# derivative of `x + f(x)` is 1 plus something, so the way back is never closed. Batch norm rescales
# every layer's output, which helps as well, and can overshoot. Our network has both; section 6
# asks whether it needs both.

# %% [markdown]
# ## 4. Let the mapper set the exposure
#
# At test time the network will see what the mapper, fitted to all training pairs, makes of a
# photograph that it has never met. Validation images must be prepared in the same way. But what
# should the network *train* on? The mapper was fitted to the targets of the training pairs. On them
# it is far better than it will ever be again:

# %%
mapper = histogram.HistogramMapper().fit(train)
leaky_train, honest_val, honest_test = (mapper.map_pairs(pairs) for pairs in (train, val, test))


def input_psnr(pairs):
    return fmean(metrics.psnr(pair.low, pair.normal).item() for pair in pairs)


print(
    f"training pairs {input_psnr(leaky_train):.1f} dB, test pairs {input_psnr(honest_test):.1f} dB"
)

# %% [markdown]
# A network that trains on the first and meets the second has learned to trust its input too much.
# The remedy is *cross-fitting*, from lesson 02: each training image is mapped by a mapper that was
# fitted on other scenes. `cross_fit` does so in four folds, that is, with four mappers.
#
# {{exercise inputs}}
#
# A colleague wrote this for the percentiles `low` and `normal`, numpy arrays with one row for each
# training image, and `scenes`, the number of each row's scene. `fit(low, normal)` returns a model
# with a method `predict(low)`. There are two leaks in it and one waste. Write it without.
#
# ```python
# def leaky_inputs(low, normal, scenes, val_low, val_normal, folds, fit):
#     fold = np.arange(len(low)) % folds
#     predicted = np.empty_like(normal)
#     for k in range(folds):
#         held_out = fold == k
#         known = np.concatenate([low[~held_out], val_low])
#         answers = np.concatenate([normal[~held_out], val_normal])
#         model = fit(known, answers)
#         predicted[held_out] = model.predict(low[held_out])
#     return predicted, model.predict(val_low)
# ```


# %%
def my_inputs(low, normal, scenes, val_low, val_normal, folds, fit):
    """Predictions to train a network on, and predictions to validate it on."""
    ### SOLUTION inputs


# %% tags=["nbval-check-output"]
check.inputs(my_inputs)

# %% [markdown]
# {{answers inputs}}

# %% [markdown]
# Now the way the published system went. Its regressor was fitted on *all* pairs, those of the
# network's validation included, and every image was mapped by it. Only the test pairs stay out
# here, so that there is something left to find out with.

# %%
percentiles = [histogram.pair_percentiles(pairs) for pairs in (train, val)]
know_all = histogram.HistogramMapper().fit_percentiles(
    *(np.concatenate(part) for part in zip(*percentiles, strict=True))
)
leaky_train, leaky_val = (know_all.map_pairs(pairs) for pairs in (train, val))
honest_train = histogram.mapped(train, histogram.cross_fit(train, folds=4))

# %% [markdown]
# How good are the inputs of the two ways, before any network has touched them?

# %%
rows = {"leaky": (leaky_train, leaky_val), "honest": (honest_train, honest_val)}
for label, (first, second) in rows.items():
    print(f"{label:7} inputs: training {input_psnr(first):5.2f} dB, "
          f"validation {input_psnr(second):5.2f} dB")  # fmt: skip
print(f"test inputs {input_psnr(honest_test):.2f} dB, never seen by any mapper")

# %% [markdown]
# No network has been trained yet, and the leaky validation images are already better than honest
# ones can be. On the 404 pairs of LOL v1 that lesson 02 was measured on, the mapper makes 23.92 dB
# of the pairs it was fitted to and 19.95 dB when they are cross-fitted by scene; on the 15 test
# pairs it makes 19.64 dB, and 23.02 dB if they stand in its training data.
#
# On the embedded photographs, cross-fitting errs the other way. There are four scenes, so each
# mapper learns from three of them and is worse than the final one, which has all four. The network
# will train on inputs whose exposure is further off than what it meets later. With hundreds of
# scenes, as in LOL, the difference is small.
#
# Look at the pairs:

# %%
example = 0
columns = {"low": train, "leaky": leaky_train, "cross-fitted": honest_train}
pictures = [pairs[example].low for pairs in columns.values()] + [train[example].normal]
plotting.show_images(
    pictures,
    [*columns, "target"],
    [f"{metrics.psnr(x, pictures[-1]).item():.1f} dB" for x in pictures[:-1]] + [""],
)

# %% [markdown]
# ## 5. How it is trained
#
# ### Two errors
#
# The loss is MSE + MAE, the mean squared and the mean absolute error. They push differently. For an
# error $e$ the gradient of $e^2$ is $2e$, and that of $|e|$ is 1, whatever its size. So the squared
# error cares about pixels that are far off, and hardly about the last few grey levels; the absolute
# error keeps pushing until nothing is left. The two push equally at 0.5:

# %% tags=["nbval-check-output"]
for error in (0.5, 0.1, 0.02):
    e = torch.tensor(error, requires_grad=True)
    (squared,) = torch.autograd.grad(e**2, e)
    (absolute,) = torch.autograd.grad(e.abs(), e)
    print(f"error {error:4}: squared {squared.item():.2f}, absolute {absolute.item():.2f}")

# %% [markdown]
# ### Decay that stays decay
#
# *Weight decay* pulls every weight a little towards 0, so that none grows without a reason. Adding
# the penalty $\lambda w^2 / 2$ to the loss does the same for plain gradient descent. In Adam it
# does not: Adam divides each gradient by its usual size, and with it the penalty's. A weight with
# large gradients is then hardly pulled at all. *AdamW* takes the pull out of the fraction: this is
# *decoupled* decay. With $m$ and $v$ the running means of $g$ and $g^2$, corrected for their start
# at 0, and $\eta$ the learning rate:
#
# $$ w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + 10^{-8}} - \eta \lambda w, \qquad
# \hat m = \frac{m}{1 - 0.9^t}, \quad \hat v = \frac{v}{1 - 0.999^t} $$
#
# {{exercise decay}}
#
# Take one step. `mean` and `square` are $m$ and $v$ before the step, `step` is $t$, counted from 1,
# `rate` is $\eta$, and `decay` is $\lambda$. Update the running means first:
# $m \leftarrow 0.9\,m + 0.1\,g$ and $v \leftarrow 0.999\,v + 0.001\,g^2$. Return the new weight,
# $m$ and $v$. All pulls use the weight as it was before the step.


# %%
def my_decay(weight, gradient, mean, square, step, rate, decay):
    """One step of AdamW -> (weight, mean, square)."""
    ### SOLUTION decay


# %% tags=["nbval-check-output"]
check.decay(my_decay)

# %% [markdown]
# {{answers decay}}

# %% [markdown]
# Two weights start at 1. The gradients of both are pure noise, one of size 10 and one of size 0.01,
# so that the decay is all there is to learn.

# %%
large, small, both = "the one with large gradients", "the one with small gradients", "both alike"
question_decay = widgets.predict(
    "With Adam and an L2 penalty, which of the two weights is pulled to 0 faster?",
    [large, small, both],
)
question_decay

# %% [markdown]
# The optimizers come from torch. Each step gets its gradients by hand:


# %%
def pulled(optimizer_class, steps=300):
    """Path of both weights, (steps, 2)."""
    generator = torch.Generator().manual_seed(lesson.seed)
    weights = nn.Parameter(torch.ones(200, 2))
    optimizer = optimizer_class([weights], lr=0.01, weight_decay=0.3)
    path = []
    for _ in range(steps):
        weights.grad = torch.randn(200, 2, generator=generator) * torch.tensor([10, 0.01])
        optimizer.step()
        path.append(weights.detach().mean(dim=0))
    return torch.stack(path)


# %% [markdown]
# The curves are means over 200 repetitions.

# %%
paths = {"Adam with L2": pulled(torch.optim.Adam), "AdamW": pulled(torch.optim.AdamW)}
figure = plotting.CourseFigure(8, 2.8)
for axis, (title, path) in zip(figure.subplots(1, 2, sharey=True), paths.items(), strict=True):
    axis.plot(path[:, 0], label="large gradients")
    axis.plot(path[:, 1], label="small gradients", linestyle="--")
    axis.set(title=title, xlabel="step", ylim=(0, 1.05))
figure.axes[0].set_ylabel("weight")
figure.axes[1].legend()
figure

# %% [markdown]
# The decay is the same number in all four curves. Only its route into the step differs.

# %%
end = paths["Adam with L2"][-1]
question_decay.reveal(
    small if end[1] < end[0] - 0.1 else large if end[0] < end[1] - 0.1 else both,
    f"the weights end at {end[0]:.2f} (large gradients) and {end[1]:.2f} (small ones); with AdamW "
    f"at {paths['AdamW'][-1][0]:.2f} and {paths['AdamW'][-1][1]:.2f}.",
)

# %% [markdown]
# ### Half precision
#
# A GPU computes with 16-bit numbers several times faster than with 32-bit ones, and they take half
# the memory. *Automatic mixed precision* runs convolutions in float16 and keeps the weights, and
# whatever needs care, in float32. What is lost? A float16 has 10 bits for its digits and 5 for its
# exponent; bfloat16 shares the same 16 bits out otherwise, 7 and 8.

# %% tags=["nbval-check-output"]
for kind in (torch.float16, torch.bfloat16, torch.float32):
    facts = torch.finfo(kind)
    smallest = facts.smallest_normal * facts.eps
    print(f"{str(kind)[6:]:9} largest {facts.max:.3g}, smallest above 0 {smallest:.1e}, "
          f"next after 1: {1 + facts.eps:.8g}")  # fmt: skip

# %% [markdown]
# Images hold 256 levels between 0 and 1; float16 tells those apart. It fails elsewhere, in the
# squares of small errors and in long sums:

# %% tags=["nbval-check-output"]
error = torch.tensor(1e-4)
print(f"the square of an error of 0.0001: float32 {error**2:.1e}, float16 {error.half() ** 2:.1e}")
print(f"2048 + 1 in float16: {(torch.tensor(2048.0).half() + 1).item():.0f}")

# %% [markdown]
# That is why the losses of this course are always computed in float32. The gradients, though, have
# to pass through every layer in float16, and the loss is a *mean* over all pixels of a batch: each
# of them has a tiny part in it. Take the gradients of the features behind each module, for one
# batch of the full recipe.


# %%
def feature_gradients(pairs, crop=96, batch=8):
    """Gradients of the loss with respect to the features behind each module, in float32."""
    torch.manual_seed(lesson.seed)
    model = models.create_model("residual", width=16)
    kept = []

    def keep(module, given, features):
        features.retain_grad()
        kept.append(features)

    for module in model.series:
        module.register_forward_hook(keep)
    low, normal = (
        torch.stack([getattr(pairs[i], side)[:, :crop, :crop] for i in range(batch)])
        for side in ("low", "normal")
    )
    enhanced = model(low)
    (F.mse_loss(enhanced, normal) + F.l1_loss(enhanced, normal)).backward()
    gradient = torch.cat([features.grad.flatten() for features in kept])
    return gradient[gradient != 0]


tiny = feature_gradients(honest_train)
print(f"typical size (median): {tiny.abs().median():.1e}")

# %%
none, some, many = "less than 1 %", "1 to 20 %", "more than 20 %"
question_half = widgets.predict(
    "Rounded to float16 as they are, what share of these gradients becomes 0?", [none, some, many]
)
question_half

# %% [markdown]
# Round them, and count. A value that survives may still have lost digits.


# %%
def in_half(exponent):
    """Shares of gradients that vanish and that overflow when the loss is scaled."""
    half = (tiny * 2.0**exponent).half()
    return (half == 0).float().mean().item(), half.isinf().float().mean().item()


gone, _ = in_half(0)
spoiled = (tiny.half().float() / tiny - 1).abs() > 0.05
question_half.reveal(
    none if gone < 0.01 else some if gone <= 0.2 else many,
    f"{gone:.1%} become 0, and {spoiled.float().mean():.0%} are off by more than 5 %.",
)

# %% [markdown]
# The remedy is *loss scaling*: multiply the loss by a large number before `backward()`. Every
# gradient is multiplied with it, since derivatives are linear; afterwards divide it out in float32.
# Powers of two cost no digits. Drag the scale: the shaded range is what float16 holds, paler where
# digits are already missing. Too small a scale loses the left of the histogram, too large a one the
# right, and one infinite value spoils the whole step.


# %%
def at_scale(exponent=0):
    figure = plotting.CourseFigure(8, 2.8)
    axis = figure.subplots()
    axis.axvspan(-24, -14, color="#56B4E9", alpha=0.15)
    axis.axvspan(-14, 16, color="#56B4E9", alpha=0.35)
    sizes = (tiny.abs().log2() + exponent).numpy()
    axis.hist(sizes, bins=np.arange(-45, 41), color=plotting.COLOURS[0])
    gone, infinite = in_half(exponent)
    axis.set(xlim=(-45, 40), yticks=[], xlabel="power of two of a scaled gradient")
    axis.set_title(f"loss times 2^{exponent}: {gone:.1%} become 0, {infinite:.2%} infinite")
    return figure


widgets.parameter_slider(at_scale, frames=7, exponent=(0, 48, 4))

# %% [markdown]
# No fixed scale suits all of training, because gradients shrink as the network learns. So the scale
# is found as one goes along: double it after many good steps, and when a gradient overflows, skip
# the step and halve it.
#
# {{exercise scaler}}
#
# `gradient` is a float16 tensor, computed from `scale` times the loss. `good` is the number of good
# steps since the scale last changed. Return three things: the true gradient in float32, or None if
# the step must be skipped; the scale for the next step; and the new count. After `wait` good steps
# in a row, this one included, the scale doubles and the count starts again at 0.


# %%
def my_scaler(gradient, scale, good, wait):
    """One step of dynamic loss scaling -> (gradient or None, scale, good)."""
    ### SOLUTION scaler


# %% tags=["nbval-check-output"]
check.scaler(my_scaler)

# %% [markdown]
# {{answers scaler}}

# %% [markdown]
# `torch.amp.GradScaler` does this, and the recipe asks for it by one line, `precision =
# "16-mixed"`. It applies on a GPU. A CPU gains nothing from float16, so here the training runs in
# float32. The recipe, with the values for your profile:

# %%
recipe = load_recipe("residual", lesson.profile)
for entry in ("loss", "optimizer", "learning_rate", "weight_decay", "schedule",
              "plateau_patience", "patience", "ema", "precision", "epochs", "crops_per_epoch",
              "crop_size"):  # fmt: skip
    print(f"{entry:17} {getattr(recipe, entry)}")

# %% [markdown]
# `plateau` is ReduceLROnPlateau and `patience` early stopping, as in lesson 03. `ema` validates and
# keeps a running mean of the weights over the last steps, which calms short trainings.

# %% [markdown]
# ## 6. Batch norm, on and off
#
# *Batch norm* subtracts from each channel its mean and divides by its standard deviation. In
# training both are those of the batch at hand. At inference they are running means collected during
# training, because an output should not depend on which other photographs stand in the batch. So
# these are two different networks with the same weights. Lesson 06 shows how much such a layer
# forgets about brightness; here the question is what it does to a score.

# %%
higher, near, lower = "higher by 0.5 dB or more", "within 0.5 dB", "lower by 0.5 dB or more"
question_norm = widgets.predict(
    "The same network is trained twice on the cross-fitted images, with and without batch norm. "
    "With it, the best validation PSNR is ...",
    [higher, near, lower],
)
question_norm

# %% [markdown]
# On a CPU a slimmer network with three modules trains. If you stop a cell and run it again, the
# training goes on where it was.

# %%
options = {"width": lesson.choose(quick=16, full=32), "modules": lesson.choose(quick=3, full=4)}


def learn(label, first, second, batch_norm):
    """Train a residual network; returns it with its run."""
    torch.manual_seed(lesson.seed)
    model = models.create_model("residual", batch_norm=batch_norm, **options).to(device)
    folder = lesson.run_dir(f"residual_{label}")
    run = training.fit(model, first, second, recipe, run_dir=folder, seed=lesson.seed)
    print(f"{label}: {run}")
    return model, run


normed, normed_run = learn("with_norm", honest_train, honest_val, batch_norm=True)
plain, plain_run = learn("without_norm", honest_train, honest_val, batch_norm=False)

# %% [markdown]
# Both trainings, epoch by epoch:

# %%
plotting.show_history({"with batch norm": normed_run.history, "without": plain_run.history})

# %% [markdown]
# Compare the best epochs, since those are kept.

# %%
advantage = normed_run.best["val_psnr"] - plain_run.best["val_psnr"]
question_norm.reveal(
    higher if advantage >= 0.5 else lower if advantage <= -0.5 else near,
    f"{normed_run.best['val_psnr']:.2f} dB with, {plain_run.best['val_psnr']:.2f} dB without.",
)

# %% [markdown]
# The dashed lines are training losses, where each batch is normalised by its own statistics; the
# full ones are validation losses, with running statistics. To see how much the two networks with
# one set of weights differ, give the validation images one at a time to both.

# %%
import copy


def by_mode(model, pairs, training_mode):
    """PSNR and mean brightness of each output; the model itself is left alone."""
    model = copy.deepcopy(model).train(training_mode)
    with torch.no_grad():
        outputs = [quantise(model(pair.low[None].to(device))).cpu()[0] for pair in pairs]
    decibels = [metrics.psnr(o, p.normal).item() for o, p in zip(outputs, pairs, strict=True)]
    return decibels, [output.mean().item() for output in outputs]


for title, mode in (("batch statistics", True), ("running statistics", False)):
    decibels, means = by_mode(normed, honest_val, mode)
    print(f"{title:18}", "; ".join(f"{d:.2f} dB, mean {m:.2f}"
                                   for d, m in zip(decibels, means, strict=True)))  # fmt: skip

# %% [markdown]
# The targets all have the same mean, since they are one photograph darkened three times:

# %%
print("target means:", ", ".join(f"{pair.normal.mean():.2f}" for pair in honest_val))

# %% [markdown]
# With batch statistics each photograph is normalised by itself, so the network cannot see how
# bright its input is, only how its parts compare. With running statistics it sees it, but through
# means that were taken over other pictures. In a task that is about brightness, neither is
# harmless.
#
# ### Small batches
#
# The statistics of a batch are an estimate, and the fewer crops there are in it, the more they
# jump. Take the first convolution of the trained network and draw batches of 1 to 16 crops:

# %%
from llie_helpers.data.crops import RandomCrops

crops = RandomCrops(honest_train, recipe.crop_size, 256, lesson.seed, augment=True)
with torch.no_grad():
    features = torch.stack([crops[i][0] for i in range(256)])
    features = normed.cpu().preprocess[0](features).mean(dim=(2, 3))
normed.to(device)
spread = features.std(dim=0)
for size in (1, 2, 4, 8, 16):
    jumps = features.view(-1, size, features.shape[1]).mean(dim=1).std(dim=0) / spread
    print(f"batches of {size:2}: their means vary by {jumps.mean():.2f} of what single crops do")

# %% [markdown]
# The spread falls with the square root of the size. With batches of 8 every activation is still
# moved about by a third of the difference between two crops, at random, in every step and every
# layer. For recognition that acts as a helpful noise. Here it is a random exposure, and many
# networks for restoration leave batch norm out for this reason (EDSR was the first to say so).
#
# The rest of this lesson goes on with the network that validated better. It is kept for lesson 08,
# with the mapper beside it, without which it is worth little:

# %%
batch_norm = advantage > 0
model, run = (normed, normed_run) if batch_norm else (plain, plain_run)
kept = lesson.run_dir("residual") / "best.safetensors"
models.save_weights(model, kept)
mapper.save(kept.with_suffix(".mapper.json"))
print("batch norm is", "on" if batch_norm else "off")

# %% [markdown]
# ## 7. The leak, side by side
#
# Now three trainings of one network with one recipe. They differ in their inputs alone: the dark
# images, those mapped without a leak (this one is trained already), and those mapped by the trees
# that saw every target.

# %%
small, medium, big = "less than 0.5 dB", "0.5 to 2 dB", "more than 2 dB"
question_leak = widgets.predict(
    "The leaky network is validated on leaky images, as in the published system. Then the same "
    "weights get the same validation photographs, mapped without a leak. The score falls by ...",
    [small, medium, big],
)
question_leak

# %% [markdown]
# The honest one is at hand, so two are left to train.

# %%
on_dark, dark_run = learn("dark", train, val, batch_norm)
leaky, leaky_run = learn("leaky", leaky_train, leaky_val, batch_norm)

# %% [markdown]
# Each network is scored three times: on the validation images that it would report, on the same
# photographs prepared as new ones must be, and on the test photographs.

# %%
trials = {
    "dark input": (on_dark, val, val, test),
    "mapped, honest": (model, honest_val, honest_val, honest_test),
    "mapped, leaky": (leaky, leaky_val, honest_val, honest_test),
}
table = {
    label: [metrics.evaluate(network, pairs) for pairs in splits]
    for label, (network, *splits) in trials.items()
}
for label, (reported, honest, final) in table.items():
    print(f"{label:14} reported {reported.psnr:5.2f} dB; without a leak {honest.psnr:5.2f} dB; "
          f"test {final.psnr:5.2f} dB, SSIM {final.ssim:.3f}")  # fmt: skip

# %% [markdown]
# The first two columns of the last row are the same weights and the same photographs:

# %%
reported, honest, final = (its.psnr for its in table["mapped, leaky"])
question_leak.reveal(
    small if reported - honest < 0.5 else medium if reported - honest <= 2 else big,
    f"{reported:.2f} dB becomes {honest:.2f} dB, on the same photographs with the same weights.",
)

# %% [markdown]
# As a picture, with the mapper alone for comparison. Vermilion is what a leak reports.

# %%
blue, vermilion = plotting.COLOURS[:2]
bars = {
    "mapper alone, test": (baselines.scores["histogram mapper"].psnr, plotting.GREY),
    "dark input, test": (table["dark input"][2].psnr, blue),
    "mapped, honest, test": (table["mapped, honest"][2].psnr, blue),
    "mapped, leaky, test": (final, blue),
    "mapped, honest, validation": (table["mapped, honest"][1].psnr, blue),
    "mapped, leaky, validation without a leak": (honest, blue),
    "mapped, leaky, as reported": (reported, vermilion),
}
figure = plotting.CourseFigure(9, 3.2)
axis = figure.subplots()
values, colours = zip(*bars.values(), strict=True)
axis.bar_label(axis.barh(list(bars), values, color=colours), fmt="%.1f", padding=4)
axis.set(xlabel="PSNR (dB)", xlim=(0, max(values) + 2))
axis.grid(axis="y", visible=False)
figure

# %% [markdown]
# The leak is a matter of the *report*. Compare the two lowest blue bars of validation and test too:
# whether the leaky inputs also made a worse *network* is another question, and only scores without
# a leak can answer it. With hundreds of scenes, cross-fitted inputs look like those of the test.
# With the four scenes of the quick profile they look worse, as section 4 showed, and a network that
# trains on them learns to correct errors of exposure that it will not meet. So do not be surprised
# if the leaky weights test well here. That is no argument for the leak: a score that nobody can
# have on new photographs says nothing, and nobody could have known from it.
#
# The published system reports 24.57 dB after five epochs, with the network's validation images in
# its regressor's training data. By lesson 02, the mapper alone makes 23.92 dB of LOL pairs that it
# was fitted to. So most of that score was there before the network took its first step.
#
# The course has run it again on LOL v1: a random fifth of the files validates, the trees have seen
# all of them, five epochs (`python tools/reruns.py residual --data lol_v1`). The images
# that validate give 24.71 dB, within 0.15 dB of the published number. The test images give 19.28
# dB. Most of these 5.4 dB are the mapper's leak: alone, without a network, it falls from 23.92 to
# 19.64 dB.

# %% [markdown]
# ## 8. What the network adds
#
# The mapper set the exposure. What is left for the network is to repair what a curve cannot: noise,
# colour, and what the mapper got wrong nearby.

# %%
learned = table["mapped, honest"][2]
alone = baselines.scores["histogram mapper"]
for label, its, trained in (
    ("residual, mapped", learned, model),
    ("residual", table["dark input"][2], on_dark),
):
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=its,
        parameters=count_parameters(trained),
        gmacs=gmacs(trained),
        train_seconds=run.seconds if trained is model else dark_run.seconds,
    )
print(f"mapper alone {alone.psnr:.2f} dB, SSIM {alone.ssim:.3f}")
print(f"with network {learned.psnr:.2f} dB, SSIM {learned.ssim:.3f}")
lesson.ledger.table()

# %% [markdown]
# Three test photographs, by the mapper alone and with the network behind it:


# %%
@torch.no_grad()
def enhanced(image):
    """(3, H, W) -> (3, H, W) by the network, in 8-bit steps."""
    return quantise(model(image[None].to(device))[0]).cpu()


shown = list(np.linspace(1, len(test) - 2, 3).astype(int))
low, normal = [test[i].low for i in shown], [test[i].normal for i in shown]
mapped = [honest_test[i].low for i in shown]
outputs = {"mapper": mapped, "mapper + network": [enhanced(image) for image in mapped]}
plotting.show_results(low, outputs, normal)

# %% [markdown]
# The gain is in SSIM and not in PSNR: the network takes the noise away and hardly touches the
# exposure, of which it sees too little. In the quick profile it even gives back a little of the
# mapper's exposure, learned from cross-fitted inputs that were further off; so it beats every fixed
# curve of section 1, and only draws level with the mapper. Look at a detail:

# %%
row, column, size = 90, 140, 110
views = [mapped[0], outputs["mapper + network"][0], normal[0]]
plotting.show_images(
    [view[:, row : row + size, column : column + size] for view in views],
    ["mapper", "mapper + network", "target"],
)

# %% [markdown]
# ### Who decides how bright it gets?
#
# The mapper can predict other quantiles than the median. At 0.1 it asks for a curve that the target
# exceeds nine times out of ten, at 0.9 for a bright one. The network was trained on medians.

# %%
follows, resists, ignores = "nearly all of the change", "part of the change", "next to nothing"
question_quantile = widgets.predict(
    "You raise the quantile, so that the network's input becomes brighter. How much of the change "
    "in mean brightness comes through to its output?",
    [follows, resists, ignores],
)
question_quantile

# %% [markdown]
# Drag the quantile. It is one knob for brightness that a user could be given, and it costs no
# training of the network.

# %%
chosen = shown[1]
frames, levels = [], {}
for quantile in (0.1, 0.3, 0.5, 0.7, 0.9):
    given = histogram.HistogramMapper(quantile=quantile).fit(train)(test[chosen].low)
    output = enhanced(given)
    levels[quantile] = given.mean().item(), output.mean().item()
    titles = [f"input, mean {given.mean():.2f}", f"network, mean {output.mean():.2f}", "target"]
    marks = [f"{metrics.psnr(x, test[chosen].normal).item():.1f} dB" for x in (given, output)]
    frames.append(plotting.show_images([given, output, test[chosen].normal], titles, [*marks, ""]))
widgets.frames_slider(frames, list(levels), "quantile")

# %% [markdown]
# Compare both ends of the slider.

# %%
(dim_in, dim_out), (bright_in, bright_out) = levels[0.1], levels[0.9]
through = (bright_out - dim_out) / (bright_in - dim_in)
question_quantile.reveal(
    follows if through > 0.8 else resists if through > 0.2 else ignores,
    f"the input's mean rises by {bright_in - dim_in:.2f}, the output's by "
    f"{bright_out - dim_out:.2f}: {through:.0%} of it.",
)

# %% [markdown]
# ### Weights that took longer
#
# The course ships a mapper and a network that were trained together on LOL v1, on one processor
# core for about half an hour. `create_method` puts one before the other. On the same test
# photographs as yours:

# %%
shipped = metrics.evaluate(create_method("residual", "lol_v1", device), test)
print(f"shipped: {shipped.psnr:.2f} dB, SSIM {shipped.ssim:.3f}")

# %% [markdown]
# In the quick profile these are photographs that a computer darkened, of scenes unlike LOL's rooms.
# The model card has the score on LOL's own test images.

# %% [markdown]
# ## Recap
#
# **What you learned**
#
# - A two-path module is five convolutions, two sums and four ReLUs. At full resolution few
#   parameters are a lot of work, and see little.
# - A shortcut keeps the way back open: in a plain stack of 24 layers the first gets next to no
#   gradient.
# - Batch norm makes a network that trains and one that is used. The two differ in how they see
#   brightness, and small batches make the first one noisy.
# - AdamW's decay pulls all weights alike; an L2 penalty in Adam spares those with large gradients.
# - float16 loses small gradients first. Scaling the loss saves them, and its scale must be found
#   while training.
# - What another model predicts for its own training data must not be an input. Cross-fit by scene,
#   and validate on what the whole chain has never seen.
#
# **What failed**
#
# - With four scenes, cross-fitted inputs are worse than those met later, and the network learns
#   from the difference. Cross-fitting is unbiased only if leaving out a fold costs little.
# - A field of view of a few dozen pixels cannot repair a wrong exposure: where the mapper errs, so
#   does the output.
# - One scene to validate on is a poor judge between batch norm and none, and one seed is one seed.
#   Lesson 08 compares several.
#
# ## Papers
#
# - K. He, X. Zhang, S. Ren, J. Sun. Deep Residual Learning for Image Recognition. CVPR 2016.
# - S. Ioffe, C. Szegedy. Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift. ICML 2015.
# - B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee. Enhanced Deep Residual Networks for Single Image
#   Super-Resolution. CVPR Workshops 2017. (EDSR: residual blocks without batch norm)
# - I. Loshchilov, F. Hutter. Decoupled Weight Decay Regularization. ICLR 2019. (AdamW)
# - P. Micikevicius et al. Mixed Precision Training. ICLR 2018. (loss scaling)
# - T. Chen, C. Guestrin. XGBoost: A Scalable Tree Boosting System. KDD 2016.
# - V. Chernozhukov et al. Double/Debiased Machine Learning for Treatment and Structural Parameters.
#   The Econometrics Journal, 2018. (cross-fitting)
#
# **Next**: lesson 06 replaces the hand-written loss by a network that judges the outputs, and looks
# closely at what that makes up.
