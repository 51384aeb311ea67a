"""Register accesses by address, with a clear answer where there is no such register."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from keybeam.protocol.link import LinkError
from keybeam_gateware.soc import CSR_DATA_WIDTH, MemoryMap, csr

__all__ = ["ACCESS_REQUEST", "ACCESS_RESULT", "RegisterAccess"]

ADDRESS_BITS = 16

ACCESS_REQUEST = data.StructLayout(
    {"address": ADDRESS_BITS, "value": CSR_DATA_WIDTH, "write": 1},
)
"""What to do: read, or write `value`."""

ACCESS_RESULT = data.StructLayout({"value": CSR_DATA_WIDTH, "error": 8})
"""The value read or written, and a `LinkError`, 0 where there is none."""

_EXISTS, _WRITABLE = 1, 2

_GATHER_CYCLES = 10
"""How long read data are awaited after the strobe: room for three decoders in a row."""
assert 3 * csr.Decoder.LATENCY + csr.Bridge.LATENCY <= _GATHER_CYCLES


def _permissions(memory_map: MemoryMap) -> list[int]:
    """For each address, whether a register is there and may be written."""
    table = [0] * (1 << memory_map.addr_width)
    for info in memory_map.all_resources():
        writable = info.resource.element.access.writable()
        for address in range(info.start, info.end):
            table[address] = _EXISTS | (_WRITABLE if writable else 0)
    return table


class RegisterAccess(wiring.Component):
    """Carries out one access after the other.

    Parameters
    ----------
    memory_map : MemoryMap
        Of the bus; it says which addresses there are.

    Members
    -------
    request : In(stream.Signature(ACCESS_REQUEST))
        Accesses.
    result : Out(stream.Signature(ACCESS_RESULT))
        What came of each.
    bus : Out(csr.Signature)
        Register bus.
    """

    def __init__(self, memory_map: MemoryMap) -> None:
        self._memory_map = memory_map
        super().__init__(
            {
                "request": In(stream.Signature(ACCESS_REQUEST)),
                "result": Out(stream.Signature(ACCESS_RESULT)),
                "bus": Out(
                    csr.Signature(addr_width=memory_map.addr_width, data_width=CSR_DATA_WIDTH)
                ),
            }
        )

    def elaborate(self, platform):
        m = Module()
        table = Memory(
            shape=unsigned(2),
            depth=1 << self.bus.addr_width,
            init=_permissions(self._memory_map),
            attrs={"ram_style": "block"},
        )
        m.submodules.table = table
        permission = table.read_port(domain="comb")
        # The block RAM's two output registers, which have no reset.
        fetched, may = Signal(2, reset_less=True), Signal(2, reset_less=True)
        outside, write = Signal(), Signal()
        left = Signal(range(_GATHER_CYCLES + 1))
        result = self.result.payload
        m.d.comb += permission.addr.eq(self.bus.addr)
        m.d.sync += [fetched.eq(permission.data), may.eq(fetched)]
        m.d.sync += [self.bus.r_stb.eq(0), self.bus.w_stb.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.request.ready.eq(1)
                request = self.request.payload
                m.d.sync += [
                    self.bus.addr.eq(request.address),
                    self.bus.w_data.eq(request.value),
                    outside.eq(request.address[self.bus.addr_width :].any()),
                    write.eq(request.write),
                ]
                with m.If(self.request.valid):
                    m.next = "PERMISSION"
            with m.State("PERMISSION"):
                m.next = "LATCH"
            with m.State("LATCH"):
                m.next = "STROBE"
            with m.State("STROBE"):
                m.d.sync += [
                    result.error.eq(0),
                    result.value.eq(self.bus.w_data),
                    left.eq(_GATHER_CYCLES),
                ]
                with m.If(outside | ~may[0]):
                    m.d.sync += result.error.eq(LinkError.NO_REGISTER)
                    m.next = "DONE"
                with m.Elif(write & ~may[1]):
                    m.d.sync += result.error.eq(LinkError.READ_ONLY)
                    m.next = "DONE"
                with m.Elif(write):
                    m.d.sync += self.bus.w_stb.eq(1)
                    m.next = "SETTLE"
                with m.Else():
                    m.d.sync += [self.bus.r_stb.eq(1), result.value.eq(0)]
                    m.next = "GATHER"
            with m.State("GATHER"):
                # Read data stand for one cycle, the number of decoders says which; else it is 0.
                m.d.sync += [result.value.eq(result.value | self.bus.r_data), left.eq(left - 1)]
                with m.If(left == 0):
                    m.next = "DONE"
            with m.State("SETTLE"):
                # A read that follows finds the register written.
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.result.valid.eq(1)
                with m.If(self.result.ready):
                    m.next = "IDLE"
        return m
