"""`keybeam tx` on the co-simulated transmitter, as a user would type it."""

import json
import time

import pytest
from click.testing import CliRunner

from keybeam.cli import command_line
from keybeam_sim.cosimulation import BoardSettings, Cosimulation, LinkSettings, RunSettings

TIMEOUT_S = 300


@pytest.fixture(scope="module")
def port():
    settings = RunSettings(link=LinkSettings(seed=4), boards=BoardSettings())
    with Cosimulation(settings) as simulation:
        yield f"serial:{simulation.transmitter}?timeout=30"


@pytest.fixture
def tx(port):
    """Run `keybeam tx` with some words; gives what it printed, JSON where there is some."""

    def run(*words, as_json=True):
        arguments = ["tx", *words, "--port", port, *(["--json"] if as_json else [])]
        result = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.output) if as_json else result.output

    return run


def await_status(tx, section, name, value):
    """Ask for the status until a value is as wanted."""
    end = time.monotonic() + TIMEOUT_S
    while (found := tx("status")[section][name]) != value:
        assert time.monotonic() < end, f"{name} stays {found}"


def run_frames(tx, count, *options):
    tx("start", "--frames", str(count), *options, as_json=False)
    await_status(tx, "pattern", "finished", True)


def test_a_user_runs_the_transmitter_from_the_command_line(tx):
    # Chips are released by themselves, and what they give is fit for key.
    await_status(tx, "random bits", "live", True)
    assert tx("status")["pattern"]["fit for key"]
    assert "state log" in tx("status", as_json=False)
    run_frames(tx, 1, "--frame", "5")
    key = tx("log", f"{5 * 65536 + 100}-{5 * 65536 + 139}", str(7 * 65536))
    assert {pulse["status"] for pulse in key[:-1]} == {"found"}
    assert {pulse["intensity"] for pulse in key[:-1]} == {"signal", "decoy", "vacuum"}
    assert all(pulse["polarisation"] is None for pulse in key), "a key bit is shown"
    assert key[-1]["status"] == "too new"

    # A fixed pattern shows in the log, and marks frames until it is cleared.
    tx("mode", "fixed", "--symbol", "decoy:A", as_json=False)
    run_frames(tx, 1, "--frame", "10")
    (pulse,) = tx("log", str(10 * 65536 + 40))
    assert pulse == {
        "index": 10 * 65536 + 40,
        "status": "not key",
        "intensity": "decoy",
        "basis": "diagonal",
        "polarisation": "A",
    }
    tx("mode", "key", as_json=False)
    assert not tx("status")["pattern"]["fit for key"]
    tx("clear", as_json=False)
    await_status(tx, "pattern", "fit for key", True)


def test_symbol_map_and_lanes(tx):
    rows = tx("map", "--signal", "0.75", "--decoy", "0.25")
    assert [float(row["rectilinear"]) for row in rows] == [0.375, 0.125, 0]
    assert tx("map") == rows
    tx("map", "--signal", "0.5", "--decoy", "0.25", "--vacuum", "0.25")
    (row,) = tx("lanes", "6", "--delay", "63", "--idle", "1", "--invert")
    assert (row["delay"], row["idle"], row["invert"], row["enable"]) == (63, 1, 1, 1)
    assert len(tx("lanes", "--table", "one-hot")) == 9
    tx("lanes", "--table", "sagnac")
    word = tx("sync-word", "0x1ACFFC1D", "--bits", "32")["downlink"]["sync word"]
    assert word.startswith("0x1acffc1d")
    tx("sync-word", "0x034776C7272895B0")


def test_an_injected_fault_stops_the_bits_until_a_restart(tx):
    content = tx("source", "--inject", "stuck-1")
    assert content["chip a"]["injected fault"] == "stuck 1"
    end = time.monotonic() + TIMEOUT_S
    while (content := tx("source"))["chip a"]["state"] != "hard stop":
        assert time.monotonic() < end
    # All lanes stuck: the shortest run that raises an alarm is one of equal symbols.
    assert content["chip a"]["alarm repetition symbols"] == 1
    assert content["chip a"]["first alarm"] is not None
    assert content["source"]["alarm"]
    assert not content["source"]["live"]
    assert content["chip b"]["state"] == "released"
    tx("source", "--inject", "none", "--clear-alarms", "--restart")
    await_status(tx, "random bits", "live", True)
    content = tx("source")
    assert content["chip a"]["state"] == "released"
    assert content["chip a"]["first alarm"] is None
    assert tx("source", "--origin", "both")["source"]["origin"] in ("chip a", "both")
    await_status(tx, "random bits", "origin", "both")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mode", "fixed", "--symbol", "bright:H"], "is no symbol"),
        (["log", "12-"], "neither a pulse index nor FIRST-LAST"),
        (["log", "9-3"], "no range"),
        (["lanes", "--delay", "3"], "say which lane"),
        (["sync-word", "0xFFFFFFFFFFFFFFFF"], "must begin with 1 to 7 zeros"),
        (["map", "--signal", "0.3", "--decoy", "0.7"], "see --nearest"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(port, words, said):
    result = CliRunner().invoke(command_line, ["tx", *words, "--port", port])
    assert result.exit_code != 0
    assert said in " ".join((result.output + str(result.exception)).split())
