"""Merge of two sources, the knot of which the merge of all is made."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import TIME_BITS
from keybeam_gateware.stream_buffer import SlicedBuffer

from .events import MergeItem

__all__ = ["MergeNode"]

_HALF_BITS = TIME_BITS // 2


def _first_by_time(m: Module, one: MergeItem, other: MergeItem, counts: Value) -> Value:
    """Tell a cycle later whether one was not later than the other, if that counted.

    Times are compared modulo their range, by the sign of their difference. Registers hold what the
    lower halves borrow and the sign either way, for a carry through a whole time takes too long;
    they are such that no table is before or behind a carry. What counts is known late in a cycle:
    it sets the signs, and is in the way of no comparison.
    """
    lower = one.time[:_HALF_BITS], other.time[:_HALF_BITS]
    upper = one.time[_HALF_BITS:], other.time[_HALF_BITS:]
    sign = len(upper[0]) - 1
    borrows, earlier = Signal(reset_less=True), Signal(reset_less=True)
    later = Signal(init=1, reset_less=True)
    m.d.sync += [
        borrows.eq(lower[1] < lower[0]),
        later.eq((upper[1] - upper[0])[sign]),
        # After a borrow the difference is one less, which is its complement the other way round.
        earlier.eq((upper[0] - upper[1])[sign]),
    ]
    with m.If(~counts):
        m.d.sync += [later.eq(1), earlier.eq(0)]
    return Mux(borrows, earlier, ~later)


class MergeNode(wiring.Component):
    """Passes the earlier one of the items of two sources, one in every cycle.

    Which of the two that wait here is the earlier was found out when the later of them came, by
    comparing what came with what waited, so that no comparison is in the way of a choice. Items of
    equal time go left before right.

    A side without an item holds up nobody. **Who uses it answers for the order** by a bound that
    never falls, in these terms:

    - what a side offers is earlier than the bound;
    - what a side offers after it offered nothing is not earlier than the bound of the cycle before;
    - times of a side never fall;
    - an item that follows another is offered in the cycle after that was taken.

    The output then keeps the same promises, for the bound of `LATENCY` cycles ago. So nodes make a
    tree (`tests/gateware/receiver/test_merge_node_proof.py`).

    Attributes
    ----------
    left_waits, right_waits : Signal
        An item of the side waits in the node.
    left_item, right_item : Signal
        That item.
    left_first : Signal
        The left one waits, and goes before the right one.
    chosen, chosen_item : Signal
        An item has been chosen and is on its way to the buffer, and which: it has a register of its
        own, so that what the next node makes wait lies near that node.
    buffer : SlicedBuffer
        What is offered.

    Members
    -------
    left, right : In(stream.Signature(MergeItem))
        The sides.
    output : Out(stream.Signature(MergeItem))
        Items of both.
    """

    LATENCY = 3
    """Cycles from an item that is offered to the same item at the output, if nothing is before."""

    left: In(stream.Signature(MergeItem))
    right: In(stream.Signature(MergeItem))
    output: Out(stream.Signature(MergeItem))

    def __init__(self) -> None:
        self.left_waits, self.right_waits = Signal(), Signal()
        self.left_item = Signal(MergeItem, reset_less=True)
        self.right_item = Signal(MergeItem, reset_less=True)
        self.left_first = Signal()
        self.chosen = Signal()
        self.chosen_item = Signal(MergeItem, reset_less=True)
        self.buffer = SlicedBuffer(MergeItem)
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        connect(m, buffer.output, flipped(self.output))
        left, right = self.left_item, self.right_item
        left_goes, right_goes, moves = Signal(), Signal(), Signal()
        m.d.comb += [
            buffer.input.valid.eq(self.chosen),
            buffer.input.payload.eq(self.chosen_item),
            moves.eq(buffer.input.ready | ~self.chosen),
            left_goes.eq(moves & self.left_first),
            right_goes.eq(moves & self.right_waits & ~self.left_first),
            self.left.ready.eq(~self.left_waits | left_goes),
            self.right.ready.eq(~self.right_waits | right_goes),
        ]
        with m.If(moves):
            m.d.sync += [
                self.chosen.eq(self.left_waits | self.right_waits),
                self.chosen_item.eq(Mux(self.left_first, left, right)),
            ]
        with m.If(self.left.ready):
            m.d.sync += [left.eq(self.left.payload), self.left_waits.eq(self.left.valid)]
        with m.If(self.right.ready):
            m.d.sync += [right.eq(self.right.payload), self.right_waits.eq(self.right.valid)]
        self._compare(m)
        return m

    def _compare(self, m: Module) -> None:
        """Find out which of those that wait in the next cycle goes first."""
        left_comes, right_comes = self.left.ready, self.right.ready
        sides = [(self.left_waits, self.left_item), (self.right_waits, self.right_item)]
        coming = [(side.valid, side.payload) for side in (self.left, self.right)]
        # Which sides are fed in this cycle is known last, so every case is looked at by itself; of
        # these at most one is. If nothing comes, all stays.
        known, found = Signal(), []
        goes_left = ~left_comes & ~right_comes & self.left_first
        for case, (one_waits, one), (other_waits, other) in (
            (left_comes & ~right_comes, coming[0], sides[1]),
            (right_comes & ~left_comes, sides[0], coming[1]),
            (left_comes & right_comes, coming[0], coming[1]),
        ):
            compared = one_waits & other_waits & ~one.follows & ~other.follows
            goes_left |= case & one_waits & (~other_waits | one.follows)
            found.append(_first_by_time(m, one, other, case & compared))
        m.d.sync += known.eq(goes_left)
        m.d.comb += self.left_first.eq(Cat(known, *found).any())
