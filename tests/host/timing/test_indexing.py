import numpy as np
import pytest

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.records import (
    FINE_PS,
    TIME_MODULO,
    Channel,
    RecordType,
    pack_records,
    record_type,
)
from keybeam.timing import PulseIndexer, RecordDecoder, estimate_delay


def index(records, indexer, cuts=()):
    decoder = RecordDecoder()
    parts = [indexer.feed(decoder.feed(part)) for part in np.split(records, sorted(cuts))]
    parts += [indexer.feed(decoder.finish()), indexer.finish()]
    return np.concatenate(parts)


DAMAGE = {
    "clean": {},
    "missing": {"missing": 0.3},
    "outliers": {"outliers": 0.05},
    "flywheels": {"flywheels": 0.2},
    "unread headers": {"unread": 0.3},
    "no headers": {"headless": 0.3},
    "doubled": {"doubled": 0.3},
    "rollover of the board's time": {"start_ps": TIME_MODULO * FINE_PS - 3e10},
    "all at once": {
        "missing": 0.1, "outliers": 0.02, "flywheels": 0.1, "unread": 0.1, "headless": 0.1,
        "doubled": 0.1, "start_ps": TIME_MODULO * FINE_PS - 3e10,
    },
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_every_index_is_right(generator, synthetic, damage):
    stream = synthetic(generator, **damage)
    indexer = PulseIndexer()
    clicks = index(stream.records, indexer)
    # Only the clicks outside of the first and the last believed sync word have none.
    first = np.searchsorted(stream.indices, clicks["index"][0])
    np.testing.assert_array_equal(clicks["index"], stream.indices[first : first + clicks.size])
    assert clicks.size > 0.97 * stream.indices.size
    assert indexer.statistics.indexed == clicks.size
    counts = indexer.statistics
    assert counts.indexed + counts.not_key + counts.unindexed == stream.indices.size
    assert np.abs(clicks["phase_ps"]).max() < 800
    assert abs(clicks["phase_ps"].mean()) < 20
    assert 130 < clicks["phase_ps"].std() < 170


def test_sampled_bins(generator, synthetic):
    """Both ends of every interval in bins of a slot: phases spread, indices stay within one."""
    stream = synthetic(generator, bin_ps=1600.0, frames=1500)
    indexer = PulseIndexer(bin_ps=1600, sync_bin_ps=1600)
    clicks = index(stream.records, indexer)
    error = clicks["index"].astype(np.int64) - stream.indices[: clicks.size].astype(np.int64)
    assert np.abs(error).max() <= 1
    # Rounding to bins moves a click by up to 800 ps: the mean stays, which smoothing must not bend.
    phase = clicks["phase_ps"] + 1600.0 * error
    assert abs(phase.mean()) < 60


def test_smoothing_beats_the_single_sync_word(generator, synthetic):
    stream = synthetic(generator, sync_noise_ps=400.0, frames=1500, tags=6000)
    phases = {}
    for window in (65, 512):
        clicks = index(stream.records, PulseIndexer(window_frames=window, ahead_frames=64))
        phases[window] = clicks["phase_ps"].std()
    assert phases[512] < 165 < np.hypot(150, 300)


@pytest.mark.parametrize("damage", [DAMAGE["clean"], DAMAGE["all at once"]])
def test_chunks_do_not_matter(generator, synthetic, damage):
    stream = synthetic(generator, **damage)
    whole = index(stream.records, PulseIndexer())
    for cuts in (1, 5, 200):
        places = generator.integers(0, stream.records.size, cuts)
        np.testing.assert_array_equal(index(stream.records, PulseIndexer(), places), whole)


def test_few_frames_and_little_delay(generator, synthetic):
    """Boards with a short state log: a click leaves as soon as the next sync word is known."""
    stream = synthetic(generator, frames=40, tags=400)
    indexer = PulseIndexer(stride_frames=1, ahead_frames=0)
    decoder, seen = RecordDecoder(), []
    types = record_type(stream.records)
    frame = np.cumsum(types == RecordType.SYNC)
    for place, record in enumerate(stream.records):
        clicks = indexer.feed(decoder.feed(np.array([record])))
        seen.extend(clicks["index"].tolist())
        if clicks.size and len(seen) > 100:
            newest = 7 + int(frame[place]) - 1
            assert newest - int(clicks["index"][-1]) // FRAME_SLOTS <= 2
    seen.extend(indexer.finish()["index"].tolist())
    np.testing.assert_array_equal(seen, stream.indices)


def test_only_frames_fit_for_key(generator, synthetic):
    flags = np.full(300, int(FrameFlag.RUNNING))
    flags[:50] = 0
    flags[100:110] |= int(FrameFlag.NOT_KEY)
    flags[200] |= int(FrameFlag.UNDERFLOW)
    stream = synthetic(generator, frames=300, flags=flags, first=0)
    indexer = PulseIndexer()
    clicks = index(stream.records, indexer)
    frames = (stream.indices // np.uint64(FRAME_SLOTS)).astype(int)
    fit = flags[frames] == FrameFlag.RUNNING
    np.testing.assert_array_equal(clicks["index"], stream.indices[fit])
    assert indexer.statistics.not_key == np.count_nonzero(~fit)
    everything = index(stream.records, PulseIndexer(key_only=False))
    np.testing.assert_array_equal(everything["index"], stream.indices)


def test_unreadable_flags_next_to_unfit_ones_are_unfit(generator, synthetic):
    flags = np.full(300, int(FrameFlag.RUNNING))
    flags[150:] = int(FrameFlag.RUNNING | FrameFlag.NOT_KEY)
    stream = synthetic(generator, frames=300, flags=flags, first=0, unread=0.5)
    clicks = index(stream.records, PulseIndexer())
    assert clicks["index"].max() < 150 * FRAME_SLOTS


def test_restart_of_the_transmitter(generator, synthetic):
    before = synthetic(generator, frames=200, first=5000)
    after = synthetic(generator, frames=200, first=0, start_ps=3.0333e12 + 2e10)
    indexer = PulseIndexer()
    clicks = index(np.concatenate([before.records, after.records]), indexer)
    assert indexer.statistics.segments == 2
    true = np.concatenate([before.indices, after.indices])
    np.testing.assert_array_equal(clicks["index"], true)


def test_restart_of_the_receiver(generator, synthetic):
    """Its time begins anew while the frames go on: nothing joins, and no index is wrong."""
    before = synthetic(generator, frames=200, first=5000)
    after = synthetic(generator, frames=200, first=5300, start_ps=1e6)
    indexer, decoder = PulseIndexer(), RecordDecoder()
    parts = [indexer.feed(decoder.feed(before.records))]
    decoder.lose(None)
    parts += [indexer.feed(decoder.feed(part)) for part in np.array_split(after.records, 7)]
    parts += [indexer.feed(decoder.finish()), indexer.finish()]
    true = np.concatenate([before.indices, after.indices])
    np.testing.assert_array_equal(np.concatenate(parts)["index"], true)
    assert indexer.statistics.segments == 2


def test_nothing_joins_across_a_gap_or_a_hole(generator, synthetic):
    stream = synthetic(generator, frames=400, first=0)
    types = record_type(stream.records)
    frame = np.cumsum(types == RecordType.SYNC) - 1
    # 70 frames whose sync words are gone although their tags came.
    hole = stream.records[~((frame > 100) & (frame < 171) & (types != RecordType.TAG))]
    clicks = index(hole, PulseIndexer())
    lost = (stream.indices >= 100 * FRAME_SLOTS) & (stream.indices < 171 * FRAME_SLOTS)
    np.testing.assert_array_equal(clicks["index"], stream.indices[~lost])
    # A gap of the sync channel between frames 100 and 101, too short to be a hole.
    place = int(np.flatnonzero(frame == 101)[0])
    gap = [
        pack_records(
            RecordType.GAP_BEGIN, Channel.SYNC, stream.records[place - 1] & ((1 << 54) - 1)
        ),
        pack_records(RecordType.GAP_END, Channel.SYNC, 1),
    ]
    clicks = index(np.insert(stream.records, place, np.array(gap, np.uint64)), PulseIndexer())
    lost = stream.indices // np.uint64(FRAME_SLOTS) == 100
    np.testing.assert_array_equal(clicks["index"], stream.indices[~lost])


def test_delay_is_estimated_and_taken_out(generator, synthetic):
    stream = synthetic(generator, frames=300)
    clicks = index(stream.records, PulseIndexer(delay_ps=-300.0))
    estimate = estimate_delay(clicks)
    assert estimate.delay_ps == pytest.approx(300, abs=15)
    assert estimate.contrast > 0.8
    clicks = index(stream.records, PulseIndexer(delay_ps=-300.0 + estimate.delay_ps))
    assert abs(estimate_delay(clicks).delay_ps) < 5


def test_memory_stays_bounded_without_sync_words(generator):
    indexer, decoder = PulseIndexer(), RecordDecoder()
    for second in range(20):
        times = (np.sort(generator.random(1000)) + second) * 1e12 / FINE_PS
        indexer.feed(decoder.feed(pack_records(RecordType.TAG, 0, times.astype(np.int64))))
    assert indexer.statistics.unindexed > 19_900


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="hole"):
        PulseIndexer(window_frames=64, hole_frames=64)
    with pytest.raises(ValueError, match="stride"):
        PulseIndexer(stride_frames=0)
