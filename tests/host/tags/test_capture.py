import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybeam.errors import KeybeamError
from keybeam.tags import (
    Capture,
    CaptureCorruptError,
    CaptureError,
    CaptureFormatError,
    CaptureFullError,
    CaptureMetadata,
    CaptureTruncatedError,
    CaptureWriter,
    read_capture,
    write_capture,
)
from keybeam.tags import capture as capture_module

METADATA = CaptureMetadata(
    created="2022-09-25T20:00:00+00:00",
    software="test",
    source="tcp:127.0.0.1:7002",
    registers={"receiver.control": 1},
    bin_ps=1600.0,
    comment="größer",
)


def contents(path):
    with Capture(path) as capture:
        packets = [(packet.records.tolist(), packet.lost) for packet in capture.packets()]
        return capture.metadata, capture.count, capture.complete, packets


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A capture to damage, its bytes, and what it holds while it is whole."""
    path = tmp_path_factory.mktemp("damaged") / "some.h5"
    with CaptureWriter(path, METADATA) as writer:
        writer.write(np.arange(7, dtype=np.uint64) << np.uint64(40))
        writer.write(np.arange(3, dtype=np.uint64), lost=11)
        writer.write(np.arange(0, dtype=np.uint64), lost=None)
    return path, path.read_bytes(), contents(path)


def test_round_trip(sound):
    path, _, _ = sound
    metadata, count, complete, packets = contents(path)
    assert metadata == METADATA
    assert (count, complete) == (10, True)
    first = (np.arange(7) << 40).tolist()
    assert packets == [(first, 0), ([], 11), ([0, 1, 2], 0), ([], None)]
    assert [entry.name for entry in path.parent.iterdir()] == ["some.h5"]


def test_long_captures_come_in_bounded_packets(tmp_path, generator):
    path = tmp_path / "long.h5"
    records = generator.integers(0, 1 << 64, 200_000, np.uint64)
    with CaptureWriter(path) as writer:
        for part in np.array_split(records, 7):
            writer.write(part)
    packets = list(read_capture(path))
    assert max(packet.records.size for packet in packets) <= 1 << 16
    np.testing.assert_array_equal(np.concatenate([packet.records for packet in packets]), records)


@pytest.mark.parametrize("compression", [0, 1])
@pytest.mark.parametrize("count", [65_535, 65_536, 65_537, 200_000])
def test_many_chunks_are_read_at_once(tmp_path, generator, compression, count):
    path = tmp_path / "long.h5"
    records = generator.integers(0, 1 << 64, count, np.uint64)
    with CaptureWriter(path, compression=compression) as writer:
        writer.write(records[:1000])
        writer.write(records[1000:], lost=5)
    with Capture(path) as capture:
        packets = list(capture.packets(chunks=2))
    assert max(packet.records.size for packet in packets) == min(130_072, count - 1000)
    assert [packet.lost for packet in packets if packet.lost] == [5]
    np.testing.assert_array_equal(np.concatenate([packet.records for packet in packets]), records)


def test_damage_in_uncompressed_records_is_found(tmp_path, generator):
    """What lies in front of it is given, and its place told."""
    path = tmp_path / "damaged.h5"
    records = generator.integers(0, 1 << 64, 200_000, np.uint64)
    with CaptureWriter(path, compression=0) as writer:
        writer.write(records)
    data = path.read_bytes()
    place = data.index(records[140_000:140_002].tobytes())
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    given_records = []
    with Capture(path) as capture, pytest.raises(CaptureCorruptError, match="131072 to 196607"):
        for packet in capture.packets(chunks=8):
            given_records.append(packet.records)
    np.testing.assert_array_equal(np.concatenate(given_records), records[:131_072])


def test_other_programs_can_read_it(sound):
    """The layout as the format's table says, by h5py alone."""
    path, _, _ = sound
    with h5py.File(path) as file:
        assert file.attrs["format"] == "keybeam tag capture"
        assert file.attrs["time_unit"] == 6.4e-9 / (1 << 14)
        assert file["records"][-3:].tolist() == [0, 1, 2]
        assert file["losses"][:].tolist() == [(7, 11, 0), (10, 0, 1)]


