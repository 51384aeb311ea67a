"""Which words the state log holds."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.transmitter.layouts import WORD_INDEX_BITS

__all__ = ["GUARD_WORDS", "Window"]

GUARD_WORDS = 16
"""Oldest words that are answered TOO_OLD already, because they may be overwritten while they
are looked up."""


class Window(wiring.Component):
    """Index of the newest word, and how many words up to it can be read.

    Parameters
    ----------
    words : int
        Words of the memory.
    line_words : int
        Words that are written at a time.

    Members
    -------
    written : In(1)
        A line was written, or should have been.
    first : In(1)
        It is the first one since the pattern started: what was held is forgotten.
    word : In(WORD_INDEX_BITS)
        Index of its last word.
    newest : Out(WORD_INDEX_BITS)
        Index of the newest word held.
    held : Out(range(words - GUARD_WORDS + 1))
        Number of words held; 0 before anything was written.
    full : Out(1)
        No more can be held.
    """

    def __init__(self, words: int, line_words: int) -> None:
        self._line_words = line_words
        self._most = words - GUARD_WORDS
        super().__init__(
            {
                "written": In(1),
                "first": In(1),
                "word": In(WORD_INDEX_BITS),
                "newest": Out(WORD_INDEX_BITS),
                "held": Out(range(self._most + 1)),
                "full": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step = self._line_words
        with m.If(self.written):
            m.d.sync += self.newest.eq(self.word)
            with m.If(self.first):
                m.d.sync += [self.held.eq(step), self.full.eq(self._most == step)]
            with m.Elif(~self.full):
                m.d.sync += [
                    self.held.eq(self.held + step),
                    self.full.eq(self.held == self._most - step),
                ]
        return m
