"""Descrambling and checking of downlink frames."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.downlink import (
    CRC16_INITIAL,
    CRC16_POLYNOMIAL,
    CRC32_POLYNOMIAL,
    FRAME_VERSION,
    HEADER_BYTES,
    SCRAMBLER_SEED,
    SCRAMBLER_TAPS,
    SYNC_BYTES,
)
from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam_gateware.pipeline import delayed

from .message_buffer import MessageBuffer

__all__ = ["Deframer"]

CRC_BYTES = 4
CRC32_INITIAL = 0xFFFFFFFF


def _crc_step(register: Value, byte: Value, polynomial: int) -> Sequence[Value]:
    """Bits, lowest first, of a CRC register after one more byte, most significant bit first."""
    bits = list(register)
    for place in reversed(range(8)):
        carry = bits[-1] ^ byte[place]
        bits = [Cat(0)[0], *bits[:-1]]
        bits = [bit ^ carry if polynomial >> i & 1 else bit for i, bit in enumerate(bits)]
    return bits


def _crc32_residue() -> int:
    """Value of the CRC-32 register after a frame and its final-inverted check sum.

    Since the register is linear, it is what the inversion leaves: 32 ones shifted through.
    """
    register = 0xFFFFFFFF
    for _ in range(32):
        register = (register << 1 & 0xFFFFFFFF) ^ (CRC32_POLYNOMIAL if register >> 31 else 0)
    return register


class Deframer(wiring.Component):
    """Turns the bytes after a sync word into the frame's number, flags and payload.

    The counterpart of `keybeam.protocol.downlink.encode_frame`. The header is reported as soon as
    it is there; the payload leaves only after the check sum of the whole frame held. A frame that
    is cut short by the next one counts as bad.

    Parameters
    ----------
    frame_bits : int
        Line bits of a frame, 256 to 16384, whole bytes.
    buffer_bytes : int
        Bytes of the payload buffer, a power of two.

    Members
    -------
    valid, data, first : In(1), In(8), In(1)
        Bytes from the frame aligner; at most every fourth cycle.
    header : Out(1)
        High for a cycle when the header of a frame is complete.
    header_valid : Out(1)
        With `header`: check sum, version and payload length are right.
    counter : Out(48)
        With `header`: the frame counter; if not valid, one more than the last.
    flags : Out(8)
        With `header`: the mode flags; if not valid, zero, which is fit for no key.
    good, bad : Out(1)
        High for a cycle when a frame ended with a right or wrong check sum.
    dropped : Out(1)
        High for a cycle when the payload of a good frame found no room.
    message : Out(stream(8))
        Payload bytes of good frames.
    """

    def __init__(self, *, frame_bits: int = FRAME_BITS, buffer_bytes: int = 4096) -> None:
        self._body_bytes = frame_bits // 8 - SYNC_BYTES
        self._buffer_bytes = buffer_bytes
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "first": In(1),
                "header": Out(1),
                "header_valid": Out(1),
                "counter": Out(FRAME_COUNTER_BITS),
                "flags": Out(8),
                "good": Out(1),
                "bad": Out(1),
                "dropped": Out(1),
                "message": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = MessageBuffer(depth=self._buffer_bytes)
        wiring.connect(m, wiring.flipped(self.message), buffer.message)

        # Stage 1: descramble. The register of stages 15..1 makes eight bits at a time.
        register = Signal(15)
        state = Signal(15)
        m.d.comb += state.eq(register)
        with m.If(self.first):
            m.d.comb += state.eq(SCRAMBLER_SEED)
        high, low = SCRAMBLER_TAPS[1] - 1, SCRAMBLER_TAPS[0] - 1
        mask = Cat(state[high - i] ^ state[low - i] for i in reversed(range(8)))
        place = Signal(range(self._body_bytes + 1), init=self._body_bytes)
        byte, take, cut = Signal(8), Signal(), Signal()
        inside = Signal()
        # A cycle late: the next byte is cycles away.
        m.d.sync += inside.eq(place != self._body_bytes)
        m.d.sync += take.eq(self.valid & (self.first | inside))
        m.d.sync += cut.eq(self.valid & self.first & inside)
        crc16, crc32 = Signal(16), Signal(32)
        with m.If(self.valid):
            m.d.sync += [byte.eq(self.data ^ mask), register.eq(Cat(mask, state))]
            with m.If(self.first):
                m.d.sync += [place.eq(1), crc16.eq(CRC16_INITIAL), crc32.eq(CRC32_INITIAL)]
            with m.Elif(inside):
                m.d.sync += place.eq(place + 1)

        # Stage 2: check sums, and where in the frame the byte is.
        in_header, header_end, body_end = Signal(), Signal(), Signal()
        m.d.sync += [
            in_header.eq(place <= HEADER_BYTES),
            header_end.eq(place == HEADER_BYTES),
            body_end.eq(place == self._body_bytes),
        ]
        with m.If(take):
            m.d.sync += [
                crc16.eq(Cat(_crc_step(crc16, byte, CRC16_POLYNOMIAL))),
                crc32.eq(Cat(_crc_step(crc32, byte, CRC32_POLYNOMIAL))),
            ]

        # Stage 3: header fields, payload, the end. The next byte is cycles away, so `byte` and
        # `place` still belong to this one.
        taken = Signal()
        fields = Signal(8 * HEADER_BYTES)
        m.d.sync += taken.eq(take)
        with m.If(taken & in_header):
            m.d.sync += fields.eq(Cat(byte, fields))
        self._report_header(m, delayed(m, taken & header_end, 1), fields, crc16)
        self._pass_payload(m, buffer, taken & ~in_header, byte, cut)
        self._judge_frame(m, buffer, taken & body_end, crc32, cut)
        return m

    def _report_header(self, m: Module, complete: Value, fields: Signal, crc16: Signal) -> None:
        """Check the header and report it."""
        whole = Signal()
        sum_right, version_right, length_right = Signal(), Signal(), Signal()
        counter, flags = fields[8 * HEADER_BYTES - FRAME_COUNTER_BITS :], fields[40:48]
        length = fields[16:32]
        m.d.sync += [
            whole.eq(complete),
            sum_right.eq(crc16 == 0),
            version_right.eq(fields[32:40] == FRAME_VERSION),
            length_right.eq(length <= self._body_bytes - HEADER_BYTES - CRC_BYTES),
            self.header.eq(whole),
        ]
        right = sum_right & version_right & length_right
        # A header is cycles behind the last: no sum is on the way to the counter.
        following = Signal(FRAME_COUNTER_BITS)
        m.d.sync += following.eq(self.counter + 1)
        with m.If(whole):
            m.d.sync += self.header_valid.eq(right)
            with m.If(right):
                m.d.sync += [self.counter.eq(counter), self.flags.eq(flags)]
            with m.Else():
                m.d.sync += [self.counter.eq(following), self.flags.eq(0)]
        self._length = length

    def _pass_payload(
        self, m: Module, buffer: MessageBuffer, after_header: Value, byte: Signal, cut: Signal
    ) -> None:
        """Write the payload's bytes to the buffer."""
        left = Signal(range(self._body_bytes))
        m.d.comb += [buffer.data.eq(byte), buffer.write.eq(after_header & (left != 0))]
        with m.If(cut):
            m.d.sync += left.eq(0)
        with m.Elif(self.header):
            m.d.sync += left.eq(Mux(self.header_valid, self._length, 0))
        with m.Elif(buffer.write):
            m.d.sync += left.eq(left - 1)

    def _judge_frame(
        self, m: Module, buffer: MessageBuffer, complete: Value, crc32: Signal, cut: Signal
    ) -> None:
        """Release or forget the payload at the end of the frame."""
        whole, right = Signal(), Signal()
        m.d.sync += [
            whole.eq(complete),
            right.eq((crc32 == _crc32_residue()) & self.header_valid),
            self.good.eq(whole & right),
            self.bad.eq((whole & ~right) | cut),
            self.dropped.eq(whole & right & buffer.overflow),
        ]
        # A cycle late: no byte comes for some cycles after the last of a frame.
        m.d.sync += [
            buffer.commit.eq(whole & right),
            buffer.discard.eq((whole & ~right) | cut),
        ]
