"""DDR3 memory of a board: its core, and its pins."""

import tempfile
from fractions import Fraction
from pathlib import Path

from amaranth.build import Platform
from amaranth.hdl import Module
from amaranth.lib.wiring import connect

from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam_gateware.memory import Ddr3Memory, DramSettings, generate_core
from keybeam_gateware.transmitter.log import DDR3_LINE_WORDS

__all__ = ["DRAM_CLOCK_HZ", "DRAM_LOG_FRAMES", "add_ddr3"]

DRAM_CLOCK_HZ = 75_000_000
"""Clock of the memory's user side. Lines of 128 bits then move at 4.8 Gb/s, twice what the state
log needs; the memory itself runs at twice that clock."""

DRAM_LOG_FRAMES = 1 << 14
"""Depth of a state log in DDR3: 1.72 s in 512 MiB, so a second of repeats and the light's way."""


def add_ddr3(m: Module, platform: Platform, memory_port, reference, reference_hz: Fraction) -> None:
    """Put the memory of a board into a design, as ``ddr3``, with all its pins.

    Parameters
    ----------
    m : Module
        The design; the source of the memory's core is added to the platform.
    platform : Platform
        A board with a `BoardMemory` as ``memory``.
    memory_port : MemoryPort
        What the memory is for: the port of a state log of `DRAM_LOG_FRAMES` frames.
    reference : Value
        A clock.
    reference_hz : Fraction
        Its frequency in hertz.
    """
    settings = DramSettings(
        chip=platform.memory.chip,
        byte_lanes=platform.memory.byte_lanes,
        input_hz=float(reference_hz),
        user_hz=DRAM_CLOCK_HZ,
        device=f"{platform.device}-{platform.speed}{platform.package}C",
    )
    with tempfile.TemporaryDirectory() as folder:
        description = generate_core(settings, Path(folder))
        platform.add_file(f"{settings.name}.v", description.verilog.read_text())
    lines = DRAM_LOG_FRAMES * FRAME_CYCLES // DDR3_LINE_WORDS
    m.submodules.ddr3 = memory = Ddr3Memory(lines, description, _pins(platform))
    connect(m, memory_port, memory.port)
    m.d.comb += memory.reference.eq(reference)


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
