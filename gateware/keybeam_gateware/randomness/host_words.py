"""Random words that the host writes, for replay and tests."""

from amaranth.hdl import Module, Signal
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
        # A word stands in a register between queue and gearbox, so that neither waits for the
        # other within a cycle; 32 bits every second cycle are as many as a chip gives.
        held, waits = Signal(HOST_WORD_BITS), Signal()
        with m.If(gearbox.input.ready):
            m.d.sync += waits.eq(0)
        with m.If(queue.output.valid & queue.output.ready):
            m.d.sync += [held.eq(queue.output.payload), waits.eq(1)]
        with m.If(self.clear):
            m.d.sync += waits.eq(0)
        m.d.comb += [
            queue.word.eq(self.word),
            queue.arrives.eq(self.write),
            queue.clear.eq(self.clear),
            gearbox.flush.eq(self.clear),
            gearbox.input.valid.eq(waits),
            gearbox.input.payload.bits.eq(held),
            queue.output.ready.eq(~waits),
            self.level.eq(queue.level),
            self.dropped.eq(queue.dropped),
        ]
        connect(m, gearbox.output, flipped(self.output))
        return m
