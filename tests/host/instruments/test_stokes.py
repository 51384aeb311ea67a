import numpy as np
import pytest
from scipy.stats import special_ortho_group

from keybeam.instruments.routines.compensation import stokes_vector
from keybeam.instruments.stokes import (
    STATES,
    compensating_angles_deg,
    plates_matrix,
    retarder,
    sphere_rotation,
)
from keybeam_sim.laboratory.polarisation import Analyser, WavePlate, random_unitary


def stokes(jones):
    cross = np.conj(jones[0]) * jones[1]
    intensities = np.abs(jones) ** 2
    return np.array([intensities[0] - intensities[1], 2 * cross.real, 2 * cross.imag])


def test_retarders_turn_the_sphere_as_jones_matrices_do():
    rng = np.random.default_rng(1)
    for _ in range(50):
        light = rng.standard_normal(2) + 1j * rng.standard_normal(2)
        light /= np.linalg.norm(light)
        angle, retardance = rng.uniform(0, 180, 2)
        behind = WavePlate(retardance).matrix(angle) @ light
        np.testing.assert_allclose(retarder(angle, retardance) @ stokes(light), stokes(behind))


def test_any_rotation_is_undone():
    for seed in range(300):
        rotation = special_ortho_group.rvs(3, random_state=seed)
        angles = compensating_angles_deg(rotation)
        assert all(-90 <= angle <= 90 for angle in angles)
        np.testing.assert_allclose(plates_matrix(angles) @ rotation, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("axis", [[1, 2, 0], [0, 1, 2], [2, 0, 1]])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_rotations_among_the_axes_are_undone(axis, signs):
    # H or R may come to a pole, where a projection to the equator has no direction.
    rotation = np.eye(3)[axis] * np.array([*signs, 1.0])
    rotation[:, 2] *= np.linalg.det(rotation)
    angles = compensating_angles_deg(rotation)
    np.testing.assert_allclose(plates_matrix(angles) @ rotation, np.eye(3), atol=1e-9)


def test_the_rotation_is_found_from_noisy_images():
    rng = np.random.default_rng(2)
    rotation = special_ortho_group.rvs(3, random_state=7)
    images = {
        name: 0.95 * rotation @ state + 0.005 * rng.standard_normal(3)
        for name, state in STATES.items()
    }
    np.testing.assert_allclose(sphere_rotation(images), rotation, atol=0.02)


def test_stokes_vectors_are_found_from_powers_behind_plates():
    rng = np.random.default_rng(3)
    fibre = random_unitary(rng)
    np.testing.assert_allclose(fibre.conj().T @ fibre, np.eye(2), atol=1e-12)
    light = fibre @ np.array([1.0, 0.0])
    analyser, plates = (
        Analyser(WavePlate(180.0), 0.0),
        [WavePlate(90), WavePlate(90), WavePlate(180)],
    )
    powers = np.empty((3, 4))
    for row, angles in enumerate(((0, 0, 0), (45, 0, 0), (22.5, 45, 0))):
        behind = light
        for plate, angle in zip(plates, angles, strict=True):
            behind = plate.matrix(angle) @ behind
        for column, angle in enumerate((0.0, 45.0, 22.5, 67.5)):
            powers[row, column] = 3e-6 * analyser.transmission(behind, angle)
    np.testing.assert_allclose(stokes_vector(powers), stokes(light), atol=1e-9)
