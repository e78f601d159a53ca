# %% [markdown]
# # 06. Adversarial training
#
# Squared error accepts a soft picture. Lesson 04's feature loss did not, and brought grain with the
# detail. Both are fixed before training begins. What if the loss were a network too, and *learned*
# to tell a photograph from an output? You would expect it to notice blur, because photographs are
# not blurred. In this lesson you build such a loss, train against it, and look closely at what it
# asks for.

# %% [markdown]
# {{setup}}

# %%
import copy
import math
from functools import partial
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from llie_helpers import data, metrics, models, plotting
from llie_helpers.data.crops import RandomCrops
from llie_helpers.images import quantise
from llie_helpers.lessons import widgets
from llie_helpers.lessons.checks import lesson_06 as check
from llie_helpers.methods import create_method
from llie_helpers.models.cost import count_parameters
from llie_helpers.training.batches import epoch_loader
from llie_helpers.training.recipe import load_recipe

device = lesson.device

# %% [markdown]
# Here is a wall in the dark. You know that it has vertical stripes, which repeat every six pixels.
# But the camera caught only noise. Below are its picture and two restorations.


# %%
def stripes(trace, random):
    """Patches of stripes -> (what the camera saw, the stripes), each (N, 1, 18, 18).

    Black is -1, white 1. ``trace`` has the height of the stripes in each of the N patches that the
    camera saw: 0 for noise alone.
    """
    size = (len(trace), 1, 18, 18)
    phase = 2 * math.pi * torch.rand(len(trace), 1, 1, 1, generator=random)
    wave = torch.sin(2 * math.pi * torch.arange(18) / 6 + phase).expand(size)
    noise = torch.randn(size, generator=random)
    return trace.view(-1, 1, 1, 1) * wave + 0.5 * noise, wave


# %% Draw the wall and two restorations tags=["hide-input"]
def enlarged(patch):
    """A patch (1, h, w) in [-1, 1] as an image of five times the size."""
    return F.interpolate((patch[None].clamp(-1, 1) + 1) / 2, scale_factor=5)[0].expand(3, -1, -1)


seen, walls = stripes(torch.zeros(2), torch.Generator().manual_seed(1))
plotting.show_images(
    [enlarged(patch) for patch in (seen[0], torch.zeros_like(seen[0]), walls[1])],
    ["the camera's picture", "restoration A", "restoration B"],
    alt="A patch of noise; restoration A, plain grey; restoration B, clear vertical stripes.",
)

# %% [markdown]
# Which of the two would you hand to a client? Which to a court?
#
# A is the mean of everything that the wall could be, lesson 04's safest answer. B is one of the
# walls that it could be. In section 4, two networks get the same task.
#
# **You will be able to**
#
# - build both players of a GAN, and say what one verdict sees;
# - write one step of the game, so that each loss moves only the player that it should teach;
# - read the curves of a game, and say what they cannot tell;
# - tell where an adversary pays and where it invents;
# - measure and show structure that an output has and its target lacks.
#
# {{minutes}}
#
# - **Quick profile** (no GPU needed): photographs from the installed libraries; 1.5 minutes; 1 GB
#   of memory.
# - **Full profile**: LOL v1, 500 real pairs; needs a GPU; about two hours on a small one
#   (estimated); 8 GB of memory.
#
# ## 1. A loss that learns
#
# ### To beat

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
# The mapper leads lesson 02's table in PSNR, although its pictures keep all the noise.
#
# {{claim baselines.best == "histogram mapper"}}
#
# ### Two players
#
# A **GAN**, a *generative adversarial network*, consists of two networks. The **generator**
# enhances photographs. The **discriminator** is shown a dark photograph together with a bright one,
# and says whether the bright one is *real* (the target) or *fake* (the generator's output). The
# generator is trained to pass for real. In the drawing, black arrows are images on their way
# forward. The coloured ones are gradients on their way back.

# %%
from llie_helpers.plotting.diagrams import show_game

show_game()

# %% [markdown]
# A verdict is a **logit**: any number, positive for "real". The sigmoid turns it into the
# probability $p$ of "real". The loss is the surprise at the truth: $-\log p$ if the pair was real,
# $-\log(1 - p)$ if it was fake. This is the *binary cross-entropy*. The discriminator's loss is the
# mean of both kinds.

# %%
levels = ["0", "0.5", "log 2 = 0.69", "1"]
question_loss = widgets.predict(
    "A discriminator that cannot tell real from fake gives both the probability 0.5. What is its "
    "loss?",
    levels,
)
question_loss

# %%
undecided = F.binary_cross_entropy_with_logits(torch.zeros(1), torch.ones(1)).item()
question_loss.reveal(
    levels[2],
    f"the surprise is -log 0.5 = {undecided:.4f}, whichever it was. It is a landmark in the curves "
    "below: a discriminator at log 2 is undecided.",
)

# %% [markdown]
# ## 2. Build both players
#
# ### The discriminator
#
# Ours is a **PatchGAN**. It ends in a small map of verdicts, each about the patch of the picture
# that it sees. Texture is local, so a judge of texture can be local too. It works on any size, and
# gives many verdicts to learn from. The picture as a whole is left to L1, the mean absolute error.
#
# {{exercise layers}}
#
# Return the layers as one flat `nn.Sequential`. Convolution number i goes from `channels[i]` to
# `channels[i + 1]` channels, with a kernel of 4, `strides[i]` and one pixel of padding.
# `nn.BatchNorm2d` follows each convolution but the first and the last. A convolution that a norm
# follows has `bias=False`, since the norm subtracts the mean. Then comes `nn.LeakyReLU(0.2)`, after
# every layer but the last. (It passes negative values on at a fifth of their size, so that no unit
# falls silent for good.) The output of the last convolution is the map of logits.


# %%
def patch_layers(channels, strides):
    """Return 4x4 convolutions that lead through ``channels``, one for each of ``strides``."""
    ### SOLUTION layers


# %% tags=["nbval-check-output"]
patch_layers = check.layers(patch_layers)

# %% [markdown]
# {{answers layers}}
#
# The whole discriminator, from `llie_helpers/models/patchgan.py`, made of your layers:

# %%
from llie_helpers.errors import CourseError  # noqa: F401 - for the class below
from llie_helpers.models.patchgan import SMALLEST, STRIDES  # noqa: F401

### SOURCE llie_helpers.models.patchgan.PatchGAN


# %% [markdown]
# Two things to notice. The discriminator sees the dark image as well, so it can say "this is no
# photograph of *that* scene". And there is no sigmoid: the loss takes the logits, for a reason that
# "Going deeper" shows. `STRIDES` are 2, 2, 2, 2, 1, 1.
#
# How large is a patch? Count the input pixels that have a gradient.
#
# {{claim tuple(STRIDES) == (2, 2, 2, 2, 1, 1)}}

# %% Measure a patch tags=["hide-input", "nbval-check-output"]
verdicts = PatchGAN(width=4).eval()(*torch.zeros(2, 1, 3, 256, 256))
image = torch.rand(1, 3, 256, 256, requires_grad=True)
PatchGAN(width=4).eval()(torch.zeros_like(image), image)[0, 0, 7, 7].backward()
rows = image.grad[0].abs().amax(dim=(0, 2)).nonzero()
patch_side = int(rows[-1] - rows[0] + 1)
print(f"{verdicts.shape[2]} x {verdicts.shape[3]} verdicts on 256 x 256 pixels")
print(f"each sees a square of {patch_side} pixels")

# %% [markdown]
# Drag the verdict along the diagonal. The solid box is its patch; the dashed one is that of the
# paper's "70 x 70 PatchGAN", with one stride-2 layer fewer. Does a box hold a texture, a thing,
# half the scene?
#
# {{claim patch_side == 142}}
# {{claim verdicts.shape[2:] == (14, 14)}}


# %% Draw what one verdict sees tags=["hide-input"]
def patch_of(strides, index):
    """First and last input pixel, along one side, that verdict number ``index`` sees."""
    return check.patch.reference([(4, stride, 1) for stride in strides], index)


