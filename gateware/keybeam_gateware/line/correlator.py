"""Comparison of the last 64 line bits with the sync word."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD, SYNC_ZEROS_MAXIMUM
from keybeam_gateware.pipeline import delayed

from .data_recovery import SAMPLE_NUMBER_BITS, recovered_bits

__all__ = ["SYNC_BITS", "SyncCorrelator"]

SYNC_BITS = 8 * SYNC_BYTES
SHORT_BITS = 32


class SyncCorrelator(wiring.Component):
    """Counts in how many bits the line differs from the sync word, after every line bit.

    A cycle may bring two bits, so there are two windows: `last` ends with the newest bit,
    `previous` ends one bit before. The counts are summed up in a tree with a register at each
    level; all outputs belong to the same cycle of `recovered`, `LATENCY` cycles before.

    Members
    -------
    recovered : In(recovered_bits())
        Line bits.
    word : In(64)
        The sync word, its first bit highest (`keybeam.protocol.downlink.sync_region`). It may
        change only while nothing matters.
    short : In(1)
        Only the first 32 bits of the word are compared.
    tolerance, strict_tolerance : In(4)
        Wrong bits with which the word still matches, 0 to 15, and with which it does so for sure.
    zeros : Out(3)
        Zeros with which the word begins. The one after them begins with the word's first edge
        which is there whatever was sent before, so the time of the word is taken from it.
    count : Out(2)
        Bits that the cycle brought: 0, 1, 2.
    match : Out(2)
        The window ending `previous` (bit 0, only with two bits) and `last` (bit 1, only with one
        or two bits) matches.
    strict : Out(2)
        The same within `strict_tolerance`.
    starts : Out(ArrayLayout(4, 2))
        Number of the first sample, modulo 16, of the bit in the place of the word's first one, for
        the windows `previous` and `last`.
    """

    LATENCY = 8

    recovered: In(recovered_bits())
    word: In(SYNC_BITS, init=SYNC_WORD)
    short: In(1)
    tolerance: In(4)
    strict_tolerance: In(4)
    zeros: Out(range(SYNC_ZEROS_MAXIMUM + 1))
    count: Out(range(3))
    match: Out(2)
    strict: Out(2)
    starts: Out(data.ArrayLayout(unsigned(SAMPLE_NUMBER_BITS), 2))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        new = self.recovered
        # Stage 1: the newest bit is in place 0. Starts follow a cycle later, so that no signal has
        # to move both.
        bits = Signal(SYNC_BITS + 1)
        starts = Signal(data.ArrayLayout(unsigned(SAMPLE_NUMBER_BITS), SYNC_BITS + 1))
        count, new_starts = Signal(range(3)), Signal.like(new.starts)
        m.d.sync += [count.eq(new.count), new_starts.eq(new.starts)]
        with m.If(new.count == 1):
            m.d.sync += bits.eq(Cat(new.bits[0], bits))
        with m.Elif(new.count == 2):
            m.d.sync += bits.eq(Cat(new.bits[1], new.bits[0], bits))
        with m.If(count == 1):
            m.d.sync += starts.eq(Cat(new_starts[0], starts))
        with m.Elif(count == 2):
            m.d.sync += starts.eq(Cat(new_starts[1], new_starts[0], starts))
        for zeros in range(SYNC_ZEROS_MAXIMUM, 0, -1):
            with m.If(self.word[SYNC_BITS - 1 - zeros]):
                m.d.sync += self.zeros.eq(zeros)
        # Stage 2: the differing bits. Then their number, 64 to 16 to 8 to 4 to 2 to 1 summands.
        stages = self.LATENCY - 1
        for window, offset in enumerate((1, 0)):
            wrong = Signal(SYNC_BITS, name=f"wrong_{window}")
            compared = Cat((~self.short).replicate(SYNC_BITS - SHORT_BITS), Const(-1, SHORT_BITS))
            m.d.sync += wrong.eq((bits[offset : offset + SYNC_BITS] ^ self.word) & compared)
            start = Signal(SAMPLE_NUMBER_BITS, name=f"start_{window}")
            with m.Switch(self.zeros):
                for zeros in range(1, SYNC_ZEROS_MAXIMUM + 1):
                    with m.Case(zeros):
                        m.d.sync += start.eq(starts[SYNC_BITS - 1 - zeros + offset])
            sums = []
            for place in range(0, SYNC_BITS, 4):
                nibble = Signal(3, name=f"nibble_{window}_{place}")
                m.d.sync += nibble.eq(sum(wrong[place + i] for i in range(4)))
                sums.append(nibble)
            while len(sums) > 1:
                pairs = []
                for left, right in zip(sums[::2], sums[1::2], strict=True):
                    pair = Signal(len(left) + 1, name=f"sum_{window}_{len(sums)}_{len(pairs)}")
                    m.d.sync += pair.eq(left + right)
                    pairs.append(pair)
                sums = pairs
            fresh = delayed(m, (count == 2) if offset else (count != 0), stages - 1)
            m.d.sync += [
                self.match[window].eq(fresh & (sums[0] <= self.tolerance)),
                self.strict[window].eq(fresh & (sums[0] <= self.strict_tolerance)),
            ]
            m.d.comb += self.starts[window].eq(delayed(m, start, stages - 2))
        m.d.comb += self.count.eq(delayed(m, count, stages))
        return m
