"""`keybeam bringup` on co-simulated boards: all well, and with one thing wrong at a time."""

import json
import os
import select
import subprocess
import sys

import pytest
from click.testing import CliRunner

from keybeam.cli import command_line

START_TIMEOUT_S = 1500


def bring_up(folder, *words):
    """Status and result of `keybeam bringup` into a folder."""
    arguments = ["bringup", "--out", str(folder), "--json", *words]
    outcome = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    return outcome.exit_code, json.loads(outcome.stdout)


def failed(result):
    return [check["name"] for check in result["checks"] if not check["passed"]]


@pytest.fixture(scope="module")
def green(tmp_path_factory):
    """A bring-up in this terminal of the boards that `keybeam cosim` simulates in another."""
    folder = tmp_path_factory.mktemp("bringup")
    runtime = folder / "runtime"
    runtime.mkdir()
    environment = os.environ | {"XDG_RUNTIME_DIR": str(runtime)}
    command = [sys.executable, "-m", "keybeam", "cosim", "--json"]
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process,
    ):
        try:
            readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
            assert readable, "the co-simulation did not start"
            patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            # Boards of other programs than the simulation are none of this test's concern.
            patch.setattr("serial.tools.list_ports.comports", list)
            yield folder / "out", *bring_up(folder / "out")
        finally:
            process.kill()


def test_good_boards_end_in_a_green_page(green):
    folder, status, result = green
    assert failed(result) == []
    assert result["passed"]
    assert status == 0
    assert result["left_out"] == []
    names = " ".join(check["name"] for check in result["checks"])
    for part in ("map", "clock", "entropy", "lane 4", "aligned", "error rate", "dead time"):
        assert part in names
    fields = {"name", "passed", "measured", "limit", "hint"}
    assert all(set(check) == fields for check in result["checks"])
    page = (folder / "report.html").read_text("utf-8")
    assert page.count("✓ pass") == len(result["checks"])
    assert "✗" not in page
    assert json.loads((folder / "result.json").read_bytes()) == result
    # NIST's tool takes a byte for each bit.
    sample = (folder / "data" / "random-sample-a.bin").read_bytes()
    assert set(sample) == {0, 1}
    assert len(sample) >= 434


def test_a_recorded_run_gives_the_same_page_again(green, tmp_path):
    folder, status, result = green
    assert bring_up(tmp_path, "--replay", str(folder)) == (status, result)
    for name in ("report.html", "result.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("fault", "step", "wrong"),
    [
        ("wrong-map", "clocks", {"transmitter: register map"}),
        ("clock", "clocks", {"transmitter's clock against the receiver's"}),
        ("random-bit", "random", {"health of random-number chip A"}),
        ("lanes-swapped", "lanes", {"lane 1: pattern", "lane 4: pattern", "lanes aligned"}),
        ("downlink-dark", "downlink", {"lock on the downlink"}),
        ("detector-noisy", "detectors", {"detector V: dark counts"}),
    ],
)
def test_a_fault_ends_in_the_right_red_line(tmp_path, fault, step, wrong):
    status, result = bring_up(tmp_path, "--cosim", "--fault", fault, "--only", step)
    assert status == 1
    assert not result["passed"]
    assert set(failed(result)) == wrong
    assert all(check["hint"] for check in result["checks"] if not check["passed"])
    # What needs a lock is not even tried without one.
    dark = fault in ("downlink-dark", "wrong-map")
    assert bool(result["left_out"]) == dark
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("✗ FAIL") == len(wrong)
