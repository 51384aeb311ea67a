"""A cyclic redundancy check at one bit a cycle."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SerialCRC"]


class SerialCRC(wiring.Component):
    """Passes bits on and puts their check sum in, most significant bit first.

    Parameters
    ----------
    width : int
        Bits of the check sum.
    polynomial : int
        The polynomial without its highest term.
    invert : bool
        Send the complement of the register. The register starts with all ones.

    Members
    -------
    bit : In(1)
        A bit of the line.
    start : In(1)
        Begin a new check sum after this cycle.
    count : In(1)
        `bit` is covered by the check sum.
    emit : In(1)
        The next bit of the check sum goes out in the place of `bit`.
    checked : Out(1)
        The line one cycle later, with the check sum; from a register.
    """

    bit: In(1)
    start: In(1)
    count: In(1)
    emit: In(1)
    checked: Out(1)

    def __init__(self, width: int, polynomial: int, *, invert: bool) -> None:
        self._width = width
        self._polynomial = polynomial
        self._invert = invert
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        ones = (1 << self._width) - 1
        register = Signal(self._width, init=ones)
        top = register[-1]
        with m.If(self.start):
            m.d.sync += register.eq(ones)
        with m.Elif(self.count):
            m.d.sync += register.eq(register << 1 ^ Mux(top ^ self.bit, self._polynomial, 0))
        with m.Elif(self.emit):
            m.d.sync += register.eq(register << 1)
        m.d.sync += self.checked.eq(Mux(self.emit, top ^ self._invert, self.bit))
        return m
