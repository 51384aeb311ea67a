"""The page of a bring-up in Chromium: on a desk, on a telephone, green and with a red line."""

import importlib.util
from pathlib import Path

import pytest
from msgspec.structs import replace
from selenium.webdriver.common.by import By

from keybeam.bringup import REAL, judge, render_page
from keybeam.bringup.identity import Asked
from keybeam.bringup.recording import RecordingHead
from keybeam.device import FoundPort, Identity
from keybeam.protocol.identity import ABI_VERSION, Role

_SPEC = importlib.util.spec_from_file_location(
    "judging", Path(__file__).with_name("test_judging.py")
)
judging = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(judging)


PLAN = replace(REAL, sample_bits=20_000)


def page_of(**changed):
    """The page of two boards of which all is well but what is `changed`."""
    measured = {
        "clocks": judging.clocks(),
        "random": judging.random_bits(),
        "lanes": judging.lanes(),
        "downlink": judging.downlink(),
        "tagger": judging.tagger(),
        "detectors": judging.detectors(),
        "log": judging.log(),
        "link": judging.link(),
    } | changed
    asked = [
        Asked(
            FoundPort(f"/dev/serial/by-id/usb-FTDI_{role.name}-if01-port0", ""),
            Identity(role, ABI_VERSION, "11111111", "0badc0de"),
            known_hash="11111111",
        )
        for role in Role
    ]
    head = RecordingHead(
        created="2022-09-25", software="Keybeam", plan=PLAN, asked=asked, steps=list(measured)
    )
    result, sections, plots = judge(head, measured)
    assert set(measured) == set(judging.STEP)
    return result, render_page(result, sections, plots), sum(map(len, plots.values()))


@pytest.mark.parametrize("bad", [False, True])
def test_page_fits_a_desk_and_a_telephone(browser, tmp_path, bad):
    changed = {"detectors": judging.detectors(noisy=1)} if bad else {}
    result, page, count = page_of(**changed)
    failed = [check.name for check in result.checks if not check.passed]
    assert bool(failed) == bad, failed
    file = tmp_path / "report.html"
    file.write_text(page, "utf-8")
    for width, shown, hidden in ((1280, "wide", "narrow"), (400, "narrow", "wide")):
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(file.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        browser.save_screenshot(str(tmp_path / f"{width}.png"))
        plots = browser.find_elements(By.CSS_SELECTOR, f"figure .{shown} svg")
        assert len(plots) == count > 0
        assert all(plot.is_displayed() and plot.size["height"] > 100 for plot in plots)
        assert all(plot.size["width"] > 0.6 * width for plot in plots)
        others = browser.find_elements(By.CSS_SELECTOR, f"figure .{hidden} svg")
        assert not any(plot.is_displayed() for plot in others)
        text = browser.find_element(By.CSS_SELECTOR, f"figure .{shown} svg text")
        assert text.size["height"] >= 9
        lines = browser.find_elements(By.CSS_SELECTOR, "tr.good, tr.bad")
        assert len(lines) == len(result.checks)
        assert all(line.is_displayed() for line in lines)
        # Nothing that is said of a check is cut off at the edge.
        edges = [line.location["x"] + line.size["width"] for line in lines]
        assert max(edges) <= width
    for line in browser.find_elements(By.CSS_SELECTOR, "tr.bad"):
        assert line.find_element(By.CSS_SELECTOR, ".hint").text
    if bad:
        browser.find_element(By.CSS_SELECTOR, ".verdict a").click()
        assert browser.current_url.endswith(
            browser.find_element(By.CSS_SELECTOR, "tr.bad").get_attribute("id")
        )
    assert browser.get_log("browser") == []
