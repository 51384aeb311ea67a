"""Lanes of the ECP5 through ODDRX1F and IDDRX1F, which every side of the part has.

These cells move two bits a cycle of the edge clock's frequency, which is a clock of the fabric
here (`X1Clocks`); what makes them of four bits a cycle of ``sync``, and the other way, is logic.
Both clocks come from one loop, and nextpnr does not compare them. So whatever goes from the one to
the other is taken in the middle of a cycle of ``sync``: a whole period of ``eclk`` after it
changed, and as long before it changes again. The order of the bits is that of Lattice's
FPGA-TN-02035: D0 and Q0 on the rising edge, D1 and Q1 on the falling edge after it.
"""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Instance, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam_gateware.primitives.ecp5.cells import register

__all__ = ["WordPhase", "X1LaneDeserialiser", "X1LaneSerialiser"]

_PAIR = SLOTS_PER_CYCLE // 2


class WordPhase(wiring.Component):
    """Tell the middle of a cycle of ``sync`` from its beginning; one for all lanes.

    A bit that alternates with ``sync`` is seen on falling edges of ``eclk``, half a period away
    from any edge of ``sync``.

    Members
    -------
    middle : Out(1)
        In the time of ``eclk``: the next rising edge is in the middle of a cycle of ``sync``.
    """

    middle: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True, local=True)
        m.d.comb += ClockSignal("falling").eq(ClockSignal("eclk"))
        parity, seen = Signal(), Signal()
        before, middle = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += parity.eq(~parity)
        m.d.falling += seen.eq(parity)
        m.d.eclk += [before.eq(seen), middle.eq(seen == before)]
        m.d.comb += self.middle.eq(middle)
        return m


class X1LaneSerialiser(wiring.Component):
    """Send four bits a cycle on one line; all lanes have the same latency.

    The line is low during a reset. There is no delay cell.

    Members
    -------
    middle : In(1)
        As of `WordPhase`.
    word : In(4)
        Bits of this cycle of ``sync``, slot 0 lowest and first.
    line : Out(1)
        To the pad, through an output buffer and nothing else.
    """

    middle: In(1)
    word: In(SLOTS_PER_CYCLE)
    line: Out(1)

    def elaborate(self, platform):
        m = Module()
        word = register(m, "word", "sync", self.word, global_reset=True)
        m.submodules.gear = gear = _OutputGear()
        m.d.comb += [gear.middle.eq(self.middle), gear.word.eq(word)]
        m.submodules.cell = Instance(
            "ODDRX1F",
            p_GSR="DISABLED",
            i_SCLK=ClockSignal("eclk"),
            i_RST=ResetSignal("eclk"),
            **{f"i_D{bit}": gear.pair[bit] for bit in range(_PAIR)},
            o_Q=self.line,
        )
        return m


class X1LaneDeserialiser(wiring.Component):
    """Sample a line four times a cycle.

    Members
    -------
    middle : In(1)
        As of `WordPhase`.
    line : In(1)
        From the pad, through an input buffer and nothing else.
    word : Out(4)
        Samples of one cycle of ``sync``, the earliest lowest.
    """

    middle: In(1)
    line: In(1)
    word: Out(SLOTS_PER_CYCLE)

    def elaborate(self, platform):
        m = Module()
        pair = Signal(_PAIR)
        m.submodules.cell = Instance(
            "IDDRX1F",
            p_GSR="DISABLED",
            i_D=self.line,
            i_SCLK=ClockSignal("eclk"),
            i_RST=ResetSignal("eclk"),
            **{f"o_Q{bit}": pair[bit] for bit in range(_PAIR)},
        )
        m.submodules.gear = gear = _InputGear()
        m.d.comb += [gear.middle.eq(self.middle), gear.pair.eq(pair), self.word.eq(gear.word)]
        return m


class _OutputGear(wiring.Component):
    """Halves a word. Reset by the part's global reset, so that nothing is sent during it.

    Members
    -------
    middle : In(1)
    word : In(4)
        In the time of ``sync``.
    pair : Out(2)
        In the time of ``eclk``.
    """

    middle: In(1)
    word: In(SLOTS_PER_CYCLE)
    pair: Out(_PAIR)

    def elaborate(self, platform):
        m = Module()
        following = Signal(SLOTS_PER_CYCLE)
        halves = register(m, "halves", "eclk", following, global_reset=True)
        m.d.comb += [
            following.eq(Mux(self.middle, self.word, halves[_PAIR:])),
            self.pair.eq(halves[:_PAIR]),
        ]
        return m


class _InputGear(wiring.Component):
    """Joins two halves to a word.

    Members
    -------
    middle : In(1)
    pair : In(2)
        In the time of ``eclk``.
    word : Out(4)
        In the time of ``sync``.
    """

    middle: In(1)
    pair: In(_PAIR)
    word: Out(SLOTS_PER_CYCLE)

    def elaborate(self, platform):
        m = Module()
        earlier = Signal(_PAIR, reset_less=True)
        whole = Signal(SLOTS_PER_CYCLE, reset_less=True)
        with m.If(self.middle):
            m.d.eclk += whole.eq(Cat(earlier, self.pair))
        with m.Else():
            m.d.eclk += earlier.eq(self.pair)
        m.d.sync += self.word.eq(whole)
        return m
