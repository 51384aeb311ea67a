"""Threshold of the laser, and its gain switching by bias current."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.fits import Line, fit_threshold
from keybeam.instruments.kinds import Oscilloscope
from keybeam.instruments.routines.outcome import BLUE, GREEN, GREY, ORANGE, Outcome, significant
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
_AVERAGES = 30
_FWHM = math.sqrt(8 * math.log(2))


@dataclass(frozen=True)
class LaserOutcome(Outcome):
    """What was found of the laser.

    Attributes
    ----------
    temperature_c, trigger_level_v : float
        At which it was measured.
    current_a, power_w : list of float
        The L-I curve without triggers; power as it comes to the meter.
    line : Line
        Its straight part.
    bias_a : list of float
        Bias currents of the scan with triggers.
    trains : list of PulseTrain or None
        Pulses at each; None where there are none in each period.
    chosen : int
        Number of the working point in the scan.
    """

    name = "laser"

    temperature_c: float
    trigger_level_v: float
    current_a: list[float]
    power_w: list[float]
    line: Line
    bias_a: list[float]
    trains: list[PulseTrain | None]
    chosen: int

    @property
    def _train(self) -> PulseTrain:
        train = self.trains[self.chosen]
        assert train is not None
        return train

    def figures(self) -> dict[str, dict[str, Value]]:
        """Threshold and working point."""
        return {
            "laser": {
                "temperature, °C": round(self.temperature_c, 2),
                "threshold, mA": round(1e3 * self.line.threshold, 3),
                "  standard uncertainty of it, mA": significant(
                    1e3 * self.line.threshold_uncertainty
                ),
                "trigger level, V": self.trigger_level_v,
                "working point: bias, mA": round(1e3 * self.bias_a[self.chosen], 3),
                "bias / threshold": round(self.bias_a[self.chosen] / self.line.threshold, 3),
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
            "width_s": [None if train is None else train.width_s for train in self.trains],
            "jitter_s": [None if train is None else train.jitter_s for train in self.trains],
            "peak_v": [None if train is None else train.peak_v for train in self.trains],
        }

    def draw(self, figure: Figure) -> None:
        """Draw the L-I curve, and width and jitter against bias."""
        curve, scan = figure.subplots(1, 2)
        current, power = 1e3 * np.array(self.current_a), 1e6 * np.array(self.power_w)
        curve.plot(current, power, "o", ms=3, color=BLUE)
        x = np.array([self.line.threshold, max(self.current_a)])
        straight = 1e6 * self.line.slope * (x - self.line.threshold)
        curve.plot(1e3 * x, straight, color=GREY, lw=1)
        curve.axvline(1e3 * self.line.threshold, color=ORANGE, ls="--", lw=1, label="threshold")
        curve.set(xlabel="current / mA", ylabel="power at the meter / µW")
        curve.legend(frameon=False)
        seen = [(i, t) for i, t in zip(self.bias_a, self.trains, strict=True) if t is not None]
        bias = [1e3 * i for i, _ in seen]
        scan.plot(bias, [1e12 * t.width_s for _, t in seen], "o-", ms=3, color=BLUE, label="width")
        scan.plot(
            bias, [1e12 * t.jitter_s for _, t in seen], "s-", ms=3, color=GREEN, label="jitter"
        )
        scan.axvline(1e3 * self.bias_a[self.chosen], color=ORANGE, ls="--", lw=1, label="chosen")
        scan.set(xlabel="bias / mA", ylabel="time / ps", ylim=(0, None))
        scan.legend(frameon=False)

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the laser in."""
        threshold = Quantity(self.line.threshold, self.line.threshold_uncertainty)
        return msgspec.structs.replace(
            calibration,
            laser=LaserCalibration(
                temperature_c=self.temperature_c,
                bias_a=self.bias_a[self.chosen],
                trigger_level_v=self.trigger_level_v,
                threshold_a=threshold,
                pulse_width_s=self._train.width_s,
                jitter_s=self._train.jitter_s,
            ),
        )


def measure_laser(rig: Rig, *, points: int = 12) -> LaserOutcome:
    """Measure the threshold, then scan the bias below it with triggers on.

    The working point is the bias of least spread of a photon's time, √(jitter² + (FWHM/2.355)²),
    among those up to 0.95 of the threshold. Below the threshold the light of one pulse dies
    before the next, which builds up from spontaneous emission anew: its phase is random, as the
    decoy-state method assumes (Kobayashi, Tomita and Okamoto, Phys. Rev. A 90, 032320, 2014,
    for how far that holds). The routine does not measure phases.

    Parameters
    ----------
    rig : Rig
        The source.
    points : int
        Bias currents of the scan, 3 or more.

    Raises
    ------
    MeasurementError
        If there is no threshold below the current limit, or no bias gives a pulse a period.
    """
    temperature, _, level = rig.working_point()
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

    scope = rig.station.get("oscilloscope", Oscilloscope)
    biases = [float(x) for x in line.threshold * np.linspace(_LEAST_PART, _MOST_PART, points)]
    # Triggers come on top of the bias: down with it first.
    rig.laser.set_current_a(biases[0])
    rig.trigger.set_level_v(level)
    trains: list[PulseTrain | None] = []
    for step, bias in enumerate(biases):
        rig.laser.set_current_a(bias)
        try:
            train, _ = record(scope, _RECORD_S)
        except MeasurementError:
            # Too little current makes no pulses, or not in each period: a result of the scan.
            train = None
        trains.append(train)
        rig.tell("scanning the bias", (step + 1) / points)
    spreads = [
        math.inf if train is None else math.hypot(train.jitter_s, train.width_s / _FWHM)
        for train in trains
    ]
    if not any(map(math.isfinite, spreads)):
        raise MeasurementError(
            f"no bias below the threshold of {1e3 * line.threshold:.2f} mA gives a pulse in each "
            "period: raise trigger_level_v in [source]"
        )
    chosen = spreads.index(min(spreads))
    return LaserOutcome(temperature, level, currents, powers, line, biases, trains, chosen)
