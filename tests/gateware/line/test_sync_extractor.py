from types import SimpleNamespace

import numpy as np
import pytest

from keybeam.protocol.downlink import SHORT_SYNC_WORD, SYNC_WORD, sync_region
from keybeam_gateware.line.data_recovery import DataRecovery
from keybeam_gateware.line.sync_extractor import SyncExtractor, SyncState
from keybeam_sim.compiled import CompiledBlock

FRAME = 256
SYNC = np.array([SYNC_WORD >> (63 - place) & 1 for place in range(64)])
SETTINGS = {
    "search_tolerance": 2,
    "lock_tolerance": 5,
    "verify_frames": 2,
    "flywheel_frames": 3,
}


@pytest.fixture(scope="module")
def extractor():
    return CompiledBlock(SyncExtractor(frame_bits=FRAME))


def make_frames(count, rng, sync=SYNC):
    """Frames of random bits behind sync words, shape (count, FRAME)."""
    bits = rng.integers(0, 2, (count, FRAME))
    bits[:, : len(sync)] = sync
    return bits


def extract(extractor, bits, *, pattern="one a cycle", seed=0, first_cycle=1000, **settings):
    """Sync events for line bits; times in samples, ends as numbers of the bit after the word.

    The bits are handed over as the data recovery does it, one, none or two a cycle.
    """
    rng = np.random.default_rng(seed)
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
    found = extractor.run(
        cycles,
        {
            "recovered__count": counts,
            "recovered__bits": pairs,
            "recovered__starts": starts,
            "cycle": np.arange(first_cycle, first_cycle + cycles),
            "word": SYNC_WORD,
            **chosen,
        },
        ["event", "coarse", "phase", "flywheel", "first_bit", "state", "lost_lock"],
    )
    found = SimpleNamespace(**{name: values.astype(int) for name, values in found.items()})
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
def test_every_word_after_verification_is_reported_with_its_time(extractor, pattern):
    rng = np.random.default_rng(1)
    lead = 77
    bits = np.concatenate([rng.integers(0, 2, lead), make_frames(12, rng).ravel()])
    found = extract(extractor, bits, pattern=pattern, seed=3)
    if pattern != "one a cycle":
        assert {0, 1, 2} <= set(found.counts)
    begins = [lead + FRAME * frame for frame in range(2, 12)]
    assert ends(found) == begins
    assert not any(event.flywheel for event in found.events)
    assert [event.time for event in found.events] == [found.first[b + 6] - 24 for b in begins]


@pytest.mark.parametrize("zeros", range(1, 8))
def test_any_word_that_begins_with_zeros_is_timed_by_its_first_edge(extractor, zeros):
    rng = np.random.default_rng(10 + zeros)
    word = sync_region((SYNC_WORD | 1 << 63) >> zeros & (1 << 64) - 1)
    sync = np.array([word >> (63 - place) & 1 for place in range(64)])
    assert not sync[:zeros].any()
    assert sync[zeros]
    bits = make_frames(6, rng, sync).ravel()
    found = extract(extractor, bits, pattern="none, one or two", seed=zeros, word=word)
    begins = [FRAME * frame for frame in range(2, 6)]
    assert ends(found) == begins
    expected = [found.first[begin + zeros] - 4 * zeros for begin in begins]
    assert [event.time for event in found.events] == expected


@pytest.mark.parametrize("wrong_behind", [0, 32])
def test_of_a_short_word_only_its_own_bits_are_compared(extractor, wrong_behind):
    rng = np.random.default_rng(5)
    word = sync_region(SHORT_SYNC_WORD, 32)
    sync = np.array([word >> (63 - place) & 1 for place in range(64)])
    sync[64 - wrong_behind :] ^= 1
    lead = 33
    bits = np.concatenate([rng.integers(0, 2, lead), make_frames(6, rng, sync).ravel()])
    found = extract(extractor, bits, word=word, short=1)
    assert ends(found) == [lead + FRAME * frame for frame in range(2, 6)]
    unlike = extract(extractor, bits, word=word, short=0)
    assert bool(unlike.events) == (wrong_behind == 0)


