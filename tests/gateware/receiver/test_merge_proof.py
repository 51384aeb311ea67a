"""Times never go backwards in the merged stream, as long as the sources keep their promise."""

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.numbers import FINE_BITS
from keybeam_gateware.receiver.merge import TimeOrderedMerge

MODULE = "keybeam_gateware.receiver.merge"
SOURCES, LATENCY = 2, 6
ENGINE = "smtbmc yices"
SMALL_BITS = 36
"""Bits of coarse times: what the comparison modulo 2^40 grants."""


class Ordered(Elaboratable):
    """Sources that give what they like, in order and in time, and a reader that may wait."""

    def __init__(self, block=TimeOrderedMerge):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block(sources=SOURCES, latency=LATENCY)
        cycle = Signal(40, init=LATENCY + 4)
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [
            Assume(cycle < 1 << SMALL_BITS),
            # Below it, the bound would be before the beginning.
            Assume(cycle > LATENCY),
            block.cycle.eq(cycle),
            block.enable.eq(1),
            block.records.ready.eq(AnySeq(1)),
        ]
        for place in range(SOURCES):
            self._add_source(m, block.heads[place], cycle, place)
        self._check(m, block, cycle)
        return m

    def _add_source(self, m, head, cycle, place):
        """A source: the next record is there two cycles after the last was taken, or is new."""
        popped, refills = Signal(name=f"popped_{place}"), Signal(name=f"refills_{place}")
        arrives, key = Signal(name=f"arrives_{place}"), Signal(54, name=f"key_{place}")
        coarse = key[FINE_BITS:]
        m.d.comb += [
            arrives.eq(AnySeq(1)),
            key.eq(AnySeq(54)),
            refills.eq(popped),
            head.record.eq(head.key),
            Assume(~arrives | (key >= head.key)),
            Assume(~arrives | (coarse < 1 << SMALL_BITS)),
            # It shows in the next cycle.
            Assume(~arrives | refills | (coarse + LATENCY >= cycle + 1)),
        ]
        m.d.sync += popped.eq(head.pop)
        with m.If(head.pop):
            m.d.sync += head.valid.eq(0)
        with m.Elif(~head.valid & arrives):
            m.d.sync += [head.valid.eq(1), head.key.eq(key)]

    def _check(self, m, block, cycle):
        """Compare what is taken with what was taken before."""
        last = Signal(54)
        taken = Signal(54)
        pops = [head.pop for head in block.heads]
        for head in block.heads:
            with m.If(head.pop):
                m.d.comb += taken.eq(head.key)
                m.d.sync += last.eq(head.key)
        m.d.comb += [
            Assert(sum(pops) <= 1),
            Assert((sum(pops) == 0) | (taken >= last)),
            # What makes it so: nothing that was taken was in reach of what may still come.
            Assert(last[FINE_BITS:] + LATENCY < cycle),
            *(Assert(~head.valid | (head.key >= last)) for head in block.heads),
            *(Assert(head.key[FINE_BITS:] < 1 << SMALL_BITS) for head in block.heads),
            Cover((sum(pops) == 1) & (last != 0) & (taken > last)),
        ]


def test_times_never_go_backwards(tmp_path):
    assert_proved(Ordered(), depth=5, folder=tmp_path, engine=ENGINE)
    assert_reached(Ordered(), depth=14, folder=tmp_path, engine=ENGINE)


def test_a_bound_that_is_too_late_is_caught(tmp_path):
    faulty = mutated(MODULE, "self.cycle - self._latency", "self.cycle - self._latency + 5")
    assert_refuted(Ordered(faulty.TimeOrderedMerge), depth=12, folder=tmp_path, engine=ENGINE)


def test_a_source_that_is_not_waited_for_is_caught(tmp_path):
    faulty = mutated(MODULE, 'm.next = "REFILL"', 'm.next = "COMPARE"')
    assert_refuted(Ordered(faulty.TimeOrderedMerge), depth=16, folder=tmp_path, engine=ENGINE)


def test_a_comparison_that_forgets_a_source_is_caught(tmp_path):
    faulty = mutated(MODULE, "if j != i:", "if j > i:")
    assert_refuted(Ordered(faulty.TimeOrderedMerge), depth=12, folder=tmp_path, engine=ENGINE)
