import errno
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.errors import KeybeamError
from keybeam.timing import (
    TagFileCorruptError,
    TagFileError,
    TagFileFormatError,
    TagFileTruncatedError,
    TagFileWriter,
    read_tag_file,
    write_tag_file,
)


@pytest.fixture
def capture(tmp_path, generator):
    path = tmp_path / "pass.tags"
    packets = [generator.integers(0, 1 << 64, size, np.uint64) for size in (3, 1, 40)]
    write_tag_file(path, packets)
    return path, packets


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A file to damage, and what it holds while it is whole."""
    path = tmp_path_factory.mktemp("damaged") / "some.tags"
    write_tag_file(path, [np.arange(7, dtype=np.uint64), np.arange(2, dtype=np.uint64)])
    return path, path.read_bytes()


def test_round_trip(capture):
    path, packets = capture
    found = list(read_tag_file(path))
    assert len(found) == len(packets)
    for (records, lost), packet in zip(found, packets, strict=True):
        np.testing.assert_array_equal(records, packet)
        assert lost == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["pass.tags"]


def test_long_arrays_are_split_and_losses_kept(tmp_path):
    path = tmp_path / "long.tags"
    records = np.arange(150_000, dtype=np.uint64)
    with TagFileWriter(path) as writer:
        writer.write(records, lost=5)
        writer.write(records[:0], lost=2)
    packets = list(read_tag_file(path))
    np.testing.assert_array_equal(np.concatenate([packet.records for packet in packets]), records)
    assert [packet.lost for packet in packets] == [5, 0, 0, 2]


def test_layout(tmp_path):
    """The bytes as the format's table says, put together by hand."""
    path = tmp_path / "one.tags"
    write_tag_file(path, [np.array([0x0102030405060708], np.uint64)])

    def checked(data):
        return data + struct.pack("<I", zlib.crc32(data))

    expected = checked(b"KEYBTAGS" + struct.pack("<I", 1))
    expected += checked(struct.pack("<III", 0, 0, 1) + bytes([8, 7, 6, 5, 4, 3, 2, 1]))
    expected += checked(struct.pack("<III", 1, 0, 0))
    assert path.read_bytes() == expected


@given(st.data())
def test_every_truncation_is_found(sound, data):
    path, whole = sound
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length])
    with pytest.raises(TagFileError) as caught:
        list(read_tag_file(path))
    assert isinstance(caught.value, TagFileTruncatedError if length else TagFileFormatError)
    assert caught.value.offset == length
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, KeybeamError)


@given(st.data())
def test_every_flipped_bit_is_found(sound, data):
    path, whole = sound
    damaged = bytearray(whole)
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    with pytest.raises(TagFileError) as caught:
        list(read_tag_file(path))
    assert caught.value.offset <= len(damaged)


def test_packets_before_the_damage_are_given(capture):
    path, packets = capture
    damaged = bytearray(path.read_bytes())
    damaged[-30] ^= 1
    path.write_bytes(damaged)
    reader = read_tag_file(path)
    for packet in packets[:2]:
        np.testing.assert_array_equal(next(reader).records, packet)
    with pytest.raises(TagFileCorruptError, match="byte 80"):
        next(reader)


def test_missing_packet_and_bytes_after_the_end(capture):
    path, _ = capture
    whole = path.read_bytes()
    path.write_bytes(whole[:16] + whole[16 + 40 :])
    with pytest.raises(TagFileCorruptError, match="packet 1 stands in place of 0"):
        list(read_tag_file(path))
    path.write_bytes(whole + b"x")
    with pytest.raises(TagFileCorruptError, match=f"byte {len(whole)}"):
        list(read_tag_file(path))


def test_other_files_and_versions(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"<html>not tags at all</html>")
    with pytest.raises(TagFileFormatError, match="not a keybeam tag file"):
        list(read_tag_file(path))
    head = b"KEYBTAGS" + struct.pack("<I", 9)
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)))
    with pytest.raises(TagFileFormatError, match="version 9"):
        list(read_tag_file(path))
    with pytest.raises(FileNotFoundError):
        list(read_tag_file(tmp_path / "missing"))


def test_nothing_is_written_half(capture, monkeypatch):
    path, _ = capture
    before = path.read_bytes()

    def fails():
        yield np.arange(5, dtype=np.uint64)
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with pytest.raises(OSError, match="space"):
        write_tag_file(path, fails())
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["pass.tags"]
