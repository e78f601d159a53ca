# %% [markdown]
# # 05. Residual learning
#
# In one of the five published systems that this course rebuilds, a mapper like lesson 02's
# brightens a photograph, and a residual network cleans it up. It reports more than 24 dB on LOL v1.
# We trained it again and got the same score, to within 0.15 dB. Then we gave the same weights other
# photographs.

# %% [markdown]
# {{setup}}

# %%
import copy
import time
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from llie_helpers import data, metrics, models, plotting
from llie_helpers.data.crops import RandomCrops
from llie_helpers.images import quantise
from llie_helpers.lessons import literature, reruns, widgets
from llie_helpers.lessons.checks import lesson_05 as check
from llie_helpers.methods import NetworkMethod, create_method, histogram
from llie_helpers.models import cards
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.training.batches import epoch_loader
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# Three scores of one system, in orange on its own validation photographs, in blue on LOL's test
# photographs:

# %% Draw the three scores tags=["hide-input"]
again = reruns.kept("residual")
published = next(it for it in literature.SYSTEMS if it.model == "residual")


def score_bars(bars):
    """One horizontal bar for each label -> (PSNR, colour)."""
    figure = plotting.CourseFigure(9, 0.8 + 0.42 * len(bars))
    axis = figure.subplots()
    values, colours = zip(*bars.values(), strict=True)
    axis.bar_label(axis.barh(list(bars), values, color=colours), fmt="%.2f", padding=4)
    axis.invert_yaxis()
    axis.set(xlabel="PSNR on LOL v1 (dB)", xlim=(0, 28))
    axis.grid(axis="y", visible=False)
    figure.alt = "; ".join(f"{label}: {value:.2f} dB" for label, (value, _) in bars.items())
    return figure


blue, vermilion = plotting.COLOURS[:2]
score_bars(
    {
        "as published": (float(published.reported.split()[0]), vermilion),
        "trained again, scored its way": (again.own.psnr, vermilion),
        "the same weights, new photographs": (again.test.psnr, blue),
    }
)

# %% [markdown]
# Where did five decibels go? Write down a guess now; section 3 finds them. But the idea of the
# system is good: let one method set the light, and let layers learn only what to change. The
# published design stops half-way. Section 6 goes the rest of the way.
#
# {{claim abs(again.own.psnr - float(published.reported.split()[0])) < 0.15}}
# {{claim 5 < again.own.psnr - again.test.psnr < 6}}
#
# **You will be able to**
#
# - write a residual module and a network of such modules;
# - find out how much of a score came in with the input, and prepare inputs that know no answers;
# - say what a shortcut is good for, and put one around a whole network;
# - (going deeper) write a training step in half precision, and say why its loss is scaled.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs from the installed libraries; 1.5 minutes; 1 GB
#   of memory.
# - **Full profile**: LOL v1, 500 real pairs; hours on two CPU cores; made for a GPU; 3 GB of
#   memory.
#
# ## 1. Divide the labour
#
# The data, and what there is to beat:

# %% tags=["nbval-check-output"]
name = data.choose(lesson.choose(quick="embedded", full="lol_v1"))
train, val, test = (data.load_pairs(name, split) for split in ("train", "val", "test"))
for pairs in (train, val, test):
    print(pairs)

# %%
baselines = lessons.baselines(train, test)
for label, its in baselines.scores.items():
    lesson.record(model=label, data=name, split="test", evaluation=its, parameters=0)
mapped = baselines.scores["histogram mapper"]
print(f"to beat: the histogram mapper, {mapped.psnr:.2f} dB, SSIM {mapped.ssim:.3f}")

# %% [markdown]
# In the **histogram mapper** of lesson 02, gradient-boosted trees predict the percentiles of the
# target from those of the dark image, and a tone curve follows them. Without a network, only the
# same mapper with lesson 02's filter behind it has a higher PSNR. Compare its error with that of a
# network like lesson 03's. Look at local light and colour, and at the detail.
#
# {{claim baselines.best == "histogram mapper"}}

# %% Draw the error in its parts tags=["hide-input"]
first_network = models.create_model("mse_cnn", weights="embedded").eval()
mapper = baselines.methods["histogram mapper"]
first = metrics.evaluate(first_network, test)
plotting.show_error_parts({"02 mapper": mapped, "03 network": first})

# %% [markdown]
# The mapper leaves more error in the detail, since a curve brightens the noise with everything
# else. The network leaves more than twice as much in local light and colour together: it repaints
# every place, often in a wrong tone. So put one behind the other. The mapper moves all tones by one
# curve for each channel, and a network removes what a curve cannot see.
#
# {{claim mapped.detail > 1.2 * first.detail}}
# {{claim first.local > 2 * mapped.local}}
#
# ## 2. Build a network of shortcuts
#
# If the light is set, most of the output is already in the input. Layers need only say what to
# *change*. That is what a **shortcut** (or residual connection) is for: in place of $f(x)$, a layer
# returns $x + f(x)$. The network of this lesson is made of modules like this one:

# %%
from llie_helpers.plotting.diagrams import show_two_path

show_two_path()

# %% [markdown]
# Two paths leave `x`. The 1x1 convolution mixes the channels of each pixel; the two 3x3
# convolutions look at neighbours. Their sum, after a ReLU, is `y`. Then two more 3x3 convolutions
# say what to change about `y`. The dashed line, a true shortcut, passes `y` on unchanged. (The 1x1
# convolution on the left is what He et al. put in a shortcut where the number of channels changes.)
#
# A **batch norm** may follow each convolution. It subtracts from each channel its mean over the
# batch, divides by its standard deviation, and gives it a learned spread and mean instead. This
# keeps a deep network in a range where it learns fast. These two helpers make the parts:


# %%
### SOURCE llie_helpers.models.residual.conv


### SOURCE llie_helpers.models.residual.two


# %% [markdown]
# {{exercise two_path}}
#
# Write the module. `__init__` begins with `super().__init__()`, as in every `nn.Module`. Then make
# three parts: `self.short`, the 1x1 convolution; `self.long`, the two 3x3 convolutions below it;
# `self.refine`, the two on the right. All have `width` channels in and out, and batch norm if
# `batch_norm` is true. Each part is an `nn.Sequential`: `two` returns one, and
# `nn.Sequential(*layers)` makes one of a list. In `forward`, follow the figure; `torch.relu` is the
# ReLU after a sum.


# %%
from llie_helpers.models.residual import conv, two


class TwoPathModule(nn.Module):
    """A 1x1 path beside two 3x3 convolutions, then two more with a shortcut."""

    def __init__(self, width, batch_norm):
        """Make ``short``, ``long`` and ``refine``."""
        ### SOLUTION two_path.__init__

    def forward(self, x):
        """(N, width, H, W) -> the same shape."""
        ### SOLUTION two_path.forward


# %% tags=["nbval-check-output"]
TwoPathModule = check.two_path(TwoPathModule)

