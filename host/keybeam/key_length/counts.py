"""Counts of the clicks of a block, from which its key length follows."""

import math
from dataclasses import dataclass

from keybeam.key_length.entropy import binary_entropy
from keybeam.key_length.errors import KeyLengthError

__all__ = [
    "MOST_PACKETS",
    "BasisCounts",
    "BlockCounts",
    "SiftedCounts",
    "checked_count",
    "reconciliation_leak",
]

MOST_PACKETS = 1024
"""Packets of a block at most, those among them that were dropped included."""

_LARGEST_COUNT = 2**53
"""Counts up to here are exact as floating-point numbers."""


def checked_count(value: float, name: str) -> float:
    """Return a count as a number, or raise `KeyLengthError` where it is none from 0 to 2^53."""
    if not 0 <= value <= _LARGEST_COUNT or value != math.floor(value):
        raise KeyLengthError(f"the count {name} must be a whole number from 0 to 2^53, not {value}")
    return float(value)


@dataclass(frozen=True)
class BlockCounts:
    """Counts of the sifted clicks of one privacy-amplification block.

    Attributes
    ----------
    signal, decoy, vacuum : int
        Clicks S_μ, S_ν, S_o of signal, decoy and vacuum pulses with matching bases.
    decoy_errors : int
        Errors T_ν among the decoy clicks.

    Raises
    ------
    KeyLengthError
        If a count is negative, not whole, not a number or above 2^53, or if there
        are more decoy errors than decoy clicks.
    """

    signal: int
    decoy: int
    vacuum: int
    decoy_errors: int

    def __post_init__(self) -> None:
        for name in ("signal", "decoy", "vacuum", "decoy_errors"):
            checked_count(getattr(self, name), name)
        if self.decoy_errors > self.decoy:
            raise KeyLengthError(
                f"the count decoy_errors ({self.decoy_errors}) is larger than decoy ({self.decoy})"
            )


@dataclass(frozen=True)
class BasisCounts:
    """Clicks with matching bases, by the intensity of their pulses.

    Attributes
    ----------
    clicks : tuple of int
        Clicks of each intensity, the signal first, in the order of `Source.intensities`.
    errors : tuple of int or None
        Wrong bits among them; None where they are not counted.

    Raises
    ------
    KeyLengthError
        If a count is negative, not whole, not a number or above 2^53, if there are more errors
        than clicks, or if there are not as many intensities of either.
    """

    clicks: tuple[int, ...]
    errors: tuple[int | None, ...]

    def __post_init__(self) -> None:
        if len(self.clicks) != len(self.errors):
            raise KeyLengthError(
                f"clicks are given of {len(self.clicks)} intensities, "
                f"but errors of {len(self.errors)}"
            )
        for place, (clicks, errors) in enumerate(zip(self.clicks, self.errors, strict=True)):
            checked_count(clicks, f"clicks[{place}]")
            if errors is not None and checked_count(errors, f"errors[{place}]") > clicks:
                raise KeyLengthError(
                    f"the count errors[{place}] ({errors}) is larger than "
                    f"clicks[{place}] ({clicks})"
                )


@dataclass(frozen=True)
class SiftedCounts:
    """All counts of one privacy-amplification block.

    Attributes
    ----------
    key : BasisCounts
        Clicks of the basis that makes the key; of both bases together where both make it.
    check : BasisCounts or None
        Clicks of the other basis, all of whose bits are disclosed; None where both make key.
    packets : int
        Reconciliation packets of the block, 1 to 1024. The number of errors of each is public.
    dropped_packets : int
        Packets that failed and are not part of the block, of those it was to be made of.
    pulses : int or None
        Pulses sent while the block came together, which a source without decoys needs to know.

    Raises
    ------
    KeyLengthError
        If a number of packets, or of pulses, is out of range.
    """

    key: BasisCounts
    check: BasisCounts | None = None
    packets: int = 1
    dropped_packets: int = 0
    pulses: int | None = None

    def __post_init__(self) -> None:
        if self.pulses is not None:
            checked_count(self.pulses, "pulses")
        if not 1 <= self.packets <= MOST_PACKETS:
            raise KeyLengthError(f"packets must be 1 to {MOST_PACKETS}, not {self.packets}")
        if not 0 <= self.dropped_packets <= MOST_PACKETS - self.packets:
            raise KeyLengthError(
                f"dropped_packets must be 0 to {MOST_PACKETS} less the packets of the block, "
                f"not {self.dropped_packets}"
            )


def reconciliation_leak(
    signal: int, qber: float, leak_bits: float | None, efficiency: float | None
) -> float:
    """Bits disclosed by reconciliation: as told, or f n H(QBER).

    Parameters
    ----------
    signal : int
        Bits n that were reconciled.
    qber : float
        Their error rate, 0 to 0.5.
    leak_bits, efficiency : float or None
        Bits disclosed, at least 0, or efficiency f, at least 1: one of the two.

    Raises
    ------
    KeyLengthError
        If a quantity is out of range, or neither or both of leak and efficiency are given.
    """
    if not 0 <= qber <= 0.5:
        raise KeyLengthError(f"the error rate qber must lie between 0 and 0.5, not {qber}")
    if leak_bits is not None and efficiency is None:
        if not 0 <= leak_bits < math.inf:
            raise KeyLengthError(f"leak_bits must be a number of at least 0, not {leak_bits}")
        return float(leak_bits)
    if efficiency is not None and leak_bits is None:
        if not 1 <= efficiency < math.inf:
            raise KeyLengthError(
                f"the reconciliation efficiency must be a number of at least 1, not {efficiency}"
            )
        return efficiency * signal * binary_entropy(qber)
    raise KeyLengthError("give either leak_bits or the reconciliation efficiency, one of the two")
