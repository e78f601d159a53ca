"""Exercises of lesson 03: crops, a block, a network, a training step, when to stop; layers."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset

from llie_helpers.data.augment import flip_rotate
from llie_helpers.data.pairs import Pair
from llie_helpers.lessons.checks.compare import Finding
from llie_helpers.lessons.checks.exercise import Exercise, combine
from llie_helpers.lessons.checks.networks import network as look_at_network
from llie_helpers.lessons.checks.networks import network_with_advice
from llie_helpers.models.mse_cnn import MSECNN


class CropsSolution(Dataset):
    """Random crops of pairs, turned at random: (low, normal), each (3, side, side)."""

    def __init__(self, pairs, side):
        self.pairs, self.side = pairs, side

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        pair = self.pairs[index]
        _, height, width = pair.low.shape
        top = int(torch.randint(height - self.side + 1, ()))
        left = int(torch.randint(width - self.side + 1, ()))
        window = ..., slice(top, top + self.side), slice(left, left + self.side)
        k = int(torch.randint(8, ()))
        return flip_rotate(pair.low[window], k), flip_rotate(pair.normal[window], k)


DRAWS = 300  # enough to meet each of 6 rows, 4 columns and 8 turns: missed once in 1e15


def numbered_pairs():
    """Pairs whose pixels say where they are: row, column, and pair."""
    rows, columns = torch.meshgrid(torch.arange(10.0), torch.arange(8.0), indexing="ij")
    images = [torch.stack([rows, columns, torch.full_like(rows, i)]) / 16 for i in range(2)]
    return [([Pair(image, image + 1, f"pair {i}", i) for i, image in enumerate(images)], 5)]


def crops_observe(answer, pairs, side):
    """Draw many crops, and find out from their pixels where they were cut and how turned."""
    dataset = answer(pairs, side)
    corners, turns = set(), set()
    for draw in range(DRAWS):
        item = dataset[draw % len(pairs)]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise Finding("return two images, (low, normal).")
        if not all(isinstance(image, torch.Tensor) for image in item):
            raise Finding("return two tensors, as `pair.low` and `pair.normal` are.")
        low, normal = item
        if low.shape != (3, side, side) or normal.shape != (3, side, side):
            raise Finding(
                f"a crop must be (3, {side}, {side}), "
                f"yours are {tuple(low.shape)} and {tuple(normal.shape)}."
            )
        if torch.equal(low, normal):
            raise Finding("both images are the same; cut one from pair.low, one from pair.normal.")
        if low.mean() > normal.mean():
            raise Finding("the order is (low, normal); yours is the other way round.")
        turn, corner = whereabouts(low)
        if (turn, corner) != whereabouts(normal - 1):
            what = "cut at the same place" if turn == whereabouts(normal - 1)[0] else "turned alike"
            raise Finding(
                f"low and normal are not {what}: draw each random number once and use it for both."
            )
        if float(low[2].mean() * 16) != draw % len(pairs):
            raise Finding("dataset[index] must be a crop of pair number `index`.")
        corners.add(corner)
        turns.add(turn)
    tops, lefts = ({corner[axis] for corner in corners} for axis in (0, 1))
    if len(turns) == 1:
        raise Finding("no crop is turned: draw k anew for each crop, and use it.")
    if len(turns) < 8:
        raise Finding(f"only {len(turns)} of the eight turns occur; k runs from 0 to 7.")
    for name, found, length in (("row", tops, 10), ("column", lefts, 8)):
        if found == {0}:
            raise Finding(f"all crops begin in the first {name}; draw where they begin.")
        if max(found) < length - side:
            raise Finding(
                f"the last {name} is never reached: an image of {length} {name}s has "
                f"{length} - side + 1 places for a crop, and randint(n, ()) gives 0 to n - 1."
            )
        if min(found) > 0:
            raise Finding(f"no crop begins in the first {name}; rows and columns count from 0.")
    return len(dataset)


def whereabouts(crop):
    """Which of the eight turns was made, and the first row and column of the window."""
    side = crop.shape[-1]
    for k in range(8):
        straight = crop.flip(-1) if k >= 4 else crop
        straight = torch.rot90(straight, -(k % 4), dims=(-2, -1)) * 16
        top, left = straight[0].min(), straight[1].min()
        steps = torch.arange(side)
        if torch.allclose(straight[0], top + steps[:, None]) and torch.allclose(
            straight[1], left + steps[None]
        ):
            return k, (int(top.round()), int(left.round()))
    raise Finding(
        "a crop must be one square window of the image, turned, and not changed otherwise."
    )


crops = Exercise(
    title="A data set of crops",
    minutes=10,
    difficulty=3,
    reference=CropsSolution,
    methods=("__getitem__",),
    inputs=numbered_pairs,
    observe=crops_observe,
    mistakes={
        "low and normal are not cut at the same place": [
            "pair.normal[window] => pair.normal[..., : self.side, : self.side]"
        ],
        "low and normal are not turned alike": [
            "flip_rotate(pair.normal[window], k) => "
            "flip_rotate(pair.normal[window], int(torch.randint(8, ())))"
        ],
        "no crop is turned": ["randint(8, => randint(1,"],
        "only 4 of the eight turns occur": ["randint(8, => randint(4,"],
        "only 7 of the eight turns occur": ["randint(8, => randint(7,"],
        "the last row is never reached": ["height - self.side + 1 => height - self.side"],
        "the last column is never reached": ["width - self.side + 1 => width - self.side"],
        "no crop begins in the first row": ["height - self.side + 1 => 1, height - self.side + 1"],
        "all crops begin in the first column": [
            "left = int(torch.randint(width - self.side + 1, ())) => left = 0"
        ],
        "return two tensors": [
            "return flip_rotate(pair.low[window], k), flip_rotate(pair.normal[window], k) => "
            "return pair.low[window].numpy(), pair.normal[window].numpy()"
        ],
        "the order is (low, normal)": [
            "flip_rotate(pair.low[window], k), flip_rotate(pair.normal[window], k) => "
            "flip_rotate(pair.normal[window], k), flip_rotate(pair.low[window], k)"
        ],
        "both images are the same": ["pair.normal[window] => pair.low[window]"],
        "must be a crop of pair number `index`": ["self.pairs[index] => self.pairs[0]"],
    },
    hints=[
        "A window is a first row, a first column and a side. How many first rows are there in an "
        "image of 10 rows, for a side of 5?",
        "Draw `top`, `left` and `k` once, before you touch either image. Then cut both images with "
        "the same window and turn both by the same `k`.",
        "`top` runs from 0 to `height - side`, so `top = int(torch.randint(height - self.side + 1, "
        "()))`. The crop is `image[:, top : top + side, left : left + side]`.",
    ],
)


def block_solution(channels_in, channels_out, stride=1):
    """Return a 3x3 convolution with ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size=3, stride=stride, padding=1), nn.ReLU()
    )


