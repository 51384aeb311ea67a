"""Proofs that hold pass, those that do not fail, and those that did not run are neither."""

import importlib
import sys

import pytest
from amaranth.hdl import Assert, Assume, Const, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from proofs import ProofError, assert_proved, assert_reached, assert_refuted, mutated, prove

FIFO = "amaranth.lib.fifo"


class FifoProof(Elaboratable):
    """The level of a FIFO counts what is in it, and its flags tell the truth about that."""

    def __init__(self, fifo=SyncFIFO, depth=3):
        self._fifo, self._depth = fifo, depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = self._fifo(width=4, depth=self._depth)
        m.d.comb += [
            fifo.w_en.eq(AnySeq(1)),
            fifo.w_data.eq(AnySeq(4)),
            fifo.r_en.eq(AnySeq(1)),
        ]
        inside = Signal(range(self._depth + 1))
        m.d.sync += inside.eq(inside + (fifo.w_en & fifo.w_rdy) - (fifo.r_en & fifo.r_rdy))
        m.d.comb += [
            Assert(fifo.level == inside),
            Assert(fifo.level <= self._depth),
            Assert(fifo.w_rdy == (inside != self._depth)),
            Assert(fifo.r_rdy == (inside != 0)),
            Cover(inside == self._depth),
        ]
        return m


class Counter(wiring.Component):
    """Counts up, and must never get to `forbidden`."""

    go: In(1)
    count: Out(4)

    def __init__(self, forbidden=15, *, wrong=False):
        self._forbidden, self._wrong = forbidden, wrong
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        with m.If(self.go & (self.count != 9)):
            m.d.sync += self.count.eq(self.count + 1)
        m.d.comb += Assert(self.count != self._forbidden)
        if self._wrong:
            m.d.comb += [Assume(self.count == 1), Assume(self.count == 2)]
        return m


class Unreachable(Elaboratable):
    def elaborate(self, platform):
        m = Module()
        m.d.comb += Cover(Const(0))
        return m


@pytest.mark.parametrize("engine", ["smtbmc z3", "smtbmc yices"])
def test_fifo_is_proved(tmp_path, engine):
    assert_proved(FifoProof(), depth=2, folder=tmp_path, engine=engine)


def test_fifo_is_proved_with_a_reset_at_any_time(tmp_path):
    assert_proved(FifoProof(), depth=2, folder=tmp_path, resets=True)


def test_fifo_can_become_full(tmp_path):
    assert_reached(FifoProof(), depth=6, folder=tmp_path)


def test_a_planted_fault_is_caught_by_the_assertion_about_it(tmp_path):
    faulty = mutated(FIFO, "self.w_rdy.eq(self.level != self.depth),", "self.w_rdy.eq(1),")
    proof = FifoProof(faulty.SyncFIFO)
    assert_refuted(proof, depth=6, folder=tmp_path, by="fifo.w_rdy == (inside != self._depth)")


def test_the_module_itself_stays_sound(tmp_path):
    mutated(FIFO, "self.w_rdy.eq(self.level != self.depth),", "self.w_rdy.eq(1),")
    assert importlib.import_module(FIFO).SyncFIFO is SyncFIFO
    assert_proved(FifoProof(), depth=2, folder=tmp_path)


def test_a_fault_reaches_the_modules_loaded_through_it():
    pll, cells = "keybeam_gateware.primitives.pll", "keybeam_gateware.primitives.ecp5.clocks"
    faulty = mutated(pll, "class PllStage:", "class PllStage(tuple):", through=[cells])
    sound = importlib.import_module(cells)
    assert issubclass(faulty.PllStage, tuple)
    assert not issubclass(sound.PllStage, tuple)
    assert sys.modules[cells] is sound


@pytest.mark.parametrize("old", ["no such text", "self.level"])
def test_a_fault_must_have_one_place(old):
    with pytest.raises(ValueError, match="times in"):
        mutated(FIFO, old, "")


def test_inputs_of_a_component_are_free(tmp_path):
    outcome = prove(Counter(forbidden=3), depth=5, folder=tmp_path)
    assert not outcome.passed
    assert all(place.startswith(__file__) for place in outcome.failed)


def test_an_assertion_that_only_induction_breaks_is_no_answer(tmp_path):
    with pytest.raises(ProofError, match="not inductive"):
        prove(Counter(), depth=3, folder=tmp_path)


def test_contradicting_assumptions_are_no_proof(tmp_path):
    with pytest.raises(ProofError, match="no answer"):
        prove(Counter(wrong=True), depth=3, folder=tmp_path)


def test_a_design_without_assertion_is_no_proof(tmp_path):
    with pytest.raises(ProofError, match="no assert statement"):
        prove(Unreachable(), depth=3, folder=tmp_path)


def test_what_cannot_be_reached_is_told(tmp_path):
    outcome = prove(Unreachable(), depth=3, folder=tmp_path, mode="cover")
    assert not outcome.passed
    assert len(outcome.failed) == 1


def test_a_missing_solver_is_no_answer(tmp_path):
    with pytest.raises(ProofError, match="no answer"):
        prove(FifoProof(), depth=2, folder=tmp_path, engine="smtbmc nosuchsolver")


def test_a_proof_out_of_time_is_no_answer(tmp_path):
    with pytest.raises(ProofError, match="no answer"):
        prove(FifoProof(depth=64), depth=200, folder=tmp_path, mode="bmc", time_limit_s=1)
