from pathlib import Path

import pytest

from keybeam.protocol.identity import Role
from keybeam_gateware.tops import Receiver, Transmitter

HERE = Path(__file__).parent
DIVISOR = 5
REVISION = 0x1234ABCD

TOPS = {
    Role.TRANSMITTER: (
        lambda: Transmitter(uart_divisor=DIVISOR, log_frames=1, git_revision=REVISION),
        [("random__valid", 1), ("random__payload", 64)],
    ),
    Role.RECEIVER: (
        lambda: Receiver(uart_divisor=DIVISOR, git_revision=REVISION),
        [("line", 4), ("detectors", 16), ("pps", 4)],
    ),
}


@pytest.mark.parametrize("role", TOPS, ids=lambda role: role.name.lower())
def test_terminal_tells_what_it_is(simulator, tmp_path, monkeypatch, role):
    monkeypatch.syspath_prepend(str(HERE))
    from serial_bench import run_on_serial_line

    make, idle = TOPS[role]
    environment = {
        "KEYBEAM_ROLE": role.name,
        "KEYBEAM_DIVISOR": str(DIVISOR),
        "KEYBEAM_REVISION": f"{REVISION:x}",
    }
    assert (
        run_on_serial_line(
            make(), "cocotb_top", tmp_path, simulator, idle=idle, environment=environment
        )
        == 1
    )
