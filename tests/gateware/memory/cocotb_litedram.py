"""Full rate of writing beside look-ups, on LiteDRAM's model."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer

from keybeam.protocol.link import LookupStatus
from keybeam_gateware.transmitter.log import GUARD_WORDS

FRAME_WORDS = 16_384
LOG_WORDS = 4 * FRAME_WORDS
LOOKUPS_PER_SECOND = 100_000
LONGEST = 512


def symbol(index):
    word, slot = divmod(index, 4)
    return (word ^ word >> 16) * 40503 >> 4 * slot & 15


async def look_up(dut, index):
    """Answer of an index, and the cycles until it was offered."""
    dut.index__payload.value = index
    dut.index__valid.value = 1
    await RisingEdge(dut.clk)
    dut.index__valid.value = 0
    cycles = 0
    while True:
        await FallingEdge(dut.clk)
        cycles += 1
        if dut.answer__valid.value:
            break
    answer = int(dut.answer__payload.value)
    await RisingEdge(dut.clk)
    return LookupStatus(answer >> 4), answer & 15, cycles


@cocotb.test()
async def full_rate(dut):
    rng = random.Random(7)
    dut.rst.value = 1
    dut.go.value = 0
    dut.index__valid.value = 0
    dut.answer__ready.value = 1
    cocotb.start_soon(Clock(dut.clk, 6.4, "ns").start())
    cocotb.start_soon(Clock(dut.reference, 13.334, "ns").start())
    await ClockCycles(dut.clk, 8)
    dut.rst.value = 0
    while not dut.passed.value:
        await Timer(5, "us")
    dut._log.info("memory passed its test after %.0f us", cocotb.utils.get_sim_time("us"))
    dut.go.value = 1
    await Timer(2, "us")
    period = 1e9 / LOOKUPS_PER_SECOND
    longest, found = 0, dict.fromkeys(LookupStatus, 0)
    begin = cocotb.utils.get_sim_time("ns")
    number = 0
    while (newest := int(dut.word.value)) < 2.5 * LOG_WORDS:
        number += 1
        await Timer(begin + number * period - cocotb.utils.get_sim_time("ns"), "ns", round_mode="round")
        await RisingEdge(dut.clk)
        newest = int(dut.word.value)
        oldest = max(0, newest - LOG_WORDS + GUARD_WORDS + 16)
        word = rng.choice([newest - rng.randrange(16, 64), oldest + rng.randrange(32)] + 2 * [rng.randrange(oldest, newest - 16)])
        index = 4 * word + rng.randrange(4)
        status, seen, cycles = await look_up(dut, index)
        expected = LookupStatus.NOT_KEY if word // FRAME_WORDS % 2 else LookupStatus.FOUND
        assert (status, seen) == (expected, symbol(index)), (newest, word)
        longest = max(longest, cycles)
        found[status] += 1
    assert int(dut.lost.value) == 0
    dut._log.info("%d look-ups, longest %d cycles, %s", number, longest, found)
    assert longest <= LONGEST
