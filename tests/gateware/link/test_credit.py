"""The board sends no more records than the host has granted, and all that it has granted."""

import random

import pytest
from amaranth.hdl import Assert, Assume, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.link import CREDIT_LEAST, CREDIT_OF_FRAME, TAGS_MAXIMUM, FrameKind
from keybeam_gateware.link import credit, packer
from keybeam_gateware.link.packets import PacketStream

HALF = 1 << 31
CREDIT, PACKER = credit.__name__, packer.__name__


class GatedPacker(wiring.Component):
    """A packer behind a gate.

    Members
    -------
    items : In(stream), output : Out(PacketStream)
        Of the packer.
    grant : In(32), written : In(1), granted : Out(32)
        Of the gate.
    spent : Out(32)
        Of the packer.
    """

    def __init__(self, *, item_bits=8, depth=64, flush_cycles=40, gate=None, pack=None):
        self._gate = (gate or credit).CreditGate()
        self._packer = (pack or packer).Packer(
            kind=FrameKind.TAGS,
            item_bits=item_bits,
            maximum=TAGS_MAXIMUM,
            depth=depth,
            flush_cycles=flush_cycles,
            numbered=True,
        )
        super().__init__(
            {
                "items": In(self._packer.items.signature.flip()),
                "output": Out(PacketStream),
                "grant": In(32),
                "written": In(1),
                "granted": Out(32),
                "spent": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.gate, m.submodules.packer = gate, pack = self._gate, self._packer
        connect(m, flipped(self.items), pack.items)
        connect(m, pack.output, flipped(self.output))
        m.d.comb += [
            gate.grant.eq(self.grant),
            gate.written.eq(self.written),
            gate.spent.eq(pack.spent),
            pack.allowed.eq(gate.allowed),
            self.granted.eq(gate.granted),
            self.spent.eq(pack.spent),
        ]
        return m


class NeverBeyondTheCredit(Elaboratable):
    """All that was ever spent is at most all that was ever granted, whatever the host writes.

    Both are added up here without modulus: 40 bits do not turn over in the cycles looked at.
    """

    def __init__(self, **parts):
        self._parts = parts

    def elaborate(self, platform):
        m = Module()
        m.submodules.device = device = GatedPacker(**self._parts)
        m.d.comb += [
            device.items.valid.eq(AnySeq(1)),
            device.output.ready.eq(AnySeq(1)),
            device.written.eq(AnySeq(1)),
            device.grant.eq(AnySeq(32)),
        ]
        granted, spent = (Signal(40, name=name) for name in ("all_granted", "all_spent"))
        more, cost = Signal(32), Signal(32)
        m.d.comb += [more.eq(device.granted - granted), cost.eq(device.spent - spent)]
        m.d.sync += [granted.eq(granted + more), spent.eq(spent + cost)]
        m.d.comb += [
            Assume(~granted[-1]),
            Assert(~more[-1]),
            Assert(spent <= granted),
            Cover(spent == CREDIT_LEAST),
            Cover((spent != 0) & (granted - spent < CREDIT_LEAST)),
        ]
        return m


OPTIONS = {"item_bits": 8, "depth": 64, "flush_cycles": 4}


def test_sent_never_exceeds_what_was_granted(tmp_path):
    proof = NeverBeyondTheCredit(**OPTIONS)
    assert_proved(proof, depth=8, folder=tmp_path, engine="smtbmc yices")


def test_credit_can_be_used_up(tmp_path):
    assert_reached(
        NeverBeyondTheCredit(**OPTIONS), depth=60, folder=tmp_path, engine="smtbmc yices"
    )


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (CREDIT, "left[exact_log2(CREDIT_LEAST) :].any()", "left.any()"),
        (CREDIT, "compared & ~ahead[-1]", "compared"),
        (PACKER, "(enough | due) & self.allowed", "(enough | due)"),
        (PACKER, "self.spent + items_left + CREDIT_OF_FRAME", "self.spent - items_left"),
    ],
)
def test_planted_faults_are_caught(tmp_path, module, old, new):
    faulty = mutated(module, old, new)
    parts = {"gate": faulty} if module == CREDIT else {"pack": faulty}
    assert_refuted(
        NeverBeyondTheCredit(**OPTIONS, **parts), depth=40, folder=tmp_path, engine="smtbmc yices"
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_item_arrives_within_random_grants(bench, seed):
    """Grants that are lost, repeated or late neither stop the frames for good nor add any."""
    device = GatedPacker(item_bits=64)
    generator = random.Random(seed)
    items = [generator.getrandbits(64) for _ in range(400)]
    packets = []

    async def feed(ctx):
        await bench.send(ctx, device.items, items, bench.pauses(seed, 0.3))

    async def grant(ctx):
        newest, sent = 0, []
        while sum(map(item_count, packets)) < len(items):
            newest = max(newest, min(ctx.get(device.spent) + 100, newest + generator.randrange(80)))
            sent.append(newest)
            value = generator.choice([newest, newest, generator.choice(sent[-5:])])
            ctx.set(device.grant, value)
            ctx.set(device.written, generator.random() < 0.7)
            await ctx.tick()
            ctx.set(device.written, 0)
            await ctx.tick().repeat(generator.randrange(2, 300))
            assert ctx.get(device.granted) <= newest
            assert ctx.get(device.spent) <= ctx.get(device.granted)

    async def take(ctx):
        while sum(map(item_count, packets)) < len(items):
            frame = await bench.receive(
                ctx, device.output, 1, bench.pauses(seed + 9, 0.2), bench.is_last
            )
            packets.extend(bench.packets(frame))

    bench.run(device, feed, grant, take)
    got = [frame[at : at + 8] for frame in packets for at in range(6, len(frame), 8)]
    assert [int.from_bytes(item, "little") for item in got] == items


def item_count(frame):
    return (len(frame) - 6) // 8


def test_credit_counts_on_over_the_end_of_its_range(bench):
    device = GatedPacker()
    accepted = [HALF - 1, 2 * HALF - 2, 5]

    async def grant(ctx):
        for value in accepted:
            for each in (value, value - 1, (value + HALF) % 2**32, value):
                ctx.set(device.grant, each)
                ctx.set(device.written, 1)
                await ctx.tick()
                ctx.set(device.written, 0)
                await ctx.tick().repeat(5)
                assert ctx.get(device.granted) == value

    bench.run(device, grant)


def test_nothing_is_sent_before_the_first_grant(bench):
    device = GatedPacker(flush_cycles=20)

    async def feed(ctx):
        ctx.set(device.output.ready, 1)
        await bench.send(ctx, device.items, range(40), lambda: False)
        for granted, frames in ((CREDIT_LEAST - 1, False), (CREDIT_LEAST, True)):
            ctx.set(device.grant, granted)
            ctx.set(device.written, 1)
            await ctx.tick()
            ctx.set(device.written, 0)
            seen = False
            for _ in range(1500):
                *_, valid = await ctx.tick().sample(device.output.valid)
                seen |= bool(valid)
            assert seen == frames
        assert ctx.get(device.spent) == TAGS_MAXIMUM + CREDIT_OF_FRAME

    bench.run(device, feed)
