from collections import Counter

import numpy as np

from keybeam.protocol.symbols import (
    Intensity,
    Polarisation,
    basis_of,
    bit_of,
    intensity_of,
    map_random_bits,
)


def test_default_map_gives_the_probabilities_of_the_paper():
    symbols = map_random_bits(np.arange(16))
    assert Counter(intensity_of(symbols).tolist()) == {
        Intensity.SIGNAL: 8,
        Intensity.DECOY: 4,
        Intensity.VACUUM: 4,
    }
    assert Counter((symbols & 3).tolist()) == dict.fromkeys(Polarisation, 4)


def test_intensity_and_polarisation_are_independent():
    symbols = map_random_bits(np.arange(16))
    pairs = Counter(zip(intensity_of(symbols).tolist(), (symbols & 3).tolist(), strict=True))
    assert all(
        count == (2 if intensity == Intensity.SIGNAL else 1)
        for (intensity, _), count in pairs.items()
    )


def test_bit_and_basis_of_the_four_states():
    states = np.array([Polarisation.H, Polarisation.V, Polarisation.D, Polarisation.A])
    assert bit_of(states).tolist() == [0, 1, 0, 1]
    assert basis_of(states).tolist() == [0, 0, 1, 1]
