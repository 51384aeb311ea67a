from pathlib import Path

import pytest
from amaranth.hdl import Value
from amaranth.lib.wiring import In

from keybeam.protocol.identity import Role
from keybeam_gateware.tops import Receiver, Transmitter

HERE = Path(__file__).parent
DIVISOR = 5
REVISION = 0x1234ABCD

TOPS = {
    Role.TRANSMITTER: lambda: Transmitter(
        uart_divisor=DIVISOR, log_frames=1, git_revision=REVISION
    ),
    Role.RECEIVER: lambda: Receiver(uart_divisor=DIVISOR, git_revision=REVISION),
}


def inputs(top):
    """Names and widths of all inputs but the serial line."""
    return [
        ("__".join(map(str, path)), len(Value.cast(value)))
        for path, member, value in top.signature.flatten(top)
        if member.flow == In and path != ("uart_rx",)
    ]


@pytest.mark.parametrize("role", TOPS, ids=lambda role: role.name.lower())
def test_terminal_tells_what_it_is(simulator, tmp_path, monkeypatch, role):
    monkeypatch.syspath_prepend(str(HERE))
    from serial_bench import run_on_serial_line

    top = TOPS[role]()
    environment = {
        "KEYBEAM_ROLE": role.name,
        "KEYBEAM_DIVISOR": str(DIVISOR),
        "KEYBEAM_REVISION": f"{REVISION:x}",
    }
    assert (
        run_on_serial_line(
            top, "cocotb_top", tmp_path, simulator, idle=inputs(top), environment=environment
        )
        == 1
    )