@given(st.data())
def test_every_truncation_is_found(sound, data):
    path, whole, _ = sound
    length = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:length])
    with pytest.raises(CaptureError, match=r"some\.h5: ") as caught:
        contents(path)
    expected = (CaptureTruncatedError, CaptureCorruptError) if length else CaptureFormatError
    assert isinstance(caught.value, expected)
    assert isinstance(caught.value, KeybeamError)
    assert "\n" not in str(caught.value)


@given(st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(sound, data):
    path, whole, expected = sound
    damaged = bytearray(whole)
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        found = contents(path)
    except CaptureError:
        return
    assert found == expected


def test_damaged_records_are_named_and_those_before_given(tmp_path, generator):
    path = tmp_path / "long.h5"
    records = generator.integers(0, 1 << 64, 150_000, np.uint64)
    with CaptureWriter(path, compression=0) as writer:
        writer.write(records)
    damaged = bytearray(path.read_bytes())
    shuffled = records[65_536:131_072].view(np.uint8).tobytes()
    damaged[damaged.index(shuffled) + 1000] ^= 4
    path.write_bytes(damaged)
    reader = read_capture(path)
    np.testing.assert_array_equal(next(reader).records, records[:65_536])
    with pytest.raises(CaptureCorruptError, match="records 65536 to 131071 are damaged"):
        next(reader)


def test_other_files_and_versions(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"<html>not tags at all</html>")
    with pytest.raises(CaptureFormatError, match="not a capture"):
        list(read_capture(path))
    with h5py.File(path, "w") as file:
        file["records"] = np.arange(3)
    with pytest.raises(CaptureFormatError, match="not a capture"):
        list(read_capture(path))
    write_capture(path, [np.arange(3, dtype=np.uint64)])
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 9
    with pytest.raises(CaptureFormatError, match="version 9"):
        list(read_capture(path))
    with pytest.raises(FileNotFoundError):
        list(read_capture(tmp_path / "missing"))


def test_an_error_leaves_the_older_file(sound):
    path, whole, expected = sound
    path.write_bytes(whole)

    def fails():
        yield np.arange(5, dtype=np.uint64)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        write_capture(path, fails())
    assert contents(path) == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["some.h5"]


@pytest.mark.parametrize("late", [False, True])
def test_a_full_disk_keeps_what_was_recorded(tmp_path, monkeypatch, late):
    path = tmp_path / "full.h5"
    usage = capture_module.shutil.disk_usage(tmp_path)
    free = [1 << 40, 1 << 40, 1 << 20]
    monkeypatch.setattr(
        capture_module.shutil, "disk_usage", lambda folder: usage._replace(free=free.pop(0))
    )
    part = np.arange(1 << 16, dtype=np.uint64)
    with (
        pytest.raises(CaptureFullError, match="disk is full; the first 131072 records are kept"),
        CaptureWriter(path) as writer,
    ):
        for _ in range(2 if late else 5):
            writer.write(part)
        writer.write(part[:10], lost=3)
    _, count, complete, packets = contents(path)
    assert (count, complete) == (1 << 17, False)
    assert packets[0][0] == part.tolist()


LIMITED = """
import resource, sys
import numpy as np
from keybeam.tags import CaptureWriter
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
generator = np.random.default_rng(1)
try:
    with CaptureWriter(sys.argv[1]) as writer:
        for _ in range(4):
            writer.write(generator.integers(0, 1 << 64, 1 << 16, np.uint64))
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("limit", [10, 600_000])
def test_a_write_that_fails_leaves_nothing(tmp_path, limit):
    """As the system does it: HDF5 itself cannot be closed after that."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "limited.h5"), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
