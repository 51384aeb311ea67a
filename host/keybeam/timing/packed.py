"""Clicks in four bytes each, from the gate on: the pulse, and the detector."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.timing import _tags
from keybeam.timing.clicks import ClickOrder

__all__ = [
    "MOST_PULSES",
    "PULSE_DTYPE",
    "PackedClicks",
    "join_packed",
    "packed_order",
    "resolve_packed",
]

PULSE_DTYPE = np.dtype([("index", "<u8"), ("channel", "u1")])
"""A click behind the gate: pulse index and detector channel, as in `keybeam.timing.CLICK_DTYPE`."""

_CHANNEL_BITS = 2

MOST_PULSES = 1 << 32 - _CHANNEL_BITS
"""Pulses that clicks packed together span at most, 1.7 s."""


class PackedClicks(NamedTuple):
    """Clicks that are near to one another.

    Attributes
    ----------
    first : int
        Pulse index from which the words count.
    words : ndarray of uint32, shape (n,)
        Pulses after the first one times four, plus the channel 0 to 3 (H, V, D, A).
    """

    first: int
    words: NDArray[np.uint32]

    @classmethod
    def of(cls, clicks: NDArray[np.void]) -> "PackedClicks":
        """Pack clicks, or as many of the first as lie within `MOST_PULSES`.

        Parameters
        ----------
        clicks : ndarray of CLICK_DTYPE
            Clicks by rising index; at least one.
        """
        words = np.empty(clicks.size, np.uint32)
        packed = _tags.pack_clicks(np.ascontiguousarray(clicks).view(np.uint8), words)
        return cls(int(clicks["index"][0]), words[:packed])

    @classmethod
    def all_of(cls, clicks: NDArray[np.void]) -> "Iterator[PackedClicks]":
        """Pack all clicks, in as many parts as it takes; see `of`."""
        while clicks.size:
            part = cls.of(clicks)
            yield part
            clicks = clicks[part.words.size :]

    def index_at(self, place: int) -> int:
        """Pulse index of one of them."""
        return self.first + (int(self.words[place]) >> _CHANNEL_BITS)

    @property
    def indices(self) -> NDArray[np.uint64]:
        """Pulse index of each."""
        return np.uint64(self.first) + (self.words >> np.uint32(_CHANNEL_BITS)).astype(np.uint64)

    @property
    def channels(self) -> NDArray[np.uint8]:
        """Channel of each."""
        return (self.words & np.uint32((1 << _CHANNEL_BITS) - 1)).astype(np.uint8)

    def unpacked(self) -> NDArray[np.void]:
        """Give them as an array of PULSE_DTYPE."""
        clicks = np.empty(self.words.size, PULSE_DTYPE)
        clicks["index"], clicks["channel"] = self.indices, self.channels
        return clicks

    def counted_from(self, first: int) -> NDArray[np.uint32] | None:
        """Words of the same clicks counted from another pulse; None where they do not fit."""
        if not self.words.size:
            return self.words
        moved = self.first - first
        lowest, highest = (
            int(word) >> _CHANNEL_BITS for word in (self.words.min(), self.words.max())
        )
        if lowest + moved < 0 or highest + moved >= MOST_PULSES:
            return None
        words: NDArray[np.uint32] = (self.words.astype(np.int64) + (moved << _CHANNEL_BITS)).astype(
            np.uint32
        )
        return words

    def later_than(self, index: int) -> "PackedClicks":
        """Leave the clicks up to a pulse out."""
        if not self.words.size or self.index_at(0) > index:
            return self
        least = min(max(index - self.first + 1, 0), MOST_PULSES)
        return PackedClicks(self.first, self.words[self.words >> np.uint32(_CHANNEL_BITS) >= least])


def join_packed(before: PackedClicks, after: PackedClicks) -> PackedClicks | None:
    """Join clicks, or give None where they are too far apart to be counted from one pulse."""
    if not before.words.size:
        return after
    earliest = before.first + (int(before.words.min()) >> _CHANNEL_BITS)
    for first in (after.first, earliest):
        parts = [part.counted_from(first) for part in (before, after)]
        words = [part for part in parts if part is not None]
        if len(words) == len(parts):
            return PackedClicks(first, np.concatenate(words))
    return None


def packed_order(words: NDArray[np.uint32]) -> ClickOrder:
    """Find how the indices of packed clicks follow one another."""
    return ClickOrder(_tags.order_of_words(words))


def resolve_packed(
    words: NDArray[np.uint32], generator: np.random.Generator, order: ClickOrder | None = None
) -> NDArray[np.uint32]:
    """Do the same as `keybeam.timing.resolve_double_clicks` to packed clicks.

    Parameters
    ----------
    words : ndarray of uint32
        Words of `PackedClicks`, gated, in any order. All clicks of a pulse must be among them.
    generator, order
        As there.
    """
    order = order or packed_order(words)
    if order is ClickOrder.RISING:
        return words
    if order is ClickOrder.MIXED:
        words = np.sort(words)
    single = np.empty(words.size, np.uint32)
    count, doubles = _tags.single_words(words, single)
    bits = generator.integers(0, 2, doubles.size, dtype=np.uint8)
    kept = doubles >= 0
    places = doubles[kept]
    # The channel is the basis, which stays, and the bit.
    single[places] = single[places] & ~np.uint32(1) | bits[kept]
    return single[:count]
