"""A sampling cell that shares its pad with the fabric, beside one that does not, in a real part."""

import json
from fractions import Fraction

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal
from amaranth.lib import io

from keybeam.protocol.records import Channel
from keybeam_boards.delay_lines import delay_line_violations, substitute_delay_cells
from keybeam_boards.pads import receiver_inputs
from keybeam_boards.platforms.ecp5_5g_evn import Ecp55GEvnPlatform
from keybeam_boards.toolchain import Step, run_step
from keybeam_gateware.primitives import ecp5
from keybeam_gateware.primitives.pll import plan_pll

PLACE = receiver_inputs(Ecp55GEvnPlatform())[Channel.H].place.io_logic


class TwoLanes(Elaboratable):
    """Detector H is sampled and seen by a flip-flop as well, detector V is sampled only."""

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(reset_less=True)
        m.domains.eclk = ClockDomain("eclk")
        m.submodules.clock = clock = io.Buffer("i", platform.request("clk12", dir="-"))
        m.submodules.lamp = lamp = io.Buffer("o", platform.request("led", 0, dir="-"))
        plan = plan_pll(Fraction(12_000_000), Fraction(312_500_000))
        m.submodules.clocks = clocks = ecp5.Clocks(plan)
        m.d.comb += clocks.reference.eq(clock.i)
        parity = Signal()
        for number, place in enumerate((PLACE, None)):
            pad = io.Buffer("i", platform.request("detector", number, dir="-"))
            m.submodules[f"pad_{number}"] = pad
            m.submodules[f"lane_{number}"] = lane = ecp5.LaneDeserialiser(place=place)
            m.d.comb += lane.line.eq(pad.i)
            parity ^= lane.word.xor()
            if place is not None:
                seen = Signal()
                m.d.sync += seen.eq(pad.i)
                parity ^= seen
        m.d.sync += lamp.o.eq(parity)
        return m


@pytest.fixture(scope="module")
def routed(tmp_path_factory):
    """The net list as nextpnr leaves it, and the places that were asked for."""
    folder = tmp_path_factory.mktemp("lanes")
    Ecp55GEvnPlatform().prepare(TwoLanes(), "top").extract(folder)
    run_step(Step("synthesis", "yosys", ("-q", "top.ys")), folder, print)
    design = json.loads((folder / "top.json").read_text())
    asked = substitute_delay_cells(design)
    (folder / "top.json").write_text(json.dumps(design))
    arguments = "--um-85k --package CABGA381 --speed 8 --json top.json --lpf top.lpf --quiet"
    arguments += " --textcfg top.config --write top.routed.json"
    run_step(Step("routing", "nextpnr-ecp5", tuple(arguments.split())), folder, print)
    return json.loads((folder / "top.routed.json").read_text()), asked


def test_the_cell_is_what_the_tool_itself_makes_of_a_lane_and_where_it_was_asked_for(routed):
    netlist, asked = routed
    assert delay_line_violations(netlist, asked) == []
    cells = {k: v for module in netlist["modules"].values() for k, v in module["cells"].items()}
    (name,) = asked
    shared = cells.pop(name)
    assert asked[name] == shared["attributes"]["NEXTPNR_BEL"] == PLACE
    (alone,) = (cell for cell in cells.values() if cell["type"] == "IOLOGIC")
    assert shared["parameters"] == alone["parameters"]
    used = [{p for p, bits in c["connections"].items() if bits} for c in (shared, alone)]
    assert used[0] == used[1]


def test_the_pad_reaches_the_cell_and_the_fabric(routed):
    netlist, asked = routed
    (name,) = asked
    for module in netlist["modules"].values():
        (bit,) = module["cells"][name]["connections"]["PADDI"]
        (routing,) = {
            net["attributes"]["ROUTING"]
            for net in module["netnames"].values()
            if net["bits"] == [bit]
        }
        assert "JPADDIA_PIO->0_0_PADDIA_IOLOGIC" in routing
        assert "JPADDIA_PIO->0_0_JDIA" in routing
