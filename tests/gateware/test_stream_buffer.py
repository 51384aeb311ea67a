"""Nothing is lost, doubled or reordered between blocks, and nothing outlives a clear."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnyConst, AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware import stream_buffer

WIDTH, NUMBER_BITS = 2, 4


class BufferProof(Elaboratable):
    """Follows one item, whichever, by its number among those that were not dropped."""

    def __init__(self, module=stream_buffer):
        self._module = module

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = self._module.StreamBuffer(WIDTH)
        taken, given, number = (Signal(NUMBER_BITS) for _ in range(3))
        item, offered, waits, flush = Signal(WIDTH), Signal(WIDTH), Signal(), Signal()
        accept, leaves, held = Signal(), Signal(), Signal(NUMBER_BITS)
        m.d.comb += [
            buffer.input.valid.eq(AnySeq(1)),
            buffer.input.payload.eq(AnySeq(WIDTH)),
            buffer.output.ready.eq(AnySeq(1)),
            buffer.flush.eq(AnySeq(1)),
            buffer.clear.eq(AnySeq(1)),
            flush.eq(buffer.flush | buffer.clear),
            number.eq(AnyConst(NUMBER_BITS)),
            accept.eq(buffer.input.valid & buffer.input.ready),
            leaves.eq(buffer.output.valid & buffer.output.ready),
            held.eq(taken - given),
        ]
        keeps = buffer.output.valid & ~leaves & ~buffer.clear
        m.d.sync += [
            taken.eq(taken + accept),
            given.eq(given + leaves),
            offered.eq(buffer.output.payload),
            waits.eq(keeps),
        ]
        with m.If(accept & (taken == number)):
            m.d.sync += item.eq(buffer.input.payload)
        with m.If(flush):  # what was dropped was never taken
            m.d.sync += taken.eq(given + leaves + keeps)
        oldest, youngest = Signal(), Signal()
        m.d.comb += [
            oldest.eq((held != 0) & (number == given)),
            youngest.eq((held == 2) & (number == (given + 1)[:NUMBER_BITS])),
            Assert(held == buffer.output.valid + buffer.spare_valid),
            Assert(~oldest | (buffer.output.payload == item)),
            Assert(~waits | buffer.output.valid & (buffer.output.payload == offered)),
            # For the induction: where the item behind is.
            Assert(~buffer.spare_valid | buffer.output.valid),
            Assert(~youngest | (buffer.spare == item)),
            Cover((given == 4) & (item == 3) & buffer.output.valid & oldest),
            Cover(buffer.spare_valid & buffer.flush),
        ]
        return m


def test_buffer(tmp_path):
    assert_proved(BufferProof(), depth=2, folder=tmp_path)
    assert_reached(BufferProof(), depth=12, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.input.ready.eq(room)", "self.input.ready.eq(1)"),
        ("& ~self.spare_valid & ~self.flush", "& ~self.spare_valid"),
        ("(self.spare_valid & ~self.flush) | accept", "self.spare_valid | accept"),
        ("offered.ready | ~offered.valid", "offered.ready"),
        ("room.eq(1),\n            ]\n        with m.Else", "]\n        with m.Else"),
        ("[offered.valid.eq(0), room.eq(1)]", "[room.eq(1)]"),
    ],
    ids=["no room", "takes", "spare stays", "never fills", "twice", "not withdrawn"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.stream_buffer", old, new)
    assert_refuted(BufferProof(faulty), depth=10, folder=tmp_path)


class SlicedProof(Elaboratable):
    """Compares a buffer in slices with one in one piece, cycle by cycle."""

    def __init__(self, module=stream_buffer):
        self._module = module

    def elaborate(self, platform):
        m = Module()
        m.submodules.sliced = sliced = self._module.SlicedBuffer(3 * WIDTH + 1, slices=3)
        m.submodules.whole = whole = stream_buffer.StreamBuffer(3 * WIDTH + 1)
        m.d.comb += [
            whole.input.valid.eq(AnySeq(1)),
            whole.input.payload.eq(AnySeq(3 * WIDTH + 1)),
            whole.output.ready.eq(AnySeq(1)),
            sliced.input.valid.eq(whole.input.valid),
            sliced.input.payload.eq(whole.input.payload),
            sliced.output.ready.eq(whole.output.ready),
            Assert(sliced.input.ready == whole.input.ready),
            Assert(sliced.output.valid == whole.output.valid),
            Assert(sliced.output.payload == whole.output.payload),
            Assert(sliced.spare == whole.spare),
            *(Assert(part.spare_valid == whole.spare_valid) for part in sliced.slices),
            *(Assert(part.output.valid == whole.output.valid) for part in sliced.slices),
            Cover(whole.spare_valid & (whole.spare == 0x55)),
        ]
        return m


def test_slices_do_what_one_piece_does(tmp_path):
    assert_proved(SlicedProof(), depth=3, folder=tmp_path)
    assert_reached(SlicedProof(), depth=6, folder=tmp_path)


def test_a_slice_that_does_not_wait_is_caught(tmp_path):
    faulty = mutated(
        stream_buffer.__name__,
        "part.output.ready.eq(self.output.ready)",
        "part.output.ready.eq(self.output.ready | (number == 1))",
    )
    assert_refuted(SlicedProof(faulty), depth=6, folder=tmp_path)
