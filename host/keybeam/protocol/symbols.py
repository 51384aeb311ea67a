"""Symbols: what is prepared in one pulse, as four bits.

A symbol is ``intensity << 2 | polarisation``. The same four bits stand in the
state log, in the co-simulation's ports and in the answers of a look-up.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHECK_BASIS",
    "DEFAULT_SYMBOL_TABLE",
    "INTENSITY_MEAN_PHOTONS",
    "INTENSITY_PROBABILITY",
    "KEY_BASIS",
    "RANDOM_BITS_MAXIMUM",
    "SYMBOLS_PER_WORD",
    "SYMBOL_BITS",
    "Basis",
    "Intensity",
    "Polarisation",
    "basis_of",
    "bit_of",
    "default_symbol_table",
    "intensity_of",
    "map_random_bits",
    "symbol_table",
]

SYMBOL_BITS = 4
"""Bits of a symbol, and random bits that the default symbol map uses for a pulse."""

SYMBOLS_PER_WORD = 4
"""Symbols of a fabric clock cycle; slot 0, the earliest, stands in the lowest bits."""


class Polarisation(IntEnum):
    """The four BB84 states; bit 0 is the key bit, bit 1 the basis."""

    H = 0
    V = 1
    D = 2
    A = 3


class Basis(IntEnum):
    """The two bases: rectilinear (H, V) and diagonal (D, A)."""

    RECTILINEAR = 0
    DIAGONAL = 1


KEY_BASIS, CHECK_BASIS = Basis.RECTILINEAR, Basis.DIAGONAL
"""The basis that makes key and the one that only checks, where the bases are chosen unequally."""


class Intensity(IntEnum):
    """The three intensities, and the mark of a pulse that must not become key."""

    SIGNAL = 0
    DECOY = 1
    VACUUM = 2
    INVALID = 3
    """Blanked to vacuum because no fresh random bits were there; never part of a key."""


INTENSITY_MEAN_PHOTONS = {
    Intensity.SIGNAL: 0.8,
    Intensity.DECOY: 0.1,
    Intensity.VACUUM: 0.001,
}
"""Mean photon numbers μ, ν, o of a pulse (arXiv:2408.10994, "Experimental results")."""

INTENSITY_PROBABILITY = {
    Intensity.SIGNAL: 0.5,
    Intensity.DECOY: 0.25,
    Intensity.VACUUM: 0.25,
}
"""Probabilities of the intensities (arXiv:2408.10994, "Experimental results")."""


def _default_table() -> NDArray[np.uint8]:
    choice = [Intensity.SIGNAL, Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM]
    return np.array([choice[bits >> 2] << 2 | bits & 3 for bits in range(16)], dtype=np.uint8)


DEFAULT_SYMBOL_TABLE: NDArray[np.uint8] = _default_table()
"""Symbol of every value of four random bits: bits 1:0 are the polarisation, bits 3:2 = 0 and 1
mean signal, 2 decoy, 3 vacuum."""


RANDOM_BITS_MAXIMUM = 12
"""Random bits that a symbol map can use for a pulse at most."""


def default_symbol_table(random_bits: int) -> NDArray[np.uint8]:
    """Give the symbol map that stands in the transmitter after its configuration.

    Parameters
    ----------
    random_bits : int
        Random bits k for a pulse.

    Returns
    -------
    ndarray of uint8, shape (2^random_bits,)
        `DEFAULT_SYMBOL_TABLE` of the lowest four bits.
    """
    table: NDArray[np.uint8] = DEFAULT_SYMBOL_TABLE[np.arange(1 << random_bits) % 16]
    return table


def symbol_table(
    intensity: Mapping[Intensity, float],
    basis: Mapping[Basis, float],
    random_bits: int = SYMBOL_BITS,
    *,
    nearest: bool = False,
) -> NDArray[np.uint8]:
    """Make a symbol map of wanted probabilities; intensity, basis and key bit are independent.

    Bit 0 of the random bits becomes the key bit, so its two values are equally likely whatever
    the other probabilities are.

    Parameters
    ----------
    intensity : mapping of Intensity to float
        Probabilities of signal, decoy and vacuum; those left out are 0.
    basis : mapping of Basis to float
        Probabilities of the two bases.
    random_bits : int
        Random bits k for a pulse, 1 to `RANDOM_BITS_MAXIMUM`. The probability of intensity and
        basis together can be any multiple of 2^(1-k).
    nearest : bool
        Take the nearest probabilities that the table can hold (largest-remainder method, as in
        the apportionment of seats), instead of refusing others.

    Returns
    -------
    ndarray of uint8, shape (2^random_bits,)
        Symbol of every value of the random bits.

    Raises
    ------
    ValueError
        If the probabilities are not between 0 and 1 with sum 1, if an intensity is INVALID, if
        `random_bits` is out of range, or if the table cannot hold them and `nearest` is False.
    """
    if not 1 <= random_bits <= RANDOM_BITS_MAXIMUM:
        raise ValueError(f"{random_bits} random bits a pulse are not 1 to {RANDOM_BITS_MAXIMUM}")
    _check_probabilities("intensity", intensity.values())
    _check_probabilities("basis", basis.values())
    if intensity.get(Intensity.INVALID, 0):
        raise ValueError("INVALID marks a pulse that was not sent, it has no probability")
    pairs = 1 << random_bits - 1
    states = [(i, b) for i in sorted(intensity) for b in sorted(basis)]
    shares = np.array([intensity[i] * basis[b] * pairs for i, b in states])
    counts = np.round(shares).astype(int)
    # Far above the rounding of products of doubles, far below the smallest step.
    if not np.allclose(shares, counts, rtol=0, atol=1e-6):
        if not nearest:
            i, b = states[int(np.argmax(np.abs(shares - counts)))]
            raise ValueError(
                f"{random_bits} random bits cannot give {i.name} in basis {b.name} with "
                f"probability {intensity[i] * basis[b]:g}, which is no multiple of 1/{pairs}"
            )
        counts = np.floor(shares).astype(int)
        most_cut_off = np.argsort(counts - shares, kind="stable")
        counts[most_cut_off[: pairs - counts.sum()]] += 1
    halves = [int(i) << 2 | int(b) << 1 for i, b in states]
    even = np.repeat(np.array(halves, dtype=np.uint8), counts)
    return np.stack([even, even | 1], axis=1).ravel()


def _check_probabilities(name: str, values: Iterable[float]) -> None:
    given = list(values)
    if any(not 0 <= value <= 1 for value in given) or abs(sum(given) - 1) > 1e-9:
        raise ValueError(f"probabilities of {name} {given} are not between 0 and 1 with sum 1")


def map_random_bits(bits: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Map groups of four random bits to symbols, as the transmitter's symbol map does.

    Parameters
    ----------
    bits : ndarray of int, any shape
        Values 0 to 15.

    Returns
    -------
    ndarray of uint8, same shape
        Symbols.
    """
    symbols: NDArray[np.uint8] = DEFAULT_SYMBOL_TABLE[bits]
    return symbols


def _field(symbols: NDArray[np.integer], shift: int, mask: int) -> NDArray[np.uint8]:
    field: NDArray[np.uint8] = symbols.astype(np.uint8) >> np.uint8(shift) & np.uint8(mask)
    return field


def intensity_of(symbols: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Intensity (see `Intensity`) of each symbol."""
    return _field(symbols, 2, 3)


def basis_of(symbols: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Basis (see `Basis`) of each symbol, or of each detector channel 0 to 3 (H, V, D, A)."""
    return _field(symbols, 1, 1)


def bit_of(symbols: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Key bit of each symbol, or of each detector channel 0 to 3 (H, V, D, A)."""
    return _field(symbols, 0, 1)
