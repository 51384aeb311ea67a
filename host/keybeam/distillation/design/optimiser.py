"""Degree distributions that come close to Shannon's bound, by linear programmes.

Follows T. J. Richardson, M. A. Shokrollahi and R. L. Urbanke, "Design of capacity-approaching
irregular low-density parity-check codes", IEEE Trans. Inf. Theory 47 (2001) 619, section IV:
near one distribution the error after each pass of density evolution is linear in the fractions
of the edges, so that the change of these with which the slowest pass removes most is that of a
linear programme. It leaves room for more errors of the channel, at which the next is set up.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from keybeam.distillation.design.density_evolution import (
    DegreeDistribution,
    Progress,
    converges,
    error_after,
    passes,
    threshold,
)

__all__ = ["DEGREES", "optimised"]

DEGREES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 24, 30, 36, 44, 52, 60)
"""Degrees that a variable may have."""

_CHANGES = (0.1, 0.03, 0.01, 0.003)
"""Most relative change of the error after a pass; the next where one is of no use."""

_RESOLUTION = 5e-4
"""Relative gain in the error rate below which a distribution counts as found."""


def _stability_limit(qber: float, check_degree: float) -> float:
    """Fraction of edges at degree two above which the last errors are not removed.

    Richardson, Shokrollahi and Urbanke, section III-A: λ_2 < 1/(ρ'(1)·2√(q(1 - q))).
    """
    return float(1 / ((check_degree - 1) * 2 * np.sqrt(qber * (1 - qber))))


def _first(degrees: list[int], mean_degree: float, two: float) -> NDArray[np.float64]:
    """Fractions to begin with: degrees two, three and one high one."""
    high = next(degree for degree in degrees if degree > 1.5 * mean_degree)
    three = (1 / mean_degree - two / 2 - (1 - two) / high) / (1 / 3 - 1 / high)
    edges = {2: two, 3: three, high: 1 - two - three}
    return np.array([edges.get(degree, 0.0) for degree in degrees])


def _improved(
    parts: NDArray[np.float64],
    errors: NDArray[np.float64],
    after: NDArray[np.float64],
    inverse: NDArray[np.float64],
    two: float,
    change: float,
    progress: Progress,
) -> NDArray[np.float64]:
    """Change fractions so that every pass removes more than it has to, with the same mean degree.

    `errors` and `after` are the errors before each pass and after it, the latter for each degree.
    """
    now = after @ parts
    room = change * errors
    least = np.array([progress.at(error / errors[0]) for error in errors])
    size = parts.size
    found = linprog(
        np.append(np.zeros(size), -1.0),
        A_ub=np.vstack(
            [
                np.column_stack([after, errors]),
                np.column_stack([after, np.zeros(errors.size)]),
                np.column_stack([-after, np.zeros(errors.size)]),
            ]
        ),
        b_ub=np.concatenate([errors * (1 - least), now + room, room - now]),
        A_eq=np.array([[*np.ones(size), 0.0], [*inverse, 0.0]]),
        b_eq=[1.0, float(inverse @ parts)],
        bounds=[(0.0, two), *[(0.0, 1.0)] * (size - 1), (None, 1.0)],
    )
    return parts if found.x is None else np.asarray(found.x[:-1])


def optimised(
    syndrome_rate: float,
    check_degree: float,
    *,
    progress: Progress,
    stability: float,
    largest: int,
    rounds: int = 30,
    degrees: Sequence[int] = DEGREES,
) -> tuple[DegreeDistribution, float]:
    """Find the distribution that stands most errors with a syndrome of given length.

    Parameters
    ----------
    syndrome_rate : float
        Checks for each variable.
    check_degree : float
        Mean degree of the checks.
    progress : Progress
        What every pass of a flooding schedule removes: it bounds the number of passes, and is
        the distance that codes of finite length need, most half-way.
    stability : float
        Largest fraction of edges at degree two, as part of that above which the last errors stay.
        Low ones leave fewer words of low weight in the code.
    largest : int
        Largest degree of a variable.
    rounds : int
        Most linear programmes.
    degrees : sequence of int
        Degrees to choose from, rising.

    Returns
    -------
    DegreeDistribution
    float
        The error rate that it stands with that progress.
    """
    allowed = [degree for degree in degrees if degree <= largest]
    inverse = 1 / np.array(allowed)

    def distribution(parts: NDArray[np.float64]) -> DegreeDistribution:
        edges = {d: float(p) for d, p in zip(allowed, parts, strict=True) if p > 1e-7}
        return DegreeDistribution(edges, check_degree)

    mean = syndrome_rate * check_degree
    parts = _first(allowed, mean, min(0.3, 0.9 * 2 / check_degree))
    qber = threshold(distribution(parts), progress)
    for _ in range(rounds):
        two = stability * _stability_limit(qber, check_degree)
        steps = list(passes(distribution(parts), qber, progress))
        errors = np.array([step.error for step in steps])
        after = np.array([[error_after(step, degree) for degree in allowed] for step in steps])
        for change in _CHANGES:
            better = _improved(parts, errors, after, inverse, two, change, progress)
            gain = _gain(distribution(better), qber, progress)
            if gain:
                break
        else:
            break
        parts, qber = better, qber * (1 + gain)
    return distribution(parts), qber


def _gain(distribution: DegreeDistribution, qber: float, progress: Progress) -> float:
    """Relative rise of the error rate that a better distribution stands, by bisection."""
    low, high = 0.0, _RESOLUTION
    while converges(distribution, qber * (1 + high), progress):
        low, high = high, 2 * high
    while low and high - low > max(_RESOLUTION, 0.2 * low):
        middle = (low + high) / 2
        good = converges(distribution, qber * (1 + middle), progress)
        low, high = (middle, high) if good else (low, middle)
    return low
