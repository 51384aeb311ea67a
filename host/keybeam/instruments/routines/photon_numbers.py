"""Mean photon numbers of signal, decoy and vacuum pulses, each with its error budget."""

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from matplotlib.figure import Figure

from keybeam.drawing import BLUE, GREEN, GREY, ORANGE
from keybeam.instruments.errors import MeasurementError
from keybeam.instruments.kinds import FrequencyCounter, PowerMeter, SpectrumAnalyser
from keybeam.instruments.routines.outcome import Outcome
from keybeam.instruments.routines.photon_budget import (
    LN10_BY_10,
    Inputs,
    mean_photons,
    photon_budget,
)
from keybeam.instruments.routines.rig import SOURCE, Rig
from keybeam.instruments.routines.spectrum import RESOLUTION_NM, SPAN_NM, centre_nm
from keybeam.instruments.uncertainty import (
    Budget,
    expanded,
    from_readings,
    half_width,
)
from keybeam.output import Value
from keybeam.protocol.numbers import PULSE_RATE_HZ
from keybeam.protocol.symbols import INTENSITY_MEAN_PHOTONS, Intensity
from keybeam.transmitter.calibration_file import (
    IntensityCalibration,
    Quantity,
    TransmitterCalibration,
)

__all__ = ["NEEDED", "USEFUL", "PhotonNumbersOutcome", "measure_photon_numbers"]

NEEDED = (*SOURCE, "power-meter")
"""Instruments of the routine."""

USEFUL = ("counter", "spectrum-analyser")
"""Instruments without which nominal rate and wavelength are taken, with larger uncertainties."""

_WANTED = {
    intensity.name.lower(): INTENSITY_MEAN_PHOTONS[intensity]
    for intensity in (Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM)
}
_STEPS_DB = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0)
_READINGS = 10
_TRIES = 6
_CLOSE = 0.005
_GATE_S = 1.0
# What stands for a calibration that the station file does not tell.
_METER_PART, _ATTENUATOR_DB = 0.05, 0.2
_COUNTER_PART, _NOMINAL_RATE_PART = 1e-6, 100e-6
_ANALYSER_NM, _NOMINAL_NM = 0.05, 5.0


