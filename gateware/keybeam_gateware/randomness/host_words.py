"""Random words that the host writes, for replay and tests."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.randomness import WORD_BITS
from keybeam_gateware.randomness.gearbox import Gearbox
from keybeam_gateware.randomness.layouts import random_layout
from keybeam_gateware.randomness.word_fifo import WordFifo

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
        m.submodules.queue = queue = WordFifo(HOST_WORD_BITS, depth=HOST_WORDS)
        m.submodules.gearbox = gearbox = Gearbox(HOST_WORD_BITS, WORD_BITS)
        m.d.comb += [
            queue.word.eq(self.word),
            queue.arrives.eq(self.write),
            queue.clear.eq(self.clear),
            gearbox.flush.eq(self.clear),
            gearbox.input.valid.eq(queue.output.valid),
            gearbox.input.payload.bits.eq(queue.output.payload),
            queue.output.ready.eq(gearbox.input.ready),
            self.level.eq(queue.level),
            self.dropped.eq(queue.dropped),
        ]
        connect(m, gearbox.output, flipped(self.output))
        return m