# %% [markdown]
# {{answers two_path}}
#
# Now the whole network. A *preprocessing layer* turns three channels into `width`. The modules
# follow in series, and around each of them there is one more shortcut. A last convolution makes
# three channels again. Nothing is ever made smaller.
#
# {{exercise network}}
#
# Write `forward`: `self.preprocess`; then, for each module of `self.series`, add the module's
# output to its input; then `self.head` and `torch.sigmoid`.


# %%
from llie_helpers.models.network import Network, any_size


class ResidualNet(Network):
    """Map mapped images (N, 3, H, W) in [0, 1] to clean ones."""

    def __init__(self, width=32, modules=4, batch_norm=True):
        super().__init__()
        self.preprocess = nn.Sequential(*conv(3, width, 3, batch_norm), nn.ReLU())
        self.series = nn.ModuleList(TwoPathModule(width, batch_norm) for _ in range(modules))
        self.head = nn.Conv2d(width, 3, kernel_size=3, padding=1)

    @any_size
    def forward(self, low):
        """(N, 3, H, W) in [0, 1] -> the same size and range."""
        ### SOLUTION network.forward


# %% tags=["nbval-check-output"]
ResidualNet = check.network(ResidualNet)

# %% [markdown]
# {{answers network}}
#
# There are shortcuts on two levels: within a module and around it. The published design has none
# around the whole. So the head must redraw every colour from the features. Remember this when you
# see the pictures.

# %% [markdown]
# ### Your class, its weights
#
# Your layers have the package's names, so weights that were trained on real pairs fit into your
# class. A mapper that was fitted to the same pairs sets the light first. Move the divider, and look
# at the grain on the tank and on the floor. The mapper alone is on the left; on the right, your
# network follows it. Some grain stays: these weights were trained on the noise of another camera.

# %%
long_training = create_method("residual", "lol_v1", device)
mine_trained = ResidualNet().to(device)
mine_trained.load_state_dict(long_training.network.state_dict())
mine_trained.eval()

photographs = data.load_pairs("embedded", "test")
garage = photographs[photographs.names.index("motorcycle_4stops")]
lit = long_training.mapper(garage.low)
with torch.no_grad():
    cleaned = quantise(mine_trained(lit[None].to(device))[0]).cpu()
closer = [
    F.interpolate(image[None, :, 70:260, 100:385], scale_factor=2)[0] for image in (lit, cleaned)
]
widgets.before_after(
    *closer,
    labels=("mapper alone", "mapper and your class"),
    alt="a detail of the motorcycle, twice as large",
)

# %% [markdown]
# ## 3. Who supplied the input?
#
# A network of this kind gets a picture that is almost right already. So before you praise the
# network, take it away. The published system reports 24.57 dB on its validation photographs.
# Trained again, it gets 19.28 dB on the test photographs; its mapper alone gets 19.23 dB there.
#
# {{claim f"{again.test.psnr:.2f}" == "19.28" and published.reported.startswith("24.57")}}
# {{claim f'{reruns.kept("histogram_mapper").test.psnr:.2f}' == "19.23"}}

# %%
same, half, nearly = "about 19.2 dB again", "about 21 dB", "more than 23 dB"
question_leak = widgets.predict(
    "What does the mapper alone get on the validation photographs, without any network?",
    [same, half, nearly],
)
question_leak

# %% Read the score of the mapper alone tags=["hide-input"]
alone = reruns.kept("histogram_mapper")
question_leak.reveal(
    nearly if alone.own.psnr > 23 else half if alone.own.psnr > 20 else same,
    f"it gets {alone.own.psnr:.2f} dB.",
)

# %% [markdown]
# Grey is the mapper alone:

# %% Draw the four scores tags=["hide-input"]
score_bars(
    {
        "its validation: mapper alone": (alone.own.psnr, plotting.GREY),
        "its validation: with the network": (again.own.psnr, vermilion),
        "test: mapper alone": (alone.test.psnr, plotting.GREY),
        "test: with the network": (again.test.psnr, blue),
    }
)

# %% [markdown]
# More than four of the five decibels came in with the input. The system fitted its trees to *all*
# its pairs, and only then held a fifth of them out to validate the network. So the mapper knew the
# answers for these photographs. That is a **leak**, and no curve of the training shows it: one
# measurement of the *input* does.
#
# The network accounts for the rest. It adds more than a decibel where the light is as good as in
# training, and next to nothing on the test photographs. What it does improve there is SSIM, because
# it removes noise. (Two more things may widen the gap: the sets show different photographs, and a
# random split had put other photographs of the same rooms into training.)
#
# Nobody cheated on purpose. Two reasonable steps, "fit the mapper to the data" and "hold a fifth
# out for the network", were taken in the wrong order. **Ask of any model in a chain what it was
# fitted to.**
#
# {{claim alone.own.psnr - alone.test.psnr > 4}}
# {{claim abs(again.test.psnr - alone.test.psnr) < 0.2}}
# {{claim 1 < again.own.psnr - alone.own.psnr < 1.5}}
# {{claim again.test.ssim > alone.test.ssim + 0.1}}
#
# ### Inputs that know no answers
#
# At test time the network sees what a mapper, fitted to all training pairs, makes of a photograph
# that the mapper has never met. What should it *train* on?
#
# Not on training images that went through that same mapper. It was fitted to their targets, so on
# them it is better than it will ever be again, and a network that trains on such inputs learns to
# trust them. The remedy is *cross-fitting* (lesson 02): each training image is mapped by a mapper
# that was fitted on other scenes.
#
# {{exercise inputs}}
#
# A colleague wrote the function below. `low` and `normal` are arrays of percentiles, one row for
# each training image, and `scenes` has the number of each row's scene (any numbers, in any order,
# such as 8, 0, 8, 4).
# `fit(low, normal)` fits a mapper and returns its function `predict(low)`. There are two leaks in
# the colleague's code and one waste: rows that could have been used, and were not. Write it
# without these three faults. Use `folds` mappers for the training rows. Return the predictions for
# `low` and those for `val_low`.
#
# ```python
# def leaky_inputs(low, normal, scenes, val_low, val_normal, folds, fit):
#     fold = np.arange(len(low)) % folds
#     predicted = np.empty_like(normal)
#     for k in range(folds):
#         held_out = fold == k
#         known = np.concatenate([low[~held_out], val_low])
#         answers = np.concatenate([normal[~held_out], val_normal])
#         predict = fit(known, answers)
#         predicted[held_out] = predict(low[held_out])
#     return predicted, predict(val_low)
# ```


# %%
def honest_inputs(low, normal, scenes, val_low, val_normal, folds, fit):
    """Predictions to train a network on, and predictions to validate it on."""
    ### SOLUTION inputs


# %% tags=["nbval-check-output"]
honest_inputs = check.inputs(honest_inputs)

# %% [markdown]
# {{answers inputs}}
#
# Your function prepares the images from now on. Prepare them the published way, too, and measure
# both inputs. No network has been trained yet.


# %%
def fit(low, normal):
    """Fit a histogram mapper to percentiles, and return its prediction."""
    return histogram.HistogramMapper().fit_percentiles(low, normal).predict_percentiles


