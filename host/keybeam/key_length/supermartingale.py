"""Bounds on what is not seen, from what is, by exponential supermartingales.

Let W be a number of clicks that nobody sees (see `Target`), S_c the counts of the classes
of clicks, and λ > 0. Give each class a factor r_c > 0 such that, for every kind of click,

    E[ exp(±λ w) r_c | kind ] <= 1,                                            (1)

where w is 1 if the click belongs to W and 0 if not. Then the product over all clicks
is a supermartingale, however the kinds are chosen, and by Ville's inequality

    P( ±λ W + Σ S_c ln r_c >= ln(1/ε) ) <= ε                                   (2)

even if the block ends at a moment that depends on the clicks (S. Howard et al., Probab.
Surveys 17 (2020) 257). With - it bounds W from below, with + from above. The factors of
(2) must not depend on the counts; so a family of them is fixed beforehand, the best is
taken, and ε is divided by their number.

(1) is linear in the factors. Those of the family come from linear programmes that
maximise Σ s_c ln r_c for the counts s_c of some typical links. Their solver is not trusted:
what it finds is checked against (1) with a margin for rounding, and scaled down by
what it fails by, so that a solver's error can only weaken a bound.
"""

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from keybeam.key_length.counts import SiftedCounts
from keybeam.key_length.hidden import Kind, Layout, Target, kinds
from keybeam.key_length.link import Link
from keybeam.key_length.source import Source

__all__ = ["TYPICAL_LINKS", "Family", "KnownLink", "family", "member"]

Array = NDArray[np.float64]

_LARGEST_LOG = 1.5
"""Largest ln r: far above any of use, and what bounds the kinds of many photons."""

_SMALLEST_LOG = -6.0
"""Smallest ln r, below what the largest λ asks for."""

_TAIL = 1e-10
"""Precision with which pulses of many photons count as signals."""

_STEP = 1.5
"""Ratio of neighbouring λ. The best is missed by a factor of at most its root, which widens a
bound by at most (1.5^¼ - 1.5^-¼)²/2 = 2 %."""

_SPANS = {
    Target.SINGLE: (2e-5, 0.3),
    Target.VACUUM: (2e-4, 1.0),
    Target.PHASE_ERRORS: (5e-4, 3.0),
}
"""Least and largest λ: best for about 10^9 and for some 10^3 signal clicks."""


TYPICAL_LINKS = tuple(
    Link(background, error_rate)
    for background in (0.001, 0.01, 0.04)
    for error_rate in (0.003, 0.02)
)
"""The links for which the families are made."""


@dataclass(frozen=True, eq=False)
class Family:
    """Factors that satisfy (1), of which the best may be taken.

    Attributes
    ----------
    target : Target
        What they bound.
    scales : ndarray of float64, shape (members,)
        λ of each.
    logarithms : ndarray of float64, shape (members, classes)
        ln r_c of each.
    size : int
        Members by whose number ε is divided.
    """

    target: Target
    scales: Array
    logarithms: Array
    size: int

    def bound(self, counts: ArrayLike, log_failure: float) -> Array:
        """Bound the target.

        Parameters
        ----------
        counts : array_like of float64, shape (..., classes)
            Counts in the order of `Layout.variables`, of one block or of many.
        log_failure : float
            ln(1/ε), where ε is the probability with which the bound may fail.

        Returns
        -------
        ndarray of float64, shape (...)
            Lower bound of single-photon and vacuum clicks, at least 0; upper one of phase errors.
        """
        seen = np.asarray(counts, np.float64)
        evidence = seen @ self.logarithms.T
        # Each product and sum is off by at most 1e-15 of its size.
        evidence -= 1e-14 * (seen @ np.abs(self.logarithms).T)
        excess = (log_failure + math.log(self.size) - evidence) / self.scales
        if self.target is Target.PHASE_ERRORS:
            return np.asarray(excess.min(axis=-1), np.float64)
        return np.asarray(np.maximum(0.0, -excess.min(axis=-1)), np.float64)

    def only(self, place: int) -> "Family":
        """Give the family of one member, for which nothing is divided."""
        chosen = slice(place, place + 1)
        return Family(self.target, self.scales[chosen], self.logarithms[chosen], 1)


