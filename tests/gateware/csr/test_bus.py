"""Accesses through decoders and bridges, against registers in plain Python."""

import random

import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from amaranth.sim import Simulator

from keybeam_gateware import csr

WIDTH = 32
WINDOW_BITS = 6


class Storage(csr.Register, access="rw"):
    """Holds what is written.

    value : What was written.
    """

    def __init__(self, width):
        super().__init__({"value": csr.Field(csr.action.RW, unsigned(width))})


class Clock(csr.Register, access="r"):
    """Counts cycles, in words that a single read must not tear apart."""

    value: csr.Field(csr.action.R, unsigned(3 * WIDTH))


class Block(wiring.Component):
    """Registers of 1 to 96 bits, and a clock."""

    bus: wiring.In(csr.Signature(addr_width=WINDOW_BITS, data_width=WIDTH))

    def __init__(self, widths):
        super().__init__()
        builder = csr.Builder(addr_width=WINDOW_BITS, data_width=WIDTH)
        for number, width in enumerate(widths):
            builder.add(f"storage_{number}", Storage(width))
        self._clock = builder.add("clock", Clock())
        self._bridge = csr.Bridge(builder.as_memory_map())
        self.bus.memory_map = self._bridge.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = self._bridge
        connect(m, flipped(self.bus), self._bridge.bus)
        cycles = Signal(WIDTH)
        m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += self._clock.f.value.r_data.eq(cycles.replicate(3))
        return m


class Board(wiring.Component):
    """Two blocks, behind some decoders in a row."""

    def __init__(self, levels, generator):
        self.parts = []
        widths = [[generator.randint(1, 96) for _ in range(count)] for count in (13, 3)]
        bits = WINDOW_BITS + 1
        decoder = csr.Decoder(addr_width=bits, data_width=WIDTH)
        for number, of_block in enumerate(widths):
            block = Block(of_block)
            decoder.add(block.bus, name=f"block_{number}", addr=number << WINDOW_BITS)
            self.parts.append(block)
        self.parts.append(decoder)
        for _ in range(levels - 1):
            bits += 1
            outer = csr.Decoder(addr_width=bits, data_width=WIDTH)
            outer.add(decoder.bus, name="inner", addr=1 << (bits - 1))
            decoder = outer
            self.parts.append(decoder)
        super().__init__({"bus": wiring.In(csr.Signature(addr_width=bits, data_width=WIDTH))})
        self.bus.memory_map = decoder.bus.memory_map

    def elaborate(self, platform):
        m = Module()
        for number, part in enumerate(self.parts):
            m.submodules[f"part_{number}"] = part
        connect(m, flipped(self.bus), self.parts[-1].bus)
        return m


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_registers_hold_what_is_written_and_are_read_whole(levels):
    print("seed", levels)
    generator = random.Random(levels)
    board = Board(levels, generator)
    latency = csr.Bridge.LATENCY + levels * csr.Decoder.LATENCY
    places = [
        (info.start, info.end, info.resource) for info in board.bus.memory_map.all_resources()
    ]
    holds = {start: 0 for start, _, register in places if isinstance(register, Storage)}

    async def access(ctx, address, value=None):
        """Write `value`, or read; read data must stand in one cycle only."""
        ctx.set(board.bus.addr, address)
        ctx.set(board.bus.w_data, generator.getrandbits(WIDTH) if value is None else value)
        strobe = board.bus.r_stb if value is None else board.bus.w_stb
        ctx.set(strobe, 1)
        await ctx.tick()
        ctx.set(strobe, 0)
        seen = [ctx.get(board.bus.r_data)]
        for _ in range(latency):
            await ctx.tick()
            seen.append(ctx.get(board.bus.r_data))
        assert not any(word for place, word in enumerate(seen) if place != latency - 1)
        return seen[latency - 1]

    async def bench(ctx):
        for _ in range(150):
            start, end, register = generator.choice(places)
            if isinstance(register, Clock):
                words = [await access(ctx, address) for address in range(start, end)]
                assert words == [words[0]] * 3 + [0]  # four addresses, a power of two
                assert words[0] > 0
            elif generator.random() < 0.5:
                width = register.f.value.data.shape().width
                holds[start] = value = generator.getrandbits(width)
                for number in range(end - start):
                    await access(ctx, start + number, value >> WIDTH * number & (1 << WIDTH) - 1)
            else:
                words = [await access(ctx, address) for address in range(start, end)]
                got = sum(word << WIDTH * number for number, word in enumerate(words))
                assert got == holds[start]

    simulator = Simulator(board)
    simulator.add_clock(6.4e-9)
    simulator.add_testbench(bench)
    simulator.run()
    assert any(holds.values())