def show_patch(verdict=6):
    """A photograph with two boxes: what a verdict of ours sees, and a smaller one of the paper."""
    figure = plotting.CourseFigure(9, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=[1.35, 1])
    left.imshow(test[0].normal[:, :256, :256].permute(1, 2, 0))
    for strides, index, style in (
        (STRIDES, verdict, "-"),
        (STRIDES[1:], round(verdict * 29 / 13), "--"),
    ):
        first, last = patch_of(strides, index)
        corner, side = (first, first), last - first + 1
        # White on black is seen on any photograph.
        for colour, line, thick in (("black", "-", 4.5), ("white", style, 2)):
            box = Rectangle(corner, side, side, fill=False, linestyle=line, linewidth=thick)
            box.set_edgecolor(colour)
            left.add_patch(box)
    left.set(xlim=(-60, 316), ylim=(316, -60), xticks=[0, 255], yticks=[0, 255])
    left.set_title("pixels {} to {}".format(*patch_of(STRIDES, verdict)))
    left.grid(False)
    grid = np.full((14, 14), 0.9)
    grid[verdict, verdict] = 0.4
    right.imshow(grid, vmin=0, vmax=1)
    lines = np.arange(14) - 0.5
    right.set(title=f"verdict ({verdict}, {verdict}) of 14 x 14", xticks=lines, yticks=lines)
    right.tick_params(length=0, labelbottom=False, labelleft=False)
    right.set_axisbelow(False)
    return figure


widgets.parameter_slider(show_patch, frames=5, verdict=(0, 13, 1))

# %% [markdown]
# In the quick profile, training crops are only 64 pixels wide, so there each verdict sees the whole
# crop. Keep in mind that this run does not test the idea of patches.
#
# ### The generator
#
# Ours has the skips and the dropout of **pix2pix**, whose generator is a U-Net, and the rest from
# Johnson et al.: it goes down to a quarter of the size, changes the features in residual blocks,
# and climbs back. The drawing is from the head of its file:

# %% tags=["nbval-check-output"]
from llie_helpers.models import pix2pix

print(pix2pix.__doc__)

# %% [markdown]
# Two things are new. Images are in [-1, 1], because the output layer is a *tanh*, which is
# symmetric around 0. And in training, **dropout** sets a random half of the decoder's features to
# 0. In pix2pix this is the only randomness.
#
# {{exercise network}}
#
# `__init__` makes the parts; write `forward`. Follow the drawing:
#
# 1. Bring the image from [0, 1] to [-1, 1].
# 2. `self.full_size`, `self.half_size`, `self.quarter_size`, `self.blocks`, one after the other.
#    Keep the results of the first two.
# 3. Enlarge by `F.interpolate(x, scale_factor=2)`, apply `self.to_half`, and put the features that
#    you kept at half the size beside the result: the decoder's channels first.
# 4. The same with `self.to_full` and the features at full size.
# 5. `self.head`, `torch.tanh`, and back to [0, 1].


# %%
from llie_helpers.models.network import Network, any_size
from llie_helpers.models.pix2pix import ResidualBlock, conv, decoder_level


