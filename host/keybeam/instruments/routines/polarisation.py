"""Compensation of the fibre, and the contrast of the four polarisations behind it."""

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.fits import RaisedCosine, fit_raised_cosine
from keybeam.instruments.kinds import PowerMeter, RotationMount, WaveformGenerator
from keybeam.instruments.roles import PLATES
from keybeam.instruments.routines.outcome import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Goal,
    Outcome,
    significant,
)
from keybeam.instruments.routines.rig import SOURCE, Rig
from keybeam.instruments.stokes import (
    STATES,
    compensating_angles_deg,
    plates_matrix,
    sphere_rotation,
)
from keybeam.instruments.uncertainty import from_readings, ratio_db
from keybeam.output import Value
from keybeam.transmitter.calibration_file import (
    PolarisationCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = [
    "CONTRAST_GOAL_DB",
    "NEEDED",
    "CompensationOutcome",
    "ContrastOutcome",
    "measure_compensation",
    "measure_contrast",
]

NEEDED = (*SOURCE, "polarisation-drive", *PLATES, "analyser", "analyser-meter")
"""Instruments of both routines."""

CONTRAST_GOAL_DB = 25.0
"""Of each state: 0.315 % of errors."""

_DRIVE_STEPS = 21
_READINGS = 5
_CURVE_STEPS = 13
_COLOURS = dict(zip(STATES, (BLUE, ORANGE, GREEN, GREY), strict=True))

# Drive of each state, in half-wave voltages: a quarter turn from state to state, H, D, V, A.
_PHASES = {"H": -0.75, "D": -0.25, "V": 0.25, "A": 0.75}

# Axis of the analyser's half-wave plate that brings a state to H, which the polariser passes.
_ANALYSER_DEG = {"H": 0.0, "D": 22.5, "V": 45.0, "A": 67.5}
_ORTHOGONAL = {"H": "V", "V": "H", "D": "A", "A": "D"}

# Settings of the three plates for which the analyser sees all of an unknown Stokes vector: with
# the first, two of its components; the other two bring the third into view.
_SETTINGS_DEG = ((0.0, 0.0, 0.0), (45.0, 0.0, 0.0), (22.5, 45.0, 0.0))


@dataclass(frozen=True)
class CompensationOutcome(Outcome):
    """What was found of the fibre.

    Attributes
    ----------
    drive_v, drive_power_w : list of float
        Sweep of the polarisation modulator's drive, at the analyser angle of larger contrast.
    curve : RaisedCosine
        Fit of it.
    images : dict of str to ndarray of float64, shape (3,)
        Stokes vectors of the four states behind the fibre, before the plates; their lengths are
        degrees of polarisation.
    plates_deg : dict of str to float
        Angles of the fast axes that undo the fibre.
    """

    name = "compensation"

    drive_v: list[float]
    drive_power_w: list[float]
    curve: RaisedCosine
    images: dict[str, NDArray[np.float64]]
    plates_deg: dict[str, float]

    @property
    def levels_v(self) -> dict[str, float]:
        """Drive for each state."""
        return {name: part * self.curve.half_wave for name, part in _PHASES.items()}

    @property
    def misfit_deg(self) -> float:
        """Largest angle on the sphere from a state's image to where the rotation takes it."""
        rotation = sphere_rotation(self.images)
        cosines = [
            float(image @ rotation @ STATES[name] / np.linalg.norm(image))
            for name, image in self.images.items()
        ]
        return math.degrees(math.acos(min(1.0, *cosines)))

    def figures(self) -> dict[str, dict[str, Value]]:
        """Half-wave voltage, images and angles."""
        lengths = [float(np.linalg.norm(image)) for image in self.images.values()]
        return {
            "polarisation compensation": {
                "half-wave voltage of the drive, V": round(self.curve.half_wave, 4),
                "  standard uncertainty, V": significant(self.curve.half_wave_uncertainty),
                **{f"level of {name}, V": round(v, 4) for name, v in self.levels_v.items()},
                "least degree of polarisation": round(min(lengths), 4),
                "largest misfit on the sphere, °": round(self.misfit_deg, 3),
                **{f"{name}, °": round(angle, 2) for name, angle in self.plates_deg.items()},
            }
        }

    def data(self) -> dict[str, Any]:
        """Sweep and images."""
        return {
            "drive_v": self.drive_v,
            "drive_power_w": self.drive_power_w,
            "images_stokes": self.images,
            "rotation": sphere_rotation(self.images),
        }

    def draw(self, figure: Figure) -> None:
        """Draw the sweep, and the images on the sphere seen along its poles."""
        sweep, sphere = figure.subplots(1, 2)
        sweep.plot(self.drive_v, 1e6 * np.array(self.drive_power_w), "o", ms=3, color=BLUE)
        x = np.linspace(min(self.drive_v), max(self.drive_v), 400)
        sweep.plot(x, 1e6 * self.curve(x), color=BLUE, lw=1)
        sweep.set(xlabel="drive / V", ylabel="power behind the analyser / µW", ylim=(0, None))
        turn = np.linspace(0, 2 * np.pi, 200)
        sphere.plot(np.cos(turn), np.sin(turn), color=GREY, lw=0.8)
        after = plates_matrix([self.plates_deg[name] for name in PLATES])
        for name, image in self.images.items():
            back = after @ image
            sphere.plot(*image[:2], "o", mfc="none", color=_COLOURS[name], ms=7)
            sphere.plot(*back[:2], "s", color=_COLOURS[name], ms=4)
            sphere.annotate(name, image[:2], xytext=(5, 5), textcoords="offset points")
            sphere.annotate(
                "", back[:2], image[:2], arrowprops={"arrowstyle": "->", "color": GREY, "lw": 0.6}
            )
        sphere.set(xlabel="s₁", ylabel="s₂", aspect="equal", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25))
        sphere.set_title("behind the fibre (circles), behind the plates (squares)", fontsize=8)

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the polarisation in; contrasts of before no longer hold."""
        return msgspec.structs.replace(
            calibration,
            polarisation=PolarisationCalibration(
                half_wave_v=Quantity(self.curve.half_wave, self.curve.half_wave_uncertainty),
                levels_v=self.levels_v,
                plates_deg=self.plates_deg,
            ),
        )


def _ready(rig: Rig) -> tuple[PowerMeter, WaveformGenerator]:
    """Switch on what sends light to the analyser, and home the mounts."""
    meter = rig.meter("analyser-meter")
    for name in (*PLATES, "analyser"):
        rig.station.get(name, RotationMount).home()
    rig.switch_on_laser()
    rig.open_path()
    drive = rig.station.get("polarisation-drive", WaveformGenerator)
    drive.set_level_v(0.0)
    drive.switch_output(True)
    rig.pass_most(meter.power_w)
    return meter, drive


def measure_compensation(rig: Rig) -> CompensationOutcome:
    """Find the drives of the four states, and the plates' angles that undo the fibre.

    The four states are sent at three settings of the plates, and analysed as H, V, D and A. For
    known plates each power is linear in the Stokes vector behind the fibre, which follows by
    least squares; the plates' angles follow from the rotation that fits all four.

    Raises
    ------
    MeasurementError
        If the drive's limit does not reach all states, or the light is hardly polarised.
    """
    meter, drive = _ready(rig)
    reach = rig.station.entry("polarisation-drive").settings.voltage_limit_v or 0.0
    levels = [float(v) for v in np.linspace(-reach, reach, _DRIVE_STEPS)]
    for name in PLATES:
        rig.turn(name, 0.0)
    sweeps = {}
    for number, analysed in enumerate(("H", "D")):
        rig.turn("analyser", _ANALYSER_DEG[analysed])
        powers = []
        for step, level in enumerate(levels):
            drive.set_level_v(level)
            powers.append(meter.power_w())
            rig.tell("sweeping the drive", (number + (step + 1) / len(levels)) / 2)
        sweeps[analysed] = powers
    # The states lie on a great circle, of which one of two orthogonal components sees enough.
    best = max(sweeps.values(), key=lambda powers: max(powers) - min(powers))
    curve = fit_raised_cosine(levels, best)
    wanted = {name: part * curve.half_wave for name, part in _PHASES.items()}
    if max(wanted.values()) > reach:
        raise MeasurementError(
            f"the states need {max(wanted.values()):.2f} V of drive, beyond the limit of "
            f"{reach:g} V"
        )
    analysed_w = np.empty((len(_SETTINGS_DEG), len(STATES), len(STATES)))
    for setting, angles in enumerate(_SETTINGS_DEG):
        for name, angle in zip(PLATES, angles, strict=True):
            rig.turn(name, angle)
        for column, analysed in enumerate(STATES):
            rig.turn("analyser", _ANALYSER_DEG[analysed])
            for row, state in enumerate(STATES):
                drive.set_level_v(wanted[state])
                analysed_w[setting, row, column] = meter.power_w()
            done = setting + (column + 1) / len(STATES)
            rig.tell("analysing the states", done / len(_SETTINGS_DEG))
    images = {state: stokes_vector(analysed_w[:, row]) for row, state in enumerate(STATES)}
    angles = compensating_angles_deg(sphere_rotation(images))
    found = CompensationOutcome(levels, best, curve, images, dict(zip(PLATES, angles, strict=True)))
    if found.misfit_deg > 20:
        raise MeasurementError(
            f"no rotation takes the states to what was measured (off by {found.misfit_deg:.0f}°): "
            "are the mounts' zero_deg right?"
        )
    return found


def stokes_vector(powers_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the Stokes vector in front of the plates, from powers behind plates and analyser.

    Parameters
    ----------
    powers_w : ndarray of float64, shape (3, 4)
        By setting of the plates, and by state analysed in the order of `STATES`.

    Returns
    -------
    ndarray of float64, shape (3,)
        Divided by the power.

    Raises
    ------
    MeasurementError
        If there is no light.
    """
    rows = [
        [0.5, *(0.5 * STATES[name] @ plates_matrix(angles))]
        for angles in _SETTINGS_DEG
        for name in STATES
    ]
    (power, *vector), *_ = np.linalg.lstsq(np.array(rows), powers_w.ravel())
    if power <= 0:
        raise MeasurementError("no light passes the analyser")
    stokes: NDArray[np.float64] = np.array(vector) / power
    return stokes


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
            curves.plot(self.curve_deg, level, "o-", ms=3, lw=0.8, color=_COLOURS[name], label=name)
        curves.axhline(-CONTRAST_GOAL_DB, color=ORANGE, ls="--", lw=1)
        curves.set(xlabel="analysed azimuth / °", ylabel="power / dB")
        curves.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        names = list(self.contrast_db)
        bars.bar(
            names,
            [self.contrast_db[name].value for name in names],
            color=[_COLOURS[name] for name in names],
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
    meter, drive = _ready(rig)
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
        rig.turn("analyser", _ANALYSER_DEG[analysed])
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
