"""Registers of the receiver's gates, slot clock and phase histograms."""

from amaranth.hdl import unsigned

from keybeam.protocol.records import COARSE_BITS, Channel
from keybeam.protocol.slot_phase import (
    HISTOGRAM_BINS,
    INCREMENT_BITS,
    MARKER_BITS,
    PHASE_COUNT_BITS,
    RAMP_BITS,
    SLOT_FRACTION_BITS,
    SLOT_PHASE_BITS,
)
from keybeam_gateware.line.registers import counter_register
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

from .gate import GateMode

__all__ = ["GATE_ADDRESS_BITS", "GATE_COUNTERS", "GateRegisters", "SlotRegisters"]

GATE_ADDRESS_BITS = 4
"""Width of the address of a channel's registers, and of the shared ones, in words of the bus."""


class Mode(csr.Register, access="rw"):
    """What the gate lets pass.

    mode : 0 everything, 1 events in the window of the slot, 2 events in the window after the last
        marker, 3 nothing.
    """

    mode: csr.Field(csr.action.RW, GateMode.as_shape().width)


class Phase(csr.Register, access="rw"):
    """Phase of the channel against the slot clock.

    offset : Added to the phase of every event, in 2^-12 slot.
    """

    offset: csr.Field(csr.action.RW, unsigned(SLOT_PHASE_BITS))


class Window(csr.Register, access="rw"):
    """Window of the slot, in 2^-12 slot.

    begin : Where it begins; it may go over the end of the slot.
    width : How wide it is, 0 to 4096.
    """

    begin: csr.Field(csr.action.RW, unsigned(SLOT_PHASE_BITS))
    width: csr.Field(csr.action.RW, unsigned(SLOT_PHASE_BITS + 1), init=1 << SLOT_PHASE_BITS)


class Histogram(csr.Register, access="rw"):
    """Histogram of the phases of all events of the channel, whether they pass the gate or not.

    run : Events count.
    """

    run: csr.Field(csr.action.RW, 1)


class HistogramClear(csr.Register, access="w"):
    """Sets all counts of the histogram to zero.

    start : Write 1 to start.
    """

    start: csr.Field(csr.action.W, 1)


class HistogramStatus(csr.Register, access="r"):
    """What the histogram does.

    busy : Counts are being set to zero.
    """

    busy: csr.Field(csr.action.R, 1)


class HistogramBin(csr.Register, access="w"):
    """Fetches the count of a bin, which can be read 0.1 µs later, also while events count.

    bin : Number of the bin.
    """

    bin: csr.Field(csr.action.W, range(HISTOGRAM_BINS))


class HistogramCount(csr.Register, access="r"):
    """Count of the bin that was fetched.

    count : Events in it; it stops at its largest value.
    """

    count: csr.Field(csr.action.R, unsigned(PHASE_COUNT_BITS))


GATE_COUNTERS = {
    "rejected": "Events that the gate left out",
    "skipped": "Events that the running phase histogram left out, since one was before them",
}
"""Counters of 48 bits of a channel, taken by the receiver's `snapshot`."""


class GateRegisters:
    """The registers of a channel, and the bridge to the bus.

    Attributes
    ----------
    counters : dict of str to csr.Register
        By the names in `GATE_COUNTERS`.
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=GATE_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.mode = builder.add("mode", Mode())
        self.phase = builder.add("phase", Phase())
        self.window = builder.add("window", Window())
        self.histogram = builder.add("histogram", Histogram())
        self.histogram_clear = builder.add("histogram_clear", HistogramClear())
        self.histogram_status = builder.add("histogram_status", HistogramStatus())
        self.histogram_bin = builder.add("histogram_bin", HistogramBin())
        self.histogram_count = builder.add("histogram_count", HistogramCount())
        self.counters = {
            name: builder.add(f"{name}_count", counter_register(meaning, 48))
            for name, meaning in GATE_COUNTERS.items()
        }
        self.bridge = csr.Bridge(builder.as_memory_map())


class SlotIncrement(csr.Register, access="rw"):
    """Length of a cycle in slots, less four, which the slot clock takes over at its `at`.

    increment : In 2^-48 slot, two's complement.
    """

    increment: csr.Field(csr.action.RW, unsigned(INCREMENT_BITS))


class SlotRamp(csr.Register, access="rw"):
    """What the slot clock adds to its increment every 2^14 cycles from its `at` on.

    ramp : In 2^-48 slot, two's complement.
    """

    ramp: csr.Field(csr.action.RW, unsigned(RAMP_BITS))


class SlotOffset(csr.Register, access="rw"):
    """Phase of the slot clock at its `at`.

    offset : In 2^-48 slot.
    """

    offset: csr.Field(csr.action.RW, unsigned(SLOT_FRACTION_BITS))


class SlotAt(csr.Register, access="rw"):
    """When the slot clock takes its settings over, once it is armed.

    cycle : Number of the cycle, modulo 2^40.
    """

    cycle: csr.Field(csr.action.RW, unsigned(COARSE_BITS))


class SlotArm(csr.Register, access="w"):
    """Arms the slot clock; the settings must not change until it is done.

    start : Write 1 to arm.
    """

    start: csr.Field(csr.action.W, 1)


class SlotStatus(csr.Register, access="r"):
    """What the slot clock does.

    armed : Its `at` has not come yet; if it stays, that had passed before.
    """

    armed: csr.Field(csr.action.R, 1)


class Marker(csr.Register, access="rw"):
    """The channel whose events are the markers.

    channel : Its number; 4 stands for the sync words.
    """

    channel: csr.Field(csr.action.RW, range(len(Channel)), init=Channel.SYNC)


class MarkerBegin(csr.Register, access="rw"):
    """Beginning of the window after a marker.

    steps : Fine steps of 6.4 ns / 2^14 after it; together with the length less than 2^31.
    """

    steps: csr.Field(csr.action.RW, unsigned(MARKER_BITS))


class MarkerLength(csr.Register, access="rw"):
    """Length of the window after a marker.

    steps : Fine steps of 6.4 ns / 2^14.
    """

    steps: csr.Field(csr.action.RW, unsigned(MARKER_BITS))


class SlotRegisters:
    """The registers that all gates share, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=GATE_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.increment = builder.add("slot_increment", SlotIncrement())
        self.ramp = builder.add("slot_ramp", SlotRamp())
        self.offset = builder.add("slot_offset", SlotOffset())
        self.at = builder.add("slot_at", SlotAt())
        self.arm = builder.add("slot_arm", SlotArm())
        self.status = builder.add("slot_status", SlotStatus())
        self.marker = builder.add("marker", Marker())
        self.marker_begin = builder.add("marker_begin", MarkerBegin())
        self.marker_length = builder.add("marker_length", MarkerLength())
        self.bridge = csr.Bridge(builder.as_memory_map())
