import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from keybeam.report import ResultFileError, read_result, schema_table

ROOT = Path(__file__).parents[3]


def test_result_survives_the_file(pass_result, tmp_path):
    file = tmp_path / "result.json"
    file.write_bytes(msgspec.json.encode(pass_result))
    assert read_result(file) == pass_result


def test_truncated_result_is_named(pass_result, tmp_path):
    file = tmp_path / "result.json"
    file.write_bytes(msgspec.json.encode(pass_result)[:-20])
    with pytest.raises(ResultFileError, match=r"result\.json"):
        read_result(file)


def test_wrong_field_is_named(pass_result, tmp_path):
    plain = msgspec.to_builtins(pass_result)
    plain["blocks"][0]["counts"]["signal"] = "many"
    file = tmp_path / "result.json"
    file.write_bytes(msgspec.json.encode(plain))
    with pytest.raises(ResultFileError, match=r"\$\.blocks\[0\]\.counts\.signal"):
        read_result(file)


def test_schema_in_the_documentation_is_the_one_of_the_code():
    command = [sys.executable, "-m", "keybeam.report"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "result.md").read_text("utf-8") == printed


def test_every_field_is_described():
    rows = [line for line in schema_table().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert not [row for row in rows if row.split("|")[3].strip() == ""]
