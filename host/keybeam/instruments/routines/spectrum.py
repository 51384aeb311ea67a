"""Wavelength and width of the laser's line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import BLUE, ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.kinds import Spectrum, SpectrumAnalyser
from keybeam.instruments.routines.outcome import Outcome
from keybeam.instruments.routines.rig import Rig
from keybeam.output import Value
from keybeam.transmitter.calibration_file import TransmitterCalibration

__all__ = ["NEEDED", "SpectrumOutcome", "centre_nm", "measure_spectrum"]

NEEDED = ("laser", "trigger-level", "spectrum-analyser")
"""Instruments of the routine."""

SPAN_NM, RESOLUTION_NM = 4.0, 0.05
_LINE_DB = 20.0


@dataclass(frozen=True)
class SpectrumOutcome(Outcome):
    """What was found of the spectrum.

    Attributes
    ----------
    spectrum : Spectrum
        The trace.
    """

    name = "spectrum"

    spectrum: Spectrum

    @property
    def width_nm(self) -> float:
        """Width at half of the peak, with the analyser's resolution in it."""
        x, level = self.spectrum
        above = x[level > level.max() - 3.0103]
        return float(above[-1] - above[0] + (x[1] - x[0]))

    @property
    def side_mode_db(self) -> float:
        """Peak over the largest level beyond three widths from it."""
        x, level = self.spectrum
        beyond = np.abs(x - x[level.argmax()]) > 1.5 * self.width_nm
        sides = level[beyond]
        if not sides.size:
            raise MeasurementError("the line fills the span")
        return float(level.max() - sides.max())

    def figures(self) -> dict[str, dict[str, Value]]:
        """Centre, width, side modes."""
        return {
            "spectrum": {
                "centre of the line, nm": round(centre_nm(self.spectrum), 4),
                "width (FWHM), nm": round(self.width_nm, 4),
                "side-mode suppression, dB": round(self.side_mode_db, 2),
            }
        }

    def data(self) -> dict[str, Any]:
        """Trace."""
        return {"wavelength_nm": self.spectrum.wavelength_nm, "power_dbm": self.spectrum.power_dbm}

    def draw(self, figure: Figure) -> None:
        """Draw the trace."""
        axes = figure.subplots()
        axes.plot(self.spectrum.wavelength_nm, self.spectrum.power_dbm, color=BLUE, lw=1)
        axes.axvline(centre_nm(self.spectrum), color=ORANGE, ls="--", lw=1, label="centre")
        axes.set(xlabel="vacuum wavelength / nm", ylabel="power / dBm")
        axes.ticklabel_format(axis="x", useOffset=False)
        axes.legend(frameon=False)

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Leave the calibration: the wavelength goes into it with the photon numbers."""
        return calibration


def centre_nm(spectrum: Spectrum) -> float:
    """Centre of mass, by power, of what lies within 20 dB of the peak.

    Raises
    ------
    MeasurementError
        If no line stands 20 dB above the median.
    """
    x, level = spectrum
    if level.max() < np.median(level) + _LINE_DB:
        raise MeasurementError("no line stands out of the spectrum: is there light?")
    power = np.where(level > level.max() - _LINE_DB, 10 ** (level / 10), 0.0)
    return float(np.sum(x * power) / np.sum(power))


def measure_spectrum(rig: Rig) -> SpectrumOutcome:
    """Sweep the laser's spectrum at its working point.

    Raises
    ------
    MeasurementError
        If there is no line.
    """
    rig.switch_on_laser()
    rig.tell("sweeping the spectrum", 0.0)
    analyser = rig.station.get("spectrum-analyser", SpectrumAnalyser)
    found = analyser.sweep(rig.station.file.wavelength_nm, SPAN_NM, RESOLUTION_NM)
    rig.tell("sweeping the spectrum", 1.0)
    centre_nm(found)
    return SpectrumOutcome(found)
