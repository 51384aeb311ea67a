"""Keeps the symbols that were sent, and answers what was sent at a pulse index."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_CYCLES, PULSE_INDEX_BITS
from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import SENT_LAYOUT, WORD_INDEX_BITS
from keybeam_gateware.transmitter.symbol_ring import RING_LATENCY, SymbolRing

__all__ = ["GUARD_WORDS", "LOOKUP_CYCLES", "StateLog"]

GUARD_WORDS = 16
"""Oldest words that are answered TOO_OLD already, because they may be overwritten while they
are looked up."""

LOOKUP_CYCLES = 16
"""Cycles from taking a pulse index to its answer at most; the pattern can start only once in
them."""

_LOW_BITS = 31
_SLOT_BITS = exact_log2(SYMBOLS_PER_WORD)


class StateLog(wiring.Component):
    """Ring of the symbols last sent, read by pulse index.

    Writing starts anew with every start of the pattern and goes on with
    consecutive indices; when the pattern stops, the contents stay. A look-up
    compares the index with the range that is held, and reads; it begins again
    when the pattern starts during it. So an answer is either the symbol sent
    at that index or TOO_OLD (before the start of the pattern, or overwritten)
    or TOO_NEW (not sent yet, or nothing was ever sent).

    Parameters
    ----------
    frames : int
        Depth in frames, a power of two.
    frame_words : int
        Words of a frame, a power of two greater than `GUARD_WORDS`.

    Members
    -------
    sent : In(SENT_LAYOUT)
        What is sent in this cycle.
    index : In(stream.Signature(unsigned(64)))
        Pulse indices to look up, one at a time.
    answer : Out(stream.Signature(unsigned(8)))
        ``LookupStatus << 4 | symbol`` of each index, in order, at most
        `LOOKUP_CYCLES` cycles after it was taken; the symbol is 0 where none was found.
    """

    def __init__(self, frames: int, frame_words: int = FRAME_CYCLES) -> None:
        self._words = frames * frame_words
        if frame_words <= GUARD_WORDS or self._words > 1 << _LOW_BITS:
            raise ValueError(f"a log of {frames} × {frame_words} words cannot be built")
        self._ring = SymbolRing(frames, frame_words)
        super().__init__(
            {
                "sent": In(SENT_LAYOUT),
                "index": In(stream.Signature(unsigned(PULSE_INDEX_BITS))),
                "answer": Out(stream.Signature(unsigned(8))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = self._ring
        written = Signal(SENT_LAYOUT)
        word = Signal(WORD_INDEX_BITS)
        m.d.sync += written.eq(self.sent)
        m.d.comb += [
            ring.write.eq(written.valid),
            ring.write_address.eq(written.word),
            ring.write_symbols.eq(written.symbols),
            ring.read_address.eq(word),
        ]
        newest, held = self._track(m, written)
        self._look_up(m, word, newest, held, written.valid & written.first)
        return m

    def _track(self, m, written):
        """Index of the newest word, and how many words up to it can be read."""
        most = self._words - GUARD_WORDS
        newest = Signal(WORD_INDEX_BITS)
        held = Signal(range(most + 1))
        full = Signal()
        with m.If(written.valid):
            m.d.sync += newest.eq(written.word)
            with m.If(written.first):
                m.d.sync += [held.eq(1), full.eq(0)]
            with m.Elif(~full):
                m.d.sync += [held.eq(held + 1), full.eq(held == most - 1)]
        return newest, held

    def _look_up(self, m, word, newest, held, restart):
        """Take an index, compare it with what was held at one moment, read, answer."""
        slot = Signal(_SLOT_BITS)
        newest_then, held_then = Signal.like(newest), Signal.like(held)
        status, compared = self._compare(m, word, newest_then, held_then)
        settled = max(compared, RING_LATENCY)
        symbol = self._ring.read_symbols.as_value().word_select(slot, 4)
        found = status == LookupStatus.FOUND

        step = Signal(range(settled + 1))
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.index.ready.eq(1)
                m.d.sync += Cat(slot, word).eq(self.index.payload)
                with m.If(self.index.valid):
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                m.d.sync += [newest_then.eq(newest), held_then.eq(held), step.eq(0)]
                with m.If(~restart):
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.sync += [
                    step.eq(step + 1),
                    self.answer.payload.eq(Cat(Mux(found, symbol, 0), status)),
                ]
                with m.If(restart):
                    m.next = "SAMPLE"
                with m.Elif(step == settled):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.answer.valid.eq(1)
                with m.If(self.answer.ready):
                    m.next = "IDLE"

    def _compare(self, m, word, newest, held):
        """Status of `word`, and the cycles until it follows its operands.

        The word is held when ``0 <= newest - word < held``. The difference is
        taken in two halves, each in a cycle of its own.
        """
        low = Signal(_LOW_BITS + 1)
        low_later = Signal(_LOW_BITS)
        high, high_later = (Signal(WORD_INDEX_BITS - _LOW_BITS + 1) for _ in range(2))
        m.d.sync += [
            low.eq(newest[:_LOW_BITS] - word[:_LOW_BITS]),
            high.eq(newest[_LOW_BITS:] - word[_LOW_BITS:]),
            low_later.eq(low),
            high_later.eq(high - low[-1]),
        ]
        ahead, far, beyond, empty = (Signal() for _ in range(4))
        m.d.sync += [
            ahead.eq(high_later[-1]),
            far.eq(high_later.any()),
            beyond.eq(low_later >= held),
            empty.eq(held == 0),
        ]
        status = Signal(LookupStatus)
        with m.If(empty | ahead):
            m.d.comb += status.eq(LookupStatus.TOO_NEW)
        with m.Elif(far | beyond):
            m.d.comb += status.eq(LookupStatus.TOO_OLD)
        with m.Else():
            m.d.comb += status.eq(LookupStatus.FOUND)
        return status, 3
