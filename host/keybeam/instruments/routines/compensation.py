"""Compensation of the fibre by two quarter-wave plates and a half-wave plate."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from keybeam.drawing import BLUE, GREY
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.fits import RaisedCosine, fit_raised_cosine
from keybeam.instruments.roles import PLATES
from keybeam.instruments.routines.analyser import ANALYSER_DEG, COLOURS, switch_on
from keybeam.instruments.routines.outcome import Outcome, significant
from keybeam.instruments.routines.rig import Rig
from keybeam.instruments.stokes import (
    STATES,
    compensating_angles_deg,
    plates_matrix,
    sphere_rotation,
)
from keybeam.output import Value
from keybeam.transmitter.calibration_file import (
    PolarisationCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = ["CompensationOutcome", "measure_compensation", "stokes_vector"]

_DRIVE_STEPS = 21
_LARGEST_MISFIT_DEG = 20.0

# Drive of each state, in half-wave voltages: a quarter turn from state to state, H, D, V, A.
_PHASES = {"H": -0.75, "D": -0.25, "V": 0.25, "A": 0.75}

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
            sphere.plot(*image[:2], "o", mfc="none", color=COLOURS[name], ms=7)
            sphere.plot(*back[:2], "s", color=COLOURS[name], ms=4)
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
    meter, drive = switch_on(rig)
    reach = rig.station.entry("polarisation-drive").settings.voltage_limit_v or 0.0
    levels = [float(v) for v in np.linspace(-reach, reach, _DRIVE_STEPS)]
    for name in PLATES:
        rig.turn(name, 0.0)
    sweeps = {}
    for number, analysed in enumerate(("H", "D")):
        rig.turn("analyser", ANALYSER_DEG[analysed])
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
            rig.turn("analyser", ANALYSER_DEG[analysed])
            for row, state in enumerate(STATES):
                drive.set_level_v(wanted[state])
                analysed_w[setting, row, column] = meter.power_w()
            done = setting + (column + 1) / len(STATES)
            rig.tell("analysing the states", done / len(_SETTINGS_DEG))
    images = {state: stokes_vector(analysed_w[:, row]) for row, state in enumerate(STATES)}
    angles = compensating_angles_deg(sphere_rotation(images))
    found = CompensationOutcome(levels, best, curve, images, dict(zip(PLATES, angles, strict=True)))
    if found.misfit_deg > _LARGEST_MISFIT_DEG:
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
