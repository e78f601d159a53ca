"""Every network of the table: shapes, size, gradients, determinism, weights and errors."""

import itertools
import re
import subprocess
import sys

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import load_file, save_file

from llie_helpers.errors import CourseError
from llie_helpers.images import Place
from llie_helpers.models import MODELS, create_model, list_models, save_weights, shipped, weights
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.models.network import Network, any_size
from llie_helpers.models.patchgan import STRIDES, PatchGAN

# Small versions, so that the tests are fast.
SMALL = {
    "dual_branch": {"width": 4, "blocks": 1, "deep": 1},
    "fft_dual_branch": {"size": 32},
    "mse_cnn": {"widths": [4, 6, 8]},
    "pix2pix": {"width": 2, "blocks": 2},
    "plain_unet": {"widths": [4, 6, 8]},
    "residual": {"width": 4, "modules": 2},
    "unet": {"width": 2},
}
names = pytest.mark.parametrize("name", sorted(MODELS))


def small(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model(name, **SMALL[name])


@names
@settings(max_examples=15)
@given(height=st.integers(16, 70), width=st.integers(16, 70), count=st.integers(1, 2))
def test_any_size_comes_back_in_range(name, height, width, count):
    model = small(name).eval()
    enhanced = model(torch.rand(count, 3, height, width))
    assert enhanced.shape == (count, 3, height, width)
    assert enhanced.min() >= 0
    assert enhanced.max() <= 1


@names
def test_every_parameter_gets_a_gradient(name):
    model = small(name)
    model(torch.rand(2, 3, 32, 32)).square().mean().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


@names
def test_the_same_seed_gives_the_same_network(name):
    image = torch.rand(1, 3, 20, 24)
    assert torch.equal(small(name).eval()(image), small(name).eval()(image))


@names
def test_an_image_does_not_depend_on_its_batch(name):
    model = small(name).eval()
    images = torch.rand(3, 3, 24, 24)
    assert torch.allclose(model(images)[1:2], model(images[1:2]), atol=1e-6)


@names
@pytest.mark.parametrize("size", [(32, 40), (33, 40), (32, 41), (77, 141)])
def test_what_is_prepared_is_what_the_network_finds_itself(name, size):
    model = small(name).eval()
    image = torch.rand(2, 3, *size)
    assert torch.allclose(model(image, model.prepare(image)), model(image), atol=1e-5)


@names
def test_weights_bring_their_options_and_come_back_equal(name, tmp_path):
    model = small(name).eval()
    save_weights(model, tmp_path / "w.safetensors")
    again = create_model(name, weights=tmp_path / "w.safetensors").eval()
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(model(image), again(image))
    assert again.options == SMALL[name]


def test_a_constant_image_padded_at_the_edges_is_treated_as_inside():
    """Mirroring adds no dark border: far from the edges nothing changes with the size."""
    model = small("mse_cnn").eval()
    wide = model(torch.full((1, 3, 96, 97), 0.2))
    even = model(torch.full((1, 3, 96, 96), 0.2))
    assert torch.allclose(wide[..., 40:50, 40:50], even[..., 40:50, 40:50], atol=1e-6)


def test_mse_cnn_fits_its_budget():
    model = create_model("mse_cnn")
    assert count_parameters(model) == 478_771
    assert count_parameters(model) * 4 <= 2e6


def test_mse_cnn_counts_as_worked_out_by_hand():
    widths = (12, 24, 48, 96, 128)
    chain = [3, *widths]
    encoder = sum(9 * a * b + b for a, b in itertools.pairwise(chain))
    middle = 9 * 128 * 128 + 128
    decoder = sum(9 * a * b + a for a, b in itertools.pairwise(widths))
    head = 9 * 12 * 3 + 3
    assert count_parameters(create_model("mse_cnn")) == encoder + middle + decoder + head


def conv(channels_in, channels_out, kernel, bias=True):
    return kernel**2 * channels_in * channels_out + channels_out * bias


def layers(model: torch.nn.Module) -> list[tuple]:
    """(kind, channels in, channels out, kernel, stride) of each convolution, in order."""
    return [
        (type(m).__name__, m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in model.modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    ]


def plain(*widths, kernel=3, stride=1):
    return [("Conv2d", a, b, kernel, stride) for a, b in itertools.pairwise(widths)]


def test_the_unet_is_as_specified():
    model = create_model("unet")
    assert layers(model) == [
        *plain(3, 32, 32),
        *plain(32, 64, 64),
        *plain(64, 128, 128),
        *plain(32, 192),
        ("ConvTranspose2d", 192, 192, 3, 2),
        *plain(64, 128),
        ("ConvTranspose2d", 128, 128, 3, 2),
        # 128 and 128 channels joined at half size, 192 more at full size
        *plain(128 + 128 + 192, 3),
    ]
    by_hand = 896 + 9_248 + 18_496 + 36_928 + 73_856 + 147_584  # down
    by_hand += 55_488 + 331_968 + 73_856 + 147_584 + 12_099  # skips and output
    assert count_parameters(model) == by_hand == 908_003


def test_the_plain_unet_is_about_as_large():
    widths = (22, 44, 88, 176)
    down = sum(conv(a, b, 3) + conv(b, b, 3) for a, b in itertools.pairwise((3, *widths)))
    up = sum(conv(b, a, 2) + conv(2 * a, a, 3) + conv(a, a, 3) for a, b in
             itertools.pairwise(widths))  # fmt: skip
    count = count_parameters(create_model("plain_unet"))
    assert count == down + up + conv(22, 3, 1)
    assert count == pytest.approx(908_003, rel=0.01)


def test_the_residual_network_is_as_specified():
    model = create_model("residual")
    module = [*plain(32, 32, kernel=1), *plain(32, 32, 32, 32, 32)]
    assert layers(model) == [*plain(3, 32), *4 * module, *plain(32, 3)]
    norm = 2 * 32
    in_module = conv(32, 32, 1, bias=False) + 4 * conv(32, 32, 3, bias=False) + 5 * norm
    by_hand = conv(3, 32, 3, bias=False) + norm + 4 * in_module + conv(32, 3, 3)
    assert count_parameters(model) == by_hand == 154_627
    bare = create_model("residual", batch_norm=False)
    assert layers(bare) == layers(model)
    assert count_parameters(bare) == by_hand - 21 * norm + 21 * 32  # a bias for each norm


def test_the_published_dual_branch_is_as_specified():
    model = create_model("fft_dual_branch")
    assert layers(model) == [
        *plain(3, 32),
        *plain(32, 64, stride=2),
        ("ConvTranspose2d", 64, 32, 4, 2),
        *plain(32, 3),
        *plain(6, 3, kernel=1),
    ]
    assert model.mask.shape == (1, 3, 224, 113)
    assert (model.mask == 0.01).all()
    by_hand = 896 + 18_496 + 32_800 + 867 + 75_936 + 21
    assert count_parameters(model) == by_hand == 129_016


def test_its_frequency_branch_is_a_convolution_whatever_the_size():
    model = create_model("fft_dual_branch", size=32)
    # The filter that averages the pixels 3 rows and 2 columns before and behind.
    rows, columns = torch.fft.fftfreq(32)[:, None], torch.arange(17) / 32
    mask = torch.cos(2 * torch.pi * (3 * rows + 2 * columns))
    model.mask.data = mask.expand(1, 3, -1, -1).clone()
    for height, width in ((32, 32), (48, 64), (20, 96), (64, 34)):
        image = torch.rand(1, 3, height, width)
        expected = (image.roll((3, 2), (2, 3)) + image.roll((-3, -2), (2, 3))) / 2
        difference = (model.frequency(image) - expected).abs().max()
        assert difference < (1e-5 if (height, width) == (32, 32) else 0.05)


@pytest.mark.parametrize("size", [(16, 16), (64, 18), (150, 40)])
def test_the_moments_that_it_prepares_are_those_of_the_image(size):
    """Band by band, which must not count a row twice, nor the border between bands."""
    model, images = small("fft_dual_branch").eval(), torch.rand(2, 3, *size)
    images[0] *= torch.linspace(0, 1, size[0])[:, None]
    assert torch.allclose(model(images, model.prepare(images)), model(images), atol=1e-5)


@given(st.integers(8, 40), st.integers(8, 40))
def test_a_flat_mask_is_flat_at_every_size(half_height, half_width):
    model = create_model("fft_dual_branch", size=32)
    mask = model.mask_for(2 * half_height, 2 * half_width)
    assert mask.shape == (1, 3, 2 * half_height, half_width + 1)
    assert torch.allclose(mask, torch.tensor(0.01))


def test_the_dual_branch_is_smaller_than_the_published():
    model = create_model("dual_branch")
    assert count_parameters(model) == 128_052 <= count_parameters(create_model("fft_dual_branch"))
    block = conv(32, 64, 1) + conv(32, 32, 1) + 2 * 32 + 24 * 10 + 2 * conv(8, 8, 1)
    deep = conv(64, 128, 1) + conv(64, 64, 1) + 2 * 64 + 48 * 10 + 2 * conv(16, 16, 1)
    low_level = conv(9, 16, 3) + conv(16, 16, 3) + conv(16, 32, 3)
    paths = 2 * conv(32, 32, 3) + conv(64, 32, 1) + conv(32, 3 * 12, 1)
    joints = conv(96, 32, 1) + conv(32, 64, 2) + conv(64, 128, 1) + conv(32, 64, 1)
    assert count_parameters(model) == low_level + paths + joints + 6 * block + 4 * deep


def test_the_place_of_a_part_grows_with_its_borders():
    seen = {}

    class Watcher(Network):
        multiple = 8

        @any_size
        def forward(self, low, context, place):
            seen.update(shape=low.shape, context=context, place=place)
            return low

    image, part = torch.rand(1, 3, 20, 24), Place(0.5, 0.25, 0.75, 0.5)
    assert torch.equal(Watcher()(image, torch.ones(1), part), image)
    assert seen["shape"] == (1, 3, 24, 24)
    assert seen["place"] == pytest.approx((0.5, 0.25, 0.8, 0.5))


def test_the_generator_is_as_specified():
    model = create_model("pix2pix")
    assert layers(model) == [
        *plain(3, 64, kernel=7),
        *plain(64, 128, 256, stride=2),
        *6 * plain(256, 256, 256),
        *plain(256, 128, kernel=1),
        # 128 channels from the encoder join, then 64
        *plain(128 + 128, 64, kernel=1),
        *plain(64 + 64, 3, kernel=7),
    ]
    down = 9_408 + 73_728 + 294_912 + 2 * (64 + 128 + 256)
    blocks = 12 * (589_824 + 2 * 256)
    up = 32_896 + 16_448 + 18_816 + 2 * 3
    assert count_parameters(model) == down + blocks + up == 7_531_142
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 3 + 12 + 1
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] == [0.5, 0.5]


def test_the_discriminator_is_as_specified():
    model = PatchGAN()
    strided = plain(6, 64, 128, 256, 512, kernel=4, stride=2)
    assert layers(model) == [*strided, *plain(512, 512, 1, kernel=4)]
    bare = conv(6, 64, 4) + conv(512, 1, 4)
    chain = [(64, 128), (128, 256), (256, 512), (512, 512)]
    normed = sum(conv(a, b, 4, bias=False) + 2 * b for a, b in chain)
    assert count_parameters(model) == bare + normed == 6_964_033
    assert not isinstance(model.layers[1], torch.nn.BatchNorm2d)
    leaky = [m.negative_slope for m in model.layers if isinstance(m, torch.nn.LeakyReLU)]
    assert leaky == 5 * [0.2]


def test_the_discriminator_says_how_small_a_crop_may_be():
    PatchGAN(width=2).eval()(*torch.zeros(2, 1, 3, 48, 48))
    with pytest.raises(CourseError, match="at least 48x48 pixels, but got 60x32; choose larger"):
        PatchGAN(width=2)(*torch.zeros(2, 1, 3, 32, 60))


def test_a_patch_is_as_large_as_its_receptive_field():
    model = PatchGAN(width=2).eval()
    low = torch.rand(1, 3, 256, 256)
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    logits = model(low, image)
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    rows = image.grad[0].abs().sum((0, 2)).nonzero()
    assert rows.max() - rows.min() + 1 == 142
    field = 1
    for stride in reversed(STRIDES):
        field = (field - 1) * stride + 4
    assert field == 142


def test_dropout_and_batch_statistics_are_off_at_inference():
    model = create_model("pix2pix", **SMALL["pix2pix"])
    images = torch.rand(2, 3, 32, 32)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))
    assert torch.allclose(model(images)[:1], model(images[:1]), atol=1e-6)


