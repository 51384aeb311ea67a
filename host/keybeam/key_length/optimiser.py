"""Intensities and probabilities that make the most key on a given link."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from keybeam.key_length.composable import (
    Costs,
    Security,
    composable_bounds,
    composable_key_length,
    proved_entropy,
)
from keybeam.key_length.counts import SiftedCounts, reconciliation_leak
from keybeam.key_length.errors import KeyLengthError, NoKeyError
from keybeam.key_length.link import Link, expected_counts
from keybeam.key_length.source import Source
from keybeam.key_length.supermartingale import KnownLink
from keybeam.protocol.numbers import PACKET_BITS, SAMPLE_FRACTION

__all__ = ["LinkBudget", "Optimum", "expected_key_bits", "optimise"]

_LARGEST_LOG = 1.0
"""ln μ beyond which no decoy method makes key."""


@dataclass(frozen=True)
class LinkBudget:
    """A link as an engineer states it.

    Attributes
    ----------
    pulses : float
        Pulses sent, above 0.
    loss_db : float
        Loss from the source to a click, detectors and gate included, above 0 dB.
    background : float
        Background clicks in a gate, all detectors together, at least 0.
    error_rate : float
        Wrong bits among the clicks of photons, 0 to 0.5.

    Raises
    ------
    KeyLengthError
        If a quantity is out of range.
    """

    pulses: float
    loss_db: float
    background: float
    error_rate: float

    def __post_init__(self) -> None:
        if not 0 < self.pulses < math.inf:
            raise KeyLengthError(f"the pulses must be a number above 0, not {self.pulses}")
        if not 0 < self.loss_db < math.inf:
            raise KeyLengthError(f"the loss_db must be a number above 0, not {self.loss_db}")
        _ = self.link

    @property
    def transmittance(self) -> float:
        """Clicks of a photon."""
        return float(10 ** (-self.loss_db / 10))

    @property
    def link(self) -> Link:
        """The link in units of photons."""
        return Link(self.background / self.transmittance, self.error_rate)

    def counts(self, source: Source) -> SiftedCounts:
        """Return the expected counts of one block of all packets, half of the bases alike.

        Parameters
        ----------
        source : Source
            The source; both bases make key.
        """
        sifted = self.pulses * self.transmittance / 2 * (1 - SAMPLE_FRACTION)
        signal = sifted * source.probabilities[0] * self.link.clicks(source.intensities[0])
        packets = min(1024, max(1, math.ceil(signal / PACKET_BITS)))
        return expected_counts(source, self.link, round(signal), packets)


@dataclass(frozen=True)
class Optimum:
    """What was found.

    Attributes
    ----------
    intensities, probabilities : tuple of float
        Mean photon numbers of signal, decoy and vacuum, and their probabilities.
    key_bits : int
        Key that they make.
    reference_bits : int
        Key of the source that was started from.
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    key_bits: int
    reference_bits: int


def _leak(counts: SiftedCounts, efficiency: float) -> float:
    signal, errors = counts.key.clicks[0], counts.key.errors[0] or 0
    return reconciliation_leak(signal, min(errors / max(signal, 1), 0.5), None, efficiency)


def expected_key_bits(
    budget: LinkBudget, source: Source, efficiency: float, security: Security
) -> int:
    """Length of the key that the expected counts of a link make; 0 where they make none.

    Parameters
    ----------
    budget : LinkBudget
        The link.
    source : Source
        The source.
    efficiency : float
        Efficiency f of reconciliation, at least 1.
    security : Security
        ε_sec and ε_cor.
    """
    counts = budget.counts(source)
    leak = _leak(counts, efficiency)
    try:
        return composable_key_length(counts, leak, source, security).length_bits
    except NoKeyError:
        return 0


def _source_of(x: NDArray[np.float64], start: Source) -> Source:
    """Give the source at a point: ln μ, ln(μ/ν - 1.2), and the logarithms of p_μ/p_o and p_ν/p_o.

    The vacuum keeps the intensity that it has: as dark as the modulator can make it.
    """
    mu = math.exp(min(x[0], _LARGEST_LOG))
    nu = mu / (1.2 + math.exp(x[1]))
    shares = np.exp([x[2], x[3], 0.0])
    shares /= shares.sum()
    o = min(start.intensities[2], nu / 10)
    return Source((mu, nu, o), tuple(float(p) for p in shares))


def optimise(
    budget: LinkBudget,
    efficiency: float = 1.2,
    start: Source | None = None,
    security: Security | None = None,
    rounds: int = 250,
    progress: Callable[[], None] | None = None,
) -> Optimum:
    """Search the source that makes the most key on a link (Nelder and Mead's method).

    Parameters
    ----------
    budget : LinkBudget
        The link; all of its clicks make one block.
    efficiency : float
        Efficiency f of reconciliation, at least 1.
    start : Source, optional
        Source of three intensities to start from and to compare with; that of arXiv:2408.10994
        by default.
    security : Security, optional
        ε_sec and ε_cor; 1e-10 and 1e-15 by default.
    rounds : int
        Evaluations of the search at most.
    progress : callable, optional
        Called after every evaluation.

    Returns
    -------
    Optimum
        The source, never worse than the one it started from.
    """
    start = Source() if start is None else start
    security = Security() if security is None else security
    find = KnownLink(budget.link)

    def missing(x: NDArray[np.float64]) -> float:
        source = _source_of(x, start)
        counts = budget.counts(source)
        bounds = composable_bounds(
            counts, source, security.counting, security.phase_errors, find=find
        )
        costs = Costs.of(counts, _leak(counts, efficiency), security)
        if progress is not None:
            progress()
        return costs.total - proved_entropy(bounds, source)

    (mu, nu, _), (p_mu, p_nu, p_o) = start.intensities, start.probabilities
    first = [math.log(mu), math.log(mu / nu - 1.2), math.log(p_mu / p_o), math.log(p_nu / p_o)]
    simplex = np.array(first) + np.vstack([np.zeros(4), np.diag([-0.2, -0.5, 1.0, -0.7])])
    found_at = minimize(
        missing,
        np.array(first),
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": rounds, "xatol": 0.01, "fatol": 50.0},
    )
    best = _source_of(np.asarray(found_at.x, np.float64), start)
    reference = expected_key_bits(budget, start, efficiency, security)
    found = expected_key_bits(budget, best, efficiency, security)
    if found < reference:
        best, found = start, reference
    return Optimum(best.intensities, best.probabilities, found, reference)
