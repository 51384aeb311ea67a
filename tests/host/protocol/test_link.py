import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.protocol.link import LinkFrameError, decode_link_frame, encode_link_frame

bytes_of_a_body = st.binary(max_size=248)


@given(st.integers(0, 255), st.integers(0, 255), bytes_of_a_body)
def test_frame_survives_and_holds_no_delimiter(kind, sequence, body):
    wire = encode_link_frame(kind, sequence, body)
    assert wire.count(0) == 1
    assert wire.endswith(b"\0")
    assert decode_link_frame(wire[:-1]) == (kind, sequence, body)


@given(bytes_of_a_body, st.data())
def test_one_wrong_byte_is_noticed(body, data):
    wire = bytearray(encode_link_frame(1, 2, body)[:-1])
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(LinkFrameError):
        decode_link_frame(bytes(wire))


def test_wire_bytes_of_a_register_read():
    # Written out by hand from the description: kind 1, sequence 2, address 0x0004.
    plain = bytes([0x01, 0x02, 0x04, 0x00])
    crc = zlib.crc32(plain).to_bytes(4, "little")
    assert 0 not in crc
    assert encode_link_frame(1, 2, b"\x04\x00") == b"\x04\x01\x02\x04\x05" + crc + b"\0"