(low, normal), (val_low, val_normal) = (histogram.pair_percentiles(its) for its in (train, val))
curves = honest_inputs(low, normal, np.array(train.scenes), val_low, val_normal, 4, fit)
honest_train, honest_val = (
    histogram.mapped(pairs, torch.from_numpy(np.asarray(curve)))
    for pairs, curve in zip((train, val), curves, strict=True)
)

# %%
knows_all = fit(np.concatenate([low, val_low]), np.concatenate([normal, val_normal]))
leaky_val = histogram.mapped(val, torch.from_numpy(knows_all(val_low)))


def input_psnr(pairs):
    """Mean PSNR of inputs, before any network has touched them."""
    return fmean(metrics.psnr(pair.low, pair.normal).item() for pair in pairs)


leaky_in, honest_in = input_psnr(leaky_val), input_psnr(honest_val)
print(f"validation inputs: leaky {leaky_in:.2f} dB, honest {honest_in:.2f} dB")

# %% [markdown]
# The leak is worth more than two decibels on your photographs as well, and the score is there
# before a network takes its first step.
#
# {{claim leaky_in - honest_in > 2}}
#
# ## 4. Train it honestly
#
# The loss is MSE + MAE, the mean squared plus the mean absolute error: the square weighs large
# errors, and the absolute error still pushes where they are small. The optimiser is **AdamW**:
# Adam, with a **weight decay** that pulls every weight a little towards 0 in each step. Validation
# looks at a running mean of the weights over the last steps (**averaged weights**, or EMA), which
# calms a short training. The network has no batch norm ("Going deeper" says why), and is slimmer in
# the quick profile.

# %% The training loop of lesson 03 tags=["hide-input"]
recipe = load_recipe("residual", lesson.profile)
options = {
    "width": lesson.choose(quick=16, full=32),
    "modules": lesson.choose(quick=3, full=4),
    "batch_norm": False,
}


def plain_step(model, optimizer, low, normal):
    """Take one training step in float32; return the loss."""
    enhanced = model(low)
    loss = F.mse_loss(enhanced, normal) + F.l1_loss(enhanced, normal)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def validate(model, pairs):
    """Mean loss, PSNR and SSIM over whole images, by column of the history."""
    model.eval()
    columns = {"val_loss": [], "val_psnr": [], "val_ssim": []}
    for pair in pairs:
        enhanced, normal = model(pair.low[None].to(device)), pair.normal[None].to(device)
        loss = F.mse_loss(enhanced, normal) + F.l1_loss(enhanced, normal)
        columns["val_loss"].append(loss.item())
        columns["val_psnr"].append(metrics.psnr(quantise(enhanced), normal).item())
        columns["val_ssim"].append(metrics.ssim(quantise(enhanced), normal).item())
    return {column: fmean(values) for column, values in columns.items()}


def learn(first, second, network=ResidualNet, step=plain_step):
    """Train -> (network of the best epoch, that of the last epoch, one row for each epoch)."""
    torch.manual_seed(lesson.seed)
    model = network(**options).to(device)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    plateau = ReduceLROnPlateau(
        optimizer, factor=recipe.plateau_factor, patience=recipe.plateau_patience
    )
    crops = RandomCrops(first, recipe.crop_size, recipe.crops_per_epoch, lesson.seed, augment=True)
    history, best = [], float("inf")
    for epoch in range(recipe.epochs):
        rate, losses = optimizer.param_groups[0]["lr"], []
        model.train()
        for low, normal in epoch_loader(crops, recipe.batch_size, lesson.seed, epoch):
            losses.append(step(model, optimizer, low.to(device), normal.to(device)))
            averaged.update_parameters(model)
        scores = validate(averaged.module, second)
        row = {"epoch": epoch + 1, "crops": (epoch + 1) * recipe.crops_per_epoch, "lr": rate}
        history.append(row | {"train_loss": fmean(losses)} | scores)
        plateau.step(scores["val_loss"])
        if scores["val_loss"] < best:
            best = scores["val_loss"]
            weights = {key: value.clone() for key, value in averaged.module.state_dict().items()}
    model.load_state_dict(weights)
    return model.eval(), averaged.module.eval(), history


# %% [markdown]
# Train on the inputs that your function prepared. At test time, the mapper goes first:

# %%
began = time.perf_counter()
model, _, history = learn(honest_train, honest_val)
seconds = time.perf_counter() - began
chain = NetworkMethod(model, mapper)
mine = metrics.evaluate(chain, test)

# %% [markdown]
# The pictures first. Look at the sky and at the motorcycle's tank.

# %%
first_of_each = {pair.name.split("_")[0]: pair for pair in reversed(test)}
shown = list(first_of_each.values())[:3]
outputs = {
    title: [quantise(method(pair.low[None].to(device)))[0].cpu() for pair in shown]
    for title, method in {"mapper": mapper, "mapper + network": chain}.items()
}
plotting.show_results([pair.low for pair in shown], outputs, [pair.normal for pair in shown])

# %% [markdown]
# Most of the grain is gone, and edges with it. But the blue sky is green, and the red tank is
# orange. The mapper had these colours right, and nothing makes the network keep them. In the parts
# of the error:
#
# {{claim shown[0].normal[1].mean() < shown[0].normal[2].mean()}}
# {{claim outputs["mapper"][0][2].mean() > 1.2 * outputs["mapper"][0][1].mean()}}
# {{claim outputs["mapper + network"][0][1].mean() > outputs["mapper + network"][0][2].mean()}}
# {{claim outputs["mapper + network"][1][1, 110:122, 190:215].mean() > 0.26}}
# {{claim shown[1].normal[1, 110:122, 190:215].mean() < 0.24}}

# %%
plotting.show_error_parts({"02 mapper": mapped, "03 network": first, "05 mapper + network": mine})

# %% [markdown]
# The errors in brightness and detail shrink, and SSIM is now far above the mapper's. Those in local
# light and colour grow: these are the wrong colours. In PSNR, gain and loss nearly cancel. The
# network removes the noise, as it was asked to, and spoils what was already right.
#
# {{claim mine.ssim > mapped.ssim + 0.1}}
# {{claim mine.detail < 0.85 * mapped.detail}}
# {{claim mine.brightness < 0.8 * mapped.brightness}}
# {{claim mine.local > 1.5 * mapped.local}}
# {{claim abs(mine.psnr - mapped.psnr) < 1}}
#
# ### The honest score
#
# That was a minute with four scenes. The course also trained the published network on LOL v1,
# behind a mapper that was fitted to the training pairs alone. Its **model card** has the scores on
# the test photographs:

# %% Print four scores on LOL v1 tags=["hide-input"]
card = next(it for it in cards.shipped_cards() if (it.model, it.data) == ("residual", "lol_v1"))
honest = card.scores["test"]
honest_mapper = lessons.measured("02_histograms")["mapper"]["test pairs"]
for label, score in (
    ("mapper, fitted to all pairs", alone.test),
    ("  and a network, leaky inputs", again.test),
    ("mapper, fitted to training pairs", f"{honest_mapper:.2f} dB"),
    ("  and a network, honest inputs", f"{honest['psnr']:.2f} dB, SSIM {honest['ssim']:.3f}"),
):
    print(f"{label:33} {score}")

