"""Electro-optic modulators: a Mach-Zehnder for intensities, a Sagnac loop for polarisations."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["IntensityModulator", "PolarisationModulator"]


@dataclass
class IntensityModulator:
    """A lithium-niobate Mach-Zehnder interferometer of unequal arms, whose phase drifts.

    With amplitudes 1 and r of the arms, the transmission is (1 + r² + 2 r cos φ) / (1 + r)²
    times that of the loss, so the extinction ratio is ((1 + r) / (1 - r))² (Saleh and Teich,
    *Fundamentals of Photonics*, section 20.1, for r = 1). The phase walks at random, and
    charges creep in behind a constant bias (Salvestrini et al., J. Lightwave Technol. 29,
    1522, 2011).

    Attributes
    ----------
    drive_half_wave_v, bias_half_wave_v : float
        Voltages that turn the phase by π, of the fast and of the bias electrode.
    extinction_db : float
        Largest over smallest transmission.
    loss_db : float
        At the maximum.
    phase_rad : float
        At 0 V.
    walk_rad_per_root_s : float
        Random walk of the phase.
    creep_part, creep_s : float
        Part of the bias that is lost in the end, and the time constant of that.
    """

    drive_half_wave_v: float = 3.85
    bias_half_wave_v: float = 5.2
    extinction_db: float = 31.5
    loss_db: float = 4.0
    phase_rad: float = 0.9
    walk_rad_per_root_s: float = 2e-4
    creep_part: float = 0.04
    creep_s: float = 900.0
    _crept_v: float = field(default=0.0, init=False)

    def advance(self, seconds: float, bias_v: float, rng: np.random.Generator) -> None:
        """Let time pass at a bias."""
        self.phase_rad += self.walk_rad_per_root_s * math.sqrt(seconds) * rng.standard_normal()
        self._crept_v += (bias_v - self._crept_v) * -math.expm1(-seconds / self.creep_s)

    def transmission(self, drive_v: float, bias_v: float) -> float:
        """Part of the power that passes."""
        effective_v = bias_v - self.creep_part * self._crept_v
        phase = self.phase_rad + math.pi * (
            drive_v / self.drive_half_wave_v + effective_v / self.bias_half_wave_v
        )
        root = 10 ** (self.extinction_db / 20)
        r = (root - 1) / (root + 1)
        interference = (1 + r * r + 2 * r * math.cos(phase)) / (1 + r) ** 2
        return interference * 10 ** (-self.loss_db / 10)


@dataclass(frozen=True)
class PolarisationModulator:
    """A Sagnac loop whose two directions meet as H and V, V delayed by a drive's phase.

    Attributes
    ----------
    half_wave_v : float
        Voltage that turns the phase by π.
    phase_rad : float
        At 0 V.
    imbalance_deg : float
        By which the amplitudes' angle differs from 45°.
    polarised_part : float
        Degree of polarisation.
    loss_db : float
        Loss.
    """

    half_wave_v: float = 3.1
    phase_rad: float = 0.35
    imbalance_deg: float = 0.8
    polarised_part: float = 0.998
    loss_db: float = 3.5

    def field(self, drive_v: float) -> NDArray[np.complex128]:
        """Jones vector of the polarised part, of unit power."""
        angle = math.radians(45.0 + self.imbalance_deg)
        phase = self.phase_rad + math.pi * drive_v / self.half_wave_v
        return np.array([math.cos(angle), math.sin(angle) * np.exp(1j * phase)])