def block_observe(answer, options, image):
    """Compare layers and output with the package's, and name what is easily seen."""
    made = answer(**options)
    if isinstance(made, nn.Module):
        size = tuple(made(image).shape[-2:])
        expected = tuple(math.ceil(side / options["stride"]) for side in image.shape[-2:])
        conv = next((each for each in made.modules() if isinstance(each, nn.Conv2d)), None)
        if conv and size != expected:
            raise Finding(
                f"with stride {options['stride']}, {image.shape[-2]} x {image.shape[-1]} pixels "
                f"must become {expected[0]} x {expected[1]}, yours become {size[0]} x {size[1]}: "
                + (
                    "pass `stride` on to the convolution."
                    if conv.stride[0] != options["stride"]
                    else "the window is 3 pixels wide."
                    if conv.kernel_size != (3, 3)
                    else "a window of 3 needs one pixel of padding on each side."
                )
            )
        if any(isinstance(layer, nn.LeakyReLU) for layer in made.modules()):
            raise Finding("a LeakyReLU lets negative values through; use nn.ReLU().")
    return look_at_network(answer, options, image)


block = Exercise(
    title="A block: convolution and ReLU",
    minutes=4,
    difficulty=2,
    reference=block_solution,
    inputs=lambda: [
        ({"channels_in": 3, "channels_out": 5, "stride": 1}, torch.rand(1, 3, 6, 9) - 0.5),
        ({"channels_in": 4, "channels_out": 2, "stride": 2}, torch.rand(2, 4, 25, 8) - 0.5),
    ],
    observe=block_observe,
    mistakes={
        "there is no ReLU; the block must not return negative values.": ", nn.ReLU() => ",
        "the ReLU comes before the convolution; it belongs after it.": (
            lambda channels_in, channels_out, stride: nn.Sequential(
                nn.ReLU(), nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
            )
        ),
        "needs one pixel of padding on each side": [", padding=1 => "],
        "the window is 3 pixels wide": ["kernel_size=3 => kernel_size=5"],
        "pass `stride` on to the convolution": ["stride=stride => stride=1"],
        "a LeakyReLU lets negative values through": ["nn.ReLU() => nn.LeakyReLU()"],
    },
    hints=[
        "`nn.Conv2d(channels_in, channels_out, kernel_size, stride=..., padding=...)` is the "
        "convolution. How many pixels does a window of 3 need beyond the border, so that the first "
        "pixel can be in its middle?",
        "One pixel of padding on each side. Put the convolution and `nn.ReLU()` into "
        "`nn.Sequential`, in this order.",
    ],
)


