"""`keybeam rx calibrate` and `table` on a co-simulated receiver with delay lines."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.cli import command_line
from keybeam.device import Receiver
from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.records import Channel
from keybeam.receiver import load_calibration
from keybeam_sim.cosimulation import BoardSettings, Cosimulation, LinkSettings, RunSettings
from keybeam_sim.cosimulation.receiver import line_delays

COUNTS = 6000


@pytest.fixture(scope="module")
def port():
    settings = RunSettings(link=LinkSettings(seed=6), boards=BoardSettings(lines=1))
    with Cosimulation(settings) as simulation:
        yield f"serial:{simulation.receiver}?timeout=60"


def run(*words):
    """Run a command; gives the JSON it printed."""
    result = CliRunner().invoke(command_line, ["rx", *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_bins_that_are_found_are_those_of_the_line(port, tmp_path):
    file = tmp_path / "lines.json"
    with Receiver(port) as board:
        before = [board.read(name) for name in ("receiver.channels.enable", "tagger.v.edges")]
    rows = run("calibrate", str(file), "--channel", "V", "--counts", str(COUNTS), "--port", port)
    assert {row["edge"] for row in rows} == {"rising", "falling"}
    counts = load_calibration(file).channels["V"]
    widths = np.diff(line_delays(Channel.V), prepend=0)
    for found in (np.array(counts.rising), np.array(counts.falling)):
        assert found.sum() >= COUNTS
        codes = np.flatnonzero(found)
        assert np.array_equal(codes, np.arange(codes[0], codes[-1] + 1))
        # The first and the last one are cut by the ends of the period.
        inner = codes[1:-1]
        measured = found[inner] / found.sum() * FABRIC_PERIOD_PS
        deviation = np.sqrt(found[inner]) / found.sum() * FABRIC_PERIOD_PS
        assert np.all(np.abs(measured - widths[inner]) < 4 * deviation)
    # The channel is as before, and its pulser is off.
    with Receiver(port) as board:
        after = [board.read(name) for name in ("receiver.channels.enable", "tagger.v.edges")]
        assert board.read("tagger.shared.pulser") == 0
    assert after == before
    assert run("table", "show", str(file)) == rows
