"""Compares the index of a word with what the state log holds."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.transmitter.layouts import WORD_INDEX_BITS

__all__ = ["COMPARISON_LATENCY", "LONGEST_LOG_WORDS", "Comparison"]

_LOW_BITS = WORD_INDEX_BITS // 2

COMPARISON_LATENCY = 4
"""Cycles from the inputs of a `Comparison` to its outputs."""

LONGEST_LOG_WORDS = 1 << _LOW_BITS
"""Words of which one may be held less than this."""


class Comparison(wiring.Component):
    """Tells whether ``0 <= newest - word < held``, and if not, where the word stands.

    The difference is taken in two halves, each in a cycle of its own, after one in which the
    indices come from wherever they are.

    Members
    -------
    word : In(WORD_INDEX_BITS)
        Index of the word that is looked for.
    newest : In(WORD_INDEX_BITS)
        Index of the newest word held.
    held : In(WORD_INDEX_BITS // 2)
        Number of words held up to it.
    too_new : Out(1)
        The word comes after the newest, or nothing is held.
    too_old : Out(1)
        The word comes before the oldest; not together with `too_new`.
    """

    word: In(WORD_INDEX_BITS)
    newest: In(WORD_INDEX_BITS)
    held: In(_LOW_BITS)
    too_new: Out(1)
    too_old: Out(1)

    def elaborate(self, platform):
        m = Module()
        word, newest = Signal(WORD_INDEX_BITS), Signal(WORD_INDEX_BITS)
        low = Signal(_LOW_BITS + 1)
        low_later = Signal(_LOW_BITS)
        high, high_later = (Signal(WORD_INDEX_BITS - _LOW_BITS + 1) for _ in range(2))
        m.d.sync += [
            word.eq(self.word),
            newest.eq(self.newest),
            low.eq(newest[:_LOW_BITS] - word[:_LOW_BITS]),
            high.eq(newest[_LOW_BITS:] - word[_LOW_BITS:]),
            low_later.eq(low),
            high_later.eq(high - low[-1]),
        ]
        ahead, far, beyond, empty = (Signal(unsigned(1)) for _ in range(4))
        m.d.sync += [
            ahead.eq(high_later[-1]),
            far.eq(high_later.any()),
            beyond.eq(low_later >= self.held),
            empty.eq(self.held == 0),
        ]
        m.d.comb += [
            self.too_new.eq(empty | ahead),
            self.too_old.eq(~self.too_new & (far | beyond)),
        ]
        return m
