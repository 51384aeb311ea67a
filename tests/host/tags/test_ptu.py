import numpy as np
import ptufile
import pytest

from keybeam.protocol.records import (
    FINE_PS,
    FRAME_VALID,
    HORIZON_STEPS,
    TIME_MODULO,
    Channel,
    RecordType,
    pack_records,
)
from keybeam.tags import (
    AnalysisError,
    Capture,
    CaptureCorruptError,
    CaptureFormatError,
    CaptureMetadata,
    decode_capture,
    write_capture,
)
from keybeam.tags.ptu import export_ptu, import_ptu


def decoded(path):
    with Capture(path) as capture:
        chunks = list(decode_capture(capture))
    return (
        np.concatenate([chunk.tags for chunk in chunks]),
        np.concatenate([chunk.syncs["time"] for chunk in chunks]),
        np.concatenate([chunk.pps for chunk in chunks]),
        [gap for chunk in chunks for gap in chunk.gaps],
    )


@pytest.fixture
def capture(tmp_path, generator):
    """Detections across the rollover, after silences long and short, with sync words and PPS."""
    lengths, often = [0, 5, 1 << 24, 1 << 26, 1 << 36, 1 << 49], [0.1, 0.6, 0.1, 0.1, 0.099, 0.001]
    steps = generator.choice(lengths, 5000, p=often)
    times = TIME_MODULO - (1 << 48) + np.cumsum(steps)
    types = [RecordType.TAG, RecordType.SYNC, RecordType.PPS, RecordType.EPOCH]
    kinds = generator.choice(types, 5000, p=[0.9, 0.05, 0.02, 0.03])
    channels = np.where(kinds == RecordType.TAG, generator.integers(0, 8, 5000), 0)
    records = pack_records(kinds, channels, times)
    frames = np.flatnonzero(kinds == RecordType.SYNC) + 1
    records = np.insert(records, frames, pack_records(RecordType.FRAME, FRAME_VALID, frames))
    path = tmp_path / "some.h5"
    metadata = CaptureMetadata(created="2022-09-25T20:00:00+00:00", comment="größer")
    write_capture(path, np.array_split(records, 9), metadata)
    return path


def test_another_program_reads_what_is_exported(capture, tmp_path):
    target = tmp_path / "some.ptu"
    count = export_ptu(capture, target)
    tags, syncs, pps, _ = decoded(capture)
    assert count == tags.size + syncs.size + pps.size
    with ptufile.PtuFile(target) as file:
        events = np.asarray(file.decode_records())
        assert file.global_resolution == FINE_PS * 1e-12
        assert file.tags["File_Comment"] == "größer"
        assert file.tags["File_CreatingTime"].isoformat() == "2022-09-25T20:00:00"
        assert file.number_records == events.size
    origin = min(tags["time"][0], syncs[0], pps[0])
    photons = events[events["channel"] >= 0]
    np.testing.assert_array_equal(photons["time"].astype(np.int64) + origin, tags["time"])
    np.testing.assert_array_equal(photons["channel"], tags["channel"])
    for marker, times in ((8, syncs), (1, pps)):
        found = events["time"][events["marker"] == marker].astype(np.int64) + origin
        np.testing.assert_array_equal(found, times)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["some.h5", "some.ptu"]


def test_what_is_exported_comes_back(capture, tmp_path):
    export_ptu(capture, tmp_path / "some.ptu")
    import_ptu(tmp_path / "some.ptu", tmp_path / "back.h5")
    tags, syncs, pps, _ = decoded(capture)
    tags_back, syncs_back, pps_back, gaps = decoded(tmp_path / "back.h5")
    origin = min(tags["time"][0], syncs[0], pps[0])
    np.testing.assert_array_equal(tags_back["time"] + origin, tags["time"])
    np.testing.assert_array_equal(tags_back["channel"], tags["channel"])
    np.testing.assert_array_equal(syncs_back + origin, syncs)
    np.testing.assert_array_equal(pps_back + origin, pps)
    assert gaps == []
    with Capture(tmp_path / "back.h5") as back:
        assert back.metadata.source == "some.ptu"
        assert back.metadata.comment == "größer"


