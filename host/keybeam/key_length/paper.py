"""Key length by the analysis of the paper.

The formulas are those of Li et al., "Microsatellite-based real-time quantum
key distribution" (arXiv:2408.10994, Methods 0.4), called *the paper*: three
intensities, both bases pooled, Chernoff bounds on the expected counts. They
leave out the fluctuation from expected to actual counts and the cost of
amplification, verification and authentication.
"""

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from keybeam.key_length.counts import BlockCounts, checked_count, reconciliation_leak
from keybeam.key_length.entropy import binary_entropy
from keybeam.key_length.errors import KeyLengthError
from keybeam.protocol.numbers import KEY_LENGTH_STEP
from keybeam.protocol.symbols import INTENSITY_MEAN_PHOTONS, INTENSITY_PROBABILITY, Intensity

__all__ = [
    "PAPER_INTENSITIES",
    "PAPER_PROBABILITIES",
    "PAPER_XI",
    "KeyLength",
    "chernoff_bounds",
    "paper_key_length",
]

PAPER_INTENSITIES = (
    INTENSITY_MEAN_PHOTONS[Intensity.SIGNAL],
    INTENSITY_MEAN_PHOTONS[Intensity.DECOY],
    INTENSITY_MEAN_PHOTONS[Intensity.VACUUM],
)
"""Mean photon numbers μ, ν, o of signal, decoy and vacuum pulses."""

PAPER_PROBABILITIES = (
    INTENSITY_PROBABILITY[Intensity.SIGNAL],
    INTENSITY_PROBABILITY[Intensity.DECOY],
    INTENSITY_PROBABILITY[Intensity.VACUUM],
)
"""Probabilities of signal, decoy and vacuum pulses."""

PAPER_XI = 1e-10
"""Failure probability ξ of each Chernoff bound."""

_LARGEST_INTENSITY = 100.0
"""Far above any weak coherent pulse, and small enough that no Poisson weight underflows."""


@dataclass(frozen=True)
class KeyLength:
    """Result of a key-length analysis.

    Attributes
    ----------
    s1 : float
        Lower bound of the signal clicks that came from single photons; zero or
        negative when the counts prove none.
    e1 : float
        Upper bound of their phase error rate, 0 to 1/2; 1/2 when s1 is not positive.
    length_bits : int
        Secret bits, a multiple of 128; 0 when there is no key.
    leak_bits : float
        Bits disclosed by reconciliation that were subtracted.
    """

    s1: float
    e1: float
    length_bits: int
    leak_bits: float


def chernoff_bounds(count: float, xi: float = PAPER_XI) -> tuple[float, float]:
    """Bounds on the expected value of a sum of independent events of which `count` were seen.

    They are the two roots E of ``E - X + X ln(X/E) = ln(1/ξ)`` (the paper, equations
    5 and 6, with E = X/(1+δ1) and X/(1-δ2)).

    Parameters
    ----------
    count : float
        Observed count X, whole, 0 to 2^53.
    xi : float
        Probability ξ with which each bound may fail, between 0 and 1.

    Returns
    -------
    lower, upper : float
        E^L and E^U, each to about 1e-14 relative. For X = 0 they are 0 and ln(1/ξ).

    Raises
    ------
    KeyLengthError
        If the count or ξ is out of range.
    """
    observed = checked_count(count, "of a Chernoff bound")
    if not 0 < xi < 1:
        raise KeyLengthError(f"the failure probability xi must lie between 0 and 1, not {xi}")
    exponent = -math.log(xi)
    if observed == 0:
        return 0.0, exponent
    scaled = exponent / observed

    # With y = ln(E/X) the equation is e^y - 1 - y = ln(1/ξ)/X; an absolute error of y is a
    # relative one of E. The brackets follow from e^y > 0 and e^y - 1 - y >= y²/2 for y >= 0.
    def excess(y: float) -> float:
        return math.expm1(y) - y - scaled

    highest = math.sqrt(2 * scaled) * (1 + 1e-9) + 1e-15
    below = brentq(excess, -1 - scaled, 0.0, xtol=1e-16, rtol=1e-15)
    above = brentq(excess, 0.0, highest, xtol=1e-16, rtol=1e-15)
    return observed * math.exp(below), observed * math.exp(above)


