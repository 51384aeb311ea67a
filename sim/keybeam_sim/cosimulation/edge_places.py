"""Where in their slots the levels of the receiver's inputs change.

Samples tell in which slot of 1.6 ns an edge is. A delay line shows more, so that what stands before
it is told the place in the slot, too.
"""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam.protocol.records import AUXILIARY_CHANNELS, DETECTOR_CHANNELS, Channel

__all__ = ["PLACES", "PLACES_WORD_BITS", "PLACE_BITS", "PLACE_INPUTS", "EdgePlaces"]

PLACE_BITS = 8
PLACES = 1 << PLACE_BITS
"""Places in a slot, 6.25 ps apart."""

PLACE_INPUTS = (Channel.LINE, *DETECTOR_CHANNELS, *AUXILIARY_CHANNELS)
"""Inputs whose edges have places."""

PLACES_WORD_BITS = PLACE_BITS * SLOTS_PER_CYCLE * (len(PLACE_INPUTS) + 1)
"""A cycle's word: a byte for each slot of the first input in the lowest bits, and so on."""

_BYTE = {channel: SLOTS_PER_CYCLE * number for number, channel in enumerate(PLACE_INPUTS)}


class EdgePlaces:
    """Places of the edges in some cycles of the receiver, one of each input in a slot.

    Parameters
    ----------
    cycles : int
        How many.
    slot_fs : float
        A slot by the receiver's clock, in femtoseconds.

    Attributes
    ----------
    words : ndarray of uint8, shape (cycles, PLACES_WORD_BITS / 8)
        The places by cycle, and by input and slot.
    """

    def __init__(self, cycles: int, slot_fs: float) -> None:
        self.words = np.zeros((cycles, PLACES_WORD_BITS // 8), np.uint8)
        self._slot_fs = slot_fs

    def mark(self, channel: Channel, samples: NDArray[np.int64], leads_fs: NDArray) -> None:
        """Tell where edges are.

        Parameters
        ----------
        channel : Channel
            The input.
        samples : ndarray of int64, shape (n,)
            First sample behind each edge, from the beginning of these cycles; others are left out.
        leads_fs : ndarray, shape (n,)
            Time from the edge to that sample, in femtoseconds, less than a slot.
        """
        here = (samples >= 0) & (samples < SLOTS_PER_CYCLE * len(self.words))
        before_the_end = np.clip(leads_fs[here] * PLACES / self._slot_fs, 0, PLACES - 1)
        cycles, slots = np.divmod(samples[here], SLOTS_PER_CYCLE)
        self.words[cycles, _BYTE[channel] + slots] = PLACES - 1 - before_the_end.astype(np.int64)
