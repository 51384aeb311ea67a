"""What all tests share: the installed simulators, and the closing line that names the others."""

import shutil
import signal

import pytest
from hypothesis import settings

from keybeam_sim.simulators import OPTIONAL_SIMULATORS, available_simulators

BROWSER_DRIVER = "chromedriver"
"""Program through which pages are opened in Chromium."""

BROWSER_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_IN_A_BROWSER = [
    "host/bringup/test_page_in_a_browser.py",
    "host/report/test_page_in_a_browser.py",
]
collect_ignore = [] if shutil.which(BROWSER_DRIVER) else _IN_A_BROWSER

# Seeds are fixed, so that a failure repeats; time limits would only measure the machine.
settings.register_profile("keybeam", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("keybeam")


# A shell that starts the tests in the background has interrupts ignored, and every program started
# from here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `simulator` once on every simulator that is installed."""
    if "simulator" in metafunc.fixturenames:
        metafunc.parametrize("simulator", available_simulators())


@pytest.fixture
def browser(tmp_path):
    """Chromium without a window, whose console is logged."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for option in (*BROWSER_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which(BROWSER_DRIVER))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what could not run because an optional program is missing."""
    optional = {
        "cocotb tests on icarus": OPTIONAL_SIMULATORS["icarus"],
        "pages in chromium": BROWSER_DRIVER,
    }
    for what, program in optional.items():
        if not shutil.which(program):
            terminalreporter.write_line(
                f"not run here: {what} ({program} is not installed)", yellow=True
            )
