"""Merge of two sources, the knot of which the merge of all is made."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import TIME_BITS
from keybeam_gateware.stream_buffer import StreamBuffer

from .events import MergeItem

__all__ = ["MergeNode"]

_HALF_BITS = TIME_BITS // 2


def _found_not_later(m: Module, one: MergeItem, other: MergeItem) -> Value:
    """Tell a cycle later whether one was not later than the other.

    Times are compared modulo their range, by the sign of their difference. Registers hold what the
    lower halves borrow and the sign either way, for a carry through a whole time takes too long.
    """
    lower = one.time[:_HALF_BITS], other.time[:_HALF_BITS]
    upper = one.time[_HALF_BITS:], other.time[_HALF_BITS:]
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
        If both wait: the left one goes.
    buffer : StreamBuffer
        What has been chosen.

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
        self.left_waits, self.right_waits = Signal(), Signal()
        self.left_item = Signal(MergeItem, reset_less=True)
        self.right_item = Signal(MergeItem, reset_less=True)
        self.left_first = Signal()
        self.buffer = StreamBuffer(MergeItem)
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        connect(m, buffer.output, flipped(self.output))
        left, right = self.left_item, self.right_item
        takes_left, left_goes, right_goes = Signal(), Signal(), Signal()
        m.d.comb += [
            takes_left.eq(self.left_waits & (self.left_first | ~self.right_waits)),
            buffer.input.valid.eq(self.left_waits | self.right_waits),
            buffer.input.payload.eq(Mux(takes_left, left, right)),
            left_goes.eq(buffer.input.ready & takes_left),
            right_goes.eq(buffer.input.ready & self.right_waits & ~takes_left),
            self.left.ready.eq(~self.left_waits | left_goes),
            self.right.ready.eq(~self.right_waits | right_goes),
        ]
        with m.If(self.left.ready):
            m.d.sync += [left.eq(self.left.payload), self.left_waits.eq(self.left.valid)]
        with m.If(self.right.ready):
            m.d.sync += [right.eq(self.right.payload), self.right_waits.eq(self.right.valid)]
        self._compare(m)
        return m

    def _compare(self, m: Module) -> None:
        """Find out which of those that wait in the next cycle goes first."""
        left, right = self.left_item, self.right_item
        follows = [
            Mux(side.ready, side.payload.follows, waiting.follows)
            for side, waiting in ((self.left, left), (self.right, right))
        ]
        left_comes, right_comes = self.left.ready, self.right.ready
        known, found = Signal(), []
        m.d.sync += known.eq(Mux(left_comes | right_comes, follows[0], self.left_first))
        # A comparison for each case of what comes; of these at most one is. What is the case and
        # what was compared meet behind registers, so that neither waits for the other.
        for name, case, one, other in (
            ("left", left_comes & ~right_comes, self.left.payload, right),
            ("right", right_comes & ~left_comes, left, self.right.payload),
            ("both", left_comes & right_comes, self.left.payload, self.right.payload),
        ):
            is_case = Signal(name=f"comes_{name}")
            m.d.sync += is_case.eq(case & ~(follows[0] | follows[1]))
            found.append(is_case & _found_not_later(m, one, other))
        m.d.comb += self.left_first.eq(Cat(known, *found).any())
