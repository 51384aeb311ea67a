import random
from itertools import pairwise

import numpy as np
import pytest

from keybeam.protocol.records import (
    BODY_MASK,
    CHANNEL_SHIFT,
    TYPE_SHIFT,
    Channel,
    RecordType,
)
from keybeam_gateware.receiver.channel_fifo import ChannelFifo

DEPTH = 64


class Queue:
    """A channel FIFO under test: what went in, and the records that came out."""

    def __init__(self, event_type=RecordType.TAG, channel=Channel.D, depth=DEPTH):
        self.dut = ChannelFifo(channel=channel, event_type=event_type, depth=depth)
        self.given = []
        self.records = []
        self.counts = {"arrived": 0, "dropped": 0, "taken": 0, "gap_began": 0}
        self.now, self.key, self.popped = 100, 0, []

    async def step(self, ctx, *, event=None, pop=False, attach=None):
        """One cycle, with an event of this weight or none."""
        dut = self.dut
        ctx.set(dut.events.valid, event is not None)
        ctx.set(dut.events.horizon, self.now)
        if event is not None:
            ctx.set(dut.events.weight, event)
            ctx.set(dut.events.coarse, self.now)
            ctx.set(dut.events.fine, self.now % 4 << 12)
            self.given.append((self.now << 14 | self.now % 4 << 12, event))
        ctx.set(dut.attach, attach is not None)
        if attach is not None:
            ctx.set(dut.attached_body, attach)
            ctx.set(dut.attached_flag, 1)
        ctx.set(dut.head.ready, pop)
        names, head = list(self.counts), dut.head.payload
        _, _, shown, record, follows, silent, *values = await ctx.tick().sample(
            dut.head.valid,
            head.record,
            head.follows,
            head.silent,
            *(getattr(dut, name) for name in names),
        )
        for name, value in zip(names, values, strict=True):
            self.counts[name] += value
        if pop and shown:
            self.popped.append(self.now)
            if not follows:
                self.key = record & BODY_MASK
            if not silent:
                kind, channel = record >> TYPE_SHIFT, record >> CHANNEL_SHIFT & 63
                self.records.append((RecordType(kind), channel, record & BODY_MASK, self.key))
        self.now += 1

    async def drain(self, ctx):
        for _ in range(8 * DEPTH):
            await self.step(ctx, pop=True)

    def check_account(self):
        """Every event left as a record in its order, or is in the count of a gap."""
        given = iter(self.given)
        lost_of_gap = None
        merged = dropped = 0
        for kind, channel, body, _ in self.records:
            if kind == RecordType.TAG:
                assert lost_of_gap is None
                assert channel == Channel.D
                assert (body, 1) == next(given)
                merged += 1
            elif kind == RecordType.GAP_BEGIN:
                assert lost_of_gap is None
                lost_of_gap = body
            else:
                assert kind == RecordType.GAP_END
                first, weight = next(given)
                assert first == lost_of_gap
                while weight < body:
                    weight += next(given)[1]
                assert weight == body
                dropped += body
                lost_of_gap = None
        assert next(given, None) is None
        assert lost_of_gap is None
        assert self.counts["taken"] == merged
        assert self.counts["dropped"] == dropped
        assert self.counts["arrived"] == merged + dropped
        keys = [key for *_, key in self.records]
        assert keys == sorted(keys)


@pytest.mark.parametrize(("rate", "pop"), [(0.1, 0.5), (0.24, 0.24), (0.9, 0.2), (0.5, 0.02)])
def test_every_event_leaves_or_is_counted_as_lost(bench, rate, pop):
    generator = random.Random(f"{rate} {pop}")
    queue = Queue()

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        for _ in range(1500):
            event = None
            if generator.random() < rate:
                event = 2 if generator.random() < 0.02 else 1
            await queue.step(ctx, event=event, pop=generator.random() < pop)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    queue.check_account()
    assert queue.counts["dropped"] > 0


