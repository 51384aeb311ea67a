"""``keybeam boards``, and the pages and drawings of the boards."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from keybeam.protocol.identity import Role
from keybeam_boards.boards_command import boards
from keybeam_boards.drawing import draw_board
from keybeam_boards.pin_table import lines_of
from keybeam_boards.platforms import BOARDS

SVG = "{http://www.w3.org/2000/svg}"


def run(*words):
    done = CliRunner().invoke(boards, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done


@pytest.fixture(scope="module")
def listed():
    return {one["board"]: one for one in json.loads(run("--json").stdout)}


def test_every_board_is_listed_with_what_it_can_do(listed):
    assert listed.keys() == BOARDS.keys()
    reference = listed["ecp5_5g_evn"]
    assert reference["roles"].keys() == {"transmitter", "receiver"}
    assert reference["roles"]["transmitter"]["lanes"] == [5, 6, 7, 8]
    assert reference["roles"]["transmitter"]["options"] == {"lanes": [5, 6, 7, 8]}
    assert reference["serdes"] == "serdes_0"
    assert listed["icebreaker"]["roles"] == {}
    for name in ("versa_ecp5_5g", "colorlight_5a75b"):
        assert listed[name]["roles"].keys() == {"transmitter"}
    # Its x1 cells and single-ended buffers do no more.
    slots = listed["versa_ecp5_5g"]["roles"]["transmitter"]
    assert slots["in_specification"] == ["312.5", "400"]
    assert slots["lab_only"] == []
    assert listed["versa_ecp5_5g"]["links"] == ["UART", "PCIe x1"]


def test_the_slowest_grade_is_for_the_lab_only_at_625(listed):
    for name in ("ulx3s", "colorlight_5a75b"):
        for role in listed[name]["roles"].values():
            assert role["slot_rate"] == "312.5"
            assert "312.5" in role["in_specification"]
            assert role["lab_only"] == ["625"]
    # Its 12 MHz make no 156.25 MHz.
    evaluation = listed["ecp5_5g_evn"]["roles"]["receiver"]
    assert evaluation["in_specification"] == ["625", "400", "608", "640"]
    assert evaluation["lab_only"] == []


def test_depth_of_the_state_log(listed):
    deep = listed["butterstick"]["roles"]["transmitter"]
    assert deep["log_memory"] == "DDR3"
    assert deep["log_seconds"] == pytest.approx(16384 * 65536 / 625e6)
    shallow = listed["colorlight_5a75b"]["roles"]["transmitter"]
    assert shallow["log_frames"] == 1
    assert shallow["log_seconds"] == pytest.approx(65536 / 312.5e6)


def test_the_table_has_a_row_for_each_role():
    lines = run().stdout.splitlines()
    for name, board in BOARDS.items():
        assert sum(line.startswith(name) for line in lines) == max(1, len(board.slot_rates))


ROLES = [(name, role) for name, board in BOARDS.items() for role in board.slot_rates]


@pytest.mark.parametrize(("name", "role"), ROLES)
def test_a_drawing_shows_every_line_at_its_pin(name, role):
    board = BOARDS[name]()
    picture = ElementTree.fromstring(draw_board(board, role))
    texts = [(text.text, text.get("x")) for text in picture.iter(f"{SVG}text")]
    for line in lines_of(board, role):
        for ball, sign in zip(line.balls, "+−" if len(line.balls) == 2 else ("",), strict=True):
            label = f"{line.label}{sign} · {ball}"
            (column,) = (x for text, x in texts if text == label)
            pin = line.pins[line.balls.index(ball)]
            assert (pin, column) in texts
    # Nothing is outside the picture.
    width, height = float(picture.get("width")), float(picture.get("height"))
    for shape in picture.iter(f"{SVG}rect"):
        assert float(shape.get("x", 0)) + float(shape.get("width")) <= width
        assert float(shape.get("y", 0)) + float(shape.get("height")) <= height


def test_every_line_of_a_terminal_is_in_the_table():
    board = BOARDS["butterstick"]()
    labels = [line.label for line in lines_of(board, Role.TRANSMITTER)]
    assert labels[:5] == [f"lane {number}" for number in range(5)]
    assert {"downlink", "chip a bit 0", "PPS", "serial rx", "external clock"} <= set(labels)
    assert len(set(labels)) == len(labels)


def test_pages_are_written_for_every_board(tmp_path):
    run("--write-docs", str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{name}.md" for name in BOARDS),
        *(f"{name}_{role.name.lower()}.svg" for name, role in ROLES),
    }
    page = (tmp_path / "ulx3s.md").read_text()
    assert "those of 625 MHz are not, and are for the lab only" in page
    assert "| lane 1 | out | J1, J2: GP above (+), GN below (−) | 14- | U17 | LVCMOS33 |" in page
    assert "It can be no receiver: no pin" in (tmp_path / "versa_ecp5_5g.md").read_text()
    neither = (tmp_path / "icebreaker.md").read_text()
    assert "It can be no transmitter and no receiver: " in neither


def test_the_pages_of_the_documentation_are_those(tmp_path):
    run("--write-docs", str(tmp_path))
    documents = Path(__file__).parents[2] / "docs" / "boards"
    for path in tmp_path.iterdir():
        assert (documents / path.name).read_text() == path.read_text(), "make docs"
