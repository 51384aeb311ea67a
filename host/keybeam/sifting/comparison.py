"""The transmitter's side of sifting: the receiver's bases against the symbols that were sent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.symbols import Intensity, basis_of, bit_of, intensity_of

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What the transmitter finds for the clicks of a chunk.

    Attributes
    ----------
    matching : ndarray of bool, shape (clicks,)
        Symbol known and valid, and basis equal.
    intensities, bits : ndarray of uint8, shape (matching clicks,)
        `Intensity` and key bit that were sent, of the matching clicks in order.
    too_old, too_new, invalid : int
        Clicks dropped because the state log no longer or not yet held their pulse, and because
        the pulse had been blanked.
    """

    matching: NDArray[np.bool_]
    intensities: NDArray[np.uint8]
    bits: NDArray[np.uint8]
    too_old: int
    too_new: int
    invalid: int


def compare(
    status: NDArray[np.uint8], symbols: NDArray[np.uint8], bases: NDArray[np.uint8]
) -> Comparison:
    """Compare a chunk's bases with the symbols of the state log.

    Parameters
    ----------
    status, symbols : ndarray of uint8, shape (clicks,)
        Answer of the state log: `LookupStatus` and symbol of each click.
    bases : ndarray of uint8, shape (clicks,)
        `Basis` in which the receiver measured.
    """
    found = status == LookupStatus.FOUND
    intensities = intensity_of(symbols)
    valid = found & (intensities != Intensity.INVALID)
    matching = valid & (basis_of(symbols) == bases)
    return Comparison(
        matching=matching,
        intensities=intensities[matching],
        bits=bit_of(symbols[matching]),
        too_old=int(np.count_nonzero(status == LookupStatus.TOO_OLD)),
        too_new=int(np.count_nonzero(status == LookupStatus.TOO_NEW)),
        invalid=int(np.count_nonzero(found & ~valid | (status == LookupStatus.NOT_KEY))),
    )
