"""Contrast of the four polarisations behind the compensated fibre."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.roles import PLATES
from keybeam.instruments.routines.analyser import ANALYSER_DEG, COLOURS, switch_on
from keybeam.instruments.routines.outcome import Goal, Outcome, significant
from keybeam.instruments.routines.rig import Rig
from keybeam.instruments.stokes import STATES
from keybeam.instruments.uncertainty import from_readings, ratio_db
from keybeam.output import Value
from keybeam.transmitter.calibration_file import Quantity, TransmitterCalibration

__all__ = ["CONTRAST_GOAL_DB", "ContrastOutcome", "measure_contrast"]

CONTRAST_GOAL_DB = 25.0
"""Of each state: 0.315 % of errors."""

_READINGS = 5
_CURVE_STEPS = 13
_ORTHOGONAL = {"H": "V", "V": "H", "D": "A", "A": "D"}


@dataclass(frozen=True)
class ContrastOutcome(Outcome):
    """Contrast of the four states.

    Attributes
    ----------
    contrast_db : dict of str to Quantity
        By state.
    curve_deg : list of float
        Azimuths of the analyser's axis.
    curves_w : dict of str to list of float
        Power of each state at these.
    """

    name = "polarisation"

    contrast_db: dict[str, Quantity]
    curve_deg: list[float]
    curves_w: dict[str, list[float]] = field(default_factory=dict)

    def goals(self) -> list[Goal]:
        """Contrast of 25 dB of each state."""
        return [
            Goal(f"contrast of {name}", found.value, CONTRAST_GOAL_DB, "dB")
            for name, found in self.contrast_db.items()
        ]

    def figures(self) -> dict[str, dict[str, Value]]:
        """Contrast and error of each state."""
        rows: dict[str, Value] = {}
        for name, found in self.contrast_db.items():
            rows[f"contrast of {name}, dB"] = round(found.value, 2)
            rows[f"  standard uncertainty of {name}, dB"] = significant(found.uncertainty)
        mean = np.mean([1 / (1 + 10 ** (each.value / 10)) for each in self.contrast_db.values()])
        rows["mean error by polarisation, %"] = round(100 * float(mean), 4)
        return {"polarisation contrast": rows}

    def data(self) -> dict[str, Any]:
        """Curves and contrasts."""
        return {
            "analyser_deg": self.curve_deg,
            "power_w": self.curves_w,
            "contrast_db": self.contrast_db,
        }

    def draw(self, figure: Figure) -> None:
        """Power against the analyser's angle, and the contrasts."""
        curves, bars = figure.subplots(1, 2, width_ratios=(3, 2))
        for name, powers in self.curves_w.items():
            most = max(powers)
            level = 10 * np.log10(np.maximum(np.array(powers) / most, 1e-4))
            curves.plot(self.curve_deg, level, "o-", ms=3, lw=0.8, color=COLOURS[name], label=name)
        curves.axhline(-CONTRAST_GOAL_DB, color=ORANGE, ls="--", lw=1)
        curves.set(xlabel="analysed azimuth / °", ylabel="power / dB")
        curves.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        names = list(self.contrast_db)
        bars.bar(
            names,
            [self.contrast_db[name].value for name in names],
            color=[COLOURS[name] for name in names],
        )
        bars.axhline(CONTRAST_GOAL_DB, color=ORANGE, ls="--", lw=1, label="goal")
        bars.set(ylabel="contrast / dB")
        bars.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the contrasts into the section of the polarisation."""
        known = calibration.polarisation
        assert known is not None
        return msgspec.structs.replace(
            calibration,
            polarisation=msgspec.structs.replace(known, contrast_db=self.contrast_db),
        )


def measure_contrast(rig: Rig) -> ContrastOutcome:
    """Measure for each state what passes an analyser for it, over what passes the orthogonal one.

    Raises
    ------
    MeasurementError
        If the fibre was not compensated before, or the lesser light is lost in noise.
    """
    known = rig.calibration.polarisation
    if known is None:
        raise MeasurementError(
            "the calibration has no polarisation: run `keybeam instruments measure compensation` "
            "first"
        )
    meter, drive = switch_on(rig)
    for name in PLATES:
        rig.turn(name, known.plates_deg[name])
    curve_deg = [float(angle) for angle in np.linspace(0, 180, _CURVE_STEPS)]
    curves: dict[str, list[float]] = {name: [] for name in STATES}
    for step, angle in enumerate(curve_deg):
        rig.turn("analyser", angle / 2)
        for name in STATES:
            drive.set_level_v(known.levels_v[name])
            curves[name].append(meter.power_w())
        rig.tell("turning the analyser", (step + 1) / len(curve_deg))
    readings: dict[tuple[str, str], tuple[float, float, int]] = {}
    for number, analysed in enumerate(STATES):
        rig.turn("analyser", ANALYSER_DEG[analysed])
        for name in (analysed, _ORTHOGONAL[analysed]):
            drive.set_level_v(known.levels_v[name])
            powers = [meter.power_w() for _ in range(_READINGS)]
            readings[name, analysed] = from_readings(powers)
        rig.tell("measuring contrasts", (number + 1) / len(STATES))
    contrasts = {}
    for name in STATES:
        most, least = readings[name, name], readings[name, _ORTHOGONAL[name]]
        if least[0] <= 0:
            raise MeasurementError(f"the lesser light of {name} is lost in the meter's noise")
        contrasts[name] = Quantity(*ratio_db(most[:2], least[:2]))
    return ContrastOutcome(contrasts, curve_deg, curves)
