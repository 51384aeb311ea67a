"""Half-wave voltage and extinction ratio of the intensity modulator, and its three levels."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import BLUE, GREY, ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.fits import RaisedCosine, fit_raised_cosine
from keybeam.instruments.kinds import PowerMeter
from keybeam.instruments.routines.outcome import Goal, Outcome, significant
from keybeam.instruments.routines.rig import SOURCE, Rig
from keybeam.instruments.uncertainty import from_readings, ratio_db
from keybeam.output import Value
from keybeam.protocol.symbols import INTENSITY_MEAN_PHOTONS, Intensity
from keybeam.transmitter.calibration_file import (
    ModulatorCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = ["EXTINCTION_GOAL_DB", "NEEDED", "ModulatorOutcome", "measure_modulator"]

NEEDED = (*SOURCE, "power-meter")
"""Instruments of the routine."""

EXTINCTION_GOAL_DB = 29.0
"""Ratio of the intensities of signal and vacuum, 0.8 to 0.001, as a whole number of dB."""

_DRIVE_STEPS = 33
_NULL_STEPS = 9
_NULL_PART = 0.05
_READINGS = 10


@dataclass(frozen=True)
class ModulatorOutcome(Outcome):
    """What was found of the modulator.

    Attributes
    ----------
    bias_v, bias_power_w, drive_v, drive_power_w : list of float
        Sweeps of the two electrodes, and mean power at each voltage.
    bias_curve, drive_curve : RaisedCosine
        Fits of them.
    null_bias_v : float
        Bias with least light at a drive of 0 V.
    most_w, least_w : Quantity
        Power at the maximum and the minimum of the drive.
    """

    name = "modulator"

    bias_v: list[float]
    bias_power_w: list[float]
    drive_v: list[float]
    drive_power_w: list[float]
    bias_curve: RaisedCosine
    drive_curve: RaisedCosine
    null_bias_v: float
    most_w: Quantity
    least_w: Quantity

    @property
    def extinction_db(self) -> Quantity:
        """Most over least light."""
        most, least = ((each.value, each.uncertainty) for each in (self.most_w, self.least_w))
        return Quantity(*ratio_db(most, least))

    @property
    def levels_v(self) -> dict[str, float]:
        """Drive for each intensity, by the curve; vacuum is the least there is."""
        signal = INTENSITY_MEAN_PHOTONS[Intensity.SIGNAL]
        decoy = INTENSITY_MEAN_PHOTONS[Intensity.DECOY] / signal
        floor = self.least_w.value / self.most_w.value
        # sin² of half the phase from the minimum is the part of the way from least to most.
        phase = 2 * math.asin(math.sqrt(max(decoy - floor, 0.0) / (1 - floor))) / math.pi
        half_wave = self.drive_curve.half_wave
        return {"signal": half_wave, "decoy": phase * half_wave, "vacuum": 0.0}

    def goals(self) -> list[Goal]:
        """Extinction of 29 dB."""
        return [Goal("extinction", self.extinction_db.value, EXTINCTION_GOAL_DB, "dB")]

    def figures(self) -> dict[str, dict[str, Value]]:
        """Voltages and extinction."""
        extinction = self.extinction_db
        return {
            "intensity modulator": {
                "half-wave voltage of the drive, V": round(self.drive_curve.half_wave, 4),
                "  standard uncertainty, V": significant(self.drive_curve.half_wave_uncertainty),
                "half-wave voltage of the bias, V": round(self.bias_curve.half_wave, 4),
                "bias of least light, V": round(self.null_bias_v, 4),
                "extinction ratio, dB": round(extinction.value, 2),
                "  standard uncertainty of it, dB": significant(extinction.uncertainty),
                **{f"level of {name}, V": round(v, 4) for name, v in self.levels_v.items()},
            }
        }

    def data(self) -> dict[str, Any]:
        """Both sweeps."""
        return {
            "bias_v": self.bias_v,
            "bias_power_w": self.bias_power_w,
            "drive_v": self.drive_v,
            "drive_power_w": self.drive_power_w,
            "most_w": self.most_w,
            "least_w": self.least_w,
        }

    def draw(self, figure: Figure) -> None:
        """Power against both voltages, and the drive's curve in dB."""
        linear, decibels = figure.subplots(1, 2)
        linear.plot(self.bias_v, 1e6 * np.array(self.bias_power_w), "o", ms=3, color=GREY)
        x = np.linspace(min(self.bias_v), max(self.bias_v), 400)
        linear.plot(x, 1e6 * self.bias_curve(x), color=GREY, lw=1, label="bias")
        drive, power = np.array(self.drive_v), np.array(self.drive_power_w)
        linear.plot(drive, 1e6 * power, "o", ms=3, color=BLUE)
        x = np.linspace(drive.min(), drive.max(), 400)
        linear.plot(x, 1e6 * self.drive_curve(x), color=BLUE, lw=1.2, label="drive")
        linear.set(xlabel="voltage / V", ylabel="mean power / µW", ylim=(0, None))
        linear.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        most = self.most_w.value
        decibels.plot(
            drive,
            10 * np.log10(np.maximum(power, 1e-4 * most) / most),
            "o-",
            ms=3,
            lw=0.8,
            color=BLUE,
        )
        decibels.axhline(-EXTINCTION_GOAL_DB, color=ORANGE, ls="--", lw=1, label="goal")
        decibels.axhline(-self.extinction_db.value, color=GREY, ls=":", lw=1.2, label="least")
        decibels.set(xlabel="drive / V", ylabel="transmission / dB")
        decibels.legend(frameon=False, loc="center right")

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the modulator in."""
        curves = (self.drive_curve, self.bias_curve)
        drive, bias = (Quantity(each.half_wave, each.half_wave_uncertainty) for each in curves)
        return msgspec.structs.replace(
            calibration,
            modulator=ModulatorCalibration(
                null_bias_v=self.null_bias_v,
                drive_half_wave_v=drive,
                bias_half_wave_v=bias,
                extinction_db=self.extinction_db,
                levels_v=self.levels_v,
            ),
        )


def measure_modulator(rig: Rig) -> ModulatorOutcome:
    """Sweep bias and drive of the intensity modulator, and measure most and least light.

    The bias is first put to the minimum nearest to 0 V, then corrected by a parabola through
    finer steps. The drive is then swept from its negative limit to its positive one. Most and
    least light are means of ten readings each, taken close together, since the modulator drifts.

    Raises
    ------
    MeasurementError
        If the voltages' limits do not reach from a minimum to a maximum, or there is no light.
    """
    meter = rig.meter("power-meter")
    rig.switch_on_laser()
    rig.open_path()
    bias_v, bias_power = rig.sweep_bias(meter.power_w)
    bias_curve = fit_raised_cosine(bias_v, bias_power)
    limit = rig.station.entry("modulator-bias").settings.voltage_limit_v or 0.0
    null_v = bias_curve.nearest(1.0, 0.0)
    if abs(null_v) > limit:
        raise MeasurementError(
            f"the minimum nearest to 0 V is at {null_v:.2f} V of bias, beyond the limit"
        )
    null_v = _find_null(rig, null_v, bias_curve.half_wave, limit)
    rig.bias.set_voltage_v(null_v)

    reach = rig.station.entry("intensity-drive").settings.voltage_limit_v or 0.0
    drive_v = [float(v) for v in np.linspace(-reach, reach, _DRIVE_STEPS)]
    drive_power = []
    for step, voltage in enumerate(drive_v):
        rig.drive.set_level_v(voltage)
        drive_power.append(meter.power_w())
        rig.tell("sweeping the drive", (step + 1) / _DRIVE_STEPS)
    drive_curve = fit_raised_cosine(drive_v, drive_power)
    if drive_curve.half_wave > reach:
        raise MeasurementError(
            f"the half-wave voltage is {drive_curve.half_wave:.2f} V, beyond the drive's limit "
            f"of {reach:g} V"
        )
    rig.drive.set_level_v(0.0)
    null_v = _find_null(rig, null_v, bias_curve.half_wave, limit)
    rig.bias.set_voltage_v(null_v)
    readings = {}
    for name, level in (("least", 0.0), ("most", drive_curve.half_wave)):
        rig.drive.set_level_v(level)
        readings[name] = from_readings([meter.power_w() for _ in range(_READINGS)])
    least, most = (Quantity(*readings[name][:2]) for name in ("least", "most"))
    if least.value <= 0 or most.value <= least.value:
        raise MeasurementError("least light is lost in the meter's noise: give it more light")
    return ModulatorOutcome(
        bias_v, bias_power, drive_v, drive_power, bias_curve, drive_curve, null_v, most, least
    )


def _find_null(rig: Rig, around_v: float, half_wave_v: float, limit_v: float) -> float:
    """Find the bias of least light by a parabola through some steps around a first guess."""
    span = _NULL_PART * half_wave_v
    voltages = np.clip(around_v + np.linspace(-span, span, _NULL_STEPS), -limit_v, limit_v)
    meter = rig.station.get("power-meter", PowerMeter)
    powers = []
    for voltage in voltages:
        rig.bias.set_voltage_v(float(voltage))
        powers.append(meter.power_w())
    curvature, slope, _ = np.polyfit(voltages - around_v, powers, 2)
    if curvature <= 0:
        raise MeasurementError(f"there is no minimum near {around_v:.2f} V of bias")
    return float(np.clip(around_v - slope / (2 * curvature), voltages[0], voltages[-1]))