@dataclass(frozen=True)
class PhotonNumbersOutcome(Outcome):
    """What was found of the three intensities.

    Attributes
    ----------
    budgets : dict of str to Budget
        Mean photon number by intensity.
    levels_v : dict of str to float
        Drive of the intensity modulator for each.
    inputs : Inputs
        What the budgets share.
    check_db, deviation_db : list of float
        Attenuations at which the attenuator was checked, and by how much more it was by the meter.
    """

    name = "photon-numbers"

    budgets: dict[str, Budget]
    levels_v: dict[str, float]
    inputs: Inputs
    check_db: list[float]
    deviation_db: list[float]

    def figures(self) -> dict[str, dict[str, Value]]:
        """Photon numbers, and the lines of each budget."""
        inputs = self.inputs
        sections: dict[str, dict[str, Value]] = {
            "mean photon numbers": {
                "attenuation, dB": round(inputs.attenuation_db.value, 3),
                "pulse rate, MHz": round(1e-6 * inputs.rate_hz.value, 6),
                "wavelength, nm": round(inputs.wavelength_nm.value, 3),
            }
        }
        for name, budget in self.budgets.items():
            sections["mean photon numbers"][name] = float(f"{budget.value:.5g}")
            sections[f"{name}, contributions to the standard uncertainty"] = {
                **{
                    each.name: f"{each.part:.2e} ({each.evaluation})"
                    for each in budget.contributions
                },
                "combined": f"{budget.uncertainty:.2e}",
                "coverage factor": round(budget.coverage_factor, 3),
                "expanded (95.45 %)": f"{budget.expanded_uncertainty:.2e}",
                "expanded, % of the value": round(
                    100 * budget.expanded_uncertainty / budget.value, 2
                ),
            }
        return sections

    def data(self) -> dict[str, Any]:
        """Budgets and the attenuator's check."""
        return {
            "photons": {
                name: {
                    "value": budget.value,
                    "uncertainty": budget.uncertainty,
                    "coverage_factor": budget.coverage_factor,
                    "contributions": {
                        each.name: {"uncertainty": each.uncertainty, "unit": each.unit,
                                    "part": each.part, "source": each.source}
                        for each in budget.contributions
                    },
                }
                for name, budget in self.budgets.items()
            },
            "levels_v": self.levels_v,
            "check_db": self.check_db,
            "deviation_db": self.deviation_db,
        }  # fmt: skip

    def draw(self, figure: Figure) -> None:
        """Photon numbers with their intervals, contributions, and the attenuator's check."""
        photons, parts, check = figure.subplots(1, 3)
        names = list(self.budgets)
        for name, colour in zip(names, (BLUE, GREEN, GREY), strict=True):
            budget = self.budgets[name]
            photons.errorbar(
                [name], [budget.value / _WANTED[name]],
                [budget.expanded_uncertainty / _WANTED[name]],
                fmt="o", ms=4, capsize=4, color=colour,
            )  # fmt: skip
        photons.axhline(1, color=ORANGE, ls="--", lw=1)
        photons.set(ylabel="photons / wanted", xlim=(-0.6, 2.6))
        signal = self.budgets[names[0]]
        labels = [each.name for each in signal.contributions]
        share = [100 * each.part / signal.value for each in signal.contributions]
        parts.barh(labels, share, color=BLUE)
        parts.set(xlabel="of signal / %")
        parts.invert_yaxis()
        check.plot(self.check_db, self.deviation_db, "o-", ms=3, lw=0.8, color=BLUE)
        check.axhline(0, color=GREY, lw=0.6)
        check.set(xlabel="attenuation / dB", ylabel="more by the meter / dB")

    def update(self, calibration: TransmitterCalibration) -> TransmitterCalibration:
        """Put the section of the intensities in, and the modulator's levels that make them."""
        known = calibration.modulator
        assert known is not None
        return msgspec.structs.replace(
            calibration,
            modulator=msgspec.structs.replace(known, levels_v=self.levels_v),
            intensity=IntensityCalibration(
                attenuation_db=self.inputs.attenuation_db.value,
                pulse_rate_hz=self.inputs.rate_hz,
                wavelength_nm=self.inputs.wavelength_nm,
                mean_photons={
                    name: Quantity(budget.value, budget.uncertainty)
                    for name, budget in self.budgets.items()
                },
            ),
        )


def measure_photon_numbers(rig: Rig) -> PhotonNumbersOutcome:
    """Set the three intensities to 0.8, 0.1 and 0.001 photons, and tell how well that is known.

    Power is measured where the meter's noise does not matter, at 0 dB of the attenuator; the
    attenuation that leads from there to single photons is known by the attenuator's scale,
    which is checked against the meter over the range that both have.

    Raises
    ------
    MeasurementError
        If the modulator was not measured before, or cannot make the intensities, or the light
        is too weak to be attenuated.
    """
    known = rig.modulator
    meter = rig.meter("power-meter")
    rig.switch_on_laser()
    rig.open_path()
    wavelength, rate = _wavelength(rig), _rate(rig)
    rig.pass_most(meter.power_w)
    levels, readings = _adjust_levels(rig, meter, known.drive_half_wave_v.value)
    check = []
    rig.drive.set_level_v(levels["signal"])
    for step, attenuation in enumerate(_STEPS_DB):
        rig.attenuator.set_attenuation_db(attenuation)
        check.append(meter.power_w())
        rig.tell("checking the attenuator", (step + 1) / len(_STEPS_DB))
    deviations = [
        -math.log(power / check[0]) / LN10_BY_10 - attenuation
        for power, attenuation in zip(check, _STEPS_DB, strict=True)
    ]
    signal_w = readings["signal"][0]
    photons = mean_photons(signal_w, 0.0, wavelength.value, rate.value)
    attenuation = round(math.log(photons / _WANTED["signal"]) / LN10_BY_10, 2)
    if attenuation < 0:
        raise MeasurementError(
            f"a signal pulse has {photons:.3g} photons without attenuation, fewer than wanted"
        )
    rig.attenuator.set_attenuation_db(attenuation)
    uncertainty = rig.station.entry("attenuator").uncertainty
    data_sheet = half_width(_ATTENUATOR_DB if uncertainty is None else uncertainty)
    seen = float(np.sqrt(np.mean(np.square(deviations[1:]))))
    meter_part = rig.station.entry("power-meter").uncertainty
    inputs = Inputs(
        expanded(_METER_PART if meter_part is None else meter_part),
        Quantity(rig.attenuator.attenuation_db(), max(data_sheet, seen)),
        rate,
        wavelength,
    )
    budgets = {name: photon_budget(*found, inputs) for name, found in readings.items()}
    return PhotonNumbersOutcome(budgets, levels, inputs, list(_STEPS_DB), deviations)


