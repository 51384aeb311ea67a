"""Lanes of the ECP5: ODDRX2F, DELAYF and IDDRX2F.

The order of the bits is that of Lattice's "ECP5 and ECP5-5G High-Speed I/O
Interface" (FPGA-TN-02035): ODDRX2F sends D0 first and D3 last, on alternate
edges of the edge clock beginning with a rising one; IDDRX2F gives the earliest
sample on Q0 and the latest on Q3. Both gear by two, so the edge clock runs at
twice the fabric clock and the line at four times. They exist on the left and
the right side of the part only, and lanes that start together share one edge
clock on one side.
"""

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam.protocol.lanes import FINE_DELAY_BITS
from keybeam.protocol.numbers import SLOTS_PER_CYCLE
from keybeam_gateware.primitives.delay import DelayStepper
from keybeam_gateware.primitives.ecp5.cells import register
from keybeam_gateware.primitives.ecp5.substitute import Substitute

__all__ = ["SHARED_SUBSTITUTES", "LaneDeserialiser", "LaneSerialiser"]

_SHARED_BLACK_BOX = """\
(* blackbox *) module KEYBEAM_SHARED_LANE (input PADDI, CLK, ECLK, LSR, SLIP,
  output RXDATA0, RXDATA1, RXDATA2, RXDATA3); endmodule
"""

SHARED_SUBSTITUTES = {
    # What nextpnr itself makes of IDDRX2F.
    "KEYBEAM_SHARED_LANE": Substitute(
        "IOLOGIC",
        {
            "MODE": "IDDRXN",
            "IDDRXN.MODE": "IDDRX2",
            "GSR": "DISABLED",
            "CLKIMUX": "CLK",
            "CLKOMUX": "CLK",
            "LSRIMUX": "LSRMUX",
            "LSROMUX": "0 ",  # the blank keeps it from being read as a number
            "LSRMUX": "LSR",
            "DELAY.OUTDEL": "DISABLED",
            "DELAY.DEL_VALUE": "0000000",
            "DELAY.WAIT_FOR_EDGE": "DISABLED",
            "ODDRXN.MODE": "NONE",
            "MIDDRX.MODE": "NONE",
            "MODDRX.MODE": "NONE",
            "MTDDRX.MODE": "NONE",
            "MTDDRX.DQSW_INVERT": "DISABLED",
            "MTDDRX.REGSET": "RESET",
            "IOLTOMUX": "NONE",
            "MIDDRX_MODDRX.WRCLKMUX": "NONE",
        },
    )
}
"""What the cell of a lane that shares its pad becomes between synthesis and placement."""


class LaneSerialiser(wiring.Component):
    """Send four bits a cycle on one line.

    The word is registered once before the cell, which leaves the router a whole cycle to reach
    the edge of the part; all lanes have the same latency. The line is low during a reset.

    Parameters
    ----------
    delayed : bool
        Whether the line goes through a delay cell. Steps are about 25 ps each; while the delay
        changes, edges of the line may be displaced or doubled.

    Members
    -------
    word : In(4)
        Bits of this cycle of ``sync``, slot 0 lowest and first.
    fine_delay : In(7)
        If delayed: steps of the delay, reached one after the other (`DelayStepper`).
    line : Out(1)
        To the pad, through an output buffer and nothing else.
    """

    def __init__(self, *, delayed: bool = False) -> None:
        self._delayed = delayed
        members = {"word": In(SLOTS_PER_CYCLE), "line": Out(1)}
        super().__init__(members | ({"fine_delay": In(FINE_DELAY_BITS)} if delayed else {}))

    def elaborate(self, platform):
        m = Module()
        word = register(m, "word", "sync", self.word, global_reset=True)
        prompt = Signal()
        m.submodules.cell = Instance(
            "ODDRX2F",
            p_GSR="DISABLED",
            i_SCLK=ClockSignal("sync"),
            i_ECLK=ClockSignal("eclk"),
            i_RST=ResetSignal("eclk"),
            **{f"i_D{slot}": word[slot] for slot in range(SLOTS_PER_CYCLE)},
            o_Q=prompt,
        )
        if self._delayed:
            self._add_delay(m, prompt)
        else:
            m.d.comb += self.line.eq(prompt)
        return m

    def _add_delay(self, m, prompt):
        m.submodules.stepper = stepper = DelayStepper()
        m.d.comb += stepper.value.eq(self.fine_delay)
        m.submodules.delay = Instance(
            "DELAYF",
            p_DEL_MODE="USER_DEFINED",
            p_DEL_VALUE=0,
            i_A=prompt,
            i_LOADN=stepper.load_n,
            i_MOVE=stepper.move,
            i_DIRECTION=stepper.direction,
            o_Z=self.line,
        )


class LaneDeserialiser(wiring.Component):
    """Sample a line four times a cycle.

    Where a word begins on the line is fixed by the start of the clocks, the same for all lanes;
    what follows finds its own place in the samples.

    Of IDDRX2F, nextpnr insists that nothing else takes the line, although the pad reaches both the
    I/O logic and the fabric. With a `place` the I/O logic is asked for as such, and the line may
    go to a delay line as well. A wrong place cannot be routed.

    Parameters
    ----------
    place : str, optional
        I/O logic of the pad, as ``X0/Y11/IOLOGICA``.

    Members
    -------
    line : In(1)
        From the pad, through an input buffer and nothing else.
    word : Out(4)
        Samples of one cycle of ``sync``, the earliest lowest.
    """

    line: In(1)
    word: Out(SLOTS_PER_CYCLE)

    def __init__(self, *, place: str | None = None) -> None:
        self._place = place
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        word = Signal(SLOTS_PER_CYCLE)
        if self._place is None:
            m.submodules.cell = Instance(
                "IDDRX2F",
                p_GSR="DISABLED",
                i_D=self.line,
                i_SCLK=ClockSignal("sync"),
                i_ECLK=ClockSignal("eclk"),
                i_RST=ResetSignal("eclk"),
                i_ALIGNWD=Const(0),
                **{f"o_Q{slot}": word[slot] for slot in range(SLOTS_PER_CYCLE)},
            )
        else:
            if platform is not None:
                platform.add_file("keybeam_shared_lane.v", _SHARED_BLACK_BOX)
            m.submodules.cell = Instance(
                "KEYBEAM_SHARED_LANE",
                a_keep=1,
                a_BEL=self._place,
                i_PADDI=self.line,
                i_CLK=ClockSignal("sync"),
                i_ECLK=ClockSignal("eclk"),
                i_LSR=ResetSignal("eclk"),
                i_SLIP=Const(0),
                **{f"o_RXDATA{slot}": word[slot] for slot in range(SLOTS_PER_CYCLE)},
            )
        m.d.sync += self.word.eq(word)
        return m
