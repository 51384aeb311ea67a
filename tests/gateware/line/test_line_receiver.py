import random

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from keybeam.protocol.downlink import SHORT_SYNC_WORD, SYNC_WORD, FrameFlag, sync_region
from keybeam.protocol.numbers import FRAME_BITS
from keybeam_gateware.line import Framer, LineReceiver

DELAY_SAMPLES = 7


class Line(wiring.Component):
    """A framer whose line, with a short sync word, reaches a receiver shifted by part of a bit."""

    def __init__(self, sync):
        self.framer, self.receiver = Framer(), LineReceiver()
        self._sync = sync
        super().__init__({"counter": In(48)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.framer, self.receiver]
        cycle, now = Signal(range(FRAME_BITS)), Signal(40)
        samples, late = Signal(4), Signal(DELAY_SAMPLES + 4)
        m.d.sync += [cycle.eq(cycle + 1), now.eq(now + 1), late.eq(Cat(late[4:], samples))]
        m.d.comb += [
            samples.eq(self.framer.line.replicate(4)),
            self.framer.cycle.eq(cycle),
            self.framer.counter.eq(self.counter),
            self.framer.sync.eq(self._sync),
            self.framer.flags.eq(FrameFlag.RUNNING),
            self.receiver.line.eq(late[:4]),
            self.receiver.cycle.eq(now),
            self.receiver.hysteresis.eq(8),
            self.receiver.word.eq(self._sync),
            self.receiver.short.eq(1),
            self.receiver.search_tolerance.eq(2),
            self.receiver.lock_tolerance.eq(4),
            self.receiver.verify_frames.eq(0),
            self.receiver.flywheel_frames.eq(1),
        ]
        return m


@pytest.mark.parametrize(
    ("word", "bits"), [(SYNC_WORD, 64), (0x2E1B, 16 * 4), (SHORT_SYNC_WORD, 32)]
)
def test_only_words_with_an_edge_to_take_the_time_from_are_sync_words(word, bits):
    if word == 0x2E1B:
        with pytest.raises(ValueError, match="must begin with 1 to 7 zeros"):
            sync_region(word, bits)
    else:
        assert sync_region(word, bits) >> (64 - bits) == word


def test_what_one_end_sends_the_other_receives(bench):
    rng = random.Random(32)
    dut = Line(sync_region(SHORT_SYNC_WORD, 32))
    sent = rng.randbytes(900)
    seen = {"headers": [], "good": 0, "bad": 0, "events": 0}

    async def frames(ctx):
        ctx.set(dut.counter, 0xFEDC_BA98_7654)
        for _ in range(2 * FRAME_BITS + 900):
            ports = dut.receiver
            _, _, header, valid, counter, flags, good, bad, event = await ctx.tick().sample(
                ports.header,
                ports.header_valid,
                ports.counter,
                ports.flags,
                ports.good,
                ports.bad,
                ports.event,
            )
            if header:
                seen["headers"].append((bool(valid), counter, flags))
            seen["good"] += good
            seen["bad"] += bad
            seen["events"] += event

    async def payload(ctx):
        await bench.send(ctx, dut.framer.payload, list(sent), lambda: False)

    received = []

    async def message(ctx):
        received.extend(await bench.receive(ctx, dut.receiver.message, len(sent), lambda: False))

    bench.run(dut, frames, message, background=[payload])
    assert seen["headers"] == [(True, 0xFEDC_BA98_7654, FrameFlag.RUNNING)] * 3
    assert (seen["good"], seen["bad"], seen["events"]) == (2, 0, 3)
    assert bytes(received) == sent
