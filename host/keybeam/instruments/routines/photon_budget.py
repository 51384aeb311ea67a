"""Photons of a mean power, and what makes their number uncertain."""

import math
from dataclasses import dataclass

from scipy import constants

from keybeam.instruments.uncertainty import METER_LINEARITY, Budget, Contribution, half_width
from keybeam.transmitter.calibration_file import Quantity

__all__ = ["LN10_BY_10", "Inputs", "mean_photons", "photon_budget"]

LN10_BY_10 = math.log(10) / 10
"""Natural logarithm of a decibel."""


@dataclass(frozen=True)
class Inputs:
    """What all three budgets share.

    Attributes
    ----------
    meter : float
        Standard uncertainty of the meter's calibration, as a part of the reading.
    attenuation_db : Quantity
        Attenuation between measuring and use.
    rate_hz, wavelength_nm : Quantity
        Pulse rate and wavelength.
    """

    meter: float
    attenuation_db: Quantity
    rate_hz: Quantity
    wavelength_nm: Quantity


def mean_photons(
    power_w: float, attenuation_db: float, wavelength_nm: float, rate_hz: float
) -> float:
    """Mean number of photons of a pulse.

    It is P λ / (h c f) · 10^(-A/10), P being the mean power before the attenuation A.
    """
    energy = constants.h * constants.c / (1e-9 * wavelength_nm)
    return float(power_w / (energy * rate_hz) * 10 ** (-attenuation_db / 10))


def photon_budget(power_w: float, power_u: float, freedom: int, inputs: Inputs) -> Budget:
    """Budget of a mean photon number: see `mean_photons` for the model.

    Parameters
    ----------
    power_w, power_u : float
        Mean of the meter's readings, and its standard uncertainty by their scatter.
    freedom : int
        Degrees of freedom of that.
    inputs : Inputs
        The rest.
    """
    rate, wave, loss = inputs.rate_hz, inputs.wavelength_nm, inputs.attenuation_db
    value = mean_photons(power_w, loss.value, wave.value, rate.value)
    return Budget(
        value,
        [
            Contribution(
                "readings of power", power_u, value / power_w, "W", "A", "scatter", freedom
            ),
            Contribution(
                "calibration of the meter",
                inputs.meter * power_w,
                value / power_w,
                "W",
                "B",
                "certificate, k = 2",
            ),
            Contribution(
                "linearity of the meter",
                half_width(METER_LINEARITY) * power_w,
                value / power_w,
                "W",
                "B",
                "data sheet",
            ),
            Contribution(
                "attenuation",
                loss.uncertainty,
                -value * LN10_BY_10,
                "dB",
                "B",
                "data sheet and check against the meter",
            ),
            Contribution(
                "wavelength", wave.uncertainty, value / wave.value, "nm", "B", "data sheet"
            ),
            Contribution(
                "pulse rate", rate.uncertainty, -value / rate.value, "Hz", "B", "data sheet"
            ),
        ],
    )
