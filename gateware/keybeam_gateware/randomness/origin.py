"""Chooses where the random bits come from."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from keybeam.protocol.modes import RandomOrigin
from keybeam.randomness import WORD_BITS
from keybeam_gateware.randomness.layouts import CHIP_NAMES, random_layout
from keybeam_gateware.randomness.word_fifo import WordFifo
from keybeam_gateware.stream_buffer import StreamBuffer

__all__ = ["ORIGIN_BITS", "OriginSelector"]

ORIGIN_BITS = 3
"""Bits of a number of a `RandomOrigin`; a number that is none gives no bits."""

_PAIR_DEPTH = 16
_FLUSH_CYCLES = 8


class OriginSelector(wiring.Component):
    """Gives on the words of one origin; a change throws away all that is on its way.

    Words of two chips are paired through two small FIFOs in the order in which they came: if one
    chip pauses, the other's words wait and are then dropped, and no word is ever paired twice.

    Members
    -------
    asked : In(3)
        Where bits shall come from, a `RandomOrigin`.
    stop : In(1)
        A source of the origin in use is in a hard stop: drop all that is on its way.
    a, b, ring : In(random_layout(16))
        Words of chip A, chip B and the ring oscillators.
    a_valid, b_valid, ring_valid : In(1)
        There is one in this cycle; they cannot wait.
    host : In(stream.Signature(random_layout(16)))
        Words of the host, which can wait.
    room : In(1)
        Words of the host may pass.
    word : Out(random_layout(16))
        Words of the origin in use. Those of the host and of the ring oscillators are not live.
    word_valid : Out(1)
        There is one in this cycle; it cannot wait.
    in_use : Out(3)
        The origin in use.
    flush : Out(1)
        Drop all bits behind this block, and take none: the origin changes, or is stopped.
    lost : Out(1)
        A word found no partner and was dropped.
    """

    asked: In(ORIGIN_BITS)
    stop: In(1)
    a: In(random_layout(WORD_BITS))
    a_valid: In(1)
    b: In(random_layout(WORD_BITS))
    b_valid: In(1)
    ring: In(random_layout(WORD_BITS))
    ring_valid: In(1)
    host: In(stream.Signature(random_layout(WORD_BITS)))
    room: In(1)
    word: Out(random_layout(WORD_BITS))
    word_valid: Out(1)
    in_use: Out(ORIGIN_BITS, init=RandomOrigin.CHIP_A)
    flush: Out(1)
    lost: Out(1)

    def __init__(self) -> None:
        super().__init__()
        # What a proof has to see.
        self._queues = [WordFifo(random_layout(WORD_BITS), depth=_PAIR_DEPTH) for _ in CHIP_NAMES]
        self._next = [StreamBuffer(random_layout(WORD_BITS)) for _ in CHIP_NAMES]
        self._changing, self._left = Signal(), Signal(range(_FLUSH_CYCLES), init=_FLUSH_CYCLES - 1)

    def elaborate(self, platform):
        m = Module()
        changing, left = self._changing, self._left
        m.d.comb += self.flush.eq(changing | self.stop)
        with m.If(changing):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 0):
                m.d.sync += [self.in_use.eq(self.asked), changing.eq(0)]
        with m.Else():
            m.d.sync += [left.eq(_FLUSH_CYCLES - 1), changing.eq(self.asked != self.in_use)]

        paired, pair_valid = self._pair(m)
        m.d.sync += self.word_valid.eq(0)
        with m.If(~self.flush), m.Switch(self.in_use):
            for origin, word, valid in (
                (RandomOrigin.CHIP_A, self.a, self.a_valid),
                (RandomOrigin.CHIP_B, self.b, self.b_valid),
                (RandomOrigin.BOTH, paired, pair_valid),
            ):
                with m.Case(origin):
                    m.d.sync += [self.word.eq(word), self.word_valid.eq(valid)]
            with m.Case(RandomOrigin.HOST):
                m.d.comb += self.host.ready.eq(self.room)
                m.d.sync += [
                    self.word.bits.eq(self.host.payload.bits),
                    self.word.live.eq(0),
                    self.word_valid.eq(self.host.valid & self.room),
                ]
            with m.Case(RandomOrigin.RING):
                m.d.sync += [
                    self.word.bits.eq(self.ring.bits),
                    self.word.live.eq(0),
                    self.word_valid.eq(self.ring_valid),
                ]
        return m

    def _pair(self, m):
        """Exclusive-or of the words of both chips, and whether there is one."""
        used = Signal()
        m.d.sync += used.eq((self.in_use == RandomOrigin.BOTH) & ~self.flush)
        for name, queue, following in zip(CHIP_NAMES, self._queues, self._next, strict=True):
            m.submodules[f"queue_{name}"] = queue
            m.submodules[f"next_{name}"] = following
            connect(m, queue.output, following.input)
            m.d.comb += [
                queue.word.eq(getattr(self, name)),
                queue.arrives.eq(getattr(self, f"{name}_valid")),
                queue.clear.eq(~used),
                following.clear.eq(~used),
            ]
        first, second = (following.output for following in self._next)
        paired, valid = Signal(random_layout(WORD_BITS)), Signal()
        m.d.comb += [
            valid.eq(first.valid & second.valid),
            first.ready.eq(valid),
            second.ready.eq(valid),
            paired.bits.eq(first.payload.bits ^ second.payload.bits),
            paired.live.eq(first.payload.live & second.payload.live),
        ]
        m.d.sync += self.lost.eq(Cat(queue.dropped for queue in self._queues).any())
        return paired, valid