def test_shipped_weights_are_listed_and_load():
    assert shipped("plain_unet") == []
    assert "lol_v1" in shipped("mse_cnn")
    for name in list_models():
        for each in shipped(name):
            create_model(name, weights=each)


def test_gmacs_of_one_convolution():
    convolution = torch.nn.Conv2d(3, 5, kernel_size=3, padding=1)
    assert gmacs(convolution, 10, 20) == pytest.approx(10 * 20 * 9 * 3 * 5 / 1e9)


def test_float16_weights_are_read_as_float32(tmp_path):
    path, model = tmp_path / "half.safetensors", small("residual")
    weights.save(model.state_dict(), path, model.name, model.options, torch.float16)
    assert load_file(path)["head.weight"].dtype == torch.float16
    state, *_ = weights.read(path)
    for key, value in model.state_dict().items():
        assert state[key].dtype == value.dtype, key
        assert torch.allclose(state[key], value, atol=1e-3), key


@pytest.mark.slow
def test_equal_weights_are_equal_bytes_whatever_the_process(tmp_path):
    script = (
        "import sys, torch; from llie_helpers.models import create_model, save_weights\n"
        "torch.manual_seed(0); save_weights(create_model('residual', width=4, modules=2), "
        "sys.argv[1])"
    )
    files = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for file in files:
        subprocess.run([sys.executable, "-c", script, file], check=True)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_names():
    assert list_models() == sorted(SMALL)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (["mse_cn"], {}, "no model called 'mse_cn'; did you mean mse_cnn"),
        (["mse_cnn"], {"width": 3}, "no option of mse_cnn called 'width'; did you mean widths"),
        (["mse_cnn"], {"widths": 3}, "widths is 3; it must be a list of whole numbers from 1"),
        (["mse_cnn"], {"widths": []}, "widths is []; it must be a list"),
        (["unet"], {"width": "foo"}, "width is 'foo'; it must be a whole number from 1"),
        (["unet"], {"width": 0}, "unet's option width is 0; it must be"),
        (["residual"], {"batch_norm": "no"}, "batch_norm is 'no'; it must be true or false"),
        (["pix2pix"], {"dropout": 2}, "dropout probability has to be between 0 and 1"),
        (["unet"], {"width": 10**20}, "unet cannot be built with {'width': 1000"),
        (["dual_branch"], {"width": 3}, "width must be at least 4 for a spectral branch"),
        (["fft_dual_branch"], {"size": 225}, "size must be even"),
        (["mse_cnn", "lol_v9"], {}, "No weights called 'lol_v9' are shipped for mse_cnn"),
        (["mse_cnn", "gone.safetensors"], {}, "no weights file gone.safetensors"),
    ],
)
def test_mistakes_are_named(arguments, options, sentence):
    with pytest.raises(CourseError, match=re.escape(sentence)):
        create_model(*arguments, **options)


