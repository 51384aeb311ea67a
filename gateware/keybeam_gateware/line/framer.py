"""Makes the line bits of the downlink (`keybeam.protocol.downlink`)."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.downlink import (
    CRC16_POLYNOMIAL,
    CRC32_POLYNOMIAL,
    FRAME_VERSION,
    HEADER_BYTES,
    PAYLOAD_BYTES,
    SCRAMBLER_SEED,
    SCRAMBLER_TAPS,
    SYNC_BYTES,
    SYNC_WORD,
)
from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam_gateware.line.payload_buffer import PayloadBuffer
from keybeam_gateware.line.serial_crc import SerialCRC

__all__ = ["FRAMER_LATENCY", "PAYLOAD_BUFFER_BYTES", "Framer"]

FRAMER_LATENCY = 6
"""Cycles from `Framer.cycle` to `Framer.line`."""

PAYLOAD_BUFFER_BYTES = 2048
"""Payload bytes that wait for their frame at most; more than a frame takes."""

_HEADER_START = 8 * SYNC_BYTES
_CHECK_START = _HEADER_START + 8 * (HEADER_BYTES - 2)
_PAYLOAD_START = _HEADER_START + 8 * HEADER_BYTES
_END_START = _PAYLOAD_START + 8 * PAYLOAD_BYTES

_PART = data.StructLayout({"sync": 1, "header": 1, "check": 1, "payload": 1, "end": 1})
"""Which part of the frame a bit belongs to: sync word, header, CRC-16, payload, CRC-32."""


class Framer(wiring.Component):
    """Sends downlink frames, one line bit a cycle, for ever.

    Header flags and payload length are what they are at the end of the sync
    word; a frame takes as many payload bytes as wait then. Each stage of the
    line has a cycle: what begins, part of the frame, plain bit, CRC-16, CRC-32, scrambler.

    Members
    -------
    cycle : In(range(FRAME_BITS))
        Number of the line bit in its frame.
    counter : In(48)
        Frame counter.
    sync : In(64)
        What stands in the place of the sync word (`keybeam.protocol.downlink.sync_region`).
    flags : In(8)
        `FrameFlag` of the header.
    payload : In(stream.Signature(unsigned(8)))
        Bytes to send.
    level : Out(range(PAYLOAD_BUFFER_BYTES + 1))
        Payload bytes that wait; lags by a cycle.
    line : Out(1)
        The line bit, `FRAMER_LATENCY` cycles after `cycle`; from a register.
    """

    cycle: In(range(FRAME_BITS))
    counter: In(FRAME_COUNTER_BITS)
    sync: In(8 * SYNC_BYTES, init=SYNC_WORD)
    flags: In(8)
    payload: In(stream.Signature(8))
    level: Out(range(PAYLOAD_BUFFER_BYTES + 1))
    line: Out(1)

    def elaborate(self, platform):
        m = Module()
        bit, part = self._plain(m)

        m.submodules.crc16 = crc16 = SerialCRC(16, CRC16_POLYNOMIAL, invert=False)
        m.d.comb += [
            crc16.bit.eq(bit),
            crc16.start.eq(part.sync),
            crc16.count.eq(part.header),
            crc16.emit.eq(part.check),
        ]
        part = self._later(m, part)

        m.submodules.crc32 = crc32 = SerialCRC(32, CRC32_POLYNOMIAL, invert=True)
        m.d.comb += [
            crc32.bit.eq(crc16.checked),
            crc32.start.eq(part.sync),
            crc32.count.eq(part.header | part.check | part.payload),
            crc32.emit.eq(part.end),
        ]
        part = self._later(m, part)

        self._scramble(m, crc32.checked, part)
        return m

    def _plain(self, m):
        """Bits before check sums and scrambling, and the part each belongs to."""
        cycle = self.cycle
        begins, at_eighth = Signal(_PART), Signal()
        m.d.sync += [
            begins.sync.eq(cycle == 0),
            begins.header.eq(cycle == _HEADER_START),
            begins.check.eq(cycle == _CHECK_START),
            begins.payload.eq(cycle == _PAYLOAD_START),
            begins.end.eq(cycle == _END_START),
            at_eighth.eq(cycle[:3] == _PAYLOAD_START % 8),
        ]
        at_sync, at_header, at_byte = Signal(), Signal(), Signal()
        placed, part = Signal(_PART), Signal(_PART)
        with m.If(begins.as_value().any()):
            m.d.sync += placed.eq(begins)
        m.d.sync += [
            at_sync.eq(begins.sync),
            at_header.eq(begins.header),
            at_byte.eq(at_eighth),
            part.eq(placed),
        ]

        length, byte = self._next_byte(m, at_header, at_byte & placed.payload)
        header = Cat(length, Const(FRAME_VERSION, 8), self.flags, self.counter)
        bits = Signal(len(header))
        with m.If(at_sync):
            m.d.sync += bits.eq(self.sync << len(bits) - 8 * SYNC_BYTES)
        with m.Elif(at_header):
            m.d.sync += bits.eq(header)
        with m.Else():
            m.d.sync += bits.eq(bits << 1)
            # What is below a byte of payload is never sent, so that it may move on meanwhile.
            with m.If(at_byte & placed.payload):
                m.d.sync += bits[-8:].eq(byte)
        return bits[-1], part

    def _next_byte(self, m, at_header, at_byte):
        """Payload length of the frame to come, and the byte to send next: payload, then zeros."""
        m.submodules.buffer = buffer = PayloadBuffer(PAYLOAD_BUFFER_BYTES)
        wiring.connect(m, wiring.flipped(self.payload), buffer.payload)
        length = Signal(16)
        left = Signal(range(PAYLOAD_BYTES + 1))
        more = Signal()
        byte = Signal(8)
        m.d.sync += [
            self.level.eq(buffer.level),
            length.eq(Mux(self.level > PAYLOAD_BYTES, PAYLOAD_BYTES, self.level)),
            more.eq(left != 0),
            byte.eq(Mux(more, buffer.oldest, 0)),
        ]
        with m.If(at_header):
            m.d.sync += left.eq(length)
        with m.If(at_byte & more):
            m.d.comb += buffer.take.eq(1)
            m.d.sync += left.eq(left - 1)
        return length, byte

    def _later(self, m, part):
        later = Signal(_PART)
        m.d.sync += later.eq(part)
        return later

    def _scramble(self, m, bit, part):
        register = Signal(max(SCRAMBLER_TAPS), init=SCRAMBLER_SEED)
        feedback = Signal()
        m.d.comb += feedback.eq(register[SCRAMBLER_TAPS[0] - 1] ^ register[SCRAMBLER_TAPS[1] - 1])
        with m.If(part.sync):
            m.d.sync += [register.eq(SCRAMBLER_SEED), self.line.eq(bit)]
        with m.Else():
            m.d.sync += [register.eq(Cat(feedback, register)), self.line.eq(bit ^ feedback)]
