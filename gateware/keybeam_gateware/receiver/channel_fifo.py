"""First-in first-out memory of one channel, which marks and counts what it loses."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.records import (
    BODY_BITS,
    CHANNEL_BITS,
    TIME_BITS,
    TYPE_BITS,
    Channel,
    RecordType,
)
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.stream_buffer import StreamBuffer

from .events import EventSignature, MergeItem

__all__ = ["ChannelFifo", "EntryKind"]

LOST_BITS = 48
"""Bits of the count of lost events of a gap: at two a cycle it would take ten days to overflow."""


class EntryKind(enum.Enum, shape=2):
    """What an entry is."""

    EVENT = 0
    GAP_BEGIN = 1
    GAP_END = 2
    ATTACHED = 3


_ENTRY = data.StructLayout({"body": BODY_BITS, "kind": EntryKind, "flag": 1})


def _difference(more: Value, less: Value) -> Value:
    """Make `more` - `less` of two bits without an adder, so that one adder can take it."""
    return Cat(more ^ less, less & ~more).as_signed()


class ChannelFifo(wiring.Component):
    """Queue of a channel's events in block RAM.

    When it is nearly full, or an event stands for several, a gap begins: GAP_BEGIN, for which there
    is always room, takes the place of the first lost event. Events are then counted only. The
    gap ends with GAP_END when a quarter of the queue or less is in use, and no earlier GAP_END is
    still queued (so one register holds its count). Every event thus either leaves as a record or is
    in the count of a gap.

    A body may be attached to an event after it was given (the FRAME to its SYNC). It has no time;
    it follows its event, and is lost with it.

    Parameters
    ----------
    channel : Channel
        The channel.
    event_type : RecordType
        Type of its records: TAG, SYNC or PPS.
    depth : int
        Entries, a power of two, at least 64.

    Attributes
    ----------
    write, kind : Signal
        An entry is added in this cycle, and what it is.
    level : Signal
        Entries in the queue, a cycle late.
    stored, arriving, fetched, raw_valid : Signal
        Entries in the memory that may be read, one that joins them, and the way to the buffer.
    buffer : StreamBuffer
        The oldest entries.
    lost_low, lost_high : Signal
        Events lost in the gap, or in the last one, but for those of this cycle: the lower half of
        the count, and the upper one of the cycle before.
    end_queued, end_count, end_timed : Signal
        A GAP_END is queued, its count, and whether the head has given its time.

    Members
    -------
    enable : In(1)
        Events are accepted. A disabled channel neither records nor counts.
    events : In(EventSignature())
        Events; they cannot wait.
    flag : In(1)
        With an event of a SYNC channel: the flag in the channel field of its record.
    attach : In(1)
        Attach a FRAME to the last event, at least two cycles after it and before the next.
    attached_body : In(54)
        Body of that FRAME.
    attached_flag : In(1)
        Flag in its channel field.
    head : Out(stream.Signature(MergeItem))
        The oldest record, for the merge; the next one shows in the cycle after it was taken.
    arrived : Out(2)
        Events that arrived in this cycle (accepted or lost), 0 to 3.
    dropped : Out(2)
        Events that were lost in this cycle, 0 to 3.
    taken : Out(1)
        An event left through `head` in this cycle.
    gap_began : Out(1)
        A gap begins in this cycle.
    in_gap : Out(1)
        A gap is open.
    """

    def __init__(self, *, channel: Channel, event_type: RecordType, depth: int = 512) -> None:
        self._channel = channel
        self._event_type = event_type
        self._depth = depth
        self.write, self.kind = Signal(), Signal(EntryKind)
        self.level, self.stored = Signal(range(depth + 1)), Signal(range(depth + 1))
        self.arriving, self.fetched, self.raw_valid = Signal(), Signal(), Signal()
        self.lost_low, self.lost_high = Signal(LOST_BITS // 2), Signal(LOST_BITS // 2)
        self.end_queued, self.end_count = Signal(), Signal(LOST_BITS)
        self.end_timed = Signal()
        self.buffer = StreamBuffer(_ENTRY)
        super().__init__(
            {
                "enable": In(1),
                "events": In(EventSignature()),
                "flag": In(1),
                "attach": In(1),
                "attached_body": In(BODY_BITS),
                "attached_flag": In(1),
                "head": Out(stream.Signature(MergeItem)),
                "arrived": Out(2),
                "dropped": Out(2),
                "taken": Out(1),
                "gap_began": Out(1),
                "in_gap": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(
            shape=_ENTRY.size, depth=self._depth, init=[]
        )
        write_port, read_port = storage.write_port(), storage.read_port()
        self._accept(m, write_port)
        self._read(m, read_port)
        self._show_head(m)
        leaves = self.buffer.output.valid & self.buffer.output.ready
        m.d.sync += self.level.eq(self.level + _difference(write_port.en, leaves))
        return m

    def _accept(self, m: Module, port: memory.WritePort) -> None:
        """Decide what becomes of an event, and write the entry."""
        # Eight places in reserve: what is on its way, an attached body and GAP_BEGIN.
        room, low = Signal(), Signal()
        m.d.sync += [
            room.eq(self.level < self._depth - 8),
            low.eq(self.level <= self._depth // 4),
        ]
        write, kind = self.write, self.kind
        events = self.events
        valid, weight, flag = Signal(), Signal(2), Signal()
        time, horizon = Signal(TIME_BITS), Signal(TIME_BITS)
        attach, attached = Signal(), Signal(BODY_BITS + 1)
        m.d.sync += [
            valid.eq(events.valid & self.enable),
            weight.eq(events.weight),
            time.eq(Cat(events.fine, events.coarse)),
            horizon.eq(events.horizon << len(events.fine)),
            flag.eq(self.flag),
            attach.eq(self.attach),
            attached.eq(Cat(self.attached_body, self.attached_flag)),
        ]
        # An attached body is lost with its event.
        orphan = Signal(init=1)
        gap_ended = Signal()
        self._count_lost(m, gap_ended)
        body, entry_flag = Signal(BODY_BITS), Signal()
        m.d.comb += [body.eq(Mux(valid, time, horizon)), entry_flag.eq(flag)]
        m.d.comb += self.arrived.eq(Mux(valid, weight, 0))
        with m.If(self.in_gap):
            m.d.comb += self.dropped.eq(self.arrived)
            with m.If(valid):
                m.d.sync += orphan.eq(1)
            with m.If(low & ~self.end_queued):
                m.d.comb += [write.eq(1), kind.eq(EntryKind.GAP_END), gap_ended.eq(1)]
                m.d.sync += [self.in_gap.eq(0), self.end_queued.eq(1)]
        with m.Elif(valid):
            m.d.comb += write.eq(1)
            m.d.sync += orphan.eq(0)
            with m.If(~room | (weight != 1)):
                m.d.comb += [
                    kind.eq(EntryKind.GAP_BEGIN),
                    self.gap_began.eq(1),
                    self.dropped.eq(weight),
                ]
                m.d.sync += [self.in_gap.eq(1), orphan.eq(1)]
        with m.Elif(attach & ~orphan):
            m.d.comb += [
                write.eq(1),
                kind.eq(EntryKind.ATTACHED),
                body.eq(attached[:-1]),
                entry_flag.eq(attached[-1]),
            ]

        write_address = Signal(range(self._depth))
        m.d.sync += write_address.eq(write_address + port.en)
        m.d.sync += [port.en.eq(write), port.data.eq(Cat(body, kind, entry_flag))]
        m.d.comb += port.addr.eq(write_address)

    def _count_lost(self, m: Module, gap_ended: Signal) -> None:
        """Count the lost events of a gap, a cycle late; GAP_END takes longer to the head.

        The upper half counts the carries of the lower one a cycle later, so that no carry runs
        through all bits.
        """
        began, ended, more = Signal(), Signal(), Signal(2)
        low, total = Signal(LOST_BITS // 2), Signal(LOST_BITS // 2 + 1)
        carry, high = Signal(), Signal(LOST_BITS // 2)
        began_before, ended_before = delayed(m, began, 1), delayed(m, ended, 1)
        m.d.comb += [
            total.eq(Mux(began, 0, low) + more),
            self.lost_low.eq(total),
            self.lost_high.eq(Mux(began_before, 0, high) + carry),
        ]
        m.d.sync += [
            began.eq(self.gap_began),
            ended.eq(gap_ended),
            more.eq(self.dropped),
            Cat(low, carry).eq(total),
            high.eq(self.lost_high),
        ]
        with m.If(ended):
            m.d.sync += self.end_count[: len(low)].eq(self.lost_low)
        with m.If(ended_before):
            m.d.sync += self.end_count[len(low) :].eq(self.lost_high)

    def _read(self, m: Module, port: memory.ReadPort) -> None:
        """Bring the oldest entries from the memory to the buffer, one in every cycle."""
        stored, raw_valid = self.stored, self.raw_valid
        m.submodules.buffer = buffer = self.buffer
        # The block RAM's own output register, which has no reset.
        raw = Signal(_ENTRY.size, reset_less=True)
        address, following = (Signal(range(self._depth), init=init) for init in (0, 1))
        load = Signal()
        m.d.comb += [
            self.arriving.eq(delayed(m, self.write, 2)),
            load.eq(self.fetched & (~raw_valid | buffer.input.ready)),
            # What stays unread is read again. No sum is in the way to the block RAM.
            port.addr.eq(Mux(load, following, address)),
            buffer.input.valid.eq(raw_valid),
            buffer.input.payload.eq(raw),
        ]
        m.d.sync += [
            stored.eq(stored + _difference(self.arriving, load)),
            address.eq(port.addr),
            following.eq(following + load),
            self.fetched.eq((stored > 1) | ((stored == 1) & ~load)),
        ]
        with m.If(load):
            m.d.sync += [raw.eq(port.data), raw_valid.eq(1)]
        with m.Elif(buffer.input.ready):
            m.d.sync += raw_valid.eq(0)

    def _show_head(self, m: Module) -> None:
        """Make the records of the entries: a GAP_END is its time, then its count."""
        oldest, head = self.buffer.output, self.head
        kind, counts = oldest.payload.kind, self.end_timed
        ends = Signal()
        m.d.comb += [
            ends.eq(kind == EntryKind.GAP_END),
            head.valid.eq(oldest.valid),
            head.payload.record.eq(self._record(m, oldest.payload, counts)),
            head.payload.silent.eq(ends & ~counts),
            head.payload.follows.eq(counts | (kind == EntryKind.ATTACHED)),
            oldest.ready.eq(head.ready & (~ends | counts)),
            self.taken.eq(head.valid & head.ready & (kind == EntryKind.EVENT)),
        ]
        with m.If(head.valid & head.ready & ends):
            m.d.sync += counts.eq(~counts)
            with m.If(counts):
                m.d.sync += self.end_queued.eq(0)

    def _record(self, m: Module, entry: data.View, counts: Signal) -> Value:
        """Make the record of an entry."""
        types = {
            EntryKind.EVENT: self._event_type,
            EntryKind.GAP_BEGIN: RecordType.GAP_BEGIN,
            EntryKind.GAP_END: RecordType.GAP_END,
            EntryKind.ATTACHED: RecordType.FRAME,
        }
        record_type, channel = Signal(TYPE_BITS), Signal(CHANNEL_BITS)
        flagged = {EntryKind.ATTACHED}
        if self._event_type == RecordType.SYNC:
            flagged.add(EntryKind.EVENT)
        with m.Switch(entry.kind):
            for which, value in types.items():
                with m.Case(which):
                    m.d.comb += record_type.eq(value)
                    m.d.comb += channel.eq(entry.flag if which in flagged else self._channel)
        return Cat(Mux(counts, self.end_count, entry.body), channel, record_type)