class Generator(Network):
    """Map dark images (N, 3, H, W) in [0, 1] to enhanced ones."""

    multiple = 4

    def __init__(self, width=64, blocks=6, dropout=0.5):
        super().__init__()
        self.full_size = nn.Sequential(*conv(3, width, 7), nn.LeakyReLU(0.2))
        self.half_size = nn.Sequential(*conv(width, 2 * width, 3, 2), nn.LeakyReLU(0.2))
        self.quarter_size = nn.Sequential(*conv(2 * width, 4 * width, 3, 2), nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(*(ResidualBlock(4 * width) for _ in range(blocks)))
        self.to_half = decoder_level(4 * width, 2 * width, dropout)
        self.to_full = decoder_level(4 * width, width, dropout)
        self.head = nn.Sequential(*conv(2 * width, 3, 7))

    @any_size
    def forward(self, low):
        """(N, 3, H, W) in [0, 1] -> the same size and range."""
        ### SOLUTION network.forward


# %% tags=["nbval-check-output"]
Generator = check.network(Generator)

# %% [markdown]
# {{answers network}}
#
# `conv` puts a batch norm behind each convolution that it makes, even behind the last one of all,
# just before the tanh. "Going deeper" shows what this does to the brightness.

# %% tags=["nbval-check-output"]
full_size = Generator()
share = count_parameters(full_size.blocks) / count_parameters(full_size)
print(f"generator:     {count_parameters(full_size):,} parameters, {share:.0%} of them in blocks")
print(f"discriminator: {count_parameters(PatchGAN()):,} parameters")

# %% [markdown]
# ### Your class, its weights
#
# Your layers have the package's names, so weights trained on real pairs fit into your class. They
# belong to a generator a quarter as wide, trained on photographs that the mapper had lit first
# (lesson 05). Move the divider: on the left is the mapper alone, on the right your network
# follows it. Grain and fine detail are gone, and a faint weave has come instead. Now look at the
# brightest places. Nobody photographed those coloured glows. (Do not blame the adversary yet: in
# section 6, bright places burn out without one.)

# %%
photographs = data.load_pairs("embedded", "test")
garage = photographs[photographs.names.index("motorcycle_4stops")]
shipped = create_method("pix2pix", "lol_v1", device)
mine_trained = Generator(width=16).to(device).eval()
mine_trained.load_state_dict(shipped.network.state_dict())


@torch.no_grad()
def enhance(network, image):
    """(3, H, W) -> (3, H, W) by a network, in 8-bit steps."""
    return quantise(network(image[None].to(device))[0]).cpu()


lit = shipped.mapper(garage.low)
closer = [
    F.interpolate(image[None, :, 70:260, 100:385], scale_factor=2)[0]
    for image in (lit, enhance(mine_trained, lit))
]
widgets.before_after(
    *closer,
    labels=("mapper alone", "mapper and your class"),
    alt="a motorcycle, grainy by the mapper alone, smooth with coloured glows by your class",
)

# %% [markdown]
# ## 3. The step
#
# The players take turns on each batch. First the discriminator learns to tell the target from the
# output. Then the generator learns to pass for real and, by L1, to stay near the target. Two things
# easily go wrong. The discriminator's gradient must stop before the generator: `x.detach()` is `x`
# cut off, so that no gradient flows back through it. (Without it, the second turn fails: "Trying to
# backward through the graph a second time".) And the generator must ask the discriminator *again*:
# the first verdict was cut off, and now gradients have to flow back.
#
# {{exercise gan_step}}
#
# Take one turn of each player, and return three numbers:
#
# - `judged`, the discriminator's loss: the mean of the cross-entropies of the real pair (label 1)
#   and the fake one (label 0);
# - `fooled`, the cross-entropy of the generator's output with the label *1*: it wants to be taken
#   for real;
# - `near`, the L1 between output and target.
#
# The generator minimises `weight * fooled + 200 * near`. `optimizers` is a pair: the generator's
# and the discriminator's. Call the generator once. The cross-entropy of logits with the label 1 is
# `F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))`; for 0, `torch.zeros_like`.


# %%
def gan_step(generator, discriminator, optimizers, low, normal, weight):
    """Take one turn of each player -> (judged, fooled, near), three numbers."""
    ### SOLUTION gan_step


# %% tags=["nbval-check-output"]
gan_step = check.gan_step(gan_step)

# %% [markdown]
# {{answers gan_step}}
#
# Why the label 1, and not minus the discriminator's loss? The latter is nearly flat where a fake is
# easily caught, just when the generator has most to learn. The surprise at label 1 is steepest
# there.
#
# Why 200? The paper weights L1 with 100, for images in [-1, 1]. In [0, 1] the same error is half as
# large.
#
# ### The minute
#
# Your step, in the loop of lesson 05. Both optimisers are Adam with a short memory
# ($\beta_1 = 0.5$): yesterday's gradient is advice against an opponent who has moved since. After
# every epoch the loop keeps the weights, as the published system does. You will see why.

# %% The training loop of lesson 05, with your step tags=["hide-input"]
recipe = load_recipe("pix2pix", lesson.profile)
width = lesson.choose(quick=8, full=64)


def validate(network):
    """Mean L1 and mean PSNR over whole validation images."""
    outputs = [(enhance(network, pair.low), pair.normal) for pair in val]
    return [fmean(m(*images).item() for images in outputs) for m in (F.l1_loss, metrics.psnr)]


def checkpoint(title, epoch):
    """Return where the weights of an epoch are kept."""
    return lesson.run_dir(title) / "epochs" / f"epoch_{epoch:03}.safetensors"


def keep(network, path):
    """Write a generator's weights, to be loaded with ``create_model(..., weights=path)``."""
    kept = models.create_model("pix2pix", width=width)
    kept.load_state_dict(network.state_dict())
    models.save_weights(kept, path)


def play(title, players, weight, recipe=recipe):
    """Let copies of both players learn -> (generator, discriminator, history)."""
    torch.manual_seed(lesson.seed)
    generator, discriminator = (copy.deepcopy(player).train() for player in players)
    averaged = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    optimizers = [
        torch.optim.Adam(player.parameters(), recipe.learning_rate, (recipe.beta1, 0.999))
        for player in (generator, discriminator)
    ]
    crops = RandomCrops(train, recipe.crop_size, recipe.crops_per_epoch, lesson.seed, augment=True)
    history = []
    for epoch in range(1, recipe.epochs + 1):
        losses = []
        for low, normal in epoch_loader(crops, recipe.batch_size, lesson.seed, epoch):
            batch = low.to(device), normal.to(device)
            losses.append(gan_step(generator, discriminator, optimizers, *batch, weight))
            averaged.update_parameters(generator)
        judged, fooled, near = (fmean(column) for column in zip(*losses, strict=True))
        val_l1, val_psnr = validate(averaged.module.eval())
        row = {"epoch": epoch, "crops": epoch * recipe.crops_per_epoch, "lr": recipe.learning_rate}
        row |= {"train_loss": 200 * near, "val_loss": 200 * val_l1, "val_psnr": val_psnr}
        if weight:
            row |= {"adversarial_loss": fooled, "discriminator_loss": judged}
        history.append(row)
        keep(averaged.module, checkpoint(title, epoch))
    return averaged.module, discriminator.eval(), history


torch.manual_seed(lesson.seed)
players = Generator(width).to(device), PatchGAN(width).to(device)
print(f"generator {width} wide, {recipe.epochs} epochs of {recipe.crops_per_epoch} crops")

# %% [markdown]
# To know what the adversary is good for, you need a twin without it: the same first weights, the
# same crops, the same step, and a weight of 0 for the adversary.

# %%
_, discriminator, gan_history = play("pix2pix", players, weight=1.0)
*_, twin_history = play("l1_alone", players, weight=0.0)

# %% [markdown]
# ### The curves of a game

# %%
lowest_generator = "where the generator's loss is lowest"
lowest_discriminator = "where the discriminator's loss is lowest"
cannot = "the two losses of the game do not tell"
question_epoch = widgets.predict(
    "You have the weights of every epoch, and the two losses of the game, but no target to compare "
    "with. In which epoch are the outputs nearest to the targets?",
    [lowest_generator, lowest_discriminator, cannot],
)
question_epoch

# %% [markdown]
# Now the curves. The two middle panels are the game: the generator's loss against the
# discriminator, and the discriminator's against the generator. The dotted line is log 2, where the
# discriminator cannot tell. The twin, `L1 alone`, plays no game.

# %% [markdown] recorded="pix2pix_l1_0"
# Below yours are two longer runs on LOL v1, of 1,200 steps: again a GAN and its twin, with section
# 2's quarter-width generator, behind a mapper. Your minute ends (the line) in their first epoch.

# %% Draw the curves tags=["hide-input"]
recording = {"GAN": lessons.recorded("pix2pix_0"), "L1 alone": lessons.recorded("pix2pix_l1_0")}
plotting.show_history({"GAN": gan_history, "L1 alone": twin_history}, recording)

# %% Compare the three losses tags=["hide-input"]
best_row, fooling_row, judging_row = (
    min(gan_history, key=lambda row: row[column])["epoch"]
    for column in ("val_loss", "adversarial_loss", "discriminator_loss")
)
question_epoch.reveal(
    cannot,
    f"the validation L1 is lowest in epoch {best_row}, the generator's loss in epoch "
    f"{fooling_row}, the discriminator's in epoch {judging_row}. Each loss is measured against an "
    "opponent who learns as well.",
)

# %% [markdown] recorded="pix2pix_l1_0"
# Read the long run of the GAN. The generator's loss *rises* and then stays high, while its outputs
# come nearer to the targets. It is lowest after the first epoch, when they are worst. The
# discriminator's loss falls far below log 2, to 0.22: typically, it now gives the truth a
# probability of 80 %. And the twin, which played no game, gets just as near: both end at 20.1 dB.
#
# {{claim all(run[-1]["steps"] == 1200 for run in recording.values())}}
# {{claim recording["GAN"][-1]["adversarial_loss"] > 1.2 * recording["GAN"][0]["adversarial_loss"]}}
# {{claim recording["GAN"][-1]["val_psnr"] > recording["GAN"][0]["val_psnr"] + 1}}
# {{claim min(recording["GAN"], key=lambda row: row["adversarial_loss"])["epoch"] == 1}}
# {{claim min(recording["GAN"], key=lambda row: row["val_psnr"])["epoch"] == 1}}
# {{claim abs(math.exp(-recording["GAN"][-1]["discriminator_loss"]) - 0.8) < 0.01}}
# {{claim all(abs(run[-1]["val_psnr"] - 20.1) < 0.05 for run in recording.values())}}
# {{claim all(row["crops"] > 144 * 8 for run in recording.values() for row in run)}}

# %% [markdown]
# So the curves of a game do not fall together. What they do show is whether the players are in
# balance:
#
# | discriminator's loss | generator's loss | the game |
# | --- | --- | --- |
# | stays at log 2 | stays at log 2 | the judge is fooled, or was never any good |
# | wavers below log 2 | wavers above it | in balance: sometimes fooled, sometimes not; both learn |
# | sinks towards 0 | climbs | the judge has won: it catches every output, better ones too |
#
# Yours is in the middle row. The long run leans towards the last one. But none of the three says
# how good the pictures are: in a balanced game, level lines can mean that both players improve.
#
# So you look at samples, or compare with targets, and then *go back* to the epoch that you want.
# That is what the weights of every epoch are for. (`training.fit` keeps them too, in `snapshots/`.)
#
# {{claim 0.25 < gan_history[-1]["discriminator_loss"] < undecided}}
# {{claim gan_history[-1]["adversarial_loss"] > undecided}}


# %%
def go_back(title, history):
    """The generator as it was after the epoch with the lowest validation loss."""
    best = min(history, key=lambda row: row["val_loss"])["epoch"]
    kept = models.create_model("pix2pix", weights=checkpoint(title, best))
    network = Generator(width).to(device).eval()
    network.load_state_dict(kept.state_dict())
    return network


generator, twin = go_back("pix2pix", gan_history), go_back("l1_alone", twin_history)
keep(generator, lesson.run_dir("pix2pix") / "best.safetensors")
judged = {"GAN": metrics.evaluate(generator, test), "L1 alone": metrics.evaluate(twin, test)}
for label, its in judged.items():
    print(f"{label:9} {its.psnr:.2f} dB, SSIM {its.ssim:.3f} on the test photographs")

# %% [markdown]
# With an adversary or without, your scores are nearly the same. Is it good for nothing?
#
# {{claim abs(judged["GAN"].psnr - judged["L1 alone"].psnr) < 1.2}}
# {{claim abs(judged["GAN"].ssim - judged["L1 alone"].ssim) < 0.06}}
#
# ## 4. What does a network do that cannot know?
#
# To see an adversary at work, take a task in which you know exactly what can be known: the wall
# from the beginning. In most of the dark patches the stripes leave no trace, and nothing tells
# where they begin. In the others they leave a trace of three tenths of their height.
#
# The generator is small. To draw one wall, and not two halves that disagree, it must see most of
# the patch at once, without any stride. It does so by *dilation*: the nine weights of a kernel are
# applied to pixels 2 or 4 apart. Its six convolutions see 14 pixels to each side; a patch has 18.


# %%
def small_generator(width=16):
    """Return a network from patches (N, 1, H, W) to stripes in [-1, 1], of the same size.

    ``width`` is the number of channels. The only randomness is dropout, as in pix2pix.
    """
    layers = []
    for channels_in, reach in ((1, 1), (width, 2), (width, 4), (width, 4), (width, 2)):
        convolution = nn.Conv2d(channels_in, width, 3, padding=reach, dilation=reach)
        layers += [convolution, nn.LeakyReLU(0.2)]
    layers.insert(4, nn.Dropout(0.5))
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 3, padding=1), nn.Tanh())


