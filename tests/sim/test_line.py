import numpy as np
import pytest

from keybeam_sim.line import LineConditions, sample_line


def test_samples_are_those_of_the_bits_where_nothing_happens():
    words, first = sample_line([1, 0, 1, 1], LineConditions(start=2.0), np.random.default_rng(1))
    assert words.tolist() == [0b1100, 0b0011, 0b1100 | 0b0000, 0b1111]
    assert first.tolist() == [2, 6, 10, 14]


def test_offset_ramp_and_jitter_move_borders_by_what_they_say():
    bits = np.tile([0, 1], 400_000)
    conditions = LineConditions(offset=100e-6, ramp=1.0, jitter_ui=0.5, jitter_hz=1e6, start=4.0)
    _, first = sample_line(bits, conditions, np.random.default_rng(1))
    seconds = np.arange(bits.size) / 156.25e6
    place = 4 + 4 * (np.arange(bits.size) + seconds * 156.25e6 * (100e-6 + seconds / 2))
    shift = place + np.sin(2 * np.pi * 1e6 * seconds)
    assert np.all((first - shift >= -1e-6) & (first - shift < 1 + 1e-6))


def test_random_jitter_and_errors_are_as_frequent_as_asked():
    rng = np.random.default_rng(2)
    bits = np.tile([0, 1], 100_000)
    words, first = sample_line(bits, LineConditions(random_ui=0.05, error_rate=0.01, start=8), rng)
    late = first - (8 + 4 * np.arange(bits.size))
    assert late.std() == pytest.approx(np.sqrt(0.2**2 + 1 / 12), abs=0.2)
    samples = np.unpackbits(words[:, None], axis=1, bitorder="little")[:, :4].ravel()
    wrong = np.count_nonzero(samples[(first + 1)[:-2]] != bits[:-2])
    assert wrong == pytest.approx(0.01 * bits.size, rel=0.15)


def test_jitter_that_would_reverse_bits_is_refused():
    with pytest.raises(ValueError, match="wrong order"):
        sample_line(
            [0, 1] * 500,
            LineConditions(jitter_ui=3, jitter_hz=70e6, start=9),
            np.random.default_rng(1),
        )