@pytest.mark.parametrize(("wrong", "found_at_all"), [(2, True), (3, False)])
def test_search_accepts_as_many_wrong_bits_as_told(extractor, wrong, found_at_all):
    rng = np.random.default_rng(2)
    frames = make_frames(5, rng)
    for frame in frames:
        frame[rng.choice(64, wrong, replace=False)] ^= 1
    found = extract(extractor, frames.ravel())
    assert bool(found.events) == found_at_all


@pytest.mark.parametrize(("wrong", "flywheel"), [(5, False), (6, True)])
def test_lock_accepts_as_many_wrong_bits_as_told(extractor, wrong, flywheel):
    rng = np.random.default_rng(3)
    frames = make_frames(6, rng)
    # Bits 5 and 6 carry the edge from which the time is taken; here they are right.
    frames[4, 7 + rng.choice(57, wrong, replace=False)] ^= 1
    found = extract(extractor, frames.ravel())
    assert ends(found) == [FRAME * frame for frame in range(2, 6)]
    assert [event.flywheel for event in found.events] == [False, False, flywheel, False]


def test_candidate_that_does_not_come_again_is_dropped(extractor):
    rng = np.random.default_rng(4)
    decoy = np.concatenate([SYNC, rng.integers(0, 2, 100)])
    frames = make_frames(6, rng)
    bits = np.concatenate([decoy, frames.ravel()])
    found = extract(extractor, bits)
    # Frame 0 passes while the decoy is being verified: the true candidate is frame 1.
    assert ends(found) == [decoy.size + FRAME * frame for frame in (3, 4, 5)]
    assert SyncState.VERIFY.value in found.state


@pytest.mark.parametrize("verify", [0, 1, 4])
def test_verification_takes_as_many_words_as_told(extractor, verify):
    rng = np.random.default_rng(5)
    found = extract(extractor, make_frames(6, rng).ravel(), verify_frames=verify)
    assert ends(found) == [FRAME * frame for frame in range(verify, 6)]


@pytest.mark.parametrize("slip", [-1, 1])
@pytest.mark.parametrize("pattern", ["one a cycle", "none, one or two"])
def test_locked_extractor_follows_a_slip_of_a_bit(extractor, slip, pattern):
    rng = np.random.default_rng(6)
    frames = list(make_frames(7, rng))
    frames[3] = frames[3][:-1] if slip < 0 else np.append(frames[3], 1)
    found = extract(extractor, np.concatenate(frames), pattern=pattern)
    begins = [FRAME * frame + (slip if frame > 3 else 0) for frame in range(2, 7)]
    assert ends(found) == begins
    assert not any(event.flywheel for event in found.events)
    assert [event.time for event in found.events] == [found.first[b + 6] - 24 for b in begins]


def move(frames, frame, slip):
    """Lose bits at the end of a frame, or put some in."""
    rng = np.random.default_rng(1)
    kept = frames[frame][: FRAME + min(0, slip)]
    frames[frame] = np.concatenate([kept, rng.integers(0, 2, max(0, slip))])


@pytest.mark.parametrize("slip", [-3, -2, 2, 3])
def test_slip_of_more_than_a_bit_is_followed_a_frame_later(extractor, slip):
    rng = np.random.default_rng(7)
    frames = list(make_frames(12, rng))
    move(frames, 3, slip)
    found = extract(extractor, np.concatenate(frames))
    assert not any(found.lost_lock)
    # Frame 4 is on the flywheel; 5 is found three bits off at most. One that is late was on the
    # flywheel as well, two bits behind its place at the latest.
    late = slip > 2
    assert [event.flywheel for event in found.events] == [
        *[False, False, True],
        late,
        *[False] * 6,
    ]
    begins = [FRAME * frame + slip * (frame > 4 + late) for frame in range(2, 12)]
    assert ends(found) == begins


