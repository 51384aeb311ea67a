"""Registers of the pattern."""

from amaranth import unsigned

from keybeam.protocol.lanes import FINE_DELAY_BITS, LANE_DELAY_BITS, LANES
from keybeam.protocol.modes import PatternMode, StartCondition
from keybeam.protocol.numbers import FRAME_SLOTS, PULSE_INDEX_BITS
from keybeam.protocol.records import FRAME_COUNTER_BITS
from keybeam.protocol.symbols import SYMBOL_BITS
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_gateware.transmitter.pattern.layouts import SPACING_BITS
from keybeam_gateware.transmitter.pattern.loader import TABLE_REGISTER_BITS, TableAccess
from keybeam_gateware.transmitter.pattern.user_pattern import USER_WORDS

__all__ = ["PATTERN_ADDRESS_BITS", "PatternRegisters"]

PATTERN_ADDRESS_BITS = 7
"""Width of the address of the pattern's registers, in words of the bus."""

_FRAME_MARKER = (FRAME_SLOTS - 1).bit_length()


class Mode(csr.Register, access="rw"):
    """What shall be sent; taken up at the next frame border.

    mode : A `PatternMode`. Any but 0, KEY, sets `status.not_key`.
    symbol : Symbol of mode FIXED.
    """

    mode: csr.Field(csr.action.RW, PatternMode)
    symbol: csr.Field(csr.action.RW, SYMBOL_BITS)


class Spacing(csr.Register, access="rw"):
    """How far apart pulses are; taken up when the pattern starts.

    log2_slots : A pulse comes every 2^log2_slots slots, 0 to 4; above 4 means 4.
    """

    log2_slots: csr.Field(csr.action.RW, SPACING_BITS)


class NotKey(csr.Register, access="w"):
    """Requests for the latch *not key*, which marks frames that must not become key.

    set : Write 1 to set it at the next frame border.
    clear : Write 1 to clear it at the next frame border, if the mode is KEY then and random bits
        that are fit for keys come; if not, the request is forgotten.
    """

    set: csr.Field(csr.action.W, 1)
    clear: csr.Field(csr.action.W, 1)


class Status(csr.Register, access="r"):
    """What is done in this frame.

    mode : The `PatternMode` of the frame.
    spacing : Log2 of the slots from pulse to pulse.
    not_key : The frame must not become key.
    locked : The pattern runs or its last slots are under way: tables cannot be written.
    armed : The pattern was told to run and waits for its start condition.
    """

    mode: csr.Field(csr.action.R, PatternMode)
    spacing: csr.Field(csr.action.R, SPACING_BITS)
    not_key: csr.Field(csr.action.R, 1)
    locked: csr.Field(csr.action.R, 1)
    armed: csr.Field(csr.action.R, 1)


class Flags(csr.Register, access="rw"):
    """What happened since the flag was cleared. Write 1 to clear a flag; reset clears all.

    underflow : Pulses were blanked because no random bits, or none fit for keys, were there.
    unfit : In mode KEY the pattern ran while random bits were not fit for keys.
    fault : Lanes were forced to their idle levels.
    refused : A table's entry was not taken: the pattern ran, or there is no such entry.
    """

    underflow: csr.Field(csr.action.RW1C, 1)
    unfit: csr.Field(csr.action.RW1C, 1)
    fault: csr.Field(csr.action.RW1C, 1)
    refused: csr.Field(csr.action.RW1C, 1)


class Snapshot(csr.Register, access="w"):
    """Takes the value that `underflow` shows.

    take : Write 1 to take it.
    """

    take: csr.Field(csr.action.W, 1)


class Underflow(csr.Register, access="r"):
    """Blanked pulses at the last snapshot.

    slots : Slots since reset whose pulses were blanked for want of random bits.
    """

    slots: csr.Field(csr.action.R, unsigned(64))


