from pathlib import Path

import pytest

from keybeam.protocol.identity import Role
from keybeam_gateware.tops import Receiver, Transmitter
from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent
DIVISOR = 5
REVISION = 0x1234ABCD

TOPS = {
    Role.TRANSMITTER: lambda: Transmitter(
        uart_divisor=DIVISOR, log_frames=1, git_revision=REVISION
    ),
    Role.RECEIVER: lambda: Receiver(uart_divisor=DIVISOR, git_revision=REVISION),
}


@pytest.mark.parametrize("role", TOPS, ids=lambda role: role.name.lower())
def test_terminal_tells_what_it_is(simulator, tmp_path, role):
    name = role.name.lower()
    verilog = emit_verilog(TOPS[role](), name, tmp_path / f"{name}.v")
    run_cocotb(
        sources=[verilog],
        toplevel=name,
        test_module="cocotb_top",
        folder=tmp_path / simulator,
        simulator=simulator,
        test_folder=HERE,
        environment={
            "KEYBEAM_ROLE": role.name,
            "KEYBEAM_DIVISOR": str(DIVISOR),
            "KEYBEAM_REVISION": f"{REVISION:x}",
        },
    )
