"""A small terminal with the ports of the receiver, for a part of the slowest grade, twice over."""

import json

import pytest
from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out
from click.testing import CliRunner

from keybeam.protocol.identity import Role
from keybeam_boards import implementation
from keybeam_boards.board import single
from keybeam_boards.command import build
from keybeam_boards.errors import RuleError
from keybeam_boards.platforms import BOARDS
from keybeam_boards.toolchain import run_step
from keybeam_gateware import tops

BOARD = "colorlight_5a75b"
IDCODE = bytes.fromhex("e2000000 41111043")  # VERIFY_ID, then the LFE5U-25F


class ReceiverPlatform(BOARDS[BOARD]):
    """The board with pins of a receiver: a whole one does not fit, the small terminal does."""

    slot_rates = dict.fromkeys(Role, "312.5")
    lines = 0
    resources = (
        *BOARDS[BOARD].resources,
        *(
            single("detector", number, ("j", header), str(pin), "LVCMOS33")
            for number, (header, pin) in enumerate(((6, 1), (6, 3), (6, 7), (7, 2)))
        ),
        single("line", 0, ("j", 7), "3", "LVCMOS33"),
        single("auxiliary", 0, ("j", 7), "5", "LVCMOS33"),
        single("auxiliary", 1, ("j", 5), "7", "LVCMOS33"),
    )


class SmallTerminal(wiring.Component):
    """Sends the parity of all that it sees to the host."""

    line: In(4)
    detectors: In(data.ArrayLayout(unsigned(4), 4))
    pps: In(4)
    auxiliary: In(data.ArrayLayout(unsigned(4), 2))
    uart_rx: In(1)
    uart_tx: Out(1)

    def __init__(self, **options):
        super().__init__()
        self.register_map = {"hash": "0badcafe"}

    def elaborate(self, platform):
        m = Module()
        heard = Signal()
        m.submodules.line = FFSynchronizer(self.uart_rx, heard)
        seen = Cat(self.line, self.detectors, self.pps, self.auxiliary)
        m.d.sync += self.uart_tx.eq(heard ^ seen.xor())
        return m


def run(out, *words):
    """Report of a build, what it said on the way, and what its bitstream is."""
    arguments = ["--board", BOARD, "--role", "receiver", "--out", str(out), "--json", *words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tops, "Receiver", SmallTerminal)
        patch.setitem(BOARDS, BOARD, ReceiverPlatform)
        outcome = CliRunner().invoke(build, arguments)
    return json.loads(outcome.stdout), outcome


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("receiver")
    return *run(out, "--seeds", "2"), (out / f"{BOARD}_receiver.bit").read_bytes()


def test_a_receiver_is_within_the_data_sheet_at_half_the_rate(built):
    report, outcome, bitstream = built
    assert outcome.exit_code == 0
    assert report["timing_met"]
    assert report["slot_rate"] == "312.5"
    assert report["clocks"]["sync"]["required_mhz"] == 78.125
    assert report["timing_device"] == report["device"] + " -6"
    assert report["violations"] == report["lab_only"] == []
    assert IDCODE in bitstream
    # Eight tagged inputs, single-ended, on the right side.
    assert report["utilisation"]["IOLOGIC"]["used"] == 8


def test_one_synthesis_does_for_both_seeds_and_the_better_is_kept(built):
    report, outcome, _ = built
    assert outcome.stderr.count("synthesis ...") == 1
    assert sorted(one["seed"] for one in report["seeds"]) == [1, 2]
    ratios = [one["worst_ratio"] for one in report["seeds"]]
    assert ratios == sorted(ratios, reverse=True)
    assert report["seeds"][0]["seed"] == report["seed"]
    slowest = min(c["achieved_mhz"] / c["required_mhz"] for c in report["clocks"].values())
    assert slowest == ratios[0]


def test_the_seed_alone_gives_the_same_bits_again(built, tmp_path):
    report, _, bitstream = built
    run(tmp_path, "--seed", str(report["seed"]))
    assert (tmp_path / f"{BOARD}_receiver.bit").read_bytes() == bitstream


@pytest.fixture(scope="module")
def too_fast(tmp_path_factory):
    out = tmp_path_factory.mktemp("fast")
    return *run(out, "--slot-rate", "625"), out


def test_beyond_the_data_sheet_pin_and_rule_are_named(too_fast):
    report, outcome, _ = too_fast
    assert report["bitstream"] is None
    assert isinstance(outcome.exception, RuleError)
    sentences = "; ".join(report["violations"])
    assert "edge clock of 312.5 MHz is faster than the 312 MHz of speed grade -6" in sentences
    assert "lane detector_0 at j_6:1 (ball K16) uses LVCMOS33, too slow for 625 Mb/s" in sentences
    assert "FPGA-DS-02012" in sentences
    assert "--lab-only lets it pass" in str(outcome.exception)


def test_for_the_lab_the_same_is_let_pass_and_said(too_fast, monkeypatch):
    strict, _, out = too_fast

    def only_pack(step, folder, progress):
        # The rest gives what it gave a moment ago, and is there still.
        if step.title == "packing":
            run_step(step, folder, progress)

    monkeypatch.setattr(implementation, "run_step", only_pack)
    monkeypatch.setattr(implementation, "_rewrite_cells", lambda path: {})
    report, outcome = run(out, "--slot-rate", "625", "--lab-only")
    assert outcome.exit_code == 0
    assert report["violations"] == []
    assert len(report["lab_only"]) == len(strict["violations"])
    assert "LAB ONLY" in (out / f"{BOARD}_receiver.txt").read_text()
    assert (out / f"{BOARD}_receiver.bit").is_file()
