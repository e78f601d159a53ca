from llie_helpers.diagrams import show_encoder_decoder


def test_each_level_stands_on_both_sides_and_is_labelled():
    (axes,) = show_encoder_decoder((4, 8, 16), joins="concatenate").axes
    texts = [text.get_text() for text in axes.texts]
    assert len(axes.patches) == 2 * 3 + 2  # and the image at either end
    assert [texts.count(channels) for channels in ("4", "8", "16")] == [2, 2, 2]
    assert texts.count("concatenate") == 3
    assert {"full size", "1/2", "1/4"} <= set(texts)
