import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.distillation.errors import DistillationError
from keybeam.distillation.verification import TAG_BITS, collision_probability, tag

PRIME = 2**130 - 5


def reference_tag(bits, key):
    """Poly1305 with s = 0 as defined in section 2 of Bernstein's paper, in whole numbers."""
    r = int.from_bytes(key, "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    packed = sum(int(bit) << place for place, bit in enumerate(bits))
    message = len(bits).to_bytes(8, "little") + packed.to_bytes((len(bits) + 7) // 8, "little")
    total = 0
    for start in range(0, len(message), 16):
        chunk = int.from_bytes(message[start : start + 16] + b"\x01", "little")
        total = (total + chunk) * r % PRIME
    return (total % 2**128).to_bytes(16, "little")


@given(st.lists(st.integers(0, 1), max_size=600), st.binary(min_size=16, max_size=16))
def test_equals_the_definition_in_whole_numbers(bits, key):
    assert tag(np.array(bits, np.uint8), key) == reference_tag(bits, key)


def test_any_flipped_bit_changes_the_tag_of_a_packet():
    generator = np.random.default_rng(3)
    bits = generator.integers(0, 2, 100_000, dtype=np.uint8)
    key = generator.bytes(16)
    for place in (0, 1, 50_000, 99_999):
        other = bits.copy()
        other[place] ^= 1
        assert tag(other, key) != tag(bits, key)


def test_zeros_at_the_end_change_the_tag():
    key = bytes(range(1, 17))
    tags = {tag(np.zeros(n, np.uint8), key) for n in range(20)}
    assert len(tags) == 20


def test_bound_on_collisions():
    # 100 000 bits and the length are 12 508 bytes, 782 chunks of 16.
    assert collision_probability(100_000) == 8 * 782 / 2**106
    assert collision_probability(0) == 8 / 2**106
    assert TAG_BITS == 128


def test_wrong_keys_and_strings_are_refused():
    with pytest.raises(DistillationError, match="16 bytes"):
        tag(np.zeros(8, np.uint8), bytes(15))
    with pytest.raises(DistillationError, match="only 0 and 1"):
        tag(np.full(8, 3, np.uint8), bytes(16))
    with pytest.raises(DistillationError, match="-1"):
        collision_probability(-1)
