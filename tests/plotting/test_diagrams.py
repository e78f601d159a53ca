from llie_helpers.plotting.diagrams import (
    show_encoder_decoder,
    show_game,
    show_two_path,
    show_unet,
)


def test_each_level_is_drawn_and_labelled_on_both_sides():
    (axes,) = show_encoder_decoder((4, 8, 16)).axes
    texts = [text.get_text() for text in axes.texts]
    assert len(axes.patches) == 2 * 3 + 2  # and the image at either end
    assert [texts.count(channels) for channels in ("4", "8", "16")] == [2, 2, 2]
    assert texts.count("+") == 3
    assert {"full size", "1/2", "1/4"} <= set(texts)


def test_the_lowest_level_of_a_unet_is_one_box_without_a_skip():
    (axes,) = show_unet((4, 8, 16)).axes
    texts = [text.get_text() for text in axes.texts]
    assert [texts.count(channels) for channels in ("4", "8", "16")] == [2, 2, 1]
    assert texts.count("skip") == 2


def test_the_two_path_module_holds_its_layers():
    (axes,) = show_two_path().axes
    texts = [text.get_text() for text in axes.texts]
    layers = {label: texts.count(label) for label in ("1x1", "3x3", "ReLU", "+")}
    assert layers == {"1x1": 1, "3x3": 4, "ReLU": 4, "+": 2}


def test_the_game_has_both_players_and_says_what_each_loss_teaches():
    (axes,) = show_game().axes
    texts = [text.get_text() for text in axes.texts]
    assert {"generator", "discriminator", "output", "target"} <= set(texts)
    assert sum("teaches the" in text for text in texts) == 2
