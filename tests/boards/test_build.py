"""A small terminal, with all cells of a board around it, through the whole toolchain.

It has the ports of the transmitter. The terminals themselves take minutes, and are built by hand
(docs/boards.md).
"""

import json
import re
from fractions import Fraction

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out
from click.testing import CliRunner

from keybeam.cli import main
from keybeam_boards import bitstream, reports
from keybeam_boards.build_report import BuildReport
from keybeam_boards.command import build
from keybeam_boards.errors import RuleError, TimingError, ToolError
from keybeam_boards.pads import last_column
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rules import lane_violations
from keybeam_boards.tops import Lane
from keybeam_gateware import tops
from keybeam_gateware.primitives.fixed_word import FixedWord
from keybeam_gateware.randomness import CHIPS_LAYOUT, CHIPS_VALID_LAYOUT
from keybeam_gateware.transmitter.layouts import LANES_LAYOUT
from keybeam_gateware.transmitter.pattern import FINE_DELAY_LAYOUT

BOARD = "ecp5_5g_evn"
REVISION = "c0ffee11d00d"
IDCODE = bytes.fromhex("e2000000 81113043")  # VERIFY_ID, then the LFE5UM5G-85F


class SmallTerminal(wiring.Component):
    """Hands what comes in on to what goes out, with one addition between."""

    chips: In(CHIPS_LAYOUT)
    chip_valid: In(CHIPS_VALID_LAYOUT)
    ring: In(16)
    ring_valid: In(1)
    pps: In(4)
    fault: In(1)
    uplink: In(4)
    lanes: Out(LANES_LAYOUT)
    serial: Out(16)
    marker: Out(4)
    fine_delay: Out(FINE_DELAY_LAYOUT)
    downlink: Out(4)
    uart_rx: In(1)
    uart_tx: Out(1)

    def __init__(self, *, git_revision, **options):
        self._revision = FixedWord(32, git_revision)
        super().__init__()
        self.register_map = {"hash": "0badcafe"}

    def elaborate(self, platform):
        m = Module()
        m.submodules.revision = self._revision
        told = Signal(32)
        m.d.sync += told.eq(Mux(self.fault, self._revision.word, told.rotate_left(1)))
        m.submodules.line = FFSynchronizer(self.uart_rx, self.uart_tx)
        with m.If(self.ring_valid):
            m.d.sync += self.serial.eq(self.ring + (self.chips.a ^ self.chips.b))
        m.d.sync += [
            self.lanes.eq(Cat(self.chips.a, self.chips.b)),
            self.fine_delay.eq(self.serial.replicate(4)),
            self.marker.eq(self.pps & ~self.fault.replicate(4)),
            self.downlink.eq(self.uplink & self.chip_valid.a.replicate(4) ^ told[0].replicate(4)),
        ]
        return m


