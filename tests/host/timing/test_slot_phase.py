import numpy as np
import pytest

from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FINE_STEPS, SLOT_PS
from keybeam.protocol.slot_phase import PHASE_AGE_CYCLES, RAMP_CYCLES, SLOT_FRACTION_BITS
from keybeam.timing import ClockState, SlotClockSettings, channel_offset, slot_clock_settings

START = 123_456_789
CYCLE_PS = 6400
ONE = 1 << SLOT_FRACTION_BITS


def state(rate, drift, offset_ps=321.5, counter=1000, start=START):
    return ClockState(
        counter=counter,
        segment_counter=counter - 700,
        segment_start=start,
        offset_ps=offset_ps,
        rate=rate,
        drift=drift,
        covariance=np.eye(3),
        first_counter=counter - 400,
        last_counter=counter + 400,
        words=800,
        outliers=0,
        scatter_ps=40.0,
    )


def true_phase(clock, cycle):
    """Slots since the state's frame began, by its own definition and bisection."""
    frame_ps = (
        clock.segment_start * 0.390625 + (clock.counter - clock.segment_counter) * 104_857_600
    )
    arrived = cycle * CYCLE_PS - frame_ps - clock.offset_ps
    early, late = 0.99 * arrived - 1e6, 1.01 * arrived + 1e6
    for _ in range(100):
        middle = (early + late) / 2
        if middle * (1 + clock.rate) + clock.drift * middle**2 / 2e12 < arrived:
            early = middle
        else:
            late = middle
    return middle / SLOT_PS


def error_ps(settings, clock, first, cycles):
    difference = settings.phase(cycles) / ONE - true_phase(clock, first + cycles)
    return ((difference + 0.5) % 1 - 0.5) * SLOT_PS


@pytest.mark.parametrize("rate", [-100e-6, -23.4e-6, 0.0, 23.4e-6, 100e-6])
@pytest.mark.parametrize("drift", [-0.4e-6, 0.0, 0.4e-6])
def test_the_slot_clock_follows_the_transmitter_for_a_second(rate, drift):
    clock = state(rate, drift)
    first = (START + 701 * 268_435_456) // FINE_STEPS + 4_000_000
    settings = slot_clock_settings(clock, first)
    # The rounding of the ramp, 4e-12/s at most, is 2 ps after one second.
    for cycles in (0, 1, 1000, RAMP_CYCLES, FABRIC_CLOCK_HZ // 100, FABRIC_CLOCK_HZ):
        seconds = cycles / FABRIC_CLOCK_HZ
        assert abs(error_ps(settings, clock, first, cycles)) < 0.05 + 2.2 * seconds**2


def test_steps_of_increment_and_ramp_are_as_fine_as_is_said():
    still = SlotClockSettings(0, 0, 0, 0)
    second = FABRIC_CLOCK_HZ
    faster = SlotClockSettings(0, 0, 1, 0)
    assert (faster.phase(second) - still.phase(second)) / ONE * SLOT_PS == pytest.approx(
        0.9e-3, rel=0.02
    )
    ramp = SlotClockSettings(0, 0, 0, 1)
    seconds_squared = ramp.phase(second) / ONE * SLOT_PS / 0.5 / (4 * SLOT_PS * FABRIC_CLOCK_HZ)
    assert seconds_squared * 1.0 == pytest.approx(8.5e-12, rel=0.01)


def test_the_phase_of_a_clock_state_taken_modulo_does_not_matter():
    first = (1 << 40) + 999
    clock = state(10e-6, 0.1e-6, start=(first - 20_000_000) * FINE_STEPS)
    assert slot_clock_settings(clock, first).at == 999
    assert abs(error_ps(slot_clock_settings(clock, first), clock, first, 500)) < 1


@pytest.mark.parametrize(("rate", "drift", "what"), [(5e-4, 0, "rate"), (0, 5e-6, "drift")])
def test_what_cannot_be_followed_is_said(rate, drift, what):
    with pytest.raises(ValueError, match=f"cannot follow a {what}"):
        slot_clock_settings(state(rate, drift), 10_000)


def test_the_offset_of_a_channel_makes_up_for_the_age_of_its_events():
    settings = SlotClockSettings(0, 0, round(4e-4 * ONE), 0)
    assert channel_offset(settings, PHASE_AGE_CYCLES) == 0
    # 300 cycles at 4e-4 slot: 0.12 slot that the slot clock has gone too far.
    assert channel_offset(settings, PHASE_AGE_CYCLES + 300) == 4096 - round(0.12 * 4096)
    assert channel_offset(settings, PHASE_AGE_CYCLES, shift_ps=400) == 1024