# %% [markdown]
# With hundreds of pairs, the honest network adds more than half a decibel to its mapper, and its
# SSIM is far above a mapper's. Its number is four decibels below the published one, but it should
# hold on new photographs of LOL's kind. It also stays below lesson 02's mapper and filter, with
# 20.7 dB and 0.79. (Do not rank the two networks by this table: their schedules differ as well.)
#
# {{claim honest["psnr"] > honest_mapper + 0.5}}
# {{claim honest["psnr"] < lessons.measured("02_histograms")["filtered"]["psnr"] < 20.75}}
# {{claim 4 < float(published.reported.split()[0]) - honest["psnr"] < 4.5}}
# {{claim honest["ssim"] > alone.test.ssim + 0.1}}
#
# ## 5. What is a shortcut good for?
#
# Would a shortcut keep the colours? See first what shortcuts do. You will often read that deep
# plain stacks fail because gradients *vanish* on their way to the first layers, and that shortcuts
# keep them alive. The authors of residual networks looked, and found otherwise. So measure, on
# stacks of twelve 3x3 convolutions, each followed by a ReLU, with and without a shortcut around
# each block of two. They start in one of four ways:
#
# - *PyTorch*: the default weights;
# - *He*: weights whose variance, 2 over the number of inputs, makes up for the half of the signal
#   that a ReLU removes;
# - *He / 10*: a tenth of these;
# - *passing on*: the stack hands its input on. With shortcuts, zeros in the last convolution of
#   each block do that; without them, kernels that copy each channel (`nn.init.dirac_`).


# %%
class Stack(nn.Module):
    """Twelve convolutions in six blocks of two, with or without shortcuts around the blocks."""

    def __init__(self, start, shortcuts, width=8):
        super().__init__()
        self.shortcuts = shortcuts
        self.head, self.tail = (nn.Conv2d(*c, 3, padding=1) for c in ((3, width), (width, 3)))
        self.blocks = nn.ModuleList(two(width, batch_norm=False) for _ in range(6))
        for block in self.blocks if start != "PyTorch" else ():
            for layer in (block[0], block[2]):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
                if start == "He / 10":
                    layer.weight.data /= 10
                if start == "passing on" and not shortcuts:
                    nn.init.dirac_(layer.weight)
            if start == "passing on" and shortcuts:
                nn.init.zeros_(block[2].weight)
        if start == "passing on":  # three of the channels are the picture
            nn.init.dirac_(self.head.weight[:3])
            nn.init.dirac_(self.tail.weight)
            nn.init.zeros_(self.head.bias)
            nn.init.zeros_(self.tail.bias)

    def forward(self, x):
        x = self.head(x)
        for block in self.blocks:
            x = torch.relu(x + block(x)) if self.shortcuts else torch.relu(block(x))
        return self.tail(x)


# %%
vanish, level, explode = "a million times smaller", "about as large", "a million times larger"
question_depth = widgets.predict(
    "Take a plain stack with He initialisation, before any training. How large is the gradient "
    "of its first layer, compared with that of its last?",
    [vanish, level, explode],
)
question_depth

# %% [markdown]
# The task is to remove noise from smooth patches. Here is the norm of each gradient in the first
# step, a mean of three seeds, and the ratio of the two:


# %% Measure the gradients tags=["hide-input"]
def noisy_and_clean():
    """A batch of smooth patches, with noise and without."""
    clean = F.interpolate(torch.rand(8, 3, 5, 5), size=16, mode="bilinear")
    return clean + 0.1 * torch.randn_like(clean), clean


def gradient_norms(start, shortcuts):
    """Mean norms of the gradients of the first and of the last layer, before training."""
    norms = []
    for seed in range(3):
        torch.manual_seed(seed)
        stack = Stack(start, shortcuts)
        noisy, clean = noisy_and_clean()
        F.mse_loss(stack(noisy), clean).backward()
        norms.append([stack.blocks[i][j].weight.grad.norm().item() for i, j in ((0, 0), (-1, 2))])
    return np.mean(norms, axis=0)


starts = ("PyTorch", "He / 10", "He", "passing on")
kinds = [(start, shortcuts) for start in starts for shortcuts in (False, True)]
norms = {kind: gradient_norms(*kind) for kind in kinds}
print(f"{'':24} first layer  last layer    ratio")
for (start, shortcuts), (at_first, at_last) in norms.items():
    label = f"{start}, {'shortcuts' if shortcuts else 'plain'}"
    print(f"{label:24} {at_first:11.1e} {at_last:11.1e} {at_first / at_last:8.1g}")

# %%
ratio = np.divide(*norms["He", False])
question_depth.reveal(
    vanish if ratio < 1e-3 else level if ratio < 1e3 else explode,
    f"its norm is {norms['He', False][0]:.2f}, and {norms['He', False][1]:.2f} at the last layer.",
)

# %% [markdown]
# With PyTorch's own start, the gradients of the plain stack do vanish on their way, and shortcuts
# bring them back. But He initialisation does so without a shortcut. The fault is in the start, not
# in the depth.
#
# "He / 10, plain" shows why you need the norms: its ratio is fine, but *both* layers get next
# to nothing. (The 0 of the last row is harmless. A layer in front of a convolution of zeros has
# something to learn from the second step on.)
#
# {{claim norms["PyTorch", False][0] < 1e-4 and norms["PyTorch", False][1] > 1e-2}}
# {{claim norms["PyTorch", True][0] > 1e-3}}
# {{claim max(norms["He / 10", False]) < 1e-6 and 0.05 < np.divide(*norms["He / 10", False]) < 20}}
# {{claim norms["He", False][0] > 1e-3 and 0.1 < ratio < 10}}
# {{claim norms["passing on", True][0] == 0}}
#
# What is left for a shortcut to do, if gradients are fine without it? Train the last four kinds,
# with three seeds each. Compare the colours first, then the dashed lines with the solid ones. The
# dotted line is the loss of the noisy picture itself.


