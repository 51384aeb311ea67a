import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.distillation import _native, amplification
from keybeam.distillation.amplification import (
    product_kernels,
    toeplitz,
    toeplitz_by_transform,
)
from keybeam.distillation.errors import DistillationError


def direct_product(bits, seed, length):
    """The matrix written out, multiplied over GF(2)."""
    n = bits.size
    matrix = np.array(
        [[seed[n - 1 + i - j] for j in range(n)] for i in range(length)], dtype=np.int64
    )
    return (matrix.reshape(length, n) @ bits % 2).astype(np.uint8)


@given(st.data())
def test_equals_the_matrix_product(data):
    n = data.draw(st.integers(1, 80))
    length = data.draw(st.integers(1, n))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    assert np.array_equal(toeplitz(bits, seed, length), direct_product(bits, seed, length))


@given(st.data())
def test_the_kernels_give_the_bits_of_the_transform(data):
    n = data.draw(st.integers(1, 6_000))
    length = data.draw(st.integers(1, n))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    expected = toeplitz_by_transform(bits, seed, length)
    assert np.array_equal(toeplitz(bits, seed, length), expected)
    for kernel in product_kernels():
        assert np.array_equal(toeplitz(bits, seed, length, kernel=kernel), expected)


@given(st.data())
def test_the_product_of_words_is_that_of_whole_numbers_without_carries(data):
    words = st.lists(st.integers(0, 2**64 - 1), max_size=40)
    a, b = data.draw(words), data.draw(words)
    offset, size = data.draw(st.integers(0, 90)), data.draw(st.integers(0, 40))
    product = 0
    for place, word in enumerate(a):
        for bit in range(64):
            if word >> bit & 1:
                product ^= sum(w << 64 * i for i, w in enumerate(b)) << (64 * place + bit)
    expected = [product >> 64 * (offset + i) & (2**64 - 1) for i in range(size)]
    for kernel in product_kernels():
        found = _native.middle_product(
            np.array(a, np.uint64), np.array(b, np.uint64), offset, size, kernel
        )
        assert found.tolist() == expected


def test_a_block_of_the_largest_size_is_exact():
    generator = np.random.default_rng(7)
    n, length = 900_000, 300_000
    bits = np.ones(n, np.uint8)  # the largest sums
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    total = np.concatenate([[0], np.cumsum(seed, dtype=np.int64)])
    expected = (total[n : n + length] - total[:length]) % 2
    assert np.array_equal(toeplitz(bits, seed, length), expected)


def test_the_kernels_agree_on_long_blocks_of_many_shapes():
    generator = np.random.default_rng(9)
    # Transforms of several sizes, one block and many, ends inside of words and of chunks.
    for n, length in ((40_000, 39_999), (150_001, 33_000), (700_000, 5), (400_000, 140_001)):
        bits = generator.integers(0, 2, n, dtype=np.uint8)
        seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
        expected = toeplitz_by_transform(bits, seed, length)
        for kernel in product_kernels()[1:]:
            assert np.array_equal(toeplitz(bits, seed, length, kernel=kernel), expected)


def test_ten_megabits_are_right_wherever_one_looks():
    generator = np.random.default_rng(10)
    n, length = 10_000_000, 2_150_000
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    found = toeplitz(bits, seed, length)
    for place in [0, length - 1, *generator.integers(0, length, 20)]:
        row = seed[place : place + n][::-1]
        assert found[place] == np.count_nonzero(row & bits) % 2


def test_there_is_a_kernel_for_every_machine():
    assert product_kernels()[0] is _native.ProductKernel.PORTABLE


def test_a_product_is_linear_in_the_bits():
    generator = np.random.default_rng(8)
    first, second = generator.integers(0, 2, (2, 5000), dtype=np.uint8)
    seed = generator.integers(0, 2, 6999, dtype=np.uint8)
    both = toeplitz(first ^ second, seed, 2000)
    assert np.array_equal(both, toeplitz(first, seed, 2000) ^ toeplitz(second, seed, 2000))


def test_an_inexact_transform_is_refused(monkeypatch):
    exact = amplification.irfft
    monkeypatch.setattr(amplification, "irfft", lambda *arguments: exact(*arguments) + 0.2)
    with pytest.raises(DistillationError, match="inexact"):
        toeplitz_by_transform(np.ones(9, np.uint8), np.ones(12, np.uint8), 4)


@pytest.mark.parametrize(
    ("bits", "seed", "length", "named"),
    [
        (np.ones(9, np.uint8), np.ones(11, np.uint8), 4, "seed"),
        (np.ones(9, np.uint8), np.ones(18, np.uint8), 10, "10 bits"),
        (np.ones(9, np.uint8), np.ones(18, np.uint8), -1, "-1 bits"),
        (np.ones(9, np.uint8), np.zeros(0, np.uint8), 0, "to 0 bits"),
        (np.ones(9, np.uint8), np.ones(12, np.uint8), np.nan, "nan bits"),
        (np.ones(9, np.uint8), np.ones(12, np.uint8), 3.5, "3.5 bits"),
        (np.full(9, 2, np.uint8), np.ones(12, np.uint8), 4, "string to amplify"),
        (np.ones(9), np.ones(12, np.uint8), 4, "string to amplify"),
        (np.ones((3, 3), np.uint8), np.ones(12, np.uint8), 4, "string to amplify"),
    ],
)
def test_wrong_sizes_and_values_are_named(bits, seed, length, named):
    for product in (toeplitz, toeplitz_by_transform):
        with pytest.raises(DistillationError, match=named):
            product(bits, seed, length)
