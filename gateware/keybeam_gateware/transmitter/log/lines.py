"""Gathers what is sent, cycle by cycle, into lines of the memory."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.transmitter.layouts import SENT_LAYOUT, WORD_INDEX_BITS
from keybeam_gateware.transmitter.log.memory_port import WORD_BITS

__all__ = ["LinePacker", "line_layout"]


def line_layout(line_words: int) -> data.StructLayout:
    """Layout of a line that is complete.

    Parameters
    ----------
    line_words : int
        Words of a line.

    Returns
    -------
    StructLayout
        ``valid``: in this cycle a line is complete; ``first``: it is the first since the pattern
        started; ``not_key``: its frame cannot become key; ``word``: index of its last word;
        ``words``: its words, the earliest lowest.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "first": 1,
            "not_key": 1,
            "word": WORD_INDEX_BITS,
            "words": WORD_BITS * line_words,
        }
    )


class LinePacker(wiring.Component):
    """Makes lines of words with consecutive indices.

    A line that was begun and not completed before the pattern stopped or started anew is left
    out. That does not happen while the pattern starts and stops at frame borders.

    Parameters
    ----------
    line_words : int
        Words of a line, a power of two.

    Members
    -------
    sent : In(SENT_LAYOUT)
        What is sent in this cycle.
    line : Out(line_layout(line_words))
        The line that was completed in the cycle before.
    restarts : Out(1)
        In the next cycle `line` shows the first one since the pattern started.
    """

    def __init__(self, line_words: int) -> None:
        self._line_words = line_words
        super().__init__(
            {
                "sent": In(SENT_LAYOUT),
                "line": Out(line_layout(line_words)),
                "restarts": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sent, line = self.sent, self.line
        place = sent.word[: exact_log2(self._line_words)]
        # Whether all words of the line before this one were seen, and no line of this run yet.
        whole, unseen = Signal(), Signal()
        begins, complete = Signal(), Signal()
        last = self._line_words - 1
        m.d.comb += [
            begins.eq(place == 0),
            complete.eq(sent.valid & (place == last) & (begins | (whole & ~sent.first))),
            self.restarts.eq(complete & (sent.first | unseen)),
        ]
        m.d.sync += [
            whole.eq(sent.valid & (begins | (whole & ~sent.first))),
            line.valid.eq(complete),
            line.first.eq(sent.first | unseen),
            line.not_key.eq(sent.not_key),
            line.word.eq(sent.word),
        ]
        with m.If(complete):
            m.d.sync += unseen.eq(0)
        with m.Elif(sent.valid & sent.first):
            m.d.sync += unseen.eq(1)
        with m.If(sent.valid):
            m.d.sync += line.words.eq(Cat(line.words, sent.symbols.as_value())[WORD_BITS:])
        return m
