"""No event is lost without a mark: in = out + dropped, and gap records bracket every loss."""

from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq, Initial
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.records import Channel, RecordType
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.receiver.channel_fifo import LOST_BITS, ChannelFifo, EntryKind

MODULE = "keybeam_gateware.receiver.channel_fifo"
DEPTH = 16
WAY = 6
"""Cycles in which an entry comes to the head."""


class Accounted(Elaboratable):
    """Events of any weight at any time, with a reader that may wait for ever."""

    def __init__(self, block=ChannelFifo):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block(
            channel=Channel.H, event_type=RecordType.TAG, depth=DEPTH
        )
        events = block.events
        m.d.comb += [
            block.enable.eq(AnySeq(1)),
            events.valid.eq(AnySeq(1)),
            events.weight.eq(AnySeq(2)),
            events.coarse.eq(AnySeq(40)),
            block.head.ready.eq(AnySeq(1)),
            Assume(events.weight != 0),
        ]
        self._account(m, block)
        self._conserve(m, block)
        self._bracket(m, block)
        return m

    def _account(self, m, block):
        """Every event that arrives becomes an entry, or is dropped; none does both."""
        entered = Signal()
        m.d.comb += [
            entered.eq(block.write & (block.kind.as_value() == EntryKind.EVENT.value)),
            Assert(block.arrived == block.dropped + entered),
        ]

    def _conserve(self, m, block):
        """Every entry leaves once: none is overwritten, none left behind, none given twice."""
        waiting = Signal(range(4 * DEPTH))
        shown, spare = block.head.valid, block.buffer.spare_valid
        written = Signal()
        m.d.sync += written.eq(block.write)
        recent = [delayed(m, block.write, ago) for ago in range(1, WAY + 1)]
        m.d.comb += [
            waiting.eq(block.stored + block.arriving + block.raw_valid + shown + spare),
            Assert(block.level == waiting),
            Assert(shown | ~spare),
            # With nothing at the head, all that waits is on its way: it does so in `WAY` cycles,
            # and what is there shows as soon as the one before was taken.
            Assert(shown | (block.level <= sum(recent))),
            # What was added in the last cycle is not in the level yet.
            Assert(block.level + written <= Mux(block.in_gap, DEPTH - 5, DEPTH - 6)),
            Assert(~block.fetched | (block.stored != 0)),
            Cover(block.level > DEPTH - 8),
        ]

    def _bracket(self, m, block):
        """Losses lie between a GAP_BEGIN and the GAP_END that counts them."""
        begins = block.write & (block.kind.as_value() == EntryKind.GAP_BEGIN.value)
        ends = block.write & (block.kind.as_value() == EntryKind.GAP_END.value)
        lost, told, due = Signal(LOST_BITS), Signal(LOST_BITS), Signal()
        told_before = Signal(LOST_BITS)
        was_open, began, ended, due_before = Signal(), Signal(), Signal(), Signal()
        half, lost_before, dropped_before = LOST_BITS // 2, Signal(LOST_BITS), Signal(2)
        m.d.sync += [
            lost.eq(Mux(begins, 0, lost) + block.dropped),
            was_open.eq(block.in_gap),
            began.eq(begins),
            ended.eq(ends),
            due_before.eq(ended),
            due.eq(due_before),
            lost_before.eq(lost),
            told_before.eq(told),
            dropped_before.eq(block.dropped),
        ]
        with m.If(ends):
            m.d.sync += told.eq(lost + block.dropped)
        m.d.comb += [
            Assert((block.dropped == 0) | begins | block.in_gap),
            Assert(~begins | ~block.in_gap),
            Assert(~ends | block.in_gap),
            # A gap is open from its GAP_BEGIN to its GAP_END.
            Assert(Initial() | (block.in_gap == ((was_open | began) & ~ended))),
            Assert(lost == (Mux(began, 0, lost_before) + dropped_before)[:LOST_BITS]),
            Assert(block.lost_low == lost[:half]),
            Assert(block.lost_high == lost_before[half:]),
            Assert(~due | (block.end_count == told_before)),
            Cover(ends),
        ]


def test_in_is_out_and_dropped_and_gap_records_bracket_every_loss(tmp_path):
    assert_proved(Accounted(), depth=8, folder=tmp_path)
    assert_reached(Accounted(), depth=24, folder=tmp_path)


def test_an_event_that_vanishes_in_a_gap_is_caught(tmp_path):
    faulty = mutated(MODULE, "self.dropped.eq(self.arrived)", "self.dropped.eq(0)")
    assert_refuted(Accounted(faulty.ChannelFifo), depth=16, folder=tmp_path)


def test_a_gap_without_a_beginning_is_caught(tmp_path):
    faulty = mutated(MODULE, "kind.eq(EntryKind.GAP_BEGIN)", "kind.eq(EntryKind.GAP_END)")
    assert_refuted(Accounted(faulty.ChannelFifo), depth=16, folder=tmp_path)


def test_an_entry_that_is_given_twice_is_caught(tmp_path):
    faulty = mutated(MODULE, "(stored == 1) & ~load", "(stored == 1)")
    assert_refuted(Accounted(faulty.ChannelFifo), depth=12, folder=tmp_path)


def test_a_wrong_count_of_a_gap_is_caught(tmp_path):
    faulty = mutated(MODULE, "Mux(began, 0, low) + more", "low + more")
    assert_refuted(Accounted(faulty.ChannelFifo), depth=24, folder=tmp_path)
