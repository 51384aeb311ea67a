"""A source of raw words, checked by its health tests."""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.randomness import WORD_BITS
from keybeam_gateware.randomness.gate import GateState, HealthGate
from keybeam_gateware.randomness.health import HealthTests
from keybeam_gateware.randomness.injection import INJECTION_LAYOUT, FaultInjector
from keybeam_gateware.randomness.layouts import ALARMS_LAYOUT, CUTOFFS_LAYOUT, random_layout

__all__ = ["CheckedSource"]


class CheckedSource(wiring.Component):
    """Fault injection, health tests and gate of one source.

    Parameters
    ----------
    tests : HealthTests, optional
        The tests, when their windows shall be others than usual.

    Members
    -------
    raw : In(16)
        Bits of the source.
    raw_valid : In(1)
        There are some in this cycle.
    injection : In(INJECTION_LAYOUT)
        Fault to inject.
    cutoffs : In(CUTOFFS_LAYOUT)
        Counts that raise the alarms.
    hold, restart, again : In(1)
        See `HealthGate`.
    word : Out(random_layout(16))
        Words that passed; live unless a fault was injected.
    word_valid : Out(1)
        There is one in this cycle.
    raised : Out(ALARMS_LAYOUT)
        Alarms that lead to a hard stop, in the one cycle before it.
    state : Out(GateState)
        How far the source has come.
    injecting : Out(1)
        A fault is injected.
    """

    def __init__(self, tests: HealthTests | None = None) -> None:
        self._tests = tests or HealthTests()
        super().__init__(
            {
                "raw": In(WORD_BITS),
                "raw_valid": In(1),
                "injection": In(INJECTION_LAYOUT),
                "cutoffs": In(CUTOFFS_LAYOUT),
                "hold": In(1),
                "restart": In(1),
                "again": In(1),
                "word": Out(random_layout(WORD_BITS)),
                "word_valid": Out(1),
                "raised": Out(ALARMS_LAYOUT),
                "state": Out(GateState),
                "injecting": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tests = self._tests
        m.submodules.injector = injector = FaultInjector()
        m.submodules.gate = gate = HealthGate()
        m.submodules.tests = ResetInserter(gate.clear)(tests)
        m.d.comb += [
            injector.injection.eq(self.injection),
            injector.raw.eq(self.raw),
            injector.raw_valid.eq(self.raw_valid),
            tests.word.eq(injector.word),
            tests.valid.eq(injector.word_valid),
            tests.cutoffs.eq(self.cutoffs),
            gate.tested.eq(tests.tested),
            gate.tested_valid.eq(tests.tested_valid),
            gate.alarms.eq(tests.alarms),
            gate.window_ended.eq(tests.window_ended),
            gate.hold.eq(self.hold),
            gate.restart.eq(self.restart),
            gate.again.eq(self.again),
            self.word.eq(gate.word),
            self.word_valid.eq(gate.word_valid),
            self.raised.eq(gate.raised),
            self.state.eq(gate.state),
            self.injecting.eq(injector.active),
        ]
        return m
