"""Look-ups in the emitted Verilog of a log with block RAM, by what they ask for."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.log import GUARD_WORDS, LOOKUP_CYCLES, LogBackend

FRAMES, FRAME_WORDS = 2, 32
READABLE = FRAMES * FRAME_WORDS - GUARD_WORDS
LIMIT = LOOKUP_CYCLES[LogBackend.BLOCK_RAM]
LAG = 4
"""Cycles after which a look-up knows of what was sent."""
LAST_FRAME = (1 << 57) - 1
"""Frame with the highest indices there are."""


class Log:
    """The log, and what was sent to it."""

    def __init__(self, dut):
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.sent = {}

    @classmethod
    async def start(cls, dut):
        log = cls(dut)
        dut.rst.value = 1
        for name in ("sent", "index__valid", "index__payload", "bus__addr", "bus__r_stb"):
            getattr(dut, name).value = 0
        dut.bus__w_stb.value = 0
        dut.bus__w_data.value = 0
        dut.answer__ready.value = 1
        cocotb.start_soon(Clock(dut.clk, 6.4, "ns").start())
        await ClockCycles(dut.clk, 3)
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        return log

    async def cycle(self):
        """Go on to the middle of the next cycle."""
        await FallingEdge(self.dut.clk)

    async def send(self, frame, *, frames=1, not_key=False, start=True):
        """Send frames, a word a cycle."""
        for number in range(frames * FRAME_WORDS):
            word = (frame * FRAME_WORDS + number) % (1 << 62)
            symbols = self.rng.getrandbits(16)
            first = start and number == 0
            self.sent[word] = symbols
            self.dut.sent.value = 1 | first << 1 | not_key << 2 | word << 3 | symbols << 65
            await self.cycle()
        self.dut.sent.value = 0
        for _ in range(LAG):
            await self.cycle()

    async def look_up(self, word, slot=0):
        """Status and symbol of a pulse; checks how long it takes."""
        self.dut.index__payload.value = word * 4 + slot
        self.dut.index__valid.value = 1
        await self.cycle()
        self.dut.index__valid.value = 0
        for _ in range(LIMIT):
            await ReadOnly()
            if self.dut.answer__valid.value:
                answer = int(self.dut.answer__payload.value)
                await self.cycle()
                await self.cycle()
                return LookupStatus(answer >> 4), answer & 15
            await self.cycle()
        raise AssertionError(f"no answer in {LIMIT} cycles")

    def symbol(self, word, slot):
        return self.sent[word] >> 4 * slot & 15


@cocotb.test()
async def too_old(dut):
    log = await Log.start(dut)
    await log.send(5, frames=4)
    newest = 9 * FRAME_WORDS - 1
    for word in (0, 4 * FRAME_WORDS, newest - 2 * READABLE, newest - READABLE):
        assert await log.look_up(word, 3) == (LookupStatus.TOO_OLD, 0), word
    oldest = newest - READABLE + 1
    assert await log.look_up(oldest, 3) == (LookupStatus.FOUND, log.symbol(oldest, 3))


@cocotb.test()
async def too_new(dut):
    log = await Log.start(dut)
    assert await log.look_up(0) == (LookupStatus.TOO_NEW, 0)
    await log.send(5)
    newest = 6 * FRAME_WORDS - 1
    for word in (newest + 1, newest + 2 * FRAME_WORDS, newest + (1 << 40), (1 << 62) - 1):
        assert await log.look_up(word) == (LookupStatus.TOO_NEW, 0), word
    assert await log.look_up(newest, 1) == (LookupStatus.FOUND, log.symbol(newest, 1))


@cocotb.test()
async def not_key(dut):
    log = await Log.start(dut)
    await log.send(3)
    await log.send(4, not_key=True, start=False)
    for word in range(4 * FRAME_WORDS - 4, 4 * FRAME_WORDS + 4):
        slot = word % 4
        status = LookupStatus.NOT_KEY if word >= 4 * FRAME_WORDS else LookupStatus.FOUND
        assert await log.look_up(word, slot) == (status, log.symbol(word, slot))


@cocotb.test()
async def restart(dut):
    """The pattern starts with indices that were used before, at every cycle of a look-up."""
    log = await Log.start(dut)
    word = 7 * FRAME_WORDS
    for delay in range(LIMIT):
        await log.send(7)
        before = log.symbol(word, 2)
        dut.index__payload.value = word * 4 + 2
        dut.index__valid.value = 1
        await log.cycle()
        dut.index__valid.value = 0
        answer = None
        for cycle in range(2 * LIMIT):
            if cycle == delay:
                sending = cocotb.start_soon(log.send(7, not_key=bool(delay % 2)))
            await ReadOnly()
            if answer is None and dut.answer__valid.value:
                answer = int(dut.answer__payload.value)
            await log.cycle()
        await sending
        again = LookupStatus.NOT_KEY if delay % 2 else LookupStatus.FOUND
        after = again << 4 | log.symbol(word, 2)
        assert answer in (LookupStatus.FOUND << 4 | before, after), delay


@cocotb.test()
async def highest_indices(dut):
    """The ring holds the last words of the range of indices as it holds all others."""
    log = await Log.start(dut)
    await log.send(LAST_FRAME - 2, frames=3)
    newest = (1 << 62) - 1
    for word in (newest, newest - 1, newest - READABLE + 1):
        assert await log.look_up(word, 3) == (LookupStatus.FOUND, log.symbol(word, 3))
    for word in (0, 1, newest - READABLE, 1 << 61):
        assert await log.look_up(word) == (LookupStatus.TOO_OLD, 0), word
