from contextlib import closing

import h5py
import numpy as np
import pytest

from keybeam.pipeline import SymbolRecord, SymbolRecordError, SymbolRecordWriter
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import Basis, Intensity, basis_of, bit_of
from keybeam.sifting import (
    CheckCounts,
    PacketAssembler,
    SiftedClicks,
    compare,
)
from keybeam.timing import CLICK_DTYPE, PackedClicks


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


def sifted_by_numpy(record, clicks, sampled, sizes, packet_bits, check_basis):
    """Packets of both ends by look-up, comparison and an assembler for each end."""
    ends, packets = (PacketAssembler(packet_bits), PacketAssembler(packet_bits)), []
    for part, marks in zip(np.split(clicks, sizes), np.split(sampled, sizes), strict=True):
        if check_basis is not None:
            key = basis_of(part["channel"]) != check_basis
            part, marks = part[key], marks[key]
        found = compare(*record.look_up(part["index"]), basis_of(part["channel"]))
        received = bit_of(part["channel"][found.matching])
        both = [
            SiftedClicks(
                part["index"][found.matching],
                found.intensities,
                marks[found.matching],
                bits,
                found.bits != received,
            )
            for bits in (found.bits, received)
        ]
        packets += zip(ends[0].feed(both[0]), ends[1].feed(both[1]), strict=True)
    return packets


def checks_by_numpy(record, clicks, sampled, check_basis, ends):
    """Counts of the basis that checks in each packet, by the pulse index with which it ends."""
    if check_basis is None:
        return [CheckCounts(0, 0, 0, 0, 0)] * len(ends)
    part = clicks[~sampled & (basis_of(clicks["channel"]) == check_basis)]
    found = compare(*record.look_up(part["index"]), basis_of(part["channel"]))
    part = part[found.matching]
    wrong = found.bits != bit_of(part["channel"])
    packets = np.searchsorted(ends, part["index"])
    counts = []
    for number in range(len(ends)):
        signal, decoy, vacuum = (
            (packets == number) & (found.intensities == intensity)
            for intensity in (Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM)
        )
        of_each = [signal, decoy, vacuum, signal & wrong, decoy & wrong]
        counts.append(CheckCounts(*map(np.count_nonzero, of_each)))
    return counts


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("check_basis", [None, *Basis])
@pytest.mark.parametrize("packet_bits", [1, 7, 1000, 2_000_000])
def test_packets_equal_look_up_comparison_and_assembly(
    path, symbols, packet_bits, check_basis, vectors
):
    """Clicks before and after the record, empty parts, and packets across parts."""
    generator = np.random.default_rng(3)
    first = 7 * FRAME_SLOTS
    clicks = np.zeros(20_000, CLICK_DTYPE)
    lowest, highest = first - 999, first + symbols.size + 999
    clicks["index"] = np.sort(generator.integers(lowest, highest, clicks.size, np.uint64))
    # The last bytes of the record, which are not read as four at once.
    clicks["index"][-500:] = np.sort(generator.integers(highest - 1099, highest, 500, np.uint64))
    clicks["index"].sort()
    clicks["channel"] = generator.integers(0, 4, clicks.size)
    sampled = generator.random(clicks.size) < 0.1
    sizes = [0, 1, 5000, 5000, 10_001, 19_999]
    with closing(SymbolRecord(path)) as record:
        expected = sifted_by_numpy(record, clicks, sampled, sizes, packet_bits, check_basis)
        ends = [sent.last_index for sent, _ in expected]
        checks = checks_by_numpy(record, clicks, sampled, check_basis, ends)
        sifter, found = record.sifter(packet_bits, check_basis, vectors=vectors), []
        for part, marks in zip(np.split(clicks, sizes), np.split(sampled, sizes), strict=True):
            for packed in PackedClicks.all_of(part):
                found += sifter.feed(packed, marks)
            record.release()
        with pytest.raises(ValueError, match="one mark"):
            next(sifter.feed(PackedClicks.of(clicks), sampled[1:]))
        del sifter
    assert len(found) == len(expected) == (0 if packet_bits > 10_000 else len(found))
    for packet, (sent, received), check in zip(found, expected, checks, strict=True):
        assert np.array_equal(packet.sent, sent.bits)
        assert np.array_equal(packet.received, received.bits)
        for name in ("number", "decoy", "vacuum", "decoy_errors", "sampled", "sampled_errors"):
            assert getattr(packet, name) == getattr(sent, name) == getattr(received, name)
        assert packet.last_index == sent.last_index
        assert packet.check == check


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
