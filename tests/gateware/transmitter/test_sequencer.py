import random

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from keybeam.protocol.numbers import FRAME_CYCLES
from keybeam.protocol.symbols import Intensity, Polarisation, map_random_bits
from keybeam_gateware.transmitter.sequencer import SEQUENCER_LATENCY, Sequencer
from keybeam_gateware.transmitter.symbol_map import SymbolMap


class MappedSequencer(wiring.Component):
    """Symbol map and sequencer, as the core joins them."""

    def __init__(self):
        self.symbol_map, self.sequencer = SymbolMap(), Sequencer()
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.symbol_map, self.sequencer]
        wiring.connect(m, self.symbol_map.symbols, self.sequencer.symbols)
        return m


def lanes_of(symbols):
    """The five lanes' bits of four symbols, from the meaning of the symbol codes."""
    lanes = {"trigger": 0b1111}
    intensity = [Intensity(symbol >> 2) for symbol in symbols]
    shown = [Intensity.VACUUM if i == Intensity.INVALID else i for i in intensity]
    polarisation = [Polarisation(symbol & 3) for symbol in symbols]
    for name, codes in (("intensity", shown), ("polarisation", polarisation)):
        for place in (0, 1):
            bits = [code >> place & 1 for code in codes]
            lanes[f"{name}_{place}"] = sum(bit << slot for slot, bit in enumerate(bits))
    return lanes


@pytest.mark.parametrize("starve", [0.0, 0.3])
def test_symbols_become_lanes_and_missing_ones_are_blanked(bench, starve):
    rng = random.Random(11)
    dut = MappedSequencer()
    expected = []
    seen = []

    async def drive(ctx):
        time, port = dut.sequencer.time, dut.symbol_map.random
        for number in range(400):
            running = rng.random() < 0.8
            valid = rng.random() >= starve
            bits = rng.getrandbits(16)
            frame, cycle = rng.getrandbits(48), rng.randrange(FRAME_CYCLES)
            ctx.set(time.running, running)
            ctx.set(time.frame, frame)
            ctx.set(time.cycle, cycle)
            ctx.set(port.valid, valid)
            ctx.set(port.payload, bits)
            assert ctx.get(port.ready) == running
            nibbles = np.array([bits >> 4 * slot & 15 for slot in range(4)])
            symbols = map_random_bits(nibbles) if valid else [Intensity.INVALID << 2] * 4
            word = frame * FRAME_CYCLES + cycle
            expected.append((running, [int(s) for s in symbols], word, running and not valid))
            await ctx.tick()
            sent = dut.sequencer.sent
            running, symbols, word, blanked = expected[number]
            assert ctx.get(sent.valid) == running
            assert ctx.get(dut.sequencer.blanked) == blanked
            if running:
                assert ctx.get(sent.word) == word
                assert [ctx.get(sent.symbols[f"slot_{slot}"]) for slot in range(4)] == symbols
            seen.append({name: ctx.get(lane) for name, lane in lanes()})

    def lanes():
        names = dut.sequencer.lanes.shape().members
        return [(name, getattr(dut.sequencer.lanes, name)) for name in names]

    bench.run(dut, drive)
    idle = dict.fromkeys(seen[0], 0)
    for (running, symbols, _, _), lanes_then in zip(
        expected, seen[SEQUENCER_LATENCY - 1 :], strict=False
    ):
        assert lanes_then == (lanes_of(symbols) if running else idle)
