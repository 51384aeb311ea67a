import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.sifting import (
    CodingError,
    decode_indices,
    encode_indices,
    pack_bits,
    pack_intensities,
    unpack_bits,
    unpack_intensities,
)


def leb128(value: int) -> bytes:
    """Unsigned LEB128 as DWARF 5, figure C.1, writes it down."""
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(out)


increasing = st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=50).map(sorted)


@given(increasing)
def test_indices_survive_and_are_leb128_of_their_steps(indices):
    array = np.array(indices, np.uint64)
    data = encode_indices(array)
    steps = [after - before for before, after in zip([0, *indices], indices, strict=False)]
    assert data == b"".join(leb128(step) for step in steps)
    np.testing.assert_array_equal(decode_indices(data), array)


def test_published_leb128_examples():
    # DWARF 5, table 7.7.
    for value, data in ((2, "02"), (127, "7f"), (128, "8001"), (129, "8101"), (12857, "b964")):
        assert encode_indices(np.array([value], np.uint64)) == bytes.fromhex(data)


@pytest.mark.parametrize(
    "data",
    [b"\x80", b"\x01\xff", b"\x05\x00", b"\x80" * 10 + b"\x01", b"\xff" * 9 + b"\x02"],
    ids=["cut", "cut after one", "equal", "eleven bytes", "65 bits"],
)
def test_malformed_indices_are_refused(data):
    with pytest.raises(CodingError):
        decode_indices(data)


def test_indices_beyond_64_bits_are_refused():
    with pytest.raises(CodingError):
        decode_indices(leb128(2**64 - 1) + leb128(1))


@pytest.mark.parametrize("indices", [[1, 1], [2, 1]])
def test_indices_that_do_not_increase_are_refused(indices):
    with pytest.raises(CodingError):
        encode_indices(np.array(indices, np.uint64))


@given(st.lists(st.integers(0, 1), max_size=40))
def test_bits_survive(bits):
    array = np.array(bits, np.uint8)
    np.testing.assert_array_equal(unpack_bits(pack_bits(array), len(bits)), array)


@given(st.lists(st.integers(0, 3), max_size=40))
def test_intensities_survive(values):
    array = np.array(values, np.uint8)
    np.testing.assert_array_equal(unpack_intensities(pack_intensities(array), len(values)), array)


@pytest.mark.parametrize("count", [0, 4, 17])
def test_a_wrong_number_of_bytes_is_refused(count):
    with pytest.raises(CodingError):
        unpack_bits(b"\xff\xff", count)
    with pytest.raises(CodingError):
        unpack_intensities(b"\xff\xff", count)
