"""LiteDRAM cores: generated as Verilog, and put into a design.

LiteDRAM (https://github.com/enjoy-digital/litedram, BSD-2-Clause) brings the memory controller and
the physical layer of the ECP5, ECP5DDRPHY.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from amaranth import ClockSignal, Const, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from keybeam_gateware.memory.native import ControlBus, NativePort
from keybeam_gateware.memory.program import Delays, Write, start_program

__all__ = ["CoreGenerationError", "DramCore", "DramDescription", "DramSettings", "generate_core"]

_RESET_SECONDS = 300e-6
"""Time for which the memory is held in reset: 200 µs at least (JESD79-3F, section 3.3.1)."""


class CoreGenerationError(RuntimeError):
    """LiteDRAM's generator failed; the message is what it wrote."""


@dataclass(frozen=True)
class DramSettings:
    """What a core is generated for."""

    chip: str
    """Name of the memory chip in ``litedram.modules``."""
    byte_lanes: int
    """Width of the memory in bytes."""
    input_hz: float
    """Reference clock of the core's loop."""
    user_hz: float
    """Clock of the native port; the memory's clock is twice that."""
    start_hz: float = 25e6
    """Clock of the sequence that starts the delay-locked loop."""
    device: str = "LFE5UM5G-85F-8BG381C"
    """Part."""
    name: str = "keybeam_dram"
    """Name of the module."""


@dataclass(frozen=True)
class DramDescription:
    """A generated core."""

    settings: DramSettings
    """What it was generated for."""
    verilog: Path
    """Its source."""
    address_bits: int
    """Bits of the address of a line."""
    words: int
    """Transfers of a burst, which is a line."""
    row_bits: int
    """Address pins of the memory."""
    program: Sequence[Write]
    """Writes that start it."""
    delays: Delays | None
    """How the reading of its byte lanes is set; None for a model, which needs no setting."""

    @property
    def line_bits(self) -> int:
        """Bits of a line."""
        return 8 * self.settings.byte_lanes * self.words


def generate_core(
    settings: DramSettings, folder: Path, *, model_rows: int | None = None
) -> DramDescription:
    """Generate a core.

    Parameters
    ----------
    settings : DramSettings
        What for.
    folder : Path
        Where its files are written; made if missing.
    model_rows : int, optional
        Put LiteDRAM's model of the memory, with so many rows a bank, in the place of the physical
        layer and the pins, for simulation. Its latencies are those of the ECP5's, and it reports
        every violation of the memory's timing on the standard output. The reference clock is then
        the clock of the native port.

    Returns
    -------
    DramDescription
        The core.

    Raises
    ------
    CoreGenerationError
        If LiteDRAM's generator fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = model_rows is not None
    wishes = json.dumps(asdict(settings) | {"model": model, "rows": model_rows})
    process = subprocess.run(
        [sys.executable, "-m", "keybeam_gateware.memory.core_generator", wishes, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode:
        raise CoreGenerationError(process.stdout)
    found = json.loads((folder / "core.json").read_text())
    registers = found["registers"]
    delays = None
    if not model:
        delays = Delays(
            select=registers["ddrphy_dly_sel"],
            clear_delay=registers["ddrphy_rdly_dq_rst"],
            step_delay=registers["ddrphy_rdly_dq_inc"],
            clear_slip=registers["ddrphy_rdly_dq_bitslip_rst"],
            step_slip=registers["ddrphy_rdly_dq_bitslip"],
            delays=found["delays"],
            slips=found["slips"],
        )
    reset_wait = round(_RESET_SECONDS * settings.user_hz)
    return DramDescription(
        settings=settings,
        verilog=folder / "core.v",
        address_bits=found["address_bits"],
        words=found["words"],
        row_bits=found["row_bits"],
        program=start_program(found["sequence"], registers, reset_wait=reset_wait),
        delays=delays,
    )


class DramCore(wiring.Component):
    """A generated core as a part of a design; drives the clock domain ``dram``.

    The design adds `DramDescription.verilog` to its sources and defines the domain.

    Parameters
    ----------
    description : DramDescription
        The core.
    pins : mapping of str to value
        What the core's pins are connected to, by the name of the port with its direction before
        it as `amaranth.hdl.Instance` takes it; none for a model.

    Members
    -------
    reference : In(1)
        Reference clock; for a model the clock of ``dram`` itself.
    reset : In(1)
        Starts everything anew; asynchronous.
    native : In(NativePort(...))
        In ``dram``.
    bus : In(ControlBus())
        In ``dram``.
    """

    def __init__(self, description: DramDescription, pins: Mapping[str, object]) -> None:
        self._description, self._pins = description, pins
        super().__init__(
            {
                "reference": In(1),
                "reset": In(1),
                "native": In(NativePort(description.address_bits, description.line_bits)),
                "bus": In(ControlBus()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = Instance(self._description.settings.name, **self._ports())
        return m

    def _ports(self):
        native, bus = self.native, self.bus
        ports = {
            "i_clk": self.reference,
            "o_user_clk": ClockSignal("dram"),
            "o_user_rst": ResetSignal("dram"),
            "i_user_port_log_cmd_valid": native.command.valid,
            "o_user_port_log_cmd_ready": native.command.ready,
            "i_user_port_log_cmd_we": native.command.payload.write,
            "i_user_port_log_cmd_addr": native.command.payload.address,
            "i_user_port_log_wdata_valid": native.write.valid,
            "o_user_port_log_wdata_ready": native.write.ready,
            "i_user_port_log_wdata_we": Const(-1, self._description.line_bits // 8),
            "i_user_port_log_wdata_data": native.write.payload,
            "o_user_port_log_rdata_valid": native.read.valid,
            "i_user_port_log_rdata_ready": native.read.ready,
            "o_user_port_log_rdata_data": native.read.payload,
            "i_wb_ctrl_adr": bus.address,
            "i_wb_ctrl_dat_w": bus.value,
            "i_wb_ctrl_sel": Const(0b1111, 4),
            "i_wb_ctrl_cyc": bus.enable,
            "i_wb_ctrl_stb": bus.enable,
            "i_wb_ctrl_we": Const(1),
            "i_wb_ctrl_cti": Const(0, 3),
            "i_wb_ctrl_bte": Const(0, 2),
            "o_wb_ctrl_ack": bus.done,
        }
        if self._description.delays is None:
            return ports | {"i_sim_trace": Const(0)}
        return ports | {"i_rst": self.reset} | dict(self._pins)
