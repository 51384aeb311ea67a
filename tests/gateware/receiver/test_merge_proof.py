"""What is let into the tree of the merge keeps the promises that `MergeNode` asks for; what a tree
of such nodes then does is proved in `test_merge_node_proof`.
"""

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from merge_promises import PLACE_BITS, is_behind, place, promises
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.numbers import FINE_BITS
from keybeam_gateware.receiver.events import MergeItem
from keybeam_gateware.receiver.merge import Admission

MODULE = "keybeam_gateware.receiver.merge"
ENGINE = "smtbmc yices"


class Admitted(Elaboratable):
    """A source that offers what it likes, in order and in time, and a tree that may wait."""

    def __init__(self, block=Admission):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        bounds = [Signal(PLACE_BITS, name=f"bound_{ago}") for ago in range(3)]
        m.d.comb += [bounds[0].eq(AnySeq(PLACE_BITS)), block.bound.eq(bounds[0])]
        m.d.comb += Assume(bounds[0] >= bounds[1])
        m.d.sync += [bounds[1].eq(bounds[0]), bounds[2].eq(bounds[1])]
        m.d.comb += [
            block.input.valid.eq(AnySeq(1)),
            block.input.payload.as_value().eq(AnySeq(MergeItem.as_shape().size)),
            block.output.ready.eq(AnySeq(1)),
        ]
        latest = (1 << PLACE_BITS) - 1
        source = promises(m, "source", block.input, latest, bounds[1], FINE_BITS)
        output = promises(m, "output", block.output, bounds[1], bounds[2], FINE_BITS)
        m.d.comb += [Assume(kept) for kept in source.kept]
        m.d.comb += [Assert(kept) for kept in output.kept]

        # For the induction: what waits is what was taken last, and what is not let in is late.
        waits, item = block.waits, block.item
        m.d.comb += [
            Assert(bounds[1] >= bounds[2]),
            Assert(~waits | (item.as_value() == source.last.as_value())),
            Assert(~waits | item.follows | (item.time == place(item) << FINE_BITS)),
            Assert(~waits | block.output.valid | (place(item) >= bounds[1])),
            Assert(~waits | ~block.output.valid | (place(item) < bounds[1])),
            Assert(~waits | (place(item) >= place(output.last))),
            Assert(waits | (output.last.as_value() == source.last.as_value())),
            Assert(waits | ~source.valid_before),
            Assert(~source.taken_before | waits),
            Assert(~(waits & item.follows) | (block.output.valid & is_behind(item, output.last))),
            Assert(~block.input.valid | (place(block.input.payload) >= place(source.last))),
            Assert(
                ~(block.input.valid & block.input.payload.follows)
                | (waits & is_behind(block.input.payload, item))
            ),
            Cover(output.taken_before & block.output.valid & block.output.payload.follows),
            Cover(waits & ~block.output.valid & (place(output.last) > 0)),
        ]
        return m


def test_what_is_let_in_keeps_its_promises(tmp_path):
    assert_proved(Admitted(), depth=3, folder=tmp_path, engine=ENGINE)
    assert_reached(Admitted(), depth=12, folder=tmp_path, engine=ENGINE)


def test_letting_in_too_early_is_caught(tmp_path):
    faulty = mutated(MODULE, "waits & due)", "waits)")
    assert_refuted(Admitted(faulty.Admission), depth=8, folder=tmp_path, engine=ENGINE)


def test_a_time_that_is_looked_at_once_only_is_caught(tmp_path):
    faulty = mutated(MODULE, "due | is_due(item)", "due")
    assert_refuted(Admitted(faulty.Admission), depth=8, folder=tmp_path, engine=ENGINE)
