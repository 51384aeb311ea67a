"""What all tests share: the installed simulators, and the closing line that names the others."""

import shutil

import pytest
from hypothesis import settings

from keybeam_sim.simulators import OPTIONAL_SIMULATORS, available_simulators

# Seeds are fixed, so that a failure repeats; time limits would only measure the machine.
settings.register_profile("keybeam", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("keybeam")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `simulator` once on every simulator that is installed."""
    if "simulator" in metafunc.fixturenames:
        metafunc.parametrize("simulator", available_simulators())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what could not run because an optional program is missing."""
    missing = [name for name, program in OPTIONAL_SIMULATORS.items() if not shutil.which(program)]
    for name in missing:
        program = OPTIONAL_SIMULATORS[name]
        terminalreporter.write_line(
            f"not run here: the cocotb tests on {name} ({program} is not installed)", yellow=True
        )
