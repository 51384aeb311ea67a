"""What is let into the tree of the merge keeps the promises that `MergeNode` asks for, also behind
a buffer; what a tree of such nodes then does is proved in `test_merge_node_proof`.
"""

from itertools import pairwise

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from merge_promises import PLACE_BITS, is_behind, place, promises
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.numbers import FINE_BITS
from keybeam_gateware.receiver.events import MergeItem
from keybeam_gateware.receiver.merge import Admission
from keybeam_gateware.stream_buffer import StreamBuffer

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
    faulty = mutated(MODULE, "due_waiting.eq(is_due(item))", "due_waiting.eq(0)")
    assert_refuted(Admitted(faulty.Admission), depth=8, folder=tmp_path, engine=ENGINE)


class Buffered(Elaboratable):
    """A buffer between a stream that keeps its promises and a tree that may wait."""

    def __init__(self, block=StreamBuffer):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block(MergeItem)
        bounds = [Signal(PLACE_BITS, name=f"bound_{ago}") for ago in range(3)]
        m.d.comb += bounds[0].eq(AnySeq(PLACE_BITS))
        m.d.comb += Assume(bounds[0] >= bounds[1])
        m.d.sync += [later.eq(bound) for bound, later in pairwise(bounds)]
        m.d.comb += [
            block.input.valid.eq(AnySeq(1)),
            block.input.payload.as_value().eq(AnySeq(MergeItem.as_shape().size)),
            block.output.ready.eq(AnySeq(1)),
        ]
        source = promises(m, "source", block.input, bounds[0], bounds[1])
        output = promises(m, "output", block.output, bounds[1], bounds[2])
        m.d.comb += [Assume(kept) for kept in source.kept]
        m.d.comb += [Assert(kept) for kept in output.kept]
        m.d.comb += Assert(bounds[1] >= bounds[2])
        self._explain(m, block, source, output, bounds)
        m.d.comb += [
            Cover(output.taken_before & block.output.valid & block.output.payload.follows),
            Cover(block.spare_valid & (bounds[2] != 0)),
        ]
        return m

    def _explain(self, m, block, source, output, bounds):
        """What makes it so, for the induction."""
        offered, here = block.output.payload, block.output.valid
        spare, waits = block.spare, block.spare_valid
        coming = block.input.payload

        def same(one, other):
            return one.as_value() == other.as_value()

        m.d.comb += [
            Assert(~waits | (here & same(spare, source.last))),
            Assert(~here | waits | same(offered, source.last)),
            Assert(here | same(output.last, source.last)),
            Assert(~waits | (place(offered) <= place(spare))),
            Assert(~(waits & spare.follows) | is_behind(spare, offered)),
            Assert(~waits | spare.follows | (spare.time == place(spare))),
            Assert(~waits | (place(spare) < bounds[1])),
            Assert(~here | (place(offered) < bounds[1])),
            Assert(~here | (place(output.last) <= place(offered))),
            Assert(~(here & offered.follows) | is_behind(offered, output.last)),
            Assert((place(source.last) == 0) | (place(source.last) < bounds[1])),
            # What came is here, or was taken at once.
            Assert(here | ~source.valid_before),
            Assert(~source.taken_before | here),
            Assert(~block.input.valid | (place(coming) >= place(source.last))),
            Assert(~(block.input.valid & coming.follows) | (here & is_behind(coming, source.last))),
        ]


def test_a_buffer_keeps_the_promises_of_what_it_holds(tmp_path):
    assert_proved(Buffered(), depth=3, folder=tmp_path, engine=ENGINE)
    assert_reached(Buffered(), depth=12, folder=tmp_path, engine=ENGINE)


def test_a_buffer_that_changes_the_order_is_caught(tmp_path):
    faulty = mutated(
        "keybeam_gateware.stream_buffer",
        "Mux(self.spare_valid, self.spare, self.input.payload)",
        "Mux(self.input.valid, self.input.payload, self.spare)",
    )
    assert_refuted(Buffered(faulty.StreamBuffer), depth=10, folder=tmp_path, engine=ENGINE)
