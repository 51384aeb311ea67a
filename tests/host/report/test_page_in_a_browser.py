from selenium.webdriver.common.by import By

from keybeam.report import render_page


def test_page_fits_a_desk_and_a_telephone(browser, pass_result, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(render_page(pass_result), "utf-8")
    for width, shown, hidden in ((1280, "wide", "narrow"), (400, "narrow", "wide")):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(page.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        plots = browser.find_elements(By.CSS_SELECTOR, f"figure .{shown} svg")
        assert len(plots) == 2
        assert all(plot.size["width"] > 0.7 * width for plot in plots)
        assert all(plot.size["height"] > 200 for plot in plots)
        others = browser.find_elements(By.CSS_SELECTOR, f"figure .{hidden} svg")
        assert not any(plot.is_displayed() for plot in others)
        # Text in the plots must not shrink below what one can read.
        text = browser.find_element(By.CSS_SELECTOR, f"figure .{shown} svg text")
        assert text.size["height"] >= 9
    assert browser.get_log("browser") == []
