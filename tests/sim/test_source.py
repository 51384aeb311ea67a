import numpy as np
import pytest

from keybeam.protocol.symbols import (
    CHECK_BASIS,
    INTENSITY_PROBABILITY,
    KEY_BASIS,
    Intensity,
    intensity_of,
    map_random_bits,
)
from keybeam_sim.recording import SOURCES, RecordedLink
from keybeam_sim.source import PhotonSource, SymbolSource


def splitmix64(state, count):
    """The generator as its authors publish it, with Python's integers."""
    out = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        out.append(z ^ z >> 31)
    return out


def test_words_are_those_of_splitmix64():
    # First output for seed 0, as in the reference implementation of Vigna.
    assert splitmix64(0, 1) == [0xE220A8397B1DCDAF]
    state = splitmix64(1234, 1)[0]
    words = SymbolSource(1234).words(np.arange(50, dtype=np.uint64))
    assert words.tolist() == splitmix64(state, 50)


def test_symbols_take_the_bits_of_their_word():
    source = SymbolSource(7)
    indices = np.arange(2**40 + 5, 2**40 + 205, dtype=np.uint64)
    for index, symbol in zip(indices.tolist(), source.symbols(indices).tolist(), strict=True):
        word = int(source.words(np.array([index // 16], np.uint64))[0])
        assert symbol == map_random_bits(np.array(word >> 4 * (index % 16) & 15))


def test_symbols_have_their_probabilities():
    count = 1 << 20
    symbols = SymbolSource(3).symbols(np.arange(count, dtype=np.uint64))
    for intensity, probability in INTENSITY_PROBABILITY.items():
        found = np.count_nonzero(intensity_of(symbols) == intensity)
        sigma = np.sqrt(count * probability * (1 - probability))
        assert found == pytest.approx(count * probability, abs=5 * sigma)
    for polarisation in range(4):
        found = np.count_nonzero(symbols & 3 == polarisation)
        assert found == pytest.approx(count / 4, abs=5 * np.sqrt(count * 3 / 16))


def test_source():
    source = PhotonSource()
    assert source.misalignment == pytest.approx(0.00316, abs=1e-5)
    assert source.average == pytest.approx(0.42525)
    assert source.photons_of(np.array([2, 0, 3, 1])).tolist() == [0.001, 0.8, 0.0, 0.1]
    assert source.brightest == source.mean_photons[Intensity.SIGNAL]


def test_a_symbol_map_of_many_bits_gives_its_probabilities():
    link = RecordedLink(SOURCES["fibre"])
    count = 1 << 20
    symbols = SymbolSource(3, link.symbol_map).symbols(np.arange(count, dtype=np.uint64))
    source = SOURCES["fibre"]
    for basis, chosen in ((KEY_BASIS, 15 / 16), (CHECK_BASIS, 1 / 16)):
        for place, of_intensity in enumerate(source.probabilities):
            for bit in (0, 1):
                wanted = chosen * of_intensity / 2
                found = np.count_nonzero(symbols == place << 2 | basis << 1 | bit)
                sigma = np.sqrt(count * wanted * (1 - wanted))
                assert found == pytest.approx(count * wanted, abs=5 * sigma)
