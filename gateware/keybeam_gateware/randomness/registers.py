"""Registers of the source of random bits."""

from dataclasses import asdict

from amaranth import unsigned

from keybeam.protocol.modes import RandomOrigin
from keybeam.protocol.numbers import PULSE_INDEX_BITS
from keybeam.randomness import CHIP_CUTOFFS, LANES, RING_CUTOFFS, Cutoffs
from keybeam_gateware.randomness.host_words import HOST_WORD_BITS
from keybeam_gateware.randomness.layouts import CHIP_NAMES, CUTOFFS_LAYOUT, LANE_PAIRS, SHIFT_BITS
from keybeam_gateware.randomness.origin import ORIGIN_BITS
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr

__all__ = ["REGISTER_ADDRESS_BITS", "SOURCE_NAMES", "RandomRegisters"]

REGISTER_ADDRESS_BITS = 6
"""Width of the address of the registers, in words of the bus."""

SOURCE_NAMES = (*CHIP_NAMES, "ring")
"""All that is health tested."""


class Origin(csr.Register, access="rw"):
    """Where random bits come from.

    origin : 0 chip A, 1 chip B, 2 the exclusive-or of both, 3 words of the host, 4 ring
        oscillators. 3 and 4 never make key. A change throws away all bits on their way.
    """

    origin: csr.Field(csr.action.RW, unsigned(ORIGIN_BITS), init=RandomOrigin.CHIP_A)


class Status(csr.Register, access="r"):
    """What the source of random bits does.

    origin : Origin in use.
    live : Bits that come now are of chips that passed their tests, with no fault injected.
    alarm : A source of the origin in use is in a hard stop: no bits come.
    state_a : State of chip A: 0 held or clearing, 1 start-up test, 2 released, 3 hard stop.
    state_b : The same of chip B.
    state_ring : The same of the ring oscillators.
    """

    origin: csr.Field(csr.action.R, unsigned(ORIGIN_BITS))
    live: csr.Field(csr.action.R, 1)
    alarm: csr.Field(csr.action.R, 1)
    state_a: csr.Field(csr.action.R, 2)
    state_b: csr.Field(csr.action.R, 2)
    state_ring: csr.Field(csr.action.R, 2)


class Control(csr.Register, access="w"):
    """Commands; write 1.

    restart_a : Start chip A anew, also from a hard stop: two windows are tested before it is
        released.
    restart_b : The same of chip B.
    restart_ring : The same of the ring oscillators.
    test_a : Test chip A on demand: as restart, but does not lift a hard stop.
    test_b : The same of chip B.
    test_ring : The same of the ring oscillators.
    clear_host : Drop the words of the host that wait.
    clear_marks : Begin the lowest and highest level anew.
    """

    restart_a: csr.Field(csr.action.W, 1)
    restart_b: csr.Field(csr.action.W, 1)
    restart_ring: csr.Field(csr.action.W, 1)
    test_a: csr.Field(csr.action.W, 1)
    test_b: csr.Field(csr.action.W, 1)
    test_ring: csr.Field(csr.action.W, 1)
    clear_host: csr.Field(csr.action.W, 1)
    clear_marks: csr.Field(csr.action.W, 1)


class Snapshot(csr.Register, access="w"):
    """Takes the values that `taken`, `dropped`, `unpaired` and `starved` show.

    take : Write 1 to take them all in the same cycle.
    """

    take: csr.Field(csr.action.W, 1)


class Flags(csr.Register, access="rw"):
    """What happened since the flag was cleared. Write 1 to clear a flag; reset clears all.

    overflow : A random word found no room while the pattern ran, and was dropped.
    underflow : The pattern wanted bits and there were none.
    unpaired : A word of one chip was dropped, because the other's were missing.
    host_overflow : A word of the host found no room and was dropped.
    """

    overflow: csr.Field(csr.action.RW1C, 1)
    underflow: csr.Field(csr.action.RW1C, 1)
    unpaired: csr.Field(csr.action.RW1C, 1)
    host_overflow: csr.Field(csr.action.RW1C, 1)


class OriginsUsed(csr.Register, access="r"):
    """Origins that gave bits since reset, a bit each; nothing else clears it.

    origins : Bit k: the origin with number k.
    """

    origins: csr.Field(csr.action.R, unsigned(len(RandomOrigin)))


