"""Quality against cost: every point has a place and a name."""

import itertools

from llie_helpers.lessons import literature
from llie_helpers.plotting.trade_off import Point, show_trade_off


def texts(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def test_every_point_is_drawn_and_named():
    points = [Point("ours", 120_000, 22.0), Point("theirs", 80_000, 15.0, "published")]
    figure = show_trade_off(points, "parameters", "PSNR (dB)")
    assert [text.get_text() for text in texts(figure)] == ["ours", "theirs"]
    lines = figure.axes[0].lines
    assert [line.get_xdata()[0] for line in lines] == [120_000, 80_000]
    assert [line.get_markerfacecolor() == "none" for line in lines] == [False, True]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["the course's", "published"]
    assert figure.axes[0].get_xscale() == "log"


def test_labels_cover_neither_one_another_nor_leave_the_figure():
    points = [
        Point(peer.name, peer.parameters, peer.psnr, peer.source) for peer in literature.PEERS
    ]
    figure = show_trade_off([Point("ours", 115_494, 21.5), *points], "parameters", "PSNR (dB)")
    boxes = [text.get_window_extent() for text in texts(figure)]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)


def test_points_at_one_place_keep_their_names():
    points = [Point(f"number {i}", 1e5, 20.0) for i in range(12)]
    assert len(texts(show_trade_off(points, "parameters", "PSNR (dB)"))) == 12


def test_a_line_leads_to_a_label_that_is_not_beside_its_marker():
    points = [Point(f"number {i}", 1e5, 20.0) for i in range(4)]
    alone, crowded = (show_trade_off(p, "parameters", "PSNR (dB)") for p in (points[:2], points))
    lines = [
        [each.xy for each in figure.axes[0].texts if each.arrow_patch]
        for figure in (alone, crowded)
    ]
    assert lines == [[], [(1e5, 20.0)] * 2]
