"""The page on a graphics processor, which here is Chromium's emulation, and without it."""

import numpy as np
import pytest
from test_page import choose, dark, encoded, pixels, saved, visit

from llie_helpers.images import to_float, to_uint8
from llie_helpers.inference import enhance

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHROMIUM = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")


def test_webgpu_gives_what_python_gives_and_its_loss_is_survived(browser, server):
    # Its kernels are not WebAssembly's: a convolution of side and stride 4 came out wrong here.
    low = dark(70, 90)
    expected = to_uint8(enhance(to_float(low))).astype(int)
    with visit(browser, server) as page:
        if page.get_attribute("body", "data-ready") != "WebGPU":
            pytest.skip("this Chromium emulates no graphics processor")
        choose(page, encoded(low))
        assert np.abs(pixels(saved(page, minutes=3)[1]) - expected).max() <= 4
        assert page.inner_text("#status").endswith("by WebGPU")
        browser.new_browser_cdp_session().send("Browser.crashGpuProcess")
        choose(page, encoded(low))
        page.get_by_text("The browser lost the graphics processor (WebGPU)").wait_for()
        assert np.abs(pixels(saved(page)[1]) - expected).max() <= 4
        assert page.inner_text("#status").endswith("by WebAssembly")
