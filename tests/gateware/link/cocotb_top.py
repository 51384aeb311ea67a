"""Runs in the simulator: a terminal tells over its serial line what it is."""

import os

import cocotb
from uart_host import UartHost

from keybeam.device import load_register_map
from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role


@cocotb.test()
async def identity_and_registers(dut):
    role = Role[os.environ["KEYBEAM_ROLE"]]
    host = await UartHost.start(dut, int(os.environ["KEYBEAM_DIVISOR"]))
    assert await host.read(IdentityAddress.MAGIC) == IDENTITY_MAGIC
    assert await host.read(IdentityAddress.ABI) == ABI_VERSION
    assert await host.read(IdentityAddress.ROLE) == role
    known = load_register_map(role)
    assert await host.read(IdentityAddress.MAP_HASH) == int(known.hash, 16)
    assert await host.read(IdentityAddress.REVISION) == int(os.environ["KEYBEAM_REVISION"], 16)
    await host.write_register(IdentityAddress.SCRATCH, 0x12003456)
    assert await host.read(IdentityAddress.SCRATCH) == 0x12003456
    # A register of the core: reset value by the map, then what is written.
    for register in known.registers:
        stored = [field for field in register.fields if field.access == "rw"]
        if not register.name.startswith(known.role + ".") or not stored:
            continue
        reset = sum(field.insert(0, field.reset) for field in stored)
        assert await host.read(register.address) == reset & 0xFFFFFFFF, register.name
