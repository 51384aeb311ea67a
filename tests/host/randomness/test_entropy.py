import math

import numpy as np
import pytest

from keybeam.randomness import markov_entropy, most_common_value_entropy


def test_most_common_value_of_the_standards_example():
    # SP 800-90B, 6.3.1: p = 0.4, p_u = 0.6895, min-entropy 0.5363.
    sample = [0, 1, 1, 2, 0, 1, 2, 2, 0, 1, 0, 1, 1, 0, 2, 2, 1, 0, 2, 1]
    assert most_common_value_entropy(np.array(sample)) == pytest.approx(0.5363, abs=5e-5)


def test_markov_of_the_standards_example():
    # SP 800-90B, 6.3.3: P0 = 0.475, P00 = 0.389, P01 = 0.611, P10 = 0.571, P11 = 0.429; 0.761.
    text = "1000111001010101110011000111001010101110"
    assert markov_entropy(np.array(list(text), int)) == pytest.approx(0.761, abs=5e-4)


@pytest.mark.parametrize("part", [0.5, 0.6, 0.9])
def test_independent_bits_have_the_entropy_of_their_likelier_value(part):
    bits = (np.random.default_rng(3).random(200_000) < part).astype(np.uint8)
    expected = -math.log2(part)
    assert most_common_value_entropy(bits) == pytest.approx(expected, abs=0.015)
    assert most_common_value_entropy(bits) < expected
    assert markov_entropy(bits) == pytest.approx(expected, abs=0.02)


def test_markov_sees_what_the_most_common_value_does_not():
    # Each bit equals the one before with probability 0.9; both values are equally common.
    same = np.random.default_rng(4).random(100_000) < 0.9
    bits = np.cumsum(~same) % 2
    assert most_common_value_entropy(bits) > 0.9
    assert markov_entropy(bits) == pytest.approx(-math.log2(0.9), abs=0.03)


@pytest.mark.parametrize("bits", [[0] * 50, [1] * 50, [0, 1] * 50])
def test_what_is_certain_has_no_entropy(bits):
    assert markov_entropy(np.array(bits)) == pytest.approx(0.0, abs=0.01)


def test_samples_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match="too few"):
        most_common_value_entropy(np.array([1]))
    with pytest.raises(ValueError, match="two or more bits"):
        markov_entropy(np.array([0, 2, 1]))
