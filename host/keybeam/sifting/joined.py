"""Sifting where both ends' records are in one place."""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Intensity
from keybeam.sifting import _sifting
from keybeam.sifting.packets import SiftedClicks

__all__ = ["sift_joined"]


def sift_joined(
    pairs: NDArray[np.uint8],
    first: int,
    index: NDArray[np.uint64],
    channel: NDArray[np.uint8],
    sampled: NDArray[np.bool_],
) -> SiftedClicks:
    """Find the clicks that match the symbols that were sent.

    Equals looking the symbols up and `compare`, clicks outside of the record left out.

    Parameters
    ----------
    pairs : ndarray of uint8, shape (p,)
        Symbols of 2p pulses, two a byte, that of the earlier one in the low four bits.
    first : int
        Pulse index of the first symbol.
    index, channel, sampled : ndarray of uint64, uint8 and bool, shape (n,)
        Pulse index and detector channel of each click, and whether the receiver reveals its bit.

    Returns
    -------
    SiftedClicks
        The matching clicks; in `bit`, bit 0 is the transmitter's and bit 1 the receiver's.

    Raises
    ------
    ValueError
        If the arrays are not of one length.
    """
    matching = np.empty(index.size, np.uint64)
    intensity, marks, bits, errors = np.empty((4, index.size), np.uint8)
    kept = _sifting.sift_clicks(
        pairs,
        first,
        int(Intensity.INVALID),
        index,
        channel,
        sampled.view(np.uint8),
        matching,
        intensity,
        marks,
        bits,
        errors,
    )
    return SiftedClicks(
        index=matching[:kept],
        intensity=intensity[:kept],
        sampled=marks[:kept].view(np.bool_),
        bit=bits[:kept],
        error=errors[:kept].view(np.bool_),
    )