def test_gaps_come_back_for_every_channel(tmp_path):
    records = [
        pack_records(RecordType.TAG, 1, 1000),
        pack_records(RecordType.GAP_BEGIN, 2, 2000),
        pack_records(RecordType.TAG, 1, 2500),
        pack_records(RecordType.EPOCH, 0, 3000),
        pack_records(RecordType.GAP_END, 2, 7),
        pack_records(RecordType.TAG, 2, 4000),
    ]
    write_capture(tmp_path / "gap.h5", [np.array(records, np.uint64)])
    export_ptu(tmp_path / "gap.h5", tmp_path / "gap.ptu")
    import_ptu(tmp_path / "gap.ptu", tmp_path / "back.h5")
    tags, _, _, gaps = decoded(tmp_path / "back.h5")
    assert tags["time"].tolist() == [0, 1500, 3000]
    assert {gap.channel for gap in gaps} >= set(Channel)
    assert {(gap.begin, gap.end) for gap in gaps} == {(1000, 3000 + HORIZON_STEPS)}


def test_t3_files_of_others(tmp_path, generator):
    """A file that ptufile itself wrote: times are pulse number and delay together."""
    image = generator.integers(0, 3, (1, 4, 5, 2, 16), dtype=np.uint16)
    period, width = 12.5e-9, 64e-12
    path = tmp_path / "image.ptu"
    ptufile.imwrite(path, image, period, width, pixel_time=1e-6)
    import_ptu(path, tmp_path / "image.h5")
    tags, syncs, _, _ = decoded(tmp_path / "image.h5")
    with ptufile.PtuFile(path) as file:
        events = np.asarray(file.decode_records())
    events = events[events["channel"] >= 0]
    assert tags.size == events.size == image.sum() > 0
    exact = events["time"] * (period * 1e12) + events["dtime"] * (width * 1e12)
    np.testing.assert_allclose(tags["time"] * FINE_PS, exact, atol=2 * FINE_PS, rtol=0)
    assert syncs.size == 0


def test_unsound_files(capture, tmp_path):
    export_ptu(capture, tmp_path / "some.ptu")
    whole = (tmp_path / "some.ptu").read_bytes()
    for data, error in (
        (whole[:-8], CaptureCorruptError),
        (whole[:300], CaptureFormatError),
        (b"", CaptureFormatError),
        (b"no such thing", CaptureFormatError),
    ):
        (tmp_path / "bad.ptu").write_bytes(data)
        with pytest.raises(error, match=r"bad\.ptu: "):
            import_ptu(tmp_path / "bad.ptu", tmp_path / "bad.h5")
        assert not (tmp_path / "bad.h5").exists()
    with pytest.raises(FileNotFoundError):
        import_ptu(tmp_path / "none.ptu", tmp_path / "bad.h5")


def test_silences_that_the_reader_would_shorten(capture, tmp_path):
    """Other programs count more overflows in a record than ptufile reads of it."""
    export_ptu(capture, tmp_path / "some.ptu")
    whole = bytearray((tmp_path / "some.ptu").read_bytes())
    whole[-4:] = (0x7F << 25 | 1 << 31 | 128).to_bytes(4, "little")
    (tmp_path / "bad.ptu").write_bytes(whole)
    with pytest.raises(CaptureFormatError, match="overflows"):
        import_ptu(tmp_path / "bad.ptu", tmp_path / "bad.h5")


def test_nothing_to_export(tmp_path):
    write_capture(tmp_path / "empty.h5", [])
    with pytest.raises(AnalysisError, match="nothing"):
        export_ptu(tmp_path / "empty.h5", tmp_path / "empty.ptu")
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty.h5"]
