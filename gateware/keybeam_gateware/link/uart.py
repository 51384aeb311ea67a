"""Asynchronous serial receiver and transmitter: 8 data bits, no parity, 1 stop bit."""

from amaranth import Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["MINIMUM_DIVISOR", "UartReceiver", "UartTransmitter"]

MINIMUM_DIVISOR = 4
"""Fewest clock cycles of a bit: the receiver looks for the start bit once a cycle."""

_DATA_BITS = 8


def _check_divisor(divisor: int) -> None:
    if divisor < MINIMUM_DIVISOR:
        raise ValueError(f"a bit takes at least {MINIMUM_DIVISOR} cycles, not {divisor}")


class UartReceiver(wiring.Component):
    """Takes bytes from a serial line, sampling each bit in its middle.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least `MINIMUM_DIVISOR`.

    Members
    -------
    line : In(1)
        The serial line, not synchronous to anything; idles at 1.
    output : Out(stream.Signature(unsigned(8)))
        Received bytes.
    broken : Out(1)
        1 for a cycle when a byte without stop bit was dropped.
    lost : Out(1)
        1 for a cycle when a byte was dropped because the one before it was not taken yet.
    """

    line: In(1, init=1)
    output: Out(stream.Signature(unsigned(_DATA_BITS)))
    broken: Out(1)
    lost: Out(1)

    def __init__(self, *, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.line, line, init=1)

        timer = Signal(range(self._divisor))
        bits = Signal(range(_DATA_BITS + 1))
        byte = Signal(_DATA_BITS)
        sample = Signal()
        m.d.sync += [
            timer.eq(timer - 1),
            sample.eq(timer == 1),
            self.broken.eq(0),
            self.lost.eq(0),
        ]
        with m.If(self.output.ready):
            m.d.sync += self.output.valid.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self._divisor // 2 - 1), sample.eq(0)]
                with m.If(~line):
                    m.next = "START"
            with m.State("START"), m.If(sample):
                m.d.sync += [timer.eq(self._divisor - 1), bits.eq(_DATA_BITS - 1)]
                with m.If(line):  # too short for a start bit: noise
                    m.next = "IDLE"
                with m.Else():
                    m.next = "DATA"
            with m.State("DATA"), m.If(sample):
                m.d.sync += [
                    timer.eq(self._divisor - 1),
                    bits.eq(bits - 1),
                    byte.eq(Cat(byte[1:], line)),
                ]
                with m.If(bits == 0):
                    m.next = "STOP"
            with m.State("STOP"), m.If(sample):
                with m.If(~line):
                    m.d.sync += self.broken.eq(1)
                    m.next = "BREAK"
                with m.Else():
                    with m.If(self.output.valid & ~self.output.ready):
                        m.d.sync += self.lost.eq(1)
                    with m.Else():
                        m.d.sync += [self.output.payload.eq(byte), self.output.valid.eq(1)]
                    m.next = "IDLE"
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes on a serial line.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit, at least `MINIMUM_DIVISOR`.

    Members
    -------
    input : In(stream.Signature(unsigned(8)))
        Bytes to send.
    line : Out(1)
        The serial line, from a register; idles at 1.
    """

    input: In(stream.Signature(unsigned(_DATA_BITS)))
    line: Out(1, init=1)

    def __init__(self, *, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self._divisor))
        bits = Signal(range(_DATA_BITS + 2))
        shift = Signal(_DATA_BITS + 1, init=-1)
        busy = Signal()
        m.d.comb += self.input.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [timer.eq(self._divisor - 1), bits.eq(_DATA_BITS + 1)]
            with m.If(self.input.valid):
                m.d.sync += [
                    busy.eq(1),
                    self.line.eq(0),
                    shift.eq(Cat(self.input.payload, Const(1, 1))),
                ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [
                timer.eq(self._divisor - 1),
                bits.eq(bits - 1),
                Cat(self.line, shift).eq(Cat(shift, Const(1, 1))),
                busy.eq(bits != 0),
            ]
        return m