@pytest.mark.parametrize("slip", [-40, -25, -7, -2, 2, 3, 4, 5, 6, 7, 25, 40])
def test_a_fade_costs_no_frame_and_no_lock_whatever_the_drift_meanwhile(extractor, slip):
    rng = np.random.default_rng(9)
    faded, after = 20, 6
    frames = list(make_frames(4 + faded + after, rng))
    for frame in frames[4 : 4 + faded]:
        frame[:] = rng.integers(0, 2)
    move(frames, 4 + faded - 1, slip)
    found = extract(extractor, np.concatenate(frames), flywheel_frames=30, seed=4)
    assert not any(found.lost_lock)
    # One event a frame, from the third on.
    assert len(found.events) == 2 + faded + after
    resumed = 4 + faded + (slip > 2)
    begins = [FRAME * frame + slip for frame in range(resumed, len(frames))]
    assert ends(found)[-len(begins) :] == begins
    assert not any(event.flywheel for event in found.events[-len(begins) :])
    times = [event.time for event in found.events]
    assert times == sorted(times)


def test_a_fade_of_noise_is_bridged_too(extractor):
    rng = np.random.default_rng(10)
    # So many that the place of the word stays within a frame, which here is short.
    faded = 40
    frames = list(make_frames(4 + faded + 4, rng))
    for frame in frames[4 : 4 + faded]:
        frame[:64] = rng.integers(0, 2, 64)
    found = extract(extractor, np.concatenate(frames), flywheel_frames=128, seed=4)
    assert not any(found.lost_lock)
    assert ends(found) == [FRAME * frame for frame in range(2, len(frames))]
    assert sum(event.flywheel for event in found.events) == faded


def test_a_copy_of_the_word_in_the_payload_is_not_seen_while_words_come(extractor):
    rng = np.random.default_rng(11)
    frames = make_frames(20, rng)
    frames[3:, 100:164] = SYNC
    found = extract(extractor, frames.ravel())
    assert ends(found) == [FRAME * frame for frame in range(2, 20)]
    assert not any(event.flywheel for event in found.events)


def test_a_copy_that_is_taken_for_the_word_after_a_fade_is_given_up_for_the_true_one(extractor):
    rng = np.random.default_rng(12)
    frames = make_frames(40, rng)
    frames[4:20, :64] = rng.integers(0, 2, (16, 64))
    # Within reach, in the last faded frame but one, and nowhere else.
    frames[18, 20:84] = SYNC
    found = extract(extractor, frames.ravel(), flywheel_frames=30)
    assert sum(found.lost_lock) == 1
    assert ends(found)[-15:] == [FRAME * frame for frame in range(25, 40)]


@pytest.mark.parametrize("flywheel", [0, 3])
def test_words_that_stay_away_end_the_lock(extractor, flywheel):
    rng = np.random.default_rng(13)
    frames = list(make_frames(20, rng))
    move(frames, 3, 100)
    found = extract(extractor, np.concatenate(frames), flywheel_frames=flywheel)
    assert sum(found.lost_lock) == 1
    # Frames 2, 3 and what the flywheel fills in; then a candidate and two words that confirm it.
    flywheels = [event.flywheel for event in found.events]
    assert flywheels[: 2 + flywheel] == [False, False] + [True] * flywheel
    resumed = 4 + flywheel + 3
    assert ends(found)[-(20 - resumed) :] == [FRAME * f + 100 for f in range(resumed, 20)]


@pytest.mark.parametrize("missed", [3, 4])
def test_flywheel_runs_as_long_as_told_on_the_bit_clock(extractor, missed):
    rng = np.random.default_rng(8)
    frames = make_frames(4 + missed + 5, rng)
    frames[4 : 4 + missed, :64] = rng.integers(0, 2, (missed, 64))
    found = extract(extractor, frames.ravel(), pattern="none, one or two", seed=2)
    flywheel = [event.flywheel for event in found.events]
    assert flywheel.count(True) == 3
    assert sum(found.lost_lock) == (missed == 4)
    for event, begin in zip(found.events, ends(found), strict=True):
        assert begin % FRAME == 0
        assert event.time == found.first[begin + 6] - 24
    last = 4 + missed + 5
    resumed = 4 + missed + (0 if missed == 3 else 2)
    assert ends(found)[-(last - resumed) :] == [FRAME * f for f in range(resumed, last)]
