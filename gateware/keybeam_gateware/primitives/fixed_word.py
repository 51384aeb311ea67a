"""A number that is filled in after synthesis, so that logic and placement do not depend on it.

As a constant it would be dissolved in the logic that reads it, and two builds that differ in it
alone would be placed differently and reach different clocks.
"""

from amaranth.hdl import Instance, Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

__all__ = ["FIXED_BIT", "FixedWord"]

FIXED_BIT = "KEYBEAM_FIXED_BIT"
"""Black box of a bit: its attribute ``VALUE`` says what comes out at ``Z``. A build puts a look-up
table without inputs in its place."""

_BLACK_BOX = f"(* blackbox *) module {FIXED_BIT} (output Z); endmodule\n"


class FixedWord(wiring.Component):
    """Give a number that the build knows.

    Parameters
    ----------
    width : int
        Its bits.
    value : int
        The number.

    Members
    -------
    word : Out(width)
        The number, always.

    Raises
    ------
    ValueError
        If the number does not fit.
    """

    def __init__(self, width: int, value: int) -> None:
        if not 0 <= value < 1 << width:
            raise ValueError(f"{value:#x} does not fit in {width} bits")
        self._value = value
        super().__init__({"word": Out(unsigned(width))})

    def elaborate(self, platform):
        m = Module()
        if platform is None:
            m.d.comb += self.word.eq(self._value)
            return m
        platform.add_file(f"{FIXED_BIT}.v", _BLACK_BOX)
        for place in range(len(self.word)):
            m.submodules[f"bit_{place}"] = Instance(
                FIXED_BIT, a_keep=1, a_VALUE=self._value >> place & 1, o_Z=self.word[place]
            )
        return m
