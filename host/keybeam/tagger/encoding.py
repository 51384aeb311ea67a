"""The encoder of the gateware again in NumPy, for many pictures at a time.

It gives bit for bit what `keybeam_gateware.time_tagger.PictureEncoder` gives, whose description
says why it works as it does.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.tagger import TAPS_PER_BLOCK, WINDOW_BLOCKS

__all__ = ["Encoded", "encode_pictures"]


class Encoded(NamedTuple):
    """What was found in pictures."""

    found: NDArray[np.bool_]
    """There is a rising edge."""
    codes: NDArray[np.int64]
    """Taps between the edge and the end of the picture; 0 where there is none."""


def encode_pictures(pictures: NDArray[np.bool_]) -> Encoded:
    """Find the latest rising edge in each picture.

    Parameters
    ----------
    pictures : ndarray of bool, shape (pictures, taps)
        Levels of the taps, the latest first; a multiple of 8 taps.

    Returns
    -------
    Encoded
        Arrays with one entry a picture.
    """
    blocks = pictures.shape[1] // TAPS_PER_BLOCK
    # A block is a byte.
    counts = np.bitwise_count(np.packbits(pictures, axis=1, bitorder="little"))
    levels = counts >= TAPS_PER_BLOCK // 2
    # Behind the last edge that is looked for, the window still has all its blocks.
    last = blocks - WINDOW_BLOCKS + 2
    edges = levels[:, :last] & ~levels[:, 1 : last + 1]
    found = np.asarray(edges.any(axis=1))
    block = edges.argmax(axis=1)
    # Before the latest block all is as in that.
    virtual = np.where(levels[:, :1], TAPS_PER_BLOCK, 0)
    around = block[:, None] + np.arange(WINDOW_BLOCKS)
    window = np.take_along_axis(np.concatenate([virtual, counts], axis=1), around, axis=1).sum(
        axis=1
    )
    codes = TAPS_PER_BLOCK * (block - 1) + window
    return Encoded(found, np.where(found, codes, 0))
