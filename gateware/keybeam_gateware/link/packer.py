"""Collects what a board sends unasked into frames: tag records and message bytes."""

from amaranth import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.link import CREDIT_BITS, CREDIT_OF_FRAME, RECORD_NUMBER_BITS, FrameKind
from keybeam_gateware.link.paced_fifo import PacedFifo
from keybeam_gateware.link.packets import PacketStream

__all__ = ["Packer"]


class Packer(wiring.Component):
    """Collects items into frames of 1 to `maximum` items.

    A frame leaves when it is full, or `flush_cycles` after an item began to
    wait for it. A frame takes only items that are there when it starts, so it
    never holds up the line. None starts while it is not `allowed`.

    Parameters
    ----------
    kind : FrameKind
        Kind of the frames.
    item_bits : int
        Bits of an item, a multiple of 8.
    maximum : int
        Items of a frame at most.
    depth : int
        Items that can wait.
    flush_cycles : int
        Longest wait for a full frame, in clock cycles.
    numbered : bool
        Whether the number of its first item, 32 bit, stands first in the body.

    Members
    -------
    items : In(stream.Signature(unsigned(item_bits)))
        What to send; not ready while `depth` items wait.
    output : Out(PacketStream)
        Frames: kind, sequence (their number), body, lowest byte first.
    allowed : In(1)
        Frames may start. May follow `spent` two cycles late.
    number : Out(32), spent : Out(32)
        Items in the frames that have started, and those and `CREDIT_OF_FRAME` for each frame.
    """

    def __init__(
        self,
        *,
        kind: FrameKind,
        item_bits: int,
        maximum: int,
        depth: int,
        flush_cycles: int,
        numbered: bool,
    ) -> None:
        self._kind, self._item_bits, self._maximum = kind, item_bits, maximum
        self._depth, self._flush_cycles, self._numbered = depth, flush_cycles, numbered
        super().__init__(
            {
                "items": In(stream.Signature(unsigned(item_bits))),
                "output": Out(PacketStream),
                "allowed": In(1, init=1),
                "number": Out(RECORD_NUMBER_BITS),
                "spent": Out(CREDIT_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = PacedFifo(self._item_bits, depth=self._depth)
        connect(m, flipped(self.items), fifo.input)
        waiting, enough = Signal(), Signal()
        level = Signal.like(fifo.level)
        patience, due = Signal(range(self._flush_cycles)), Signal()
        m.d.sync += [
            level.eq(fifo.level),
            waiting.eq(level != 0),
            enough.eq(level >= self._maximum),
            due.eq(waiting & (patience == 0)),
        ]

        sequence = Signal(8)
        head = Cat(Const(self._kind, 8), sequence, *([self.number] if self._numbered else []))
        shift = Signal(max(len(head), self._item_bits))
        bytes_left, items_left = Signal(range(len(shift) // 8)), Signal(range(self._maximum + 1))
        settle = Signal(2)
        out = self.output.payload
        with m.FSM():
            with m.State("SETTLE"):  # until `enough`, `due` know of the items taken last
                m.d.sync += [settle.eq(settle + 1), patience.eq(self._flush_cycles - 1)]
                with m.If(settle.all()):
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(waiting & (patience != 0)):
                    m.d.sync += patience.eq(patience - 1)
                m.d.sync += [
                    shift.eq(head),
                    bytes_left.eq(len(head) // 8 - 1),
                    items_left.eq(Mux(enough, self._maximum, level)),
                ]
                with m.If((enough | due) & self.allowed):
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.sync += [
                    self.number.eq(self.number + items_left),
                    self.spent.eq(self.spent + items_left + CREDIT_OF_FRAME),
                    sequence.eq(sequence + 1),
                ]
                m.next = "BYTE"
            with m.State("ITEM"):
                m.d.comb += fifo.output.ready.eq(1)
                with m.If(fifo.output.valid):
                    m.d.sync += [
                        shift.eq(fifo.output.payload),
                        bytes_left.eq(self._item_bits // 8 - 1),
                        items_left.eq(items_left - 1),
                    ]
                    m.next = "BYTE"
            with m.State("BYTE"):
                m.d.sync += [
                    out.data.eq(shift[:8]),
                    out.last.eq((bytes_left == 0) & (items_left == 0)),
                    shift.eq(shift >> 8),
                ]
                m.next = "PASS"
            with m.State("PASS"):
                m.d.comb += self.output.valid.eq(1)
                with m.If(self.output.ready):
                    m.d.sync += bytes_left.eq(bytes_left - 1)
                    with m.If(out.last):
                        m.next = "SETTLE"
                    with m.Elif(bytes_left == 0):
                        m.next = "ITEM"
                    with m.Else():
                        m.next = "BYTE"
        return m
