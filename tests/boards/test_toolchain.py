import sys
import threading

import pytest

from keybeam_boards.bitstream import revision_number
from keybeam_boards.errors import ToolError
from keybeam_boards.toolchain import Step, run_step


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(ToolError, match=r"no-such-yosys is not installed.*YOSYS"):
        run_step(Step("synthesis", "yosys", ()), tmp_path, print)


def test_the_complaint_of_a_program_is_passed_on(tmp_path):
    lines = []
    step = Step("packing", "ecppack", ("--input", "missing.config", "--bit", "x.bit"))
    with pytest.raises(ToolError, match=r"packing failed with status 1: .*input file"):
        run_step(step, tmp_path, lines.append)
    assert lines == ["packing ..."]


@pytest.mark.parametrize(
    ("revision", "number"),
    [("0123456789ab", 0x01234567), ("f123456789ab-dirty", 0xF1234567), ("unknown", 0)],
)
def test_revision_number(revision, number):
    assert revision_number(revision) == number


@pytest.fixture
def python(monkeypatch):
    """Let a script in Python stand for nextpnr."""
    monkeypatch.setenv("NEXTPNR_ECP5", sys.executable)

    def step(script, watch):
        return Step("routing", "nextpnr-ecp5", ("-u", "-c", script), watch)

    return step


def test_what_is_told_of_the_output_is_told_while_the_program_runs(python, tmp_path):
    script = "import pathlib, time\nprint('Info: half')\nwhile not pathlib.Path('go').exists(): "
    lines = []

    def progress(line):
        lines.append(line)
        if line == "  half":
            (tmp_path / "go").touch()

    def half(line):
        return "half" if "half" in line else None

    run = threading.Thread(
        target=run_step, args=(python(script + "time.sleep(0.01)", half), tmp_path, progress)
    )
    run.start()
    run.join(30)
    assert not run.is_alive()
    assert lines[:2] == ["routing ...", "  half"]
    assert lines[2].startswith("routing: ")


def test_what_is_for_information_only_is_no_complaint(python, tmp_path):
    script = "print('Info: net error_count'); print('ERROR: no place'); raise SystemExit(3)"
    with pytest.raises(ToolError, match="routing failed with status 3: ERROR: no place"):
        run_step(python(script, lambda _: None), tmp_path, print)


def test_a_program_that_is_interrupted_is_stopped(python, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    script = "import time; print('Info: half'); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        run_step(python(script, interrupt), tmp_path, print)
