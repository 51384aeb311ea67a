"""The last answer, kept so that it can be sent again."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from keybeam.protocol.link import LOOKUP_MAXIMUM
from keybeam_gateware.link.packets import PacketStream

__all__ = ["AnswerBuffer"]

_BYTES = 1 << (LOOKUP_MAXIMUM + 2 - 1).bit_length()


class AnswerBuffer(wiring.Component):
    """Holds an answer, written byte by byte, and sends it as often as it is asked to.

    Members
    -------
    clear : In(1)
        Forget the answer; the next byte is the first of a new one.
    byte : In(8)
        Byte to append.
    append : In(1)
        Append `byte`.
    send : In(1)
        Send the answer, unless it is being sent.
    sent : Out(1)
        1 in the cycle in which the last byte leaves.
    output : Out(PacketStream)
        The answer.
    """

    clear: In(1)
    byte: In(8)
    append: In(1)
    send: In(1)
    sent: Out(1)
    output: Out(PacketStream)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(8), depth=_BYTES, init=[])
        write, read = memory.write_port(), memory.read_port()
        count, place = Signal(range(_BYTES + 1)), Signal(range(_BYTES + 1))
        # The block RAM's own output register, which has no reset.
        byte = Signal(8, reset_less=True)
        m.d.comb += [self.output.payload.data.eq(byte), read.addr.eq(place)]
        m.d.sync += [
            write.addr.eq(count),
            write.data.eq(self.byte),
            write.en.eq(self.append),
        ]
        with m.If(self.clear):
            m.d.sync += count.eq(0)
        with m.Elif(self.append):
            m.d.sync += count.eq(count + 1)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += place.eq(0)
                with m.If(self.send):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += place.eq(place + 1)
                m.next = "LATCH"
            with m.State("LATCH"):
                m.d.sync += [
                    byte.eq(read.data),
                    self.output.payload.last.eq(place == count),
                ]
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.next = "FETCH"
                    with m.If(self.output.payload.last):
                        m.d.comb += self.sent.eq(1)
                        m.next = "IDLE"
        return m
