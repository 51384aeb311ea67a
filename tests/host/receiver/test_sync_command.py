import json

from click.testing import CliRunner

from keybeam.receiver.sync_command import sync_errors


def run(*words):
    result = CliRunner().invoke(sync_errors, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_row_for_every_error_rate():
    rows = json.loads(run("--error-rate", "0.001", "--error-rate", "0.01", "--json"))
    assert [row["bit_error_rate"] for row in rows] == [0.001, 0.01]
    assert rows[0]["lock_frames"] == 3
    assert rows[0]["lock_in_time"] > rows[1]["lock_in_time"]


def test_settings_change_what_is_computed():
    (few,) = json.loads(run("--error-rate", "0.01", "--json", "--verify-frames", "0"))
    (more,) = json.loads(run("--error-rate", "0.01", "--json"))
    assert few["false_locks_hz"] > 1e9 * more["false_locks_hz"]
    assert "0.01" in run("--error-rate", "0.01")
