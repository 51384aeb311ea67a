"""Threshold of the laser, and its gain switching by bias current."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import BLUE, GREEN, GREY, ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.fits import Line, fit_threshold
from keybeam.instruments.kinds import Oscilloscope
from keybeam.instruments.routines.outcome import Outcome, significant
from keybeam.instruments.routines.pulse import NEEDED as PULSE_NEEDED
from keybeam.instruments.routines.pulse import record
from keybeam.instruments.routines.pulses import PulseTrain
from keybeam.instruments.routines.rig import SOURCE, Rig
from keybeam.output import Value
from keybeam.transmitter.calibration_file import (
    LaserCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = ["NEEDED", "LaserOutcome", "measure_laser"]

NEEDED = (*SOURCE, "power-meter", *(name for name in PULSE_NEEDED if name not in SOURCE))
"""Instruments of the routine."""

_CURRENTS = 25
_RECORD_S = 160e-9
_LEAST_PART, _MOST_PART = 0.2, 0.95
_LEVEL_PARTS = (0.7, 0.85, 1.0)
"""Levels of the pulse driver, as parts of the station's, which is never exceeded."""
_AVERAGES = 30
_FWHM = math.sqrt(8 * math.log(2))
_SHOWN = ("width", "jitter")


@dataclass(frozen=True)
class LaserOutcome(Outcome):
    """What was found of the laser.

    Attributes
    ----------
    temperature_c : float
        At which it was measured.
    current_a, power_w : list of float
        The L-I curve without triggers; power as it comes to the meter.
    line : Line
        Its straight part.
    levels_v, bias_a : list of float
        Levels of the pulse driver, and bias currents, of the scan with triggers.
    trains : list of list of PulseTrain or None
        Pulses by level and bias; None where there are none in each period.
    chosen : tuple of int
        Numbers of the working point's level and bias in the scan.
    """

    name = "laser"

    temperature_c: float
    current_a: list[float]
    power_w: list[float]
    line: Line
    levels_v: list[float]
    bias_a: list[float]
    trains: list[list[PulseTrain | None]]
    chosen: tuple[int, int]

    @property
    def _train(self) -> PulseTrain:
        level, bias = self.chosen
        train = self.trains[level][bias]
        assert train is not None
        return train

    @property
    def _level_v(self) -> float:
        return self.levels_v[self.chosen[0]]

    @property
    def _bias_a(self) -> float:
        return self.bias_a[self.chosen[1]]

    def figures(self) -> dict[str, dict[str, Value]]:
        """Threshold and working point."""
        return {
            "laser": {
                "temperature, °C": round(self.temperature_c, 2),
                "threshold, mA": round(1e3 * self.line.threshold, 3),
                "  standard uncertainty of it, mA": significant(
                    1e3 * self.line.threshold_uncertainty
                ),
                "working point: trigger level, V": round(self._level_v, 4),
                "working point: bias, mA": round(1e3 * self._bias_a, 3),
                "bias / threshold": round(self._bias_a / self.line.threshold, 3),
                "width there (FWHM), ps": round(1e12 * self._train.width_s, 2),
                "jitter there (RMS), ps": round(1e12 * self._train.jitter_s, 2),
            }
        }

    def data(self) -> dict[str, Any]:
        """L-I curve and scan."""
        return {
            "current_a": self.current_a,
            "power_w": self.power_w,
            "bias_a": self.bias_a,
            "level_v": self.levels_v,
            **{
                name: [
                    [None if train is None else getattr(train, name) for train in row]
                    for row in self.trains
                ]
                for name in ("width_s", "jitter_s", "peak_v")
            },
        }

    def draw(self, figure: Figure) -> None:
        """Draw the L-I curve, and width and jitter against bias at each level of the driver."""
        curve, scan = figure.subplots(1, 2)
        current, power = 1e3 * np.array(self.current_a), 1e6 * np.array(self.power_w)
        curve.plot(current, power, "o", ms=3, color=BLUE)
        x = np.array([self.line.threshold, max(self.current_a)])
        straight = 1e6 * self.line.slope * (x - self.line.threshold)
        curve.plot(1e3 * x, straight, color=GREY, lw=1)
        curve.axvline(1e3 * self.line.threshold, color=ORANGE, ls="--", lw=1, label="threshold")
        curve.set(xlabel="current / mA", ylabel="power at the meter / µW")
        curve.legend(frameon=False)
        for number, (level, row) in enumerate(zip(self.levels_v, self.trains, strict=True)):
            seen = [(1e3 * i, t) for i, t in zip(self.bias_a, row, strict=True) if t is not None]
            bias = [i for i, _ in seen]
            width, jitter = ([1e12 * getattr(t, f"{k}_s") for _, t in seen] for k in _SHOWN)
            look = {"ms": 3, "alpha": (number + 1) / len(self.levels_v)}
            scan.plot(bias, width, "o-", color=BLUE, label=f"width, {level:.3g} V", **look)
            scan.plot(bias, jitter, "s-", color=GREEN, label=f"jitter, {level:.3g} V", **look)
        place = 1e3 * self._bias_a, 1e12 * self._train.width_s
        scan.plot(*place, "o", ms=9, mfc="none", color=ORANGE, label="chosen")
        scan.set(xlabel="bias / mA", ylabel="time / ps", ylim=(0, None))
        scan.legend(frameon=False, fontsize="small")

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the laser in."""
        threshold = Quantity(self.line.threshold, self.line.threshold_uncertainty)
        return msgspec.structs.replace(
            calibration,
            laser=LaserCalibration(
                temperature_c=self.temperature_c,
                bias_a=self._bias_a,
                trigger_level_v=self._level_v,
                threshold_a=threshold,
                pulse_width_s=self._train.width_s,
                jitter_s=self._train.jitter_s,
            ),
        )


def measure_laser(rig: Rig, *, points: int = 12) -> LaserOutcome:
    """Measure the threshold, then scan bias below it and level of the pulse driver.

    The working point is the level and bias of least spread of a photon's time,
    √(jitter² + (FWHM/2.355)²), with a bias of up to 0.95 of the threshold. Below the threshold the
    light of one pulse dies before the next, which builds up from spontaneous emission anew: its
    phase is random, as the decoy-state method assumes (Kobayashi, Tomita and Okamoto, Phys. Rev. A
    90, 032320, 2014,
    for how far that holds). The routine does not measure phases.

    Parameters
    ----------
    rig : Rig
        The source.
    points : int
        Bias currents of the scan at each level, 3 or more.

    Raises
    ------
    MeasurementError
        If there is no threshold below the current limit, or no bias gives a pulse a period.
    """
    temperature, _, _ = rig.working_point()
    highest = rig.station.file.source.trigger_level_v
    limit = rig.station.entry("laser").settings.current_limit_a or 0.0
    meter = rig.meter("power-meter", _AVERAGES)
    rig.laser.set_temperature_c(temperature)
    rig.trigger.set_level_v(0.0)
    rig.trigger.switch_output(True)
    rig.laser.set_current_a(limit)
    rig.laser.switch_laser(True)
    rig.open_path()
    rig.pass_most(meter.power_w)
    currents = [float(value) for value in np.linspace(0, limit, _CURRENTS)]
    powers = []
    for step, current in enumerate(currents):
        rig.laser.set_current_a(current)
        powers.append(meter.power_w())
        rig.tell("sweeping the current", (step + 1) / _CURRENTS)
    line = fit_threshold(currents, powers)

    levels = [part * highest for part in _LEVEL_PARTS]
    biases = [float(x) for x in line.threshold * np.linspace(_LEAST_PART, _MOST_PART, points)]
    trains = _scan(rig, levels, biases)
    chosen = _least_spread(trains)
    if chosen is None:
        raise MeasurementError(
            f"no bias below the threshold of {1e3 * line.threshold:.2f} mA gives a pulse in each "
            "period: raise trigger_level_v in [source]"
        )
    return LaserOutcome(temperature, currents, powers, line, levels, biases, trains, chosen)


def _scan(rig: Rig, levels: list[float], biases: list[float]) -> list[list[PulseTrain | None]]:
    """Record the pulses by level of the driver and bias."""
    scope = rig.station.get("oscilloscope", Oscilloscope)
    trains: list[list[PulseTrain | None]] = []
    for row, level in enumerate(levels):
        # Triggers come on top of the bias: down with it first.
        rig.laser.set_current_a(biases[0])
        rig.trigger.set_level_v(level)
        trains.append([])
        for step, bias in enumerate(biases):
            rig.laser.set_current_a(bias)
            try:
                train, _ = record(scope, _RECORD_S)
            except MeasurementError:
                # Too little current makes no pulses, or not in each period: a result of the scan.
                train = None
            trains[-1].append(train)
            done = row + (step + 1) / len(biases)
            rig.tell("scanning trigger level and bias", done / len(levels))
    return trains


def _least_spread(trains: list[list[PulseTrain | None]]) -> tuple[int, int] | None:
    """Numbers of the level and bias at which a photon's time is known best."""
    spreads = {
        (row, column): math.hypot(train.jitter_s, train.width_s / _FWHM)
        for row, trains_of_level in enumerate(trains)
        for column, train in enumerate(trains_of_level)
        if train is not None
    }
    return min(spreads, key=spreads.__getitem__) if spreads else None