# %% [markdown]
# It learns by *your* step, against a small discriminator made of *your* layers, from 16 new patches
# each time. The adversary has a weight of 100, half that of L1. The twin's has a weight of 0.


# %% Train on patches, by your step tags=["hide-input"]
def dark_walls(random):
    """What the camera saw of 16 walls, most of them without a trace, and the walls."""
    return stripes(0.3 * (torch.rand(16, generator=random) < 0.3), random)


def learn(draw, weight, steps=300):
    """Train on the patches that ``draw(random)`` returns -> the generator."""
    torch.manual_seed(lesson.seed)
    random = torch.Generator().manual_seed(lesson.seed)
    painter, layers = small_generator(), patch_layers((2, 16, 32, 1), (2, 2, 1))
    optimizers = [
        torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.999)) for net in (painter, layers)
    ]
    for _ in range(steps):
        gan_step(
            painter, lambda *pair: layers(torch.cat(pair, dim=1)), optimizers, *draw(random), weight
        )
    return painter.eval()


# %% [markdown]
# After training, both get new patches *without* a trace.

# %%
grey, lucky, wrong = (
    "plain grey",
    "strong stripes, in the right place in nearly every patch",
    "strong stripes that match the wall only by chance",
)
question_stripes = widgets.predict("What will the GAN draw?", [grey, lucky, wrong])
question_stripes

# %%
weights = {"L1 alone": 0.0, "GAN": 100.0}
painters = {who: learn(dark_walls, weight) for who, weight in weights.items()}

# %% [markdown]
# Below is one wall, with more and more of a trace from left to right. Beside it are two distances,
# mean absolute errors over 300 patches: to *the* wall, and to the nearest of *all possible* walls.
# A patch is right if it is brighter, on average, where the wall's stripes are bright.

# %% Draw the restorations and their distances tags=["hide-input"]
traces = (0.0, 0.05, 0.1, 0.2, 0.3)
starts = torch.arange(48)[:, None] / 48
possible_walls = torch.sin(2 * math.pi * (torch.arange(18) / 6 + starts))


def assess(made, walls):
    """Contrast, share of right patches, distance to the wall and to the nearest possible one."""
    match = ((made - made.mean(dim=(2, 3), keepdim=True)) * walls).mean(dim=(1, 2, 3))
    distances = [(made - wall).abs().mean(dim=(1, 2, 3)) for wall in possible_walls]
    return {
        "contrast": float(made.std(dim=(1, 2, 3)).mean() / walls.std(dim=(1, 2, 3)).mean()),
        "right": float((match > 0).float().mean()),
        "to the wall": float((made - walls).abs().mean()),
        "to any wall": float(torch.stack(distances).amin(dim=0).mean()),
    }


found, columns = {}, []
for trace in traces:
    seen, walls = stripes(torch.full((300,), trace), torch.Generator().manual_seed(5))
    with torch.no_grad():
        made = {who: painter(seen) for who, painter in painters.items()}
    found |= {(who, trace): assess(patches, walls) for who, patches in made.items()}
    column = [
        F.pad(patches[0, 0], (1, 1, 1, 1), value=1) for patches in (seen, *made.values(), walls)
    ]
    columns.append(torch.cat(column))

figure = plotting.CourseFigure(9, 4.6)
axes = figure.subplot_mosaic(
    [["walls", "to the wall"], ["walls", "to any wall"]], width_ratios=[1.55, 1]
)
axes["walls"].imshow(torch.cat(columns, dim=1), vmin=-1, vmax=1, interpolation="nearest")
axes["walls"].set_yticks([10 + 20 * row for row in range(4)], ["camera", *painters, "the wall"])
axes["walls"].set_xticks(
    [10 + 20 * column for column in range(5)],
    ["\n".join(f"{found[who, trace]['right']:.0%}" for who in painters) for trace in traces],
)
for column, trace in enumerate(traces):
    axes["walls"].text(10 + 20 * column, -2, f"trace {trace:g}", ha="center")
axes["walls"].set_xlabel("patches that are right: L1 alone above, GAN below")
axes["walls"].grid(False)
axes["walls"].tick_params(length=0)
for measure, title in (
    ("to the wall", "distance to the wall"),
    ("to any wall", "to the nearest possible wall"),
):
    lines = {who: [found[who, trace][measure] for trace in traces] for who in painters}
    for who, colour in (("L1 alone", plotting.COLOURS[1]), ("GAN", plotting.COLOURS[0])):
        axes[measure].plot(traces, lines[who], marker="o", color=colour, label=who)
    axes[measure].set(title=title, ylim=(0, 0.85), xticks=(0, 0.1, 0.2, 0.3))
for measure, place, remark in (
    ("to the wall", (0.012, 0.74), "it invents"),
    ("to the wall", (0.06, 0.2), "it pays"),
    ("to any wall", (0.012, 0.15), "it pays"),
):
    axes[measure].text(*place, remark, color=plotting.COLOURS[0])
axes["to the wall"].legend()
axes["to any wall"].set_xlabel("trace of the stripes")
figure.alt = (
    "Without a trace L1 alone draws grey and the GAN strong stripes; the more of a trace, the more "
    "both resemble the wall. To the wall, the GAN is further away without a trace and nearer at a "
    "tenth; to the nearest possible wall, it is nearer at both."
)
figure

# %%
question_stripes.reveal(
    wrong,
    f"its stripes have {found['GAN', 0.0]['contrast']:.0%} of the wall's contrast and are right in "
    f"{found['GAN', 0.0]['right']:.0%} of the patches, like the toss of a coin. L1 alone stays "
    f"close to grey, with {found['L1 alone', 0.0]['contrast']:.0%} of the contrast.",
)

