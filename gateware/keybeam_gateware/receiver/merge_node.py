"""Merge of two sources, the knot of which the merge of all is made."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import TIME_BITS
from keybeam_gateware.stream_buffer import StreamBuffer

from .events import MergeItem

__all__ = ["MergeNode"]


HALF_BITS = TIME_BITS // 2


def _found_not_later(m: Module, one: MergeItem, other: MergeItem) -> Value:
    """Tell a cycle later whether one was not later than the other.

    Times are compared modulo their range, by the sign of their difference. Registers hold what the
    lower halves borrow and the sign either way, for a carry through a whole time takes too long.
    """
    lower = one.time[:HALF_BITS], other.time[:HALF_BITS]
    upper = one.time[HALF_BITS:], other.time[HALF_BITS:]
    borrows, unless_borrowed, if_borrowed = Signal(), Signal(), Signal()
    m.d.sync += [
        borrows.eq(lower[1] < lower[0]),
        unless_borrowed.eq(~(upper[1] - upper[0])[len(upper[0]) - 1]),
        if_borrowed.eq(~(upper[1] + ~upper[0])[len(upper[0]) - 1]),
    ]
    return Mux(borrows, if_borrowed, unless_borrowed)


class MergeNode(wiring.Component):
    """Passes the earlier one of the items of two sources, one in every cycle.

    Which of the two that wait here is the earlier was found out when the later of them came, by
    comparing what came with what waited, so that no comparison is in the way of a choice. Nor is a
    choice in the way of what a side may offer, as each has room for two. Items of equal time go
    left before right.

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
    waiting_left, waiting_right : StreamBuffer
        Items of the sides that wait in the node.
    left_first : Signal
        If both wait: the left one goes.

    Members
    -------
    left, right : In(stream.Signature(MergeItem))
        The sides.
    output : Out(stream.Signature(MergeItem))
        Items of both.
    """

    LATENCY = 2
    """Cycles from an item that is offered to the same item at the output, if nothing is before."""

    left: In(stream.Signature(MergeItem))
    right: In(stream.Signature(MergeItem))
    output: Out(stream.Signature(MergeItem))

    def __init__(self) -> None:
        self.waiting_left, self.waiting_right = StreamBuffer(MergeItem), StreamBuffer(MergeItem)
        self.left_first = Signal()
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.left, m.submodules.right = self.waiting_left, self.waiting_right
        connect(m, flipped(self.left), self.waiting_left.input)
        connect(m, flipped(self.right), self.waiting_right.input)
        left, right = self.waiting_left.output, self.waiting_right.output
        takes_left, moves = Signal(), Signal()
        m.d.comb += [
            takes_left.eq(left.valid & (self.left_first | ~right.valid)),
            moves.eq(self.output.ready | ~self.output.valid),
            left.ready.eq(moves & takes_left),
            right.ready.eq(moves & ~takes_left),
        ]
        with m.If(moves):
            m.d.sync += [
                self.output.valid.eq(left.valid | right.valid),
                self.output.payload.eq(Mux(takes_left, left.payload, right.payload)),
            ]
        self._compare(m)
        return m

    def _compare(self, m: Module) -> None:
        """Find out which of those that wait in the next cycle goes first."""
        left, right = self.waiting_left, self.waiting_right
        follows = [
            Mux(side.moves, side.following.follows, side.output.payload.follows)
            for side in (left, right)
        ]
        known, found = Signal(), []
        m.d.sync += known.eq(Mux(left.moves | right.moves, follows[0], self.left_first))
        # A comparison for each case of what comes; of these at most one is. What is the case and
        # what was compared meet behind registers, so that neither waits for the other.
        for name, case, one, other in (
            ("left", left.moves & ~right.moves, left.following, right.output.payload),
            ("right", right.moves & ~left.moves, left.output.payload, right.following),
            ("both", left.moves & right.moves, left.following, right.following),
        ):
            is_case = Signal(name=f"is_{name}")
            m.d.sync += is_case.eq(case & ~(follows[0] | follows[1]))
            found.append(is_case & _found_not_later(m, one, other))
        m.d.comb += self.left_first.eq(Cat(known, *found).any())
