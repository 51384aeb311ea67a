import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOT_PS, SLOTS_PER_CYCLE
from keybeam_gateware.primitives import ecp5, portable
from keybeam_gateware.primitives.pll import plan_pll
from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent
X1 = SimpleNamespace(
    Clocks=ecp5.X1Clocks,
    LaneSerialiser=ecp5.X1LaneSerialiser,
    LaneDeserialiser=ecp5.X1LaneDeserialiser,
)


class Lanes(wiring.Component):
    """Two lanes of one family that send the same, and one that receives.

    Members
    -------
    word : In(4)
        What is sent.
    lines : Out(2)
        Both lines.
    incoming : In(1)
        Line of the receiver.
    samples : Out(4)
        What is sampled from it.
    """

    def __init__(self, family):
        self._family = family
        super().__init__(
            {
                "word": In(SLOTS_PER_CYCLE),
                "lines": Out(2),
                "incoming": In(1),
                "samples": Out(SLOTS_PER_CYCLE),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes = [self._family.LaneSerialiser() for _ in range(2)]
        m.submodules.receiver = receiver = self._family.LaneDeserialiser()
        if hasattr(receiver, "middle"):
            m.submodules.phase = phase = ecp5.WordPhase()
            m.d.comb += [each.middle.eq(phase.middle) for each in (*lanes, receiver)]
        for number, lane in enumerate(lanes):
            m.submodules[f"lane{number}"] = lane
            m.d.comb += [lane.word.eq(self.word), self.lines[number].eq(lane.line)]
        m.d.comb += [receiver.line.eq(self.incoming), self.samples.eq(receiver.word)]
        return m


class ClockedLanes(wiring.Component):
    """A `Lanes` with the family's own clocks.

    Members
    -------
    reference, reset : In(1)
        As of ``Clocks``.
    ready, clock : Out(1)
        As of ``Clocks``, and the clock of ``sync``.
    word, lines, incoming, samples
        As of `Lanes`.
    """

    def __init__(self, family, plan):
        self._family, self._plan = family, plan
        super().__init__(
            {
                "reference": In(1),
                "reset": In(1),
                "ready": Out(1),
                "clock": Out(1),
                "word": In(SLOTS_PER_CYCLE),
                "lines": Out(2),
                "incoming": In(1),
                "samples": Out(SLOTS_PER_CYCLE),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.domains.eclk = ClockDomain("eclk")
        m.submodules.clocks = clocks = self._family.Clocks(self._plan)
        m.submodules.lanes = lanes = Lanes(self._family)
        m.d.comb += [
            clocks.reference.eq(self.reference),
            clocks.reset.eq(self.reset),
            self.ready.eq(clocks.ready),
            self.clock.eq(ClockSignal("sync")),
            lanes.word.eq(self.word),
            self.lines.eq(lanes.lines),
            lanes.incoming.eq(self.incoming),
            self.samples.eq(lanes.samples),
        ]
        return m


@pytest.mark.parametrize("family", [ecp5, X1], ids=["x2", "x1"])
def test_ecp5_lanes(simulator, tmp_path, family):
    design = ClockedLanes(family, plan_pll(12_000_000, 312_500_000))
    verilog = emit_verilog(design, "bench", tmp_path / "bench.v")
    ran = run_cocotb(
        sources=[verilog, HERE / "ecp5_models.v"],
        toplevel="bench",
        test_module="cocotb_lanes",
        folder=tmp_path,
        simulator=simulator,
        test_folder=HERE,
    )
    assert ran == 4


def test_portable_lanes_carry_slots_in_order():
    design, top = Lanes(portable), Module()
    top.submodules.lanes = design
    top.d.comb += design.incoming.eq(design.lines[0])
    source = random.Random(1)
    words = [source.randrange(1 << SLOTS_PER_CYCLE) for _ in range(64)]
    sent = [word >> slot & 1 for word in words for slot in range(SLOTS_PER_CYCLE)]
    line, samples = [], []

    async def send(ctx):
        for word in [*words, *[0] * 8]:
            ctx.set(design.word, word)
            await ctx.tick()
            received = ctx.get(design.samples)
            samples.extend(received >> slot & 1 for slot in range(SLOTS_PER_CYCLE))

    async def watch(ctx):
        async for *_, lines in ctx.tick("slot").sample(design.lines):
            assert lines in (0, 3)
            line.append(lines & 1)

    simulator = Simulator(top)
    simulator.add_clock(1e-12 * SLOT_PS, domain="slot", phase=0)
    simulator.add_clock(1e-12 * FABRIC_PERIOD_PS, phase=0)
    simulator.add_testbench(send)
    simulator.add_process(watch)
    simulator.run()
    text = "".join(map(str, sent))
    assert "".join(map(str, line)).count(text) == 1
    assert "".join(map(str, samples)).count(text) == 1
