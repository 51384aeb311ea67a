"""Merge of two sources, the knot of which the merge of all is made."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam_gateware.stream_buffer import SlicedBuffer
from keybeam_gateware.synthesis import APART

from .events import MergeItem
from .time_order import is_not_later

__all__ = ["MergeNode"]


def _first_by_time(m: Module, one: MergeItem, other: MergeItem, counts: Value) -> Value:
    """Tell a cycle later whether one was not later than the other, if that counted.

    What counts is known late in a cycle: it clears the register, and is in the way of no
    comparison.
    """
    first = Signal(reset_less=True)
    m.d.sync += first.eq(is_not_later(one.time, other.time))
    with m.If(~counts):
        m.d.sync += first.eq(0)
    return first


class _Choice(wiring.Component):
    """Which side goes, and where there is room: what a node knows last, and all have to obey.

    Members
    -------
    found : In(4)
        Reasons for the left one, which then waits.
    left_waits, right_waits : In(1)
        An item of the side waits.
    room, chosen : In(1)
        The buffer takes an item; there is one for it.
    left_first : Out(1)
        The left one goes before the right one.
    moves : Out(1)
        One may go.
    left_ready, right_ready : Out(1)
        There will be room.
    """

    found: In(4)
    left_waits: In(1)
    right_waits: In(1)
    room: In(1)
    chosen: In(1)
    left_first: Out(1)
    moves: Out(1)
    left_ready: Out(1)
    right_ready: Out(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.left_first.eq(self.found.any()),
            self.moves.eq(self.room | ~self.chosen),
            self.left_ready.eq(Mux(self.left_first, self.moves, ~self.left_waits)),
            self.right_ready.eq(~self.right_waits | (self.moves & ~self.left_first)),
        ]
        return m


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
        # Synthesised apart, as it is the slowest: with more around it, it would be made small.
        m.submodules[f"{APART}choice"] = choice = _Choice()
        moves = choice.moves
        m.d.comb += [
            buffer.input.valid.eq(self.chosen),
            buffer.input.payload.eq(self.chosen_item),
            choice.left_waits.eq(self.left_waits),
            choice.right_waits.eq(self.right_waits),
            choice.room.eq(buffer.input.ready),
            choice.chosen.eq(self.chosen),
            choice.found.eq(self._compare(m, buffer.input.ready | ~self.chosen)),
            self.left_first.eq(choice.left_first),
            self.left.ready.eq(choice.left_ready),
            self.right.ready.eq(choice.right_ready),
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
        return m

    def _compare(self, m: Module, moves: Value) -> Value:
        """Find out whether the left one of those that wait in the next cycle goes first, and why.

        What goes in this cycle is known last, so what follows from it is looked at both ways.
        """
        waiting = [(self.left_waits, self.left_item), (self.right_waits, self.right_item)]
        coming = [(side.valid, side.payload) for side in (self.left, self.right)]
        # For each case of what comes: those that wait then; of the cases at most one is.
        pairs = (coming[0], waiting[1]), (waiting[0], coming[1]), (coming[0], coming[1])

        def then(left_comes: Value, right_comes: Value, stays: int) -> list[Value]:
            """Tell whether the left one is known to be first, and which comparisons count."""
            cases = left_comes & ~right_comes, ~left_comes & right_comes, left_comes & right_comes
            known, counts = ~left_comes & ~right_comes & stays, []
            for case, ((one_waits, one), (other_waits, other)) in zip(cases, pairs, strict=True):
                known |= case & one_waits & (~other_waits | one.follows)
                counts.append(case & one_waits & other_waits & ~one.follows & ~other.follows)
            return [known, *counts]

        if_left = then(moves, ~self.right_waits, 1)
        if_right = then(~self.left_waits, ~self.right_waits | moves, 0)
        known, *counts = (
            Mux(self.left_first, *both) for both in zip(if_left, if_right, strict=True)
        )
        goes_left = Signal()
        m.d.sync += goes_left.eq(known)
        found = [
            _first_by_time(m, one, other, each)
            for each, ((_, one), (_, other)) in zip(counts, pairs, strict=True)
        ]
        return Cat(goes_left, *found)
