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
        held, held_before = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        m.d.sync += held_before.eq(Mux(fifo.clear, 0, held))
        m.d.comb += [
            held.eq(entered - left),
            Assert(fifo.level == held_before),
            Assert(held <= DEPTH),
            Assert(~fifo.output.valid | (fifo.output.payload == left)),
            Assert(~fifo.output.valid | (fifo.level != 0)),
            Cover(fifo.level == DEPTH),
            Cover(fifo.dropped & fifo.output.valid),
        ]
        self._room(m, fifo)
        self._promptness(m, fifo, held)
        self._inside(m, fifo, rows, left, held)
        return m

    def _room(self, m, fifo):
        """A word is dropped only when there is hardly any room, and never held beyond the room."""
        half_before, settled = Signal(2), Signal()
        m.d.sync += [half_before.eq(half_before << 1 | fifo.half), settled.eq(~fifo.clear)]
        m.d.comb += Assert(
            ~(fifo.dropped & settled)
            | (fifo.level >= DEPTH - 3)
            | (half_before[1] & (fifo.level >= DEPTH // 2 - 3))
        )

    def _promptness(self, m, fifo, held):
        """A word that is held comes out some cycles later."""
        waited = Signal(4)
        with m.If(fifo.output.valid | (held == 0) | fifo.clear):
            m.d.sync += waited.eq(0)
        with m.Else():
            m.d.sync += waited.eq(waited + 1)
        m.d.comb += Assert(waited <= 5)
        stages = Signal(3)
        with m.If(fifo._nearer_valid):
            m.d.comb += stages.eq(5)
        with m.Elif(fifo._fetched_valid):
            m.d.comb += stages.eq(4)
        with m.Elif(fifo._some):
            m.d.comb += stages.eq(3)
        with m.Else():
            m.d.comb += stages.eq(1 + (fifo._stored != 0))
        m.d.comb += Assert((waited < stages) | (held == 0) | fifo.output.valid)

    def _inside(self, m, fifo, rows, left, held):
        """What holds inside, without which the induction would begin in states that never are."""
        stored, outstanding = fifo._stored, fifo._outstanding
        fetched_first, newest = Signal(NUMBER_BITS), Signal(NUMBER_BITS)
        holding = fifo._holding
        waiting = sum(holding)
        m.d.comb += [
            Assert((holding & (holding + 1)) == 0),
            newest.eq(left + stored + outstanding),
            fetched_first.eq(left + waiting + fifo._nearer_valid),
            Assert(outstanding == waiting + fifo._nearer_valid + fifo._fetched_valid),
            Assert(outstanding <= len(fifo._queue)),
            Assert(fifo.level == stored + outstanding + fifo._left),
            Assert(
                ~fifo._entered | (fifo._entered_word == (left + stored + outstanding)[:NUMBER_BITS])
            ),
            Assert(held == stored + outstanding + fifo._entered),
            Assert(fifo.level + fifo._entered <= DEPTH),
            Assert(stored[:3] == (fifo._write_address - fifo._read_address)[:3]),
            Assert(~fifo._some | (stored != 0)),
            Assert(~fifo._room | (fifo.level + fifo._entered < DEPTH)),
            Assert(~fifo._fetched_valid | (fifo._fetched == fetched_first)),
            Assert(~fifo._nearer_valid | (fifo._nearer == (left + waiting)[:NUMBER_BITS])),
        ]
        for place, word in enumerate(fifo._queue):
            expected = Signal(NUMBER_BITS, name=f"expected_queue_{place}")
            m.d.comb += expected.eq(left + place)
            m.d.comb += Assert(~holding[place] | (word == expected))
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
        ("left = Mux(taken, holding[1:], holding)", "left = holding"),
        ("self._entered.eq(accept)", "self._entered.eq(self.arrives)"),
        ("self.dropped.eq(self.arrives & ~self._room & ~self.clear)", "self.dropped.eq(0)"),
    ],
    ids=["full", "queue full", "empty", "moved", "overwritten", "dropped in silence"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.randomness.word_fifo", old, new)
    assert_refuted(InOrder(faulty.WordFifo), depth=16, folder=tmp_path, engine=ENGINE)
