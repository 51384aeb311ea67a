from types import SimpleNamespace

import numpy as np
import pytest

from keybeam.protocol.downlink import SHORT_SYNC_WORD, SYNC_WORD, sync_region
from keybeam_gateware.line.data_recovery import DataRecovery
from keybeam_gateware.line.sync_extractor import SyncExtractor, SyncState

FRAME = 256
SYNC = np.array([SYNC_WORD >> (63 - place) & 1 for place in range(64)])
SETTINGS = {
    "search_tolerance": 2,
    "lock_tolerance": 5,
    "verify_frames": 2,
    "flywheel_frames": 3,
}


def make_frames(count, rng, sync=SYNC):
    """Frames of random bits behind sync words, shape (count, FRAME)."""
    bits = rng.integers(0, 2, (count, FRAME))
    bits[:, : len(sync)] = sync
    return bits


def extract(bench, bits, *, pattern="one a cycle", seed=0, first_cycle=1000, **settings):
    """Sync events for line bits; times in samples, ends as numbers of the bit after the word.

    The bits are handed over as the data recovery does it, one, none or two a cycle.
    """
    rng = np.random.default_rng(seed)
    dut = SyncExtractor(frame_bits=FRAME)
    chosen = {**SETTINGS, **settings}
    # First samples: a phase that moves now and then, over borders of cycles as well.
    moves = rng.choice([-1, 0, 1], len(bits), p=[0.005, 0.99, 0.005])
    if pattern == "one a cycle":
        moves[:] = 0
    first = 4 * first_cycle + 4 * np.arange(len(bits)) + 1 + np.cumsum(moves)
    cycle_of = first // 4
    cycles = int(cycle_of[-1]) - first_cycle + 60
    counts, pairs, starts = ([0] * cycles for _ in range(3))
    for bit, place, cycle in zip(bits, first, cycle_of, strict=True):
        at = int(cycle) - first_cycle + DataRecovery.LATENCY
        pairs[at] |= int(bit) << counts[at]
        starts[at] |= int(place) % 16 << 4 * counts[at]
        counts[at] += 1
    found = bench.play(
        dut,
        cycles,
        [
            (dut.recovered.count, counts),
            (dut.recovered.bits, pairs),
            (dut.recovered.starts.as_value(), starts),
            (dut.cycle, range(first_cycle, first_cycle + cycles)),
            *((getattr(dut, name), [value] * cycles) for name, value in chosen.items()),
        ],
        {
            name: getattr(dut, name)
            for name in ("event", "coarse", "phase", "flywheel", "first_bit", "state", "lost_lock")
        },
    )
    at = np.flatnonzero(found.event)
    events = [
        SimpleNamespace(
            time=4 * found.coarse[cycle] + found.phase[cycle],
            flywheel=bool(found.flywheel[cycle]),
            first_bit=found.first_bit[cycle],
        )
        for cycle in at
    ]
    # The word must be known soon enough for the merge and the aligner.
    for cycle, event in zip(at, events, strict=True):
        assert cycle + first_cycle - event.time // 4 < 100
    return SimpleNamespace(events=events, first=first, counts=counts, **vars(found))


def ends(found):
    """Numbers, from 1 on, of the bits after the reported words, less the length of a word."""
    return [event.first_bit - 1 - 64 for event in found.events]


@pytest.mark.parametrize("pattern", ["one a cycle", "none, one or two"])
def test_every_word_after_verification_is_reported_with_its_time(bench, pattern):
    rng = np.random.default_rng(1)
    lead = 77
    bits = np.concatenate([rng.integers(0, 2, lead), make_frames(12, rng).ravel()])
    found = extract(bench, bits, pattern=pattern, seed=3)
    if pattern != "one a cycle":
        assert {0, 1, 2} <= set(found.counts)
    begins = [lead + FRAME * frame for frame in range(2, 12)]
    assert ends(found) == begins
    assert not any(event.flywheel for event in found.events)
    assert [event.time for event in found.events] == [found.first[b + 6] - 24 for b in begins]


@pytest.mark.parametrize("zeros", range(1, 8))
def test_any_word_that_begins_with_zeros_is_timed_by_its_first_edge(bench, zeros):
    rng = np.random.default_rng(10 + zeros)
    word = sync_region((SYNC_WORD | 1 << 63) >> zeros & (1 << 64) - 1)
    sync = np.array([word >> (63 - place) & 1 for place in range(64)])
    assert not sync[:zeros].any()
    assert sync[zeros]
    bits = make_frames(6, rng, sync).ravel()
    found = extract(bench, bits, pattern="none, one or two", seed=zeros, word=word)
    begins = [FRAME * frame for frame in range(2, 6)]
    assert ends(found) == begins
    expected = [found.first[begin + zeros] - 4 * zeros for begin in begins]
    assert [event.time for event in found.events] == expected


