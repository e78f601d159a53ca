"""Quoted numbers are plausible, and the systems are those that the course rebuilds."""

from llie_helpers import models
from llie_helpers.lessons import literature


def test_peers_have_scores_in_their_ranges():
    for peer in literature.PEERS:
        assert 10 < peer.psnr < 30, peer
        assert 0 < peer.ssim < 1, peer
        assert (peer.psnr_gt_mean is None) == (peer.source == "published"), peer
        assert peer.psnr_gt_mean is None or peer.psnr < peer.psnr_gt_mean < 30, peer
        assert peer.parameters > 1000, peer


def test_each_system_is_a_network_of_the_course():
    assert {system.model for system in literature.SYSTEMS} <= set(models.list_models())
    assert [system.lesson for system in literature.SYSTEMS] == ["03", "04", "05", "06", "07"]
