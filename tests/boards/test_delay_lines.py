"""Two delay lines, placed and routed in a real part; one of them has a flip-flop displaced."""

import copy
import json
import re

import pytest
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Module, Mux, Signal
from amaranth.lib import io

from keybeam_boards.delay_lines import (
    delay_line_results,
    delay_line_violations,
    substitute_delay_cells,
)
from keybeam_boards.netlist import plain_names
from keybeam_boards.platforms.ecp5_5g_evn import Ecp55GEvnPlatform
from keybeam_boards.toolchain import Step, run_step
from keybeam_gateware.primitives.ecp5 import SUBSTITUTES, DelayLine, RingPulser

SLICES = 14
"""Not a whole number of tiles."""
COLUMN, GOOD_ROW, BAD_ROW = 30, 40, 44
DISPLACED = "register_9"


class TwoLines(Elaboratable):
    """Both lines see one input or the pulser; the parity of what they show goes to a lamp."""

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk12", dir="-"))
        m.submodules.input = pad = io.Buffer("i", platform.request("detector", 0, dir="-"))
        m.submodules.lamp = lamp = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += ClockSignal("sync").eq(clock.i)
        m.submodules.pulser = pulser = RingPulser()
        calibrate = Signal()
        m.d.sync += calibrate.eq(pad.i)
        m.d.comb += pulser.enable.eq(calibrate)
        taps = []
        for name, row in (("good", GOOD_ROW), ("bad", BAD_ROW)):
            m.submodules[f"delay_line_{name}"] = line = DelayLine(SLICES, column=COLUMN, row=row)
            m.d.comb += line.line.eq(Mux(calibrate, pulser.pulse, pad.i))
            taps.append(line.taps)
        parity = Signal()
        m.d.sync += parity.eq(Cat(taps).xor())
        m.d.comb += lamp.o.eq(parity)
        return m


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    """The net list as nextpnr leaves it, and the places that were asked for."""
    folder = tmp_path_factory.mktemp("lines")
    Ecp55GEvnPlatform().prepare(TwoLines(), "top").extract(folder)
    netlist = folder / "top.il"
    netlist.write_text(plain_names(netlist.read_text()))
    run_step(Step("synthesis", "yosys", ("-q", "top.ys")), folder, print)
    design = json.loads((folder / "top.json").read_text())
    asked = substitute_delay_cells(design)
    (name,) = (name for name in asked if re.search(rf"bad.*\.{DISPLACED}$", name))
    cell = next(m["cells"][name] for m in design["modules"].values() if name in m["cells"])
    # From another tile it can only be reached through the fabric, at its other input.
    cell["attributes"]["BEL"] = re.sub(r"X\d+", f"X{COLUMN + 8}", asked[name])
    cell["parameters"]["SD"] = "0"
    cell["connections"]["M"] = cell["connections"].pop("DI")
    cell["port_directions"]["M"] = cell["port_directions"].pop("DI")
    (folder / "top.json").write_text(json.dumps(design))
    arguments = "--um-85k --package CABGA381 --speed 8 --json top.json --lpf top.lpf --quiet"
    arguments += " --textcfg top.config --write top.routed.json --ignore-loops"
    run_step(Step("routing", "nextpnr-ecp5", tuple(arguments.split())), folder, print)
    return json.loads((folder / "top.routed.json").read_text()), asked


def test_all_cells_of_a_line_outlive_synthesis(routed):
    _, asked = routed
    assert len(asked) == 2 * (2 + 2 * 2 * SLICES)


def test_the_ring_of_the_pulser_outlives_synthesis_and_clocks_its_divider(routed):
    netlist, _ = routed
    cells = {k: v for module in netlist["modules"].values() for k, v in module["cells"].items()}
    ring = [cell for name, cell in cells.items() if re.search(r"pulser.*cell_\d$", name)]
    assert len(ring) == 7
    inputs = {bit for cell in ring for bit in cell["connections"].get("A", ())}
    outputs = {cell["connections"]["F"][0] for cell in ring}
    # Every output is an input: a closed ring.
    assert inputs == outputs


def test_a_displaced_flip_flop_is_found_and_nothing_else(routed):
    sentences = delay_line_violations(*routed)
    assert len(sentences) == 2
    assert all("bad" in sentence for sentence in sentences)
    assert f"{DISPLACED} is at X{COLUMN + 8}" in sentences[0]
    assert "tap_9 goes to no cell of the line" in sentences[1]


