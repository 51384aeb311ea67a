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
from keybeam_gateware.receiver.markers import EPOCH_UNIT_BITS, EpochSource, FenceSource
from keybeam_gateware.receiver.merge import TimeOrderedMerge

LATENCY = 24
SOURCES = 4
PIPELINE = 16
"""More cycles than the merge itself takes."""


class Bench:
    """A merge with sources that are lists of records, each shown some time after its time.

    A record's body is its time, its higher bits are its number among all that were given. Some are
    followed by a record without a time, marked by the highest bit.
    """

    FOLLOWS = 1 << 63

    def __init__(self, seed, rate, first_cycle, ready, following=0.0):
        self.random = random.Random(seed)
        self.dut = TimeOrderedMerge(sources=len(rate), latency=LATENCY)
        self.rate, self.now, self.ready = rate, first_cycle, ready
        self.following = following
        self.queues = [[] for _ in rate]
        self.given, self.taken = [], []
        self.shown_at = [0] * len(rate)
        self.offered = None
        self.made, self.bodies = 0, {}
        self.early = 4

    def make(self, source, cycle, fine=None):
        """Have a source make a record of this cycle, or earlier by no more than its promise."""
        fine = self.random.randrange(1 << 14) if fine is None else fine
        # Within a source times do not run backwards; visible in time for the promise.
        self.shown_at[source] = max(
            self.shown_at[source], cycle + self.random.randrange(LATENCY - 4)
        )
        key = self.now % (1 << 40) << COARSE_SHIFT | fine
        number = len(self.given)
        self.given.append((self.now << COARSE_SHIFT | fine, source))
        queue = self.queues[source]
        queue.append((self.shown_at[source], number << 54 & self.FOLLOWS - 1 | key, 0))
        self.made += 1
        if self.random.random() < self.following:
            self.made += 1
            # Its body is no time.
            body = self.random.randrange(1 << 54)
            self.bodies[body] = number
            queue.append((self.shown_at[source], self.FOLLOWS | body, 1))

    async def step(self, ctx, cycle, *, enable=True, make=True):
        dut = self.dut
        while self.early:
            # What is behind the number of the cycle has to follow it first.
            ctx.set(dut.cycle, (self.now - self.early) % (1 << 40))
            self.early -= 1
            await ctx.tick()
        ctx.set(dut.cycle, self.now % (1 << 40))
        ctx.set(dut.enable, enable)
        for source, queue in enumerate(self.queues):
            if make and self.random.random() < self.rate[source]:
                self.make(source, cycle)
            head = dut.heads[source]
            show = bool(queue) and queue[0][0] <= cycle
            ctx.set(head.valid, show)
            if show:
                ctx.set(head.payload.record, queue[0][1])
                ctx.set(head.payload.follows, queue[0][2])
        ready = self.random.random() < self.ready
        ctx.set(dut.records.ready, ready)
        heads = [port for head in dut.heads for port in (head.valid, head.ready)]
        _, _, valid, record, *heads = await ctx.tick().sample(
            dut.records.valid, dut.records.payload, *heads
        )
        assert self.offered is None or (valid and record == self.offered)
        self.offered = record if valid and not ready else None
        if valid and ready:
            self.taken.append((cycle, record))
        for queue, shown, takes in zip(self.queues, heads[::2], heads[1::2], strict=True):
            if shown and takes:
                queue.pop(0)
        self.now += 1

    def expected(self):
        """Low bits of the records in their order."""
        order = sorted(range(len(self.given)), key=lambda number: (*self.given[number], number))
        return [(number, self.given[number][0] & BODY_MASK) for number in order]

    def found(self):
        """Numbers and times of what came out; what follows must be behind its own."""
        timed, last = [], None
        for _, record in self.taken:
            if record & self.FOLLOWS:
                assert self.bodies[record & BODY_MASK] == last, "it follows another"
                last = None
                continue
            time = record & BODY_MASK
            # Numbers are cut to nine bits.
            timed.append((record >> 54, time))
            last = self.number(timed)
        return timed

    def number(self, timed):
        """Whole number of the last one, by its place in the order."""
        return self.order[len(timed) - 1] if len(timed) <= len(self.order) else None

    def check(self):
        expected = self.expected()
        self.order = [number for number, _ in expected]
        assert self.found() == [(number & 511, time) for number, time in expected]


async def drain(merge, ctx, cycle):
    """Let everything out that was given."""
    last = cycle + 20 * merge.made + 200
    while len(merge.taken) < merge.made and cycle < last:
        await merge.step(ctx, cycle, make=False)
        cycle += 1


