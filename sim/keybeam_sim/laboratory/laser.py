"""A gain-switched laser diode by its rate equations, with the noise that makes its jitter."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["PERIOD_S", "STEP_S", "LaserDiode"]

_CHARGE_C = 1.602176634e-19
_PLANCK_JS = 6.62607015e-34
_LIGHT_M_S = 299_792_458.0

STEP_S = 1e-12
"""Time step of the integration."""

PERIOD_S = 1.6e-9
"""From trigger to trigger at 625 MHz."""

_STEPS = round(PERIOD_S / STEP_S)
_WARM_UP_PERIODS = 2
_PULSES = 128
_LEAST_TRIGGER_A = 1e-4
"""Trigger amplitudes below this make no pulses: the diode is taken as steady."""

_DARK_CURRENT_A = 1e-9


@dataclass(frozen=True)
class LaserDiode:
    """A single-mode laser diode.

    The numbers of carriers n and photons s in its cavity obey

        dn/dt = I/q - n/τn - G s,    ds/dt = G s - s/τp + β n/τn + F,
        G = g (n - n0) / (1 + ε s)

    (Coldren, Corzine and Mašanović, *Diode Lasers and Photonic Integrated Circuits*, 2nd ed.,
    section 5.2), where F is white noise of strength 2 β n s / τn (ibid., section 5.5). From it
    each pulse builds up at another moment: the turn-on jitter.

    Attributes
    ----------
    wavelength_nm : float
        Vacuum wavelength at 25 °C and threshold.
    carrier_lifetime_s, photon_lifetime_s : float
        τn and τp in seconds.
    gain_per_s : float
        g, a carrier's part of the gain rate.
    transparency_carriers : float
        n0 at 25 °C; it grows with temperature as exp(ΔT / T0).
    gain_compression : float
        ε, for each photon.
    spontaneous_fraction : float
        β, of spontaneous emission into the mode.
    efficiency : float
        Of photons that leave the cavity into the fibre.
    characteristic_temperature_k : float
        T0 in kelvins.
    trigger_width_s, trigger_centre_s : float
        FWHM of the driver's current pulse, a Gaussian, and its middle in the period.
    """

    wavelength_nm: float = 850.0
    carrier_lifetime_s: float = 1e-9
    photon_lifetime_s: float = 2e-12
    gain_per_s: float = 1e4
    transparency_carriers: float = 5e7
    gain_compression: float = 3e-7
    spontaneous_fraction: float = 3e-5
    efficiency: float = 0.3
    characteristic_temperature_k: float = 80.0
    trigger_width_s: float = 220e-12
    trigger_centre_s: float = 500e-12

    def _transparency(self, temperature_c: float) -> float:
        warming = (temperature_c - 25.0) / self.characteristic_temperature_k
        return self.transparency_carriers * math.exp(warming)

    def threshold_a(self, temperature_c: float = 25.0) -> float:
        """Threshold current in amperes: n/τn where the gain equals the loss."""
        carriers = self._transparency(temperature_c) + 1 / (
            self.gain_per_s * self.photon_lifetime_s
        )
        return _CHARGE_C * carriers / self.carrier_lifetime_s

    def emitted_nm(self, current_a: float, temperature_c: float) -> float:
        """Wavelength in nanometres: 0.06 nm/K and 3 pm/mA, as of a distributed-feedback laser."""
        heating = current_a - self.threshold_a()
        return self.wavelength_nm + 0.06 * (temperature_c - 25.0) + 3.0 * heating

    def _power_w(self, photons: NDArray[np.float64] | float) -> NDArray[np.float64]:
        energy = _PLANCK_JS * _LIGHT_M_S / (1e-9 * self.wavelength_nm)
        return np.asarray(photons) * self.efficiency * energy / self.photon_lifetime_s

    def steady_power_w(self, current_a: float, temperature_c: float) -> float:
        """Power in watts at a constant current."""
        if current_a < _DARK_CURRENT_A:
            return 0.0
        n0 = self._transparency(temperature_c)
        spontaneous = self.spontaneous_fraction / self.carrier_lifetime_s

        def photons(carriers: float) -> float:
            # From ds/dt = 0, a quadratic in s whose positive root is meant.
            gain = self.gain_per_s * (carriers - n0)
            loss, source = 1 / self.photon_lifetime_s, spontaneous * carriers
            a = self.gain_compression * loss
            b = loss - gain - self.gain_compression * source
            return (-b + math.sqrt(b * b + 4 * a * source)) / (2 * a)

        def surplus(carriers: float) -> float:
            s = photons(carriers)
            rate = self.gain_per_s * (carriers - n0) / (1 + self.gain_compression * s)
            return current_a / _CHARGE_C - carriers / self.carrier_lifetime_s - rate * s

        most = current_a / _CHARGE_C * self.carrier_lifetime_s + 2 * n0
        return float(self._power_w(photons(brentq(surplus, 1.0, most))))

    def pulses_w(self, bias_a: float, trigger_a: float, temperature_c: float) -> NDArray:
        """Power during one period each of many pulses.

        Parameters
        ----------
        bias_a, trigger_a : float
            Constant current, and peak of the driver's pulse, in amperes.
        temperature_c : float
            In °C.

        Returns
        -------
        ndarray of float64, shape (128, 1600)
            Watts by pulse and picosecond.
        """
        return _pulses_w(self, round(bias_a, 6), round(trigger_a, 5), round(temperature_c, 1))

    def mean_power_w(self, bias_a: float, trigger_a: float, temperature_c: float) -> float:
        """Mean power in watts, with triggers of an amplitude of 0.1 mA or more as pulses."""
        if trigger_a < _LEAST_TRIGGER_A:
            return self.steady_power_w(bias_a, temperature_c)
        return float(self.pulses_w(bias_a, trigger_a, temperature_c).mean())


@functools.lru_cache(maxsize=64)
def _pulses_w(diode: LaserDiode, bias_a: float, trigger_a: float, temperature_c: float) -> NDArray:
    """Integrate the rate equations for many pulses at once, each with its own noise."""
    # The noise is the same for the same currents, so that a measurement can be repeated.
    rng = np.random.default_rng([round(1e6 * bias_a), round(1e5 * trigger_a)])
    time_s = STEP_S * np.arange(_STEPS)
    sigma = diode.trigger_width_s / math.sqrt(8 * math.log(2))
    shape = np.exp(-0.5 * ((time_s - diode.trigger_centre_s) / sigma) ** 2)
    pump = (bias_a + trigger_a * shape) / _CHARGE_C * STEP_S
    n0 = diode._transparency(temperature_c)
    decay, loss = STEP_S / diode.carrier_lifetime_s, STEP_S / diode.photon_lifetime_s
    gain_step, beta = diode.gain_per_s * STEP_S, diode.spontaneous_fraction
    carriers = np.full(_PULSES, bias_a / _CHARGE_C * diode.carrier_lifetime_s)
    photons = np.full(_PULSES, 1.0)
    record = np.empty((_STEPS, _PULSES))
    for _ in range(_WARM_UP_PERIODS + 1):
        noise = rng.standard_normal((_STEPS, _PULSES))
        for step in range(_STEPS):
            gain = gain_step * (carriers - n0) / (1 + diode.gain_compression * photons)
            spontaneous = beta * decay * carriers
            stimulated = gain * photons
            carriers = carriers + pump[step] - decay * carriers - stimulated
            # Gain and loss are integrated exactly over the step, so that a photon lifetime of
            # two steps does no harm.
            photons = photons * np.exp(gain - loss) + spontaneous
            photons += np.sqrt(2 * spontaneous * photons) * noise[step]
            np.maximum(photons, 0.0, out=photons)
            record[step] = photons
    return diode._power_w(record.T)
