"""How a memory is started and its reading set, against a model of a memory that reads wrongly."""

import random
from collections import deque
from types import SimpleNamespace

import pytest

from keybeam_gateware.memory.initialiser import Initialiser
from keybeam_gateware.memory.program import Delays, Write, start_program

LANES, WORDS, ADDRESS_BITS = 2, 8, 6
LINE_BITS = 8 * LANES * WORDS
DELAYS = Delays(
    select=10, clear_delay=11, step_delay=12, clear_slip=13, step_slip=14, delays=8, slips=2
)
PROGRAM = [Write(1, 0x55, 7), Write(2, 0xAA, 0), Write(3, 1, 20)]


class Memory:
    """A memory whose byte lanes read right at some bit slip and some delays only."""

    def __init__(self, rng, good):
        self._rng, self._good = rng, good
        self.lines = {}
        self.setting = [SimpleNamespace(delay=3, slip=1) for _ in range(LANES)]
        self.selected = 0
        self.writes = []
        self._pending, self._reads = deque(), deque()
        self._time = 0

    def written(self, address, value):
        """A register was written."""
        self.writes.append((self._time, address, value))
        if address == DELAYS.select:
            self.selected = value
        for lane in range(LANES):
            if self.selected >> lane & 1:
                setting = self.setting[lane]
                if address == DELAYS.clear_delay:
                    setting.delay = 0
                elif address == DELAYS.step_delay:
                    setting.delay = (setting.delay + 1) % DELAYS.delays
                elif address == DELAYS.clear_slip:
                    setting.slip = 0
                elif address == DELAYS.step_slip:
                    setting.slip = (setting.slip + 1) % DELAYS.slips

    def read(self, address):
        """What the lanes give for a line as they are set."""
        line = self.lines.get(address, 0)
        for lane, setting in enumerate(self.setting):
            right = (setting.slip, setting.delay) in self._good[lane]
            if not right or self.selected:
                word = self._rng.randrange(WORDS)
                line ^= self._rng.randrange(1, 256) << 8 * (LANES * word + lane)
        return line

    def tick(self, ctx, dut):
        """Do the work of a cycle at the bus and the native port."""
        self._time += 1
        bus, native = dut.bus, dut.native
        done = ctx.get(bus.enable) and self._rng.random() < 0.5
        ctx.set(bus.done, done)
        if done:
            self.written(ctx.get(bus.address), ctx.get(bus.value))

        ctx.set(native.command.ready, self._rng.random() < 0.7)
        wants = bool(self._pending) and self._pending[0][0] <= self._time
        ctx.set(native.write.ready, wants)
        answers = bool(self._reads) and self._reads[0][0] <= self._time
        ctx.set(native.read.valid, answers)
        if answers:
            ctx.set(native.read.payload, self._reads.popleft()[1])
        if wants:
            # Data must be there when they are wanted.
            assert ctx.get(native.write.valid)
            self.lines[self._pending.popleft()[1]] = ctx.get(native.write.payload)
        if ctx.get(native.command.valid & native.command.ready):
            address = ctx.get(native.command.payload.address)
            if ctx.get(native.command.payload.write):
                self._pending.append((self._time + 4, address))
            else:
                self._reads.append((self._time + 9, self.read(address)))


def run(bench, good, delays=DELAYS):
    """Start the model; gives it and whether it passed."""
    dut = Initialiser(
        PROGRAM,
        delays,
        address_bits=ADDRESS_BITS,
        words=WORDS,
        lanes=LANES,
        short_lines=2,
        long_lines=8,
    )
    memory = Memory(random.Random(8), good)
    passed = []

    async def drive(ctx):
        ctx.set(dut.user.command.valid, 1)
        while not ctx.get(dut.initialised):
            memory.tick(ctx, dut)
            # The user has to wait meanwhile.
            assert not ctx.get(dut.user.command.ready)
            await ctx.tick()
        passed.append(ctx.get(dut.passed))
        ctx.set(dut.native.command.ready, 1)
        assert ctx.get(dut.user.command.ready) == passed[0]

    bench.run(dut, drive)
    return memory, passed[0]


def settings(slip, delays):
    return {(slip, delay) for delay in delays}


def test_middle_of_the_longest_row_is_taken(bench):
    good = [
        settings(0, [5]) | settings(1, [1, 2, 3, 4, 5]),
        settings(0, [0, 1, 2]) | settings(1, [0, 2, 4, 5, 7]),
    ]
    memory, passed = run(bench, good)
    assert passed
    assert [(one.slip, one.delay) for one in memory.setting] == [(1, 3), (0, 1)]
    assert memory.selected == 0


def test_program_is_written_first_with_its_waits(bench):
    memory, _ = run(bench, [settings(0, [0])] * LANES)
    first = memory.writes[: len(PROGRAM) + 1]
    assert [(address, value) for _, address, value in first[:-1]] == [
        (write.address, write.value) for write in PROGRAM
    ]
    for (before, *_), (after, *_), write in zip(first, first[1:], PROGRAM, strict=False):
        assert after - before > write.wait


@pytest.mark.parametrize("bad_lane", range(LANES))
def test_a_lane_that_cannot_be_read_is_told(bench, bad_lane):
    good = [settings(1, [2, 3])] * LANES
    good[bad_lane] = set()
    _, passed = run(bench, good)
    assert not passed


@pytest.mark.parametrize("works", [True, False])
def test_a_memory_without_delays_is_only_tested(bench, works):
    good = [{(1, 3)} if works else set()] * LANES
    memory, passed = run(bench, good, delays=None)
    assert passed == works
    assert len(memory.writes) == len(PROGRAM)


def test_start_sequence_becomes_register_writes():
    registers = {
        "ddrctrl_init_done": 0,
        "sdram_dfii_control": 4,
        "sdram_dfii_pi0_command": 5,
        "sdram_dfii_pi0_command_issue": 6,
        "sdram_dfii_pi0_address": 7,
        "sdram_dfii_pi0_baddress": 8,
    }
    sequence = [(0, 0, 0xC, 500, True), (0x200, 2, 0xF, 20, False)]
    assert start_program(sequence, registers, reset_wait=99) == [
        Write(4, 0, 99),
        Write(4, 0xC, 500),
        Write(7, 0x200),
        Write(8, 2),
        Write(5, 0xF),
        Write(6, 1, 20),
        Write(4, 1),
        Write(0, 1),
    ]
