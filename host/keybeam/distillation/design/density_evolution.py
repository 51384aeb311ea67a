"""Density evolution of sum-product decoding on the binary symmetric channel.

Follows T. J. Richardson and R. L. Urbanke, "The capacity of low-density parity-check codes
under message-passing decoding", IEEE Trans. Inf. Theory 47 (2001) 599, on two grids: sums of
log-likelihood ratios at the variables, and sums of γ = -ln tanh(|l|/2) at the checks, both by
Fourier transform. Mass between two points of a grid is shared so that the mean is kept.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fftshift, ifftshift, irfft, rfft

__all__ = ["DegreeDistribution", "converges", "threshold"]

Density = NDArray[np.float64]

_POINTS = 1 << 13
"""Half the points of the grid of log-likelihood ratios; it holds the sum of 24 messages."""
_STEP = 0.03
_CLIP = 10.0
"""Largest ratio of a check's message; one error in 22 000."""
_GAMMA_POINTS = 1 << 12
_GAMMA_STEP = 0.002
_DAMPING = 16.0
_PASSES = 400
"""Passes before giving up, of a flooding schedule; layers need about half of them."""
_GOAL = 3e-4
"""Error probability that counts as none; `_CLIP` does not let it vanish."""


@dataclass(frozen=True)
class DegreeDistribution:
    """Degrees of the edges of an ensemble of codes.

    Attributes
    ----------
    edges : dict of int to float
        Fraction λ_i of the edges that end at variables of degree i; they sum to 1.
    check_degree : float
        Mean degree of the checks, whose degrees are the two whole numbers next to it.
    """

    edges: dict[int, float]
    check_degree: float

    @property
    def mean_degree(self) -> float:
        """Mean degree of a variable."""
        return 1 / sum(part / degree for degree, part in self.edges.items())

    @property
    def syndrome_rate(self) -> float:
        """Checks for each variable."""
        return self.mean_degree / self.check_degree

    def check_edges(self) -> dict[int, float]:
        """Fraction ρ_j of the edges that end at checks of degree j."""
        low = int(np.floor(self.check_degree))
        high = 1 - (self.check_degree - low)
        parts = {low: low * high / self.check_degree}
        parts[low + 1] = 1 - parts[low]
        return {degree: part for degree, part in parts.items() if part > 0}


@cache
def _to_gamma() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Lower grid point of γ, and the share of the upper one, of each |l| on its grid."""
    ratios = np.arange(1, _POINTS) * _STEP
    gamma = -np.log(np.tanh(ratios / 2)) / _GAMMA_STEP
    gamma = np.minimum(gamma, _GAMMA_POINTS - 1.001)
    low = np.floor(gamma).astype(np.intp)
    return low, np.asarray(gamma - low, np.float64)


@cache
def _to_ratio() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the same from γ to |l|."""
    gamma = np.arange(1, _GAMMA_POINTS) * _GAMMA_STEP
    ratios = np.concatenate([[_CLIP], np.minimum(-np.log(np.tanh(gamma / 2)), _CLIP)]) / _STEP
    low = np.floor(ratios).astype(np.intp)
    return low, np.asarray(ratios - low, np.float64)


def _spread(mass: Density, low: NDArray[np.intp], share: NDArray[np.float64], size: int) -> Density:
    return np.asarray(
        np.bincount(low, mass * (1 - share), size) + np.bincount(low + 1, mass * share, size)
    )


@cache
def _damping() -> Density:
    """Weights that keep sums beyond the grid, which tell next to nothing, from coming round."""
    return np.asarray(np.exp(-_DAMPING / _GAMMA_POINTS * np.arange(_GAMMA_POINTS)))


def _sums(density: Density, check_edges: dict[int, float]) -> Density:
    """Density of the sum of γ over the other edges of a check."""
    transform = rfft(density * _damping())
    total = np.sum(
        [part * _whole_power(transform, j - 1) for j, part in check_edges.items()], axis=0
    )
    return np.asarray(irfft(total, _GAMMA_POINTS) / _damping())


def _whole_power(base: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128]:
    """Power by squaring, many times faster than NumPy's for complex numbers."""
    result = np.ones_like(base)
    while exponent:
        if exponent & 1:
            result = result * base
        base = base * base
        exponent >>= 1
    return result


def _through_checks(density: Density, check_edges: dict[int, float]) -> Density:
    """Density of the checks' messages; densities are over l = (-POINTS .. POINTS - 1) STEP.

    A message of size |l| is wrong with the probability 1/(1 + e^|l|), so the sizes say all.
    """
    sizes = density[_POINTS + 1 :] + density[_POINTS - 1 : 0 : -1]
    gamma = _spread(sizes, *_to_gamma(), _GAMMA_POINTS)
    total = _sums(gamma, check_edges)
    ratios = np.maximum(_spread(total, *_to_ratio(), _POINTS), 0)
    wrong = ratios * _soft_error()[_POINTS:]
    result = np.zeros(2 * _POINTS)
    result[_POINTS:] = ratios - wrong
    result[_POINTS:0:-1] += wrong
    result[_POINTS] += max(0.0, 1 - result.sum())
    return np.asarray(result / result.sum())


def _channel(qber: float) -> Density:
    """Density of a bit's own ratio."""
    place = np.log((1 - qber) / qber) / _STEP
    low = int(place)
    share = place - low
    density = np.zeros(2 * _POINTS)
    for sign, mass in ((1, 1 - qber), (-1, qber)):
        density[_POINTS + sign * low] += mass * (1 - share)
        density[_POINTS + sign * (low + 1)] += mass * share
    return density


@cache
def _soft_error() -> Density:
    """Probability of an error at each ratio, which falls even while no decision changes yet."""
    ratios = (np.arange(2 * _POINTS) - _POINTS) * _STEP
    return np.asarray(1 / (1 + np.exp(np.minimum(ratios, 700.0))))


def converges(distribution: DegreeDistribution, qber: float) -> bool:
    """Whether decoding of infinitely long frames removes the errors.

    Parameters
    ----------
    distribution : DegreeDistribution
        The ensemble; no degree of a variable may be above 24.
    qber : float
        Error rate of the channel, above 0 and below 0.5.
    """
    size = 2 * _POINTS
    channel = rfft(ifftshift(_channel(qber)))
    check_edges = distribution.check_edges()
    density, before = _channel(qber), 1.0
    for _ in range(_PASSES):
        errors = float(np.maximum(density, 0) @ _soft_error())
        if errors < _GOAL or errors > before * (1 - 1e-5):
            return errors < _GOAL
        before = errors
        message = rfft(ifftshift(_through_checks(density, check_edges)))
        parts = [
            part * _whole_power(message, degree - 1) for degree, part in distribution.edges.items()
        ]
        density = fftshift(irfft(channel * np.sum(parts, axis=0), size))
    return False


def threshold(distribution: DegreeDistribution) -> float:
    """Largest error rate at which decoding converges, to one in a thousand, by bisection."""
    low, high = 0.0, 0.5
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if converges(distribution, middle) else (low, middle)
    return low