# %% Train the stacks and draw their losses tags=["hide-input"]
def train_stack(start, shortcuts, seed, steps=100):
    """Train a stack -> the loss of each step."""
    torch.manual_seed(seed)
    stack = Stack(start, shortcuts)
    optimizer = torch.optim.Adam(stack.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        noisy, clean = noisy_and_clean()
        loss = F.mse_loss(stack(noisy), clean)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


runs = {kind: [train_stack(*kind, seed) for seed in range(3)] for kind in kinds[4:]}
figure = plotting.CourseFigure(9, 3.4)
axis = figure.subplots()
for (start, shortcuts), of_seeds in runs.items():
    label = f"{start}, {'shortcuts' if shortcuts else 'plain'}"
    look = {
        "color": blue if start == "passing on" else vermilion,
        "linestyle": "-" if shortcuts else "--",
    }
    for number, losses in enumerate(of_seeds):
        smooth = np.convolve(losses, np.ones(10) / 10, mode="valid")
        axis.semilogy(smooth, **look, label="" if number else label)
unchanged = 0.1**2  # the variance of the noise
axis.axhline(unchanged, color="black", linestyle=":", label="picture unchanged")
axis.set(xlabel="step", ylabel="loss, mean of ten steps")
axis.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
ends = {kind: fmean(fmean(losses[-10:]) for losses in its) for kind, its in runs.items()}
figure.alt = (
    f"Training losses of twelve stacks. With He initialisation they end at "
    f"{ends['He', False]:.3f} on average without shortcuts and {ends['He', True]:.3f} with them; "
    f"with blocks that begin by passing their input on, at {ends['passing on', False]:.3f} and "
    f"{ends['passing on', True]:.3f}; an unchanged picture has {unchanged:.3f}."
)
figure

# %% [markdown]
# The random stacks (orange) end far above the dotted line, with shortcuts or without. They have not
# even learned to pass the picture on. The others (blue) begin at the line. The plain ones first
# spoil the picture a little; then both kinds take noise away, faster with shortcuts. So the start
# decides again, and this is what a shortcut is good for: set the change to zero, and `x + f(x)` is
# `x`. **Where the input is almost right, begin there.**
#
# {{claim min(fmean(its[-10:]) for kind in kinds[4:6] for its in runs[kind]) > 2 * unchanged}}
# {{claim max(abs(its[0] - unchanged) for kind in kinds[6:] for its in runs[kind]) < 0.001}}
# {{claim fmean(fmean(its[:10]) for its in runs["passing on", False]) > 1.1 * unchanged}}
# {{claim max(fmean(its[-10:]) for kind in kinds[6:] for its in runs[kind]) < 0.75 * unchanged}}
# {{claim ends["passing on", True] < 0.9 * ends["passing on", False]}}
#
# ## 6. A shortcut around the whole
#
# The mapper's picture is almost right, and your network does not begin there. Give it the shortcut
# that the published design lacks.
#
# {{exercise whole}}
#
# Write both methods. `__init__` calls the parent's with all options, and then sets the weights and
# the bias of `self.head` to zero (`nn.init.zeros_`), so that the network begins as "change
# nothing". `forward` is that of your network as far as the head. What the head returns is the
# change: add it to `low`, and leave the sigmoid out. While `self.training` is true, return the sum
# as it is; otherwise clamp it to 0 to 1.


# %%
class WholeShortcut(ResidualNet):
    """The same layers, but what they return is added to the input."""

    def __init__(self, **options):
        """Make the layers of the parent, and let the change begin as zero."""
        ### SOLUTION whole.__init__

    @any_size
    def forward(self, low):
        """(N, 3, H, W) in [0, 1] -> the same size; in training, values may leave the range."""
        ### SOLUTION whole.forward


# %% tags=["nbval-check-output"]
WholeShortcut = check.whole(WholeShortcut)

# %% [markdown]
# {{answers whole}}
#
# It has the layers of before, and gets the same seed, recipe and inputs:

# %%
whole_model, whole_last, whole_history = learn(honest_train, honest_val, WholeShortcut)
whole_chain = NetworkMethod(whole_model, mapper)
whole = metrics.evaluate(whole_chain, test)
baselines.table({"mapper + network": mine, "with the shortcut": whole})

# %% [markdown]
# With one more shortcut in the sigmoid's place, the network is ahead of the mapper. Where did the
# error go?
#
# {{claim whole.psnr > mapped.psnr + 0.3}}
# {{claim whole.psnr > mine.psnr + 0.2}}

# %%
plotting.show_error_parts(
    {"02 mapper": mapped, "05 mapper + network": mine, "05 with the shortcut": whole}
)

# %% [markdown]
# The shortcut keeps what the first network gained in brightness, and does not pay for it in local
# light and colour. There, and in detail, the error is about the mapper's again. You can see both:
#
# {{claim whole.brightness < 0.8 * mapped.brightness}}
# {{claim whole.local < 0.6 * mine.local}}
# {{claim whole.local < 1.3 * mapped.local}}
# {{claim 0.8 < whole.detail / mapped.detail < 1.25}}

# %%
outputs["with the shortcut"] = [
    quantise(whole_chain(pair.low[None].to(device)))[0].cpu() for pair in shown
]
plotting.show_results([pair.low for pair in shown], outputs, [pair.normal for pair in shown])

# %% [markdown]
# The sky stays blue and the tank red, although the white wall turns a little lilac. But the grain
# is back, and SSIM has fallen with it. The first network painted a picture of its own, and a smooth
# one is easy to paint. This one has to find the noise in order to subtract it.
#
# ### The same 200 steps on LOL v1
#
# All this was learned from four scenes. So we ran the same cells on LOL v1: the same layers, seed
# and number of steps, but crops of 174 scenes.
#
# {{claim (outputs["with the shortcut"][0][2] - outputs["with the shortcut"][0][1]).mean() > 0.04}}
# {{claim whole.detail > 1.2 * mine.detail}}
# {{claim whole.ssim < mine.ssim - 0.1}}

# %%
most_goes, most_stays = "most of it goes", "nearly all of it stays"
question_grain = widgets.predict(
    "With 174 scenes, what becomes of the grain behind the network with the shortcut?",
    [most_goes, most_stays],
)
question_grain

# %% Gather the scores of both networks tags=["hide-input"]
best_rows = {
    title: min(rows, key=lambda row: row["val_loss"])
    for title, rows in {"without": history, "with": whole_history}.items()
}
measured = {
    "scenes": len(set(train.scenes)),
    "epochs": recipe.epochs,
    "test": {
        title: {"psnr": round(its.psnr, 2), "ssim": round(its.ssim, 3)}
        for title, its in {"mapper": mapped, "without": mine, "with": whole}.items()
    },
    "input": round(honest_in, 2),
    "validation": {
        title: {"psnr": round(row["val_psnr"], 2), "epoch": row["epoch"]}
        for title, row in best_rows.items()
    },
}

# %% Read what was measured on LOL v1 tags=["hide-input"]
on_lol = lessons.measured("05_residual")
ssim = {title: its["ssim"] for title, its in on_lol["test"].items()}
question_grain.reveal(
    most_goes if ssim["with"] > ssim["mapper"] + 0.1 else most_stays,
    f"SSIM is {ssim['mapper']:.3f} behind the mapper alone, {ssim['with']:.3f} with this network, "
    f"and {ssim['without']:.3f} with the other one, which smooths.",
)

# %% [markdown]
# First the scores on the test photographs, then the PSNR that went into each network in validation,
# and what came out:

# %% Print both comparisons tags=["hide-input"]
both_sets = {
    f"{measured['scenes']} scenes": measured,
    f"LOL v1, {on_lol['scenes']} scenes": on_lol,
}
print(" " * 34 + "".join(f"{title:24}" for title in both_sets))
for title in ("mapper", "without", "with"):
    label = title if title == "mapper" else f"{title} the shortcut"
    scores = (its["test"][title] for its in both_sets.values())
    cells = [f"{it['psnr']:.2f} dB, SSIM {it['ssim']:.3f}" for it in scores]
    print(f"test:       {label:22}" + "".join(f"{cell:24}" for cell in cells))
cells = [f"{its['input']:.2f} dB" for its in both_sets.values()]
print(f"validation: {'mapper':22}" + "".join(f"{cell:24}" for cell in cells))
for title in ("without", "with"):
    rows = ((its["validation"][title], its["epochs"]) for its in both_sets.values())
    cells = [f"{row['psnr']:.2f} dB, epoch {row['epoch']} of {of}" for row, of in rows]
    label = f"{title} the shortcut"
    print(f"validation: {label:22}" + "".join(f"{cell:24}" for cell in cells))

# %% [markdown]
# In PSNR the shortcut wins on both sets. On LOL it wins by losing nothing: its network hands the
# mapper's picture on, while the other one takes almost a decibel from it.
#
# Validation shows what four scenes do. On LOL the last epoch is the best for both networks. Here an
# early one was kept, and both make the one validation scene *worse*. Each cross-fitted mapper had
# only three scenes to learn from, and its brightness is further off than the final mapper's. So a
# network learns to correct errors that it no longer meets. The test scenes happened to profit from
# that, so the lead over the mapper in the table above was luck. On LOL there is almost none.
#
# But the grain stays on both sets. More scenes do not help: it takes more than 200 steps to find
# the noise. Have the weights of the last epoch begun to? Lesson 04's measures, for the whole
# photograph of the motorcycle:
#
# {{claim best_rows["without"]["val_psnr"] + 1 < best_rows["with"]["val_psnr"] < honest_in - 0.5}}
# {{claim input_psnr(honest_train) < honest_in}}
# {{claim best_rows["with"]["epoch"] <= 2}}
# {{claim all(row["epoch"] == on_lol["epochs"] for row in on_lol["validation"].values())}}
# {{claim on_lol["scenes"] == 174 and on_lol["epochs"] == recipe.epochs}}
# {{claim recipe.epochs * recipe.crops_per_epoch == 200 * recipe.batch_size}}
# {{claim on_lol["test"]["with"]["psnr"] > on_lol["test"]["without"]["psnr"] + 0.9}}
# {{claim 0 < on_lol["test"]["with"]["psnr"] - on_lol["test"]["mapper"]["psnr"] < 0.2}}
# {{claim 0.9 < on_lol["test"]["mapper"]["psnr"] - on_lol["test"]["without"]["psnr"] < 1}}
# {{claim 0 < ssim["with"] - ssim["mapper"] < 0.02}}

# %% Measure true and false detail in the whole of this photograph tags=["hide-input"]
last_chain = NetworkMethod(whole_last, mapper)
detail = {
    title: metrics.true_and_false_detail(
        quantise(method(garage.low[None].to(device))).cpu(), garage.normal[None]
    )[0].tolist()
    for title, method in {
        "mapper": mapper,
        "without the shortcut": chain,
        "with the shortcut": whole_chain,
        "    its last epoch": last_chain,
    }.items()
}
for title, (true, false) in detail.items():
    print(f"{title:21} true detail {true:4.0%}, false {false:3.0%}")
final = next(it for it in cards.shipped_cards() if (it.model, it.data) == ("dual_branch", "lol_v1"))

# %% [markdown]
# Without the shortcut, half of the true detail is gone with the noise. With it, the epoch that was
# kept changes little of either; by the last, false detail has begun to fall, and nearly all of the
# true detail is still there. (True detail can exceed 100 %: a steep curve strengthens edges beyond
# the target's.) Lesson 07's network adds its change to the image too. It takes more than a
# hundred times as many steps on LOL, and gets 22.93 dB there and an SSIM of 0.831.
#
# {{claim '{psnr:.2f} {ssim:.3f}'.format(**final.scores["test"]) == "22.93 0.831"}}
# {{claim detail["without the shortcut"][0] < 0.65 * detail["mapper"][0]}}
# {{claim abs(detail["with the shortcut"][1] - detail["mapper"][1]) < 0.07}}
# {{claim detail["    its last epoch"][1] < 0.93 * detail["mapper"][1]}}
# {{claim detail["    its last epoch"][0] > detail["without the shortcut"][0] + 0.25}}
#
# Both networks go into the ledger. Lesson 08 compares the published chain, mapper and network, so
# keep your network of section 4 for it, and its mapper.

# %% Note both scores and keep the network tags=["hide-input"]
for label, network, its in (
    ("residual", model, mine),
    ("residual, with the shortcut", whole_model, whole),
):
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=its,
        parameters=count_parameters(network),
        gmacs=gmacs(network),
        train_seconds=seconds if network is model else None,
    )
