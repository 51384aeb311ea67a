from types import SimpleNamespace

import numpy as np
import pytest

from keybeam.protocol.slot_phase import RAMP_CYCLES, SLOT_FRACTION_BITS, SLOT_PHASE_BITS
from keybeam.timing import SlotClockSettings
from keybeam_gateware.receiver.slot_clock import SlotClock

SHIFT = SLOT_FRACTION_BITS - SLOT_PHASE_BITS


def run(bench, schedule, first, cycles):
    """Phases and `armed` in cycles from `first` on; `schedule` maps cycles to settings to arm."""
    dut = SlotClock()
    found = SimpleNamespace(phase=[], armed=[])
    busy = max(schedule) + 300

    async def testbench(ctx):
        for cycle in range(first, first + cycles):
            if cycle <= busy:
                ctx.set(dut.cycle, cycle % (1 << 40))
                ctx.set(dut.arm, cycle in schedule)
            if cycle in schedule:
                for name in ("at", "offset", "increment", "ramp"):
                    ctx.set(getattr(dut, name), getattr(schedule[cycle], name))
            _, _, phase, armed = await ctx.tick().sample(dut.phase, dut.armed)
            found.phase.append(phase)
            found.armed.append(armed)

    bench.run(dut, testbench)
    return found


def expected(settings, first, cycles):
    """Phase outputs for cycles from `first`, by the host's formula."""
    since = [cycle - SlotClock.LATENCY - settings.at for cycle in range(first, first + cycles)]
    return [settings.phase(n) >> SHIFT for n in since]


def test_phase_is_that_of_the_host_to_the_bit_over_several_ramps(bench):
    rng = np.random.default_rng(3)
    at, cycles = 60, 2 * RAMP_CYCLES + 400
    settings = SlotClockSettings(
        at, int(rng.integers(1 << SLOT_FRACTION_BITS)), -112_589_990_684, 400_003
    )
    found = run(bench, {20: settings}, 0, cycles)
    begin = at + SlotClock.LATENCY
    assert found.phase[begin:] == expected(settings, begin, cycles - begin)


@pytest.mark.parametrize("first", [(1 << 20) - 150, (1 << 40) - 150])
def test_settings_change_at_the_cycle_they_name_and_not_before(bench, first):
    one = SlotClockSettings((first + 100) % (1 << 40), 5 << 40, 1 << 38, 0)
    two = SlotClockSettings((first + 400) % (1 << 40), 99 << 40, -(1 << 37), -1000)
    found = run(bench, {first + 20: one, first + 200: two}, first, 600)
    begin, change = 100 + SlotClock.LATENCY, 400 + SlotClock.LATENCY
    assert found.phase[begin:change] == [one.phase(n) >> SHIFT for n in range(300)]
    assert found.phase[change:] == [two.phase(n) >> SHIFT for n in range(600 - change)]
    armed = np.array(found.armed)
    assert np.flatnonzero(np.diff(armed)).tolist() == [20, 101, 200, 401]


def test_a_cycle_that_has_passed_is_not_taken_and_stays_armed(bench):
    late = SlotClockSettings(10, 1 << 47, 0, 0)
    found = run(bench, {50: late}, 0, 200)
    assert all(found.armed[51:])
    assert not any(found.phase)
