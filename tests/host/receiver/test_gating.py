"""Gates, slot clock and phase histograms, on registers that do as the gateware's."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.protocol.numbers import FINE_STEPS
from keybeam.protocol.records import Channel
from keybeam.receiver import (
    GateMode,
    Marker,
    ReceiverError,
    centre_of,
    command,
    count_phases,
    follow_clock,
    gate_command,
    gate_settings,
    marker_settings,
    read_phases,
    set_gate,
    set_marker,
)
from keybeam.timing import ClockState, slot_clock_settings
from keybeam.timing.tracking import FRAME_STEPS
from keybeam_gateware.receiver.gate import GateMode as GatewareMode

STATE = ClockState(
    counter=700,
    segment_counter=650,
    segment_start=123_456_789,
    offset_ps=1234.5,
    rate=-21.7e-6,
    drift=0.31e-6,
    covariance=np.eye(3),
    first_counter=650,
    last_counter=750,
    words=100,
    outliers=0,
    scatter_ps=42.0,
)


def test_modes_are_those_of_the_gateware():
    assert {mode.name: mode.value for mode in GateMode} == {
        mode.name: mode.value for mode in GatewareMode
    }


@settings(max_examples=30)
@given(
    mode=st.sampled_from(list(GateMode)),
    begin=st.floats(-1600, 1600),
    width=st.floats(0, 1600),
    phase=st.floats(-1600, 1600),
)
def test_a_gate_is_read_back(registers, mode, begin, width, phase):
    board = registers()
    set_gate(board, Channel.A, mode=mode, begin_ps=begin, width_ps=width, phase_ps=phase)
    found = gate_settings(board, Channel.A)
    assert found.mode == mode
    assert abs(found.width_ps - width) < 0.2
    for value, wanted in ((found.begin_ps, begin), (found.phase_ps, phase)):
        assert abs((value - wanted + 800) % 1600 - 800) < 0.2
    assert gate_settings(board, Channel.H).mode == GateMode.OPEN


def test_nothing_is_written_of_what_does_not_fit(registers):
    board = registers()
    with pytest.raises(ReceiverError, match="0 to 1600 ps wide, not 1601"):
        set_gate(board, Channel.H, mode=GateMode.SLOT, width_ps=1601)
    with pytest.raises(ReceiverError, match="SYNC has no gate"):
        set_gate(board, Channel.SYNC, mode=GateMode.SHUT)
    for begin, length in ((-1, 5), (5, -1), (8e8, 5e7)):
        with pytest.raises(ReceiverError, match="window after a marker"):
            set_marker(board, Marker(Channel.PPS, begin, length))
    assert board.writes == []
    set_marker(board, Marker(Channel.PPS, 1e6, 8.375e8))
    assert marker_settings(board) == Marker(Channel.PPS, 1e6, 8.375e8)


@pytest.mark.parametrize("cycle", [5, (1 << 40) - (3 << 18)])
def test_the_slot_clock_is_told_before_it_begins(registers, cycle):
    board = registers()
    board._cycle = cycle
    # The board's time has gone round before.
    known = (1 << 40) * FINE_STEPS + (cycle - 3) * FINE_STEPS
    state = replace(STATE, segment_start=known - 60 * FRAME_STEPS)
    settings = follow_clock(board, state, known)
    whole = known // FINE_STEPS + (settings.at - known // FINE_STEPS) % (1 << 40)
    assert slot_clock_settings(state, whole) == settings
    told = board.clock
    assert (told["at"], told["offset"]) == (settings.at, settings.offset)
    assert told["increment"] == settings.increment % (1 << 40)
    assert told["ramp"] == settings.ramp % (1 << 20)


def test_a_clock_that_cannot_be_followed(registers):
    board = registers()
    wild = replace(STATE, rate=600e-6)
    with pytest.raises(ReceiverError, match="cannot follow a rate"):
        follow_clock(board, wild, 1)
    # Few sync words far apart: the drift is nothing but their scatter.
    for error, advice in ((4e-3, "longer window"), (1e-6, "clock right")):
        covariance = np.diag([0.0, 0.0, error**2])
        short = replace(STATE, drift=3.3e-3, covariance=covariance)
        with pytest.raises(ReceiverError, match=f"cannot follow a drift.*{advice}"):
            follow_clock(board, short, 1)
    assert not [name for name, _ in board.writes if name.startswith("gate")]
    # On a link so slow that the time has always come before.
    board.read = lambda name: 1 if name.endswith("armed") else type(board).read(board, name)
    with pytest.raises(ReceiverError, match="too slow"):
        follow_clock(board, STATE, 1)


def test_phases_are_counted_and_read(registers):
    board = registers()
    centre, generator = 1580.0, np.random.default_rng(6)
    phases = generator.normal(centre, 60, 20_000) % 1600
    board.phases["v"] = np.bincount((phases / 1.5625).astype(int), minlength=1024)
    parts = []
    count_phases(board, [Channel.V], 0.01, parts.append)
    assert parts[-1] == 1
    assert ("gate.v.histogram_clear.start", 1) in board.writes
    assert board.values["gate.v.histogram"] == 0
    counts = read_phases(board, Channel.V)
    assert np.array_equal(counts, board.phases["v"])
    assert centre_of(counts) == pytest.approx(centre, abs=2)
    some = read_phases(board, Channel.V, range(1000, 1010))
    assert np.array_equal(np.flatnonzero(some), np.arange(1000, 1010))
    with pytest.raises(ReceiverError, match="empty"):
        centre_of(np.zeros(1024, np.int64))


def test_as_a_user_types_it(registers, monkeypatch, tmp_path):
    board = registers()
    board.phases = {name: np.zeros(1024, int) for name in "hvda"}
    board.phases["h"][100:110] = 50
    monkeypatch.setattr(gate_command, "Receiver", lambda _port: nullcontext(board))

    def run(*words, status=0):
        result = CliRunner().invoke(command.rx, [*map(str, words), "--port", "x"])
        assert result.exit_code == status, result.output
        return result.output

    content = json.loads(
        run("gate", "h", "--mode", "slot", "--around-peak", "--width", 80, "--json")
    )
    (row,) = content["channels"]
    assert (row["mode"], row["width, ps"]) == ("slot", pytest.approx(80, abs=0.2))
    assert row["begin, ps"] == pytest.approx(105 * 1.5625 - 40, abs=0.4)
    assert "SYNC" in run("gate", "--marker", "sync", "--after", 5e6, "--length", 1e6)
    content = json.loads(run("histogram", "--count", 0.01, "--json"))
    assert sum(content["channels"]["H"]["counts"]) == 500
    assert content["channels"]["V"]["centre_ps"] is None
    page = tmp_path / "h.html"
    assert "H: 500 events" in run("histogram", "H", "--html", page)
    assert "<svg" in page.read_text()
    assert "needs --width" in run("gate", "H", "--around-peak", status=2)
    assert "say which channel" in run("gate", "--mode", "shut", status=2)
    assert "less than" in run("histogram", "--begin", 900, "--end", 900, status=2)
