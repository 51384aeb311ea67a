import random
from itertools import pairwise

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.records import (
    BODY_MASK,
    CHANNEL_SHIFT,
    COARSE_SHIFT,
    TYPE_SHIFT,
    RecordType,
)
from keybeam_gateware.receiver.events import HeadSignature
from keybeam_gateware.receiver.markers import EPOCH_UNIT_BITS, EpochSource, FenceSource
from keybeam_gateware.receiver.merge import TimeOrderedMerge

LATENCY = 24
SOURCES = 4


class Bench:
    """A merge with sources that are lists of records, each shown some time after its time."""

    def __init__(self, seed, rate, first_cycle, ready):
        self.random = random.Random(seed)
        self.dut = TimeOrderedMerge(sources=SOURCES, latency=LATENCY)
        self.rate, self.now, self.ready = rate, first_cycle, ready
        self.queues = [[] for _ in range(SOURCES)]
        self.given, self.taken = [], []
        self.shown_at = [0] * SOURCES
        self.popped = [-9] * SOURCES
        self.offered = None

    async def step(self, ctx, cycle, *, enable=True, make=True):
        dut = self.dut
        ctx.set(dut.cycle, self.now % (1 << 40))
        ctx.set(dut.enable, enable)
        for source, queue in enumerate(self.queues):
            if make and self.random.random() < self.rate[source]:
                key = self.now % (1 << 40) << COARSE_SHIFT | self.random.randrange(1 << 14)
                # Within a source times do not run backwards; visible in time for the promise.
                self.shown_at[source] = max(
                    self.shown_at[source], cycle + self.random.randrange(LATENCY - 4)
                )
                queue.append((self.shown_at[source], key, len(self.given)))
                self.given.append((self.now << COARSE_SHIFT | key & 0x3FFF, source))
            head = dut.heads[source]
            show = queue and queue[0][0] <= cycle and cycle >= self.popped[source] + 2
            ctx.set(head.valid, bool(show))
            if show:
                ctx.set(head.key, queue[0][1])
                ctx.set(head.record, queue[0][2])
        ready = self.random.random() < self.ready
        ctx.set(dut.records.ready, ready)
        ports = [head.pop for head in dut.heads]
        _, _, valid, record, *pops = await ctx.tick().sample(
            dut.records.valid, dut.records.payload, *ports
        )
        assert self.offered is None or (valid and record == self.offered)
        self.offered = record if valid and not ready else None
        if valid and ready:
            self.taken.append((cycle, record))
        for source, pop in enumerate(pops):
            if pop:
                assert ctx.get(dut.heads[source].valid)
                self.queues[source].pop(0)
                self.popped[source] = cycle
        self.now += 1


@pytest.mark.parametrize(
    ("rate", "ready"),
    [
        ((0.02, 0.05, 0.0, 0.01), 1.0),
        ((0.06, 0.06, 0.06, 0.06), 1.0),
        ((0.1, 0.02, 0.05, 0.03), 0.15),
    ],
)
def test_records_leave_in_the_order_of_their_times(bench, rate, ready):
    # The time runs over in the middle.
    merge = Bench(f"{rate}", rate, (1 << 40) - 1000, ready)

    async def testbench(ctx):
        for cycle in range(3000):
            await merge.step(ctx, cycle)
        cycle = 3000
        while len(merge.taken) < len(merge.given):
            await merge.step(ctx, cycle, make=False)
            cycle += 1

    bench.run(merge.dut, testbench)
    order = sorted(range(len(merge.given)), key=lambda number: (*merge.given[number], number))
    assert len(order) > 200
    assert [record for _, record in merge.taken] == order


def test_silent_sources_hold_up_nobody(bench):
    merge = Bench("alone", (0, 0, 0.01, 0), 5000, 1.0)

    async def testbench(ctx):
        for cycle in range(2000):
            await merge.step(ctx, cycle)

    bench.run(merge.dut, testbench)
    assert len(merge.taken) > 10
    for cycle, record in merge.taken:
        assert LATENCY < 5000 + cycle - (merge.given[record][0] >> COARSE_SHIFT) < LATENCY + 24


def test_four_cycles_a_record(bench):
    merge = Bench("speed", (1, 0, 0, 0), 5000, 1.0)

    async def testbench(ctx):
        for cycle in range(800):
            await merge.step(ctx, cycle)

    bench.run(merge.dut, testbench)
    cycles = [cycle for cycle, _ in merge.taken[10:]]
    assert {b - a for a, b in pairwise(cycles)} == {4}


def test_disabled_merge_throws_records_away_at_full_speed(bench):
    merge = Bench("off", (0.05, 0.05, 0.05, 0.05), 5000, 0.0)

    async def testbench(ctx):
        for cycle in range(1000):
            await merge.step(ctx, cycle, enable=False)
        assert sum(map(len, merge.queues)) < 20
        merge.ready = 1.0
        for cycle in range(1000, 1100):
            await merge.step(ctx, cycle, enable=True)

    bench.run(merge.dut, testbench)
    # Only what is younger than the time of switching on, less the latency, comes out.
    assert merge.taken
    for _, record in merge.taken:
        assert merge.given[record][0] >> COARSE_SHIFT > 5000 + 1000 - 2 * LATENCY


class Markers(wiring.Component):
    """Both marker sources behind a merge."""

    cycle: In(40)
    period: In(16)
    request: In(1)
    value: In(32)
    records: Out(
        TimeOrderedMerge(sources=2, latency=LATENCY).signature.members["records"].signature
    )
    waiting: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.epoch = epoch = EpochSource()
        m.submodules.fence = fence = FenceSource()
        m.submodules.merge = merge = TimeOrderedMerge(sources=2, latency=LATENCY)
        m.d.comb += [
            epoch.period.eq(self.period),
            fence.cycle.eq(self.cycle),
            fence.request.eq(self.request),
            fence.value.eq(self.value),
            merge.cycle.eq(self.cycle),
            merge.enable.eq(1),
            self.waiting.eq(fence.head.valid),
        ]
        connect(m, epoch.head, merge.heads[0])
        connect(m, fence.head, merge.heads[1])
        connect(m, merge.records, flipped(self.records))
        return m


def test_epochs_are_periodic_and_a_fence_stands_where_it_was_asked_for(bench):
    dut = Markers()
    cycles = 7 << EPOCH_UNIT_BITS
    asked = {1500: 11, 1505: 12, 2048: 13, 6000: 14}
    found = bench.play(
        dut,
        cycles,
        [
            (dut.cycle, range(cycles)),
            (dut.period, [2] * cycles),
            (dut.records.ready, [1] * cycles),
            (dut.request, [cycle in asked for cycle in range(cycles)]),
            (dut.value, [asked.get(cycle, 0) for cycle in range(cycles)]),
        ],
        {"valid": dut.records.valid, "record": dut.records.payload},
    )
    records = [record for valid, record in zip(found.valid, found.record, strict=True) if valid]
    seen = [(record >> TYPE_SHIFT, record & BODY_MASK) for record in records]
    epoch = [(RecordType.EPOCH, n << EPOCH_UNIT_BITS << COARSE_SHIFT) for n in range(0, 7, 2)]
    # The request of 12 came while 11 was waiting; equal times: EPOCH first.
    fence = {value: (RecordType.FENCE, value) for value in asked.values()}
    assert seen == [epoch[0], fence[11], epoch[1], fence[13], epoch[2], fence[14], epoch[3]]
    assert all(record >> CHANNEL_SHIFT & 63 == 0 for record in records)


def test_heads_have_the_width_of_records():
    assert HeadSignature().members["record"].shape == 64
