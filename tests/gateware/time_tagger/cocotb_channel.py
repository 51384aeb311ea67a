"""Runs in the simulator: calibrate a channel by its histogram, then time edges at borders.

The times found and the true ones, in picoseconds, are written to the file named by KEYBEAM_FOUND.
"""

import os

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from keybeam.protocol.tagger import table_entries
from keybeam.tagger import calibrate

TAPS = int(os.environ["KEYBEAM_TAPS"])
TRIALS = int(os.environ["KEYBEAM_TRIALS"])
CALIBRATION = int(os.environ["KEYBEAM_CALIBRATION"])
PAIRS = int(os.environ["KEYBEAM_PAIRS"])
PAIR_PS = 7000
PERIOD_PS = 6400
PULSE_PS = 2500


def pulses(starts):
    """Changes of every cycle: their number, and the times of the first and the second."""
    cycles = int(starts[-1]) // PERIOD_PS + 2
    columns = np.zeros((3, cycles), int)
    for change in np.sort(np.concatenate([starts, starts + PULSE_PS])).tolist():
        cycle, time = divmod(change, PERIOD_PS)
        columns[0, cycle] += 1
        columns[columns[0, cycle], cycle] = time
    return columns.T.tolist()


async def play(dut, starts, times):
    """Put pulses in, and collect the times of events."""
    for number, first, second in [*pulses(starts), *[(0, 0, 0)] * 60]:
        dut.changes.value = number
        if number:
            dut.first_ps.value = first
            dut.second_ps.value = second
        await FallingEdge(dut.clk)
        if dut.events__valid.value:
            times.append(int(dut.events__coarse.value) << 14 | int(dut.events__fine.value))


async def histogram(dut):
    """Read all counts."""
    counts = []
    for address in range(table_entries(1, TAPS)):
        dut.address.value = address
        for _ in range(4):
            await FallingEdge(dut.clk)
        counts.append(int(dut.count.value))
    return np.array(counts)


async def start(dut):
    """Begin with all inputs low."""
    cocotb.start_soon(Clock(dut.clk, PERIOD_PS, unit="ps").start())
    inputs = "changes first_ps second_ps enable run address write write_address write_data"
    for name in inputs.split():
        getattr(dut, name).value = 0
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


def save(dut, times, starts):
    """Write down what was found, and what was true."""
    np.savez(
        os.environ["KEYBEAM_FOUND"],
        times=np.array(times) * (PERIOD_PS / 2**14),
        true=starts,
        missed=int(dut.missed.value),
        unconfirmed=int(dut.unconfirmed.value),
    )


@cocotb.test()
async def pairs_without_calibration(dut):
    rng = np.random.default_rng(2)
    await start(dut)
    dut.enable.value = 1
    firsts = PERIOD_PS * 14 * np.arange(1, PAIRS + 1) + rng.integers(0, PERIOD_PS, PAIRS)
    starts = (firsts[:, None] + [0, PAIR_PS]).ravel()
    times = []
    await play(dut, starts, times)
    save(dut, times, starts)


@cocotb.test()
async def calibrate_and_time(dut):
    rng = np.random.default_rng(1)
    await start(dut)
    dut.run.value = 1
    # Nine cycles apart, so that each one counts, at any phase.
    starts = PERIOD_PS * 9 * np.arange(1, CALIBRATION) + rng.integers(0, PERIOD_PS, CALIBRATION - 1)
    none = []
    await play(dut, starts, none)
    assert not none
    dut.run.value = 0
    counts = await histogram(dut)
    assert counts.sum() == CALIBRATION - 1
    leads = calibrate(counts, chains=1, taps=TAPS).leads()
    dut.write.value = 1
    for address, lead in enumerate(leads.tolist()):
        dut.write_address.value = address
        dut.write_data.value = lead
        await FallingEdge(dut.clk)
    dut.write.value = 0
    dut.enable.value = 1

    # Near a border of two periods, every other cycle; then 6.6 ns apart and more, anywhere.
    border = PERIOD_PS * 2 * np.arange(2, TRIALS // 3) + rng.integers(-300, 300, TRIALS // 3 - 2)
    anywhere = border[-1] + 20_000 + np.cumsum(rng.integers(6600, 7400, TRIALS - len(border)))
    starts = np.concatenate([border, anywhere])
    times = []
    await play(dut, starts, times)
    save(dut, times, starts)