to_keep = models.create_model("residual", **options)
to_keep.load_state_dict(model.state_dict())
kept = lesson.run_dir("residual") / "best.safetensors"
models.save_weights(to_keep, kept)
mapper.save(kept.with_suffix(".mapper.json"))

# %% [markdown]
# ## Recap
#
# **What you learned.** An input that has seen the answer makes any score meaningless, and a
# shortcut lets a network begin with what is already right.
#
# - To find a leak in a chain, take the last model away and score what went into it.
# - What a model predicts for its own training data must not be an input. Cross-fit by scene, and
#   validate on what the whole chain has never seen.
# - Whether gradients vanish depends on the start. A shortcut whose change starts at zero passes the
#   picture on from the first step.
# - Without an outer shortcut, the network lost the colours that the mapper had right. With one it
#   kept them, and had the higher PSNR of the two, on LOL v1 as well.
#
# **What failed.** No network here keeps the colours *and* loses the grain, as lesson 02's filter
# does: 200 steps are too few to find it, from four scenes and from 174.

# %%
lessons.strip(lesson, last_chain)

# %% [markdown]
# Panel 05 is the network with the shortcut, after its last epoch. (Panel 04 is there only if you
# have run lesson 04.) The tank is red, the edges are there, and some grain is gone. What is left
# asks for longer training. But lesson 04 said that the loss itself asks for softness. What if the
# loss could *look*? Lesson 06 tries.
#
# The core path ends here.
#
# ## Going deeper
#
# ### What full resolution costs

# %%
less, alike, more = "less than half as much", "about as much", "more than twice as much"
question_work = widgets.predict(
    "This network has a third of the parameters of lesson 03's encoder-decoder, and never halves "
    "the size. How much arithmetic does it need for one photograph, compared with that one?",
    [less, alike, more],
)
question_work

# %%
network = ResidualNet()
work, before = gmacs(network), gmacs(first_network)
print(f"{count_parameters(network):,} parameters, lesson 03: {count_parameters(first_network):,}")
question_work.reveal(
    more if work / before > 2 else less if work / before < 0.5 else alike,
    f"{work:.1f} GMACs against {before:.1f} for 600 x 400 pixels: every weight works at every "
    "pixel, because nothing is ever made smaller.",
)

