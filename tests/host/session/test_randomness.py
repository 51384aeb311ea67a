"""Random choices: how many, which, and from what."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from keybeam.session.randomness import ExpandedRandom, SeededRandom, SystemRandom, random_mask


def test_expanded_bytes_are_the_key_stream_of_aes():
    """Block by block, as NIST SP 800-38A has it."""
    key = bytes(range(32))
    cipher = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()
    expected = b"".join(cipher.update(number.to_bytes(16, "big")) for number in range(10))
    stream = ExpandedRandom(key)
    assert b"".join(stream.draw(count).tobytes() for count in (0, 1, 30, 129)) == expected


@pytest.mark.parametrize("fraction", [0.0, 2**-20, 0.1, 0.5, 255.5 / 256, 1.0])
def test_a_mask_has_its_fraction(fraction):
    count = 1_000_000
    mask = random_mask(SeededRandom(1, "test"), "sample", count, fraction)
    assert (mask.dtype, mask.size) == (np.dtype(bool), count)
    deviation = (count * fraction * (1 - fraction)) ** 0.5
    assert abs(np.count_nonzero(mask) - count * fraction) <= 4 * deviation


def test_places_are_chosen_independently():
    """Runs between chosen places are those of a geometric distribution."""
    mask = random_mask(SeededRandom(2, "test"), "sample", 1_000_000, 0.1)
    gaps = np.diff(np.flatnonzero(mask))
    for gap in (1, 2, 5, 20):
        expected = gaps.size * 0.1 * 0.9 ** (gap - 1)
        assert abs(np.count_nonzero(gaps == gap) - expected) < 5 * expected**0.5


def test_every_mask_has_a_key_of_its_own():
    source = SeededRandom(3, "test")
    masks = [random_mask(source, "sample", 4096, 0.5) for _ in range(2)]
    masks.append(random_mask(SystemRandom(), "sample", 4096, 0.5))
    masks.append(random_mask(SystemRandom(), "sample", 4096, 0.5))
    for place, mask in enumerate(masks):
        for other in masks[:place]:
            assert abs(np.count_nonzero(mask == other) - 2048) < 200
    assert np.array_equal(random_mask(SeededRandom(3, "test"), "sample", 4096, 0.5), masks[0])
    assert random_mask(source, "sample", 0, 0.5).size == 0