# %% [markdown]
# **It knows no more.** First compare the two rows of percentages. At each trace, both networks are
# right about equally often. They differ in what they do with what they know.
#
# **It pays.** With a trace of a tenth, both know where the stripes are, in nearly every patch. L1
# alone gives a pale version, since training held no such trace, only none and three tenths. The
# GAN's clear stripes are true, and nearer to the wall. Even without a trace they are a better
# *likeness* of a wall than grey is (the lower curves). For the backdrop of a film, where any wall
# will do, you would take them. At three tenths L1 alone has learned the task, and an adversary
# brings it no nearer.
#
# **It invents.** For the court, you would not. Without a trace the GAN's stripes are nearly as
# strong, match the wall by chance, and are further from it than grey. It has to draw some: the
# discriminator has seen walls, and a grey patch is no wall.
#
# So with L1 alone you can *see* doubt: the more of it, the paler the stripes. The GAN's contrast
# hardly tells; only the bends give it away, and only to those who know that the stripes are
# straight. **An adversary removes blur, and with it the plainest sign of doubt.**
#
# {{claim all(abs(found["GAN", t]["right"] - found["L1 alone", t]["right"]) < 0.1 for t in traces)}}
# {{claim found["GAN", 0.1]["right"] > 0.9 and found["L1 alone", 0.1]["right"] > 0.9}}
# {{claim found["GAN", 0.1]["contrast"] > 1.4 * found["L1 alone", 0.1]["contrast"]}}
# {{claim found["GAN", 0.1]["to the wall"] < found["L1 alone", 0.1]["to the wall"] - 0.04}}
# {{claim found["GAN", 0.3]["to the wall"] > found["L1 alone", 0.3]["to the wall"] - 0.01}}
# {{claim found["GAN", 0.0]["to any wall"] < found["L1 alone", 0.0]["to any wall"] - 0.06}}
# {{claim found["GAN", 0.0]["contrast"] > 2 * found["L1 alone", 0.0]["contrast"]}}
# {{claim 0.35 < found["GAN", 0.0]["right"] < 0.65}}
# {{claim found["GAN", 0.0]["contrast"] > 0.65 * found["GAN", 0.3]["contrast"]}}
# {{claim found["L1 alone", 0.0]["contrast"] < 0.45 * found["L1 alone", 0.3]["contrast"]}}
# {{claim found["L1 alone", 0.0]["to the wall"] < found["GAN", 0.0]["to the wall"] - 0.05}}
#
# At the left end of the curves the GAN is nearer to walls in general and further from this one.
# There is a law behind this, found by Blau and Michaeli. At the limit of what is achievable,
# outputs can look more like real pictures only by being further from the truth.
#
# ## 5. Measure what it made up
#
# In photographs nobody tells you what can be known. But with a target, you can ask how much
# of the output's structure is in it. Take the fine structure of both, each image minus its local
# mean: $m$ (made) and $t$ (true). If $m$ is a weaker or stronger copy of $t$, nothing is invented.
# So around each pixel, fit the best factor $a$: the one for which $a t$ explains as much of $m$ as
# it can, that is, the mean of $(m - a t)^2$ over the window is least. By least squares,
# $a = \overline{m t} \,/\, \overline{t^2}$, where the bar is the mean over the window. What is left
# of $\overline{(m - a t)^2}$ is the energy that the target does not explain.
#
# {{exercise invented}}
#
# `made` and `true` are (N, C, H, W), and `window(values)` returns the mean around each pixel, in
# the same shape. Return the left-over energy around each pixel. The factor differs from pixel to
# pixel, so put the formula for $a$ into $\overline{(m - a t)^2}$ and simplify on paper first; you
# will need `window` three times. Add 1e-8 to the denominator.


# %%
def left_over(made, true, window):
    """Fine structures, (N, C, H, W) -> energy that the target does not explain."""
    ### SOLUTION invented


# %% tags=["nbval-check-output"]
left_over = check.invented(left_over)

# %% [markdown]
# {{answers invented}}
#
# Divided by the whole energy of the output's fine structure, it is a share: 0 if the target
# explains all of it, 1 if it explains nothing.


# %% Fine structure, and the share of it that is not in the target tags=["hide-input"]
def window(values, side=9):
    """Mean over the ``side`` x ``side`` pixels around each, (N, C, H, W)."""
    return F.avg_pool2d(values, side, stride=1, padding=side // 2, count_include_pad=False)


def fine(image):
    """What is left of (3, H, W) without its local mean, (1, 3, H, W)."""
    return image[None] - window(image[None], 5)


def energies(image, target):
    """Energy around each pixel that the target explains, and that it does not: (2, H, W)."""
    made = fine(image)
    left = torch.as_tensor(left_over(made, fine(target), window))
    return torch.cat([window(made.square()) - left, left]).mean(dim=1)


some = test.subset(range(0, len(test), 2))


def invented_share(method):
    """Share of the outputs' fine structure that their targets do not explain."""
    both = sum(energies(method(pair.low), pair.normal).mean(dim=(1, 2)) for pair in some)
    return float(both[1] / both.sum())


# %%
gamma = baselines.methods[baselines.tuned_gamma]
methods = {baselines.tuned_gamma: gamma}
methods |= {"L1 alone": partial(enhance, twin), "GAN": partial(enhance, generator)}
shares = {label: invented_share(method) for label, method in methods.items()}
for label, share in shares.items():
    print(f"{label:10} {share:.0%} of the fine structure is not in the target")

# %% [markdown]
# Be careful with the word "invented". For the gamma curve it is noise, which came with the input.
# For the networks it is noise that they let through, and structure that they made. And with a
# weight of 1 against 200, our adversary is hardly audible. To hear it, go on training the GAN for
# one short epoch, with the adversary at 0, 30 and 100, each time from the same weights and crops.
#
# {{claim shares["GAN"] < shares[baselines.tuned_gamma]}}

# %%
up, down, level = "it rises", "it falls", "it stays, within three points"
question_share = widgets.predict(
    "As the adversary gets louder, from 0 to 100, what happens to the share of fine structure that "
    "the target does not explain?",
    [up, down, level],
)
question_share

# %%
short = recipe.changed(epochs=1, crops_per_epoch=lesson.choose(quick=200, full=4800), ema=0.9)
loudness = (0.0, 30.0, 100.0)
louder = {
    weight: play(f"adversary_{weight:g}", (generator, discriminator), weight, short)[0]
    for weight in loudness
}

# %%
share_at = {weight: invented_share(partial(enhance, net)) for weight, net in louder.items()}
change = share_at[100.0] - share_at[0.0]
question_share.reveal(
    up if change > 0.03 else down if change < -0.03 else level,
    " -> ".join(f"{share:.0%} at {weight:g}" for weight, share in share_at.items()),
)

# %% [markdown]
# Now look. On the left is the target, in the middle the output, on the right the output's fine
# structure: blue where the target explains it, orange where it does not, and the paler, the weaker
# it is. Drag the adversary's weight down, and watch the colours, and the rim of the cup: its sides,
# and its inner edge, which burns out at 0.


# %% Draw what the target does not explain tags=["hide-input"]
pair = test[1]


def centre(image, height=180, width=240):
    """The middle of (..., H, W)."""
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


BLUE_TO_ORANGE = LinearSegmentedColormap.from_list("", plotting.COLOURS[:2])


def show_invented(weight):
    """Target, output, and the output's fine structure, coloured by whether the target has it."""
    image = enhance(louder[weight], pair.low)
    figure = plotting.CourseFigure(9, 2.5)
    axes = figure.subplots(1, 3)
    axes[0].imshow(centre(pair.normal).permute(1, 2, 0))
    axes[1].imshow(centre(image).permute(1, 2, 0))
    true, false = energies(image, pair.normal)
    strength = (centre(true + false).sqrt() / 0.06).clamp(max=1)
    axes[2].imshow(
        centre(false / (true + false)), cmap=BLUE_TO_ORANGE, vmin=0, vmax=1, alpha=strength
    )
    share = float(centre(false).sum() / centre(true + false).sum())
    titles = ("target", f"adversary x {weight:g}", f"not in the target: {share:.0%}")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xticks=[], yticks=[])
    return figure


def mean_colour(weight):
    """Mean red, green and blue of the photograph with an adversary of this weight."""
    return enhance(louder[weight], pair.low).mean(dim=(1, 2))


drift = (mean_colour(100) - mean_colour(0)).abs().max()
widgets.frames_slider(
    [show_invented(weight) for weight in loudness],
    [f"x {weight:g}" for weight in loudness],
    "adversary",
    alt="a cup: target, output, and the output's structure, orange where the target lacks it",
    first=2,
)

# %% [markdown]
# The colours drift as well, and the map does not see it: it looks at fine structure, and a wrong
# tone over a large area has none.
#
# {{claim drift > 0.015}}
#
# ### An eye and fur
#
# On the wall, the adversary also paid. Does it in a photograph? In deep darkness a mean over
# 4 x 4 pixels may be all that survives the noise. Section 4's small generator gets such means. It
# learns on one half of a cat and restores the other half, with an adversary of 0 and of 100.
# Guess before you look: will the adversary pay or invent at the rim of the eye, and in the fur?