# %% [markdown]
# A third of the parameters, and more than twenty times the work. Parameters say how much a network
# can store, not what it costs to run.
#
# {{claim work > 20 * before}}
# {{claim count_parameters(network) < 0.4 * count_parameters(first_network)}}
#
# ### How far it sees
#
# Working at full resolution also makes a network short-sighted: each 3x3 layer adds only one pixel
# on every side to the receptive field. Only the bright square below can change the output pixel in
# its middle.

# %% Draw the receptive field tags=["hide-input"]
probe = lit[None].clone().to(device).requires_grad_()
middle = [side // 2 for side in lit.shape[1:]]
mine_trained(probe)[0, :, middle[0], middle[1]].sum().backward()
seen = probe.grad[0].abs().amax(dim=0).cpu() > 0
glow = torch.where(seen, 1.0, 0.3) * cleaned
print(f"one output pixel depends on a window of {int(seen.any(dim=1).sum())} pixels")
plotting.show_images(
    [glow], [""], alt="A small bright square in the middle of the darkened photograph."
)

# %% [markdown]
# In such a window, a grey wall in a bright room and a white wall in a dim one can look the same.
# So this network cannot judge how bright the room was. It needs something else for that.
#
# {{claim int(seen.any(dim=1).sum()) == 37}}

# %% [markdown] recorded="residual_0"
# ### The minute and the half hour
#
# What do hundreds of real pairs and half an hour change? Your run of section 4 is on top. Its
# training loss (dashed) falls; its validation loss turns and rises. Below is a recorded training on
# LOL v1, without a leak: beyond the line where your minute ends, it gains over a decibel. (Its
# network has 32 channels, four modules and batch norm, and no averaged weights.)
#
# {{claim history[-1]["train_loss"] < 0.85 * history[0]["train_loss"]}}
# {{claim history[-1]["val_loss"] > 1.05 * min(row["val_loss"] for row in history)}}
# {{claim np.ptp([lessons.recorded("residual_0")[i]["val_psnr"] for i in (1, -1)]) > 1}}

# %% Draw the curves tags=["hide-input"]
plotting.show_history(history, lessons.recorded("residual_0"))

# %% [markdown]
# ### Batch norm: two networks with one set of weights
#
# In training, batch norm uses mean and spread of the batch at hand. At inference it uses running
# means collected during training, because an output should not depend on which other photographs
# are in the batch. So these are two different networks. The shipped weights have batch norm. Give
# them the same photograph twice: in a batch with a copy of itself, and in one with a copy of a
# quarter of the brightness.


# %%
def mean_beside(neighbour, training_mode):
    """Mean output for ``lit`` in a batch with ``neighbour``, in one of the two modes."""
    network = copy.deepcopy(mine_trained).train(training_mode)
    with torch.no_grad():
        return network(torch.stack([lit, neighbour]).to(device))[0].mean().item()


modes = {
    title: [mean_beside(gain * lit, mode) for gain in (1, 0.25)]
    for title, mode in (("batch statistics", True), ("running statistics", False))
}
for title, (equal, darker) in modes.items():
    print(f"{title:18} mean {equal:.3f} beside itself, {darker:.3f} beside a darker copy")

# %% [markdown]
# With batch statistics, a photograph comes out brighter because its neighbour is darker. With
# running statistics it does not matter what else is in the batch, but the means were taken over
# other pictures. In a task that is about brightness, neither is harmless.
#
# {{claim modes["batch statistics"][1] > modes["batch statistics"][0] + 0.02}}
# {{claim abs(modes["running statistics"][1] - modes["running statistics"][0]) < 0.001}}
#
# The statistics of a batch are also an estimate, and the smaller the batch, the more they jump.
# Take the first convolution, and batches of 1 to 16 crops:

# %%
crops = RandomCrops(honest_train, recipe.crop_size, 256, lesson.seed, augment=True)
with torch.no_grad():
    features = torch.stack([crops[i][0] for i in range(256)]).to(device)
    features = mine_trained.preprocess[0](features).mean(dim=(2, 3))
spread, jump = features.std(dim=0), {}
for size in (1, 4, 8, 16):
    means = features.view(-1, size, features.shape[1]).mean(dim=1)
    jump[size] = float((means.std(dim=0) / spread).mean())
    print(f"batches of {size:2}: their means vary by {jump[size]:.2f} of what single crops do")

# %% [markdown]
# The variation falls with the square root of the size. With batches of 8, the means of the first
# layer still move by about a third of the standard deviation between crops, at random, in every
# step. For recognition that is helpful noise. Here it is a random exposure. Nah et al. left batch
# norm out of their deblurring network, EDSR followed them, and most restoration networks since have
# done the same.
#
# {{claim 0.2 < jump[8] < 0.5}}
#
# ### AdamW: decay that stays decay
#
# Adding the penalty $\lambda w^2 / 2$ to the loss pulls weights towards 0 in plain gradient
# descent. In Adam it does not do so evenly: Adam divides each gradient by its usual size, and with
# it the penalty's. A weight with large gradients is hardly pulled at all. *AdamW* takes the pull
# out of the fraction: this is *decoupled* decay. With $m$ and $v$ the running means of $g$ and
# $g^2$ (the hats correct them for their start at 0), and $\eta$ the learning rate:
#
# $$ w \leftarrow w - \eta \frac{\hat m}{\sqrt{\hat v} + 10^{-8}} - \eta \lambda w, \qquad
# \hat m = \frac{m}{1 - 0.9^t}, \quad \hat v = \frac{v}{1 - 0.999^t} $$
#
# {{exercise decay}}
#
# Take one step. `mean` and `square` are $m$ and $v$ before the step, `step` is $t$, counted from 1,
# `rate` is $\eta$, and `decay` is $\lambda$. Update the running means first:
# $m \leftarrow 0.9\,m + 0.1\,g$ and $v \leftarrow 0.999\,v + 0.001\,g^2$. Return the new weight,
# $m$ and $v$. The pull uses the weight as it was before the step.


# %%
def adamw_step(weight, gradient, mean, square, step, rate, decay):
    """One step of AdamW -> (weight, mean, square)."""
    ### SOLUTION decay


# %% tags=["nbval-check-output"]
adamw_step = check.decay(adamw_step)

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
# The optimisers come from torch. Each step gets its gradients by hand:


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
figure.alt = (
    "With Adam and an L2 penalty, the weight with small gradients falls to 0 and the other stays "
    "near 1; with AdamW both fall alike."
)
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
# A GPU multiplies 16-bit numbers several times faster than 32-bit ones. In **mixed precision**,
# convolutions run in float16; the weights and the loss stay in float32. The danger is in the
# gradients. The loss is a mean over all pixels of a batch, so each pixel has a tiny share in it,
# and float16 rounds what is too small to 0. These are the numbers that the two formats hold:

# %% tags=["nbval-check-output"]
for kind in (torch.float16, torch.float32):
    facts = torch.finfo(kind)
    smallest = facts.smallest_normal * facts.eps
    print(
        f"{str(kind)[6:]:8} largest {facts.max:.3g}, smallest above 0 {smallest:.1e}, "
        f"next after 1: {1 + facts.eps:.8g}"
    )

# %% [markdown]
# An image has 256 levels, and float16 tells those apart. Gradients are the problem. Here are those
# of each module's output, for one batch and a network that has not been trained.


# %% Collect the gradients behind each module tags=["hide-input"]
def feature_gradients(pairs, crop=96, batch=8):
    """Gradients of the loss with respect to the features behind each module, in float32."""
    torch.manual_seed(lesson.seed)
    model = ResidualNet(width=16)
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


gradients = feature_gradients(honest_train)
print(f"typical size (median): {gradients.abs().median():.1e}")

# %%
few, part, many = "less than 1 %", "1 to 20 %", "more than 20 %"
question_half = widgets.predict(
    "Rounded to float16 as they are, what share of these gradients becomes 0?", [few, part, many]
)
question_half


# %%
def in_half(exponent):
    """Shares of gradients that vanish and that overflow when the loss is scaled."""
    half = (gradients * 2.0**exponent).half()
    return (half == 0).float().mean().item(), half.isinf().float().mean().item()


gone, _ = in_half(0)
question_half.reveal(
    few if gone < 0.01 else part if gone <= 0.2 else many, f"{gone:.1%} of them become 0."
)

# %% [markdown]
# Scaling the loss moves the whole histogram. Drag the scale. The deeper blue is what float16 holds
# in full; in the pale band digits are already missing. Too small a scale loses the left end of the
# histogram, too large a scale the right end.


# %% Draw the gradients at one scale tags=["hide-input"]
def at_scale(exponent=16):
    """The sizes of the gradients, scaled, over the range that float16 holds."""
    figure = plotting.CourseFigure(9, 2.7)
    axis = figure.subplots()
    axis.axvspan(-24, -14, color="#56B4E9", alpha=0.15)
    axis.axvspan(-14, 16, color="#56B4E9", alpha=0.35)
    sizes = (gradients.abs().log2() + exponent).numpy()
    axis.hist(sizes, bins=np.arange(-45, 41), color=blue)
    gone, infinite = in_half(exponent)
    axis.set(xlim=(-45, 40), yticks=[], xlabel="size of a scaled gradient, as a power of 2")
    axis.set_title(f"loss times 2^{exponent}: {gone:.1%} become 0, {infinite:.2%} infinite")
    return figure


widgets.parameter_slider(at_scale, frames=7, exponent=(0, 48, 4))

# %% [markdown]
# There is a wide range of scales that lose nothing. (Newer GPUs also have *bfloat16*, which needs
# none: it reaches as far as float32, but holds fewer digits than float16.)
#
# {{claim in_half(16)[0] < 0.1 * gone}}
# {{claim in_half(48)[1] > 0.5}}
#
# That is **loss scaling**. Multiply the loss by a large number, and every gradient is multiplied
# with it, since derivatives are linear. Divide it out again in float32. If the number is too large,
# gradients overflow, and a single infinite one spoils the step. So a *scaler* adjusts it during
# training: it doubles the scale after many good steps, and where a gradient is infinite or NaN, it
# skips the step and halves the scale. PyTorch's is `torch.amp.GradScaler`.
#
# {{exercise amp_step}}
#
# Write one training step in mixed precision, and return the loss as a number. These are the parts;
# the order is yours:
#
# - Call the model within `with torch.autocast(low.device.type, torch.float16, enabled=...):`, where
#   `scaler.is_enabled()` says whether half precision is on. Then convert the output to float32, by
#   `.float()`, and compute MSE + MAE (`F.mse_loss`, `F.l1_loss`).
# - `scaler.scale(loss)` is the scaled loss. `scaler.unscale_(optimizer)` divides the scale out of
#   the gradients. `scaler.step(optimizer)` steps, unless a gradient is infinite.
#   `scaler.update()`, at the end, adjusts the scale.
# - Clear old gradients. Clip the norm of the true gradient to 1.0, by
#   `torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)`.


# %%
def amp_step(model, optimizer, scaler, low, normal):
    """Take one training step in mixed precision; return the loss."""
    ### SOLUTION amp_step


# %% tags=["nbval-check-output"]
amp_step = check.amp_step(amp_step)

# %% [markdown]
# {{answers amp_step}}
#
# On a GPU, hand your step to `learn`, with a scaler of its own:
#
# ```python
# scaler = torch.amp.GradScaler("cuda")
#
# def half_step(model, optimizer, low, normal):
#     return amp_step(model, optimizer, scaler, low, normal)
#
# learn(honest_train, honest_val, WholeShortcut, half_step)
# ```
#
# ### The scaler from inside
#
# A fixed scale has to be found by trial, and gradients shrink as a network learns. So a scaler
# checks the scale in every step.
#
# {{exercise scaler}}
#
# `gradient` is a float16 tensor, computed from `scale` times the loss. `good` is the number of good
# steps since the scale last changed. Return three things: the true gradient in float32, or None if
# the step must be skipped because some value is infinite or NaN; the scale for the next step, half
# as large after a skipped one; and the new count, 0 after a skipped one. After `wait` good steps
# in a row, this one included, the scale doubles and the count starts again at 0.


# %%
def scaler_step(gradient, scale, good, wait):
    """One step of dynamic loss scaling -> (gradient or None, scale, good)."""
    ### SOLUTION scaler


# %% tags=["nbval-check-output"]
scaler_step = check.scaler(scaler_step)

# %% [markdown]
# {{answers scaler}}

# %% [markdown]
# ## Papers
#
# - K. He, X. Zhang, S. Ren, J. Sun. Deep Residual Learning for Image Recognition. CVPR 2016.
# - S. Ioffe, C. Szegedy. Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift. ICML 2015.
# - S. Nah, T. H. Kim, K. M. Lee. Deep Multi-scale Convolutional Neural Network for Dynamic Scene
#   Deblurring. CVPR 2017. (left batch norm out)
# - B. Lim, S. Son, H. Kim, S. Nah, K. M. Lee. Enhanced Deep Residual Networks for Single Image
#   Super-Resolution. CVPR Workshops 2017. (EDSR)
# - I. Loshchilov, F. Hutter. Decoupled Weight Decay Regularization. ICLR 2019. (AdamW)
# - P. Micikevicius et al. Mixed Precision Training. ICLR 2018. (loss scaling)
# - K. Zhang et al. Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising.
#   IEEE Transactions on Image Processing, 2017. (DnCNN: a shortcut around the whole)
# - V. Chernozhukov et al. Double/Debiased Machine Learning for Treatment and Structural Parameters.
#   The Econometrics Journal, 2018. (cross-fitting)
#
# **Next**: lesson 06 adds to the hand-written loss a network that judges the outputs, and looks
# closely at what the two invent.
