"""Clocks and resets of the ECP5: EHXPLLL, ECLKSYNCB, CLKDIVF, DCCA, GSR."""

from amaranth.hdl import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    ResetSignal,
    Signal,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from keybeam_gateware.primitives.ecp5.cells import register
from keybeam_gateware.primitives.pll import PllStage

__all__ = ["Clocks", "X1Clocks"]

_PHASE = 8  # cycles of the reference clock that each step of the start takes
_STEPS = 4 * _PHASE + 1


class Clocks(wiring.Component):
    """Drive the clock domains ``sync`` and ``eclk`` from a reference clock.

    The module that uses the block defines both domains, ``sync`` without reset.

    The edge clock starts as FPGA-TN-02035 asks of the x2 interfaces: reset the divider and the
    lane cells, stop the edge clock, release the resets while it stands, and let it go, so that
    all of them count from the same edge. If a loop loses lock, everything starts again; until
    then the logic is held in reset and the lanes are dark. That does not wait for a clock, since
    what was lost may be the reference itself.

    The logic is reset by the part's global reset, which no router has to bring to thousands of
    flip-flops and which gives each its initial value. It is slow and not synchronous to
    anything, so it is released while ``sync`` stands. Hence ``sync`` has no reset of its own.

    Parameters
    ----------
    plan : tuple of PllStage
        Loops in a row from the reference to the edge clock, as `plan_pll` gives them.

    Members
    -------
    reference : In(1)
        Reference clock, from its pad.
    reset : In(1)
        Starts everything again; asynchronous.
    ready : Out(1)
        The clocks run; in the time of the reference clock.
    """

    reference: In(1)
    reset: In(1)
    ready: Out(1)

    _halves = False

    def __init__(self, plan: tuple[PllStage, ...]):
        self._plan = plan
        self._stop = Signal()
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.domains.reference = ClockDomain(reset_less=True, local=True)
        m.d.comb += ClockSignal("reference").eq(self.reference)

        clock, halved, lock = self.reference, None, Const(1)
        for number, stage in enumerate(self._plan):
            clock, halved, lock = self._add_pll(m, f"pll{number}", stage, clock, lock)
        self._add_sequence(m, lock)
        self._distribute(m, clock, halved)
        return m

    def _distribute(self, m, clock, _):
        """Make both clocks of that of the last loop."""
        m.submodules.gate = Instance(
            "ECLKSYNCB", i_ECLKI=clock, i_STOP=self._stop, o_ECLKO=ClockSignal("eclk")
        )
        m.submodules.divider = Instance(
            "CLKDIVF",
            p_GSR="DISABLED",
            p_DIV="2.0",
            i_CLKI=ClockSignal("eclk"),
            i_RST=ResetSignal("eclk"),
            i_ALIGNWD=Const(0),
            o_CDIVX=ClockSignal("sync"),
        )

    def _add_sequence(self, m, lock):
        """Add the steps of the start, in flip-flops that the reset they cause does not touch."""
        unlocked = Signal()
        m.d.comb += unlocked.eq(~lock)

        def settled(name, data, **asynchronous):
            return register(m, name, "reference", data, global_reset=False, **asynchronous)

        locked = settled("locked", settled("locked_early", Cat(lock)))
        restart = settled("restart", settled("restart_early", Cat(self.reset)))
        following = Signal(range(_STEPS))
        step = settled("step", following, clear=unlocked)
        with m.If(locked & ~restart):
            m.d.comb += following.eq(Mux(step == _STEPS - 1, step, step + 1))

        # First the logic is reset while its clock still runs, so that no lane keeps a word.
        # Registered, since all of them act without a clock.
        def within(first, last):
            return Cat((step >= first) & (step < last))

        run = settled("run", within(4 * _PHASE - _PHASE // 2, _STEPS), clear=unlocked)
        hold = settled("hold", within(_PHASE, 3 * _PHASE), preset=unlocked)
        m.submodules.global_reset = Instance("GSR", i_GSR=run)
        m.d.comb += [
            ResetSignal("eclk").eq(hold),
            self._stop.eq(settled("stop", within(2 * _PHASE, 4 * _PHASE), clear=unlocked)),
            self.ready.eq(settled("started", within(4 * _PHASE, _STEPS), clear=unlocked)),
        ]

    def _add_pll(self, m, name, stage, clock, enable):
        """Add one loop that is held in reset until `enable`; gives its clock and its lock.

        Between them: half of the clock, with an edge of the clock on each of its own.
        """
        output, lock = Signal(name=f"{name}_clock"), Signal(name=f"{name}_lock")
        halved = Signal(name=f"{name}_halved")
        secondary = {}
        if self._halves and stage is self._plan[-1]:
            # The same phase, in periods of the oscillator, lets the edges coincide.
            secondary = {
                "p_CLKOS_DIV": 2 * stage.output_divider,
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_CPHASE": stage.output_divider - 1,
                "p_CLKOS_FPHASE": 0,
                "o_CLKOS": halved,
            }
        m.submodules[name] = Instance(
            "EHXPLLL",
            # Charge pump and filter as Lattice's own tool sets them for these ratios.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="ENABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=stage.reference_divider,
            p_CLKFB_DIV=stage.feedback_divider,
            p_CLKOP_DIV=stage.output_divider,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=stage.output_divider - 1,
            p_CLKOP_FPHASE=0,
            i_CLKI=clock,
            i_CLKFB=output,
            i_RST=~enable,
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0),
            i_PHASELOADREG=Const(0),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=output,
            o_LOCK=lock,
            **secondary,
        )
        return output, halved, lock


class X1Clocks(Clocks):
    """Drive ``sync`` and ``eclk`` for the x1 cells, which every side of the part has.

    ``eclk`` is an ordinary clock of the fabric here, and runs always. ``sync`` is another output
    of the last loop, and stands while the global reset is released, as in `Clocks`.
    """

    _halves = True

    def _distribute(self, m, clock, halved):
        m.d.comb += ClockSignal("eclk").eq(clock)
        m.submodules.gate = Instance(
            "DCCA", i_CLKI=halved, i_CE=~self._stop, o_CLKO=ClockSignal("sync")
        )
