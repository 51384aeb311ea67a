import numpy as np
import pytest
from scipy.stats import binom

from keybeam.protocol.numbers import FRAME_RATE_HZ, LINE_RATE_HZ
from keybeam.timing.false_lock import sync_statistics

SETTINGS = {
    "search_tolerance": 2,
    "lock_tolerance": 8,
    "verify_frames": 2,
    "flywheel_frames": 4,
}


@pytest.mark.parametrize("error_rate", [1e-3, 1e-2, 5e-2])
@pytest.mark.parametrize("bits", [32, 64])
def test_probabilities_are_those_of_binomial_distributions(error_rate, bits):
    found = sync_statistics(error_rate, word_bits=bits, **SETTINGS)
    assert found.missed_search == pytest.approx(binom.sf(2, bits, error_rate), rel=1e-9)
    assert found.missed_lock == pytest.approx(binom.sf(8, bits, error_rate), rel=1e-6)
    assert found.candidates_hz == pytest.approx(LINE_RATE_HZ * binom.cdf(2, bits, 0.5))
    assert found.false_locks_hz == pytest.approx(
        found.candidates_hz * binom.cdf(8, bits, 0.5) ** 2, rel=1e-9
    )
    assert found.loss_hz == pytest.approx(float(FRAME_RATE_HZ) * found.missed_lock**5)


def test_lock_within_three_frames_at_an_error_rate_of_a_thousandth():
    found = sync_statistics(1e-3, **SETTINGS)
    assert found.lock_frames == 3
    assert found.lock_in_time > 0.9999
    # A false lock in 10^14 years.
    assert found.false_locks_hz * 3.2e7 < 1e-14


def test_candidates_in_random_bits_are_as_frequent_as_computed():
    # A short word with generous limits, so that there are enough of them.
    rng = np.random.default_rng(6)
    bits, tolerance, trials = 32, 6, 2_000_000
    words = rng.integers(0, 1 << 32, trials, dtype=np.uint64)
    near = np.bitwise_count(words ^ np.uint64(0x1ACFFC1D)) <= tolerance
    found = sync_statistics(0, **{**SETTINGS, "search_tolerance": tolerance}, word_bits=bits)
    assert np.count_nonzero(near) == pytest.approx(
        trials * found.candidates_hz / LINE_RATE_HZ, rel=0.15
    )


def test_a_longer_fade_makes_a_wrong_word_more_likely():
    short = sync_statistics(0, **SETTINGS, faded_frames=10).false_jump
    assert 0 < short < sync_statistics(0, **SETTINGS, faded_frames=96).false_jump < 1e-6


def test_an_error_rate_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"not 0\.6"):
        sync_statistics(0.6, **SETTINGS)


def test_a_longer_flywheel_holds_longer_and_finds_a_new_transmitter_later():
    brief, long = (
        sync_statistics(0.05, **{**SETTINGS, "flywheel_frames": frames}) for frames in (4, 128)
    )
    assert long.loss_hz < brief.loss_hz * 1e-200
    assert (brief.restart_frames, long.restart_frames) == (9, 133)
    assert long.restart_frames / float(FRAME_RATE_HZ) < 0.015