network = Exercise(
    title="The forward pass of an encoder-decoder",
    minutes=10,
    difficulty=4,
    reference=MSECNN,
    methods=("forward",),
    inputs=lambda: [
        ({"widths": (4, 6, 8)}, torch.rand(1, 3, 16, 24)),
        ({"widths": (3, 4, 5, 6)}, torch.rand(2, 3, 17, 19)),
    ],
    observe=network_with_advice(
        "The list begins with self.stem(low), and each step up meets the encoder's features of its "
        "size: take the bottom off your list first, use self.up in reverse, enlarge by 2, "
        "and add them, do not concatenate."
    ),
    mistakes={
        "the middle is missing: at the bottom, add self.middle(x) to x.": (
            "x = x + self.middle(x) => pass"
        ),
        "at the bottom, add the middle's result to the features; you replace them.": (
            "x = x + self.middle(x) => x = self.middle(x)"
        ),
        "the shortcuts are missing: add the encoder's features of the same level.": (
            "levels.pop() + F.interpolate => F.interpolate"
        ),
        "the features are enlarged before the up block; call the block first, at the smaller "
        "size, and enlarge its result.": (
            'F.interpolate(up(x), scale_factor=2, mode="bilinear") => '
            'up(F.interpolate(x, scale_factor=2, mode="bilinear"))'
        ),
        'enlarge with mode="bilinear"; the default repeats pixels, which shows as blocks.': (
            ', mode="bilinear" => '
        ),
        "the sigmoid is missing; without it values leave the range from 0 to 1.": (
            "torch.sigmoid(self.head(x)) => self.head(x)"
        ),
        "clamp is not the sigmoid: outside 0 to 1 it has no gradient, so training would stall.": (
            "torch.sigmoid(self.head(x)) => self.head(x).clamp(0, 1)"
        ),
        "The list begins with self.stem(low)": ["[self.stem(low)] => [low]"],
        "use self.up in reverse": ["reversed(self.up) => self.up"],
        "take the bottom off your list": ["x = levels.pop() => x = levels[-1]"],
        "add them, do not concatenate": [
            'levels.pop() + F.interpolate(up(x), scale_factor=2, mode="bilinear") => '
            'torch.cat([levels.pop(), F.interpolate(up(x), scale_factor=2, mode="bilinear")], 1)'
        ],
    },
    hints=[
        "Begin a list with `self.stem(low)`. Each block of `self.down` takes the last entry of the "
        "list and appends its result. Which entry is the bottom?",
        "Take the bottom from the list with `levels.pop()`. From there on, each step up needs the "
        "entry that is now last: `levels.pop()` again.",
        "A step up is `levels.pop() + F.interpolate(up(x), ...)`, for `up` in `reversed(self.up)`.",
    ],
)


