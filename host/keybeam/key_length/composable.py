"""Composable key length of decoy-state BB84.

What is proved, under which assumptions, and from which sources, is in ``docs/security.md``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from keybeam.key_length.counts import MOST_PACKETS, SiftedCounts
from keybeam.key_length.entropy import binary_entropy
from keybeam.key_length.errors import KeyLengthError, NoKeyError
from keybeam.key_length.hidden import Layout, Target
from keybeam.key_length.paper import KeyLength
from keybeam.key_length.single_photons import most_many_photon_pulses
from keybeam.key_length.source import Source
from keybeam.key_length.supermartingale import family
from keybeam.protocol.numbers import KEY_LENGTH_STEP

__all__ = [
    "LARGEST_QBER",
    "BoundFinder",
    "Bounds",
    "ComposableKeyLength",
    "Costs",
    "Security",
    "check_error_rate",
    "composable_bounds",
    "composable_key_length",
    "proved_entropy",
]

LARGEST_QBER = 0.11
"""Error rate from which on BB84 with one-way messages makes no key (P. Shor and J. Preskill,
Phys. Rev. Lett. 85 (2000) 441)."""


@dataclass(frozen=True)
class Security:
    """What the key's failure probabilities may add up to, and their parts.

    Attributes
    ----------
    secrecy : float
        ε_sec: largest trace distance of the key from a perfect one, above 0 and below 1.
    correctness : float
        ε_cor: largest probability that the two ends hold different keys, above 0, below 1.

    Raises
    ------
    KeyLengthError
        If one of them is out of range.
    """

    secrecy: float = 1e-10
    correctness: float = 1e-15

    def __post_init__(self) -> None:
        for name in ("secrecy", "correctness"):
            if not 0 < getattr(self, name) < 1:
                raise KeyLengthError(
                    f"the failure probability {name} must lie between 0 and 1, "
                    f"not {getattr(self, name)}"
                )

    @property
    def counting(self) -> float:
        """Probability with which each of the bounds on s0 and on s1 may fail: ε_sec/10."""
        return self.secrecy / 10

    @property
    def phase_errors(self) -> float:
        """Probability with which the bound on phase errors may fail.

        It enters ε_sec as twice its root, 6/10 of it.
        """
        return (0.3 * self.secrecy) ** 2

    @property
    def amplification(self) -> float:
        """Distance from uniform that amplification leaves: ε_sec/5."""
        return self.secrecy / 5


@dataclass(frozen=True)
class Bounds:
    """What the counts prove of the signal clicks that make key.

    Attributes
    ----------
    s0 : float
        Lower bound of those without a photon; 0 or more.
    s1 : float
        Lower bound of those of one photon; 0 or more. Of a single-photon source those of at most
        one, while s0 is 0.
    phase_errors : float
        Upper bound of the phase errors among the latter.
    """

    s0: float
    s1: float
    phase_errors: float

    @property
    def e1(self) -> float:
        """Upper bound of the phase error rate, 0 to 1/2."""
        if self.s1 <= 0:
            return 0.5
        return min(max(self.phase_errors / self.s1, 0.0), 0.5)


@dataclass(frozen=True)
class ComposableKeyLength(KeyLength):
    """Result of the composable analysis.

    Attributes
    ----------
    s0 : float
        Lower bound of the signal clicks without a photon.
    announced_bits : int
        Bits by which the numbers of errors, which are public, are counted.
    verification_bits : int
        Bits of verification that ε_cor asks for.
    amplification_bits : float
        Bits given up so that the key is uniform to within its part of ε_sec.
    secrecy, correctness : float
        ε_sec and ε_cor that the key has.
    """

    s0: float
    announced_bits: int
    verification_bits: int
    amplification_bits: float
    secrecy: float
    correctness: float


def _selection_cost(dropped: int) -> float:
    """Logarithm of the inverse weight of the way in which the packets of a block were chosen.

    Which packets fail depends on their errors, so the bounds must hold for every choice at
    once. With d of at most 1024 dropped there are at most 1024^d; the weights
    9/10 (10 · 1024)^-d of all choices add up to at most 1.
    """
    return math.log(10 / 9) + dropped * math.log(10 * MOST_PACKETS)


BoundFinder = Callable[[Source, Layout, Target, SiftedCounts, float], float]
"""Bounds a target from counts, failing with probability ε; the last argument is ln(1/ε)."""


def _from_family(
    source: Source, layout: Layout, target: Target, counts: SiftedCounts, log_failure: float
) -> float:
    return float(family(source, layout, target).bound(layout.vector(counts), log_failure))


def composable_bounds(
    counts: SiftedCounts,
    source: Source,
    counting: float,
    phase_errors: float,
    find: BoundFinder = _from_family,
) -> Bounds:
    """Bound single photons, vacuum and phase errors of a block.

    Without decoys a pulse of no photon counts as one of one: neither tells its basis, and a
    click of the former has a phase error one time in two.

    Parameters
    ----------
    counts : SiftedCounts
        Counts of the block.
    source : Source
        The source.
    counting : float
        Probability with which each of the bounds on s0 and s1 may fail, above 0, below 1.
    phase_errors : float
        Probability with which the bound on phase errors may fail, above 0, below 1.
    find : callable
        How a bound is found; that of the best of a family by default.

    Raises
    ------
    KeyLengthError
        If the counts are not those of such a source.
    """
    layout = Layout.of(counts)
    selection = _selection_cost(counts.dropped_packets)
    log_counting = selection - math.log(counting)
    statistics, signal = source.statistics, counts.key.clicks[0]
    # Bit and phase error of one photon exist side by side only where the bases are unbiased;
    # otherwise the errors of the photons that make the key tell nothing of their phase errors.
    exact = source.preparation_error_deg == 0
    seen = layout if exact else layout.without_errors(of_key_only=True)
    log_phase_errors = selection - math.log(phase_errors)
    phases = find(statistics, seen, Target.PHASE_ERRORS, counts, log_phase_errors)
    if source.pair_correlation is not None:
        many = most_many_photon_pulses(source, counts.pulses, log_counting)
        return Bounds(0.0, max(0.0, signal - many), phases)
    # Bounds that contradict one another have failed; they must not make more key than bits.
    without = find(statistics, layout.without_errors(), Target.VACUUM, counts, log_counting)
    s0 = min(without, signal)
    single = find(statistics, layout, Target.SINGLE, counts, log_counting)
    return Bounds(s0, min(single, signal - s0), phases)


@dataclass(frozen=True)
class Costs:
    """Bits that are subtracted from what the bounds prove.

    Attributes
    ----------
    leak : float
        Disclosed by reconciliation.
    announced, verification : int
        The numbers of errors, which are public; verification.
    amplification : float
        Given up so that the key is uniform to within its part of ε_sec.
    """

    leak: float
    announced: int
    verification: int
    amplification: float

    @classmethod
    def of(cls, counts: SiftedCounts, leak: float, security: Security) -> "Costs":
        """Costs of a block.

        Parameters
        ----------
        counts : SiftedCounts
            Counts of the block.
        leak : float
            Bits disclosed by reconciliation.
        security : Security
            ε_sec and ε_cor.
        """
        signal, errors = counts.key.clicks[0], counts.key.errors[0]
        told = 0 if errors is None else counts.packets * math.ceil(math.log2(signal + 1))
        return cls(
            leak,
            told,
            math.ceil(math.log2(2 / security.correctness)),
            2 * math.log2(1 / (2 * security.amplification)),
        )

    @property
    def total(self) -> float:
        """All of them."""
        return self.leak + self.announced + self.verification + self.amplification


def proved_entropy(bounds: Bounds, source: Source) -> float:
    """Bits of min-entropy that bounds prove of the signal bits.

    Parameters
    ----------
    bounds : Bounds
        The bounds.
    source : Source
        The source, whose preparation weighs the single photons.
    """
    quality = source.preparation_quality - binary_entropy(bounds.e1)
    return bounds.s0 + bounds.s1 * max(0.0, quality)


def check_error_rate(counts: SiftedCounts) -> None:
    """Raise `NoKeyError` where the bits that make key have an error rate of 0.11 or more."""
    signal, errors = counts.key.clicks[0], counts.key.errors[0]
    if errors is not None and signal > 0 and errors / signal >= LARGEST_QBER:
        raise NoKeyError(
            f"the error rate of the signal bits (QBER) is {errors / signal:.4f}; "
            f"there is no key from {LARGEST_QBER} on"
        )


def composable_key_length(
    counts: SiftedCounts,
    leak_bits: float,
    source: Source | None = None,
    security: Security | None = None,
) -> ComposableKeyLength:
    """Secret bits of a block, composably secure against any attack.

    Parameters
    ----------
    counts : SiftedCounts
        Counts of the block, 500 kbit or a whole pass.
    leak_bits : float
        Bits disclosed by reconciliation, at least 0.
    source : Source, optional
        The source; that of arXiv:2408.10994 by default.
    security : Security, optional
        ε_sec and ε_cor; 1e-10 and 1e-15 by default.

    Returns
    -------
    ComposableKeyLength
        Bounds and length, which is at least 128.

    Raises
    ------
    NoKeyError
        If the counts prove no key, as with an error rate of the signal bits of 0.11 or more.
    KeyLengthError
        If a quantity is impossible.
    """
    source = Source() if source is None else source
    security = Security() if security is None else security
    if not 0 <= leak_bits < math.inf:
        raise KeyLengthError(f"leak_bits must be a number of at least 0, not {leak_bits}")
    check_error_rate(counts)
    bounds = composable_bounds(counts, source, security.counting, security.phase_errors)
    costs = Costs.of(counts, leak_bits, security)
    secret = proved_entropy(bounds, source) - costs.total
    steps = math.floor(secret / KEY_LENGTH_STEP)
    if steps < 1:
        raise NoKeyError(
            f"the counts prove no key: length {secret:.0f} bits, of s0 = {bounds.s0:.0f} and "
            f"s1 = {bounds.s1:.0f} at e1 = {bounds.e1:.4f}, less a leak of {leak_bits:.0f}"
        )
    return ComposableKeyLength(
        s1=bounds.s1,
        e1=bounds.e1,
        length_bits=steps * KEY_LENGTH_STEP,
        leak_bits=leak_bits,
        s0=bounds.s0,
        announced_bits=costs.announced,
        verification_bits=costs.verification,
        amplification_bits=costs.amplification,
        secrecy=security.secrecy,
        correctness=security.correctness,
    )