@pytest.mark.parametrize("wrong_behind", [0, 32])
def test_of_a_short_word_only_its_own_bits_are_compared(bench, wrong_behind):
    rng = np.random.default_rng(5)
    word = sync_region(SHORT_SYNC_WORD, 32)
    sync = np.array([word >> (63 - place) & 1 for place in range(64)])
    sync[64 - wrong_behind :] ^= 1
    lead = 33
    bits = np.concatenate([rng.integers(0, 2, lead), make_frames(6, rng, sync).ravel()])
    found = extract(bench, bits, word=word, short=1)
    assert ends(found) == [lead + FRAME * frame for frame in range(2, 6)]
    unlike = extract(bench, bits, word=word, short=0)
    assert bool(unlike.events) == (wrong_behind == 0)


@pytest.mark.parametrize(("wrong", "found_at_all"), [(2, True), (3, False)])
def test_search_accepts_as_many_wrong_bits_as_told(bench, wrong, found_at_all):
    rng = np.random.default_rng(2)
    frames = make_frames(5, rng)
    for frame in frames:
        frame[rng.choice(64, wrong, replace=False)] ^= 1
    found = extract(bench, frames.ravel())
    assert bool(found.events) == found_at_all


@pytest.mark.parametrize(("wrong", "flywheel"), [(5, False), (6, True)])
def test_lock_accepts_as_many_wrong_bits_as_told(bench, wrong, flywheel):
    rng = np.random.default_rng(3)
    frames = make_frames(6, rng)
    # Bits 5 and 6 carry the edge from which the time is taken; here they are right.
    frames[4, 7 + rng.choice(57, wrong, replace=False)] ^= 1
    found = extract(bench, frames.ravel())
    assert ends(found) == [FRAME * frame for frame in range(2, 6)]
    assert [event.flywheel for event in found.events] == [False, False, flywheel, False]


def test_candidate_that_does_not_come_again_is_dropped(bench):
    rng = np.random.default_rng(4)
    decoy = np.concatenate([SYNC, rng.integers(0, 2, 100)])
    frames = make_frames(6, rng)
    bits = np.concatenate([decoy, frames.ravel()])
    found = extract(bench, bits)
    # Frame 0 passes while the decoy is being verified: the true candidate is frame 1.
    assert ends(found) == [decoy.size + FRAME * frame for frame in (3, 4, 5)]
    assert SyncState.VERIFY in found.state


@pytest.mark.parametrize("verify", [0, 1, 4])
def test_verification_takes_as_many_words_as_told(bench, verify):
    rng = np.random.default_rng(5)
    found = extract(bench, make_frames(6, rng).ravel(), verify_frames=verify)
    assert ends(found) == [FRAME * frame for frame in range(verify, 6)]


@pytest.mark.parametrize("slip", [-1, 1])
@pytest.mark.parametrize("pattern", ["one a cycle", "none, one or two"])
def test_locked_extractor_follows_a_slip_of_a_bit(bench, slip, pattern):
    rng = np.random.default_rng(6)
    frames = list(make_frames(7, rng))
    frames[3] = frames[3][:-1] if slip < 0 else np.append(frames[3], 1)
    found = extract(bench, np.concatenate(frames), pattern=pattern)
    begins = [FRAME * frame + (slip if frame > 3 else 0) for frame in range(2, 7)]
    assert ends(found) == begins
    assert not any(event.flywheel for event in found.events)
    assert [event.time for event in found.events] == [found.first[b + 6] - 24 for b in begins]


def test_slip_of_two_bits_costs_the_lock_and_is_found_again(bench):
    rng = np.random.default_rng(7)
    frames = list(make_frames(12, rng))
    frames[3] = frames[3][:-2]
    found = extract(bench, np.concatenate(frames))
    assert sum(found.lost_lock) == 1
    flywheel = [event.flywheel for event in found.events]
    # Frames 2, 3; three on the flywheel; the fourth miss ends the lock in frame 7; from 8 on the
    # word is a candidate again, and 10 is reported.
    assert flywheel == [False, False, True, True, True, False, False]
    assert ends(found)[-2:] == [FRAME * 10 - 2, FRAME * 11 - 2]


@pytest.mark.parametrize("missed", [3, 4])
def test_flywheel_runs_as_long_as_told_on_the_bit_clock(bench, missed):
    rng = np.random.default_rng(8)
    frames = make_frames(4 + missed + 5, rng)
    frames[4 : 4 + missed, :64] = rng.integers(0, 2, (missed, 64))
    found = extract(bench, frames.ravel(), pattern="none, one or two", seed=2)
    flywheel = [event.flywheel for event in found.events]
    assert flywheel.count(True) == 3
    assert sum(found.lost_lock) == (missed == 4)
    for event, begin in zip(found.events, ends(found), strict=True):
        assert begin % FRAME == 0
        assert event.time == found.first[begin + 6] - 24
    last = 4 + missed + 5
    resumed = 4 + missed + (0 if missed == 3 else 2)
    assert ends(found)[-(last - resumed) :] == [FRAME * f for f in range(resumed, last)]