def _wavelength(rig: Rig) -> Quantity:
    if "spectrum-analyser" not in rig.station:
        return Quantity(rig.station.file.wavelength_nm, half_width(_NOMINAL_NM))
    analyser = rig.station.get("spectrum-analyser", SpectrumAnalyser)
    found = analyser.sweep(rig.station.file.wavelength_nm, SPAN_NM, RESOLUTION_NM)
    return Quantity(centre_nm(found), half_width(_ANALYSER_NM))


def _rate(rig: Rig) -> Quantity:
    if "counter" not in rig.station:
        return Quantity(float(PULSE_RATE_HZ), half_width(_NOMINAL_RATE_PART * PULSE_RATE_HZ))
    divider = rig.station.file.source.marker_divider
    found = divider * rig.station.get("counter", FrequencyCounter).frequency_hz(_GATE_S)
    if abs(found / PULSE_RATE_HZ - 1) > 10 * _NOMINAL_RATE_PART:
        raise MeasurementError(
            f"the counter makes the pulse rate {1e-6 * found:.3f} MHz: is marker_divider "
            f"{divider} right, and does the transmitter run?"
        )
    return Quantity(found, half_width(_COUNTER_PART * found))


def _adjust_levels(
    rig: Rig, meter: PowerMeter, half_wave_v: float
) -> tuple[dict[str, float], dict[str, tuple[float, float, int]]]:
    """Bring decoy and vacuum to their ratios to signal, and read the power of all three."""
    levels = {"signal": rig.modulator.levels_v["signal"]}
    rig.drive.set_level_v(levels["signal"])
    readings = {"signal": from_readings([meter.power_w() for _ in range(_READINGS)])}
    most = readings["signal"][0]
    rig.drive.set_level_v(0.0)
    floor = meter.power_w()
    for number, name in enumerate(("decoy", "vacuum")):
        wanted = most * _WANTED[name] / _WANTED["signal"]
        # A vacuum that cannot be made weaker than wanted is taken as weak as it is.
        share = min(max((wanted - floor) / (most - floor), 0.0), 1.0)
        level = 2 * math.asin(math.sqrt(share)) / math.pi * half_wave_v
        for _ in range(_TRIES):
            rig.drive.set_level_v(level)
            power = meter.power_w()
            if abs(power / wanted - 1) < _CLOSE or level <= 0:
                break
            # Along the curve floor + (most - floor) sin²(π V / 2 V_half).
            phase = math.pi * level / half_wave_v
            slope = (most - floor) * math.sin(phase) * math.pi / (2 * half_wave_v)
            level = min(max(level - (power - wanted) / slope, 0.0), half_wave_v)
        levels[name] = level
        rig.drive.set_level_v(level)
        readings[name] = from_readings([meter.power_w() for _ in range(_READINGS)])
        if readings[name][0] <= 0:
            raise MeasurementError(f"the power of {name} is lost in the meter's noise")
        rig.tell("adjusting the levels", (number + 1) / 2)
    return levels, readings