# %% Restore half a cat tags=["hide-input"]
cat = next(pair.normal for pair in data.load_pairs("embedded", "train") if "chelsea" in pair.name)
cat = 2 * cat[:, :264].mean(dim=0, keepdim=True) - 1
half, other_half = cat[:, :, :232], cat[:, :, 232:]


def coarse(patches):
    """Patches with each 4 x 4 pixels replaced by their mean."""
    return F.interpolate(F.avg_pool2d(patches, 4), scale_factor=4)


def half_cats(random):
    """Means of 12 patches of one half of the cat, and the patches."""
    tops, lefts = (4 * torch.randint(end, (12,), generator=random) for end in (62, 54))
    patches = [half[:, y : y + 20, x : x + 20] for y, x in zip(tops, lefts, strict=True)]
    patches = torch.stack(patches)
    if torch.rand(1, generator=random) < 0.5:
        patches = patches.flip(-1)
    return coarse(patches), patches


means = coarse(other_half[None])
restored = {"target": other_half, "all that is known": means[0]}
for who, weight in weights.items():
    painter = learn(half_cats, weight)
    with torch.no_grad():
        restored[who] = painter(means)[0]

squares, remarks, of_target = [], [], {}
for place, (top, left) in {"eye": (88, 22), "forehead": (8, 2)}.items():
    square = ..., slice(top, top + 64), slice(left, left + 64)
    squares += [enlarged(1.3 * image[square]) for image in restored.values()]  # more contrast
    remarks += ["", ""]
    whole = energies(other_half, other_half)[square].sum()
    for who in weights:
        parts = energies(restored[who], other_half)[square].sum(dim=(1, 2)) / whole
        of_target[place, who] = parts.tolist()
        remarks.append("true {:.0%}, false {:.0%}".format(*parts.tolist()))
plotting.show_images(
    squares,
    [*restored, "", "", "", ""],
    remarks,
    columns=4,
    alt="A cat's eye, and below it fur of the forehead: the target, the means of 4 x 4 pixels, L1 "
    "alone with a soft rim and no hairs, the GAN with a sharp rim and with hairs.",
)

# %% [markdown]
# Below each restoration are its true and its false fine structure, as shares of the target's.
#
# **Above, it pays, at a price.** The rim of the eye has left its trace in the means. L1 alone draws
# it soft, the adversary sharp, and about where it is: the true share grows. The false one grows
# more. (A sharp line that is a pixel off counts as false.)
#
# **Below, it invents.** Of single hairs the means know next to nothing, so L1 alone leaves them
# out. The adversary draws fur, but few of its hairs are where the cat has one. Take it for a
# poster, not to tell this cat from its sister.
#
# {{claim sum(of_target["eye", "GAN"]) > 1.2 * sum(of_target["eye", "L1 alone"])}}
# {{claim of_target["eye", "GAN"][0] > 1.1 * of_target["eye", "L1 alone"][0]}}
# {{claim of_target["eye", "GAN"][0] > 2 * of_target["forehead", "GAN"][0]}}
# {{claim of_target["forehead", "GAN"][1] > 2 * of_target["forehead", "GAN"][0]}}
# {{claim of_target["forehead", "GAN"][1] > 1.3 * of_target["forehead", "L1 alone"][1]}}
#
# ## 6. Judge it
#
# ### The pictures first
#
# One of A and B is the GAN, the other is L1 alone. Can you tell which had an adversary? Before you
# read on, name three things that are wrong in both.

# %%
first_of_each = {pair.name.split("_")[0]: pair for pair in reversed(test)}
shown = list(first_of_each.values())[:3]
outputs = {
    label: [enhance(network, pair.low) for pair in shown]
    for label, network in (("A", generator), ("B", twin))
}
plotting.show_results([pair.low for pair in shown], outputs, [pair.normal for pair in shown])

# %% [markdown]
# A is the GAN. In both, the garage's floor and wall have burnt out, the sky is teal, and the red
# tank is orange; these pictures hardly tell the two apart.
#
# ### The table

# %% Note the scores and show the table tags=["hide-input"]
for label, network in (("pix2pix", generator), ("pix2pix, L1 alone", twin)):
    lesson.record(
        model=label,
        data=name,
        split="test",
        evaluation=judged["GAN" if network is generator else "L1 alone"],
        parameters=count_parameters(network),
    )
baselines.table(judged)

# %% [markdown]
# As in lessons 03 and 04, SSIM is far ahead of the mapper's, because most of the noise is gone. The
# bars below say what holds PSNR back: above all brightness, which is further off than the mapper's,
# and then local light and colour. In GT-mean PSNR, neither gets clearly past the mapper.
#
# {{claim judged["GAN"].ssim > mapped.ssim + 0.08}}
# {{claim max(its.psnr_gt_mean for its in judged.values()) < mapped.psnr_gt_mean + 0.25}}

# %% Draw the error in its parts tags=["hide-input"]
plotting.show_error_parts(
    {"02 mapper": mapped, "06 L1 alone": judged["L1 alone"], "06 GAN": judged["GAN"]}
)

# %% [markdown]
# ### A line that is easily forgotten
#
# `generator.eval()` switches dropout off and lets batch norm use the statistics of training. What
# does it cost to forget it?
#
# {{claim judged["GAN"].detail < mapped.detail}}
# {{claim judged["GAN"].local > mapped.local}}
# {{claim judged["GAN"].brightness > max(1.2 * mapped.brightness, judged["GAN"].local)}}


# %% Score the generator with both switches on tags=["hide-input"]
def in_mode(dropout, batch_statistics):
    """A copy of the generator with dropout, batch statistics or both left on."""
    network = copy.deepcopy(generator).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.train(dropout)
        if isinstance(layer, nn.BatchNorm2d):
            layer.train(batch_statistics)
    return network


def psnr_of(network):
    """Mean PSNR on every second test photograph."""
    return fmean(metrics.psnr(enhance(network, pair.low), pair.normal).item() for pair in some)


in_eval, forgotten = psnr_of(generator), psnr_of(in_mode(True, True))
print(f"with eval(): {in_eval:.2f} dB, without: {forgotten:.2f} dB")

# %% [markdown]
# No error, no warning, only worse pictures, and a different one each time. Dropout makes them
# differ; batch norm costs the decibels. In training, several crops shared one mean and one spread,
# so the darker crop stayed the darker one. Now the batch is a single photograph, and its *own* mean
# and spread are taken out: how dark it was is lost. ("Going deeper" takes the two switches apart.)
#
# {{claim forgotten < in_eval - 1}}
#
# ### What it must not be used for
#
# A loss that asks for the typical gets the typical, whether or not it was there. Cohen, Luck and
# Honari trained such networks on medical images, and tumours appeared or vanished, because the
# training images had more or fewer of them. The output of a GAN is a picture and no measurement:
# not evidence, not a diagnosis. A tool should say so (lesson 09).
#
# ## Recap
#
# **What you learned.** An adversary can buy texture with truth. Its curves cannot tell you the
# price; only a target can, or, in part, a second exposure ("Going deeper").
#
# - A discriminator is a loss that learns. Yours judges patches (in the quick profile, whole crops),
#   and takes the dark image into account.
# - The players take turns. `detach` keeps the discriminator's lesson out of the generator.
# - The losses of a game do not tell which epoch is best. Keep the weights of every epoch, and look.
# - An adversary adds no knowledge. It turns a pale answer into a clear one. That pays where the
#   answer is right, as on the wall with a faint trace, or where any likely answer will do.
# - Where the input tells nothing, as of single hairs, it turns "I do not know" into an answer that
#   is right by chance.
# - What the target does not explain can be measured, around each pixel.
#
# **What failed.** As loud as in the paper, the adversary changed next to nothing in a short run.
# Made louder, it left more in the picture that the target does not explain. Your discriminator went
# by brightness and colour, not by blur ("Going deeper"). And the measure cannot tell noise that was
# let through from structure that was made.

# %%
lessons.strip(lesson, generator)

