"""What registers promise on the bus, proved: whole reads and writes, and flags that tell all."""

import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Mux, Signal, unsigned
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware import csr

BRIDGE = "keybeam_gateware.csr.bridge"
ACTIONS = "luna_soc.gateware.vendor.amaranth_soc.csr.action"
WIDTH, ADDRESS_BITS = 3, 3


class Measured(csr.Register, access="r"):
    value: csr.Field(csr.action.R, unsigned(2 * WIDTH))


class Stored(csr.Register, access="rw"):
    value: csr.Field(csr.action.RW, unsigned(2 * WIDTH))


class Flags(csr.Register, access="rw"):
    def __init__(self, actions=csr.action):
        super().__init__(
            {
                "happened": csr.Field(actions.RW1C, unsigned(2)),
                "begun": csr.Field(actions.RW1S, unsigned(1)),
            }
        )


class Bus:
    """A bridge with some registers, on which anything may be asked at any time."""

    def __init__(self, m, bridge, *registers):
        builder = csr.Builder(addr_width=ADDRESS_BITS, data_width=WIDTH, granularity=WIDTH)
        for number, register in enumerate(registers):
            builder.add(f"register_{number}", register)
        m.submodules.bridge = self.bridge = bridge(builder.as_memory_map())
        self.bus = bus = self.bridge.bus
        self.starts = [start for _, _, (start, _) in bus.memory_map.resources()]
        m.d.comb += [
            bus.addr.eq(AnySeq(ADDRESS_BITS)),
            bus.w_data.eq(AnySeq(WIDTH)),
            bus.r_stb.eq(AnySeq(1)),
            bus.w_stb.eq(AnySeq(1)),
        ]

        # What the bridge knows of the bus a cycle later, as all that follows is counted from there.
        self._r_stb, self._w_stb, self._address, self.w_data = (
            after(m, signal) for signal in (bus.r_stb, bus.w_stb, bus.addr, bus.w_data)
        )

    def reads(self, address):
        return self._r_stb & (self._address == address)

    def writes(self, address):
        return self._w_stb & (self._address == address)


def after(m, signal, cycles=1):
    for _ in range(cycles):
        later = Signal.like(signal)
        m.d.sync += later.eq(signal)
        signal = later
    return signal


class WholeReads(Elaboratable):
    """A wide register is given as it was in one cycle, however its words change meanwhile."""

    def __init__(self, bridge=csr.Bridge):
        self._bridge = bridge

    def elaborate(self, platform):
        m = Module()
        wide, other = Measured(), Measured()
        of = Bus(m, self._bridge, wide, other)
        m.d.comb += [register.f.value.r_data.eq(AnySeq(2 * WIDTH)) for register in (wide, other)]
        low, high = of.starts[0], of.starts[0] + 1

        # The value in the cycle after the lowest word was asked for is what counts.
        taken, whole = Signal(2 * WIDTH), Signal()
        with m.If(after(m, of.reads(low))):
            m.d.sync += taken.eq(wide.f.value.r_data)
        with m.If(of.reads(low)):
            m.d.sync += whole.eq(1)
        with m.Elif(of.reads(of.starts[1])):
            m.d.sync += whole.eq(0)
        given = after(m, taken)
        with m.If(after(m, of.reads(low), 3)):
            m.d.comb += Assert(of.bus.r_data == given[:WIDTH])
        with m.If(after(m, of.reads(high) & whole, 3)):
            m.d.comb += Assert(of.bus.r_data == given[WIDTH:])
            m.d.comb += Cover(taken == 0b101010)
        # For the induction: where the upper word waits.
        with m.If(whole & ~after(m, of.reads(low)) & ~after(m, of.reads(of.starts[1]))):
            m.d.comb += Assert(of.bridge.shadows[0][1] == taken[WIDTH:])
        known = [of.reads(start + word) for start in of.starts for word in range(2)]
        asked = known[0] | known[1] | known[2] | known[3]
        with m.If(~after(m, asked, 3)):
            m.d.comb += Assert(of.bus.r_data == 0)
        return m


