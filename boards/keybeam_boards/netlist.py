"""What net lists, and the script of the synthesis, need on their way through the tools."""

import re
from typing import Any

from keybeam_boards.reports import CLOCK_NETS
from keybeam_gateware.primitives.fixed_word import FIXED_BIT
from keybeam_gateware.synthesis import APART

__all__ = ["blocks_apart", "fill_fixed_words", "free_collisions", "name_clocks", "plain_names"]


def plain_names(netlist: str) -> str:
    """Take the brackets out of names.

    Amaranth names the elements of an array ``samples[3]``; on the way back from logic synthesis
    Yosys 0.70 takes that for bit 3 of ``samples``, and aborts when widths differ.

    Parameters
    ----------
    netlist : str
        Net list in RTLIL, where a name is a word that begins with a backslash, and the bits
        that are selected from it stand apart.

    Returns
    -------
    str
        The same with ``samples.3``.
    """
    return re.sub(r"(?<=\s\\)\S+", lambda name: re.sub(r"\[(\d+)\]", r".\1", name[0]), netlist)


def free_collisions(netlist: str) -> str:
    """Leave open what a memory gives when it is read and written at one address in one cycle.

    No memory of the terminals relies on it, and the logic that would define it stands between
    the block RAM and its output register.

    Parameters
    ----------
    netlist : str
        Net list in RTLIL.

    Returns
    -------
    str
        The same with COLLISION_X_MASK set at every clocked read port of a memory that has one
        write port with the same clock.
    """
    return re.sub(r"^module .*?^end$", _free_in_module, netlist, flags=re.M | re.S)


def _free_in_module(module: re.Match[str]) -> str:
    def part(cell: str, name: str) -> str:
        return re.search(rf"^ *(?:parameter|connect) \\{name} (.*)$", cell, flags=re.M)[1]

    writes = re.findall(r"^ *cell \$memwr_v2 .*?^ *end$", module[0], flags=re.M | re.S)
    clocks = {part(cell, "MEMID"): part(cell, "CLK") for cell in writes}

    def freed(match: re.Match[str]) -> str:
        cell = match[0]
        clocked = part(cell, "CLK_ENABLE") == "1"
        if not clocked or part(cell, "CLK") != clocks.get(part(cell, "MEMID")):
            return cell
        return cell.replace("\\COLLISION_X_MASK 1'0", "\\COLLISION_X_MASK 1'1")

    return re.sub(r"^ *cell \$memrd_v2 .*?^ *end$", freed, module[0], flags=re.M | re.S)


def blocks_apart(script: str, netlist: str) -> str:
    """Let logic synthesis treat each block of a design on its own, and join them afterwards.

    The mapping to look-up tables makes the longest path of what it sees as short as it can, and
    all others only as short as that, to save tables. In one piece with a DRAM controller, whose
    clock is slow and whose paths are long, nothing else would be made fast. Blocks also keep the
    names that reports give to paths.

    Parameters
    ----------
    script : str
        Yosys's script, as Amaranth writes it.
    netlist : str
        Net list in RTLIL.

    Returns
    -------
    str
        The script, with commands before and after synthesis.

    Raises
    ------
    ValueError
        If the script has no places for them.
    """
    names = re.findall(r"^module \\(\S+)$", netlist, flags=re.M)
    blocks = [name for name in names if _is_block(name.split("."))]
    # A file of Verilog holds the module of its name.
    blocks += re.findall(r"^read_verilog +(\S+)\.v$", script, flags=re.M)
    before = "\n".join(f"setattr -mod -set keep_hierarchy 1 {block}" for block in blocks)
    after = "setattr -mod -unset keep_hierarchy *\nflatten\nopt_clean"
    for place, commands in (("read", before), ("synth", after)):
        mark = f"# (script_after_{place} placeholder)"
        if script.count(mark) != 1:
            raise ValueError(f"the script of the synthesis has no {mark!r}")
        script = script.replace(mark, commands)
    return script


_DIVIDED = (["terminal"], ["terminal", "core"], ["terminal", "link"])
"""What consists of blocks, besides the top."""


def _is_block(path: list[str]) -> bool:
    inside = path[1:]
    return len(inside) == 1 or inside[:-1] in _DIVIDED or path[-1].startswith(APART)


def name_clocks(netlist: dict[str, Any]) -> None:
    """Leave each clock only the name by which a report is to call it.

    A net has a name in each block that it passes, and nextpnr takes the shortest.

    Parameters
    ----------
    netlist : dict
        Net list of Yosys, read from JSON; changed in place.
    """
    for module in netlist["modules"].values():
        names = module["netnames"]
        chosen: dict[tuple[Any, ...], str] = {}
        for nets in CLOCK_NETS.values():
            for name in filter(nets.fullmatch, names):
                chosen.setdefault(tuple(names[name]["bits"]), name)
        for name in list(names):
            if chosen.get(tuple(names[name]["bits"]), name) != name:
                del names[name]


def fill_fixed_words(netlist: dict[str, Any]) -> None:
    """Put a look-up table without inputs in the place of every bit that the build fixes.

    Parameters
    ----------
    netlist : dict
        Net list of Yosys for an ECP5, read from JSON; changed in place.
    """
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            if cell["type"] == FIXED_BIT:
                bit = int(cell["attributes"]["VALUE"], 2)
                cell["type"], cell["parameters"] = "LUT4", {"INIT": f"{bit}" * 16}
