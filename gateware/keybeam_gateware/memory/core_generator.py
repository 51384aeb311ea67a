"""Writes a LiteDRAM core as Verilog; run as a program, since Migen and LiteX work on globals.

Usage: ``python -m keybeam_gateware.memory.core_generator SETTINGS FOLDER`` with the settings of
`keybeam_gateware.memory.litedram.DramSettings` as JSON. Leaves ``core.v`` and ``core.json`` in
the folder.
"""

import functools
import json
import re
import sys
import types
from pathlib import Path

import litedram.gen
import litedram.init
from litedram import modules
from litedram.phy import ECP5DDRPHY
from litedram.phy.model import SDRAM_VERBOSE_STD
from litex.build.lattice import LatticePlatform
from litex.build.sim import SimPlatform
from litex.soc.integration.export import get_csr_json
from migen import Record

__all__ = ["main"]

_BYTE_BITS = 8


def _ecp5_settings(module, byte_lanes, frequency):
    """Give the settings of the ECP5's physical layer, of which a model gets the latencies."""
    pads = Record(
        [("a", module.geom_settings.addressbits), ("ba", module.geom_settings.bankbits)]
        + [(name, 1) for name in ("ras_n", "cas_n", "we_n", "clk_p")]
        + [("dq", _BYTE_BITS * byte_lanes), ("dm", byte_lanes), ("dqs_p", byte_lanes)]
    )
    return ECP5DDRPHY(pads, sys_clk_freq=frequency).settings


def _use_model(configuration, rows):
    """Let the generator take LiteDRAM's model of a memory for the ECP5's physical layer."""
    chip, frequency = configuration["sdram_module"], configuration["sys_clk_freq"]

    class SmallChip(chip):
        """The chip with fewer rows, at the ratio of clocks that the ECP5 has."""

        nrows = rows or chip.nrows

        def __init__(self, frequency, rate):
            del rate
            super().__init__(frequency, "1:2")

    configuration["sdram_module"] = SmallChip
    settings = _ecp5_settings(
        SmallChip(frequency, None), configuration["sdram_module_nb"], frequency
    )
    # The generator asks LiteX's simulator for settings, which are those of another family.
    simulator = types.ModuleType("litex.tools.litex_sim")
    simulator.get_sdram_phy_settings = lambda **_: settings
    sys.modules[simulator.__name__] = simulator
    litedram.gen.SDRAMPHYModel = functools.partial(
        litedram.gen.SDRAMPHYModel, verbosity=SDRAM_VERBOSE_STD
    )
    return SimPlatform("", io=[])


def _sequence(phy, timing):
    """Give the steps of the start: address, bank, command, wait, whether it is control."""
    header = {}
    exec(litedram.init.get_sdram_phy_py_header(phy, timing), header)
    steps = litedram.init.get_sdram_phy_init_sequence(phy, timing)[0]
    control = [isinstance(step[3], str) and "DFII_CONTROL" in step[3] for step in steps]
    return [
        (address, bank, command, wait, is_control)
        for (_, address, bank, command, wait), is_control in zip(
            header["init_sequence"], control, strict=True
        )
    ]


def main():
    """Generate the core that the command line asks for."""
    settings, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    configuration = {
        "cpu": None,
        "memtype": "DDR3",
        "sdram_module": getattr(modules, settings["chip"]),
        "sdram_module_nb": settings["byte_lanes"],
        "sdram_rank_nb": 1,
        "sdram_phy": ECP5DDRPHY,
        "input_clk_freq": settings["input_hz"],
        "sys_clk_freq": settings["user_hz"],
        "init_clk_freq": settings["start_hz"],
        "cmd_buffer_depth": 16,
        "user_ports": {"log": {"type": "native"}},
    }
    if settings["model"]:
        platform = _use_model(configuration, settings["rows"])
    else:
        platform = LatticePlatform(settings["device"], io=[], toolchain="trellis")
    core = litedram.gen.LiteDRAMCore(platform, configuration)
    core.finalize()
    fragment = core.get_fragment()
    platform.finalize(fragment)
    text = str(platform.get_verilog(fragment, name=settings["name"], regular_comb=False))
    # The head tells the date.
    text = text[text.index("`timescale") :]
    # Pins that are driven from inside a buffer are declared as inputs.
    text = re.sub(r"\binput (?= *wire .*\bddram_dqs?(_p)?,$)", "inout ", text, flags=re.M)
    (folder / "core.v").write_text(text)
    registers = json.loads(get_csr_json(core.csr_regions))["csr_registers"]
    phy = core.sdram.controller.settings.phy
    timing = core.sdram.controller.settings.timing
    width = re.search(r"\[(\d+):0\] user_port_log_cmd_addr", text)
    description = {
        "registers": {name: register["addr"] // 4 for name, register in registers.items()},
        "sequence": _sequence(phy, timing),
        "address_bits": int(width[1]) + 1,
        "words": phy.nphases * phy.dfi_databits // phy.databits,
        "byte_lanes": phy.databits // _BYTE_BITS,
        "delays": phy.delays,
        "slips": phy.bitslips,
        "row_bits": core.sdram.controller.settings.geom.addressbits,
    }
    (folder / "core.json").write_text(json.dumps(description, indent=2))


if __name__ == "__main__":
    main()
