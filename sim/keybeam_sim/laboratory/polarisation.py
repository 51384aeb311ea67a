"""Wave plates, a fibre and an analyser by Jones calculus."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Analyser", "WavePlate", "random_unitary"]

Matrix = NDArray[np.complex128]


def _rotation(angle_rad: float) -> Matrix:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[c, -s], [s, c]], dtype=np.complex128)


@dataclass(frozen=True)
class WavePlate:
    """A retarder in a rotation mount (Hecht, *Optics*, section 8.13.3).

    Attributes
    ----------
    retardance_deg : float
        180 of a half-wave plate, with the error of its making.
    zero_deg : float
        Angle of the mount at which its fast axis is horizontal.
    """

    retardance_deg: float
    zero_deg: float = 0.0

    def matrix(self, mount_deg: float) -> Matrix:
        """Jones matrix with the mount at an angle."""
        turn = _rotation(math.radians(mount_deg - self.zero_deg))
        half = 0.5j * math.radians(self.retardance_deg)
        return turn @ np.diag([np.exp(-half), np.exp(half)]) @ turn.T


@dataclass(frozen=True)
class Analyser:
    """A half-wave plate in a mount before a fixed polariser that passes H.

    Attributes
    ----------
    plate : WavePlate
        The plate.
    extinction : float
        Part of the power of V that passes.
    """

    plate: WavePlate
    extinction: float = 1e-4

    def transmission(self, jones: Matrix, mount_deg: float) -> float:
        """Part of the power of a Jones vector that passes."""
        horizontal, vertical = np.abs(self.plate.matrix(mount_deg) @ jones) ** 2
        return float(horizontal + self.extinction * vertical)


def random_unitary(rng: np.random.Generator) -> Matrix:
    """Draw a fibre's matrix, all alike in likelihood (Haar measure).

    It comes from a QR decomposition (Mezzadri, Notices of the AMS 54, 592, 2007).
    """
    gauss = rng.standard_normal((2, 2)) + 1j * rng.standard_normal((2, 2))
    q, r = np.linalg.qr(gauss)
    diagonal = np.diag(r)
    unitary: Matrix = q * (diagonal / np.abs(diagonal))
    return unitary