@dataclass(frozen=True, eq=False)
class _Programme:
    """Condition (1) for u = (r - 1)/λ: coefficients @ u <= limits."""

    coefficients: Array
    limits: Array


@lru_cache(maxsize=256)
def _programme(source: Source, layout: Layout, target: Target, scale: float) -> _Programme:
    places = layout.variables()
    classes = max(places.values()) + 1
    signed = scale if target is Target.PHASE_ERRORS else -scale
    last, odds = source.tail(_TAIL)
    rows: list[Array] = []
    limits: list[float] = []

    def add(kind: Kind, weights: tuple[float, ...]) -> None:
        row, expected = np.zeros(classes), 0.0
        for atom in kind.atoms:
            probability = atom.probability * weights[atom.intensity]
            row[places[atom.basis, atom.intensity, atom.wrong]] += probability * (
                math.exp(signed) if atom.target else 1.0
            )
            expected += probability * math.expm1(signed) if atom.target else 0.0
        rows.append(row)
        limits.append(-expected / scale)

    for kind in kinds(source, target):
        for photons in range(2, last) if kind.photons is None else (kind.photons,):
            for weights in source.intensity_weights(photons):
                add(kind, weights)
        if kind.photons is None:
            # From `last` photons on: r of the signal, and that of others at its largest.
            row = np.zeros(classes)
            row[places[kind.atoms[0].basis, 0, kind.atoms[0].wrong]] = 1.0
            rows.append(row)
            limits.append(-odds * math.exp(_LARGEST_LOG) / scale)
    return _Programme(np.array(rows), np.array(limits))


def _expected(source: Source, layout: Layout, link: Link) -> Array:
    """Part of the clicks in each class on a link."""
    places = layout.variables()
    expected = np.zeros(max(places.values()) + 1)
    chosen = source.key_basis_probability
    parts = [1.0] if chosen is None else [chosen**2, (1 - chosen) ** 2]
    for (basis, intensity, wrong), place in places.items():
        photons = source.intensities[intensity]
        errors = link.errors(photons)
        clicks = errors if wrong else link.clicks(photons) - errors
        expected[place] += parts[basis] * source.probabilities[intensity] * clicks
    parts_of_all: Array = expected / expected.sum()
    return parts_of_all


def _solve(programme: _Programme, expected: Array, scale: float, pairs: list[list[int]]) -> Array:
    """Maximise Σ s_c ln(1 + λ u_c)/λ, its logarithms under tangents, and return u."""
    classes = expected.size
    low, high = math.expm1(_SMALLEST_LOG) / scale, math.expm1(_LARGEST_LOG) / scale
    steps = np.concatenate([[0], np.geomspace(0.02, 1.4, 8)])
    points = np.expm1(np.unique(np.concatenate([-steps, steps]))) / scale
    slopes = 1 / (1 + scale * points)
    tangents = np.log1p(scale * points) / scale - slopes * points
    above = np.hstack(
        [
            -np.kron(np.eye(classes), slopes[:, None]),
            np.kron(np.eye(classes), np.ones((points.size, 1))),
        ]
    )
    order = np.zeros((len(pairs), 2 * classes))
    for row, (right, wrong) in zip(order, pairs, strict=True):
        row[wrong], row[right] = 1.0, -1.0
    kept = np.hstack([programme.coefficients, np.zeros_like(programme.coefficients)])
    found = linprog(
        np.concatenate([np.zeros(classes), -expected]),
        np.vstack([kept, above, order]),
        np.concatenate([programme.limits, np.tile(tangents, classes), np.zeros(len(pairs))]),
        bounds=[(low, high)] * classes + [(None, None)] * classes,
        method="highs",
    )
    if found.x is None:
        # Factors that tell nothing satisfy (1) as well, with w <= 1 for every signal click.
        return np.full(classes, math.expm1(-scale) / scale)
    u: Array = np.clip(found.x[:classes], low, high)
    for right, wrong in pairs:
        u[wrong] = min(u[wrong], u[right])
    return u