def _check_source(
    intensities: tuple[float, float, float], probabilities: tuple[float, float, float]
) -> None:
    mu, nu, o = intensities
    if not 0 <= o < nu < mu <= _LARGEST_INTENSITY:
        raise KeyLengthError(
            "the intensities must fall from signal over decoy to vacuum, "
            f"{_LARGEST_INTENSITY:g} >= signal > decoy > vacuum >= 0, not {mu}, {nu}, {o}"
        )
    if not all(0 < p < 1 for p in probabilities) or abs(math.fsum(probabilities) - 1) > 1e-9:
        raise KeyLengthError(
            "the probabilities of signal, decoy and vacuum must be positive and add up to 1, "
            "not {}, {}, {}".format(*probabilities)
        )


def paper_key_length(
    counts: BlockCounts,
    qber: float,
    *,
    leak_bits: float | None = None,
    efficiency: float | None = None,
    intensities: tuple[float, float, float] = PAPER_INTENSITIES,
    probabilities: tuple[float, float, float] = PAPER_PROBABILITIES,
    xi: float = PAPER_XI,
) -> KeyLength:
    """Secret bits of a block by the analysis of the paper (Methods 0.4).

    Parameters
    ----------
    counts : BlockCounts
        Counts of the block.
    qber : float
        Error rate of the signal bits, 0 to 0.5; used with `efficiency` only.
    leak_bits : float, optional
        Bits disclosed by reconciliation. Either this or `efficiency` is given.
    efficiency : float, optional
        Efficiency f of reconciliation, at least 1; the leak is f S_μ H(qber).
    intensities : tuple of float
        Mean photon numbers μ > ν > o >= 0.
    probabilities : tuple of float
        Probabilities of μ, ν and o, which add up to 1.
    xi : float
        Failure probability of each Chernoff bound.

    Returns
    -------
    KeyLength
        Bounds and length; no positive s1 or nothing left after the leak is a length of 0.

    Raises
    ------
    KeyLengthError
        If a quantity is out of range, or neither or both of leak and efficiency are given.
    """
    _check_source(intensities, probabilities)
    leak = reconciliation_leak(counts.signal, qber, leak_bits, efficiency)
    mu, nu, o = intensities
    p_mu, p_nu, p_o = probabilities
    a0, a1, a2 = _poisson_weights(o)
    b0, b1, b2 = _poisson_weights(nu)
    c0, c1, c2 = _poisson_weights(mu)
    _, signal_upper = chernoff_bounds(counts.signal, xi)
    decoy_lower, decoy_upper = chernoff_bounds(counts.decoy, xi)
    vacuum_lower, vacuum_upper = chernoff_bounds(counts.vacuum, xi)
    _, errors_upper = chernoff_bounds(counts.decoy_errors, xi)

    numerator = (
        (a0 * c2 - c0 * a2) * a0 * decoy_lower / p_nu
        - (a0 * b2 - b0 * a2) * a0 * signal_upper / p_mu
        - a0 * (c2 * b0 - b2 * c0) * vacuum_upper / p_o
    )
    denominator = (a0 * c2 - c0 * a2) * (a0 * b1 - b0 * a1) - (a0 * b2 - b0 * a2) * (
        a0 * c1 - c0 * a1
    )
    if not denominator > 0:
        raise KeyLengthError(
            f"the intensities {mu}, {nu}, {o} are too close to tell single photons apart"
        )
    s1 = p_mu * c1 * numerator / denominator
    if s1 <= 0:
        return KeyLength(s1=s1, e1=0.5, length_bits=0, leak_bits=leak)

    vacuum_errors = (
        p_nu
        * b0
        * (p_nu * b1 * vacuum_lower - p_o * a1 * decoy_upper)
        / (2 * p_o * p_nu * (a0 * b1 - a1 * b0))
    )
    e1 = (errors_upper - vacuum_errors) * p_mu * c1 / (p_nu * b1 * s1)
    e1 = min(max(e1, 0.0), 0.5)
    secret = s1 * (1 - binary_entropy(e1)) - leak
    steps = max(0, math.floor(secret / KEY_LENGTH_STEP))
    return KeyLength(s1=s1, e1=e1, length_bits=steps * KEY_LENGTH_STEP, leak_bits=leak)


def _poisson_weights(mean: float) -> tuple[float, float, float]:
    """Probabilities of 0, 1 and 2 photons in a pulse of the given mean photon number."""
    none = math.exp(-mean)
    return none, none * mean, none * mean * mean / 2
