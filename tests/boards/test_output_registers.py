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


@pytest.fixture
def wide_netlist(netlist):
    """A block RAM of 36 bits: A writes, and half of what B reads leaves by the outputs of A."""
    cells = cells_of(netlist)
    ram = cells["ram"]
    ram["parameters"] |= dict.fromkeys(("DATA_WIDTH_A", "DATA_WIDTH_B"), f"{36:032b}")
    ram["connections"] |= {"OCEA": ["0"], "CEA": [9]}
    for bit in range(WIDTH):
        cells[f"high{bit}"] = flip_flop(90 + bit, 60 + bit)
        enable(cells[f"high{bit}"], "CE")
        enable(cells[f"ff{bit}"], "CE")
    return netlist


def test_a_word_of_36_bits_has_one_register_with_the_enable_of_the_port_that_reads(wide_netlist):
    assert absorb_output_registers(wide_netlist) == 2 * WIDTH
    (ram,) = cells_of(wide_netlist).values()
    assert [ram["parameters"][f"REGMODE_{half}"] for half in "AB"] == ["OUTREG", "OUTREG"]
    assert (ram["connections"]["OCEB"], ram["connections"]["OCEA"]) == ([5], ["0"])
    assert [ram["connections"][f"DOA{bit}"] for bit in range(WIDTH)] == [[60], [61], [62], [63]]


@pytest.mark.parametrize("half", ["ff1", "high1"])
def test_a_word_of_36_bits_is_left_alone_where_half_of_it_has_no_register(wide_netlist, half):
    cells_of(wide_netlist)[half]["type"] = "LUT4"
    before = copy.deepcopy(wide_netlist)
    assert absorb_output_registers(wide_netlist) == 0
    assert wide_netlist == before


def test_a_word_of_36_bits_is_left_alone_where_it_is_written_by_another_clock(wide_netlist):
    cells_of(wide_netlist)["ram"]["connections"]["CLKA"] = [3]
    assert absorb_output_registers(wide_netlist) == 0


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