# %% [markdown]
# Your panel is blurred, and its colours are off: eight channels and a minute draw neither the fins
# of the engine nor the letters on the tank. And the largest part of your network's error is that it
# did not know how bright the photographs were meant to be. Where in the numbers *is* the light?
# That is lesson 07.
#
# {{claim judged["GAN"].brightness > judged["GAN"].detail}}
#
# The core path ends here.
#
# ## Going deeper
#
# ### Two exposures, and no target
#
# For your own photographs there is no target. But take two from a tripod: the noise differs, and
# the scene does not. What changes in the output from one exposure to the next cannot come from the
# scene. Here you can make as many exposures as you like, by lesson 01's physics.

# %%
from llie_helpers.data.synthesis import darken

scene = photographs[8].normal
exposures = [
    darken(scene, 4.5, photons=2500, generator=torch.Generator().manual_seed(seed))
    for seed in range(4)
]


def changing_share(method):
    """Share of the fine structure that changes with the noise of the exposure."""
    structure = torch.cat([fine(method(image)) for image in exposures])
    return float(structure.var(dim=0).mean() / structure.square().mean())


changing = {label: changing_share(method) for label, method in methods.items()}
for label, share in changing.items():
    print(f"{label:10} {share:.0%} of the fine structure changes with the noise")

# %% [markdown]
# Go from one exposure to another. Shown is the fine structure alone, with eight times the
# contrast. What stays is the rocket. What boils around it is noise, or was made from it.
#
# {{claim changing["GAN"] < 0.6 * changing[baselines.tuned_gamma]}}


# %% Draw the fine structure of each exposure tags=["hide-input"]
def show_structure(image):
    panels = [
        (0.5 + 8 * centre(fine(method(image))[0], 110, 110)).clamp(0, 1)
        for method in methods.values()
    ]
    return plotting.show_images(panels, list(methods))


widgets.frames_slider(
    [show_structure(image) for image in exposures[:2]],
    range(1, 3),
    "exposure",
    alt="fine structure of gamma, of L1 alone and of the GAN; the rocket stays, grain changes",
)

# %% [markdown]
# This test needs no target, and finds noise that became texture. It cannot find what a network
# makes up in the same way every time, such as a wrong colour.
#
# ### What the sigmoid rounds away
#
# Why logits, and not probabilities? On paper it is the same. In 32 bits it is not. Here is a fake
# pair that the discriminator takes for real with growing confidence, and then the surprise at the
# label 1 for negative logits:

# %% tags=["nbval-check-output"]
logits = torch.tensor([5.0, 15.0, 17.0, 120.0], requires_grad=True)
naive = -torch.log(1 - torch.sigmoid(logits))
(slope,) = torch.autograd.grad(naive.sum(), logits)
other_side = -torch.log(torch.sigmoid(torch.tensor([-17.0, -88.0, -100.0])))
print("label 0, logits 5, 15, 17, 120:")
print(f"  loss {[round(v, 2) for v in naive.tolist()]}")
print(f"  gradient {[round(v, 2) for v in slope.tolist()]}")
print("label 1, logits -17, -88, -100:")
print(f"  loss {[round(v, 2) for v in other_side.tolist()]}")

# %% [markdown]
# From about +17 on, the sigmoid rounds to exactly 1. Then `1 - p` is 0, the loss is infinite, and
# the gradient is not a number. One NaN ruins every weight that it reaches. Negative logits fail
# later and differently: close to 0, float32 has far finer steps than close to 1, so -88 still gives
# a finite loss, and -100 does not.
#
# {{claim naive[1].isfinite() and naive[2:].isinf().all() and slope[3].isnan()}}
# {{claim other_side[1].isfinite() and other_side[2].isinf()}}
#
# {{exercise surprise}}
#
# Write the cross-entropy of logits of any size. `logits` is a tensor, `label` is 1.0 (real) or 0.0
# (fake). Return one surprise for each logit, finite and with the right gradient from -200 to 200,
# and without PyTorch's ready-made losses. (`F.softplus` or `torch.logaddexp` would pass, but they
# have the trick inside. Find it yourself.)


# %%
def surprise(logits, label):
    """Logits, label -> -log of the probability given to the label, same shape."""
    ### SOLUTION surprise


# %% tags=["nbval-check-output"]
surprise = check.surprise(surprise)

# %% [markdown]
# {{answers surprise}}
#
# ### A patch, by hand
#
# Section 2 counted the pixels that have a gradient. The number follows from the layers alone.
#
# {{exercise patch}}
#
# `layers` is a list of `(kernel, stride, padding)`. Padding adds that many rows of zeros at each
# border. For verdict number `index` along one side, counted from 0, return the first and the last
# input pixel that it sees. They may be outside the image.


# %%
def patch(layers, index):
    """List of (kernel, stride, padding), index -> (first pixel, last pixel)."""
    ### SOLUTION patch


# %% tags=["nbval-check-output"]
patch = check.patch(patch)

# %% [markdown]
# {{answers patch}}
#
# With this, the number 142 needs no network:

# %% tags=["nbval-check-output"]
for title, strides in (("ours", STRIDES), ("the paper's", STRIDES[1:])):
    first, last = patch([(4, stride, 1) for stride in strides], 7)
    print(f"{title:11} from {first} to {last}: {last - first + 1} pixels")

# %% [markdown]
# ### A batch that does not fit
#
# The recipe takes 12 crops of 256 x 256 at a time. A small GPU cannot hold that many, but it can
# add up the gradients of three batches of 4 before it takes a step: *gradient accumulation*
# (`batch_size = 4` and `accumulate = 3` in a recipe).
#
# {{exercise accumulate}}
#
# `batches` is a list of `(low, normal)`. All crops have the same size, but the last batch may have
# fewer of them. Take one step of the optimiser with the gradient of `F.l1_loss` averaged over all
# crops, as if they had come in one batch. But never hold more than one batch: what the model keeps
# for a batch's gradient is freed by `backward()`.


# %%
def accumulate(model, optimizer, batches):
    """Take one optimiser step for all ``batches`` together."""
    ### SOLUTION accumulate


# %% tags=["nbval-check-output"]
accumulate = check.accumulate(accumulate)

# %% [markdown]
# {{answers accumulate}}
#
# Is it really the same step? Compare the gradient of L1 for 12 crops at once with that for three
# batches of 4, with batch statistics and without.


# %%
def gradient(model, parts):
    """The gradient of L1 over ``parts`` of the 12 crops, as one long vector."""
    model.zero_grad()
    for dark, target in zip(low.chunk(parts), normal.chunk(parts), strict=True):
        (F.l1_loss(model(dark), target) / parts).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


crops = RandomCrops(train, recipe.crop_size, 12, lesson.seed)
low, normal = (torch.stack(images).to(device) for images in zip(*crops, strict=True))
untrained, apart = players[0], {}
for title, mode in (("batch statistics", True), ("fixed statistics", False)):
    untrained.train(mode)
    for layer in untrained.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    whole, three = gradient(untrained, 1), gradient(untrained, 3)
    apart[title] = float((whole - three).norm() / whole.norm())
    print(f"{title}: the gradients differ by {apart[title]:.1%}")

# %% [markdown]
# With fixed statistics only rounding is left. With batch statistics it is another step, because
# three batches of 4 have three means. It is not worse as a rule, but noisier, and not the step that
# the published system took. (The pix2pix paper itself used batches of 1 to 10.)
#
# {{claim apart["fixed statistics"] < 0.001 and apart["batch statistics"] > 0.05}}
#
# ### Batch norm as the last word
#
# Here are both switches of `eval()`, one by one:

# %%
modes = {}
for title, mode in {
    "both off": (False, False),
    "dropout on": (True, False),
    "batch statistics on": (False, True),
    "both on": (True, True),
}.items():
    network = in_mode(*mode)
    twice = [enhance(network, test[0].low) for _ in range(2)]
    modes[title] = psnr_of(network)
    differ = 255 * (twice[0] - twice[1]).abs().mean()
    print(f"{title:20} {modes[title]:.2f} dB; two answers differ by {differ:.1f} levels of 255")

