"""Carries out the requests of the host and answers them."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from keybeam.protocol.link import (
    PAYLOAD_ADDRESS,
    PAYLOAD_MAXIMUM,
    FrameKind,
    LinkError,
)
from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam_gateware.link.access import ACCESS_REQUEST, ACCESS_RESULT
from keybeam_gateware.link.answers import AnswerBuffer
from keybeam_gateware.link.packets import PacketStream
from keybeam_gateware.state_machine import OneHotMachine

__all__ = ["Commands"]

_PLAIN_STATES = [
    "KIND",
    "SEQUENCE",
    "CLASSIFY",
    "COMPARE",
    "DECIDE",
    "DRAIN",
    "DRAIN IGNORED",
    "GATHER REGISTER",
    "GATHERED REGISTER",
    "GATHERED ACCESS",
    "ACCESS",
    "RESULT",
    "FILL",
    "SEND",
]
_STATES = [
    *_PLAIN_STATES,
    "GATHER INDEX",
    "GATHERED INDEX",
    "LOOKUP",
    "SYMBOL",
    "PAYLOAD",
    "SETTLE",
]
_HEAD = 2
_INDEX_BYTES = PULSE_INDEX_BITS // 8
_REQUEST_FLAGS = data.StructLayout(
    {"register": 1, "lookup": 1, "payload": 1, "no_room": 1, "malformed": 1}
)
_STARTS = 8
"""Most places from which an answer begins."""
_PAYLOAD_SETTLE = 4
"""Cycles after which `payload_free` has taken note of the last byte."""


class Commands(wiring.Component):
    """Carries out one request after the other, each just once.

    Members
    -------
    frame : In(PacketStream)
        Requests: kind, sequence and body, check sum already found right.
    length : In(8)
        Bytes of the request; looked at for two cycles after its second byte.
    answer : Out(PacketStream)
        Answers: kind, sequence and body.
    ignored : Out(1)
        1 for a cycle when a frame was none that a host sends.
    request : Out(stream.Signature(ACCESS_REQUEST)), result : In(stream.Signature(ACCESS_RESULT))
        Register accesses and what came of them.
    lookup : Out(stream.Signature(unsigned(64))), symbol : In(stream.Signature(unsigned(8)))
        Pulse indices, and the byte that answers each.
    payload : Out(stream.Signature(unsigned(8)))
        Bytes for the downlink.
    payload_free : In(16)
        Bytes for which there is room; follows the bytes taken within `_PAYLOAD_SETTLE` cycles.

    Parameters
    ----------
    streams : bool
        Whether there are look-ups and a downlink; if not, such requests are refused.
    """

    frame: In(PacketStream)
    length: In(8)
    answer: Out(PacketStream)
    ignored: Out(1)
    request: Out(stream.Signature(ACCESS_REQUEST))
    result: In(stream.Signature(ACCESS_RESULT))
    lookup: Out(stream.Signature(unsigned(PULSE_INDEX_BITS)))
    symbol: In(stream.Signature(unsigned(8)))
    payload: Out(stream.Signature(unsigned(8)))
    payload_free: In(16)

    def __init__(self, *, streams: bool) -> None:
        self._streams = streams
        super().__init__()

    def _classify(self, m, kind):
        """Tell what the request asks for, two cycles after `kind` and `length` hold."""
        fits = Signal(_REQUEST_FLAGS)
        body_bytes = Signal(8)
        two, six, indices, payload, room = (Signal(name=f"length_{n}") for n in range(5))
        m.d.comb += body_bytes.eq(self.length - _HEAD)
        m.d.sync += [
            two.eq(body_bytes == 2),
            six.eq(body_bytes == 6),
            indices.eq(((body_bytes & (_INDEX_BYTES - 1)) == 0) & (body_bytes != 0)),
            payload.eq((body_bytes != 0) & (body_bytes <= PAYLOAD_MAXIMUM)),
            room.eq(self.payload_free >= body_bytes),
            fits.eq(0),
        ]
        with m.Switch(kind):
            with m.Case(FrameKind.REGISTER_READ):
                m.d.sync += [fits.register.eq(two), fits.malformed.eq(~two)]
            with m.Case(FrameKind.REGISTER_WRITE):
                m.d.sync += [fits.register.eq(six), fits.malformed.eq(~six)]
            if self._streams:
                with m.Case(FrameKind.LOOKUP):
                    m.d.sync += [fits.lookup.eq(indices), fits.malformed.eq(~indices)]
                with m.Case(FrameKind.PAYLOAD):
                    m.d.sync += [
                        fits.payload.eq(payload & room),
                        fits.no_room.eq(payload & ~room),
                        fits.malformed.eq(~payload),
                    ]
        return fits

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = AnswerBuffer()
        connect(m, buffer.output, wiring.flipped(self.answer))
        kind, sequence = Signal(8), Signal(8)
        last_kind, last_sequence, remembered = Signal(8), Signal(8), Signal()
        # What follows: the byte taken in the cycle before is shifted in at the top.
        body, latest, arrives = Signal(PULSE_INDEX_BITS), Signal(8), Signal()
        # The start of an answer on its way into the buffer, and a one for each byte that is left.
        head, head_left = Signal(64), Signal(8)
        consumed, repeated = Signal(), Signal()
        settle = Signal(range(_PAYLOAD_SETTLE))
        index_place = Signal(range(_INDEX_BYTES))
        # Registered, so that what answers and what asks do not share a path.
        symbol, symbol_there = Signal(8), Signal()
        m.d.comb += self.symbol.ready.eq(~symbol_there)
        with m.If(self.symbol.valid & ~symbol_there):
            m.d.sync += [symbol.eq(self.symbol.payload), symbol_there.eq(1)]
        fits = self._classify(m, kind)
        byte = self.frame.payload
        access = self.request.payload
        # Two bytes for a read, six for a write; they stand still before they are asked for.
        m.d.sync += [
            access.write.eq(kind == FrameKind.REGISTER_WRITE),
            access.address.eq(Mux(access.write, body[16:32], body[48:])),
            access.value.eq(body[32:]),
        ]

        def take():
            """Accept a byte of the request; the condition that one is there."""
            m.d.comb += self.frame.ready.eq(1)
            with m.If(self.frame.valid):
                m.d.sync += [arrives.eq(1), consumed.eq(byte.last)]
            return self.frame.valid

        starts, plains = Signal(_STARTS), []
        starting = Signal()
        m.d.sync += [latest.eq(byte.data), arrives.eq(0), starts.eq(0), starting.eq(0)]
        with m.If(arrives):
            m.d.sync += body.eq(Cat(body[8:], latest))

        def begin(answer_kind, *fields):
            """Answer with these fields, as they are in the next cycle."""
            m.d.sync += [starts[len(plains)].eq(1), starting.eq(1)]
            plains.append(Cat(Const(answer_kind, 8), sequence, *fields))

        def refuse(error):
            begin(FrameKind.REGISTER_ERROR, Const(PAYLOAD_ADDRESS, 16), Const(error, 8))
            machine.go("DRAIN")

        machine = OneHotMachine(m, _STATES if self._streams else _PLAIN_STATES)

        with machine.state("KIND"):
            m.d.sync += kind.eq(byte.data)
            with m.If(take()):
                machine.go("SEQUENCE")
        with machine.state("SEQUENCE"):
            m.d.sync += sequence.eq(byte.data)
            with m.If(take()):
                machine.go("CLASSIFY")
        with machine.state("CLASSIFY"):
            machine.go("COMPARE")
        with machine.state("COMPARE"):
            same = (kind == last_kind) & (sequence == last_sequence)
            m.d.sync += repeated.eq(same & remembered)
            machine.go("DECIDE")
        with machine.state("DECIDE"):
            with m.If(kind[7]):
                m.d.comb += self.ignored.eq(1)
                machine.go("DRAIN IGNORED")
            with m.Elif(repeated):
                machine.go("DRAIN")
            with m.Elif(fits.register):
                machine.go("GATHER REGISTER")
            if self._streams:
                with m.Elif(fits.lookup):
                    begin(FrameKind.LOOKUP_ANSWER)
                    machine.go("FILL")
                with m.Elif(fits.payload):
                    machine.go("PAYLOAD")
                with m.Elif(fits.no_room):
                    refuse(LinkError.NO_ROOM)
            with m.Elif(fits.malformed):
                refuse(LinkError.MALFORMED)
            with m.Else():
                refuse(LinkError.UNSUPPORTED)
        with machine.state("DRAIN"):
            with m.If(consumed):
                machine.go("FILL")
            with m.Else():
                take()
        with machine.state("DRAIN IGNORED"):
            with m.If(consumed):
                machine.go("KIND")
            with m.Else():
                take()

        with machine.state("GATHER REGISTER"), m.If(take() & byte.last):
            machine.go("GATHERED REGISTER")
        with machine.state("GATHERED REGISTER"):
            machine.go("GATHERED ACCESS")
        with machine.state("GATHERED ACCESS"):
            machine.go("ACCESS")
        with machine.state("ACCESS"):
            m.d.comb += self.request.valid.eq(1)
            with m.If(self.request.ready):
                machine.go("RESULT")
        with machine.state("RESULT"):
            m.d.comb += self.result.ready.eq(1)
            with m.If(self.result.valid):
                address = access.address
                with m.If(self.result.payload.error == 0):
                    begin(FrameKind.REGISTER_VALUE, address, self.result.payload.value)
                with m.Else():
                    begin(FrameKind.REGISTER_ERROR, address, self.result.payload.error)
                machine.go("FILL")

        with machine.state("FILL"):
            m.d.comb += [buffer.byte.eq(head[:8]), buffer.append.eq(head_left[0])]
            m.d.sync += [head.eq(head >> 8), head_left.eq(head_left >> 1)]
            with m.If(~starting & ~head_left[0]):
                # A look-up may have more indices.
                with m.If(consumed if self._streams else 1):
                    machine.go("SEND")
                if self._streams:
                    with m.Else():
                        machine.go("GATHER INDEX")
        with machine.state("SEND"):
            m.d.comb += buffer.send.eq(1)
            with m.If(buffer.sent):
                m.d.sync += [
                    last_kind.eq(kind),
                    last_sequence.eq(sequence),
                    remembered.eq(kind != FrameKind.REGISTER_READ),
                ]
                machine.go("KIND")

        if self._streams:
            with machine.state("GATHER INDEX"), m.If(take()):
                m.d.sync += index_place.eq(index_place + 1)
                with m.If(index_place == _INDEX_BYTES - 1):
                    machine.go("GATHERED INDEX")
            with machine.state("GATHERED INDEX"):
                machine.go("LOOKUP")
            with machine.state("LOOKUP"):
                m.d.comb += [self.lookup.valid.eq(1), self.lookup.payload.eq(body)]
                with m.If(self.lookup.ready):
                    machine.go("SYMBOL")
            with machine.state("SYMBOL"):
                m.d.comb += [buffer.byte.eq(symbol), buffer.append.eq(symbol_there)]
                with m.If(symbol_there):
                    m.d.sync += symbol_there.eq(0)
                    machine.go("FILL")
            with machine.state("PAYLOAD"):
                m.d.comb += [
                    self.payload.payload.eq(byte.data),
                    self.payload.valid.eq(self.frame.valid),
                    self.frame.ready.eq(self.payload.ready),
                ]
                m.d.sync += settle.eq(_PAYLOAD_SETTLE - 1)
                with m.If(self.frame.valid & self.payload.ready & byte.last):
                    m.d.sync += consumed.eq(1)
                    machine.go("SETTLE")
            with machine.state("SETTLE"):
                m.d.sync += settle.eq(settle - 1)
                with m.If(settle == 0):
                    begin(
                        FrameKind.REGISTER_VALUE,
                        Const(PAYLOAD_ADDRESS, 16),
                        self.payload_free,
                        Const(0, 16),
                    )
                    machine.go("FILL")
        machine.finish()
        for start, plain in zip(starts, plains, strict=False):
            with m.If(start):
                m.d.sync += [head.eq(plain), head_left.eq((1 << len(plain) // 8) - 1)]
        m.d.comb += buffer.clear.eq(starting)
        return m
