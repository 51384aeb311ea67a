from collections import Counter

import numpy as np
import pytest

from keybeam.protocol.symbols import (
    DEFAULT_SYMBOL_TABLE,
    Basis,
    Intensity,
    Polarisation,
    basis_of,
    bit_of,
    default_symbol_table,
    intensity_of,
    map_random_bits,
    symbol_table,
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


THREE = {Intensity.SIGNAL: 0.5, Intensity.DECOY: 0.25, Intensity.VACUUM: 0.25}
EVEN = {Basis.RECTILINEAR: 0.5, Basis.DIAGONAL: 0.5}


def test_table_of_the_default_probabilities_has_the_symbols_of_the_default_table():
    assert Counter(symbol_table(THREE, EVEN).tolist()) == Counter(DEFAULT_SYMBOL_TABLE.tolist())
    assert default_symbol_table(4).tolist() == DEFAULT_SYMBOL_TABLE.tolist()
    assert default_symbol_table(6).tolist() == 4 * DEFAULT_SYMBOL_TABLE.tolist()


@pytest.mark.parametrize("random_bits", [1, 4, 12])
def test_key_bits_of_a_table_are_even_and_bit_0(random_bits):
    only = {Intensity.SIGNAL: 1.0}
    table = symbol_table(
        only, {Basis.RECTILINEAR: 0.9, Basis.DIAGONAL: 0.1}, random_bits, nearest=True
    )
    assert table.shape == (1 << random_bits,)
    assert (bit_of(table) == np.arange(len(table)) % 2).all()


def test_biased_bases_in_steps_of_the_table():
    table = symbol_table(THREE, {Basis.RECTILINEAR: 0.875, Basis.DIAGONAL: 0.125}, 6)
    counts = Counter(zip(intensity_of(table).tolist(), basis_of(table).tolist(), strict=True))
    assert counts == {(0, 0): 28, (0, 1): 4, (1, 0): 14, (1, 1): 2, (2, 0): 14, (2, 1): 2}


def test_probabilities_that_a_table_cannot_hold_are_refused_or_rounded():
    biased = {Basis.RECTILINEAR: 0.9, Basis.DIAGONAL: 0.1}
    with pytest.raises(ValueError, match=r"12 random bits cannot give .* multiple of 1/2048"):
        symbol_table(THREE, biased, 12)
    table = symbol_table(THREE, biased, 12, nearest=True)
    for intensity, wanted in THREE.items():
        for basis, part in biased.items():
            is_state = (intensity_of(table) == intensity) & (basis_of(table) == basis)
            assert abs(is_state.mean() - wanted * part) <= 1 / 2048


@pytest.mark.parametrize(
    ("intensity", "basis", "random_bits", "message"),
    [
        ({Intensity.SIGNAL: 0.5}, EVEN, 4, "intensity"),
        (THREE, {Basis.DIAGONAL: 1.5, Basis.RECTILINEAR: -0.5}, 4, "basis"),
        ({Intensity.SIGNAL: 0.5, Intensity.INVALID: 0.5}, EVEN, 4, "INVALID"),
        (THREE, EVEN, 13, "13 random bits"),
        (THREE, EVEN, 0, "0 random bits"),
    ],
)
def test_tables_that_make_no_sense_are_refused(intensity, basis, random_bits, message):
    with pytest.raises(ValueError, match=message):
        symbol_table(intensity, basis, random_bits)
