"""Shape, jitter and place in the slot of the light pulses."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import BLUE, GREY, ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.kinds import Oscilloscope
from keybeam.instruments.routines.outcome import Outcome, significant
from keybeam.instruments.routines.pulses import PulseTrain, analyse_pulses, rising_edges
from keybeam.instruments.routines.rig import Rig
from keybeam.output import Value
from keybeam.protocol.lanes import FINE_DELAY_STEP_PS, FINE_DELAY_STEPS
from keybeam.protocol.numbers import PULSE_RATE_HZ
from keybeam.transmitter.calibration_file import (
    LaneDelay,
    PulseCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = ["MODULATOR", "NEEDED", "PULSES", "PulseOutcome", "measure_pulse", "record"]

NEEDED = ("laser", "trigger-level", "oscilloscope")
"""Instruments of the routine."""

PULSES, MODULATOR = 1, 2
"""Channels of the oscilloscope: the laser's monitor, and the intensity modulator's drive."""

_LASER_LANE = "0"
_RECORD_S = 400e-9
_SAMPLE_RATE_HZ = 80e9
_SCALE_V = 0.6


@dataclass(frozen=True)
class PulseOutcome(Outcome):
    """What was found of the pulses.

    Attributes
    ----------
    train : PulseTrain
        The pulses, in periods that begin at a slot's border.
    slot_s : float
        Length of a slot.
    delay : LaneDelay
        Delays of lane 0 that bring the pulses into the middle of the slot.
    shift_s : float
        By how much later that is.
    """

    name = "pulse"

    train: PulseTrain
    slot_s: float
    delay: LaneDelay
    shift_s: float

    def figures(self) -> dict[str, dict[str, Value]]:
        """Width, jitter and delay."""
        train = self.train
        return {
            "light pulse": {
                "width (FWHM, with the detector's), ps": round(1e12 * train.width_s, 2),
                "  standard uncertainty of it, ps": significant(1e12 * train.width_uncertainty_s),
                "jitter (RMS), ps": round(1e12 * train.jitter_s, 2),
                "  standard uncertainty of that, ps": significant(
                    1e12 * train.jitter_uncertainty_s
                ),
                "oscilloscope's noise taken off, ps": round(1e12 * train.noise_jitter_s, 2),
                "spread of the peaks, %": round(100 * train.peak_spread, 2),
                "rate, MHz": round(1e-6 * train.rate_hz, 4),
                "middle in the slot, ps": round(1e12 * train.middle_s, 1),
                "shift to the slot's middle, ps": round(1e12 * self.shift_s, 1),
                "lane 0, slots": self.delay.delay,
                "lane 0, fine steps": self.delay.fine_delay,
            }
        }

    def data(self) -> dict[str, Any]:
        """Shape of all pulses, one above the other."""
        return {
            "time_in_slot_s": self.train.shape_s,
            "voltage_v": self.train.shape_v,
            "slot_s": self.slot_s,
        }

    def draw(self, figure: Figure) -> None:
        """Draw all pulses one above the other, and a histogram of where they are."""
        axes = figure.subplots()
        time_ps, voltage = 1e12 * self.train.shape_s, 1e3 * self.train.shape_v
        some = slice(None, None, max(1, time_ps.size // 6000))
        axes.plot(time_ps[some], voltage[some], ",", color=GREY, rasterized=True)
        bins = np.linspace(0, 1e12 * self.slot_s, 161)
        place = np.clip(np.digitize(time_ps, bins) - 1, 0, 159)
        count = np.bincount(place, minlength=160)
        mean = np.bincount(place, voltage, minlength=160) / np.maximum(count, 1)
        seen = count > 0
        axes.plot((bins[:-1] + bins[1:])[seen] / 2, mean[seen], color=BLUE, lw=1.2, label="mean")
        axes.axvline(1e12 * self.train.middle_s, color=BLUE, ls=":", lw=1, label="now")
        axes.axvline(5e11 * self.slot_s, color=ORANGE, ls="--", lw=1, label="wanted")
        axes.set(
            xlabel="time in the slot / ps", ylabel="voltage / mV", xlim=(0, 1e12 * self.slot_s)
        )
        axes.legend(frameon=False)

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the pulse in."""
        train = self.train
        return msgspec.structs.replace(
            calibration,
            pulse=PulseCalibration(
                width_s=Quantity(train.width_s, train.width_uncertainty_s),
                jitter_s=Quantity(train.jitter_s, train.jitter_uncertainty_s),
                lanes={_LASER_LANE: self.delay},
            ),
        )


def record(scope: Oscilloscope, duration_s: float) -> tuple[PulseTrain, float]:
    """Record pulses beside the modulator's drive.

    Returns
    -------
    tuple of PulseTrain and float
        The pulses, in periods that begin at the slots' borders, and the length of a slot.

    Raises
    ------
    MeasurementError
        If there are no pulses, or no drive.
    """
    traces = scope.acquire(
        {PULSES: _SCALE_V, MODULATOR: _SCALE_V},
        duration_s=duration_s,
        sample_rate_hz=_SAMPLE_RATE_HZ,
        trigger=MODULATOR,
    )
    borders = rising_edges(traces[MODULATOR], 0.0)
    if borders.size < 4:
        raise MeasurementError(
            f"channel {MODULATOR} shows no drive of the modulator: let the transmitter send the "
            "pattern signal, vacuum"
        )
    # Every second border of slots rises. Noise may cross the level twice.
    numbers = np.round((borders - borders[0]) / (2 / PULSE_RATE_HZ))
    double_slot, first = np.polyfit(numbers, borders, 1)
    light = traces[PULSES]
    train = analyse_pulses(light._replace(start_s=light.start_s - float(first)), PULSE_RATE_HZ)
    return train, float(double_slot) / 2


def measure_pulse(rig: Rig) -> PulseOutcome:
    """Measure the light pulses, and the delay of the laser's lane that centres them in the slot.

    Channel 1 sees the laser's light, channel 2 the intensity modulator's drive while the
    transmitter sends the pattern signal, vacuum: its edges are the slots' borders, at the place
    where light and drive meet. Whole slots cannot be told from a periodic pattern.

    Raises
    ------
    MeasurementError
        If there are no pulses, or the lane's cell does not reach far enough.
    """
    rig.switch_on_laser()
    rig.tell("recording", 0.0)
    train, slot_s = record(rig.station.get("oscilloscope", Oscilloscope), _RECORD_S)
    rig.tell("recording", 1.0)
    source = rig.station.file.source
    shift = (slot_s / 2 - train.middle_s + slot_s / 2) % slot_s - slot_s / 2
    steps, slots = source.fine_delay + round(shift * 1e12 / FINE_DELAY_STEP_PS), source.delay
    if steps < 0:
        # Later by the rest of a slot is the same phase, and the cell can only delay.
        shift += slot_s
        steps = source.fine_delay + round(shift * 1e12 / FINE_DELAY_STEP_PS)
    if steps >= FINE_DELAY_STEPS:
        raise MeasurementError(
            f"{steps} fine steps are needed, more than {FINE_DELAY_STEPS - 1}: begin with "
            "fine_delay 0 of lane 0, and say so in [source]"
        )
    return PulseOutcome(train, slot_s, LaneDelay(slots, steps), shift)
