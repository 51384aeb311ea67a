import numpy as np
import pytest

from keybeam.protocol.records import (
    FINE_PS,
    FINE_STEPS,
    FRAME_VALID,
    SAMPLED_FINE_STEP,
    SYNC_FLYWHEEL,
    Channel,
    RecordType,
    pack_records,
    record_body,
    record_channel,
    record_type,
)
from keybeam_sim.photons import SYNC_EDGE_DTYPE
from keybeam_sim.twin import FINE_BIN_STEPS, ReceiverModel

NO_SYNCS = np.empty(0, SYNC_EDGE_DTYPE)


def plain(kind, channel, body):
    return int(pack_records(kind, channel, body))


def test_times_are_the_starts_of_bins():
    times = np.array([0.0, 1599.9, 1600.0, 6400.0 + 3200.0])
    for bin_steps in (SAMPLED_FINE_STEP, FINE_BIN_STEPS, 1):
        records = ReceiverModel(bin_steps=bin_steps, epoch_cycles=100).records(
            times, np.full(4, Channel.V, np.uint8), NO_SYNCS, 12_800.0
        )
        tags = records[record_type(records) == RecordType.TAG]
        assert (record_channel(tags) == Channel.V).all()
        width = bin_steps * FINE_PS
        assert record_body(tags).tolist() == [int(t // width) * bin_steps for t in times]


def test_order_of_equal_times():
    channels = np.array([Channel.PPS, Channel.A, Channel.H, Channel.D], np.uint8)
    syncs = np.array([(6_400.0, 5, 1, True, False)], SYNC_EDGE_DTYPE)
    records = ReceiverModel(epoch_cycles=1).records(np.full(4, 6_400.0), channels, syncs, 12_800.0)
    assert records.tolist() == [
        plain(RecordType.EPOCH, 0, 0),
        plain(RecordType.TAG, Channel.H, FINE_STEPS),
        plain(RecordType.TAG, Channel.D, FINE_STEPS),
        plain(RecordType.TAG, Channel.A, FINE_STEPS),
        plain(RecordType.SYNC, 0, FINE_STEPS),
        plain(RecordType.FRAME, FRAME_VALID, 5 | 1 << 48),
        plain(RecordType.PPS, Channel.PPS, FINE_STEPS),
        plain(RecordType.EPOCH, 0, FINE_STEPS),
    ]


def test_flags_of_sync_words():
    syncs = np.array(
        [(2e3, 5, 1, False, True), (2e8, 6, 3, True, True)],
        SYNC_EDGE_DTYPE,
    )
    records = ReceiverModel(epoch_cycles=1 << 30).records(
        np.empty(0), np.empty(0, np.uint8), syncs, 6.4e9
    )
    assert record_channel(records[1:]).tolist() == [SYNC_FLYWHEEL, 0, SYNC_FLYWHEEL, FRAME_VALID]


def test_epochs_come_in_silence_and_time_starts_again():
    model = ReceiverModel(epoch_cycles=1 << 39)
    nothing = np.empty(0), np.empty(0, np.uint8), NO_SYNCS
    first = model.records(*nothing, float(1 << 39) * 6400)
    second = model.records(*nothing, float(3 << 39) * 6400)
    bodies = record_body(np.concatenate([first, second])).tolist()
    assert bodies == [0, 1 << 53, 0]


@pytest.mark.parametrize("cuts", [[], [50], [10, 11, 160]])
def test_cutting_the_edges_changes_nothing(cuts):
    generator = np.random.default_rng(1)
    times = np.sort(generator.uniform(0, 6.4e6, 200))
    channels = generator.integers(0, 4, 200).astype(np.uint8)
    model = ReceiverModel(bin_steps=64, epoch_cycles=16)
    bounds = [times[cut] // 6400 * 6400 for cut in cuts] + [6.4e6]
    parts, start = [], 0.0
    for bound in bounds:
        inside = (times >= start) & (times < bound)
        parts.append(model.records(times[inside], channels[inside], NO_SYNCS, bound))
        start = bound
    whole = ReceiverModel(bin_steps=64, epoch_cycles=16).records(times, channels, NO_SYNCS, 6.4e6)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
