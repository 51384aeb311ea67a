"""Check sums of frames: received frames are kept until theirs is known to be right."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from keybeam_gateware.link.crc32 import CRC32_INITIAL, CRC32_RESIDUE, crc32_step
from keybeam_gateware.link.packets import RAW_PACKET_BYTE, PacketStream

__all__ = ["FRAME_MAXIMUM", "FrameChecker", "FrameSealer"]

FRAME_MAXIMUM = 254
"""Bytes of a frame at most, before stuffing."""

_CRC_BYTES = 4
_FRAME_MINIMUM = 2 + _CRC_BYTES


class FrameChecker(wiring.Component):
    """Passes on the frames whose check sum and length are right, without the check sum.

    Members
    -------
    input : In(stream.Signature(RAW_PACKET_BYTE))
        Frames as they come from the line.
    output : Out(PacketStream)
        Right frames.
    length : Out(8)
        Bytes of the frame at `output`; holds until the next frame comes.
    accepted, dropped : Out(1)
        1 for a cycle when a frame was right, or wrong.
    """

    input: In(stream.Signature(RAW_PACKET_BYTE))
    output: Out(PacketStream)
    length: Out(8)
    accepted: Out(1)
    dropped: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.frame = frame = Memory(shape=unsigned(8), depth=256, init=[])
        write, read = frame.write_port(), frame.read_port()
        count, place = Signal(8), Signal(8)
        broken, short = Signal(), Signal()
        byte, fresh = Signal(8), Signal()
        crc = Signal(32, init=CRC32_INITIAL)
        right, fit = Signal(), Signal()
        # The block RAM's own output register, which has no reset.
        fetched = Signal(8, reset_less=True)
        m.d.sync += fetched.eq(read.data)
        m.d.comb += [
            write.addr.eq(count),
            write.data.eq(self.input.payload.data),
            read.addr.eq(place),
        ]
        m.d.sync += [
            fresh.eq(0),
            self.accepted.eq(0),
            self.dropped.eq(0),
            right.eq(crc == CRC32_RESIDUE),
            short.eq(count < _FRAME_MINIMUM),
        ]
        with m.If(fresh):
            m.d.sync += crc.eq(crc32_step(crc, byte))

        with m.FSM():
            with m.State("COLLECT"):
                m.d.comb += [self.input.ready.eq(1), write.en.eq(self.input.valid)]
                with m.If(self.input.valid):
                    m.d.sync += [byte.eq(self.input.payload.data), fresh.eq(1)]
                    with m.If(count == FRAME_MAXIMUM):
                        m.d.sync += broken.eq(1)
                    with m.Else():
                        m.d.sync += count.eq(count + 1)
                    with m.If(self.input.payload.last):
                        with m.If(self.input.payload.broken):
                            m.d.sync += broken.eq(1)
                        m.next = "CRC"
            with m.State("CRC"):
                m.next = "COMPARE"
            with m.State("COMPARE"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.sync += fit.eq(right & ~short & ~broken)
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.sync += [
                    crc.eq(CRC32_INITIAL),
                    broken.eq(0),
                    place.eq(0),
                    self.length.eq(count - _CRC_BYTES),
                ]
                with m.If(fit):
                    m.d.sync += self.accepted.eq(1)
                    m.next = "FETCH"
                with m.Else():
                    m.d.sync += [self.dropped.eq(1), count.eq(0)]
                    m.next = "COLLECT"
            with m.State("FETCH"):
                m.d.sync += place.eq(place + 1)
                m.next = "LATCH"
            with m.State("LATCH"):
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += [
                    self.output.payload.data.eq(fetched),
                    self.output.payload.last.eq(place == self.length),
                ]
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.next = "FETCH"
                    with m.If(self.output.payload.last):
                        m.d.sync += count.eq(0)
                        m.next = "COLLECT"
        return m


class FrameSealer(wiring.Component):
    """Appends the check sum to every frame.

    Members
    -------
    input : In(PacketStream)
        Frames.
    output : Out(PacketStream)
        Frames with their check sum, lowest byte first.
    """

    input: In(PacketStream)
    output: Out(PacketStream)

    def elaborate(self, platform):
        m = Module()
        crc = Signal(32, init=CRC32_INITIAL)
        ended = Signal()
        left = Signal(range(_CRC_BYTES))
        out = self.output.payload
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.input.ready.eq(1)
                m.d.sync += [
                    out.data.eq(self.input.payload.data),
                    out.last.eq(0),
                    ended.eq(self.input.payload.last),
                ]
                with m.If(self.input.valid):
                    m.next = "CRC"
            with m.State("CRC"):
                m.d.sync += crc.eq(crc32_step(crc, out.data))
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += self.output.valid.eq(1)
                m.d.sync += left.eq(_CRC_BYTES - 1)
                with m.If(self.output.ready):
                    m.next = "TAKE"
                    with m.If(ended):
                        m.next = "SUM"
            with m.State("SUM"):
                m.d.sync += [
                    out.data.eq(~crc[:8]),
                    out.last.eq(left == 0),
                    crc.eq(crc >> 8),
                ]
                m.next = "PASS SUM"
            with m.State("PASS SUM"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.d.sync += left.eq(left - 1)
                    m.next = "SUM"
                    with m.If(out.last):
                        m.d.sync += crc.eq(CRC32_INITIAL)
                        m.next = "TAKE"
        return m
