"""Settings and calibration of a receiver, on registers that do as the gateware's."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keybeam.protocol.records import FINE_PS, Channel
from keybeam.protocol.tagger import LEAD_CYCLES
from keybeam.receiver import (
    CalibrationFileError,
    ChannelSettings,
    Edge,
    ReceiverError,
    calibrate_channel,
    channel_rates,
    channel_settings,
    clear_flags,
    line_status,
    load_calibration,
    load_tables,
    new_calibration,
    receiver_status,
    ring_pulses,
    save_calibration,
    set_channel,
    set_line,
)
from keybeam.tagger import CalibrationError

COUNTS = 40_000
RING_PULSES = 9000


def counted(board):
    """Counts of rising edges of channel H."""
    return calibrate_channel(board, Channel.H, counts=COUNTS, pulses=RING_PULSES, edge=Edge.RISING)


@settings(max_examples=30)
@given(
    delay=st.floats(-2e6, 2e6),
    dead=st.floats(0, 10e6),
    divider=st.integers(1, 65535),
    limit=st.floats(0, 156.25e6),
    offset=st.integers(-64, 63),
    edge=st.sampled_from(list(Edge)),
    channel=st.sampled_from([Channel.H, Channel.PPS, Channel.AUX_2, Channel.LINE]),
)
def test_what_is_set_is_read_back(delay, dead, divider, limit, offset, edge, channel, registers):
    board = registers()
    set_channel(
        board,
        channel,
        enabled=True,
        edge=edge,
        delay_ps=delay,
        dead_time_ps=dead,
        divider=divider,
        rate_limit_hz=limit,
        sampled_offset=offset,
    )
    found = channel_settings(board, channel)
    assert (found.enabled, found.edge, found.divider) == (True, edge, divider)
    assert abs(found.delay_ps - delay) <= FINE_PS / 2
    assert abs(found.dead_time_ps - dead) <= FINE_PS / 2
    # A limit is never stricter than asked, and at most a step of 149 a second looser.
    assert -1e-6 <= found.rate_limit_hz - limit < 150
    assert found.sampled_offset == offset


def test_a_delay_is_changed_while_the_channel_is_off(registers):
    board = registers()
    set_channel(board, Channel.V, delay_ps=-1250.0)
    enable = [value for name, value in board.writes if name == "receiver.channels.enable"]
    assert [value >> Channel.V & 1 for value in enable] == [0, 1]
    names = [name for name, _ in board.writes]
    assert names.index("tagger.v.delay") == 1
    assert len(names) == 3
    # A channel that is off stays off; what is asked for besides takes effect after the delay.
    board = registers()
    set_channel(board, Channel.V, enabled=False)
    set_channel(board, Channel.V, delay_ps=3.0)
    assert not channel_settings(board, Channel.V).enabled
    set_channel(board, Channel.V, delay_ps=4.0, enabled=True)
    assert board.writes[-2][0] == "tagger.v.delay"
    assert channel_settings(board, Channel.V).enabled


@pytest.mark.parametrize(
    ("channel", "wrong", "said"),
    [
        (Channel.H, {"delay_ps": 2.1e6}, "delay is -2000000 to 2000000 ps, not 2100000"),
        (Channel.H, {"delay_ps": float("nan")}, "delay is"),
        (Channel.H, {"dead_time_ps": -1}, "dead time is 0"),
        (Channel.H, {"divider": 0}, "divider is 1 to 65535, not 0"),
        (Channel.H, {"rate_limit_hz": 2e8}, "rate limit is"),
        (Channel.H, {"sampled_offset": 64}, "offset of the sampled input is -64 to 63 slots"),
        (Channel.SYNC, {"divider": 3}, "SYNC has no edges"),
    ],
)
def test_nothing_is_written_of_what_does_not_fit(registers, channel, wrong, said):
    board = registers()
    with pytest.raises(ReceiverError, match=said):
        set_channel(board, channel, **{"enabled": False, "edge": None, **wrong})
    assert board.writes == []


def test_the_sync_words_can_only_be_switched(registers):
    board = registers()
    set_channel(board, Channel.SYNC, enabled=False)
    assert channel_settings(board, Channel.SYNC) == ChannelSettings(enabled=False)


def test_status_and_clearing(registers):
    board = registers()
    board.values["receiver.events"] = 0b10 | 1 << 6 << Channel.D
    board.values["tagger.shared.alarms"] = 1 << Channel.PPS | 1 << Channel.AUX_1
    board.values["tagger.h.rate"] = 6711
    board.values |= {"receiver.arrived_h": 100, "receiver.merged_h": 90, "receiver.dropped_h": 7}
    flags = receiver_status(board)["since the last clear"]
    assert flags["lock lost"]
    assert not flags["signal lost"]
    assert flags["channels that lost events"] == "D"
    assert flags["rate alarms"] == "PPS, AUX_1"
    rows = channel_rates(board)
    assert list(rows) == list(Channel.__members__)
    assert rows["H"]["rate, /s"] == pytest.approx(1e6, rel=1e-3)
    assert rows["H"]["queued"] == 3
    assert rows["SYNC"]["edges"] is None
    assert clear_flags(board)["cleared"] == flags
    after = receiver_status(board)["since the last clear"]
    assert not any(after.values())


def test_the_downlinks_settings(registers):
    board = registers()
    set_line(board, (0x1ACFFC1D, 32), flywheel_frames=100, lock_tolerance=5)
    found = line_status(board)["settings"]
    assert (found["flywheel frames"], found["lock tolerance"]) == (100, 5)
    assert (found["search tolerance"], found["sync word"]) == (2, "0x1acffc1d")
    writes = list(board.writes)
    for wrong in ({"verify_frames": 16}, {"hysteresis": 0}):
        with pytest.raises(ReceiverError, match="is"):
            set_line(board, (0x034776C7272895B0, 64), **wrong)
    with pytest.raises(ReceiverError, match="must begin with"):
        set_line(board, (0xFF << 56, 64), verify_frames=3)
    assert [write for write in board.writes if "snapshot" not in write[0]] == [
        write for write in writes if "snapshot" not in write[0]
    ]


@pytest.mark.parametrize(("lines", "flaws"), [(1, 0), (2, 0), (1, 50)])
def test_a_calibration_times_edges_of_the_line(registers, lines, flaws):
    board = registers(lines=lines, flaws=flaws)
    enabled, told = board.read("receiver.channels.enable"), []
    counts = calibrate_channel(
        board,
        Channel.D,
        counts=COUNTS * lines,
        pulses=RING_PULSES,
        report_progress=lambda what, part: told.append((what, part)),
    )
    # All is as before, and the board counted both directions as long as asked.
    assert board.read("receiver.channels.enable") == enabled
    assert board.values["tagger.shared.pulser"] == board.values["tagger.shared.histogram"] & 16 == 0
    assert board.values["tagger.d.edges"] == 1
    for row in (counts.rising, counts.falling):
        assert len(row) == lines * board.model.taps + 1
        assert COUNTS * lines <= sum(row) <= 1.2 * COUNTS * lines
    assert ("counting D", 1.0) in told
    # The tables on the board give the times of other edges.
    load_tables(board, new_calibration(board, {"D": counts}))
    generator = np.random.default_rng(8)
    ages = generator.uniform(0, 6400, 20_000)
    edges = board.model.edges(ages, generator)
    for falling in range(2):
        table = board.tables["d", falling]
        leads = np.array([table[code] for code in edges.codes.tolist()])
        errors = (leads * FINE_PS) - (LEAD_CYCLES * 6400 - ages) + 6400 * edges.cycles
        assert (errors - errors.mean()).std() < 25 / lines**0.5


def test_the_counts_are_the_boards(registers):
    board = registers(flaws=7)
    counts = calibrate_channel(
        board, Channel.H, counts=COUNTS, pulses=RING_PULSES, edge=Edge.RISING
    )
    whole = board._counts[0]
    assert counts.rising == whole[: len(counts.rising)].tolist()
    assert sum(counts.rising) == whole.sum()
    assert counts.falling is None
    assert board.repeated_requests > 10


def test_the_tables_follow_the_drift(registers):
    board = registers()
    counts = calibrate_channel(
        board, Channel.H, counts=COUNTS, pulses=RING_PULSES, edge=Edge.RISING
    )
    calibration = new_calibration(board, {"H": counts})
    load_tables(board, calibration)
    before = dict(board.tables["h", 0])
    # All delays are longer by 2 %, and so the ring is slower.
    warm = registers(drift=1.02)
    pulses = ring_pulses(warm)
    assert counts.pulses / pulses == pytest.approx(1.02, rel=1e-3)
    assert not warm.values["tagger.shared.pulser"]
    load_tables(warm, calibration, pulses=pulses)
    ages = {code: LEAD_CYCLES * 6400 - lead * FINE_PS for code, lead in before.items()}
    for code, lead in warm.tables["h", 0].items():
        assert LEAD_CYCLES * 6400 - lead * FINE_PS == pytest.approx(1.02 * ages[code], abs=1)


def test_what_cannot_be_calibrated(registers):
    board = registers(lines=0)
    with pytest.raises(ReceiverError, match="no delay line"):
        calibrate_channel(board, Channel.H, counts=COUNTS, pulses=RING_PULSES)
    with pytest.raises(ReceiverError, match="SYNC"):
        calibrate_channel(registers(), Channel.SYNC, counts=COUNTS, pulses=RING_PULSES)
    assert board.writes == []
    stopped = registers()
    stopped._ring = 0
    with pytest.raises(ReceiverError, match="ring oscillator"):
        ring_pulses(stopped)
    assert stopped.values["tagger.shared.pulser"] == 0
    few = calibrate_channel(
        registers(), Channel.H, counts=1000, pulses=RING_PULSES, edge=Edge.RISING
    )
    with pytest.raises(CalibrationError, match="too few"):
        load_tables(registers(), new_calibration(board, {"H": few}))
    enough = calibrate_channel(
        registers(), Channel.H, counts=COUNTS, pulses=RING_PULSES, edge=Edge.RISING
    )
    other = registers(lines=2)
    with pytest.raises(ReceiverError, match=r"2 line\(s\) of 384"):
        load_tables(other, new_calibration(other, {"H": enough}))
    assert not other.tables


def test_files_of_calibrations(registers, tmp_path):
    board = registers()
    counts = calibrate_channel(
        board, Channel.H, counts=COUNTS, pulses=RING_PULSES, edge=Edge.RISING
    )
    stored = new_calibration(board, {"H": counts, "V": counts})
    path = tmp_path / "lines.json"
    save_calibration(path, stored)
    assert load_calibration(path) == stored
    assert list(stored.of_channels(["V"]).channels) == ["V"]
    content = json.loads(path.read_text())
    for change, said in (
        ({"format": "other"}, "other"),
        ({"channels": {"X": content["channels"]["H"]}}, "'X'"),
        ({"channels": {"H": content["channels"]["H"] | {"rising": [5, 5]}}}, "2 counts"),
        ({"channels": {"H": content["channels"]["H"] | {"rising": [0] * 385}}}, "too few"),
        ({"channels": 3}, "no calibration"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(CalibrationFileError, match=said):
            load_calibration(path)
    path.write_bytes(b"\xff\x00 no text")
    with pytest.raises(CalibrationFileError, match="no calibration"):
        load_calibration(path)
