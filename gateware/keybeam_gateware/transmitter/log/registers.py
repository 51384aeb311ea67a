"""Registers of the state log."""

from enum import IntEnum

from amaranth import unsigned

from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["LOG_ADDRESS_BITS", "LogBackend", "LogRegisters"]

LOG_ADDRESS_BITS = 5
"""Width of the address of the log's registers, in words of the bus."""


class LogBackend(IntEnum):
    """Kind of memory in which the symbols are kept."""

    BLOCK_RAM = 0
    DDR3 = 1


class Status(csr.Register, access="r"):
    """State of the log.

    backend : Kind of memory: 0 block RAM, 1 DDR3.
    initialised : The memory was made ready for use.
    passed : The memory passed its test, and symbols are kept.
    held : There are symbols to be read; `newest` and `oldest` mean something.
    failed : The memory did not answer, or lost its contents: every look-up is answered LOST, until
        reset.
    """

    backend: csr.Field(csr.action.R, 4)
    initialised: csr.Field(csr.action.R, 1)
    passed: csr.Field(csr.action.R, 1)
    held: csr.Field(csr.action.R, 1)
    failed: csr.Field(csr.action.R, 1)


class Size(csr.Register, access="r"):
    """Size of the memory.

    frames : Depth in frames.
    """

    frames: csr.Field(csr.action.R, unsigned(32))


class Capacity(csr.Register, access="r"):
    """Pulses that can be looked up when the memory is full.

    slots : A few less than the memory keeps, since the oldest may be overwritten during a look-up.
    """

    slots: csr.Field(csr.action.R, unsigned(64))


class Flags(csr.Register, access="rw"):
    """What happened since the flag was cleared. Write 1 to clear a flag; reset clears all.

    lost : Symbols could not be kept; `first_lost` tells which were the first.
    """

    lost: csr.Field(csr.action.RW1C, 1)


class Snapshot(csr.Register, access="w"):
    """Takes the values that `newest`, `oldest`, `lost`, `first_lost` and `answered` show.

    take : Write 1 to take them all in the same cycle; they can be read 4 cycles later.
    """

    take: csr.Field(csr.action.W, 1)


class Newest(csr.Register, access="r"):
    """Newest pulse that could be looked up at the last snapshot.

    index : Its pulse index.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class Oldest(csr.Register, access="r"):
    """Oldest pulse that could be looked up at the last snapshot.

    index : Its pulse index.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class Lost(csr.Register, access="r"):
    """Symbols lost, at the last snapshot.

    slots : Pulses since reset whose symbols the memory did not take. A look-up of any pulse of
        such a frame, from the first loss on, is answered LOST.
    """

    slots: csr.Field(csr.action.R, unsigned(64))


class FirstLost(csr.Register, access="r"):
    """The first symbol lost since the flag `lost` was last cleared, at the last snapshot.

    index : Its pulse index; means something while the flag is set.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class Answered(csr.Register, access="r"):
    """Look-ups answered, at the last snapshot.

    indices : Pulse indices since reset to which an answer was taken, whatever it was.
    """

    indices: csr.Field(csr.action.R, unsigned(64))


class LogRegisters:
    """The registers, in the order of their addresses, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=LOG_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.status = builder.add("status", Status())
        self.size = builder.add("size", Size())
        self.capacity = builder.add("capacity", Capacity())
        self.flags = builder.add("flags", Flags())
        self.snapshot = builder.add("snapshot", Snapshot())
        self.newest = builder.add("newest", Newest())
        self.oldest = builder.add("oldest", Oldest())
        self.lost = builder.add("lost", Lost())
        self.first_lost = builder.add("first_lost", FirstLost())
        self.answered = builder.add("answered", Answered())
        self.bridge = csr.Bridge(builder.as_memory_map())
