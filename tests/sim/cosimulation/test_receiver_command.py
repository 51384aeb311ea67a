"""`keybeam rx` on the co-simulated receiver, as a user would type it."""

import json
import time

import pytest
from click.testing import CliRunner

from keybeam.cli import command_line
from keybeam.device import Receiver, Transmitter
from keybeam_sim.cosimulation import BoardSettings, Cosimulation, LinkSettings, RunSettings

TIMEOUT_S = 300
BOARDS = {"tx": Transmitter, "rx": Receiver}


@pytest.fixture(scope="module")
def ports():
    settings = RunSettings(link=LinkSettings(seed=5, loss_db=20.0), boards=BoardSettings())
    with Cosimulation(settings) as simulation:
        paths = {"tx": simulation.transmitter, "rx": simulation.receiver}
        yield {name: f"serial:{path}?timeout=60" for name, path in paths.items()}


@pytest.fixture
def keybeam(ports):
    """Run a command on its board; gives the JSON it printed."""

    def run(terminal, *words):
        arguments = [terminal, *words, "--port", ports[terminal], "--json"]
        result = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    return run


@pytest.fixture
def wait(ports):
    """Ask for a register, whose counters are taken before, until it is as wanted."""

    def until(terminal, name, condition):
        end = time.monotonic() + TIMEOUT_S
        with BOARDS[terminal](ports[terminal]) as board:
            while True:
                if terminal == "rx":
                    board.write("receiver.snapshot.take", 1)
                if condition(value := board.read(name)):
                    return
                assert time.monotonic() < end, f"{name} stays {value}"

    return until


def locked(state):
    return state == 2


def run_transmitter(ports, run):
    with Transmitter(ports["tx"]) as board:
        board.write("transmitter.control.run", run)


def test_a_user_sets_a_receiver_up(ports, keybeam, wait):
    wait("rx", "receiver.status.sync_state", locked)
    (row,) = keybeam("rx", "channels", "V", "--delay", "-1250", "--dead-time", "45000")
    assert (row["delay, ps"], row["dead time, ps"], row["enabled"]) == (-1250, 45000, True)
    assert not keybeam("rx", "channels", "D", "--disable")[0]["enabled"]
    assert keybeam("rx", "channels", "A", "--divider", "2")[0]["divider"] == 2
    (gate,) = keybeam("rx", "gate", "H", "--mode", "shut")["channels"]
    assert (gate["mode"], gate["rejected"]) == ("shut", 0)
    run_transmitter(ports, 1)
    wait("rx", "tagger.a.edges_count.count", lambda count: count > 100)
    run_transmitter(ports, 0)
    wait("tx", "transmitter.status.running", lambda running: not running)
    # The light is over 20 µs later: nothing is on its way any more.
    rows = keybeam("rx", "status")["channels"]
    for row in rows.values():
        assert row["arrived"] == row["recorded"] + row["dropped"] + row["queued"]
        assert row["dropped"] == 0
    for name in "HVA":
        row = rows[name]
        assert row["edges"] == row["dead"] + row["divided"] + row["gated out"] + row["arrived"]
        assert row["unconfirmed"] == row["missed"] == row["queued"] == 0
    assert rows["H"]["gated out"] == rows["H"]["edges"] > 0
    assert rows["V"]["arrived"] > 0
    assert rows["D"]["arrived"] == rows["D"]["edges"] == 0
    assert abs(rows["A"]["divided"] - rows["A"]["arrived"]) <= 1
    assert rows["SYNC"]["arrived"] > 0


def test_a_lock_that_is_lost_stays_told_until_it_is_cleared(keybeam, wait):
    wait("rx", "receiver.status.sync_state", locked)
    keybeam("rx", "clear")
    word = ("--sync-word", "0x1ACFFC1D", "--bits", "32")
    content = keybeam("rx", "line", *word, "--flywheel-frames", "1")
    assert content["settings"]["sync word"] == "0x1acffc1d"
    wait("rx", "receiver.locks_lost.count", bool)
    content = keybeam("rx", "line", "--sync-word", "0x034776C7272895B0", "--flywheel-frames", "4")
    assert content["settings"]["sync word"] == "0x034776c7272895b0"
    assert content["settings"]["flywheel frames"] == 4
    wait("rx", "receiver.status.sync_state", locked)
    assert keybeam("rx", "clear")["cleared"]["lock lost"]
    assert not keybeam("rx", "clear")["cleared"]["lock lost"]
