import json

import numpy as np
import pytest
from click.testing import CliRunner

from keybeam.protocol.records import FRAME_VALID, TIME_MODULO, RecordType, pack_records
from keybeam.tags import CaptureError, write_capture
from keybeam.tags.command import tags

FRAME_STEPS = 16_384 * 16_384


@pytest.fixture
def capture(tmp_path):
    """Three frames with one H and two D detections each, across the rollover of the time."""
    parts = []
    for frame in range(3):
        start = TIME_MODULO - FRAME_STEPS + frame * FRAME_STEPS
        parts += [
            pack_records(RecordType.SYNC, 0, start % TIME_MODULO),
            pack_records(RecordType.FRAME, FRAME_VALID, 7 + frame),
            pack_records(RecordType.TAG, 0, (start + 100) % TIME_MODULO),
            pack_records(RecordType.TAG, 2, (start + 5_000) % TIME_MODULO),
            pack_records(RecordType.TAG, 2, (start + 9_000) % TIME_MODULO),
        ]
    path = tmp_path / "pass.h5"
    write_capture(path, [np.array(parts[:8], np.uint64), np.array(parts[8:], np.uint64)])
    return path


def test_contents_are_counted(capture):
    done = CliRunner().invoke(tags, ["info", str(capture), "--json"])
    assert done.exit_code == 0
    summary = json.loads(done.stdout)
    assert summary["records"] == 15
    assert summary["tags"] == {"H": 3, "V": 0, "D": 6, "A": 0}
    assert (summary["first_frame"], summary["last_frame"]) == (7, 9)
    assert summary["valid_headers"] == summary["sync_words"] == 3
    expected_ps = 2 * 104_857_600 + 9_000 * 0.390625
    assert summary["duration_s"] == pytest.approx(expected_ps * 1e-12, rel=1e-12)


def test_table_shows_the_numbers(capture):
    done = CliRunner().invoke(tags, ["info", str(capture)])
    assert done.exit_code == 0
    assert "7 to 9" in done.stdout


@pytest.mark.parametrize("size", [0, 5, 40, -1])
def test_truncated_file_is_refused_by_name(capture, size):
    capture.write_bytes(capture.read_bytes()[:size])
    done = CliRunner().invoke(tags, ["info", str(capture)])
    assert isinstance(done.exception, CaptureError)
    assert "pass.h5: " in str(done.exception)
    assert done.stdout == ""


def test_missing_file_is_a_usage_error(tmp_path):
    done = CliRunner().invoke(tags, ["info", str(tmp_path / "none.h5")])
    assert done.exit_code == 2
    assert "does not exist" in done.stderr
