"""Turns symbols into what the lanes do in every slot of a pulse's period."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.lanes import LANE_ENTRY_BITS, sagnac_lane_table
from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD, Intensity
from keybeam_gateware.transmitter.layouts import SYMBOLS_LAYOUT
from keybeam_gateware.transmitter.pattern.layouts import SPACING_BITS
from keybeam_gateware.transmitter.pattern.table import TABLE_LATENCY, LookupTable

__all__ = ["LANE_DRIVER_LATENCY", "LOADABLE_ENTRIES", "LaneDriver"]

LANE_DRIVER_LATENCY = 1 + TABLE_LATENCY
"""Cycles from `LaneDriver.symbols` to `LaneDriver.slot_0`."""

_POSITION_BITS = 4

LOADABLE_ENTRIES = Intensity.INVALID << 2 + _POSITION_BITS
"""Entries of the lane table that are used; those of INVALID stand behind them."""


class LaneDriver(wiring.Component):
    """Looks up, for each slot, what the lanes do for the pulse whose period it is.

    A symbol that is marked `Intensity.INVALID` is looked up as VACUUM of the
    same polarisation: there is no way from it to any other entry.

    Members
    -------
    symbols : In(SYMBOLS_LAYOUT)
        Symbols of a cycle.
    pulses : In(4)
        Slots with a pulse: there its period begins.
    spacing : In(3)
        Log2 of the period in slots.
    cycle : In(2)
        Lowest bits of the number of this cycle in its frame.
    slot_0, slot_1, slot_2, slot_3 : Out(12)
        Entry of the lane table (`keybeam.protocol.lanes`) for each slot, `LANE_DRIVER_LATENCY`
        cycles later.
    table : LookupTable
        The lane table (a block, not a member): its write and read-back ports are for the loader.
    """

    def __init__(self) -> None:
        entries = [int(entry) for entry in sagnac_lane_table().ravel()]
        self.table = LookupTable(LANE_ENTRY_BITS, entries, lookups=SYMBOLS_PER_WORD)
        super().__init__(
            {
                "symbols": In(SYMBOLS_LAYOUT),
                "pulses": In(SYMBOLS_PER_WORD),
                "spacing": In(SPACING_BITS),
                "cycle": In(2),
            }
            | {f"slot_{slot}": Out(LANE_ENTRY_BITS) for slot in range(SYMBOLS_PER_WORD)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = self.table
        last = Signal(SYMBOL_BITS)
        shown = last
        for slot in range(SYMBOLS_PER_WORD):
            # Until the next pulse the lanes go on with the period of the last one.
            symbol = Signal(SYMBOL_BITS, name=f"shown_{slot}")
            own = _sendable(self.symbols[f"slot_{slot}"])
            m.d.comb += symbol.eq(Mux(self.pulses[slot], own, shown))
            shown = symbol
            address = Signal(_POSITION_BITS + SYMBOL_BITS, name=f"address_{slot}")
            m.d.sync += address.eq(Cat(self._position(slot), symbol))
            m.d.comb += [
                getattr(self.table, f"address_{slot}").eq(address),
                getattr(self, f"slot_{slot}").eq(getattr(self.table, f"entry_{slot}")),
            ]
        m.d.sync += last.eq(shown)
        return m

    def _position(self, slot):
        """Give the number of the slot in the period of its pulse."""
        place = Cat(Mux(slot & 1, 1, 0), Mux(slot & 2, 1, 0), self.cycle)
        return Cat(place[bit] & (self.spacing > bit) for bit in range(_POSITION_BITS))


def _sendable(symbol):
    """Give the symbol itself, or VACUUM of the same polarisation for an INVALID one."""
    return Cat(symbol[:2], symbol[2] & ~symbol[3], symbol[3])
