"""Min-entropy of a source of bits, estimated from a sample of them.

Two of the ten estimators of NIST SP 800-90B (January 2018), sections 6.3.1 and 6.3.3. A source's
min-entropy is at most the least of all ten; NIST's own tool computes all of them
(`ea_non_iid` of github.com/usnistgov/SP800-90B_EntropyAssessment).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["markov_entropy", "most_common_value_entropy"]

_Z_99 = 2.576
"""Quantile of the normal distribution at 99.5 %, as the standard rounds it."""

_MARKOV_LENGTH = 128


def most_common_value_entropy(sample: NDArray[np.integer]) -> float:
    """Estimate min-entropy by the most common value (SP 800-90B, 6.3.1).

    Parameters
    ----------
    sample : ndarray of int, shape (n,)
        Values of the source in order, at least two.

    Returns
    -------
    float
        Bits of min-entropy a value: that of the upper end of the 99 % confidence interval of the
        most common value's probability.

    Raises
    ------
    ValueError
        If there are fewer than two values.
    """
    if sample.size < 2:
        raise ValueError(f"{sample.size} values are too few for an estimate")
    part = np.unique(sample, return_counts=True)[1].max() / sample.size
    upper = min(1.0, part + _Z_99 * np.sqrt(part * (1 - part) / (sample.size - 1)))
    return float(-np.log2(upper)) + 0.0


def markov_entropy(bits: NDArray[np.integer]) -> float:
    """Estimate min-entropy by a first-order Markov model (SP 800-90B, 6.3.3).

    Parameters
    ----------
    bits : ndarray of int, shape (n,)
        Zeros and ones in order, at least two.

    Returns
    -------
    float
        Bits of min-entropy a bit, 0 to 1: by the most likely sequence of 128 bits.

    Raises
    ------
    ValueError
        If there are fewer than two bits, or anything but bits.
    """
    if bits.size < 2 or not np.isin(bits, (0, 1)).all():
        raise ValueError("the Markov estimate needs two or more bits")
    ones = float(np.mean(bits))
    pairs = np.bincount(2 * bits[:-1].astype(int) + bits[1:], minlength=4).reshape(2, 2)
    # Of a value that never was followed by anything, nothing is known and nothing is used.
    steps = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
    with np.errstate(divide="ignore"):
        start, step = np.log2([1 - ones, ones]), np.log2(steps)
    rest = _MARKOV_LENGTH - 1
    half = _MARKOV_LENGTH // 2
    likely = [
        _total((start[0], 1), (step[0, 0], rest)),
        _total((start[0], 1), (step[0, 1], half), (step[1, 0], half - 1)),
        _total((start[0], 1), (step[0, 1], 1), (step[1, 1], rest - 1)),
        _total((start[1], 1), (step[1, 0], 1), (step[0, 0], rest - 1)),
        _total((start[1], 1), (step[1, 0], half), (step[0, 1], half - 1)),
        _total((start[1], 1), (step[1, 1], rest)),
    ]
    return float(min(1.0, -max(likely) / _MARKOV_LENGTH)) + 0.0


def _total(*terms: tuple[float, int]) -> float:
    return sum(value * times for value, times in terms)
