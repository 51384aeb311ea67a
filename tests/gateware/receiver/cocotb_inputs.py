"""Runs in the simulator: the blocks behind the receiver's pins, on samples from a file.

The file named by KEYBEAM_STIMULUS holds the samples of every cycle; what came out of the blocks
is written to the file named by KEYBEAM_FOUND, to be judged outside.
"""

import os

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

STIMULUS = np.load(os.environ["KEYBEAM_STIMULUS"])


@cocotb.test()
async def play_samples(dut):
    cocotb.start_soon(Clock(dut.clk, 6400, unit="ps").start())
    dut.rst.value = 1
    dut.line.value = dut.samples.value = dut.cycle.value = 0
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    bits, starts, times = [], [], []
    samples = zip(STIMULUS["line"].tolist(), STIMULUS["samples"].tolist(), strict=True)
    for cycle, (line, input_samples) in enumerate(samples):
        dut.cycle.value = cycle
        dut.line.value = line
        dut.samples.value = input_samples
        await FallingEdge(dut.clk)
        places = int(dut.recovered__starts.value)
        for place in range(int(dut.recovered__count.value)):
            bits.append(int(dut.recovered__bits.value) >> place & 1)
            starts.append(places >> 4 * place & 15)
        if dut.events__valid.value:
            assert int(dut.events__weight.value) == 1
            times.append(int(dut.events__coarse.value) << 14 | int(dut.events__fine.value))
    np.savez(os.environ["KEYBEAM_FOUND"], bits=bits, starts=starts, times=times)
