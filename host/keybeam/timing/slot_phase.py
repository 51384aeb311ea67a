"""Settings of the receiver's slot clock, from the clock that was recovered."""

from dataclasses import dataclass

from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FABRIC_PERIOD_PS, FINE_STEPS, SLOT_PS
from keybeam.protocol.records import COARSE_BITS, FINE_PS
from keybeam.protocol.slot_phase import (
    INCREMENT_BITS,
    PHASE_AGE_CYCLES,
    RAMP_BITS,
    RAMP_CYCLES,
    SLOT_FRACTION_BITS,
    SLOT_PHASE_BITS,
)
from keybeam.timing.clock_state import ClockState
from keybeam.timing.tracking import FRAME_STEPS

__all__ = ["SlotClockSettings", "channel_offset", "slot_clock_settings"]

_ONE_SLOT = 1 << SLOT_FRACTION_BITS
_SLOTS_PER_CYCLE = FABRIC_PERIOD_PS // SLOT_PS


@dataclass(frozen=True)
class SlotClockSettings:
    """What the slot clock of the gateware takes over when a cycle begins.

    Attributes
    ----------
    at : int
        That cycle, modulo 2^40.
    offset : int
        Phase of the pulses at its beginning, 0 to 2^48 - 1, in 2^-48 slot.
    increment : int
        Slots of a cycle less four, in 2^-48 slot.
    ramp : int
        Change of the increment in every `RAMP_CYCLES` cycles, in 2^-48 slot.
    """

    at: int
    offset: int
    increment: int
    ramp: int

    def phase(self, cycles: int) -> int:
        """Phase of the slot clock some cycles after `at`, in 2^-48 slot.

        Parameters
        ----------
        cycles : int
            Cycles after `at`, 0 or more.
        """
        whole, rest = divmod(cycles, RAMP_CYCLES)
        ramps = RAMP_CYCLES * (whole * (whole - 1) // 2) + rest * whole
        return (self.offset + cycles * self.increment + ramps * self.ramp) % _ONE_SLOT


def slot_clock_settings(state: ClockState, at: int) -> SlotClockSettings:
    """Find settings with which the slot clock follows the transmitter's clock.

    The transmitter's time of a cycle solves ``offset + (1 + rate) s + drift s² / 2 = y`` of
    `ClockState`, with s and y counted from the frame of the state; a slot is 1.6 ns of s. The
    increment follows from its derivative; half a step of the ramp is added to it, so that what
    goes in steps lies around what goes steadily.

    Parameters
    ----------
    state : ClockState
        The transmitter's clock.
    at : int
        Unwrapped number of the cycle from which the settings shall hold: one that has not come yet
        when they reach the board.

    Returns
    -------
    SlotClockSettings

    Raises
    ------
    ValueError
        If rate or drift are beyond what the slot clock can follow.
    """
    origin = state.segment_start + (state.counter - state.segment_counter) * FRAME_STEPS
    # Whole numbers first: what is left for the floating point is the time since that frame.
    since_ps = (at * FINE_STEPS - origin) * FINE_PS - state.offset_ps
    sent_ps = since_ps / (1 + state.rate)
    for _ in range(4):
        sent_ps = (since_ps - state.drift * sent_ps**2 * 0.5e-12) / (1 + state.rate)
    rate = state.rate + state.drift * sent_ps * 1e-12
    excess = -_SLOTS_PER_CYCLE * rate / (1 + rate)
    ramp_s = RAMP_CYCLES / FABRIC_CLOCK_HZ
    ramp = -_SLOTS_PER_CYCLE * state.drift * ramp_s / (1 + rate) ** 3
    settings = SlotClockSettings(
        at % (1 << COARSE_BITS),
        round(sent_ps / SLOT_PS % 1 * _ONE_SLOT) % _ONE_SLOT,
        round((excess + ramp / 2) * _ONE_SLOT),
        round(ramp * _ONE_SLOT),
    )
    for name, value, bits in (
        ("rate", settings.increment, INCREMENT_BITS),
        ("drift", settings.ramp, RAMP_BITS),
    ):
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise ValueError(f"the slot clock cannot follow a {name} of {getattr(state, name):g}")
    return settings


def channel_offset(settings: SlotClockSettings, age_cycles: float, *, shift_ps: float = 0) -> int:
    """Find the offset of a channel's gate, which makes up for the age of its events.

    Parameters
    ----------
    settings : SlotClockSettings
        Settings of the slot clock.
    age_cycles : float
        Cycles from the (delayed) time of an event to its arrival at the gate: its way through the
        channel, less the channel's delay.
    shift_ps : float
        Added to the phase of the channel's events.

    Returns
    -------
    int
        0 to 4095, in 2^-12 slot.
    """
    moved = (PHASE_AGE_CYCLES - age_cycles) * settings.increment / _ONE_SLOT + shift_ps / SLOT_PS
    return round(moved * (1 << SLOT_PHASE_BITS)) % (1 << SLOT_PHASE_BITS)
