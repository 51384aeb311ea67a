"""Density evolution of sum-product decoding on the binary symmetric channel.

Follows T. J. Richardson and R. L. Urbanke, "The capacity of low-density parity-check codes
under message-passing decoding", IEEE Trans. Inf. Theory 47 (2001) 599, on two grids: sums of
log-likelihood ratios l at the variables, and sums of γ = -ln tanh(|l|/2) at the checks, both by
Fourier transform. Mass between two points of a grid is shared so that the mean is kept.

All densities are symmetric, P(-l) = P(l)·exp(-l), so that the sizes |l| say all. At the variables
P(l)·exp(-l/2) takes their place: it is even, falls off quickly, and its sums are convolutions too,
so that a short grid does for variables of any degree (T. Richardson and R. Urbanke, "Modern Coding
Theory", Cambridge 2008, section 4.1.4).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct, irfft, rfft

__all__ = [
    "ANY_PROGRESS",
    "DegreeDistribution",
    "Pass",
    "Progress",
    "converges",
    "error_after",
    "passes",
    "threshold",
]

Density = NDArray[np.float64]

_POINTS = 1 << 11
_STEP = 0.02
"""Grid of the sizes of ratios, up to 41; rounding would be seen beyond."""
_CLIP = 11.0
"""Largest ratio of a check's message; one error in 60 000."""
_GAMMA_POINTS = 1 << 13
_GAMMA_STEP = 0.001
_DAMPING = 16.0
_PASS_LIMIT = 600
"""Passes before giving up, of a flooding schedule; layers need about half of them."""
_GOAL = 0.02
"""Part of the errors whose removal leaves no doubt that the rest goes too."""


class Progress(NamedTuple):
    """Least part of the errors that a pass has to remove for decoding to count as going on.

    Attributes
    ----------
    early, late : float
        Where all errors are there, and where nearly none are.
    middle : float
        What is asked for more where half of them are.
    """

    early: float
    late: float
    middle: float = 0.0

    def at(self, remaining: float) -> float:
        """Return the least part where so large a part of the errors remains."""
        ends = self.late + (self.early - self.late) * remaining
        return ends + 4 * self.middle * remaining * (1 - remaining)


ANY_PROGRESS = Progress(1e-5, 1e-5)
"""What decides whether endless frames are decoded at all."""


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


@dataclass(frozen=True, eq=False)
class Pass:
    """What the checks know in one pass.

    Attributes
    ----------
    error : float
        Mean of 1/(1 + exp l) over the messages to the checks, which falls even while no
        decision changes yet.
    channel, message : ndarray of float64, shape (grid points,)
        Transforms of the densities of a bit's own ratio and of a check's message.
    """

    error: float
    channel: Density
    message: Density


@cache
def _ratios() -> Density:
    return np.asarray(np.arange(_POINTS + 1) * _STEP)


@cache
def _evenness() -> Density:
    """Divisors that turn sizes into one side of the even function of a density."""
    weights = 2 * np.cosh(_ratios() / 2)
    weights[0] = 1.0
    return np.asarray(weights)


@cache
def _error_transform() -> Density:
    """Weights with which a transform gives the error of its density.

    Where P(l) exp(-l/2) is T(l), the mean of 1/(1 + exp l) is the sum of T(l)/(2 cosh(l/2)).
    """
    weights = idct(1 / (2 * np.cosh(_ratios() / 2)), type=1)
    weights[1:-1] *= 2
    return np.asarray(weights)


@cache
def _to_gamma() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Lower grid point of γ, and the share of the upper one, of each size above 0."""
    gamma = -np.log(np.tanh(_ratios()[1:] / 2)) / _GAMMA_STEP
    gamma = np.minimum(gamma, _GAMMA_POINTS - 1.001)
    low = np.floor(gamma).astype(np.intp)
    return low, np.asarray(gamma - low, np.float64)


@cache
def _to_ratio() -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Find the same from γ to sizes."""
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


