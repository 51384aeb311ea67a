"""How often the sync-word extractor is wrong: candidates in random bits, locks, missed words."""

from dataclasses import dataclass
from math import comb

from keybeam.protocol.downlink import SYNC_REACH_STEP
from keybeam.protocol.numbers import FRAME_RATE_HZ, LINE_RATE_HZ

__all__ = ["SyncStatistics", "sync_statistics"]


def _at_most(wrong: int, bits: int, error_rate: float) -> float:
    """Probability of at most so many errors in so many bits: the binomial distribution."""
    return sum(
        comb(bits, k) * error_rate**k * (1 - error_rate) ** (bits - k) for k in range(wrong + 1)
    )


def _more_than(wrong: int, bits: int, error_rate: float) -> float:
    """Probability of more errors; summed up by itself, since it may be tiny."""
    return sum(
        comb(bits, k) * error_rate**k * (1 - error_rate) ** (bits - k)
        for k in range(wrong + 1, bits + 1)
    )


@dataclass(frozen=True)
class SyncStatistics:
    """Rates and probabilities of the sync-word extractor.

    Attributes
    ----------
    candidates_hz : float
        Words that are found in random bits while searching, a second.
    false_locks_hz : float
        Times a second that such a candidate is verified by random bits as well.
    false_jump : float
        Probability that after a fade random bits are taken for the word before it comes.
    missed_search, missed_lock : float
        Probability that a true word has too many errors while searching and when locked.
    lock_in_time : float
        Probability that the first words in a row all are found: lock after `lock_frames` frames.
    lock_frames : int
        Words that a lock takes, the first one included.
    loss_hz : float
        Times a second that so many words are missed in a row that the lock is given up.
    restart_frames : int
        Most frames from the last word of a transmitter that starts anew, with its words in other
        places, until lock to the new ones, if all of these are found: what a long flywheel costs.
    """

    candidates_hz: float
    false_locks_hz: float
    false_jump: float
    missed_search: float
    missed_lock: float
    lock_in_time: float
    lock_frames: int
    loss_hz: float
    restart_frames: int


def sync_statistics(
    error_rate: float,
    *,
    search_tolerance: int,
    lock_tolerance: int,
    verify_frames: int,
    flywheel_frames: int,
    word_bits: int = 64,
    faded_frames: int = 96,
) -> SyncStatistics:
    """Work out how often the extractor errs.

    Random bits agree with a word of n bits but for t errors with the probability
    ``p(t) = sum of C(n, k) for k up to t, over 2^n`` (R. A. Scholtz, "Frame synchronization
    techniques", IEEE Trans. Commun. 28, 1204 (1980)). The search compares at every bit, so
    candidates come at the line rate times p; each of the further words has only its one place.
    Scrambled payload counts as random; the places that overlap with the word itself, where it
    differs from itself by design, do not make it worse.

    Parameters
    ----------
    error_rate : float
        Bit errors of the line, 0 to 0.5.
    search_tolerance, lock_tolerance : int
        Wrong bits allowed in a word while searching, and when verifying and locked.
    verify_frames, flywheel_frames : int
        Further words that a candidate needs; words that may be missed in a row.
    word_bits : int
        Bits of the word that are compared, 32 or 64.
    faded_frames : int
        Frames of a fade, which widen the place of the next word by some bits to either side each.

    Returns
    -------
    SyncStatistics

    Raises
    ------
    ValueError
        If the error rate is not between 0 and 0.5.
    """
    if not 0 <= error_rate <= 0.5:
        raise ValueError(f"a bit error rate is between 0 and 0.5, not {error_rate:g}")
    random_search = _at_most(search_tolerance, word_bits, 0.5)
    random_lock = _at_most(lock_tolerance, word_bits, 0.5)
    missed_lock = _more_than(lock_tolerance, word_bits, error_rate)
    missed_search = _more_than(search_tolerance, word_bits, error_rate)
    candidates = LINE_RATE_HZ * random_search
    # Places of all faded frames together, and three with the tolerance of the lock in each.
    places = SYNC_REACH_STEP * faded_frames * (faded_frames + 1)
    return SyncStatistics(
        candidates_hz=candidates,
        false_locks_hz=candidates * random_lock**verify_frames,
        false_jump=min(1.0, places * random_search + 3 * faded_frames * random_lock),
        missed_search=missed_search,
        missed_lock=missed_lock,
        lock_in_time=(1 - missed_search) * (1 - missed_lock) ** verify_frames,
        lock_frames=verify_frames + 1,
        loss_hz=float(FRAME_RATE_HZ) * missed_lock ** (flywheel_frames + 1),
        # The flywheel, the miss that ends it, part of a frame until a new word comes, and the lock.
        restart_frames=flywheel_frames + 1 + 1 + verify_frames + 1,
    )
