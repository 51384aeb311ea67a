"""Loads a table through two registers: an address that counts up by itself, and the entry there."""

from amaranth import Module, Mux, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.soc import csr

__all__ = ["TABLE_REGISTER_BITS", "TableAccess", "TableLoader"]

TABLE_REGISTER_BITS = 16
"""Bits of the two registers of a table."""


class TableAccess(csr.FieldAction):
    """A field whose contents stand elsewhere: it hands reads and writes on.

    Parameters
    ----------
    shape : shape-like
        Shape of the field.

    Members
    -------
    r_data : In(shape)
        What is read.
    w_data : Out(shape)
        What is written.
    w_stb : Out(1)
        It is written in this cycle.
    """

    def __init__(self, shape) -> None:
        super().__init__(
            shape,
            access="rw",
            members={"r_data": In(shape), "w_data": Out(shape), "w_stb": Out(1)},
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.port.r_data.eq(self.r_data),
            self.w_data.eq(self.port.w_data),
            self.w_stb.eq(self.port.w_stb),
        ]
        return m


class TableLoader(wiring.Component):
    """Takes entries one after the other, while they may be changed.

    The address goes on by one with every entry that is written, never with
    one that is read: over a link that repeats a read whose answer was lost,
    nothing is skipped.

    Parameters
    ----------
    address_bits : int
        Bits of an address.
    width : int
        Bits of an entry.
    writable : int
        Entries from this address on cannot be written.

    Members
    -------
    locked : In(1)
        Nothing can be written.
    set_address : In(1)
        Go on at `address_data`.
    address_data : In(16)
    address : Out(16)
        Where the next entry is read or written.
    put : In(1)
        Write `put_data` there.
    put_data : In(16)
    refused : Out(1)
        An entry was not taken.
    write, write_address, write_entry : Out
        To the table.
    """

    def __init__(self, address_bits: int, width: int, *, writable: int) -> None:
        self._writable = writable
        super().__init__(
            {
                "locked": In(1),
                "set_address": In(1),
                "address_data": In(TABLE_REGISTER_BITS),
                "address": Out(TABLE_REGISTER_BITS),
                "put": In(1),
                "put_data": In(TABLE_REGISTER_BITS),
                "refused": Out(1),
                "write": Out(1),
                "write_address": Out(unsigned(address_bits)),
                "write_entry": Out(unsigned(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        refuse = self.locked | (self.address >= self._writable)
        m.d.sync += [
            self.write.eq(self.put & ~refuse),
            self.refused.eq(self.put & refuse),
            self.write_address.eq(self.address),
            self.write_entry.eq(self.put_data),
        ]
        with m.If(self.set_address):
            m.d.sync += self.address.eq(self.address_data)
        with m.Elif(self.put):
            m.d.sync += self.address.eq(Mux(refuse, self.address, self.address + 1))
        return m
