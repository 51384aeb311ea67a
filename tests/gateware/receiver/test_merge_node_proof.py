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


class Kept(Elaboratable):
    """A node between sides that do what they like within their promises."""

    def __init__(self, block=MergeNode):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        bounds = [Signal(PLACE_BITS, name=f"bound_{ago}") for ago in range(4)]
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
        latency = MergeNode.LATENCY
        output = promises(m, "output", block.output, bounds[latency], bounds[latency + 1])
        m.d.comb += [Assert(kept) for kept in output.kept]
        m.d.comb += [Assert(bounds[n] >= bounds[n + 1]) for n in range(3)]
        self._conserve(m, block)
        self._explain(m, block, sides, output, bounds)
        m.d.comb += [
            Cover(output.taken_before & block.output.valid & block.output.payload.follows),
            Cover(
                block.waiting_left.spare_valid
                & block.waiting_right.spare_valid
                & ~block.left_first
                & (bounds[3] != 0)
            ),
        ]
        return m

    def _conserve(self, m, block):
        """Every item that is taken is held until it leaves."""
        entered, left = Signal(COUNT_BITS), Signal(COUNT_BITS)
        takes = [port.valid & port.ready for port in (block.left, block.right, block.output)]
        m.d.sync += [entered.eq(entered + takes[0] + takes[1]), left.eq(left + takes[2])]
        held = [block.output.valid]
        for buffer in (block.waiting_left, block.waiting_right):
            held += [buffer.output.valid, buffer.spare_valid]
        m.d.comb += Assert((entered - left)[:COUNT_BITS] == sum(held))

    def _explain(self, m, block, sides, output, bounds):
        """What makes it so, for the induction."""
        offered, here = block.output.payload, block.output.valid
        left, right = block.waiting_left.output, block.waiting_right.output
        # The item that was chosen last.
        chosen = Signal(MergeItem)
        with m.If((block.output.ready | ~here) & (left.valid | right.valid)):
            m.d.sync += chosen.eq(Mux(left.valid & left.ready, left.payload, right.payload))
        m.d.comb += [
            Assert(~here | same(offered, chosen)),
            Assert(~here | (place(offered) < bounds[2])),
            Assert(~here | (place(output.last) <= place(offered))),
            Assert(~(here & offered.follows) | is_behind(offered, output.last)),
            Assert(here | same(output.last, chosen)),
            Assert((place(chosen) == 0) | (place(chosen) < bounds[2])),
            Assert(
                ~(left.valid & right.valid)
                | left.payload.follows
                | right.payload.follows
                | (block.left_first == (place(left.payload) <= place(right.payload)))
            ),
            Assert(
                ~(left.valid & left.payload.follows & right.valid & right.payload.follows),
            ),
        ]
        self._explain_side(m, block, "left", sides["left"], chosen, bounds)
        self._explain_side(m, block, "right", sides["right"], chosen, bounds)

    def _explain_side(self, m, block, name, side, chosen, bounds):
        """The same of what waits of a side."""
        port, buffer = getattr(block, name), getattr(block, f"waiting_{name}")
        other = block.waiting_right if name == "left" else block.waiting_left
        waits, item = buffer.output.valid, buffer.output.payload
        spare, spare_waits = buffer.spare, buffer.spare_valid
        newest = MergeItem(Mux(spare_waits, spare.as_value(), item.as_value()))
        first = block.left_first if name == "left" else ~block.left_first
        here = block.output.valid
        m.d.comb += [
            Assert(~spare_waits | waits),
            Assert(~spare_waits | (place(item) <= place(spare))),
            Assert(~spare_waits | spare.follows | (spare.time == place(spare))),
            Assert(~(spare_waits & spare.follows) | is_behind(spare, item)),
            # What waits is what was taken last, and is in reach of what may still come.
            Assert(~waits | same(newest, side.last)),
            Assert(~waits | ((place(newest) < bounds[1]) & (place(item) >= place(chosen)))),
            Assert((place(side.last) == 0) | (place(side.last) < bounds[1])),
            Assert(~waits | item.follows | (item.time == place(item))),
            Assert(waits | ~side.valid_before),
            Assert(here | ~waits | (place(item) >= bounds[2])),
            Assert(here | ~spare_waits),
            Assert(~side.taken_before | waits),
            # What follows is behind its own, and goes next.
            Assert(
                ~(waits & item.follows)
                | ((~other.output.valid | first) & here & is_behind(item, chosen)),
            ),
            Assert(~port.valid | (place(port.payload) >= place(side.last))),
            Assert(
                ~(port.valid & port.payload.follows) | (waits & is_behind(port.payload, newest)),
            ),
        ]


def same(one, other):
    """Whether two items are the same."""
    return one.as_value() == other.as_value()


def test_a_node_keeps_the_promises_of_its_sides(tmp_path):
    assert_proved(Kept(), depth=3, folder=tmp_path, engine=ENGINE)
    assert_reached(Kept(), depth=12, folder=tmp_path, engine=ENGINE)


def test_a_choice_by_the_wrong_comparison_is_caught(tmp_path):
    faulty = mutated(MODULE, "left.moves & ~right.moves", "left.moves")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_something_between_an_item_and_what_follows_it_is_caught(tmp_path):
    faulty = mutated(MODULE, "left.moves | right.moves, follows[0]", "left.moves | right.moves, 0")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_a_side_that_is_not_looked_at_is_caught(tmp_path):
    faulty = mutated(MODULE, "(self.left_first | ~right.valid)", "(self.left_first | 1)")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)


def test_an_item_that_is_taken_twice_is_caught(tmp_path):
    faulty = mutated(MODULE, "right.ready.eq(moves & ~takes_left)", "right.ready.eq(0)")
    assert_refuted(Kept(faulty.MergeNode), depth=10, folder=tmp_path, engine=ENGINE)
