"""Every edge becomes an event, or is told to have been left out, and only once."""

from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnyConst, AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.pipeline import delayed
from keybeam_gateware.time_tagger.conditioner import EdgeConditioner

MODULE = "keybeam_gateware.time_tagger.conditioner"


class NoneLost(Elaboratable):
    """Edges at any time with any settings."""

    def __init__(self, block=EdgeConditioner):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        m.d.comb += [
            block.edge.valid.eq(AnySeq(1)),
            block.edge.coarse.eq(AnySeq(40)),
            block.edge.fine.eq(AnySeq(14)),
            block.delay.eq(AnyConst(24)),
            block.dead_time.eq(AnyConst(25)),
            block.divider.eq(AnyConst(16)),
        ]
        came = delayed(m, block.edge.valid, EdgeConditioner.LATENCY)
        dead = delayed(m, block.dead, 1)
        ends = Signal(2)
        m.d.comb += ends.eq(block.events.valid + block.divided + dead)
        m.d.comb += Assert(ends == came)
        m.d.comb += [Cover(block.events.valid), Cover(block.divided), Cover(dead)]
        return m


def test_every_edge_ends_in_one_way(tmp_path):
    assert_proved(NoneLost(), depth=8, folder=tmp_path)
    assert_reached(NoneLost(), depth=10, folder=tmp_path)


def test_an_edge_that_vanishes_in_the_divider_is_caught(tmp_path):
    faulty = mutated(MODULE, "self.divided.eq(live & (left != 0))", "self.divided.eq(left == 1)")
    assert_refuted(NoneLost(faulty.EdgeConditioner), depth=12, folder=tmp_path)
