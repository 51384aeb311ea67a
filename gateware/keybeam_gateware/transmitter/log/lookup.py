"""Answers what was sent at a pulse index."""

from amaranth import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import WORD_INDEX_BITS
from keybeam_gateware.transmitter.log.comparison import COMPARISON_LATENCY, Comparison
from keybeam_gateware.transmitter.log.frame_marks import MARK_LAYOUT
from keybeam_gateware.transmitter.log.memory_port import WORD_BITS, ReadPort

__all__ = ["Lookup"]

_SLOT_BITS = exact_log2(SYMBOLS_PER_WORD)


class Lookup(wiring.Component):
    """Takes an index, compares it with what is held at one moment, reads, and answers.

    It begins again when `disturbed` tells that the comparison and what is read might not belong
    together, or when the memory does not take the read at once. So a symbol is always the one
    that was held when the range was looked at.

    A read that the memory does not take in half of `time_limit` is answered LOST. One that has no
    answer after `time_limit` is answered LOST as well, and so is every one after it: what the
    memory may still answer could be taken for the answer to a later read.

    Parameters
    ----------
    lines, line_words : int
        Lines of the memory and words of a line.
    time_limit : int
        Cycles after which no answer of the memory is waited for any more, a power of two.

    Members
    -------
    index : In(stream.Signature(unsigned(64)))
        Pulse indices to look up, one at a time.
    answer : Out(stream.Signature(unsigned(8)))
        ``LookupStatus << 4 | symbol`` of each index, in order, offered at most `time_limit` + 2
        cycles after it was taken; the symbol is 0 unless the status is FOUND or NOT_KEY.
    newest : In(WORD_INDEX_BITS)
        Index of the newest word held.
    held : In(range(lines * line_words))
        Number of words held.
    disturbed : In(1)
        In this cycle the range that is held starts anew, or a mark is written.
    word : Out(WORD_INDEX_BITS)
        The word that is looked up; from before it is compared until it is read.
    slot : Out(2)
        Slot of that word.
    mark : In(MARK_LAYOUT)
        Marks of the frame of `word`, up to `COMPARISON_LATENCY` cycles later.
    gone : In(1)
        What the memory held is gone, for good.
    failed : Out(1)
        Every look-up is answered LOST: what is held is gone, or the memory did not answer.
    read : Out(ReadPort(lines, line_words))
        To the memory.
    """

    def __init__(self, lines: int, line_words: int, time_limit: int) -> None:
        self._line_words = line_words
        self._place_bits = exact_log2(line_words)
        self._line_bits = exact_log2(lines)
        self._time_limit = time_limit
        super().__init__(
            {
                "index": In(stream.Signature(unsigned(PULSE_INDEX_BITS))),
                "answer": Out(stream.Signature(unsigned(8))),
                "newest": In(WORD_INDEX_BITS),
                "held": In(range(lines * line_words)),
                "disturbed": In(1),
                "word": Out(WORD_INDEX_BITS),
                "slot": Out(_SLOT_BITS),
                "mark": In(MARK_LAYOUT),
                "gone": In(1),
                "failed": Out(1),
                "read": Out(ReadPort(lines, line_words)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        symbol = Signal(SYMBOL_BITS)
        newest, held = Signal.like(self.newest), Signal.like(self.held)
        status, verdict = self._compare(m, newest, held), Signal(LookupStatus)
        readable, aged, overdue, arrived = (Signal() for _ in range(4))
        age = Signal(range(self._time_limit + 1))
        word = self._choose_word(m, arrived)
        m.d.comb += [
            self.read.address.eq(self.word[self._place_bits :][: self._line_bits]),
            self.answer.payload.eq(Cat(symbol, verdict)),
        ]
        # All that is decided on below comes from registers nearby.
        m.d.sync += [
            age.eq(age + ~age[-1]),
            aged.eq(age[-2:].any() | self.failed),
            overdue.eq(age[-1] | self.failed),
            self.failed.eq(self.failed | self.gone),
        ]

        step = Signal(range(COMPARISON_LATENCY + 1))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.index.ready.eq(1)
                m.d.sync += [age.eq(0), Cat(self.slot, self.word).eq(self.index.payload)]
                with m.If(self.index.valid):
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                m.d.sync += [newest.eq(self.newest), held.eq(self.held)]
                m.d.sync += [step.eq(0), symbol.eq(0)]
                with m.If(aged):
                    m.next = "GIVE UP"
                with m.Elif(~self.disturbed):
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.sync += [
                    step.eq(step + 1),
                    verdict.eq(status),
                    readable.eq((status == LookupStatus.FOUND) | (status == LookupStatus.NOT_KEY)),
                ]
                with m.If(self.disturbed):
                    m.next = "SAMPLE"
                with m.Elif(step == COMPARISON_LATENCY):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.read.enable.eq(readable & ~self.disturbed)
                m.next = "SAMPLE"
                with m.If(~self.disturbed):
                    with m.If(~readable):
                        m.next = "ANSWER"
                    with m.Elif(self.read.taken):
                        m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(overdue):
                    m.d.sync += self.failed.eq(1)
                    m.next = "GIVE UP"
                with m.Elif(arrived):
                    m.next = "SYMBOL"
            with m.State("SYMBOL"):
                m.d.sync += symbol.eq(word.word_select(self.slot, SYMBOL_BITS))
                m.next = "ANSWER"
            with m.State("GIVE UP"):
                m.d.sync += [verdict.eq(LookupStatus.LOST), symbol.eq(0)]
                m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.answer.valid.eq(1)
                m.d.sync += age.eq(0)
                with m.If(self.answer.ready):
                    m.next = "IDLE"
        return m

    def _compare(self, m, newest, held):
        """Status of `word`, `COMPARISON_LATENCY` cycles later."""
        m.submodules.comparison = comparison = Comparison()
        m.d.comb += comparison.word.eq(self.word)
        m.d.comb += [comparison.newest.eq(newest), comparison.held.eq(held)]
        status = Signal(LookupStatus)
        with m.If(comparison.too_new):
            m.d.comb += status.eq(LookupStatus.TOO_NEW)
        with m.Elif(comparison.too_old):
            m.d.comb += status.eq(LookupStatus.TOO_OLD)
        with m.Elif(self.mark.lost):
            m.d.comb += status.eq(LookupStatus.LOST)
        with m.Elif(self.mark.not_key):
            m.d.comb += status.eq(LookupStatus.NOT_KEY)
        return status

    def _choose_word(self, m, arrived):
        """Tell when an answer has arrived, and give the word asked for in the cycle after."""
        line, word = Signal(WORD_BITS * self._line_words), Signal(WORD_BITS)
        place = self.word[: self._place_bits]
        m.d.sync += [
            arrived.eq(self.read.answered),
            line.eq(self.read.line),
            word.eq(line.word_select(place, WORD_BITS)),
        ]
        return word
