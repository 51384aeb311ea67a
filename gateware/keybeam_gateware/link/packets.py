"""Packets on byte streams, and the arbiter that joins several sources of them.

The semantics stand in ``docs/streams.md``.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PACKET_BYTE", "RAW_PACKET_BYTE", "PacketArbiter", "PacketStream"]

PACKET_BYTE = data.StructLayout({"data": 8, "last": 1})
"""A byte of a packet; `last` marks the final one."""

RAW_PACKET_BYTE = data.StructLayout({"data": 8, "last": 1, "broken": 1})
"""A byte of a packet from the line; `broken`, together with `last`, says to drop the packet."""

PacketStream = stream.Signature(PACKET_BYTE)
"""Signature of a stream of packets."""


class PacketArbiter(wiring.Component):
    """Joins three streams of packets, one whole packet at a time.

    Members
    -------
    urgent : In(PacketStream)
        Goes first whenever it has a packet.
    first, second : In(PacketStream)
        Take turns when both have packets.
    output : Out(PacketStream)
        The joined packets.
    """

    urgent: In(PacketStream)
    first: In(PacketStream)
    second: In(PacketStream)
    output: Out(PacketStream)

    def elaborate(self, platform):
        m = Module()
        turn_of_second = Signal()
        chosen = Signal(2)
        sources = (self.urgent, self.first, self.second)
        with m.FSM():
            with m.State("CHOOSE"):
                with m.If(self.urgent.valid):
                    m.d.sync += chosen.eq(0)
                    m.next = "PASS"
                with m.Elif(self.first.valid | self.second.valid):
                    second = self.second.valid & (turn_of_second | ~self.first.valid)
                    m.d.sync += [chosen.eq(Mux(second, 2, 1)), turn_of_second.eq(~second)]
                    m.next = "PASS"
            with m.State("PASS"):
                with m.Switch(chosen):
                    for number, source in enumerate(sources):
                        with m.Case(number):
                            m.d.comb += [
                                self.output.payload.eq(source.payload),
                                self.output.valid.eq(source.valid),
                                source.ready.eq(self.output.ready),
                            ]
                with m.If(self.output.valid & self.output.ready & self.output.payload.last):
                    m.next = "CHOOSE"
        return m
