"""Registers that count what came in over the link."""

from amaranth import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["LinkCounters"]

_ADDRESS_WIDTH = 2


class _Counter(csr.Register, access="r"):
    """A number of events since reset, modulo 2^32."""

    value: csr.Field(csr.action.R, unsigned(32))


class LinkCounters(wiring.Component):
    """Counts frames and bytes from the host.

    Members
    -------
    bus : In(csr.Signature)
        Register bus.
    accepted : In(1)
        A frame was right.
    dropped : In(1)
        A frame was wrong.
    spoilt : In(1)
        A byte had no stop bit.
    lost : In(1)
        A byte found no room.
    """

    class Accepted(_Counter, access="r"):
        """Frames received with the right length and check sum since reset, modulo 2^32."""

    class Dropped(_Counter, access="r"):
        """Frames dropped for wrong stuffing, length or check sum since reset, modulo 2^32."""

    class Spoilt(_Counter, access="r"):
        """Bytes dropped for want of a stop bit since reset, modulo 2^32."""

    class Lost(_Counter, access="r"):
        """Bytes dropped because frames came faster than they were carried out, modulo 2^32."""

    bus: In(csr.Signature(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH))
    accepted: In(1)
    dropped: In(1)
    spoilt: In(1)
    lost: In(1)

    def __init__(self) -> None:
        super().__init__()
        builder = csr.Builder(addr_width=_ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH)
        self._counters = {
            "accepted": builder.add("frames_accepted", self.Accepted()),
            "dropped": builder.add("frames_dropped", self.Dropped()),
            "spoilt": builder.add("bytes_spoilt", self.Spoilt()),
            "lost": builder.add("bytes_lost", self.Lost()),
        }
        self._bridge = csr.Bridge(builder.as_memory_map())
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        for event, register in self._counters.items():
            count = register.f.value.r_data
            with m.If(getattr(self, event)):
                m.d.sync += count.eq(count + 1)
        return m
