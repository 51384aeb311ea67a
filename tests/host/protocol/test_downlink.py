import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol import downlink
from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, decode_frame, encode_frame


def test_check_sums_meet_the_catalogue_values():
    # Check values of the catalogue of parametrised CRC algorithms (CRC-16/IBM-3740, CRC-32/BZIP2).
    assert downlink.crc16(b"123456789") == 0x29B1
    assert downlink.crc32(b"123456789") == 0xFC891918


def test_scrambler_gives_the_published_sequence():
    bits = downlink.scrambler_bits()
    # ETSI EN 300 421: with this seed the sequence begins 0000 0011 1111 0110 0000 1000 ...
    assert "".join(map(str, bits[:24])) == "000000111111011000001000"


def test_layout_fills_the_frame():
    assert downlink.FRAME_BYTES == 2048
    assert downlink.PAYLOAD_BYTES == 2024


@given(
    st.integers(0, 2**48 - 1),
    st.integers(0, 7).map(FrameFlag),
    st.binary(max_size=downlink.PAYLOAD_BYTES),
)
def test_frame_survives_the_line(counter, flags, payload):
    frame = DownlinkFrame(counter, flags, payload)
    assert decode_frame(encode_frame(frame)) == frame


@given(st.integers(64, downlink.FRAME_BYTES * 8 - 1))
def test_one_wrong_bit_is_noticed(place):
    bits = encode_frame(DownlinkFrame(7, FrameFlag.RUNNING, b"message"))
    bits[place] ^= 1
    assert decode_frame(bits) is None


def test_long_payload_is_refused():
    with pytest.raises(ValueError, match="2025 bytes"):
        encode_frame(DownlinkFrame(0, FrameFlag(0), bytes(2025)))


def test_line_has_no_long_runs_of_equal_bits():
    # The receiver's clock recovery is specified for runs of at most 72 equal bits.
    bits = encode_frame(DownlinkFrame(0, FrameFlag(0), b""))
    changes = np.flatnonzero(np.diff(bits))
    assert np.diff(changes).max() <= 72