MIXTURES = {
    "sparse": ((0.05, 0.15, 0.0, 0.03), 1.0),
    "even": ((0.25, 0.25, 0.25, 0.24), 1.0),
    "held up": ((0.1, 0.02, 0.05, 0.03), 0.15),
    "one busy": ((1.0, 0.01, 0.0, 0.02), 0.95),
    "too much": ((0.9, 0.5, 0.7, 0.3), 0.7),
    "two": ((0.4, 0.4), 0.8),
    "three": ((0.3, 0.3, 0.3), 0.8),
    "eleven": ((0.09,) * 11, 0.97),
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_records_leave_in_the_order_of_their_times(bench, mixture):
    # The time runs over in the middle.
    (rate, ready), cycles = MIXTURES[mixture], 400
    merge = Bench(mixture, rate, (1 << 40) - cycles // 2, ready, following=0.2)

    async def testbench(ctx):
        for cycle in range(cycles):
            await merge.step(ctx, cycle)
        await drain(merge, ctx, cycles)

    bench.run(merge.dut, testbench)
    assert len(merge.given) > 50
    merge.check()


def test_silent_sources_hold_up_nobody(bench):
    merge = Bench("alone", (0, 0, 0.01, 0), 5000, 1.0)

    async def testbench(ctx):
        for cycle in range(2000):
            await merge.step(ctx, cycle)

    bench.run(merge.dut, testbench)
    assert len(merge.taken) > 10
    for cycle, record in merge.taken:
        age = 5000 + cycle - ((record & BODY_MASK) >> COARSE_SHIFT)
        assert LATENCY < age < LATENCY + PIPELINE


@pytest.mark.parametrize("busy", [(0,), (6,), (10,), (3, 4), range(11)])
def test_a_record_in_every_cycle_from_any_mixture_of_sources(bench, busy):
    count = 150
    merge = Bench(f"speed {busy}", (0.0,) * 11, 5000, 1.0)

    async def testbench(ctx):
        for cycle in range(count):
            source = busy[cycle % len(busy)] if cycle % 3 else merge.random.choice(busy)
            merge.make(source, cycle)
            await merge.step(ctx, cycle)
        await drain(merge, ctx, count)

    bench.run(merge.dut, testbench)
    merge.check()
    cycles = [cycle for cycle, _ in merge.taken]
    assert {b - a for a, b in pairwise(cycles)} == {1}


def test_all_sources_at_once_and_at_one_time_leave_in_their_order_without_a_pause(bench):
    merge = Bench("at once", (0.0,) * 11, 5000, 1.0)

    async def testbench(ctx):
        for cycle in range(120):
            if cycle % 12 == 0:
                for source in merge.random.sample(range(11), 11):
                    merge.make(source, cycle, fine=7)
            await merge.step(ctx, cycle)
        await drain(merge, ctx, 120)

    bench.run(merge.dut, testbench)
    merge.check()
    cycles = [cycle for cycle, _ in merge.taken]
    # Eleven behind each other, then a cycle's pause.
    assert [b - a for a, b in pairwise(cycles)] == (10 * [1] + [2]) * 9 + 10 * [1]


def test_disabled_merge_throws_records_away_at_full_speed(bench):
    merge = Bench("off", (0.2, 0.2, 0.2, 0.2), 5000, 0.0)

    async def testbench(ctx):
        for cycle in range(300):
            await merge.step(ctx, cycle, enable=False)
        assert sum(map(len, merge.queues)) < 2 * LATENCY
        merge.ready = 1.0
        for cycle in range(300, 400):
            await merge.step(ctx, cycle, enable=True)

    bench.run(merge.dut, testbench)
    # Only what is younger than the time of switching on, less the latency, comes out.
    assert merge.taken
    for _, record in merge.taken:
        assert (record & BODY_MASK) >> COARSE_SHIFT > 5000 + 300 - 2 * LATENCY


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
            epoch.cycle.eq(self.cycle),
            epoch.period.eq(self.period),
            fence.cycle.eq(self.cycle),
            fence.request.eq(self.request),
            fence.value.eq(self.value),
            merge.cycle.eq(self.cycle),
            merge.enable.eq(1),
            self.waiting.eq(fence.waiting),
        ]
        connect(m, epoch.head, merge.heads[0])
        connect(m, fence.head, merge.heads[1])
        connect(m, merge.records, flipped(self.records))
        return m


def test_epochs_are_periodic_and_a_fence_stands_where_it_was_asked_for(bench):
    dut = Markers()
    cycles = 7 << EPOCH_UNIT_BITS
    asked = {1500: 11, 1501: 12, 2048: 13, 6000: 14}
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
    # The request of 12 came before 11 was taken; equal times: EPOCH first.
    fence = {value: (RecordType.FENCE, value) for value in asked.values()}
    assert seen == [epoch[0], fence[11], epoch[1], fence[13], epoch[2], fence[14], epoch[3]]
    assert all(record >> CHANNEL_SHIFT & 63 == 0 for record in records)
