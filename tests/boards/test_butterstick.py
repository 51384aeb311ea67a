"""Memory and supplies of the ButterStick, the latter against the board's resistors."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from keybeam_boards.crossings import crossing_violations, find_crossings
from keybeam_boards.dram import DRAM_LOG_FRAMES, add_ddr3
from keybeam_boards.platforms.butterstick import ButterstickPlatform
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES
from keybeam_boards.supplies import AdjustableSupplies, control_fraction
from keybeam_boards.tops import ReceiverTop
from keybeam_gateware.transmitter.log import LogBackend, StateLog


class Silent(wiring.Component):
    """A terminal that does nothing."""

    uart_rx: In(1, init=1)
    uart_tx: Out(1, init=1)

    def elaborate(self, platform):
        return Module()


class MemoryTop(ReceiverTop):
    """A state log in the board's memory, and nothing else."""

    def _add_lanes(self, m, platform, terminal):
        m.submodules.log = log = StateLog(DRAM_LOG_FRAMES, backend=LogBackend.DDR3)
        reference_hz = self.clocks["reference"]
        add_ddr3(m, platform, log.memory, self._reference_input, reference_hz)


def test_crossings_to_the_memory_are_reviewed_ones():
    platform = ButterstickPlatform()
    top = MemoryTop(platform, Silent(), SLOT_RATES[DEFAULT_SLOT_RATE])
    found = find_crossings(platform, top)
    memory = {one for one in found if "dram" in (one.source, one.clock)}
    # Words beside their pointer, and the line that was read, which stands still when its turn is
    # seen: the two that rest on the logic around them, which `test_crossing` and `test_bridge` try.
    reasoned = {("ddrN.bridge.crossing", "sync", "dram"), ("ddrN.bridge", "dram", "sync")}
    assert {(one.module, one.source, one.clock) for one in memory} == {
        *reasoned,
        ("ddrN.bridge.crossing.written_there", "sync", "dram"),
        ("ddrN.bridge.crossing.read_back", "dram", "sync"),
        ("ddrN.bridge.turn_seen", "dram", "sync"),
        ("ddrN.bridge.initialised_here", "dram", "sync"),
        ("ddrN.bridge.passed_here", "dram", "sync"),
    }
    others = {one[:3] for one in memory if one.primitive != "FFSynchronizer"}
    assert others == reasoned
    assert crossing_violations(found) == []


@pytest.mark.parametrize("volts", [1.2, 1.8, 2.5, 3.3])
def test_a_supply_gets_its_voltage(volts):
    # What the feedback node of the converter sees, by Kirchhoff's law.
    pin = control_fraction(volts) * 3.3
    node = (pin / 68e3 + volts / 53.6e3) / (1 / 68e3 + 1 / 53.6e3 + 1 / 13e3)
    assert node == pytest.approx(0.6)


@pytest.mark.parametrize("volts", [0.9, 3.4])
def test_a_voltage_out_of_range_is_refused(volts):
    with pytest.raises(ValueError, match="cannot be supplied"):
        control_fraction(volts)


def test_supplies_are_switched_on_when_their_control_has_settled():
    clock_hz = 1_000_000
    dut = AdjustableSupplies((2.5, 3.3), clock_hz)
    high = [0, 0]

    async def watch(ctx):
        await ctx.tick().repeat(1024)
        for _ in range(4096):
            for pin in range(2):
                high[pin] += ctx.get(dut.control[pin])
            await ctx.tick()
        assert not ctx.get(dut.enable)
        cycles = 5120
        while not ctx.get(dut.enable):
            await ctx.tick()
            cycles += 1
        assert 7 * 68e3 * 0.1e-6 < cycles / clock_hz < 0.1
        assert not ctx.get(dut.good)
        await ctx.tick().repeat(clock_hz // 1000 + 2)
        assert ctx.get(dut.good)

    simulator = Simulator(dut)
    simulator.add_clock(1 / clock_hz)
    simulator.add_testbench(watch)
    simulator.run()
    for count, volts in zip(high, (2.5, 3.3), strict=True):
        assert count / 4096 == pytest.approx(control_fraction(volts), abs=2e-3)
