"""A node keeps the promises that its sides keep: so times never go backwards behind a tree of them,
and nothing comes between an item and the one that follows it.
"""

from itertools import pairwise

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq
from merge_promises import PLACE_BITS, is_behind, place, promises
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.receiver.events import MergeItem
from keybeam_gateware.receiver.merge_node import MergeNode

MODULE = "keybeam_gateware.receiver.merge_node"
ENGINE = "smtbmc yices"
COUNT_BITS = 4
LATENCY = MergeNode.LATENCY


class Kept(Elaboratable):
    """A node between sides that do what they like within their promises."""

    def __init__(self, block=MergeNode):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        bounds = [Signal(PLACE_BITS, name=f"bound_{ago}") for ago in range(LATENCY + 2)]
        m.d.comb += bounds[0].eq(AnySeq(PLACE_BITS))
        m.d.comb += Assume(bounds[0] >= bounds[1])
        m.d.sync += [later.eq(bound) for bound, later in pairwise(bounds)]
        sides = {}
        for name, port in (("left", block.left), ("right", block.right)):
            m.d.comb += [
                port.valid.eq(AnySeq(1)),
                port.payload.as_value().eq(AnySeq(MergeItem.as_shape().size)),
            ]
            sides[name] = promises(m, name, port, bounds[0], bounds[1])
            m.d.comb += [Assume(kept) for kept in sides[name].kept]
        m.d.comb += block.output.ready.eq(AnySeq(1))
        output = promises(m, "output", block.output, bounds[LATENCY], bounds[LATENCY + 1])
        m.d.comb += [Assert(kept) for kept in output.kept]
        m.d.comb += [Assert(bound >= before) for bound, before in pairwise(bounds)]
        self._conserve(m, block)
        self._explain(m, block, sides, output, bounds)
        m.d.comb += [
            Cover(output.taken_before & block.output.valid & block.output.payload.follows),
            Cover(block.left_waits & block.right_waits & ~block.left_first & (bounds[3] != 0)),
        ]
        return m

    def _conserve(self, m, block):
        """Every item that is taken is held until it leaves."""
        entered, left = Signal(COUNT_BITS), Signal(COUNT_BITS)
        takes = [port.valid & port.ready for port in (block.left, block.right, block.output)]
        m.d.sync += [entered.eq(entered + takes[0] + takes[1]), left.eq(left + takes[2])]
        buffer = block.buffer
        held = [block.left_waits, block.right_waits, block.chosen]
        held += [buffer.output.valid, buffer.spare_valid]
        m.d.comb += Assert((entered - left)[:COUNT_BITS] == sum(held))

    def _explain(self, m, block, sides, output, bounds):
        """What makes it so, for the induction."""
        buffer = block.buffer
        offered, spare = buffer.output.payload, buffer.spare
        # The items that were chosen and that entered the buffer last; whether one is there still.
        chosen, passed, here = Signal(MergeItem), Signal(MergeItem), Signal()
        moves = buffer.input.ready | ~block.chosen
        with m.If(moves & (block.left_waits | block.right_waits)):
            m.d.sync += chosen.eq(Mux(block.left_first, block.left_item, block.right_item))
        with m.If(buffer.input.valid & buffer.input.ready):
            m.d.sync += passed.eq(buffer.input.payload)
        m.d.comb += here.eq(buffer.output.valid)

        def same(one, other):
            return one.as_value() == other.as_value()

        left, right, on_the_way = block.left_item, block.right_item, block.chosen_item
        m.d.comb += [
            *(Assert(part.spare_valid == buffer.spare_valid) for part in buffer.slices),
            *(Assert(part.output.valid == here) for part in buffer.slices),
            Assert(~block.left_first | block.left_waits),
            Assert(~buffer.spare_valid | buffer.output.valid),
            Assert(~buffer.spare_valid | same(spare, passed)),
            Assert(~here | buffer.spare_valid | same(offered, passed)),
            Assert(~buffer.spare_valid | (place(offered) <= place(spare))),
            Assert(~(buffer.spare_valid & spare.follows) | is_behind(spare, offered)),
            Assert(~here | (place(offered) < bounds[3])),
            Assert(~here | (place(output.last) <= place(offered))),
            Assert(~(here & offered.follows) | is_behind(offered, output.last)),
            Assert(here | same(output.last, passed)),
            Assert(~buffer.spare_valid | spare.follows | (spare.time == place(spare))),
            Assert(~buffer.spare_valid | (place(spare) < bounds[3])),
            Assert((place(passed) == 0) | (place(passed) < bounds[3])),
            Assert(~block.chosen | same(on_the_way, chosen)),
            Assert(block.chosen | same(passed, chosen)),
            Assert(~block.chosen | (place(passed) <= place(chosen))),
            Assert(~(block.chosen & chosen.follows) | (here & is_behind(chosen, passed))),
            Assert(~block.chosen | chosen.follows | (chosen.time == place(chosen))),
            Assert((place(chosen) == 0) | (place(chosen) < bounds[2])),
            Assert(here | ~block.chosen | (place(chosen) >= bounds[3])),
            Assert(
                ~(block.left_waits & block.right_waits)
                | left.follows
                | right.follows
                | (block.left_first == (place(left) <= place(right)))
            ),
            Assert(~(block.left_waits & left.follows & block.right_waits & right.follows)),
        ]
        for name, waits, item, goes in (
            ("left", block.left_waits, left, ~block.right_waits | block.left_first),
            ("right", block.right_waits, right, ~block.left_waits | ~block.left_first),
        ):
            side = sides[name]
            m.d.comb += [
                # What waits is what was taken last, and is in reach of what may still come.
                Assert(~waits | same(item, side.last)),
                Assert(~waits | ((place(item) < bounds[1]) & (place(item) >= place(chosen)))),
                Assert((place(side.last) == 0) | (place(side.last) < bounds[1])),
                Assert(~waits | item.follows | (item.time == place(item))),
                Assert(waits | ~side.valid_before),
                Assert(block.chosen | ~waits | (place(item) >= bounds[2])),
                Assert(~side.taken_before | waits),
                # What follows is behind its own, and goes next.
                Assert(
                    ~(waits & item.follows) | (goes & block.chosen & is_behind(item, chosen)),
                ),
            ]
            port = getattr(block, name)
            m.d.comb += Assert(~port.valid | (place(port.payload) >= place(side.last)))
            m.d.comb += Assert(
                ~(port.valid & port.payload.follows) | (waits & is_behind(port.payload, item)),
            )


def test_a_node_keeps_the_promises_of_its_sides(tmp_path):
    assert_proved(Kept(), depth=3, folder=tmp_path, engine=ENGINE)
    assert_reached(Kept(), depth=12, folder=tmp_path, engine=ENGINE)


def test_a_choice_by_the_wrong_comparison_is_caught(tmp_path):
    faulty = mutated(MODULE, "cases = left_comes & ~right_comes,", "cases = left_comes,")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_something_between_an_item_and_what_follows_it_is_caught(tmp_path):
    faulty = mutated(MODULE, "(~other_waits | one.follows)", "~other_waits")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_a_side_that_is_not_looked_at_is_caught(tmp_path):
    faulty = mutated(MODULE, "(~other_waits | one.follows)", "1")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_an_item_that_is_taken_twice_is_caught(tmp_path):
    faulty = mutated(MODULE, "self.right_ready.eq(~self.right_waits |", "self.right_ready.eq(1 |")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_a_comparison_that_does_not_count_is_caught(tmp_path):
    faulty = mutated(MODULE, "with m.If(~counts)", "with m.If(0)")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)
