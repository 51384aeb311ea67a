"""Writes a pattern to a memory and reads it back."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam_gateware.memory.native import NativePort

__all__ = ["LANE_BITS", "MemoryTest"]

LANE_BITS = 8
"""Bits that share a strobe, and so a read delay."""

_SEED_BITS = 32


class MemoryTest(wiring.Component):
    """Tests the first lines of a memory, and tells which byte lanes read back what was written.

    The pattern comes from a shift register of 32 bits (taps 32, 22, 2 and 1, of maximal length)
    that goes on from test to test, so that what an earlier test left does not pass.

    Parameters
    ----------
    address_bits : int
        Bits of the address of a line.
    words : int
        Transfers of a burst, which is a line.
    lanes : int
        Byte lanes of the memory.
    lines : int
        Lines to test at most, a power of two.

    Members
    -------
    start : In(1)
        Test; ignored while a test runs.
    last : In(range(lines))
        Address of the last line to test.
    done : Out(1)
        The test is over; for one cycle.
    wrong : Out(lanes)
        Lanes that differed in the last test.
    native : Out(NativePort(address_bits, LANE_BITS * lanes * words))
    """

    def __init__(self, address_bits: int, words: int, lanes: int, lines: int) -> None:
        self._words, self._lanes = words, lanes
        super().__init__(
            {
                "start": In(1),
                "last": In(exact_log2(lines)),
                "done": Out(1),
                "wrong": Out(lanes),
                "native": Out(NativePort(address_bits, LANE_BITS * lanes * words)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        native = self.native
        line = Signal.like(self.last)
        state, first = Signal(_SEED_BITS, init=1), Signal(_SEED_BITS, init=1)
        pattern = self._pattern(state)
        following = Cat(state[31] ^ state[21] ^ state[1] ^ state[0], state[:-1])
        seen, difference = Signal.like(pattern), Signal.like(self.wrong)
        for lane in range(self._lanes):
            m.d.comb += difference[lane].eq(
                Cat(self._lane(seen, lane)) != Cat(self._lane(pattern, lane))
            )
        m.d.comb += [
            native.command.payload.address.eq(line),
            native.write.payload.eq(pattern),
            native.read.ready.eq(1),
        ]

        def go_on(again, then):
            m.d.sync += [line.eq(line + 1), state.eq(following)]
            m.next = again
            with m.If(line == self.last):
                m.d.sync += line.eq(0)
                m.next = then

        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [self.wrong.eq(0), line.eq(0), first.eq(state)]
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [native.command.valid.eq(1), native.command.payload.write.eq(1)]
                with m.If(native.command.ready):
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += native.write.valid.eq(1)
                with m.If(native.write.ready):
                    go_on("WRITE", "REWIND")
            with m.State("REWIND"):
                m.d.sync += state.eq(first)
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += native.command.valid.eq(1)
                with m.If(native.command.ready):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.sync += seen.eq(native.read.payload)
                with m.If(native.read.valid):
                    m.next = "COMPARE"
            with m.State("COMPARE"):
                m.d.sync += self.wrong.eq(self.wrong | difference)
                go_on("READ", "DONE")
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"
        return m

    def _pattern(self, state):
        """Line of all transfers, each of them the state turned by another number of bits."""
        width = LANE_BITS * self._lanes
        words = [state.rotate_left(5 * number)[:width] for number in range(self._words)]
        return Cat(~word if number % 2 else word for number, word in enumerate(words))

    def _lane(self, line, lane):
        """Parts of a line that go over one lane."""
        width = LANE_BITS * self._lanes
        return [line[width * word + LANE_BITS * lane :][:LANE_BITS] for word in range(self._words)]
