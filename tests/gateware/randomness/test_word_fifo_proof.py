"""Proofs of the FIFO: words leave once, in order and unchanged, and its flags tell the truth."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Mux, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.randomness.word_fifo import WordFifo

DEPTH, NUMBER_BITS = 8, 5
ENGINE = "smtbmc yices"


class InOrder(Elaboratable):
    """Every word is numbered as it is taken in; what comes out has to be the next number.

    Numbers go round after 32, four times as many as words can be held.
    """

    def __init__(self, fifo=WordFifo):
        self._fifo = fifo

    def elaborate(self, platform):
        m = Module()
        fifo = self._fifo(NUMBER_BITS, depth=DEPTH)
        rows = [fifo._memory.read_port(domain="comb") for _ in range(DEPTH)]
        m.submodules.fifo = fifo
        entered, left = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        accepted, taken = Signal(), Signal()
        m.d.comb += [
            fifo.arrives.eq(AnySeq(1)),
            fifo.half.eq(AnySeq(1)),
            fifo.clear.eq(AnySeq(1)),
            fifo.output.ready.eq(AnySeq(1)),
            fifo.word.eq(entered),
            accepted.eq(fifo.arrives & ~fifo.dropped & ~fifo.clear),
            taken.eq(fifo.output.valid & fifo.output.ready),
        ]
        m.d.sync += [
            entered.eq(entered + accepted),
            left.eq(Mux(fifo.clear, entered, left + taken)),
        ]
        held = Signal(NUMBER_BITS)
        m.d.comb += [
            held.eq(entered - left),
            Assert(fifo.level == held),
            Assert(fifo.level <= DEPTH),
            Assert(~fifo.output.valid | (fifo.output.payload == left)),
            Assert(~fifo.output.valid | (fifo.level != 0)),
            Cover(fifo.level == DEPTH),
            Cover(fifo.dropped & fifo.output.valid),
        ]
        self._room(m, fifo)
        self._promptness(m, fifo)
        self._inside(m, fifo, rows, left)
        return m

    def _room(self, m, fifo):
        """A word is dropped only when there is hardly any room, and never held beyond the room."""
        half_before, settled = Signal(2), Signal()
        m.d.sync += [half_before.eq(half_before << 1 | fifo.half), settled.eq(~fifo.clear)]
        m.d.comb += Assert(
            ~(fifo.dropped & settled)
            | (fifo.level >= DEPTH - 2)
            | (half_before[1] & (fifo.level >= DEPTH // 2 - 2))
        )

    def _promptness(self, m, fifo):
        """A word that is held comes out some cycles later."""
        waited = Signal(4)
        with m.If(fifo.output.valid | (fifo.level == 0) | fifo.clear):
            m.d.sync += waited.eq(0)
        with m.Else():
            m.d.sync += waited.eq(waited + 1)
        m.d.comb += Assert(waited <= 4)
        stages = Signal(3)
        m.d.comb += stages.eq(
            Mux(fifo._nearer_valid, 4, Mux(fifo._fetched_valid, 3, Mux(fifo._some, 2, 1)))
        )
        m.d.comb += Assert((waited < stages) | (fifo.level == 0) | fifo.output.valid)

    def _inside(self, m, fifo, rows, left):
        """What holds inside, without which the induction would begin in states that never are."""
        stored, outstanding = fifo._stored, fifo._outstanding
        fetched_first = Signal(NUMBER_BITS)
        m.d.comb += [
            fetched_first.eq(left + fifo._waiting + fifo._nearer_valid),
            Assert(outstanding == fifo._waiting + fifo._nearer_valid + fifo._fetched_valid),
            Assert(outstanding <= len(fifo._queue)),
            Assert(fifo.level == stored + outstanding),
            Assert(stored[:3] == (fifo._write_address - fifo._read_address)[:3]),
            Assert(~fifo._some | (stored != 0)),
            Assert(~fifo._room | (fifo.level < DEPTH)),
            Assert(~fifo._fetched_valid | (fifo._fetched == fetched_first)),
            Assert(~fifo._nearer_valid | (fifo._nearer == (left + fifo._waiting)[:NUMBER_BITS])),
        ]
        for place, word in enumerate(fifo._queue):
            expected = Signal(NUMBER_BITS, name=f"expected_queue_{place}")
            m.d.comb += expected.eq(left + place)
            m.d.comb += Assert((fifo._waiting <= place) | (word == expected))
        for address, row in enumerate(rows):
            offset = Signal(3, name=f"offset_{address}")
            expected = Signal(NUMBER_BITS, name=f"expected_row_{address}")
            m.d.comb += [
                row.addr.eq(address),
                offset.eq(address - fifo._read_address),
                expected.eq(left + outstanding + offset),
                Assert((offset >= stored) | (row.data == expected)),
            ]


def test_words_leave_once_and_in_order_and_the_flags_are_right(tmp_path):
    assert_proved(InOrder(), depth=2, folder=tmp_path, engine=ENGINE)
    assert_reached(InOrder(), depth=16, folder=tmp_path, engine=ENGINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.level < limit)", "self.level <= self._depth)"),
        ("self._outstanding < _QUEUE)", "self._outstanding <= _QUEUE)"),
        ("((self._stored == 1) & ~fetch)", "(self._stored == 1)"),
        ("waiting == Mux(taken, place + 1, place)", "waiting == place"),
        ("self._write_address + accept", "self._write_address + self.arrives"),
        ("self.dropped.eq(self.arrives & ~self._room & ~self.clear)", "self.dropped.eq(0)"),
    ],
    ids=["full", "queue full", "empty", "moved", "overwritten", "dropped in silence"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.randomness.word_fifo", old, new)
    assert_refuted(InOrder(faulty.WordFifo), depth=16, folder=tmp_path, engine=ENGINE)
