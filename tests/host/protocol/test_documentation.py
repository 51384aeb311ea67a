import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_wire_formats_in_the_documentation_are_those_of_the_code():
    command = [sys.executable, "-m", "keybeam.protocol"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs" / "wire-formats.md").read_text("utf-8") == printed
    assert "| `FRAME_BITS` | 16384 |" in printed
    assert "| `GAP_END` | 7 |" in printed