class Alarms(csr.Register, access="rw"):
    """Health tests that failed since the flag was cleared. Write 1 to clear; the hard stop stays.

    repetition_lanes : A run of equal bits, by lane.
    repetition_pairs : Two lanes equal, or opposite: lanes 01, 02, 03, 12, 13, 23.
    repetition_symbols : A run of equal symbols.
    repetition_groups : Four bits of a lane that repeat every 1, 2, 3, 4, 6 or 12 words, by lane.
    repetition_words : The same of the whole word.
    proportion_lanes : Too many equal bits in a window, by lane.
    proportion_symbols : Too many equal symbols in a window.
    """

    repetition_lanes: csr.Field(csr.action.RW1C, unsigned(LANES))
    repetition_pairs: csr.Field(csr.action.RW1C, unsigned(len(LANE_PAIRS)))
    repetition_symbols: csr.Field(csr.action.RW1C, 1)
    repetition_groups: csr.Field(csr.action.RW1C, unsigned(LANES))
    repetition_words: csr.Field(csr.action.RW1C, 1)
    proportion_lanes: csr.Field(csr.action.RW1C, unsigned(LANES))
    proportion_symbols: csr.Field(csr.action.RW1C, 1)


class FirstEvent(csr.Register, access="r"):
    """When the first event happened of which the flags tell.

    pulse_index : Pulse index of the cycle in which it was found.
    """

    pulse_index: csr.Field(csr.action.R, unsigned(PULSE_INDEX_BITS))


class CutoffRegister(csr.Register, access="rw"):
    """Counts that raise the alarms, from `keybeam.randomness.cutoffs`; taken up at once.

    repetition_bits : Equal bits of a lane, or equal differences of two lanes, in a row, at least 5.
    repetition_symbols : Equal symbols in a row; at least 5.
    repetition_groups : Repeated groups of a lane in a row, plus 1.
    repetition_words : Repeated words in a row, plus 1.
    proportion_bits : Bits in a window of 1024 that equal its first.
    proportion_symbols : Symbols in a window of 512 that equal its first.
    """

    def __init__(self, cutoffs: Cutoffs) -> None:
        super().__init__(
            {
                name: csr.Field(csr.action.RW, CUTOFFS_LAYOUT[name].shape, init=init)
                for name, init in asdict(cutoffs).items()
            }
        )


class Injection(csr.Register, access="rw"):
    """Fault that is injected into the raw bits, to see the alarms. No bit is live meanwhile.

    fault : 0 none, 1 stuck at 0, 2 stuck at 1, 3 biased (three of four bits are 1), 4 repeating
        (the same in every word), 5 copy of the next lane.
    lanes : Lanes that have the fault.
    """

    fault: csr.Field(csr.action.RW, unsigned(3))
    lanes: csr.Field(csr.action.RW, unsigned(LANES))


class Alignment(csr.Register, access="rw"):
    """Alignment of a chip's lanes. Any change is followed by the start-up test.

    delay_0 : Delay of lane 0 in bits, used with `manual`.
    delay_1 : The same of lane 1.
    delay_2 : The same of lane 2.
    delay_3 : The same of lane 3.
    manual : Use these delays instead of those that training found.
    train : Find the delays; set it while the chip sends the training pattern, and clear it when
        the chip sends random bits again.
    """

    delay_0: csr.Field(csr.action.RW, unsigned(SHIFT_BITS))
    delay_1: csr.Field(csr.action.RW, unsigned(SHIFT_BITS))
    delay_2: csr.Field(csr.action.RW, unsigned(SHIFT_BITS))
    delay_3: csr.Field(csr.action.RW, unsigned(SHIFT_BITS))
    manual: csr.Field(csr.action.RW, 1)
    train: csr.Field(csr.action.RW, 1)


class Training(csr.Register, access="r"):
    """What the last training of a chip's lanes found.

    delay_0 : Delay of lane 0 in bits: slip 0 to 3 in the low two bits, whole words above.
    delay_1 : The same of lane 1.
    delay_2 : The same of lane 2.
    delay_3 : The same of lane 3.
    locked : Lanes whose delay was found.
    """

    delay_0: csr.Field(csr.action.R, unsigned(SHIFT_BITS))
    delay_1: csr.Field(csr.action.R, unsigned(SHIFT_BITS))
    delay_2: csr.Field(csr.action.R, unsigned(SHIFT_BITS))
    delay_3: csr.Field(csr.action.R, unsigned(SHIFT_BITS))
    locked: csr.Field(csr.action.R, unsigned(LANES))


