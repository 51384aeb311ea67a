"""Ring oscillators of look-up tables: random bits for demonstrations, never for keys.

Nobody has measured the entropy of these rings, and neighbouring ones may lock
to each other. What comes from them is marked as not for keys wherever it goes.
"""

from amaranth.hdl import Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["RingOscillators"]

_INVERTER = 0x5555  # output is the opposite of input A
_NAND_OF_A_B = 0x7777
_LENGTHS = (3, 5, 7)
"""Inverters of the rings behind each bit: frequencies without a small common multiple."""

_SYNCHRONISER_STAGES = 3


class RingOscillators(wiring.Component):
    """Sample free-running rings; for demonstrations only.

    Behind each bit are three rings of different lengths. Each is sampled by flip-flops of its
    own, so that a level in between is resolved, and then the samples are combined by exclusive-or.
    Between two words the rings run for some cycles, in which their jitter adds up.

    Parameters
    ----------
    width : int
        Bits of a word.
    interval : int
        Clock cycles from word to word.

    Members
    -------
    enable : In(1)
        Lets the rings run; else they stand, draw no power and give no words.
    bits : Out(width)
        A word.
    valid : Out(1)
        1 for the one cycle in which the word is new.
    """

    def __init__(self, *, width: int = 16, interval: int = 16) -> None:
        self._width, self._interval = width, interval
        super().__init__({"enable": In(1), "bits": Out(width), "valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        for bit in range(self._width):
            sampled = Signal(len(_LENGTHS), name=f"sampled_{bit}")
            for place, length in enumerate(_LENGTHS):
                name = f"ring_{bit}_{place}"
                m.submodules[f"{name}_sampler"] = FFSynchronizer(
                    self._ring(m, name, length), sampled[place], stages=_SYNCHRONISER_STAGES
                )
            m.d.sync += self.bits[bit].eq(sampled.xor())
        left = Signal(range(self._interval), init=self._interval - 1)
        m.d.sync += self.valid.eq(self.enable & (left == 0))
        with m.If(~self.enable | (left == 0)):
            m.d.sync += left.eq(self._interval - 1)
        with m.Else():
            m.d.sync += left.eq(left - 1)
        return m

    def _ring(self, m, name: str, length: int) -> Signal:
        """Add a loop of a NAND, which starts it, and an even number of inverters."""
        nodes = [Signal(name=f"{name}_node_{place}") for place in range(length)]
        for place, node in enumerate(nodes):
            m.submodules[f"{name}_cell_{place}"] = Instance(
                "LUT4",
                a_keep=1,
                p_INIT=_INVERTER if place else _NAND_OF_A_B,
                i_A=nodes[place - 1],
                i_B=self.enable,
                i_C=0,
                i_D=0,
                o_Z=node,
            )
        return nodes[-1]
