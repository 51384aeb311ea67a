"""Proofs of the choice of origin: words are of the origin in use, and live only if all are."""

import pytest
from amaranth.hdl import Assert, Cat, Const, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from amaranth.lib import data
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.modes import InjectedFault, RandomOrigin
from keybeam_gateware.randomness.injection import FaultInjector
from keybeam_gateware.randomness.origin import OriginSelector

ENGINE = "smtbmc yices"

# What the words of the proof say of themselves: their origin, and whether each chip's was live.
TAG = data.StructLayout(
    {"a": 1, "b": 1, "host": 1, "ring": 1, "live_a": 1, "live_b": 1, "rest": 10}
)
SHOWN = {
    RandomOrigin.CHIP_A: 0b0001,
    RandomOrigin.CHIP_B: 0b0010,
    RandomOrigin.BOTH: 0b0011,
    RandomOrigin.HOST: 0b0100,
    RandomOrigin.RING: 0b1000,
}


class TellsTheTruth(Elaboratable):
    """Words that tell where they come from and whether they are live."""

    def __init__(self, selector=OriginSelector):
        self._selector = selector

    def elaborate(self, platform):
        m = Module()
        selector = self._selector()
        self._rows = {
            name: [queue._memory.read_port(domain="comb") for _ in range(queue._depth)]
            for queue, name in zip(selector._queues, "ab", strict=True)
        }
        m.submodules.selector = selector
        live_a, live_b = AnySeq(1), AnySeq(1)
        words = {
            "a": (Cat(Const(0b0001, 4), live_a), live_a),
            "b": (Cat(Const(0b0010, 5), live_b), live_b),
            "ring": (Const(0b1000, 4), AnySeq(1)),
        }
        for name, (bits, live) in words.items():
            m.d.comb += [
                getattr(selector, name).bits.eq(bits),
                getattr(selector, name).live.eq(live),
                getattr(selector, f"{name}_valid").eq(AnySeq(1)),
            ]
        m.d.comb += [
            selector.host.payload.bits.eq(0b0100),
            selector.host.payload.live.eq(AnySeq(1)),
            selector.host.valid.eq(AnySeq(1)),
            selector.room.eq(AnySeq(1)),
            selector.stop.eq(AnySeq(1)),
            selector.asked.eq(AnySeq(3)),
        ]
        tag, shown, live = Signal(TAG), Signal(4), Signal()
        m.d.comb += [tag.eq(selector.word.bits), live.eq(selector.word.live)]
        valid = selector.word_valid & ~selector.flush
        with m.Switch(selector.in_use):
            for origin, value in SHOWN.items():
                with m.Case(origin):
                    m.d.comb += shown.eq(value)
        m.d.comb += [
            Assert(~valid | (tag.as_value()[:4] == shown)),
            # Live: of chips only, and of live words of every chip in it.
            Assert(~(valid & live) | (shown[:2].any() & ~shown[2:].any())),
            Assert(~(valid & live & shown[0]) | tag.live_a),
            Assert(~(valid & live & shown[1]) | tag.live_b),
            Cover(valid & live & (shown == SHOWN[RandomOrigin.BOTH])),
            Cover(valid & (shown == SHOWN[RandomOrigin.HOST])),
        ]
        # For the induction: a change begins with the longest wait, and stops words at once.
        whole = selector._left.all()
        m.d.comb += [
            Assert(selector._changing | whole),
            Assert(~selector._changing | whole | ~selector.word_valid),
        ]
        for queue, following, name in zip(selector._queues, selector._next, "ab", strict=True):
            self._inside(m, queue, following, name)
        return m

    def _inside(self, m, queue, following, name):
        """What holds in the queues of the pairs, for the induction."""
        stored, depth = queue._stored, queue._depth
        other = "ab".replace(name, "")
        words = [following.output.payload, following.spare]
        valid = [following.output.valid, following.spare_valid]
        words += [queue._entered_word, queue._fetched, queue._nearer, *queue._queue]
        valid += [queue._entered, queue._fetched_valid, queue._nearer_valid]
        valid += list(queue._holding)
        for address, port in enumerate(self._rows[name]):
            offset = Signal(range(depth), name=f"offset_{name}_{address}")
            m.d.comb += [port.addr.eq(address), offset.eq(address - queue._read_address)]
            words.append(port.data)
            valid.append(offset < stored)
        for word, is_valid in zip(words, valid, strict=True):
            tag = data.View(TAG, word.bits)
            is_own = word.bits[:4] == SHOWN[RandomOrigin[f"CHIP_{name.upper()}"]]
            is_marked = (tag[f"live_{name}"] == word.live) & ~tag[f"live_{other}"]
            m.d.comb += Assert(~is_valid | (is_own & is_marked))
        bits = len(queue._read_address)
        m.d.comb += [
            Assert(stored[:bits] == (queue._write_address - queue._read_address)[:bits]),
            Assert(queue.level == stored + queue._outstanding + queue._left),
            Assert(queue.level + queue._entered <= depth),
            Assert(~queue._room | (queue.level + queue._entered < depth)),
            Assert(~queue._some | (stored != 0)),
            Assert(queue._outstanding <= len(queue._queue)),
            Assert((queue._holding & (queue._holding + 1)) == 0),
            Assert(
                queue._outstanding
                == sum(queue._holding) + queue._nearer_valid + queue._fetched_valid
            ),
        ]


