"""Registers of the transmitter core."""

from amaranth import unsigned

from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD
from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["REGISTER_ADDRESS_BITS", "TransmitterRegisters"]

REGISTER_ADDRESS_BITS = 6
"""Width of the address of the transmitter's registers, in words of the bus."""


class Control(csr.Register, access="rw"):
    """What the pattern shall do.

    run : 1 sends symbols; taken up at the next frame border, as is 0.
    halt : 1 forces all lanes to their idle levels at once, as a fault does.
    """

    run: csr.Field(csr.action.RW, 1)
    halt: csr.Field(csr.action.RW, 1)


class Status(csr.Register, access="r"):
    """What the pattern does.

    running : Symbols are sent in this frame.
    finished : The pattern stopped by itself after `stop_after` frames; clear `run` to start anew.
    """

    running: csr.Field(csr.action.R, 1)
    finished: csr.Field(csr.action.R, 1)


class Snapshot(csr.Register, access="w"):
    """Takes the values that `frame` and `first_pulse_index` show.

    take : Write 1 to take them all in the same cycle.
    """

    take: csr.Field(csr.action.W, 1)


class Frame(csr.Register, access="r"):
    """Frame counter at the last snapshot.

    counter : Frame in which the snapshot was taken; counts also while the pattern does not run.
    """

    counter: csr.Field(csr.action.R, unsigned(FRAME_COUNTER_BITS))


class FirstPulseIndex(csr.Register, access="r"):
    """Pulse index at which the pattern last started, at the last snapshot.

    index : Pulse index of the first slot, start counter × 65 536.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class StartCounter(csr.Register, access="rw"):
    """Frame counter with which the pattern starts.

    counter : Frame counter of the first frame; the next start uses it.
    """

    counter: csr.Field(csr.action.RW, unsigned(FRAME_COUNTER_BITS))


class StopAfter(csr.Register, access="rw"):
    """Length of a run.

    frames : The pattern stops by itself after so many frames; 0 never. The next start uses it.
    """

    frames: csr.Field(csr.action.RW, unsigned(32))


class SyncWord(csr.Register, access="rw"):
    """What stands in the place of the sync word in the frames that are sent.

    word : The sync word, its first bit highest; one of 32 bits is followed by its fill.
    """

    word: csr.Field(csr.action.RW, 8 * SYNC_BYTES, init=SYNC_WORD)


class Payload(csr.Register, access="r"):
    """The buffer of bytes for the downlink.

    level : Bytes that wait for a frame.
    free : Bytes that can be taken.
    """

    level: csr.Field(csr.action.R, unsigned(16))
    free: csr.Field(csr.action.R, unsigned(16))


class TransmitterRegisters:
    """The registers, in the order of their addresses, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=REGISTER_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.control = builder.add("control", Control())
        self.status = builder.add("status", Status())
        self.snapshot = builder.add("snapshot", Snapshot())
        self.frame = builder.add("frame", Frame())
        self.first_pulse_index = builder.add("first_pulse_index", FirstPulseIndex())
        self.start_counter = builder.add("start_counter", StartCounter())
        self.stop_after = builder.add("stop_after", StopAfter())
        self.sync_word = builder.add("sync_word", SyncWord())
        self.payload = builder.add("payload", Payload())
        self.bridge = csr.Bridge(builder.as_memory_map())