def _whole_power(base: NDArray[np.complex128], exponent: int) -> NDArray[np.complex128]:
    """Power by squaring, many times faster than NumPy's for complex numbers."""
    result = np.ones_like(base)
    while exponent:
        if exponent & 1:
            result = result * base
        base = base * base
        exponent >>= 1
    return result


def _through_checks(sizes: Density, check_edges: dict[int, float]) -> Density:
    """Sizes of the checks' messages from those of the messages to them."""
    gamma = _spread(sizes[1:], *_to_gamma(), _GAMMA_POINTS)
    transform = rfft(gamma * _damping())
    total = np.sum(
        [part * _whole_power(transform, j - 1) for j, part in check_edges.items()], axis=0
    )
    sums = irfft(total, _GAMMA_POINTS) / _damping()
    result = np.maximum(_spread(sums, *_to_ratio(), _POINTS + 1), 0)
    # A message of 0 makes the sum endless, and so do many small ones: they tell nothing.
    result[0] += max(0.0, 1 - result.sum())
    return np.asarray(result / result.sum())


def _transform(sizes: Density) -> Density:
    return np.asarray(dct(sizes / _evenness(), type=1))


def _sizes(transform: Density) -> Density:
    sizes = np.maximum(idct(transform, type=1) * _evenness(), 0)
    # What lies beyond the grid is certain.
    sizes[-1] = max(0.0, 1 - sizes[:-1].sum())
    return np.asarray(sizes / sizes.sum())


def _channel(qber: float) -> Density:
    """Sizes of a bit's own ratio."""
    place = np.log((1 - qber) / qber) / _STEP
    low = int(place)
    sizes = np.zeros(_POINTS + 1)
    sizes[low], sizes[low + 1] = 1 - (place - low), place - low
    return sizes


def _combine(step: Pass, parts: dict[int, float]) -> Density:
    return np.asarray(
        step.channel * np.sum([part * step.message ** (i - 1) for i, part in parts.items()], axis=0)
    )


def error_after(step: Pass, degree: int) -> float:
    """Error of the messages that variables of one degree send after a pass."""
    return float(_error_transform() @ (step.channel * step.message ** (degree - 1)))


def passes(
    distribution: DegreeDistribution, qber: float, progress: Progress = ANY_PROGRESS
) -> Iterator[Pass]:
    """Follow decoding pass by pass, until errors are removed or hardly become fewer.

    Parameters
    ----------
    distribution : DegreeDistribution
        The ensemble.
    qber : float
        Error rate of the channel, above 0 and below 0.5.
    progress : Progress
        What each pass has to remove.
    """
    check_edges = distribution.check_edges()
    sizes = _channel(qber)
    channel = _transform(sizes)
    error = float(_error_transform() @ channel)
    first = error
    for _ in range(_PASS_LIMIT):
        step = Pass(error, channel, _transform(_through_checks(sizes, check_edges)))
        yield step
        combined = _combine(step, distribution.edges)
        before, error = error, float(_error_transform() @ combined)
        if error < _GOAL * first or error > before * (1 - progress.at(before / first)):
            return
        sizes = _sizes(combined)


def converges(
    distribution: DegreeDistribution, qber: float, progress: Progress = ANY_PROGRESS
) -> bool:
    """Whether decoding of infinitely long frames removes the errors; arguments as of `passes`."""
    steps = list(passes(distribution, qber, progress))
    final = float(_error_transform() @ _combine(steps[-1], distribution.edges))
    return final < _GOAL * steps[0].error


def threshold(distribution: DegreeDistribution, progress: Progress = ANY_PROGRESS) -> float:
    """Largest error rate at which decoding converges, to one in a thousand, by bisection."""
    low, high = 0.0, 0.5
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        good = converges(distribution, middle, progress)
        low, high = (middle, high) if good else (low, middle)
    return low