def test_the_report_says_where_each_line_is(routed):
    bad, good = delay_line_results(*routed, delay_line_violations(*routed))
    assert (bad.name, bad.row, bad.as_asked) == ("bad", BAD_ROW, False)
    assert (good.name, good.row, good.as_asked) == ("good", GOOD_ROW, True)
    # Two half slices for the entry, two for each slice with taps, four slices a column; and a
    # flip-flop for each tap.
    assert good.columns == (COLUMN, COLUMN + SLICES // 4)
    assert good.cells == 2 + 2 * 2 * SLICES
    assert bad.columns == (COLUMN, COLUMN + 8)


def good(routed):
    """What belongs to the line that is as it should be."""
    netlist, asked = routed
    return copy.deepcopy(netlist), {name: at for name, at in asked.items() if "good" in name}


def cell_of(netlist, end):
    """The cell of the good line whose name ends so."""
    cells = {k: v for module in netlist["modules"].values() for k, v in module["cells"].items()}
    (name,) = (name for name in cells if re.search(rf"good.*\.{end}$", name))
    return cells[name]


def test_the_other_line_is_as_asked_for(routed):
    assert delay_line_violations(*good(routed)) == []


def test_a_line_is_one_row_of_neighbouring_halves_of_slices(routed):
    netlist, _ = good(routed)
    halves = [
        re.fullmatch(r"X(\d+)/Y(\d+)/SLICE(\w)\.K(\d)", at(cell_of(netlist, f"tap_{tap}"))).groups()
        for tap in range(2 * SLICES)
    ]
    expected = [
        (str(COLUMN + (tap + 2) // 8), str(GOOD_ROW), "ABCD"[(tap + 2) // 2 % 4], str(tap % 2))
        for tap in range(2 * SLICES)
    ]
    assert halves == expected


def at(cell):
    return cell["attributes"]["NEXTPNR_BEL"]


def other_row(netlist):
    """The second half of the line is in another row."""
    for tap in range(SLICES, 2 * SLICES):
        for cell in (cell_of(netlist, f"tap_{tap}"), cell_of(netlist, f"register_{tap}")):
            cell["attributes"]["NEXTPNR_BEL"] = at(cell).replace(f"Y{GOOD_ROW}", f"Y{BAD_ROW}")


def exchanged(netlist):
    """Two taps have changed places."""
    one, two = (cell_of(netlist, f"tap_{tap}")["attributes"] for tap in (4, 5))
    one["NEXTPNR_BEL"], two["NEXTPNR_BEL"] = two["NEXTPNR_BEL"], one["NEXTPNR_BEL"]


def gone(netlist):
    """A tap is missing."""
    for module in netlist["modules"].values():
        module["cells"] = {
            name: cell
            for name, cell in module["cells"].items()
            if not re.search(r"good.*\.tap_7$", name)
        }


def through_the_fabric(netlist):
    """The carry takes a wire of the general routing."""
    for module in netlist["modules"].values():
        for name, net in module["netnames"].items():
            if re.search(r"good.*\.carry_9$", name):
                net["attributes"]["ROUTING"] += ";X31/Y40/H02E0001;X31/Y40/some.arc;1"


@pytest.mark.parametrize("damage", [other_row, exchanged, gone, through_the_fabric])
def test_every_kind_of_damage_is_found(routed, damage):
    netlist, asked = good(routed)
    damage(netlist)
    assert delay_line_violations(netlist, asked)
    # Had it been asked for so, the line would still not be one.
    if damage is not gone:
        cells = {k: v for module in netlist["modules"].values() for k, v in module["cells"].items()}
        assert delay_line_violations(netlist, {name: at(cells[name]) for name in asked})


def test_every_black_box_has_a_substitute():
    boxes = {
        "modules": {
            "top": {
                "cells": {
                    kind: {"type": kind, "parameters": {}, "attributes": {"BEL": "X1/Y2/SLICEA.K0"}}
                    for kind in SUBSTITUTES
                }
            }
        }
    }
    assert set(substitute_delay_cells(boxes)) == set(SUBSTITUTES)
    types = {cell["type"] for cell in boxes["modules"]["top"]["cells"].values()}
    assert types == {"TRELLIS_COMB", "TRELLIS_FF", "IOLOGIC"}
    assert substitute_delay_cells(boxes) == {}
