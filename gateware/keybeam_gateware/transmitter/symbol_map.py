"""Makes symbols of random bits."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.symbols import DEFAULT_SYMBOL_TABLE, SYMBOL_BITS, SYMBOLS_PER_WORD
from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT

__all__ = ["SymbolMap"]


class SymbolMap(wiring.Component):
    """Maps four random bits a slot to a symbol by `DEFAULT_SYMBOL_TABLE`.

    Combinational, one look-up table deep.

    Members
    -------
    random : In(stream.Signature(unsigned(16)))
        Random bits; slot k uses bits 4k+3 to 4k.
    symbols : Out(stream.Signature(SYMBOLS_LAYOUT))
        Symbols of the four slots of a cycle.
    """

    random: In(stream.Signature(SYMBOL_BITS * SYMBOLS_PER_WORD))
    symbols: Out(stream.Signature(SYMBOLS_LAYOUT))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.symbols.valid.eq(self.random.valid),
            self.random.ready.eq(self.symbols.ready),
        ]
        for slot in range(SYMBOLS_PER_WORD):
            with m.Switch(self.random.payload.word_select(slot, SYMBOL_BITS)):
                for bits, symbol in enumerate(DEFAULT_SYMBOL_TABLE):
                    with m.Case(bits):
                        m.d.comb += self.symbols.payload[f"slot_{slot}"].eq(int(symbol))
        return m
