"""The check sum of HDF5 against its twin, and against that library."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.tags.sums import fletcher32, fletcher32_numpy


@given(words=st.sampled_from([0, 1, 2, 4095, 4096, 4097, 9000]), seed=st.integers(0, 99))
def test_check_sums_are_those_of_numpy(words, seed):
    data = np.random.default_rng(seed).integers(0, 256, 2 * words, dtype=np.uint8)
    assert fletcher32(data) == fletcher32_numpy(data)


@pytest.mark.parametrize("octet", [0, 1, 255])
def test_check_sums_of_equal_bytes_are_those_of_numpy(octet):
    """The largest sums, and those that are zero or a multiple of the modulus."""
    data = np.full(2 * 65_535, octet, np.uint8)
    assert fletcher32(data) == fletcher32_numpy(data)


def test_check_sums_are_those_in_a_file(tmp_path):
    data = np.random.default_rng(1).integers(0, 1 << 63, 65_536, dtype=np.uint64)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        written = file.create_dataset("data", data=data, chunks=(data.size,), fletcher32=True)
        _, chunk = written.id.read_direct_chunk((0,))
    assert int.from_bytes(chunk[-4:], "little") == fletcher32(data.view(np.uint8))
    assert chunk[:-4] == data.tobytes()


def test_half_a_word_has_no_check_sum():
    with pytest.raises(ValueError, match="whole words"):
        fletcher32(np.zeros(3, np.uint8))