def member(source: Source, layout: Layout, target: Target, link: Link, scale: float) -> Array:
    """Factors that satisfy condition (1), as logarithms.

    Parameters
    ----------
    source : Source
        The source.
    layout : Layout
        Which classes of clicks are told apart.
    target : Target
        What is to be bounded.
    link : Link
        Counts for which the bound should be good; it is valid for any.
    scale : float
        λ, above 0.

    Returns
    -------
    ndarray of float64
        ln r_c in the order of `Layout.variables`. That of wrong bits is never above that of
        right ones, so that no error can improve the bound.
    """
    programme = _programme(source, layout, target, scale)
    places = layout.variables()
    pairs = [
        [place, places[basis, intensity, True]]
        for (basis, intensity, wrong), place in places.items()
        if not wrong and places[basis, intensity, True] != place
    ]
    u = _solve(programme, _expected(source, layout, link), scale, pairs)
    # The rows are sums of at most some tens of products, each known to some 1e-15.
    size = np.abs(programme.coefficients) @ np.abs(u) + np.abs(programme.limits)
    failing = programme.coefficients @ u - programme.limits + 1e-12 * size
    logarithms: Array = np.log1p(scale * u) - math.log1p(scale * max(0.0, float(failing.max())))
    return logarithms - 1e-15


class KnownLink:
    """Bounds from factors made for one link, found by walking along λ from where they last were.

    They are those of a family for that link alone, chosen before any counts are known: what a
    search over sources needs, where whole families would take too long.

    Parameters
    ----------
    link : Link
        The link.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._places: dict[Target, int] = {}

    def __call__(
        self,
        source: Source,
        layout: Layout,
        target: Target,
        counts: SiftedCounts,
        log_failure: float,
    ) -> float:
        """Bound a target; the parameters are those of `BoundFinder`."""
        scales = _scales(target)
        seen = layout.vector(counts)
        upper = target is Target.PHASE_ERRORS

        @cache
        def loss(place: int) -> float:
            """Give what is to be small: an upper bound, or the negative of a lower one."""
            scale = float(scales[place])
            factors = member(source, layout, target, self._link, scale)
            alone = Family(target, scales[place : place + 1], factors[None], scales.size)
            found = float(alone.bound(seen, log_failure))
            return found if upper else -found

        place = self._places.get(target, scales.size // 2)
        step = 1 if place + 1 < scales.size and loss(place + 1) < loss(place) else -1
        while 0 <= place + step < scales.size and loss(place + step) < loss(place):
            place += step
        self._places[target] = place
        return loss(place) if upper else -loss(place)


def _scales(target: Target) -> Array:
    least, largest = _SPANS[target]
    count = 1 + math.ceil(math.log(largest / least) / math.log(_STEP))
    return np.asarray(least * _STEP ** np.arange(count), np.float64)


@lru_cache(maxsize=64)
def family(source: Source, layout: Layout, target: Target) -> Family:
    """Factors for any counts: all combinations of some λ and the typical links.

    Parameters
    ----------
    source : Source
        The source.
    layout : Layout
        Which classes of clicks are told apart.
    target : Target
        What is to be bounded.

    Raises
    ------
    KeyLengthError
        If the layout does not suit the source, or its intensities are too close.
    """
    layout.check(source)
    scales = _scales(target)
    # Photon numbers are told by the intensities alone, or nearly so; one link will do for vacuum.
    links = {
        Target.VACUUM: TYPICAL_LINKS[2:3],
        Target.SINGLE: TYPICAL_LINKS[::2],
        Target.PHASE_ERRORS: TYPICAL_LINKS,
    }[target]
    pairs = [(link, float(scale)) for link in links for scale in scales]
    logarithms = [member(source, layout, target, link, scale) for link, scale in pairs]
    return Family(target, np.array([s for _, s in pairs]), np.array(logarithms), len(pairs))
