import importlib.util
from pathlib import Path

import numpy as np
import pytest

from keybeam.protocol.downlink import SHORT_SYNC_WORD, sync_region
from keybeam.protocol.lanes import one_hot_lane_table
from keybeam.protocol.modes import InjectedFault, PatternMode, RandomOrigin, StartCondition
from keybeam.protocol.symbols import Basis, Intensity, symbol_table
from keybeam.randomness import cutoffs
from keybeam.transmitter import (
    TransmitterBusyError,
    TransmitterError,
    clear_alarms,
    clear_flags,
    inject_fault,
    load_lane_table,
    load_symbol_map,
    load_user_pattern,
    restart_source,
    set_cutoffs,
    set_lane,
    set_mode,
    set_origin,
    start,
)
from keybeam.transmitter.settings import sync_word_register

_SPEC = importlib.util.spec_from_file_location(
    "register_board", Path(__file__).with_name("register_board.py")
)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
RegisterBoard = _MODULE.RegisterBoard


def resting(**shown):
    return RegisterBoard(pattern__layout__random_bits=4, **shown)


def test_a_start_sets_its_condition_before_it_runs():
    board = resting()
    start(board, condition=StartCondition.FRAME, frame=77, frames=5, spacing=8)
    assert board.values["pattern.start_frame.frame"] == 77
    assert board.values["pattern.spacing.log2_slots"] == 3
    assert board.values["transmitter.stop_after.frames"] == 5
    assert board.values["pattern.start.condition"] == StartCondition.FRAME
    assert board.writes[-1] == ("transmitter.control.run", 1)
    start(board, frame=9)
    assert board.values["transmitter.start_counter.counter"] == 9


def test_nothing_that_needs_rest_is_changed_while_the_pattern_runs():
    board = resting(pattern__status__locked=1)
    table = symbol_table({Intensity.SIGNAL: 1.0}, {Basis.RECTILINEAR: 1.0})
    for change in (
        lambda: start(board),
        lambda: load_symbol_map(board, table),
        lambda: load_lane_table(board, one_hot_lane_table()),
        lambda: load_user_pattern(board, np.zeros(4, np.uint8)),
    ):
        with pytest.raises(TransmitterBusyError, match="while the pattern does not run"):
            change()
    assert board.writes == []


def test_tables_are_loaded_entry_by_entry_from_the_first():
    board = resting()
    table = symbol_table(
        {Intensity.SIGNAL: 0.25, Intensity.DECOY: 0.75},
        {Basis.RECTILINEAR: 0.5, Basis.DIAGONAL: 0.5},
    )
    load_symbol_map(board, table)
    assert board.tables["map"] == dict(enumerate(table.tolist()))
    load_lane_table(board, one_hot_lane_table())
    # The twelve symbols that can be sent, sixteen slots each.
    assert board.tables["lane"] == dict(enumerate(one_hot_lane_table()[:12].ravel().tolist()))
    load_user_pattern(board, np.array([0, 5, 10, 3, 1, 1, 1, 1], np.uint8))
    assert board.tables["user"] == {0: 0x3A50, 1: 0x1111}
    assert board.values["pattern.user_length.words"] == 2
    load_user_pattern(board, np.zeros(4096, np.uint8))
    assert board.values["pattern.user_length.words"] == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [(np.zeros(8, np.uint8), "16 entries, not 8"), (np.full(16, 12, np.uint8), "INVALID")],
)
def test_symbol_maps_that_do_not_fit_are_refused(table, message):
    with pytest.raises(TransmitterError, match=message):
        load_symbol_map(resting(), table)


def test_a_refused_entry_is_an_error():
    class Refusing(RegisterBoard):
        def read(self, name):
            return 1 if name == "pattern.flags.refused" else super().read(name)

    with pytest.raises(TransmitterBusyError, match="did not take the whole user table"):
        load_user_pattern(Refusing(), np.zeros(4, np.uint8))


@pytest.mark.parametrize("slots", [0, 3, 4100])
def test_user_patterns_have_up_to_4096_slots_in_fours(slots):
    with pytest.raises(TransmitterError, match=f"not {slots}"):
        load_user_pattern(resting(), np.zeros(slots, np.uint8))


def test_modes_and_lanes():
    board = resting()
    set_mode(board, PatternMode.FIXED, symbol=6)
    assert board.writes == [("pattern.mode.symbol", 6), ("pattern.mode.mode", 1)]
    with pytest.raises(TransmitterError, match="a symbol is 0 to 11, not 12"):
        set_mode(board, PatternMode.FIXED, symbol=12)
    set_lane(board, "3", delay=63, idle=1)
    assert board.values["pattern.lane_3.delay"] == 63
    assert board.values["pattern.lane_3.idle"] == 1
    set_lane(board, "serial", invert=1)
    assert board.values["pattern.serial_lane.invert"] == 1
    with pytest.raises(TransmitterError, match="0 to 63 slots"):
        set_lane(board, "0", delay=64)
    with pytest.raises(TransmitterError, match="no fine delay"):
        set_lane(board, "serial", fine_delay=1)


def test_clearing_asks_for_key_again():
    board = resting()
    clear_flags(board)
    assert board.writes[-1] == ("pattern.not_key.clear", 1)
    cleared = {name for name, _ in board.writes}
    assert {"pattern.flags.underflow", "random.flags.overflow", "log.flags.lost"} <= cleared


def test_sources():
    board = resting()
    set_origin(board, RandomOrigin.BOTH)
    assert board.values["random.origin.origin"] == RandomOrigin.BOTH
    inject_fault(board, "b", InjectedFault.BIASED, [0, 2])
    assert board.values["random.injection_b.lanes"] == 0b0101
    assert board.values["random.injection_b.fault"] == InjectedFault.BIASED
    restart_source(board, "a")
    assert board.writes[-1] == ("random.control.restart_a", 1)
    limits = cutoffs(0.8)
    set_cutoffs(board, "a", limits)
    assert board.values["random.cutoffs_a.repetition_bits"] == limits.repetition_bits
    assert board.values["random.cutoffs_a.proportion_symbols"] == limits.proportion_symbols
    board.values["random.alarms_a.repetition_lanes"] = 0b0110
    clear_alarms(board, "a")
    assert board.values["random.alarms_a.repetition_lanes"] == 0
    with pytest.raises(TransmitterError, match="no source c"):
        restart_source(board, "c")
    with pytest.raises(TransmitterError, match="lanes 0 to 3, not 4"):
        inject_fault(board, "a", InjectedFault.STUCK_1, [4])


def test_sync_words():
    assert sync_word_register("0x1ACFFC1D", 32) == sync_region(SHORT_SYNC_WORD, 32)
    with pytest.raises(ValueError, match="no number"):
        sync_word_register("sync", 64)
    with pytest.raises(ValueError, match="must begin with 1 to 7 zeros"):
        sync_word_register("0xFFFFFFFF", 32)
