"""A table in memory that several look-ups read in the same cycle."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["TABLE_LATENCY", "LookupTable"]

TABLE_LATENCY = 2
"""Cycles from an address to its entry."""


class LookupTable(wiring.Component):
    """Copies of a memory: one for each look-up of a cycle, and one for reading back.

    All copies are written together, so they are the same. An entry that is
    written in the cycle in which it is looked up is undefined.

    Parameters
    ----------
    width : int
        Bits of an entry.
    init : sequence of int
        Entries after configuration; their number, a power of two, is the depth.
    lookups : int
        Look-ups a cycle.

    Members
    -------
    address_0, address_1, ... : In(range(depth))
        What is looked up.
    entry_0, entry_1, ... : Out(unsigned(width))
        The entries, `TABLE_LATENCY` cycles later.
    write : In(1)
        Write `write_entry` at `write_address`.
    write_address : In(range(depth))
    write_entry : In(unsigned(width))
    read_address : In(range(depth))
        What is read back.
    read_entry : Out(unsigned(width))
        The entry, `TABLE_LATENCY` cycles later.
    """

    def __init__(self, width: int, init: list[int], *, lookups: int) -> None:
        address, entry = unsigned(exact_log2(len(init))), unsigned(width)
        self._lookups = lookups
        self.memories = [_memory(entry, init) for _ in range(lookups)]
        self._kept = _memory(entry, init)
        super().__init__(
            {f"address_{number}": In(address) for number in range(lookups)}
            | {f"entry_{number}": Out(entry) for number in range(lookups)}
            | {
                "write": In(1),
                "write_address": In(address),
                "write_entry": In(entry),
                "read_address": In(address),
                "read_entry": Out(entry),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for number, memory in enumerate(self.memories):
            address = getattr(self, f"address_{number}")
            self._copy(m, f"copy_{number}", memory, address, getattr(self, f"entry_{number}"))
        self._copy(m, "kept", self._kept, self.read_address, self.read_entry)
        return m

    def _copy(self, m, name, memory, address, entry):
        m.submodules[name] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        fetched = Signal(memory.shape, name=f"{name}_fetched", reset_less=True)
        output = Signal(memory.shape, name=f"{name}_output", reset_less=True)
        m.d.comb += [
            write.addr.eq(self.write_address),
            write.data.eq(self.write_entry),
            write.en.eq(self.write),
            read.addr.eq(address),
            entry.eq(output),
        ]
        m.d.sync += [fetched.eq(read.data), output.eq(fetched)]


def _memory(shape, init):
    # Without the attribute Yosys puts logic behind the slow outputs of a block RAM, which gives
    # what stood there before a write in the same cycle.
    return Memory(shape=shape, depth=len(init), init=init, attrs={"no_rw_check": 1})
