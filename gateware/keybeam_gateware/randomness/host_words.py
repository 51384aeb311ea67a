"""Random words that the host writes, for replay and tests."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.randomness import WORD_BITS
from keybeam_gateware.randomness.gearbox import Gearbox
from keybeam_gateware.randomness.layouts import random_layout
from keybeam_gateware.randomness.word_fifo import WordFifo
from keybeam_gateware.stream_buffer import StreamBuffer

__all__ = ["HOST_WORDS", "HOST_WORD_BITS", "HostWords"]

HOST_WORD_BITS = 32
"""Bits that the host writes at a time."""

HOST_WORDS = 512
"""Words of the host that can wait."""


class HostWords(wiring.Component):
    """Keeps what the host writes, and gives it on in words of a chip, lowest bits first.

    Members
    -------
    word : In(32)
        What the host writes.
    write : In(1)
        It writes in this cycle.
    clear : In(1)
        Drop all that waits.
    output : Out(stream.Signature(random_layout(16)))
        Words, never live.
    level : Out(range(513))
        Words of the host that wait.
    dropped : Out(1)
        What the host writes in this cycle finds no room.
    """

    word: In(HOST_WORD_BITS)
    write: In(1)
    clear: In(1)
    output: Out(stream.Signature(random_layout(WORD_BITS)))
    level: Out(range(HOST_WORDS + 1))
    dropped: Out(1)

    def elaborate(self, platform):
        m = Module()
        # Two queues in lock-step: a block RAM of 32 bits has no register at half of its outputs.
        queues = [WordFifo(WORD_BITS, depth=HOST_WORDS) for _ in range(HOST_WORD_BITS // WORD_BITS)]
        m.submodules.gearbox = gearbox = Gearbox(HOST_WORD_BITS, WORD_BITS)
        m.submodules.waiting = waiting = StreamBuffer(HOST_WORD_BITS)
        m.submodules.offered = offered = StreamBuffer(random_layout(WORD_BITS))
        for number, queue in enumerate(queues):
            m.submodules[f"queue_{number}"] = queue
            m.d.comb += [
                queue.word.eq(self.word.word_select(number, WORD_BITS)),
                queue.arrives.eq(self.write),
                queue.clear.eq(self.clear),
                queue.output.ready.eq(waiting.input.ready),
            ]
        m.d.comb += [
            waiting.input.valid.eq(queues[0].output.valid),
            waiting.input.payload.eq(Cat(queue.output.payload for queue in queues)),
            waiting.clear.eq(self.clear),
            gearbox.clear.eq(self.clear),
            gearbox.input.valid.eq(waiting.output.valid),
            gearbox.input.payload.bits.eq(waiting.output.payload),
            waiting.output.ready.eq(gearbox.input.ready),
            offered.clear.eq(self.clear),
            self.level.eq(queues[0].level),
            self.dropped.eq(queues[0].dropped),
        ]
        connect(m, gearbox.output, offered.input)
        connect(m, offered.output, flipped(self.output))
        return m