def step_solution(model, optimizer, low, normal):
    """One training step; returns the loss as a number."""
    loss = F.mse_loss(model(low), normal)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def step_inputs():
    model = nn.Conv2d(3, 3, kernel_size=3, padding=1)
    with torch.no_grad():
        model.weight *= 10
    # Inputs and weights are large, so that the gradient of every loss is longer than 1.
    return [(model, [(2 * torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)) for _ in range(3)])]


def step_observe(answer, model, batches):
    """Take three steps and look at losses and weights."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    start = model.weight.detach().clone()
    losses = [answer(model, optimizer, low, normal) for low, normal in batches]
    if any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses):
        raise Finding(
            "you return the loss with its graph, which keeps every activation in memory; "
            "return the number, loss.item()."
        )
    if torch.equal(model.weight, start):
        raise Finding(
            "the weights do not change: optimizer.step() is missing, or no gradients are there "
            "when it runs (backward() not called yet, or zero_grad() after it)."
        )
    return losses, model.weight.detach(), model.bias.detach()


step = Exercise(
    title="A training step with three bugs",
    minutes=6,
    difficulty=2,
    reference=step_solution,
    inputs=step_inputs,
    observe=step_observe,
    mistakes=combine(
        {
            "the gradients of earlier steps add up; "
            "call optimizer.zero_grad() in every step.": "optimizer.zero_grad() => pass",
            "the step is taken with gradients that are not clipped: clip_grad_norm_ comes before "
            "backward(), when the new gradients are not there yet, or it is missing.": [
                "    loss.backward()\n => ",
                "1.0)\n => 1.0)\n    loss.backward()\n",
            ],
            "the loss compares the output with the low-light input; "
            "the target is normal.": ", normal) => , low)",
            "the loss is the absolute error; "
            "this lesson trains on the squared one.": "F.mse_loss( => F.l1_loss(",
            "the loss adds up all squared errors; take their mean, or the "
            "step depends on the size of the crop.": [
                "F.mse_loss( => nn.MSELoss(reduction='sum')("
            ],
        },
        most=3,
    )
    | {
        "clip_grad_value_ limits each value of the gradient by itself and changes its direction; "
        "clip_grad_norm_ limits its length.": "clip_grad_norm_ => clip_grad_value_",
        "you compute the loss again after the step; return the loss that the step was taken "
        "with.": "return loss.item() => return F.mse_loss(model(low), normal).item()",
        "you return the loss with its graph": ["loss.item() => loss"],
        "the weights do not change": ["optimizer.step() => pass"],
    },
    right=[lambda *given: torch.tensor(step_solution(*given))],
    hints=[
        "Say aloud what each line does to the gradients stored in the parameters. In which "
        "order must they be cleared, computed, shortened and used?",
        "`backward()` adds to the stored gradients; it does not replace them. Which two lines "
        "must therefore come right before it and right after it?",
        "Forward and loss against `normal`, `zero_grad`, `backward`, clip, `step`.",
    ],
)


def stop_solution(losses, patience, min_delta):
    """Whether training should stop after the last of ``losses``."""
    best, waited = float("inf"), 0
    for loss in losses:
        if loss < best - min_delta:
            best, waited = loss, 0
        else:
            waited += 1
    return waited >= patience


def stop_inputs():
    """Every beginning of these losses, as training asks after each epoch."""
    runs = [
        ([5.0, 4.0, 4.5, 4.4, 4.3, 4.2, 4.1], 3, 0.0),
        ([5.0, 5.1, 4.0, 4.1, 3.0, 3.1, 3.2, 2.0, 2.5], 2, 0.0),
        ([5.0, 5.1, 4.0, 4.1, 3.0, 3.1, 2.0, 2.1, 1.0, 1.1, 1.2, 1.3, 1.4], 3, 0.0),
        ([3.0, 2.95, 2.9, 2.85, 2.8, 2.75, 2.7, 2.65, 2.6, 2.55], 3, 0.12),
        ([3.0, 2.99, 2.98, 2.97, 2.96, 2.95], 2, 0.1),
        ([3.0, 3.05, 3.02, 3.08, 3.04, 2.0], 4, 0.1),
        ([3.0, 2.0, 1.0], 5, 0.0),
        # Better than the best by more than the limit, and than the lowest by less.
        ([3.0, 2.95, 2.92, 2.89, 2.88, 2.87], 2, 0.1),
        # Equal to the limit, in numbers that a float holds exactly.
        ([3.0, 2.5, 2.5, 2.5, 2.5, 2.5], 2, 0.5),
    ]
    return [
        (losses[:epochs], patience, min_delta)
        for losses, patience, min_delta in runs
        for epochs in range(1, len(losses) + 1)
    ]


def stop_observe(answer, losses, patience, min_delta):
    """Return what the rule says, if that is a yes or no."""
    stopped = answer(losses, patience, min_delta)
    if isinstance(stopped, bool) or str(getattr(stopped, "dtype", "")) in ("bool", "torch.bool"):
        return bool(stopped)
    raise Finding(f"return True or False, not {stopped!r}.")


stop = Exercise(
    title="When to stop",
    minutes=6,
    difficulty=3,
    reference=stop_solution,
    inputs=stop_inputs,
    observe=stop_observe,
    mistakes={
        "you stop one epoch late: with patience 3, "
        "the third epoch without a new best is the last.": ">= patience => > patience",
        "you stop one epoch early: "
        "count only epochs without a new best.": ">= patience => >= patience - 1",
        "each loss is compared with the one before; "
        "compare it with the best so far.": "waited += 1 => best, waited = loss, waited + 1",
        "the count of waited "
        "epochs is not set back to 0 when a new best comes.": "loss, 0 => loss, waited",
        "min_delta is not used: "
        "an improvement has to be larger than that.": "best - min_delta => best",
        "min_delta has the wrong sign: "
        "a new best is below best - min_delta.": "best - min_delta => best + min_delta",
        "a loss of exactly best - min_delta is no new best yet: "
        "take < and not <=.": "loss < => loss <=",
        "the best loss creeps down by steps smaller than min_delta; keep it until a loss is lower "
        "by more than min_delta.": "waited += 1 => best, waited = min(best, loss), waited + 1",
        "that is whether training goes on; asked is whether it stops.": (
            "waited >= patience => waited < patience"
        ),
        "a new best after a long wait starts the count again: decide after the last loss, "
        "not inside the loop.": (
            "waited += 1 => waited += 1\n        if waited >= patience:\n            return True"
        ),
        "you ask whether the last losses are below the lowest one before them; the best may be a "
        "higher one, for it moves only when a loss is lower by more than min_delta.": (
            lambda losses, patience, min_delta: (
                len(losses) > patience
                and min(losses[-patience:]) >= min(losses[:-patience]) - min_delta
            )
        ),
        "return True or False, not": ["waited >= patience => waited"],
    },
    right=[lambda *given: torch.tensor(stop_solution(*given))],
    hints=[
        "Walk through the losses and remember two things: the best so far, and how many epochs "
        "have passed since it.",
        "A loss below `best - min_delta` is a new best and sets the count to 0. Any other loss "
        "leaves the best as it is and adds one to the count.",
        "After the last loss, training should stop if the count has reached `patience`.",
    ],
)


def cost_solution(channels_in, channels_out, kernel, stride, height, width):
    """Parameters and multiply-adds of one convolution."""
    weights = channels_in * channels_out * kernel**2
    outputs = math.ceil(height / stride) * math.ceil(width / stride)
    return weights + channels_out, weights * outputs


cost = Exercise(
    title="What a convolution costs",
    minutes=6,
    difficulty=2,
    reference=cost_solution,
    inputs=lambda: [(5, 7, 3, 2, 40, 60), (4, 6, 5, 4, 64, 32), (3, 5, 3, 2, 25, 38)],
    mistakes={
        "the bias is missing: "
        "one more parameter per output channel.": "weights + channels_out => weights",
        "the bias belongs to the output channels, one each, "
        "not to the input channels.": "+ channels_out => + channels_in",
        "there is one bias per output channel, not one per layer.": "+ channels_out => + 1",
        "a kernel is a square: "
        "kernel * kernel weights per pair of channels.": "kernel**2 => kernel",
        "each output channel has a kernel for every input channel; "
        "multiply by both.": "channels_in * => ",
        "the stride is left out: "
        "a layer with stride 2 computes half the rows and half the columns.": " / stride => ",
        "the stride skips rows and columns, so it divides the places twice.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => height * width // stride"
        ),
        "round up, not down: with a stride of 2, 25 rows become 13.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => "
            "(height // stride) * (width // stride)"
        ),
        "round up rows and columns one by one: with a stride of 2, 25 rows become 13.": (
            "math.ceil(height / stride) * math.ceil(width / stride) => "
            "math.ceil(height * width / stride**2)"
        ),
        "the two results are swapped; return the parameters first.": (
            "weights + channels_out, weights * outputs => weights * outputs, weights + channels_out"
        ),
        "the number of parameters does not depend "
        "on the size of the image.": "weights + channels_out => weights * outputs + channels_out",
        "the biases are not multiplied with anything, so they do not count as multiply-adds.": (
            "weights * outputs => (weights + channels_out) * outputs"
        ),
        "a multiply-add is one multiplication and one addition together; "
        "you count two.": "weights * outputs => 2 * weights * outputs",
    },
    hints=[
        "One output value of one channel looks at `kernel * kernel` places in every input "
        "channel. How many weights is that, and for how many output channels?",
        "Parameters: the weights and one bias per output channel. Multiply-adds: every weight "
        "is used once for every place of the output, and the stride makes the output smaller.",
        "`weights = channels_in * channels_out * kernel**2`, and the output has "
        "`ceil(height / stride) * ceil(width / stride)` places.",
    ],
)


def field_solution(layers):
    """Receptive field of a stack of ``(kernel, stride)`` layers."""
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


def field_backwards(layers):
    """Walk back from the output, with a mistake: n places, but only n - 1 steps between them."""
    field = 1
    for kernel, stride in reversed(layers):
        field = field * stride + kernel - 1
    return field


field = Exercise(
    title="How far a stack of layers sees",
    minutes=8,
    difficulty=3,
    reference=field_solution,
    inputs=lambda: [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 2), (3, 1)],),
        ([(5, 1), (3, 2), (7, 3), (3, 2), (5, 1)],),
    ],
    mistakes=combine(
        {
            "start at 1: without any layer, "
            "one output pixel sees one input pixel.": "field, jump = 1, 1 => field, jump = 0, 1",
            "a kernel of 3 adds 2 to the field, "
            "not 3: add kernel - 1 for each layer.": "kernel - 1 => kernel",
        },
        most=2,
    )
    | {
        "the strides are left out: after a stride of 2, "
        "one step covers two input pixels.": "jump *= stride => jump *= 1",
        "only the previous layer's stride is used; "
        "the strides of all earlier layers multiply.": "jump *= => jump =",
        "strides multiply: two layers of stride 2 make steps of 4 pixels. "
        "You add them.": "jump *= stride => jump += stride - 1",
        "a layer's own stride acts after its kernel; "
        "use only the strides of the layers before it.": "- 1) * jump => - 1) * jump * stride",
        "you walk back from the output, which works too, but n neighbours that lie `stride` apart "
        "span (n - 1) * stride + 1 pixels, not n * stride.": field_backwards,
    },
    hints=[
        "Keep two numbers while you walk through the layers: how many input pixels the result "
        "sees, and how many input pixels lie between two neighbours of the result.",
        "A kernel reaches `kernel - 1` neighbours further, and each of them is `jump` input "
        "pixels away.",
        "`field += (kernel - 1) * jump`, and only then `jump *= stride`.",
    ],
)
