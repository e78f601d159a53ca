import pytest
from benchmarks.page import bench_page


@pytest.mark.browser
@pytest.mark.slow
def test_a_photograph_and_the_camera_are_timed():
    speed = bench_page(64, 64, repeats=1)
    assert speed.python > 0
    assert all(frames > 0 for frames in speed.frames.values())
    assert "camera" in str(speed)
