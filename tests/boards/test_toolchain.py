import pytest

from keybeam_boards.bitstream import revision_number
from keybeam_boards.errors import ToolError
from keybeam_boards.toolchain import Step, run_step


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("YOSYS", "no-such-yosys")
    with pytest.raises(ToolError, match=r"no-such-yosys is not installed.*YOSYS"):
        run_step(Step("synthesis", "yosys", ()), tmp_path, print)


def test_the_complaint_of_a_program_is_passed_on(tmp_path):
    lines = []
    step = Step("packing", "ecppack", ("--input", "missing.config", "--bit", "x.bit"))
    with pytest.raises(ToolError, match=r"packing failed with status 1: .*input file"):
        run_step(step, tmp_path, lines.append)
    assert lines == ["packing ..."]


@pytest.mark.parametrize(
    ("revision", "number"),
    [("0123456789ab", 0x01234567), ("f123456789ab-dirty", 0xF1234567), ("unknown", 0)],
)
def test_revision_number(revision, number):
    assert revision_number(revision) == number