class TrainingErrors(csr.Register, access="r"):
    """Words in which a locked lane did not show the training pattern, up to 255.

    lane_0 : Of lane 0.
    lane_1 : Of lane 1.
    lane_2 : Of lane 2.
    lane_3 : Of lane 3.
    """

    lane_0: csr.Field(csr.action.R, unsigned(8))
    lane_1: csr.Field(csr.action.R, unsigned(8))
    lane_2: csr.Field(csr.action.R, unsigned(8))
    lane_3: csr.Field(csr.action.R, unsigned(8))


class HostWord(csr.Register, access="w"):
    """A random word of the host, for replay and tests; lowest bits first. Never key.

    word : The word.
    """

    word: csr.Field(csr.action.W, unsigned(HOST_WORD_BITS))


class HostFifo(csr.Register, access="r"):
    """Words of the host that wait.

    level : Words that wait.
    free : Words that can be written.
    """

    level: csr.Field(csr.action.R, unsigned(16))
    free: csr.Field(csr.action.R, unsigned(16))


class Level(csr.Register, access="r"):
    """Random words that wait for the pattern, 16 bits each.

    level : Words that wait.
    low : Lowest level since the marks were cleared.
    high : Highest level since then.
    """

    level: csr.Field(csr.action.R, unsigned(10))
    low: csr.Field(csr.action.R, unsigned(10))
    high: csr.Field(csr.action.R, unsigned(10))


class Count(csr.Register, access="r"):
    """Count at the last snapshot.

    count : Events since reset.
    """

    count: csr.Field(csr.action.R, unsigned(64))


class RandomRegisters:
    """The registers, in the order of their addresses, and the bridge to the bus.

    Attributes
    ----------
    bridge : csr.Bridge
        Decoder with the bus and the memory map.
    alarms, first_alarm, cutoffs, injection : dict of str to csr.Register
        Registers of each of `SOURCE_NAMES`.
    alignment, training, training_errors : dict of str to csr.Register
        Registers of each of `CHIP_NAMES`.
    """

    def __init__(self) -> None:
        builder = csr.Builder(addr_width=REGISTER_ADDRESS_BITS, data_width=CSR_DATA_WIDTH)

        def add_each(name, register, of=SOURCE_NAMES):
            return {each: builder.add(f"{name}_{each}", register(each)) for each in of}

        self.origin = builder.add("origin", Origin())
        self.status = builder.add("status", Status())
        self.control = builder.add("control", Control())
        self.snapshot = builder.add("snapshot", Snapshot())
        self.flags = builder.add("flags", Flags())
        self.origins_used = builder.add("origins_used", OriginsUsed())
        self.alarms = add_each("alarms", lambda _: Alarms())
        self.first_alarm = add_each("first_alarm", lambda _: FirstEvent())
        initial = {"a": CHIP_CUTOFFS, "b": CHIP_CUTOFFS, "ring": RING_CUTOFFS}
        self.cutoffs = add_each("cutoffs", lambda each: CutoffRegister(initial[each]))
        self.injection = add_each("injection", lambda _: Injection())
        self.alignment = add_each("alignment", lambda _: Alignment(), CHIP_NAMES)
        self.training = add_each("training", lambda _: Training(), CHIP_NAMES)
        self.training_errors = add_each("training_errors", lambda _: TrainingErrors(), CHIP_NAMES)
        self.host_word = builder.add("host_word", HostWord())
        self.host_fifo = builder.add("host_fifo", HostFifo())
        self.level = builder.add("level", Level())
        self.taken = builder.add("taken", Count())
        self.dropped = builder.add("dropped", Count())
        self.unpaired = builder.add("unpaired", Count())
        self.starved = builder.add("starved", Count())
        self.first_overflow = builder.add("first_overflow", FirstEvent())
        self.first_underflow = builder.add("first_underflow", FirstEvent())
        self.bridge = csr.Bridge(builder.as_memory_map())