def test_an_event_in_every_cycle_leaves_in_every_cycle(bench):
    queue = Queue()

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        for _ in range(4 * DEPTH):
            await queue.step(ctx, event=1, pop=True)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    queue.check_account()
    assert queue.counts["dropped"] == 0
    assert np.diff(queue.popped).tolist() == [1] * (4 * DEPTH - 1)


def test_a_tag_in_every_cycle_is_kept_until_the_queue_of_512_is_full(bench):
    queue = Queue(depth=512)

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        while not queue.counts["gap_began"]:
            await queue.step(ctx, event=1)

    bench.run(queue.dut, testbench)
    # Eight places are in reserve.
    assert queue.counts["arrived"] - queue.counts["dropped"] == pytest.approx(512 - 8, abs=3)


def test_overflow_begins_a_gap_at_the_first_lost_event_and_recovery_ends_it(bench):
    queue = Queue()
    held = []

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        for _ in range(DEPTH + 50):
            await queue.step(ctx, event=1)
        assert ctx.get(queue.dut.in_gap)
        # Above the low-water mark nothing is recorded again, however long it lasts.
        while len(queue.records) < DEPTH // 2:
            await queue.step(ctx, event=1, pop=True)
            held.append(ctx.get(queue.dut.in_gap))
        await queue.drain(ctx)
        assert not ctx.get(queue.dut.in_gap)
        await queue.step(ctx, event=1)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    assert all(held)
    queue.check_account()
    kinds = [kind for kind, *_ in queue.records]
    kept = kinds.index(RecordType.GAP_BEGIN)
    assert kept == pytest.approx(DEPTH - 8, abs=3)
    assert kinds[kept:] == [RecordType.GAP_BEGIN, RecordType.GAP_END, RecordType.TAG]
    assert queue.counts["gap_began"] == 1


def test_event_that_stands_for_two_is_a_gap_of_two(bench):
    queue = Queue()

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        await queue.step(ctx, event=1)
        await queue.step(ctx, event=2)
        for _ in range(5):
            await queue.step(ctx)
        await queue.step(ctx, event=1)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    queue.check_account()
    kinds = [kind for kind, *_ in queue.records]
    gap = [RecordType.GAP_BEGIN, RecordType.GAP_END]
    assert kinds == [RecordType.TAG, *gap, RecordType.TAG]
    assert queue.records[2][2] == 2


def test_disabled_channel_neither_records_nor_counts(bench):
    queue = Queue()

    async def testbench(ctx):
        for _ in range(100):
            await queue.step(ctx, event=1, pop=True)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    assert queue.records == []
    assert set(queue.counts.values()) == {0}


def test_attached_frame_follows_its_sync_and_is_lost_with_it(bench):
    queue = Queue(RecordType.SYNC, Channel.SYNC)
    frames = 100

    async def testbench(ctx):
        ctx.set(queue.dut.enable, 1)
        for frame in range(frames):
            # The reader stops for a while in the middle.
            pop = not 20 <= frame < 70
            await queue.step(ctx, event=1, pop=pop)
            for _ in range(3):
                await queue.step(ctx, pop=pop)
            await queue.step(ctx, pop=pop, attach=frame)
            for _ in range(10):
                await queue.step(ctx, pop=pop)
        await queue.drain(ctx)

    bench.run(queue.dut, testbench)
    times = [time for time, _ in queue.given]
    seen = []
    for before, after in pairwise(queue.records):
        if after[0] == RecordType.FRAME:
            assert before[0] == RecordType.SYNC
            assert before[2] == times[after[2]]
            assert after[3] == before[3]
            assert after[1] == 1
            seen.append(after[2])
    syncs = [record for record in queue.records if record[0] == RecordType.SYNC]
    lost = sum(body for kind, _, body, _ in queue.records if kind == RecordType.GAP_END)
    assert len(syncs) == len(seen) == frames - lost
    assert lost > 10
