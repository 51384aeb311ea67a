"""A pattern of the user's, from memory, looped."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT
from keybeam_gateware.transmitter.pattern.table import TABLE_LATENCY, LookupTable

__all__ = ["USER_PATTERN_LATENCY", "USER_WORDS", "UserPattern"]

USER_WORDS = 1024
"""Words of four slots in the memory: 4096 slots, one block RAM, and one more for reading back."""

USER_PATTERN_LATENCY = 1 + TABLE_LATENCY
"""Cycles from `UserPattern.begin` to the first word of the pattern."""

_WORD_BITS = SYMBOL_BITS * SYMBOLS_PER_WORD


class UserPattern(wiring.Component):
    """Reads the words of the loop one a cycle, from the first one at the beginning of each frame.

    So the symbol of a slot follows from its place in the frame alone, whatever
    the length of the loop. A symbol stands for each slot; of those in slots
    without a pulse nothing is sent.

    Members
    -------
    begin : In(1)
        A frame begins.
    words : In(range(USER_WORDS))
        Words of the loop; 0 all of them. Constant while it is used.
    symbols : Out(SYMBOLS_LAYOUT)
        Symbols of a cycle, `USER_PATTERN_LATENCY` cycles after its `begin`.
    table : LookupTable
        The memory (a block, not a member): its write and read-back ports are for the loader.
    """

    begin: In(1)
    words: In(range(USER_WORDS))
    symbols: Out(SYMBOLS_LAYOUT)

    def __init__(self) -> None:
        self.table = LookupTable(_WORD_BITS, [0] * USER_WORDS, lookups=1)
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = self.table
        place = Signal(unsigned(exact_log2(USER_WORDS)))
        last, before_last = Signal.like(place), Signal.like(place)
        is_last, only_one = Signal(), Signal()
        m.d.sync += [
            last.eq(self.words - 1),
            before_last.eq(self.words - 2),
            only_one.eq(last == 0),
        ]
        with m.If(self.begin | is_last):
            m.d.sync += [place.eq(0), is_last.eq(only_one)]
        with m.Else():
            m.d.sync += [place.eq(place + 1), is_last.eq(place == before_last)]
        m.d.comb += [self.table.address_0.eq(place), self.symbols.eq(self.table.entry_0)]
        return m
