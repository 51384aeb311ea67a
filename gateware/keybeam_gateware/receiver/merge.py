"""Time-ordered merge of the channels."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.numbers import FINE_BITS
from keybeam.protocol.records import COARSE_BITS
from keybeam_gateware.pipeline import earlier_cycle
from keybeam_gateware.stream_buffer import SlicedBuffer, StreamBuffer

from .events import MergeItem
from .merge_node import MergeNode
from .time_order import is_not_later

__all__ = ["Admission", "TimeOrderedMerge"]


class Admission(wiring.Component):
    """Holds an item until its time is before the bound: the gate to a tree of `MergeNode`.

    Attributes
    ----------
    waits, item : Signal
        An item is held, and which.

    Members
    -------
    bound : In(40)
        Coarse time that never falls, and is so far back that every earlier item of the source has
        been offered.
    input : In(stream.Signature(MergeItem))
        Items in the order of their times.
    output : Out(stream.Signature(MergeItem))
        The same items; its promises are those of `MergeNode` for the bound of the cycle before.
    """

    bound: In(COARSE_BITS)
    input: In(stream.Signature(MergeItem))
    output: Out(stream.Signature(MergeItem))

    def __init__(self) -> None:
        self.waits, self.item = Signal(), Signal(MergeItem, reset_less=True)
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        item, waits = self.item, self.waits
        came, due_coming, due_waiting, due = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            due.eq(Mux(came, due_coming, due_waiting)),
            self.output.valid.eq(waits & due),
            self.output.payload.eq(item),
            self.input.ready.eq(~waits | (due & self.output.ready)),
        ]

        def is_due(some: MergeItem) -> Value:
            return ~is_not_later(self.bound, some.time[FINE_BITS:])

        # What comes and what waits are compared apart, so that no choice is behind a comparison.
        m.d.sync += [
            came.eq(self.input.ready),
            due_coming.eq(is_due(self.input.payload)),
            due_waiting.eq(is_due(item)),
        ]
        # What needs no comparison sets the registers, and is not behind one.
        with m.If(self.input.payload.follows):
            m.d.sync += due_coming.eq(1)
        with m.If(due | item.follows):
            m.d.sync += due_waiting.eq(1)
        with m.If(self.input.ready):
            m.d.sync += [waits.eq(self.input.valid), item.eq(self.input.payload)]
        return m


class TimeOrderedMerge(wiring.Component):
    """Takes records from several sources in the order of their times, one in every cycle.

    A source promises that a record shows at its head within `latency` cycles of its time, or as
    soon as the ones before it were taken. So once a time is more than `latency` cycles past, every
    record up to it is there: those may go (`Admission`), by a tree of `MergeNode`, and a source
    without records holds up nobody. Records of equal time go in the order of the sources.

    Times are compared modulo 2^40 cycles by the sign of their difference: they may lie up to
    2^39 cycles (58 minutes) apart, so for that long the stream may be held up before the order
    suffers.

    Parameters
    ----------
    sources : int
        Number of sources, at least 2.
    latency : int
        Cycles from a record's time until it shows.

    Members
    -------
    cycle : In(40)
        Number of the present cycle, which rises by one in every cycle.
    enable : In(1)
        Let records out; else they are taken and thrown away.
    heads : In(stream.Signature(MergeItem)).array(sources)
        The sources.
    records : Out(stream(64))
        The records.
    """

    def __init__(self, *, sources: int, latency: int) -> None:
        self._sources = sources
        self._latency = latency
        super().__init__(
            {
                "cycle": In(COARSE_BITS),
                "enable": In(1),
                "heads": In(stream.Signature(MergeItem)).array(sources),
                "records": Out(stream.Signature(64)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Depths of a balanced tree differ by one. What enters nearer to the root is let in later by
        # the latency of the node that it is spared, so that all are of the same age everywhere.
        depth = (self._sources - 1).bit_length()
        bounds = [
            earlier_cycle(m, self.cycle, self._latency + 1 + spared * MergeNode.LATENCY)
            for spared in range(2)
        ]

        def admit(source: int, nodes: int) -> stream.Interface:
            m.submodules[f"admission_{source}"] = admission = Admission()
            # Sources lie all over the part: each has the bound in a register nearby. They differ in
            # what they begin with, for synthesis would make one of equal ones.
            before = (1 << COARSE_BITS) - 1 - source
            bound = Signal(COARSE_BITS, name=f"bound_of_{source}", init=before)
            m.d.sync += bound.eq(bounds[depth - nodes])
            m.d.comb += admission.bound.eq(bound)
            connect(m, flipped(self.heads[source]), admission.input)
            # What the tree takes is known late in a cycle, and a source has yet to act on it.
            m.submodules[f"admitted_{source}"] = admitted = SlicedBuffer(MergeItem)
            connect(m, admission.output, admitted.input)
            return admitted.output

        root = _tree(m, range(self._sources), admit)
        m.submodules.out = out = StreamBuffer(64)
        connect(m, out.output, flipped(self.records))
        passes = Signal()
        m.d.comb += [
            passes.eq(self.enable & ~root.payload.silent),
            out.input.valid.eq(root.valid & passes),
            out.input.payload.eq(root.payload.record),
            root.ready.eq(out.input.ready | ~passes),
        ]
        return m


def _tree(
    m: Module,
    sources: Sequence[int],
    admit: Callable[[int, int], stream.Interface],
    nodes: int = 0,
) -> stream.Interface:
    """Merge sources by a balanced tree; `nodes` are between it and the output."""
    if len(sources) == 1:
        return admit(sources[0], nodes)
    middle = (len(sources) + 1) // 2
    node = MergeNode()
    m.submodules[f"node_{sources[0]}_{sources[-1]}"] = node
    connect(m, _tree(m, sources[:middle], admit, nodes + 1), node.left)
    connect(m, _tree(m, sources[middle:], admit, nodes + 1), node.right)
    return node.output
