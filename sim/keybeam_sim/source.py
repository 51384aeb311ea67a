"""The photon source: what every pulse is, and when its photons leave."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import (
    DEFAULT_SYMBOL_TABLE,
    INTENSITY_MEAN_PHOTONS,
    INTENSITY_PROBABILITY,
    SYMBOL_BITS,
    Intensity,
)

__all__ = ["PhotonSource", "SymbolSource"]

_WORD_BITS = 64
_MOST_BITS = 16
"""Bits of a word for a pulse, where a symbol map needs more than four."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


@dataclass(frozen=True)
class SymbolSource:
    """Random words of the simulated transmitter, as a function of their number.

    They stand for the physical random numbers of a satellite and can be made again from the seed:
    good for simulation, never for a key that is used. Word w holds the bits of pulses 16 w to
    16 w + 15; pulse p of it uses bits 4p+3 to 4p. With a symbol map of more than four random bits a
    word holds those of four pulses, in sixteen bits each.

    Attributes
    ----------
    seed : int
        Of the simulation, 0 to 2^64 - 1.
    symbol_map : ndarray of uint8, shape (2^k,)
        Symbol of every value of k random bits, at most 16; see
        `keybeam.protocol.symbols.symbol_table`.
    """

    seed: int
    symbol_map: NDArray[np.uint8] = field(
        default_factory=lambda: DEFAULT_SYMBOL_TABLE, compare=False, repr=False
    )

    def words(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Random words of 64 bits.

        Parameters
        ----------
        numbers : ndarray of uint64, any shape
            Numbers of the words: pulse index // 16.
        """
        start = _mix(np.array([self.seed], np.uint64) + _GOLDEN)
        return _mix(start + (numbers + np.uint64(1)) * _GOLDEN)

    def symbols(self, indices: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Symbols of pulses.

        Parameters
        ----------
        indices : ndarray of uint64, any shape
            Pulse indices.
        """
        bits = SYMBOL_BITS if self.symbol_map.size <= 1 << SYMBOL_BITS else _MOST_BITS
        pulses = np.uint64(_WORD_BITS // bits)
        words = self.words(indices // pulses)
        shift = (indices % pulses) * np.uint64(bits)
        symbols: NDArray[np.uint8] = self.symbol_map[
            (words >> shift & np.uint64(self.symbol_map.size - 1)).astype(np.uint16)
        ]
        return symbols


@dataclass(frozen=True)
class PhotonSource:
    """Intensities, polarisation and pulse shape (arXiv:2408.10994 unless said otherwise).

    Attributes
    ----------
    contrast_db : float
        Polarisation contrast of the whole system ("approximately 25 dB"): a photon takes the wrong
        port of its own basis with probability 10^(-contrast/10).
    pulse_fwhm_ps : float
        Duration of the optical pulses, Gaussian. Not printed in the paper; chosen so that its gate
        of 800 ps passes its 80 % of the photons.
    mean_photons : dict
        Mean photon number of each `Intensity` at the telescope.
    """

    contrast_db: float = 25.0
    pulse_fwhm_ps: float = 620.0
    mean_photons: dict[Intensity, float] = field(
        default_factory=lambda: {**INTENSITY_MEAN_PHOTONS, Intensity.INVALID: 0.0}
    )

    @property
    def misalignment(self) -> float:
        """Probability of the wrong port."""
        return 10 ** (-self.contrast_db / 10)

    @property
    def brightest(self) -> float:
        """Largest of the mean photon numbers."""
        return max(self.mean_photons.values())

    @property
    def average(self) -> float:
        """Mean photons a pulse over the intensities with their probabilities."""
        return sum(p * self.mean_photons[i] for i, p in INTENSITY_PROBABILITY.items())

    def photons_of(self, intensities: NDArray[np.integer]) -> NDArray[np.float64]:
        """Mean photon number of each of some intensities."""
        table = np.array([self.mean_photons[intensity] for intensity in Intensity])
        return table[intensities]
