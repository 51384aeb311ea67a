"""Gives each pulse its random bits, once and in order, however far apart the pulses are."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.symbols import SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.pattern.layouts import SPACING_BITS

__all__ = ["Spacer"]


class Spacer(wiring.Component):
    """Splits words into the fields of their pulses.

    A word has a field for each of four pulses, the earliest lowest. A cycle
    with pulses takes as many fields as it has: four, two, or one. The fields
    of a word that no cycle has taken yet wait.

    Parameters
    ----------
    width : int
        Bits of a field.

    Members
    -------
    spacing : In(3)
        A pulse comes every 2^spacing slots; 2 or more: one a cycle at most. It may change only
        where no field waits, or `clear` is high.
    clear : In(1)
        Forget the fields that wait.
    words : In(stream.Signature(unsigned(4 * width)))
        Words; taken when the first of their fields is.
    take : In(1)
        This cycle takes fields.
    there : Out(1)
        The fields for this cycle are there.
    waiting : Out(1)
        Fields of a word that was begun wait.
    slot_0, slot_1, slot_2, slot_3 : Out(unsigned(width))
        Field of each slot of the cycle; of no meaning in a slot without a pulse.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "spacing": In(SPACING_BITS),
                "clear": In(1),
                "words": In(stream.Signature(unsigned(SYMBOLS_PER_WORD * width))),
                "take": In(1),
                "there": Out(1),
                "waiting": Out(1),
            }
            | {f"slot_{slot}": Out(unsigned(width)) for slot in range(SYMBOLS_PER_WORD)}
        )
        self.rest = Signal((SYMBOLS_PER_WORD - 1) * width)
        self.left = Signal(range(SYMBOLS_PER_WORD))

    def elaborate(self, platform):
        m = Module()
        fields = Signal(SYMBOLS_PER_WORD * self._width)
        m.d.comb += [
            self.waiting.eq(self.left != 0),
            self.words.ready.eq(self.take & ~self.waiting),
            self.there.eq(self.waiting | self.words.valid),
            fields.eq(Mux(self.waiting, self.rest, self.words.payload)),
        ]
        each = [fields.word_select(place, self._width) for place in range(SYMBOLS_PER_WORD)]
        pairs = self.spacing == 1
        m.d.comb += [
            self.slot_0.eq(each[0]),
            self.slot_1.eq(each[1]),
            self.slot_2.eq(Mux(pairs, each[1], each[2])),
            self.slot_3.eq(each[3]),
        ]
        with m.If(self.clear):
            m.d.sync += self.left.eq(0)
        with m.Elif(self.take & self.there):
            with m.If(self.spacing == 0):
                m.d.sync += self.left.eq(0)
            with m.Elif(pairs):
                m.d.sync += [
                    self.left.eq(self.left - 2),
                    self.rest.eq(Cat(each[2], each[3])),
                ]
            with m.Else():
                m.d.sync += [
                    self.left.eq(self.left - 1),
                    self.rest.eq(Cat(each[1], each[2], each[3])),
                ]
        return m
