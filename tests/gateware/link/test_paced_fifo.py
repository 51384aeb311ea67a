"""Nothing is lost, doubled or reordered in the link's memories, and their level is the truth."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnyConst, AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.link import paced_fifo

WIDTH, DEPTH, NUMBER_BITS = 2, 4, 5


class FifoProof(Elaboratable):
    """Follows one item, whichever, by its number."""

    def __init__(self, module=paced_fifo):
        self._module = module

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = self._module.PacedFifo(WIDTH, depth=DEPTH)
        number = Signal(NUMBER_BITS)  # that of the item followed, modulo a multiple of the depth
        written, given, held = (Signal(NUMBER_BITS) for _ in range(3))
        item, offered, waits = Signal(WIDTH), Signal(WIDTH), Signal()
        memory = fifo.memory.read_port(domain="comb")
        m.d.comb += [
            fifo.input.valid.eq(AnySeq(1)),
            fifo.input.payload.eq(AnySeq(WIDTH)),
            fifo.output.ready.eq(AnySeq(1)),
            number.eq(AnyConst(NUMBER_BITS)),
            memory.addr.eq(number),
            held.eq(written - given),
        ]
        with m.If(fifo.input.valid & fifo.input.ready):
            m.d.sync += written.eq(written + 1)
            with m.If(written == number):
                m.d.sync += item.eq(fifo.input.payload)
        with m.If(fifo.output.valid & fifo.output.ready):
            m.d.sync += given.eq(given + 1)
        m.d.sync += [
            offered.eq(fifo.output.payload),
            waits.eq(fifo.output.valid & ~fifo.output.ready),
        ]
        inside, oldest = Signal(), Signal()
        m.d.comb += [
            inside.eq((number - given)[:NUMBER_BITS] < held),
            oldest.eq(inside & (number == given)),
        ]
        m.d.comb += [
            Assert(fifo.level == held),
            Assert(held <= DEPTH),
            Assert(~fifo.output.valid | (held != 0)),
            Assert(~(fifo.output.valid & oldest) | (fifo.output.payload == item)),
            Assert(~waits | fifo.output.valid & (fifo.output.payload == offered)),
            # For the induction: where the item is, and what the flags know.
            Assert(fifo.write_address == written[: len(fifo.write_address)]),
            Assert(fifo.read_address == given[: len(fifo.read_address)]),
            Assert(~inside | (memory.data == item)),
            Assert(~(fifo.fresh & oldest) | (fifo.fetched == item)),
            Assert(~fifo.fresh | (held != 0)),
            Assert(~fifo.output.valid | fifo.fresh),
            Assert(~fifo.input.ready | (held < DEPTH)),
            Cover(held == DEPTH),
            Cover((given == 6) & (item == 3) & fifo.output.valid & oldest),
        ]
        return m


def test_memory_of_the_link(tmp_path):
    assert_proved(FifoProof(), depth=3, folder=tmp_path)
    assert_reached(FifoProof(), depth=25, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.level < self._depth - 1", "self.level < self._depth"),
        ("self.read_address + taken", "self.read_address + self.fresh"),
        ("self.level + accept - taken", "self.level + accept - self.output.ready"),
        ("self.fresh.eq((self.level != 0) & ~taken)", "self.fresh.eq(self.level != 0)"),
        ("self.output.valid.eq(self.fresh & ~taken)", "self.output.valid.eq(self.fresh)"),
        ("write.en.eq(accept)", "write.en.eq(self.input.valid)"),
    ],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.link.paced_fifo", old, new)
    assert_refuted(FifoProof(faulty), depth=14, folder=tmp_path)
