import numpy as np
import pytest

from keybeam.protocol.lanes import (
    lane_table_address,
    one_hot_lane_table,
    sagnac_lane_table,
    time_bin_lane_table,
)
from keybeam.protocol.symbols import Intensity, Polarisation

SIGNAL, DECOY, VACUUM, INVALID = Intensity
H, V, D, A = Polarisation
TABLES = [sagnac_lane_table(), one_hot_lane_table(), *map(time_bin_lane_table, (1, 2, 4, 8, 16))]


@pytest.mark.parametrize("table", TABLES)
def test_invalid_is_vacuum(table):
    assert table.shape == (16, 16)
    assert table.max() < 1 << 12
    assert np.array_equal(table[INVALID << 2 :], table[VACUUM << 2 : INVALID << 2])


def test_sagnac_source_has_trigger_and_the_bits_of_the_codes():
    table = sagnac_lane_table(0b0110)
    assert table[SIGNAL << 2 | H, 0] == 0b0110_00000001
    assert table[DECOY << 2 | V, 0] == 0b0110_00001011
    assert table[VACUUM << 2 | A, 0] == 0b0110_00011101
    assert not table[:, 1:].any()


def test_one_hot_source_fires_one_laser_or_none():
    table = one_hot_lane_table()
    lasers = {int(table[symbol, 0]) & 0xFF for symbol in range(8)}
    assert lasers == {1 << laser for laser in range(8)}
    assert table[DECOY << 2 | D, 0] & 0xFF == 1 << 6
    assert not table[VACUUM << 2 :].any()


@pytest.mark.parametrize("spacing", [2, 4, 16])
def test_time_bins_are_slots_of_the_period(spacing):
    bins = time_bin_lane_table(spacing) & 1
    late = spacing // 2
    for symbol, places in ((H, [0]), (V, [late]), (D, [0, late]), (A, [0, late])):
        assert np.flatnonzero(bins[symbol]).tolist() == places
    phase = time_bin_lane_table(spacing) >> 3 & 1
    assert np.flatnonzero(phase[A]).tolist() == list(range(late, spacing))
    assert not phase[[H, V, D]].any()
    assert not bins[VACUUM << 2 :].any()


def test_time_bins_of_a_pulse_in_every_slot_are_sub_slots():
    serial = time_bin_lane_table(1)[:, 0] >> 8
    assert [int(serial[symbol]) for symbol in (H, V, D, A)] == [0b0001, 0b0100, 0b0101, 0b0101]


def test_a_spacing_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="every 3 slots"):
        time_bin_lane_table(3)


def test_addresses_follow_the_rows():
    assert [lane_table_address(*place) for place in ((0, 0), (0, 15), (1, 0), (11, 15))] == [
        *(0, 15, 16),
        191,
    ]