class InjectionIsNeverLive(Elaboratable):
    """A word is live only if its bits are those of the source, and no fault was injected."""

    def __init__(self, injector=FaultInjector):
        self._injector = injector

    def elaborate(self, platform):
        m = Module()
        m.submodules.injector = injector = self._injector()
        injection = injector.injection
        m.d.comb += [
            injection.eq(AnySeq(len(injection.as_value()))),
            injector.raw.eq(AnySeq(16)),
            injector.raw_valid.eq(AnySeq(1)),
        ]
        raw, fault = Signal(16), Signal(3)
        m.d.sync += [raw.eq(injector.raw), fault.eq(injection.fault)]
        clean = (fault == InjectedFault.NONE) & (injector.word.bits == raw)
        m.d.comb += [
            Assert(~(injector.word_valid & injector.word.live) | clean),
            Cover(injector.word_valid & injector.word.live & (raw == 0x1234)),
        ]
        return m


def test_words_are_of_the_origin_in_use_and_live_only_if_all_are(tmp_path):
    assert_proved(TellsTheTruth(), depth=2, folder=tmp_path, engine=ENGINE)
    assert_reached(TellsTheTruth(), depth=19, folder=tmp_path, engine=ENGINE)


def test_a_word_with_an_injected_fault_is_never_live(tmp_path):
    assert_proved(InjectionIsNeverLive(), depth=2, folder=tmp_path, engine=ENGINE)
    assert_reached(InjectionIsNeverLive(), depth=4, folder=tmp_path, engine=ENGINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("first.payload.live & second.payload.live", "first.payload.live | second.payload.live"),
        (
            "self.word.bits.eq(self.ring.bits),\n                    self.word.live.eq(0)",
            "self.word.eq(self.ring)",
        ),
        (
            "self.word.bits.eq(self.host.payload.bits),\n                    self.word.live.eq(0)",
            "self.word.eq(self.host.payload)",
        ),
        ("self.flush.eq(changing | self.stop)", "self.flush.eq(self.stop)"),
    ],
    ids=["half live", "live ring", "live host", "no flush"],
)
def test_planted_faults_are_caught(tmp_path, old, new):
    faulty = mutated("keybeam_gateware.randomness.origin", old, new)
    assert_refuted(TellsTheTruth(faulty.OriginSelector), depth=19, folder=tmp_path, engine=ENGINE)


def test_a_late_mark_of_an_injection_is_caught(tmp_path):
    faulty = mutated(
        "keybeam_gateware.randomness.injection",
        "self.word.live.eq(~self.active)",
        "self.word.live.eq(1)",
    )
    assert_refuted(
        InjectionIsNeverLive(faulty.FaultInjector), depth=6, folder=tmp_path, engine=ENGINE
    )
