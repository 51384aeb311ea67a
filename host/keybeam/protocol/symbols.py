"""Symbols: what is prepared in one pulse, as four bits.

A symbol is ``intensity << 2 | polarisation``. The same four bits stand in the
state log, in the co-simulation's ports and in the answers of a look-up.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DEFAULT_SYMBOL_TABLE",
    "INTENSITY_MEAN_PHOTONS",
    "INTENSITY_PROBABILITY",
    "SYMBOLS_PER_WORD",
    "SYMBOL_BITS",
    "Basis",
    "Intensity",
    "Polarisation",
    "basis_of",
    "bit_of",
    "intensity_of",
    "map_random_bits",
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
