from contextlib import closing

import h5py
import numpy as np
import pytest

from keybeam.pipeline import SymbolRecord, SymbolRecordError, SymbolRecordWriter
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import basis_of, bit_of
from keybeam.sifting import compare, sift_joined


@pytest.fixture
def symbols():
    return np.random.default_rng(1).integers(0, 16, 5 * FRAME_SLOTS, dtype=np.uint8)


@pytest.fixture
def path(tmp_path, symbols):
    path = tmp_path / "symbols.h5"
    with SymbolRecordWriter(path, 7, 6) as writer:
        writer.write(symbols[: 2 * FRAME_SLOTS])
        writer.write(symbols[2 * FRAME_SLOTS :])
    return path


def test_symbols_come_back_by_pulse_index(path, symbols):
    generator = np.random.default_rng(2)
    places = generator.integers(0, symbols.size, 10_000).astype(np.uint64)
    with closing(SymbolRecord(path)) as record:
        status, found = record.look_up(places + np.uint64(7 * FRAME_SLOTS))
    assert (status == LookupStatus.FOUND).all()
    assert np.array_equal(found, symbols[places])


def test_pulses_outside_of_the_record_are_told(path, symbols):
    """Room that was never written counts as outside, too."""
    first, last = 7 * FRAME_SLOTS, 12 * FRAME_SLOTS - 1
    with closing(SymbolRecord(path)) as record:
        status, found = record.look_up(np.array([0, first - 1, first, last, last + 1], np.uint64))
    old, here, new = LookupStatus.TOO_OLD, LookupStatus.FOUND, LookupStatus.TOO_NEW
    assert status.tolist() == [old, old, here, here, new]
    assert found.tolist() == [0, 0, symbols[0], symbols[-1], 0]


def test_sifting_equals_look_up_and_comparison(path, symbols):
    generator = np.random.default_rng(3)
    first = 7 * FRAME_SLOTS
    index = np.sort(generator.integers(first - 999, first + symbols.size + 999, 20_000, np.uint64))
    channel = generator.integers(0, 4, index.size, dtype=np.uint8)
    sampled = generator.random(index.size) < 0.1
    with closing(SymbolRecord(path)) as record:
        found = record.sift(index, channel, sampled)
        expected = compare(*record.look_up(index), basis_of(channel))
    matching, received = expected.matching, bit_of(channel[expected.matching])
    assert 0 < found.size < index.size / 2
    assert np.array_equal(found.index, index[matching])
    assert np.array_equal(found.intensity, expected.intensities)
    assert np.array_equal(found.sampled, sampled[matching])
    assert np.array_equal(found.bit, expected.bits | received << 1)
    assert np.array_equal(found.error, expected.bits != received)
    with pytest.raises(ValueError, match="one channel and one mark"):
        sift_joined(np.zeros(4, np.uint8), 0, index, channel[1:], sampled)


def test_more_frames_than_there_is_room_for_leave_nothing(tmp_path, symbols):
    path = tmp_path / "small.h5"
    with (
        pytest.raises(SymbolRecordError, match="room for 4 frames"),
        SymbolRecordWriter(path, 0, 4) as writer,
    ):
        writer.write(symbols)
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path, path):
    text = tmp_path / "text.h5"
    text.write_text("no record")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["symbols"] = np.zeros(3)
    short = tmp_path / "short.h5"
    short.write_bytes(path.read_bytes()[:-FRAME_SLOTS])
    for wrong in (text, other, short):
        with pytest.raises(SymbolRecordError, match=wrong.name):
            SymbolRecord(wrong)
    with pytest.raises(FileNotFoundError):
        SymbolRecord(tmp_path / "none.h5")