def build_at(revision, out, *options, board=BOARD):
    """What the command says and writes for the small terminal."""
    arguments = ["--board", board, "--role", "transmitter", "--out", str(out), "--json", *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tops, "Transmitter", SmallTerminal)
        patch.setattr(bitstream, "build_revision", lambda: revision)
        outcome = CliRunner().invoke(build, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads(outcome.stdout), out, outcome.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_at(REVISION, tmp_path_factory.mktemp("transmitter"))


def configuration(built):
    """Lines of the routed configuration, tables of look-up tables apart."""
    report, out, _ = built
    stem = f"{BOARD}_{report['role']}"
    path = out / f"{stem}.work" / f"{stem}.seed{report['seed']}.config"
    lines = path.read_text().splitlines()
    tables = [line for line in lines if re.search(r"\.K[01]\.INIT ", line)]
    return tables, [line for line in lines if line not in set(tables)]


def test_another_revision_changes_nothing_but_the_number(built, tmp_path):
    other = build_at("0ff1ce5eed00", tmp_path, "--seed", str(built[0]["seed"]))
    (tables, rest), (other_tables, other_rest) = configuration(built), configuration(other)
    assert rest == other_rest
    changed = sum(a != b for a, b in zip(tables, other_tables, strict=True))
    assert changed == (int(REVISION[:8], 16) ^ 0x0FF1CE5E).bit_count()
    assert other[0]["clocks"] == built[0]["clocks"]


def work(built):
    report, out, _ = built
    stem = f"{BOARD}_{report['role']}"
    folder = out / f"{stem}.work"
    return (
        json.loads((folder / f"{stem}.seed{report['seed']}.timing.json").read_text()),
        (folder / f"{stem}.seed{report['seed']}.tim").read_text(),
    )


def test_timing_is_met_without_violations(built):
    report, _, _ = built
    assert report["timing_met"]
    assert report["violations"] == []
    sync = report["clocks"]["sync"]
    assert sync["achieved_mhz"] >= sync["required_mhz"] == 156.25
    assert report["timing_device"] == "LFE5UM-85F -8"


def test_the_bitstream_is_for_the_part_on_the_board(built):
    report, out, _ = built
    (bitstream,) = out.glob("*.bit")
    assert report["bitstream"] == str(bitstream)
    assert IDCODE in bitstream.read_bytes()
    assert report["device"] == "LFE5UM5G-85F"


def test_report_and_progress_are_readable(built):
    report, out, progress = built
    assert json.loads((out / f"{BOARD}_{report['role']}.json").read_text()) == report
    text = (out / f"{BOARD}_{report['role']}.txt").read_text()
    assert "sync" in text
    assert "156.25 MHz required" in text
    assert "bank 7 must be supplied with 2.5 V" in text
    lines = progress.splitlines()
    at = lines.index("place and route with seed 1 ...")
    assert lines[at + 1 : at + 3] == ["  placing", "  refining the placement"]
    assert lines[at + 3].startswith("  routing ")
    told = [line for line in lines if line.startswith("  routed ")]
    assert lines[at + 4 : at + 4 + len(told)] == told
    assert len(told) == len(set(told))
    assert told[-1] == "  routed 100 %"


def test_all_lanes_use_the_lane_cells_of_one_side(built):
    report, _, _ = built
    # 5 lanes, marker, downlink, clock of the chips; 8 lanes of the chips, uplink, pulse per second.
    assert report["utilisation"]["IOLOGIC"]["used"] == 18
    # One for each of the two banks of the left side.
    assert report["utilisation"]["TRELLIS_ECLKBUF"]["used"] == 2
    assert report["utilisation"]["DCUA"]["used"] == 1


def test_lanes_at_the_top_of_the_part_go_through_x1_cells(tmp_path):
    report, _, _ = build_at(REVISION, tmp_path, board="versa_ecp5_5g")
    assert report["violations"] == []
    # 5 lanes, marker, downlink, clock of the chips; 8 lanes of the chips, uplink, pulse per
    # second; the small terminal makes nothing of one chip lane of its own.
    assert report["utilisation"]["SIOLOGIC"]["used"] >= 15
    assert "IOLOGIC" not in report["utilisation"]
    required = {name: clock["required_mhz"] for name, clock in report["clocks"].items()}
    assert required == {"sync": 78.125, "eclk": 156.25, "reference": 100.0}
    # The rule has paths to look at: nextpnr tells those between the clocks by these names.
    pairs = {(path["source"], path["destination"]) for path in report["worst_paths"]}
    assert {
        ("posedge sync", "posedge eclk"),
        ("posedge eclk", "posedge sync"),
        ("posedge sync", "negedge eclk"),
    } <= pairs


def test_every_crossing_is_reported_with_its_primitive(built):
    report, out, _ = built
    found = {(one["source"], one["clock"]): one["primitive"] for one in report["crossings"]}
    assert found == {
        ("lock of a PLL", "reference"): "two flip-flops in a row",
        ("pad", "reference"): "two flip-flops in a row",
        ("pad", "sync"): "FFSynchronizer",
        ("ring oscillator", "sync"): "FFSynchronizer",
        ("lock of a SERDES", "sync"): "FFSynchronizer",
    }
    text = (out / f"{BOARD}_{report['role']}.txt").read_text()
    assert "ring oscillator to sync through FFSynchronizer: rings.ring_N_N_sampler" in text


def test_report_names_source_and_register_map(built):
    report, _, _ = built
    assert report["git_revision"] == REVISION
    assert report["map_hash"] == "0badcafe"
    assert report["delay_lines"] == []


def test_rings_go_through_synthesis(built):
    _, out, _ = built
    stem = f"{BOARD}_transmitter"
    netlist = json.loads((out / f"{stem}.work" / f"{stem}.json").read_text())
    (top,) = (m for m in netlist["modules"].values() if int(m["attributes"].get("top", "0"), 2))
    cells = [name for name in top["cells"] if re.search(r"ring_\d+_\d_cell_\d$", name)]
    # Rings of 3, 5 and 7 behind each of 16 bits.
    assert len(cells) == 16 * (3 + 5 + 7)


def test_slowest_path_agrees_with_the_clock(built):
    report, _, _ = built
    within = [p for p in report["worst_paths"] if p["source"] == p["destination"] == "posedge sync"]
    (path,) = within
    assert 1e3 / path["delay_ns"] == pytest.approx(
        report["clocks"]["sync"]["achieved_mhz"], rel=1e-3
    )
    assert path["logic_ns"] <= path["delay_ns"]


def test_a_faster_clock_is_reported_as_missed(built):
    timing, _ = work(built)
    timing["fmax"] = {
        net: {**figures, "constraint": 1e3} for net, figures in timing["fmax"].items()
    }
    clocks = reports.clocks(timing, {"sync": Fraction(900_000_000)})
    assert not clocks["sync"].met
    report = BuildReport(**{**built[0], "clocks": clocks, "timing_met": False})
    with pytest.raises(TimingError, match=r"clock sync reaches .* of 900\.00 MHz required"):
        report.require()


def test_a_clock_without_constraint_is_an_error(built):
    timing, _ = work(built)
    with pytest.raises(ToolError, match=r"constrained the clock sync to 156\.30 MHz"):
        reports.clocks(timing, {"sync": Fraction(200_000_000)})
    timing["fmax"].clear()
    with pytest.raises(ToolError, match="no timing for the clock sync"):
        reports.clocks(timing, {"sync": Fraction(156_250_000)})


def test_a_lane_on_a_slow_pad_is_found_in_real_places(built):
    _, log = work(built)
    places = reports.places(log)
    assert len(places) == built[0]["utilisation"]["TRELLIS_IO"]["used"]
    # The reference clock comes in on the top side.
    lanes = [Lane("reference", False, "LVDS", "J_1:1")]
    (one,) = lane_violations(lanes, places, last_column(BOARDS[BOARD].timing_device), 625_000_000)
    assert "reference at J_1:1 is on the top or the bottom" in one.sentence


def test_violations_are_an_error_of_their_own(built):
    report = BuildReport(**{**built[0], "violations": ["a lane is wrong"]})
    with pytest.raises(RuleError, match="a lane is wrong"):
        report.require()


def test_unknown_board_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["build", "--board", "abacus", "--role", "receiver"])
    assert stop.value.code == 2
    assert "'abacus' is not" in capsys.readouterr().err