# %% [markdown]
# Dropout adds noise. (The pix2pix paper leaves *both* switches on at test time, on purpose; from
# dropout it wanted answers that vary, and got little variety.) The large drop has another cause:
# batch norm. The first one divides by the spread of the batch, and with it by the light; the last
# one puts a learned value in the place of the output's mean.
#
# {{claim modes["dropout on"] > modes["batch statistics on"]}}

# %%
half, fixed, partly = "by about half", "by less than 2 %", "by 2 to 25 %"
question_norm = widgets.predict(
    "With batch statistics on, you give the generator one photograph, and then the same with half "
    "of its light. By how much does the mean of the output fall?",
    [half, fixed, partly],
)
question_norm

# %% [markdown]
# The mean of the output, for several exposures of one photograph, in both modes:

# %% Draw the mean of the output against the light tags=["hide-input"]
gains = [2.0**-k for k in range(5)]
photo = test[0]
means = {
    title: [enhance(in_mode(False, on), photo.low * gain).mean().item() for gain in gains]
    for title, on in (("batch statistics", True), ("fixed statistics", False))
}
figure = plotting.CourseFigure(6, 3.2)
axis = figure.subplots()
for title, values in means.items():
    axis.plot(gains, values, marker="o", label=title)
axis.axhline(photo.normal.mean().item(), color="black", linewidth=1, linestyle=":", label="target")
axis.set_xscale("log", base=2)
axis.set(xlabel="light given, as a share of the photograph's", ylim=(0, None))
axis.set_ylabel("mean of the output")
axis.legend()
figure.alt = (
    "The mean of the output against the light that was given: with batch statistics a level line, "
    "with fixed statistics a line that falls with the light."
)
figure

# %%
falls = {title: 1 - values[1] / values[0] for title, values in means.items()}
question_norm.reveal(
    fixed,
    f"it falls by {falls['batch statistics']:.1%} with batch statistics, and by "
    f"{falls['fixed statistics']:.0%} with fixed ones.",
)

# %% [markdown]
# A network that is there to set the brightness has norms that forget it, from the first to the
# last. In training the output hardly depends on the light of the batch as a whole, and the
# generator can only say which crop is brighter than which. At inference, fixed statistics take the
# place of the batch. This part of the published design we would not copy.
#
# {{claim falls["batch statistics"] < 0.02 < falls["fixed statistics"]}}
#
# ### What the judge goes by
#
# The discriminator is thrown away after training. First ask it a question: what gives an output
# away? Judge as in training, on crops, each batch normalised by its own statistics.


# %%
def tiles(image, side=recipe.crop_size):
    """(C, H, W) -> the whole side x side crops that fit in, (N, C, side, side)."""
    rows, columns = image.shape[1] // side, image.shape[2] // side
    crops = image[:, : rows * side, : columns * side].unfold(1, side, side).unfold(2, side, side)
    return crops.permute(1, 2, 0, 3, 4).flatten(0, 1)


@torch.no_grad()
def share_fake(change):
    """Share of verdicts "fake" on what ``change(pair)`` returns, (N, 3, side, side)."""
    judge = copy.deepcopy(discriminator).train()
    verdicts = [judge(tiles(pair.low).to(device), change(pair).to(device)) for pair in some]
    return fmean((logits < 0).float().mean().item() for logits in verdicts)


@torch.no_grad()
def as_made(pair, dropout=True, batch_statistics=True):
    """Crops made by the generator in one of its modes."""
    return in_mode(dropout, batch_statistics)(tiles(pair.low).to(device)).cpu()


def corrected(pair):
    """Crops made as in training, with the mean of each channel set to the target's."""
    crops, goal = as_made(pair), tiles(pair.normal)
    gain = goal.mean(dim=(0, 2, 3), keepdim=True) / crops.mean(dim=(0, 2, 3), keepdim=True)
    return (crops * gain).clamp(0, 1)


caught = {
    "targets": share_fake(lambda pair: tiles(pair.normal)),
    "made as in training": share_fake(as_made),
    "the same, three gains corrected": share_fake(corrected),
    "made as used, in eval mode": share_fake(lambda pair: as_made(pair, False, False)),
}
for title, share in caught.items():
    print(f"{title:32} {share:4.0%} judged fake")

# %% [markdown]
# It catches about four in five of the crops that were made as in training. Correct three gains, one
# for each channel, and most of them pass. So it went by brightness and colour, and not by blur or
# texture, for which it had been hired. It catches fewer in eval mode, where the brightness follows
# the photograph. With batch statistics the last norm gives every photograph much the same
# brightness, right or wrong.
#
# Brightness is also the first thing that L1 sees. A discriminator learns whatever tells the two
# apart most easily, and its loss never says what that was.
#
# {{claim caught["made as in training"] > 0.7 and caught["targets"] < 0.3}}
# {{claim caught["the same, three gains corrected"] < 0.6 * caught["made as in training"]}}
# {{claim caught["made as used, in eval mode"] < 0.8 * caught["made as in training"]}}
#
# ### What came after
#
# The game of this lesson is that of 2017. Since then, the judge has been tamed: a *hinge* loss no
# longer rewards verdicts that are right by a margin, *spectral normalisation* (Miyato et al., 2018)
# or a penalty on its gradient (Mescheder et al., 2018) keeps it from growing too steep, and batch
# norm is gone from it. That helps against **mode collapse** too, in which a generator without
# targets makes the same few pictures over and over. EnlightenGAN (Jiang et al., 2021) brightens
# photographs without any pairs. There is no target for L1 then, so it needs an adversary. And in
# ESRGAN (Wang et al., 2018) an adversary pays: people prefer its enlarged textures, although PSNR
# does not. They are invented all the same, as are those of the diffusion models that have since
# overtaken GANs.
#
# ### On LOL v1
#
# The full network trains with one command, and is scored with another; a GPU is needed for the
# first. Where the memory is too small, add `--set batch_size=4 --set accumulate=3`.
#
# ```
# python -m llie_helpers train --model pix2pix --data lol_v1
# python -m llie_helpers evaluate --model pix2pix --data lol_v1 --split test \
#     --weights runs/pix2pix_lol_v1_0/best.safetensors
# ```
#
# Full-size weights would fill 30 MB. What the course ships, and you have used in section 2, has a
# quarter of the width and was trained for 43 minutes on one processor core. Its model card says how
# it scores on LOL's own test images.
#
# ## Papers
#
# - I. Goodfellow, J. Pouget-Abadie, M. Mirza, B. Xu, D. Warde-Farley, S. Ozair, A. Courville, Y.
#   Bengio. Generative Adversarial Nets. NeurIPS 2014.
# - P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros. Image-to-Image Translation with Conditional
#   Adversarial Networks. CVPR 2017. (pix2pix)
# - J. Johnson, A. Alahi, L. Fei-Fei. Perceptual Losses for Real-Time Style Transfer and
#   Super-Resolution. ECCV 2016. (the generator's strided layers and residual blocks)
# - S. Ioffe, C. Szegedy. Batch Normalization: Accelerating Deep Network Training by Reducing
#   Internal Covariate Shift. ICML 2015.
# - Y. Blau, T. Michaeli. The Perception-Distortion Tradeoff. CVPR 2018.
# - T. Miyato, T. Kataoka, M. Koyama, Y. Yoshida. Spectral Normalization for Generative Adversarial
#   Networks. ICLR 2018.
# - L. Mescheder, A. Geiger, S. Nowozin. Which Training Methods for GANs Do Actually Converge? ICML
#   2018.
# - Y. Jiang and others. EnlightenGAN: Deep Light Enhancement Without Paired Supervision. IEEE
#   Transactions on Image Processing, 2021.
# - X. Wang and others. ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks. ECCV
#   Workshops 2018.
# - J. P. Cohen, M. Luck, S. Honari. Distribution Matching Losses Can Hallucinate Features in
#   Medical Image Translation. MICCAI 2018.
#
# **Next**: lesson 07 leaves pixels for frequencies, where the light of an image is in one half of
# the numbers and its structure in the other.