class WholeWrites(Elaboratable):
    """A wide register changes as a whole, when its highest word is written, and only then."""

    def __init__(self, bridge=csr.Bridge):
        self._bridge = bridge

    def elaborate(self, platform):
        m = Module()
        wide, other = Stored(), Stored()
        of = Bus(m, self._bridge, wide, other)
        lowest, highest = Signal(WIDTH), of.starts[0] + 1
        for start in of.starts:
            with m.If(of.writes(start)):
                m.d.sync += lowest.eq(of.w_data)
        value = Signal(2 * WIDTH)
        with m.If(of.writes(highest)):
            m.d.sync += value.eq(lowest | of.w_data << WIDTH)
        m.d.comb += Assert(wide.f.value.data == after(m, value))
        m.d.comb += Cover(wide.f.value.data == 0b110011)
        # What brings registers of the bridge and of the proof together, for the induction.
        m.d.comb += [
            Assert(other.element.w_data[:WIDTH] == lowest),
            Assert(~wide.element.w_stb | (wide.element.w_data == value)),
            Assert(wide.element.w_stb == after(m, of.writes(highest))),
        ]
        return m


class StickyFlags(Elaboratable):
    """A flag rises with its event, even while it is being cleared, and falls only when told to."""

    def __init__(self, actions=csr.action):
        self._actions = actions

    def elaborate(self, platform):
        m = Module()
        flags = Flags(self._actions)
        of = Bus(m, csr.Bridge, flags)
        happened, begun = flags.f.happened, flags.f.begun
        m.d.comb += [happened.set.eq(AnySeq(2)), begun.clear.eq(AnySeq(1))]
        told = Mux(flags.element.w_stb, flags.element.w_data, 0)
        m.d.comb += [
            Assert(flags.element.w_stb == after(m, of.writes(of.starts[0]))),
            Assert(
                happened.data
                == after(m, happened.set) | after(m, happened.data) & ~after(m, told[:2])
            ),
            Assert(begun.data == after(m, told[2]) | after(m, begun.data) & ~after(m, begun.clear)),
            # Beside one another in one cycle.
            Cover(after(m, happened.set[0] & told[0] & happened.data[0])),
            Cover(after(m, begun.clear & told[2] & begun.data)),
            Cover(after(m, happened.data[1]) & ~happened.data[1]),
        ]
        return m


@pytest.mark.parametrize("proof", [WholeReads, WholeWrites, StickyFlags])
def test_bus(tmp_path, proof):
    assert_proved(proof(), depth=4, folder=tmp_path)
    assert_reached(proof(), depth=10, folder=tmp_path)


@pytest.mark.parametrize(
    ("proof", "old", "new"),
    [
        (WholeReads, "with m.If(take):", "with m.If(take | asked):"),
        (WholeReads, "give.eq(asked),", "give.eq(asked | give),"),
        (WholeReads, "_at([place.start + index for", "_at([place.start for"),
        (WholeWrites, "self._w_stb & self._at([place.end - 1])",
         "self._w_stb & self._at([place.start])"),
        (WholeWrites, "with m.If(self._w_stb & self._at(", "with m.If(self._at("),
    ],
)  # fmt: skip
def test_faults_of_the_bridge_are_caught(tmp_path, proof, old, new):
    assert_refuted(proof(mutated(BRIDGE, old, new).Bridge), depth=10, folder=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("with m.If(self.set[i]):", "with m.If(self.set[i] & ~self.port.w_stb):"),
        ("with m.If(self.clear[i]):", "with m.If(0):"),
    ],
)
def test_faults_of_the_flags_are_caught(tmp_path, old, new):
    assert_refuted(StickyFlags(mutated(ACTIONS, old, new)), depth=8, folder=tmp_path)
