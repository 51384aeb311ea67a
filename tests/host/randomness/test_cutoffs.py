import math

import mpmath
import pytest
from scipy.stats import binom

from keybeam.randomness import (
    CHIP_CUTOFFS,
    CHIP_ENTROPY_PER_BIT,
    HARD_STOP_PROBABILITY,
    TRAINING_PATTERN,
    Cutoffs,
    adaptive_proportion_cutoff,
    cutoffs,
    false_alarm_probability,
    repetition_count_cutoff,
)


def tail(cutoff, window, entropy):
    """Probability of at least so many successes, with as many digits as it takes."""
    with mpmath.workdps(60):
        p = mpmath.power(2, -mpmath.mpf(entropy))
        return mpmath.fsum(
            mpmath.binomial(window, k) * p**k * (1 - p) ** (window - k)
            for k in range(cutoff, window + 1)
        )


@pytest.mark.parametrize(
    ("entropy", "alpha", "cutoff"),
    [
        # NIST SP 800-90B, 4.4.1, gives 11 for H = 2 and alpha = 2^-20.
        (2.0, 2**-20, 11),
        # Go's crypto/internal/entropy: 41 for H = 0.5.
        (0.5, 2**-20, 41),
        # The Linux kernel's jitterentropy: 31 and 61 for H = 1 with 2^-30 and 2^-60.
        (1.0, 2**-30, 31),
        (1.0, 2**-60, 61),
    ],
)
def test_repetition_count_as_published(entropy, alpha, cutoff):
    assert repetition_count_cutoff(entropy, alpha) == cutoff


@pytest.mark.parametrize(
    ("entropy", "alpha", "window", "cutoff"),
    [
        # Go's crypto/internal/entropy.
        (0.5, 2**-20, 512, 410),
        # Data sheet of the nRF54LS05B: 13 for samples of 8 bits.
        (8.0, 2**-20, 512, 13),
        # The Linux kernel's jitterentropy, with 2^-30 and 2^-60.
        (1.0, 2**-30, 512, 325),
        (1.0, 2**-60, 512, 355),
    ],
)
def test_adaptive_proportion_as_published(entropy, alpha, window, cutoff):
    assert adaptive_proportion_cutoff(entropy, alpha, window) == cutoff


@pytest.mark.parametrize("entropy", [0.2, 0.9, 1.0, 3.6])
@pytest.mark.parametrize("exponent", [-10, -60])
@pytest.mark.parametrize("window", [512, 1024])
def test_adaptive_proportion_is_the_smallest_count_that_is_rare_enough(entropy, exponent, window):
    alpha = 2.0**exponent
    cutoff = adaptive_proportion_cutoff(entropy, alpha, window)
    # 1 + CRITBINOM(W, p, 1 - alpha): the smallest k with P(X <= k) >= 1 - alpha, and one more.
    assert tail(cutoff, window, entropy) <= alpha < tail(cutoff - 1, window, entropy)
    if exponent == -10:
        assert cutoff == 1 + binom.ppf(1 - alpha, window, 2**-entropy)


@pytest.mark.parametrize("entropy", [0.1, 0.5, 0.9, 1.0, 4.0])
def test_repetition_count_is_the_shortest_run_that_is_rare_enough(entropy):
    alpha = 2.0**-60
    cutoff = repetition_count_cutoff(entropy, alpha)
    assert 2 ** (-entropy * (cutoff - 1)) <= alpha * (1 + 1e-9)
    assert 2 ** (-entropy * (cutoff - 2)) > alpha


def test_cutoffs_of_a_chip():
    found = cutoffs(CHIP_ENTROPY_PER_BIT)
    assert found == CHIP_CUTOFFS
    alpha, entropy = HARD_STOP_PROBABILITY, CHIP_ENTROPY_PER_BIT
    assert found == Cutoffs(
        repetition_bits=repetition_count_cutoff(entropy, alpha),
        repetition_symbols=repetition_count_cutoff(4 * entropy, alpha),
        repetition_groups=repetition_count_cutoff(4 * entropy, alpha),
        repetition_words=repetition_count_cutoff(16 * entropy, alpha),
        proportion_bits=adaptive_proportion_cutoff(entropy, alpha, 1024),
        proportion_symbols=adaptive_proportion_cutoff(4 * entropy, alpha, 512),
    )


def test_cutoffs_from_the_time_between_false_alarms():
    rate, years = 625e6, 100
    found = cutoffs(0.9, years=years, sample_rate_hz=rate)
    seconds = years * 365.25 * 24 * 3600
    # The run is as short as it may be for one false alarm in that time.
    run = found.repetition_bits
    assert rate * 2 ** (-0.9 * (run - 1)) * seconds <= 1 < rate * 2 ** (-0.9 * (run - 2)) * seconds
    windows = rate / 1024 * seconds
    assert tail(found.proportion_bits, 1024, 0.9) * windows <= 1
    assert tail(found.proportion_bits - 1, 1024, 0.9) * windows > 1
    assert cutoffs(0.9, years=1000, sample_rate_hz=rate).repetition_bits > run


def test_short_runs_are_raised_to_what_the_board_can_tell():
    assert cutoffs(1.0, years=1e-6, sample_rate_hz=1e3).repetition_words == 5


@pytest.mark.parametrize("entropy", [0.0, -1.0, 1.01, math.nan])
def test_entropy_of_a_bit_is_checked(entropy):
    with pytest.raises(ValueError, match="min-entropy"):
        cutoffs(entropy)


def test_a_claim_too_low_to_be_tested_is_refused():
    with pytest.raises(ValueError, match="longer than the board counts"):
        cutoffs(0.05)
    with pytest.raises(ValueError, match="no window"):
        adaptive_proportion_cutoff(0.01, 2**-60, 512)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_probability_is_checked(alpha):
    with pytest.raises(ValueError, match="false-alarm"):
        repetition_count_cutoff(1.0, alpha)


def test_rate_and_time_are_checked():
    assert false_alarm_probability(1.0, 1.0) == pytest.approx(1 / 31_557_600)
    for rate, years in ((0.0, 1.0), (1.0, 0.0)):
        with pytest.raises(ValueError, match="positive"):
            false_alarm_probability(rate, years)


def test_rotations_of_the_training_pattern_are_told_apart():
    rotated = [(TRAINING_PATTERN >> n | TRAINING_PATTERN << 16 - n) & 0xFFFF for n in range(16)]
    assert min(bin(TRAINING_PATTERN ^ other).count("1") for other in rotated[1:]) >= 8
