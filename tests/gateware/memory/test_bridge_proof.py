"""No queue of the crossing is ever written while it is full: proved, with faults planted."""

import pytest
from amaranth.hdl import (
    Assert,
    Assume,
    Cover,
    DomainRenamer,
    Elaboratable,
    Fragment,
    Module,
    Signal,
)
from amaranth.hdl._ast import AnySeq
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import SyncFIFO
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam_gateware.memory import bridge

BRIDGE = "keybeam_gateware.memory.bridge"


class WatchedCrossing(Elaboratable):
    """What may be seen of the crossing from the side that writes.

    It learns late that words were taken out, so it takes the crossing for fuller than it is, and
    its level is a register behind.
    """

    def __init__(self, shape, *, depth):
        self._depth = depth
        self.word, self.write = Signal(shape), Signal()
        self.output = stream.Signature(shape).create()
        self.level, self.seen, self.inside = (Signal(range(depth + 1)) for _ in range(3))

    def elaborate(self, platform):
        m = Module()
        output = self.output
        learned = Signal.like(self.seen)
        m.d.comb += [
            output.valid.eq((self.inside != 0) & AnySeq(1)),
            output.payload.as_value().eq(AnySeq(len(output.payload.as_value()))),
            learned.eq(AnySeq(len(learned))),
            Assume(learned <= self.seen - self.inside),
        ]
        m.d.sync += [
            self.inside.eq(self.inside + self.write - (output.valid & output.ready)),
            self.seen.eq(self.seen + self.write - learned),
            self.level.eq(self.seen),
        ]
        return m


class QueuesProof(Elaboratable):
    """A request that was taken, and the data of a write, always find room."""

    def __init__(self, monkeypatch, module=bridge):
        self._crossings, self._queues = crossings, queues = [], []

        def keep(kind, into):
            def made(*arguments, **options):
                into.append(kind(*arguments, **options))
                return into[-1]

            return made

        monkeypatch.setattr(module, "Crossing", keep(WatchedCrossing, crossings))
        monkeypatch.setattr(module, "SyncFIFO", keep(SyncFIFO, queues))
        monkeypatch.setattr(module, "SyncFIFOBuffered", keep(SyncFIFO, queues))
        monkeypatch.setattr(
            module, "FFSynchronizer", lambda i, o: FFSynchronizer(i, o, reset_less=False)
        )
        monkeypatch.setattr(module, "_WRITES", 2)
        monkeypatch.setattr(module, "_WAITING", 4)
        self._bridge = module.LineBridge(4, 1, 4)

    def elaborate(self, platform):
        m = Module()
        bridge = self._bridge
        # At once, since it makes the queues that are looked into.
        m.submodules.bridge = Fragment.get(DomainRenamer({"dram": "sync"})(bridge), platform)
        port, native = bridge.port, bridge.native
        for inward in (
            port.write.enable,
            port.write.address,
            port.write.line,
            port.read.enable,
            port.read.address,
            native.command.ready,
            native.write.ready,
            native.read.valid,
            native.read.payload,
            bridge.initialised,
            bridge.passed,
        ):
            m.d.comb += inward.eq(AnySeq(len(inward)))
        crossing = self._crossings[0]
        m.d.comb += [
            Assert(~crossing.write | (crossing.seen < 16)),
            Cover(crossing.seen == 12),
            # Only what excludes states that are never reached.
            Assert(crossing.inside <= crossing.seen),
            Assert(crossing.seen <= 16),
        ]
        for queue in self._queues:
            m.d.comb += [Assert(queue.level <= queue.depth)]
        writes = self._queues[1]
        taken = native.command.valid & native.command.ready & native.command.payload.write
        m.d.comb += [Assert(~taken | writes.w_rdy), Cover(~writes.w_rdy)]
        return m


def test_queues_are_never_written_while_full(monkeypatch, tmp_path):
    assert_proved(QueuesProof(monkeypatch), depth=6, folder=tmp_path)


def test_queues_can_be_full(monkeypatch, tmp_path):
    assert_reached(QueuesProof(monkeypatch), depth=24, folder=tmp_path)


FAULTS = {
    "requests are taken without a margin": ("_MARGIN = 8", "_MARGIN = 0"),
    "a write does not wait for room for its data": (
        "fits = ~request.write | writes.w_rdy",
        "fits = ~request.write | 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught(monkeypatch, tmp_path, fault):
    faulty = mutated(BRIDGE, *FAULTS[fault])
    proof = QueuesProof(monkeypatch, faulty)
    assert_refuted(proof, depth=28, folder=tmp_path, engine="smtbmc yices")
