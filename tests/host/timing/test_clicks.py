import numpy as np
import pytest

from keybeam.timing import CLICK_DTYPE, estimate_delay, gate, resolve_double_clicks


def clicks(*rows):
    return np.array([(index, channel, 0.0) for index, channel in rows], CLICK_DTYPE)


def test_gate_keeps_the_middle_of_the_slot():
    some = np.zeros(5, CLICK_DTYPE)
    some["phase_ps"] = [-401, -399, 0, 399, 401]
    assert gate(some)["phase_ps"].tolist() == [-399, 0, 399]
    assert gate(some, 804).size == 5


def test_gate_halves_uniform_background(generator):
    background = np.zeros(100_000, CLICK_DTYPE)
    background["phase_ps"] = generator.uniform(-800, 800, background.size)
    assert gate(background).size == pytest.approx(50_000, abs=5 * np.sqrt(25_000))


def test_single_clicks_stay(generator):
    some = clicks((5, 0), (3, 1), (9, 3))
    assert resolve_double_clicks(some, generator).tolist() == [(3, 1, 0), (5, 0, 0), (9, 3, 0)]
    assert resolve_double_clicks(some[:0], generator).size == 0


def test_double_clicks(generator):
    some = clicks((1, 0), (1, 1), (2, 2), (2, 3), (4, 0), (4, 2), (6, 3), (6, 3), (8, 1))
    result = resolve_double_clicks(some, generator)
    assert result["index"].tolist() == [1, 2, 6, 8]
    basis = result["channel"] >> 1
    assert basis.tolist() == [0, 1, 1, 0]
    assert result["channel"][2:].tolist() == [3, 1]


def test_the_bit_of_a_double_click_is_random(generator):
    n = 10_000
    index = np.repeat(np.arange(n), 2)
    some = clicks(*zip(index, np.tile([2, 3], n), strict=True))
    ones = np.count_nonzero(resolve_double_clicks(some, generator)["channel"] == 3)
    assert ones == pytest.approx(n / 2, abs=5 * np.sqrt(n / 4))


def test_delay_is_not_biased_by_background(generator):
    some = np.zeros(40_000, CLICK_DTYPE)
    some["phase_ps"][:20_000] = (650 + generator.normal(0, 150, 20_000) + 800) % 1600 - 800
    some["phase_ps"][20_000:] = generator.uniform(-800, 800, 20_000)
    estimate = estimate_delay(some)
    assert estimate.delay_ps == pytest.approx(650, abs=15)
    assert estimate.contrast == pytest.approx(
        0.5 * np.exp(-0.5 * (2 * np.pi * 150 / 1600) ** 2), rel=0.05
    )
    with pytest.raises(ValueError, match="clicks"):
        estimate_delay(some[:0])
