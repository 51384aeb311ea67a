"""What has to be written to a LiteDRAM core before its memory works."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Delays", "Write", "start_program"]


@dataclass(frozen=True)
class Write:
    """A write to a register of the core."""

    address: int
    """In words of 32 bits."""
    value: int
    """What is written."""
    wait: int = 0
    """Cycles to wait after it."""


@dataclass(frozen=True)
class Delays:
    """Registers that set how a byte lane is read, by their addresses in words.

    All but `select` do something when anything is written to them.
    """

    select: int
    """Byte lanes on which the others act, one bit each. A lane is not read while it is named."""
    clear_delay: int
    """Sets the delay to 0."""
    step_delay: int
    """Makes the delay one step longer."""
    clear_slip: int
    """Sets the bit slip to 0."""
    step_slip: int
    """Moves the bits of a word by one place."""
    delays: int
    """Number of delays, a power of two."""
    slips: int
    """Number of bit slips, a power of two."""


def start_program(
    sequence: Sequence[tuple[int, int, int, int, bool]],
    registers: Mapping[str, int],
    *,
    reset_wait: int,
) -> list[Write]:
    """Turn LiteDRAM's start sequence into writes to registers.

    Parameters
    ----------
    sequence : sequence of (address, bank, command, wait, control)
        Steps, in order: `command` with its address and bank on the pins, or, with `control`, the
        value of the control register (reset, clock enable); then cycles to wait.
    registers : mapping of str to int
        Addresses of the core's registers in words.
    reset_wait : int
        Cycles for which the memory is held in reset first.

    Returns
    -------
    list of Write
        The memory is then under the control of the core, and its native port is open.
    """
    control = registers["sdram_dfii_control"]
    writes = [Write(control, 0, reset_wait)]
    for address, bank, command, wait, is_control in sequence:
        if is_control:
            writes.append(Write(control, command, wait))
            continue
        writes += [
            Write(registers["sdram_dfii_pi0_address"], address),
            Write(registers["sdram_dfii_pi0_baddress"], bank),
            Write(registers["sdram_dfii_pi0_command"], command),
            Write(registers["sdram_dfii_pi0_command_issue"], 1, wait),
        ]
    return [*writes, Write(control, 1), Write(registers["ddrctrl_init_done"], 1)]