def test_foreign_and_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(small("mse_cnn"), path)
    with pytest.raises(CourseError, match="holds weights of mse_cnn, not of residual"):
        create_model("residual", weights=path)
    with pytest.raises(CourseError, match="cannot be built"):
        create_model("mse_cnn", weights=path, widths=[4, 6, 9])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CourseError, match="not a readable safetensors file"):
        create_model("mse_cnn", weights=path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(CourseError, match="does not say which network"):
        create_model("mse_cnn", weights=path)
    for foreign in ("resnet", "{}", "[]"):
        save_file({"a": torch.zeros(1)}, path, {"network": foreign})
        with pytest.raises(CourseError, match="does not say which network"):
            create_model("mse_cnn", weights=path)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [((3, 32, 32), "takes a batch"), ((1, 4, 32, 32), "takes a batch"), ((1, 3, 15, 40), "40x15")],
)
def test_what_is_no_batch_of_images_is_refused(shape, sentence):
    with pytest.raises(CourseError, match=sentence):
        small("mse_cnn")(torch.rand(shape))


@pytest.mark.parametrize("name", ["mse_cnn", "plain_unet"])
def test_more_levels_need_larger_images(name):
    model = create_model(name, widths=[2] * 7)
    assert model(torch.rand(1, 3, 33, 40)).shape == (1, 3, 33, 40)
    with pytest.raises(CourseError, match=r"40x32 pixels .* needs at least 33x33"):
        model(torch.rand(1, 3, 32, 40))
