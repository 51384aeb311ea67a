"""A pulser that is independent of every clock: a ring of look-up tables and a divider on it."""

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RingPulser"]

_INVERTER = 0x5555  # output is the opposite of input A
_NAND_OF_A_B = 0x7777


class RingPulser(wiring.Component):
    """Pulses from a ring oscillator, for calibrating delay lines.

    A ring of look-up tables oscillates at some hundred megahertz, the more slowly the longer it is
    and the warmer the part. Flip-flops that count on it divide that to pulses that a time-tagger
    can take all of. Their jitter and the odd ratio to the clock spread them evenly over its period;
    how evenly, nobody has measured yet. Beside a delay line, its frequency also tells how the
    line's delays change.

    Parameters
    ----------
    length : int
        Look-up tables of the ring, an odd number of 3 or more.
    divider_bits : int
        The ring's frequency is divided by 2^divider_bits.

    Members
    -------
    enable : In(1)
        Lets the ring run; else it stands and draws no power.
    pulse : Out(1)
        High half of the time; not synchronous to anything.
    """

    enable: In(1)
    pulse: Out(1)

    def __init__(self, *, length: int = 7, divider_bits: int = 6) -> None:
        if length < 3 or length % 2 == 0:
            raise ValueError(f"a ring has an odd number of 3 stages or more, not {length}")
        self._length, self._divider_bits = length, divider_bits
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        nodes = [Signal(name=f"node_{place}") for place in range(self._length)]
        for place, node in enumerate(nodes):
            m.submodules[f"cell_{place}"] = Instance(
                "LUT4",
                a_keep=1,
                p_INIT=_INVERTER if place else _NAND_OF_A_B,
                i_A=nodes[place - 1],
                i_B=self.enable,
                i_C=0,
                i_D=0,
                o_Z=node,
            )
        m.domains.pulser_ring = ClockDomain(local=True, reset_less=True)
        m.d.comb += ClockSignal("pulser_ring").eq(nodes[-1])
        count = Signal(self._divider_bits)
        m.d.pulser_ring += count.eq(count + 1)
        m.d.comb += self.pulse.eq(count[-1])
        return m
