"""Recipes: each shipped one is valid, and a mistake in one is named."""

import pytest

from llie_helpers.errors import CourseError
from llie_helpers.losses import LOSSES
from llie_helpers.models import list_models
from llie_helpers.training.recipe import Recipe, load_recipe


@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("name", list_models())
def test_every_network_has_a_valid_recipe(name, profile):
    assert load_recipe(name, profile).loss.keys() <= LOSSES.keys()


def test_the_quick_table_overrides(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("epochs = 9\nbatch_size = 4\n[quick]\nepochs = 2\n")
    assert load_recipe(path) == Recipe(epochs=9, batch_size=4)
    assert load_recipe(path, "quick") == Recipe(epochs=2, batch_size=4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch = 3", "no recipe entry called 'epoch'; did you mean epochs"),
        ("epochs = 'three'", "epochs is 'three'; it must be of type int"),
        ("epochs = 0", "epochs is 0; it must be > 0"),
        ("schedule = 'plato'", "no schedule called 'plato'; did you mean plateau"),
        ("precision = 'foo'", "no precision called 'foo'; known: 16-mixed, 32-true, bf16-mixed"),
        ("exposure = 1.0", "no recipe entry called 'exposure'"),
        ("gain_jitter = 0.0", "gain_jitter is 0.0; it must be > 0"),
        ("scales = [1.6, 0.5]", r"scales are \[1.6, 0.5\]; they must be the lowest"),
        ("scales = ['a', 'b']", r"scales are \['a', 'b'\]; they must be the lowest"),
        ("beta1 = 1.0", r"beta1 is 1.0; it must be in \[0, 1\)"),
        ("ema = 2.0", r"ema is 2.0; it must be in \[0, 1\]"),
        ("weight_decay = -1.0", "weight_decay is -1.0; it must be >= 0"),
        ("snapshot_every = -1", "snapshot_every is -1; it must be >= 0"),
        ("scales = [0.5]", "must be the lowest and the highest factor"),
        ("epochs = ", "not valid TOML"),
        ("quick = 3", "sets quick to 3; it must be a table"),
    ],
)
def test_mistakes_are_named(tmp_path, text, sentence):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(CourseError, match=sentence):
        load_recipe(path)


def test_an_unknown_recipe_is_named():
    with pytest.raises(CourseError, match="no recipe called 'mse_cn'; did you mean mse_cnn"):
        load_recipe("mse_cn")


def test_a_whole_number_will_do_for_a_rate():
    assert Recipe().changed(learning_rate=1).learning_rate == 1.0
