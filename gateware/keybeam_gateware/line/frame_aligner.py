"""Bytes of the frame body out of recovered line bits."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.pipeline import delayed

from .data_recovery import recovered_bits
from .sync_extractor import BIT_NUMBER_BITS

__all__ = ["FrameAligner"]


class FrameAligner(wiring.Component):
    """Delays the line bits until it is known where the frame begins, and makes bytes of them.

    Members
    -------
    recovered : In(recovered_bits())
        Line bits, straight from the data recovery.
    start : In(1)
        A sync word ended.
    first_bit : In(16)
        Number of the line bit after it, counted from 1 on; valid with `start`.
    valid : Out(1)
        A byte is complete; at most every seventh cycle.
    data : Out(8)
        The byte, its earliest bit highest, still scrambled.
    first : Out(1)
        It is the first after the sync word.
    """

    DELAY = 20
    """More cycles than the sync extractor needs to report a word that was missed."""

    recovered: In(recovered_bits())
    start: In(1)
    first_bit: In(BIT_NUMBER_BITS)
    valid: Out(1)
    data: Out(8)
    first: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        coming_count = delayed(m, self.recovered.count, self.DELAY)
        coming_bits = delayed(m, self.recovered.bits, self.DELAY)

        # The awaited bit is near when it is announced, so that eight bits of its number suffice. It
        # is the first or the second of a cycle, before which so many bits had passed.
        passed, waiting = Signal(8), Signal()
        before = [Signal(8, name=f"before_{place}") for place in range(2)]
        count, bits, starts = Signal(2), Signal(2), Signal(2)
        found = Signal(2)
        m.d.comb += [
            found[0].eq(waiting & (coming_count != 0) & (passed == before[0])),
            found[1].eq(waiting & (coming_count == 2) & (passed == before[1])),
        ]
        m.d.sync += [
            passed.eq(passed + coming_count),
            count.eq(coming_count),
            bits.eq(coming_bits),
            starts.eq(found),
        ]
        with m.If(self.start):
            m.d.sync += [before[place].eq(self.first_bit - 1 - place) for place in range(2)]
            m.d.sync += waiting.eq(1)
        with m.Elif(found.any()):
            m.d.sync += waiting.eq(0)

        shift, filled, opening = Signal(7), Signal(range(8)), Signal()
        total = Signal(4)
        m.d.comb += total.eq(filled + count)
        m.d.sync += self.valid.eq(0)
        with m.If(count == 2):
            m.d.sync += shift.eq(Cat(bits[1], bits[0], shift))
        with m.Elif(count == 1):
            m.d.sync += shift.eq(Cat(bits[0], shift))
        with m.If(starts[0]):
            m.d.sync += [filled.eq(count), opening.eq(1)]
        with m.Elif(starts[1]):
            m.d.sync += [filled.eq(1), opening.eq(1)]
        with m.Else():
            m.d.sync += filled.eq(total)
            with m.If(total[3]):
                m.d.sync += [
                    self.valid.eq(1),
                    self.first.eq(opening),
                    opening.eq(0),
                    self.data.eq(Cat(bits[0], shift)),
                ]
                with m.If((count == 2) & ~total[0]):
                    m.d.sync += self.data.eq(Cat(bits[1], bits[0], shift))
        return m
