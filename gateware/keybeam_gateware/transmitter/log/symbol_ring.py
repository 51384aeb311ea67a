"""The block RAM of the state log."""

from amaranth import Array, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT

__all__ = ["RING_LATENCY", "SymbolRing"]

RING_LATENCY = 4
"""Cycles from `SymbolRing.read_address` to `SymbolRing.read_symbols`."""


class SymbolRing(wiring.Component):
    """Memory of the symbols of many cycles, in banks of one frame each.

    A bank's output goes through two registers of its own before the bank is
    chosen, and one more after, so that the slow block RAM outputs, the long
    ways across the chip and the choice each have a cycle for themselves.

    Parameters
    ----------
    banks : int
        Number of banks, a power of two.
    bank_words : int
        Words of a bank, a power of two.

    Members
    -------
    write : In(1)
        Write `write_symbols` at `write_address`.
    write_address : In(range(banks * bank_words))
    write_symbols : In(SYMBOLS_LAYOUT)
    read_address : In(range(banks * bank_words))
    read_symbols : Out(SYMBOLS_LAYOUT)
        What stood at `read_address` `RING_LATENCY` cycles ago; undefined if it was written in
        that same cycle.
    """

    def __init__(self, banks: int, bank_words: int) -> None:
        self._banks = banks
        self._row_bits = exact_log2(bank_words)
        address = unsigned(exact_log2(banks) + self._row_bits)
        super().__init__(
            {
                "write": In(1),
                "write_address": In(address),
                "write_symbols": In(SYMBOLS_LAYOUT),
                "read_address": In(address),
                "read_symbols": Out(SYMBOLS_LAYOUT),
            }
        )

    def elaborate(self, platform):
        m = Module()
        outputs = []
        for number in range(self._banks):
            # Without the attribute Yosys puts logic behind the slow outputs, which gives what
            # stood there before a write in the same cycle. It goes only with read ports whose
            # register is written out.
            memory = Memory(
                shape=SYMBOLS_LAYOUT,
                depth=1 << self._row_bits,
                init=[],
                attrs={"no_rw_check": 1},
            )
            m.submodules[f"bank_{number}"] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            fetched = Signal(SYMBOLS_LAYOUT, name=f"fetched_{number}", reset_less=True)
            output = Signal(SYMBOLS_LAYOUT, name=f"output_{number}", reset_less=True)
            nearer = Signal(SYMBOLS_LAYOUT, name=f"nearer_{number}", reset_less=True)
            m.d.comb += [
                write.addr.eq(self.write_address),
                write.data.eq(self.write_symbols),
                write.en.eq(self.write & (self.write_address[self._row_bits :] == number)),
                read.addr.eq(self.read_address),
            ]
            m.d.sync += [fetched.eq(read.data), output.eq(fetched), nearer.eq(output)]
            outputs.append(nearer.as_value())

        # The bank of the address, as old as the banks' last registers.
        bank = self.read_address[self._row_bits :]
        for age in range(RING_LATENCY - 1):
            delayed = Signal.like(bank, name=f"bank_{age + 1}_ago")
            m.d.sync += delayed.eq(bank)
            bank = delayed
        m.d.sync += self.read_symbols.eq(Array(outputs)[bank])
        return m
