"""One register bus spread onto several, with a register stage on the way there and back."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from luna_soc.gateware.vendor.amaranth_soc import csr
from luna_soc.gateware.vendor.amaranth_soc.memory import MemoryMap

__all__ = ["Decoder"]


class Decoder(wiring.Component):
    """Hand accesses on to the bus in whose window the address lies.

    Parameters
    ----------
    addr_width : int
        Bits of an address.
    data_width : int
        Bits of a word.

    Members
    -------
    bus : In(csr.Signature)
        The bus; its ``memory_map`` has a window for each that was added.
    """

    LATENCY = 2
    """Clock cycles added to a read: one on the way there, one back."""

    def __init__(self, *, addr_width: int, data_width: int) -> None:
        super().__init__({"bus": In(csr.Signature(addr_width=addr_width, data_width=data_width))})
        self.bus.memory_map = MemoryMap(addr_width=addr_width, data_width=data_width)
        self._buses: dict[MemoryMap, csr.Interface] = {}

    def add(self, bus: csr.Interface, *, name: str, addr: int) -> None:
        """Give a bus a window.

        Parameters
        ----------
        bus : csr.Interface
            Of the same data width, with its memory map.
        name : str
            What its registers' names begin with.
        addr : int
            Where it begins, a multiple of its size.

        Raises
        ------
        ValueError
            If it does not fit there.
        """
        self._buses[bus.memory_map] = bus
        self.bus.memory_map.add_window(bus.memory_map, name=(name,), addr=addr)

    def elaborate(self, platform):
        m = Module()
        w_data = Signal.like(self.bus.w_data)
        m.d.sync += w_data.eq(self.bus.w_data)
        r_data = 0
        for window, name, (pattern, _) in self.bus.memory_map.window_patterns():
            bus = self._buses[window]
            inside = self.bus.addr.matches(pattern)
            # Each block has an address of its own, and so its own comparisons: synthesis would
            # share those of equal addresses across the whole part.
            address = Signal(len(bus.addr), name=f"address_{'_'.join(map(str, name))}")
            m.d.sync += [
                address.eq(Mux(inside, self.bus.addr, 0)),
                bus.r_stb.eq(self.bus.r_stb & inside),
                bus.w_stb.eq(self.bus.w_stb & inside),
            ]
            m.d.comb += [bus.addr.eq(address), bus.w_data.eq(w_data)]
            r_data |= bus.r_data
        m.d.sync += self.bus.r_data.eq(r_data)
        return m