class FirstUnderflow(csr.Register, access="r"):
    """Where the flag `underflow` was first set since it was cleared.

    index : Pulse index of slot 0 of the first fabric clock cycle with blanked pulses.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class FirstUnfit(csr.Register, access="r"):
    """Where the flag `unfit` was first set since it was cleared.

    index : Pulse index of slot 0 of the cycle in which random bits were first found unfit.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class FirstFault(csr.Register, access="r"):
    """Where the flag `fault` was first set since it was cleared.

    index : Pulse index of slot 0 of the first cycle that did not leave all lanes before the fault.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class TableAddress(csr.Register, access="rw"):
    """Which entry of the table is next.

    address : Goes on by one with every entry written, not with one read.
    """

    address: csr.Field(TableAccess, unsigned(TABLE_REGISTER_BITS))


class TableEntry(csr.Register, access="rw"):
    """The entry at the address; written only while the pattern does not run.

    entry : Its bits, the lowest first.
    """

    entry: csr.Field(TableAccess, unsigned(TABLE_REGISTER_BITS))


class UserLength(csr.Register, access="rw"):
    """Length of the user pattern; change it only while mode USER is not used.

    words : Words of four slots in the loop; 0 means all 1024. Each frame begins with the first.
    """

    words: csr.Field(csr.action.RW, range(USER_WORDS))


class Lane(csr.Register, access="rw"):
    """A lane; all but `fine_delay` and the switching off wait until the pattern does not run.

    delay : Coarse delay in slots, 0 to 63.
    invert : 1 inverts the lane's bits of the lane table.
    enable : 0 holds the lane at its idle level, at once.
    idle : Level at the pin while the pattern does not run, in mode OFF, on a fault, and while
        the lane is not enabled; `invert` does not change it.
    fine_delay : Delay in the I/O cell, in its own steps.
    """

    delay: csr.Field(csr.action.RW, LANE_DELAY_BITS)
    invert: csr.Field(csr.action.RW, 1)
    enable: csr.Field(csr.action.RW, 1, init=1)
    idle: csr.Field(csr.action.RW, 1)
    fine_delay: csr.Field(csr.action.RW, FINE_DELAY_BITS)


class SerialLane(csr.Register, access="rw"):
    """The serial lane; all but the switching off waits until the pattern does not run.

    delay : Coarse delay in slots, 0 to 63.
    invert : 1 inverts the lane's bits of the lane table.
    enable : 0 holds the lane at its idle level, at once.
    idle : Level at the pin, as that of the other lanes.
    """

    delay: csr.Field(csr.action.RW, LANE_DELAY_BITS)
    invert: csr.Field(csr.action.RW, 1)
    enable: csr.Field(csr.action.RW, 1, init=1)
    idle: csr.Field(csr.action.RW, 1)


class MarkerInterval(csr.Register, access="rw"):
    """The marker output.

    log2_slots : It is high in slot 0 of every frame and every 2^log2_slots slots from there; 16
        marks frames. It does not depend on whether the pattern runs.
    """

    log2_slots: csr.Field(csr.action.RW, 5, init=_FRAME_MARKER)


class Start(csr.Register, access="rw"):
    """What the pattern waits for when it is told to run.

    condition : A `StartCondition`: 0 nothing, 1 a rising edge of the pulse-per-second input,
        2 the frame of `start_frame`. Change it only while the pattern is not told to run.
    """

    condition: csr.Field(csr.action.RW, StartCondition)


class StartFrame(csr.Register, access="rw"):
    """Frame of start condition 2.

    frame : Value of the frame counter; one that has passed already is not waited for a second
        time. The counter goes on from it: the counter to start with is not used.
    """

    frame: csr.Field(csr.action.RW, unsigned(FRAME_COUNTER_BITS))


class PpsIndex(csr.Register, access="r"):
    """Where the last rising edge of the pulse-per-second input was.

    index : Pulse index of its slot, by the frame counter of that moment.
    """

    index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class PpsLead(csr.Register, access="r"):
    """How long before the pattern the edge was that started it (start condition 1).

    slots : Slots from the edge to the first slot of the pattern.
    """

    slots: csr.Field(csr.action.R, range(2 * FRAME_SLOTS))


class Layout(csr.Register, access="r"):
    """How this pattern was built.

    random_bits : Random bits of a pulse; the symbol map has 2^random_bits entries.
    lanes : Lanes beside the serial lane.
    """

    random_bits: csr.Field(csr.action.R, 8)
    lanes: csr.Field(csr.action.R, 8)


class PatternRegisters:
    """The registers, in the order of their addresses, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    tables : dict of str to tuple
        Address and entry registers of the tables ``map``, ``user`` and ``lane``.
    lanes : list of Lane
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=PATTERN_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)
        self.layout = builder.add("layout", Layout())
        self.mode = builder.add("mode", Mode())
        self.spacing = builder.add("spacing", Spacing())
        self.not_key = builder.add("not_key", NotKey())
        self.status = builder.add("status", Status())
        self.flags = builder.add("flags", Flags())
        self.snapshot = builder.add("snapshot", Snapshot())
        self.underflow = builder.add("underflow", Underflow())
        self.first_underflow = builder.add("first_underflow", FirstUnderflow())
        self.first_unfit = builder.add("first_unfit", FirstUnfit())
        self.first_fault = builder.add("first_fault", FirstFault())
        self.tables = {
            name: (
                builder.add(f"{name}_address", TableAddress()),
                builder.add(f"{name}_entry", TableEntry()),
            )
            for name in ("map", "user", "lane")
        }
        self.user_length = builder.add("user_length", UserLength())
        self.lanes = [builder.add(f"lane_{lane}", Lane()) for lane in range(LANES)]
        self.serial = builder.add("serial_lane", SerialLane())
        self.marker = builder.add("marker", MarkerInterval())
        self.start = builder.add("start", Start())
        self.start_frame = builder.add("start_frame", StartFrame())
        self.pps_index = builder.add("pps_index", PpsIndex())
        self.pps_lead = builder.add("pps_lead", PpsLead())
        self.bridge = csr.Bridge(builder.as_memory_map())
