"""Consistent overhead byte stuffing (Cheshire and Baker, IEEE/ACM Trans. Netw. 7, 159, 1999)."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from keybeam_gateware.link.packets import RAW_PACKET_BYTE, PacketStream

__all__ = ["CobsDecoder", "CobsEncoder"]

_FULL_CODE = 0xFF
"""Code of a block of 254 bytes, the only one that no zero follows."""

_BLOCK_BYTES = _FULL_CODE - 1


class CobsDecoder(wiring.Component):
    """Takes packets out of a stuffed byte stream in which zero bytes end them.

    Nothing between two zeros is no packet. A packet that ends within a block
    is passed on as broken, and so is one that holds nothing (as a byte of no
    meaning).

    Members
    -------
    input : In(stream.Signature(unsigned(8)))
        Stuffed bytes.
    output : Out(stream.Signature(RAW_PACKET_BYTE))
        Packets.
    """

    input: In(stream.Signature(unsigned(8)))
    output: Out(stream.Signature(RAW_PACKET_BYTE))

    def elaborate(self, platform):
        m = Module()
        # What matters of a byte is found out before it is looked at.
        byte, there = Signal(8), Signal()
        zero, one, full_code = Signal(), Signal(), Signal()
        # A byte is held back until it is known whether it is the last of its packet.
        held, holding = Signal(8), Signal()
        left, one_left = Signal(8), Signal()
        in_packet, in_block, zero_follows = Signal(), Signal(), Signal()
        taken = self.output.payload
        go = Signal()
        m.d.comb += [
            go.eq(~self.output.valid | self.output.ready),
            self.input.ready.eq(~there),
        ]
        with m.If(self.output.ready):
            m.d.sync += self.output.valid.eq(0)
        with m.If(~there):
            m.d.sync += [
                byte.eq(self.input.payload),
                zero.eq(self.input.payload == 0),
                one.eq(self.input.payload == 1),
                full_code.eq(self.input.payload == _FULL_CODE),
                there.eq(self.input.valid),
            ]

        def push(pushed):
            m.d.sync += [
                held.eq(pushed),
                holding.eq(1),
                self.output.valid.eq(holding),
                taken.data.eq(held),
                taken.last.eq(0),
                taken.broken.eq(0),
            ]

        with m.If(go & there):
            m.d.sync += there.eq(0)
            with m.If(zero):
                m.d.sync += [
                    self.output.valid.eq(in_packet),
                    taken.data.eq(held),
                    taken.last.eq(1),
                    taken.broken.eq(in_block | ~holding),
                    in_packet.eq(0),
                    in_block.eq(0),
                    holding.eq(0),
                    zero_follows.eq(0),
                ]
            with m.Elif(in_block):
                push(byte)
                m.d.sync += [left.eq(left - 1), one_left.eq(left == 2), in_block.eq(~one_left)]
            with m.Else():
                with m.If(zero_follows):
                    push(0)
                m.d.sync += [
                    in_packet.eq(1),
                    left.eq(byte - 1),
                    one_left.eq(byte == 2),
                    in_block.eq(~one),
                    zero_follows.eq(~full_code),
                ]
        return m


class CobsEncoder(wiring.Component):
    """Stuffs packets into a byte stream and ends each with a zero byte.

    Members
    -------
    input : In(PacketStream)
        Packets.
    output : Out(stream.Signature(unsigned(8)))
        Stuffed bytes and the zeros between packets.
    """

    input: In(PacketStream)
    output: Out(stream.Signature(unsigned(8)))

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = Memory(shape=unsigned(8), depth=256, init=[])
        write, read = block.write_port(), block.read_port()
        count, place = Signal(8), Signal(8)
        # `ended`: the packet ends with this block; `trailing`: with an empty block after it.
        ended, trailing = Signal(), Signal()
        byte = self.input.payload
        # The block RAM's own output register, which has no reset.
        fetched = Signal(8, reset_less=True)
        # Looked at two cycles at least after `place` or `count` has changed.
        more = Signal()
        m.d.sync += [fetched.eq(read.data), more.eq(place != count)]
        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(byte.data),
            read.addr.eq(place),
        ]
        with m.FSM():
            with m.State("FILL"):
                m.d.comb += self.input.ready.eq(1)
                m.d.sync += place.eq(0)
                with m.If(self.input.valid):
                    with m.If(byte.data == 0):
                        m.d.sync += trailing.eq(byte.last)
                        m.next = "CODE"
                    with m.Else():
                        m.d.comb += write.en.eq(1)
                        m.d.sync += [count.eq(count + 1), ended.eq(byte.last)]
                        with m.If(byte.last | (count == _BLOCK_BYTES - 1)):
                            m.next = "CODE"
            with m.State("CODE"):
                m.d.sync += self.output.payload.eq(count + 1)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    with m.If(more):
                        m.next = "FETCH"
                    with m.Else():
                        m.d.sync += [count.eq(0), place.eq(0), trailing.eq(0), ended.eq(trailing)]
                        m.d.sync += self.output.payload.eq(0)
                        with m.If(trailing):
                            m.next = "CODE"
                        with m.Elif(ended):
                            m.next = "END"
                        with m.Else():
                            m.next = "FILL"
            with m.State("FETCH"):
                m.d.sync += place.eq(place + 1)
                m.next = "LATCH"
            with m.State("LATCH"):
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += self.output.payload.eq(fetched)
                m.next = "SEND"
            with m.State("END"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.next = "FILL"
        return m
