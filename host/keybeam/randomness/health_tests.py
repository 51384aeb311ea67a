"""Cut-offs of the health tests of NIST SP 800-90B, section 4.4."""

import math

from scipy.stats import binom

__all__ = [
    "adaptive_proportion_cutoff",
    "false_alarm_probability",
    "repetition_count_cutoff",
]

_YEAR_SECONDS = 365.25 * 24 * 3600


def _check(entropy: float, false_alarm: float) -> None:
    if not entropy > 0:
        raise ValueError(f"the min-entropy of a sample must be positive, not {entropy}")
    if not 0 < false_alarm < 1:
        raise ValueError(f"the false-alarm probability must be within 0 and 1, not {false_alarm}")


def repetition_count_cutoff(entropy: float, false_alarm: float) -> int:
    """Length of a run of equal samples that raises the alarm.

    NIST SP 800-90B, 4.4.1: C = 1 + ⌈−log₂ α / H⌉.

    Parameters
    ----------
    entropy : float
        Claimed min-entropy H of a sample in bits, above 0.
    false_alarm : float
        Probability α that a sample of a source that keeps its claim raises the alarm.

    Returns
    -------
    int
        C, at least 2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    _check(entropy, false_alarm)
    return 1 + math.ceil(-math.log2(false_alarm) / entropy)


def adaptive_proportion_cutoff(entropy: float, false_alarm: float, window: int) -> int:
    """Occurrences of a window's first sample in that window that raise the alarm.

    NIST SP 800-90B, 4.4.2: C = 1 + CRITBINOM(W, 2^−H, 1 − α), where CRITBINOM is the smallest
    count whose cumulative binomial probability reaches 1 − α. Computed from the upper tail, so
    that α may be far below the resolution of a float near 1.

    Parameters
    ----------
    entropy : float
        Claimed min-entropy H of a sample in bits, above 0.
    false_alarm : float
        Probability α that a window of a source that keeps its claim raises the alarm.
    window : int
        Samples W of a window.

    Returns
    -------
    int
        C, at most `window`.

    Raises
    ------
    ValueError
        If an argument is out of range, or the claim is so low that no count could raise the alarm.
    """
    _check(entropy, false_alarm)
    probability = 2.0**-entropy
    low, high = 0, window
    while low < high:
        middle = (low + high) // 2
        if binom.sf(middle, window, probability) <= false_alarm:
            high = middle
        else:
            low = middle + 1
    if low >= window:
        raise ValueError(
            f"with {entropy} bits a sample no window of {window} samples is rare enough "
            f"for a false alarm of {false_alarm}"
        )
    return 1 + low


def false_alarm_probability(sample_rate_hz: float, years: float) -> float:
    """Give the probability per sample that makes one false alarm in so many years.

    Parameters
    ----------
    sample_rate_hz : float
        Samples a second.
    years : float
        Mean time between false alarms, in years of 365.25 days.

    Returns
    -------
    float
        Probability per sample.

    Raises
    ------
    ValueError
        If an argument is not positive.
    """
    if not (sample_rate_hz > 0 and years > 0):
        raise ValueError(f"rate and time must be positive, not {sample_rate_hz} Hz, {years} years")
    return 1 / (sample_rate_hz * years * _YEAR_SECONDS)
