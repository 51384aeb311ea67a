"""Moves the registers behind block RAMs into the block RAMs.

An ECP5 block RAM takes 4.3 ns from its clock to its output, but has a register
at each output, which Yosys leaves unused: it puts the flip-flops that a design
has there into the fabric, and most of a period is lost on the way to them.
This pass works on the net list between synthesis and placement. It changes
nothing in what the logic does: the register in the block RAM has the same
clock, clock enable and global reset as the flip-flop it replaces (Lattice
FPGA-TN-02204, "ECP5 and ECP5-5G Memory Usage Guide": REGMODE).

A block RAM of 36 bits is written by port A and read by port B, whose word leaves by the outputs of
both. It has one register for the whole word, with the clock and the clock enable of port B: so
Lattice's primitive PDPW16KD has it, and nextpnr makes of that both of REGMODE_A and REGMODE_B.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["absorb_output_registers"]

_Bit = int | str
_Cell = dict[str, Any]

_WIDE_BITS = 36
"""Width at which one port writes and the other one reads."""

_FLIP_FLOP = {"REGSET": "RESET", "SRMODE": "LSR_OVER_CE"}
"""What a flip-flop must be for the register in the block RAM to equal it."""


def absorb_output_registers(netlist: dict[str, Any]) -> int:
    """Use the output registers of block RAMs in place of the flip-flops behind them.

    A port of a block RAM is changed where each of its outputs that is read goes to one flip-flop
    and to nothing else, and these flip-flops run on the port's own clock, have one clock enable
    or none, follow the global reset if the block RAM does, have no other, and start at zero.

    Parameters
    ----------
    netlist : dict
        A net list after technology mapping, as Yosys writes it in JSON; changed in place.

    Returns
    -------
    int
        Number of flip-flops that were absorbed.
    """
    return sum(map(_absorb_in_module, netlist["modules"].values()))


def _absorb_in_module(module: dict[str, Any]) -> int:
    cells: dict[str, _Cell] = module["cells"]
    readers = _readers(module)
    absorbed = 0
    for cell in [cell for cell in cells.values() if cell["type"] == "DP16KD"]:
        for port in _read_ports(cell):
            flip_flops = _flip_flops_behind(cell, port, cells, readers)
            enables = {_enable(cells[name]) for name in flip_flops.values()}
            if len(enables) != 1 or None in enables:
                continue
            for output, name in flip_flops.items():
                cell["connections"][output] = cells.pop(name)["connections"]["Q"]
            cell["connections"][f"OCE{port.name}"] = list(enables)
            for half in port.halves:
                cell["parameters"][f"REGMODE_{half}"] = "OUTREG"
            absorbed += len(flip_flops)
    return absorbed


@dataclass(frozen=True)
class _ReadPort:
    """A port that is read, and by whose outputs its word leaves."""

    name: str
    halves: str


def _read_ports(ram: _Cell) -> list[_ReadPort]:
    widths = [int(str(ram["parameters"].get(f"DATA_WIDTH_{port}", "0")), 2) for port in "AB"]
    if _WIDE_BITS in widths:
        return [_ReadPort("B", "AB")]
    return [_ReadPort("A", "A"), _ReadPort("B", "B")]


def _enable(flip_flop: _Cell) -> _Bit | None:
    """Net that enables the clock of a flip-flop, or the constant; None if it is inverted."""
    mode = flip_flop["parameters"]["CEMUX"].strip()
    if mode == "1":
        return "1"
    return flip_flop["connections"]["CE"][0] if mode == "CE" else None


def _readers(module: dict[str, Any]) -> dict[_Bit, list[tuple[str, str]]]:
    """Who reads each net: names of cell and port, or an empty cell name for a port of the top."""
    readers: dict[_Bit, list[tuple[str, str]]] = defaultdict(list)
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                for bit in bits:
                    readers[bit].append((name, port))
    for name, port in module["ports"].items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                readers[bit].append(("", name))
    return readers


def _flip_flops_behind(
    ram: _Cell,
    port: _ReadPort,
    cells: dict[str, _Cell],
    readers: dict[_Bit, list[tuple[str, str]]],
) -> dict[str, str]:
    """Flip-flop behind each used output of a port; empty if not all of them can be absorbed."""
    if not _register_is_free(ram, port):
        return {}
    found: dict[str, str] = {}
    outputs = tuple(f"DO{half}" for half in port.halves)
    for output, bits in ram["connections"].items():
        if not output.startswith(outputs):
            continue
        for bit in bits:
            users = readers.get(bit, [])
            if not users:
                continue
            if len(users) != 1 or users[0][1] not in ("DI", "M"):
                return {}
            name = users[0][0]
            if not _equals_output_register(cells.get(name), ram, port.name, users[0][1]):
                return {}
            found[output] = name
    return found


def _register_is_free(ram: _Cell, port: _ReadPort) -> bool:
    """Whether a port's output register is unused, and would always run and never be reset."""
    parameters, connections = ram["parameters"], ram["connections"]
    name = port.name
    return (
        all(parameters[f"REGMODE_{half}"] == "NOREG" for half in port.halves)
        and all(_all_are(connections[f"RST{half}"], "0") for half in port.halves)
        # nextpnr takes the clock of the port that an output is named after.
        and len({connections[f"CLK{half}"][0] for half in port.halves}) == 1
        and parameters.get(f"OCE{name}MUX", f"OCE{name}") == f"OCE{name}"
        and _all_are(connections[f"CE{name}"], "1")
        and _all_are(connections[f"OCE{name}"], "1")
    )


def _equals_output_register(flip_flop: _Cell | None, ram: _Cell, port: str, data: str) -> bool:
    """Whether a cell is a flip-flop that the output register of a port can stand for."""
    if flip_flop is None or flip_flop["type"] != "TRELLIS_FF":
        return False
    parameters, connections = flip_flop["parameters"], flip_flop["connections"]
    ram_clock = ram["parameters"].get(f"CLK{port}MUX", f"CLK{port}")
    inverted = {"CLK": False, "INV": True}[parameters.get("CLKMUX", "CLK")]
    return (
        connections["CLK"] == ram["connections"][f"CLK{port}"]
        and parameters["GSR"] == ram["parameters"]["GSR"]
        and inverted == (ram_clock == "INV")
        and all(parameters.get(name, value) == value for name, value in _FLIP_FLOP.items())
        and _all_are(connections.get("LSR", []), "0")
        and parameters.get("SD", "1" if data == "DI" else "0") == ("1" if data == "DI" else "0")
    )


def _all_are(bits: Iterable[_Bit], level: str) -> bool:
    return all(bit == level for bit in bits)
