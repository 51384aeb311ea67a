"""The state log at full rate beside look-ups, on LiteDRAM's model of a memory."""

import os
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer
from cocotb.utils import get_sim_time

from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_CYCLES
from keybeam_gateware.transmitter.log import DDR3_LINE_WORDS, DDR3_USUAL_CYCLES, GUARD_WORDS

LOG_WORDS = int(os.environ["LOG_FRAMES"]) * FRAME_CYCLES
LOOKUPS_PER_SECOND = 100_000
RECENT = 16
"""Words that may not be in the memory yet."""


def symbol(index):
    word, slot = divmod(index, 4)
    return (word ^ word >> 16) * 40503 >> 4 * slot & 15


async def look_up(dut, index):
    """Answer of an index, and the cycles from the one in which it is taken to its offer."""
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


def choose(rng, newest):
    """A word that is held: recent, among the oldest, or anywhere."""
    oldest = max(0, newest - LOG_WORDS + GUARD_WORDS + RECENT)
    return rng.choice(
        [
            newest - rng.randrange(RECENT, 4 * RECENT),
            oldest + rng.randrange(2 * DDR3_LINE_WORDS),
            rng.randrange(oldest, newest - RECENT),
        ]
    )


async def check(dut, rng):
    """Look one word up; gives the cycles it took, and the status."""
    word = choose(rng, int(dut.word.value))
    index = 4 * word + rng.randrange(4)
    status, seen, cycles = await look_up(dut, index)
    marked = word // FRAME_CYCLES % 2
    expected = LookupStatus.NOT_KEY if marked else LookupStatus.FOUND
    assert (status, seen) == (expected, symbol(index)), word
    return cycles, status


@cocotb.test()
async def full_rate(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    dut.rst.value = 1
    dut.go.value = 0
    dut.index__valid.value = 0
    dut.answer__ready.value = 1
    cocotb.start_soon(Clock(dut.clk, FABRIC_PERIOD_PS, "ps").start())
    cocotb.start_soon(
        Clock(dut.reference, round(float(os.environ["PERIOD_NS"]) * 1000), "ps").start()
    )
    await ClockCycles(dut.clk, 8)
    dut.rst.value = 0
    while not dut.passed.value:
        await Timer(5, "us")
    dut._log.info("the memory passed its test after %.0f us", get_sim_time("us"))

    # At the rate asked for, until the ring was overwritten one and a half times.
    dut.go.value = 1
    await Timer(2, "us")
    begin, number, longest = get_sim_time("ns"), 0, 0
    statuses = dict.fromkeys((LookupStatus.FOUND, LookupStatus.NOT_KEY), 0)
    while int(dut.word.value) < 2.5 * LOG_WORDS:
        number += 1
        due = begin + number * 1e9 / LOOKUPS_PER_SECOND
        await Timer(due - get_sim_time("ns"), "ns", round_mode="round")
        await RisingEdge(dut.clk)
        cycles, status = await check(dut, rng)
        longest = max(longest, cycles)
        statuses[status] += 1
    dut._log.info("%d look-ups at their rate: at most %d cycles", number, longest)
    assert min(statuses.values()) > number / 4
    assert longest <= DDR3_USUAL_CYCLES

    # As fast as they are answered.
    begin, number = get_sim_time("ns"), 300
    longest = max([(await check(dut, rng))[0] for _ in range(number)])
    rate = number / (get_sim_time("ns") - begin) * 1e9
    dut._log.info("%.0f look-ups a second without a pause: at most %d cycles", rate, longest)
    assert longest <= DDR3_USUAL_CYCLES
    assert int(dut.lost.value) == 0
