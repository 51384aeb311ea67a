"""Composable key length of decoy-state BB84.

What is proved, under which assumptions, and from which sources, is in ``docs/security.md``.
"""

import math
from dataclasses import dataclass

from keybeam.key_length.counts import SiftedCounts
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
    "Bounds",
    "ComposableKeyLength",
    "Security",
    "composable_bounds",
    "composable_key_length",
    "secret_length",
]

LARGEST_QBER = 0.11
"""Error rate from which on BB84 with one-way messages makes no key (P. Shor and J. Preskill,
Phys. Rev. Lett. 85 (2000) 441)."""

_MOST_PACKETS = 1024
"""Packets of a pass at most, among which those that were dropped are chosen."""


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
    return math.log(10 / 9) + dropped * math.log(10 * _MOST_PACKETS)


def composable_bounds(
    counts: SiftedCounts, source: Source, counting: float, phase_errors: float
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

    Raises
    ------
    KeyLengthError
        If the counts are not those of such a source.
    """
    layout = Layout.of(counts)
    selection = _selection_cost(counts.dropped_packets)
    log_counting = selection - math.log(counting)
    # Bit and phase error of one photon exist side by side only where the bases are unbiased;
    # otherwise the errors of the photons that make the key tell nothing of their phase errors.
    exact = source.preparation_error_deg == 0
    layouts = {
        Target.VACUUM: layout.without_errors(),
        Target.SINGLE: layout,
        Target.PHASE_ERRORS: layout if exact else layout.without_errors(of_key_only=True),
    }

    def bound(target: Target, log_failure: float) -> float:
        counted = layouts[target]
        factors = family(source.statistics, counted, target)
        return float(factors.bound(counted.vector(counts), log_failure))

    signal = counts.key.clicks[0]
    phases = bound(Target.PHASE_ERRORS, selection - math.log(phase_errors))
    if source.pair_correlation is not None:
        many = most_many_photon_pulses(source, counts.pulses, log_counting)
        return Bounds(0.0, max(0.0, signal - many), phases)
    # Bounds that contradict one another have failed; they must not make more key than bits.
    s0 = min(bound(Target.VACUUM, log_counting), signal)
    return Bounds(s0, min(bound(Target.SINGLE, log_counting), signal - s0), phases)


def secret_length(
    bounds: Bounds,
    counts: SiftedCounts,
    leak: float,
    security: Security,
    preparation_quality: float = 1.0,
) -> ComposableKeyLength:
    """Secret bits that remain of what the bounds prove.

    Parameters
    ----------
    bounds : Bounds
        Bounds that fail with the probabilities of `security`.
    counts : SiftedCounts
        Counts of the block.
    leak : float
        Bits disclosed by reconciliation.
    security : Security
        ε_sec and ε_cor.
    preparation_quality : float
        Bits of uncertainty of a single photon (`Source.preparation_quality`).

    Raises
    ------
    NoKeyError
        If nothing remains.
    """
    signal, errors = counts.key.clicks[0], counts.key.errors[0]
    announced = 0 if errors is None else counts.packets * math.ceil(math.log2(signal + 1))
    verification = math.ceil(math.log2(2 / security.correctness))
    amplification = 2 * math.log2(1 / (2 * security.amplification))
    entropy = bounds.s0 + bounds.s1 * max(0.0, preparation_quality - binary_entropy(bounds.e1))
    secret = entropy - leak - announced - verification - amplification
    steps = math.floor(secret / KEY_LENGTH_STEP)
    if steps < 1:
        raise NoKeyError(
            f"the counts prove no key: length {secret:.0f} bits, of s0 = {bounds.s0:.0f} and "
            f"s1 = {bounds.s1:.0f} at e1 = {bounds.e1:.4f}, less a leak of {leak:.0f}"
        )
    return ComposableKeyLength(
        s1=bounds.s1,
        e1=bounds.e1,
        length_bits=steps * KEY_LENGTH_STEP,
        leak_bits=leak,
        s0=bounds.s0,
        announced_bits=announced,
        verification_bits=verification,
        amplification_bits=amplification,
        secrecy=security.secrecy,
        correctness=security.correctness,
    )


def check_error_rate(counts: SiftedCounts) -> None:
    """Raise `KeyLengthError` where the bits that make key have an error rate of 0.11 or more."""
    signal, errors = counts.key.clicks[0], counts.key.errors[0]
    if errors is not None and signal > 0 and errors / signal >= LARGEST_QBER:
        raise KeyLengthError(
            f"the error rate of the signal bits is {errors / signal:.4f}; "
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
        If the counts prove no key.
    KeyLengthError
        If a quantity is impossible, or the error rate of the signal bits is 0.11 or more.
    """
    source = Source() if source is None else source
    security = Security() if security is None else security
    if not 0 <= leak_bits < math.inf:
        raise KeyLengthError(f"leak_bits must be a number of at least 0, not {leak_bits}")
    check_error_rate(counts)
    bounds = composable_bounds(counts, source, security.counting, security.phase_errors)
    return secret_length(bounds, counts, leak_bits, security, source.preparation_quality)
