"""DDR3 memory of a board: its core, and its pins."""

import tempfile
from pathlib import Path

from amaranth.build import Platform
from amaranth.hdl import Module

from keybeam_gateware.memory import Ddr3Memory, DramSettings, generate_core

__all__ = ["DRAM_CLOCK_HZ", "add_ddr3", "memory_settings"]

DRAM_CLOCK_HZ = 75_000_000
"""Clock of the memory's user side. Lines of 128 bits then move at 4.8 Gb/s, twice what the state
log needs; the memory itself runs at twice that clock."""


def memory_settings(platform: Platform) -> DramSettings:
    """Give what the core of a board's memory is generated for.

    Parameters
    ----------
    platform : Platform
        A board with ``memory_chip`` and ``memory_resource``.
    """
    clock = platform.lookup(platform.reference_clock).clock
    return DramSettings(
        chip=platform.memory_chip,
        byte_lanes=platform.memory_byte_lanes,
        input_hz=float(clock.frequency),
        user_hz=DRAM_CLOCK_HZ,
        device=f"{platform.device}-{platform.speed}{platform.package}C",
    )


def add_ddr3(m: Module, platform: Platform, lines: int) -> Ddr3Memory:
    """Put the memory of a board into a design, with all its pins.

    Parameters
    ----------
    m : Module
        Where the memory is added, as ``ddr3``; the core's source is added to the platform.
    platform : Platform
        The board.
    lines : int
        Lines that are used, a power of two.

    Returns
    -------
    Ddr3Memory
        Its `port`, `reference` and `reset` are left to be connected.
    """
    with tempfile.TemporaryDirectory() as folder:
        description = generate_core(memory_settings(platform), Path(folder))
        platform.add_file(f"{description.settings.name}.v", description.verilog.read_text())
    m.submodules.ddr3 = memory = Ddr3Memory(lines, description, _pins(platform))
    return memory


def _pins(platform: Platform) -> dict[str, object]:
    """Connect the first rank of a memory; the core drives the levels of the pins themselves."""
    names = ("rst", "clk", "clk_en", "cs", "we", "ras", "cas", "a", "ba", "dqs", "dq", "dm", "odt")
    pads = platform.request("ddr3", 0, dir=dict.fromkeys(names, "-"))
    return {
        "o_ddram_reset_n": pads.rst.io,
        "o_ddram_clk_p": pads.clk.p[0],
        "o_ddram_cke": pads.clk_en.io[0],
        "o_ddram_cs_n": pads.cs.io[0],
        "o_ddram_we_n": pads.we.io,
        "o_ddram_ras_n": pads.ras.io,
        "o_ddram_cas_n": pads.cas.io,
        "o_ddram_a": pads.a.io,
        "o_ddram_ba": pads.ba.io,
        "io_ddram_dqs_p": pads.dqs.p,
        "io_ddram_dq": pads.dq.io,
        "o_ddram_dm": pads.dm.io,
        "o_ddram_odt": pads.odt.io[0],
    }
