"""The port of a LiteDRAM core at which memory is read and written."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ControlBus", "NativePort"]


class NativePort(wiring.Signature):
    """LiteDRAM's native port, seen from the user.

    Commands are carried out in order for each address. The data of a write
    must be valid by the time the core asks for it, which is some cycles after
    it took the command; it then takes them in the order of the commands.

    Parameters
    ----------
    address_bits : int
        Bits of the address of a line.
    line_bits : int
        Bits of a line.

    Members
    -------
    command : Out(stream.Signature(StructLayout({"write": 1, "address": address_bits})))
    write : Out(stream.Signature(line_bits))
        Data of writes.
    read : In(stream.Signature(line_bits))
        Data of reads, which have to be taken at once.
    """

    def __init__(self, address_bits: int, line_bits: int) -> None:
        command = data.StructLayout({"write": 1, "address": address_bits})
        super().__init__(
            {
                "command": Out(stream.Signature(command)),
                "write": Out(stream.Signature(line_bits)),
                "read": In(stream.Signature(line_bits)),
            }
        )


class ControlBus(wiring.Signature):
    """Writes to the registers of a LiteDRAM core.

    Members
    -------
    enable : Out(1)
        Write `value` to the register at `address`; held until `done`.
    address : Out(30)
        In words of 32 bits.
    value : Out(32)
    done : In(1)
    """

    def __init__(self) -> None:
        super().__init__({"enable": Out(1), "address": Out(30), "value": Out(32), "done": In(1)})
