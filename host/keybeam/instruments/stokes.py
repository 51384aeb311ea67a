"""Wave plates as rotations of the Poincaré sphere, and the angles that undo a fibre.

Stokes vectors are (s1, s2, s3) with H = (1, 0, 0), D = (0, 1, 0), R = (0, 0, 1). A
retarder turns the sphere by its retardance about the axis (cos 2θ, sin 2θ, 0), θ
being the azimuth of its fast axis (Born and Wolf, *Principles of Optics*, section
1.4.2; Collett, *Field Guide to Polarization*, SPIE 2005).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["STATES", "compensating_angles_deg", "plates_matrix", "retarder", "sphere_rotation"]

Vector = NDArray[np.float64]

STATES: dict[str, Vector] = {
    "H": np.array([1.0, 0.0, 0.0]),
    "V": np.array([-1.0, 0.0, 0.0]),
    "D": np.array([0.0, 1.0, 0.0]),
    "A": np.array([0.0, -1.0, 0.0]),
}
"""Stokes vectors of the four states of the protocol."""

RETARDANCES_DEG = (90.0, 90.0, 180.0)
"""Of the plates in the order in which light meets them."""


def retarder(angle_deg: float, retardance_deg: float) -> Vector:
    """Give the rotation of the sphere by a retarder (Rodrigues' formula).

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    double = math.radians(2 * angle_deg)
    axis = np.array([math.cos(double), math.sin(double), 0.0])
    turn = math.radians(retardance_deg)
    cross = np.cross(axis, np.eye(3)).T
    rotation: Vector = (
        math.cos(turn) * np.eye(3)
        + math.sin(turn) * cross
        + (1 - math.cos(turn)) * np.outer(axis, axis)
    )
    return rotation


def plates_matrix(angles_deg: Sequence[float]) -> Vector:
    """Give the rotation by two quarter-wave plates and a half-wave plate, met in this order."""
    rotation = np.eye(3)
    for angle, retardance in zip(angles_deg, RETARDANCES_DEG, strict=True):
        rotation = retarder(angle, retardance) @ rotation
    return rotation


def sphere_rotation(images: Mapping[str, ArrayLike]) -> Vector:
    """Find the rotation that takes the four states nearest to their measured images.

    Wahba's problem, solved by a singular-value decomposition (Markley, J. Astronaut. Sci. 36,
    245, 1988).

    Parameters
    ----------
    images : mapping of str to array_like
        Stokes vectors by the names of `STATES`.

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    profile = sum(np.outer(np.asarray(images[name], float), STATES[name]) for name in STATES)
    u, _, v = np.linalg.svd(np.asarray(profile))
    # The four states lie in a plane: the third axis is set by the handedness alone.
    handedness = np.linalg.det(u) * np.linalg.det(v)
    rotation: Vector = u @ np.diag([1.0, 1.0, handedness]) @ v
    return rotation


def _azimuth_deg(vector: Vector) -> float:
    """Azimuth of the projection to the equator; 0 of a pole."""
    return math.degrees(math.atan2(vector[1], vector[0])) / 2


def compensating_angles_deg(rotation: Vector) -> tuple[float, float, float]:
    """Find the angles of two quarter-wave plates and a half-wave plate that undo a rotation.

    As in arXiv:2408.10994, "Polarization compensation of quantum photons": with R' and H' the
    images of R and H, the axis of the first plate is the projection of R' to the equator, which
    turns R' into the equator; that of the second the projection of what became of H', with the
    sign that brings R' to the pole which the half-wave plate swaps with R; that of the half-wave
    plate bisects what became of H' and H.

    Parameters
    ----------
    rotation : ndarray of float64, shape (3, 3)
        Rotation of the sphere by the fibre.

    Returns
    -------
    tuple of float
        Azimuths of the fast axes in degrees, -90 to 90.
    """
    circular, horizontal = rotation @ [0.0, 0.0, 1.0], rotation @ [1.0, 0.0, 0.0]
    first = _azimuth_deg(circular)
    turned = retarder(first, 90.0)
    circular, horizontal = turned @ circular, turned @ horizontal
    # H' is at right angles to R', which is on the equator now: so is its projection, even where
    # H' is a pole and has none. Of both signs this one turns R' to the pole of left-handed light.
    second = _azimuth_deg(np.cross([0.0, 0.0, 1.0], circular))
    third = _azimuth_deg(retarder(second, 90.0) @ horizontal) / 2
    return first, second, third
