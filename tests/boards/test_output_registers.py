import copy

import pytest

from keybeam_boards.output_registers import absorb_output_registers

CLOCK, DATA, REGISTERED = 2, 10, 20
"""Numbers of nets: the clock, the first output of the RAM, the first output of the flip-flops."""
WIDTH = 4


def flip_flop(data, output):
    connections = {"CLK": [CLOCK], "LSR": ["0"], "DI": [data], "Q": [output]}
    return {
        "type": "TRELLIS_FF",
        "parameters": {
            "GSR": "DISABLED",
            "CEMUX": "1 ",
            "CLKMUX": "CLK",
            "LSRMUX": "LSR",
            "REGSET": "RESET",
            "SRMODE": "LSR_OVER_CE",
        },
        "port_directions": {port: "output" if port == "Q" else "input" for port in connections},
        "connections": connections,
    }


@pytest.fixture
def netlist():
    """A block RAM whose port B is read through one flip-flop a bit, as Yosys writes it."""
    inputs = {"CLKA": [CLOCK], "CLKB": [CLOCK]}
    inputs |= {f"{name}{port}": ["1"] for name in ("CE", "OCE") for port in "AB"}
    inputs |= {f"RST{port}": ["0"] for port in "AB"}
    outputs = {f"DOB{bit}": [DATA + bit] for bit in range(WIDTH)}
    unused = {f"DOA{bit}": [90 + bit] for bit in range(WIDTH)}
    ram = {
        "type": "DP16KD",
        "parameters": {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "GSR": "DISABLED"},
        "port_directions": dict.fromkeys(inputs, "input")
        | dict.fromkeys(outputs | unused, "output"),
        "connections": inputs | outputs | unused,
    }
    cells = {"ram": ram}
    cells |= {f"ff{bit}": flip_flop(DATA + bit, REGISTERED + bit) for bit in range(WIDTH)}
    bits = list(range(REGISTERED, REGISTERED + WIDTH))
    return {
        "modules": {"top": {"cells": cells, "ports": {"q": {"direction": "output", "bits": bits}}}}
    }


def cells_of(netlist):
    return netlist["modules"]["top"]["cells"]


def test_flip_flops_move_into_the_block_ram(netlist):
    assert absorb_output_registers(netlist) == WIDTH
    cells = cells_of(netlist)
    assert list(cells) == ["ram"]
    assert cells["ram"]["parameters"]["REGMODE_B"] == "OUTREG"
    assert cells["ram"]["parameters"]["REGMODE_A"] == "NOREG"
    read = [cells["ram"]["connections"][f"DOB{bit}"] for bit in range(WIDTH)]
    assert read == [[REGISTERED + bit] for bit in range(WIDTH)]


def test_the_global_reset_is_kept(netlist):
    for cell in cells_of(netlist).values():
        cell["parameters"]["GSR"] = "ENABLED"
    assert absorb_output_registers(netlist) == WIDTH
    assert cells_of(netlist)["ram"]["parameters"]["GSR"] == "ENABLED"


def test_a_second_pass_finds_nothing(netlist):
    absorb_output_registers(netlist)
    after = copy.deepcopy(netlist)
    assert absorb_output_registers(netlist) == 0
    assert netlist == after


def test_a_common_clock_enable_becomes_that_of_the_register(netlist):
    for bit in range(WIDTH):
        enable(cells_of(netlist)[f"ff{bit}"], "CE")
    assert absorb_output_registers(netlist) == WIDTH
    assert cells_of(netlist)["ram"]["connections"]["OCEB"] == [5]


def second_reader(netlist):
    cells_of(netlist)["other"] = flip_flop(DATA + 1, 77)


def output_pin(netlist):
    netlist["modules"]["top"]["ports"]["raw"] = {"direction": "output", "bits": [DATA]}


def other_clock(netlist):
    cells_of(netlist)["ff2"]["connections"]["CLK"] = [3]


def other_edge(netlist):
    cells_of(netlist)["ff2"]["parameters"]["CLKMUX"] = "INV"


def enable(cell, mode):
    cell["parameters"]["CEMUX"] = mode
    cell["connections"]["CE"], cell["port_directions"]["CE"] = [5], "input"


def one_clock_enable(netlist):
    enable(cells_of(netlist)["ff0"], "CE")


def inverted_clock_enable(netlist):
    for bit in range(WIDTH):
        enable(cells_of(netlist)[f"ff{bit}"], "INV")


def reset(netlist):
    cells_of(netlist)["ff3"]["connections"]["LSR"] = [6]


def other_global_reset(netlist):
    cells_of(netlist)["ff3"]["parameters"]["GSR"] = "ENABLED"


def starts_at_one(netlist):
    cells_of(netlist)["ff3"]["parameters"]["REGSET"] = "SET"


def logic_between(netlist):
    cells_of(netlist)["ff1"]["type"] = "LUT4"


def gated_ram(netlist):
    cells_of(netlist)["ram"]["connections"]["CEB"] = [8]


def register_can_be_disabled(netlist):
    cells_of(netlist)["ram"]["connections"]["OCEB"] = [8]


@pytest.mark.parametrize(
    "difference",
    [
        second_reader,
        output_pin,
        other_clock,
        other_edge,
        one_clock_enable,
        inverted_clock_enable,
        reset,
        other_global_reset,
        starts_at_one,
        logic_between,
        gated_ram,
        register_can_be_disabled,
    ],
)
def test_what_would_change_the_logic_is_left_alone(netlist, difference):
    difference(netlist)
    before = copy.deepcopy(netlist)
    assert absorb_output_registers(netlist) == 0
    assert netlist == before
