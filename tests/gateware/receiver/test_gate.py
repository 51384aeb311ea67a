"""The gate against a plain model in whole numbers, and a proof that no event vanishes in it."""

import numpy as np
import pytest
from amaranth.hdl import Assert, Cover, Elaboratable, Module, Signal
from amaranth.hdl._ast import AnySeq
from proofs import assert_proved, assert_reached, assert_refuted, mutated

from keybeam.protocol.slot_phase import PHASE_AGE_CYCLES
from keybeam_gateware.pipeline import delayed
from keybeam_gateware.receiver.gate import EventGate, GateMode, MarkerWindow
from keybeam_gateware.receiver.slot_clock import SlotClock

MODULE = "keybeam_gateware.receiver.gate"
CYCLES = 1500
AGE = 20
"""Cycles from an event's time to its arrival."""


def make_events(rng, density=0.5):
    """Valid, time in fine steps and weight of every cycle; times never run backwards."""
    coarse = np.arange(CYCLES) + 5000 - AGE
    fine = rng.integers(0, 1 << 14, CYCLES)
    weight = rng.choice([1, 1, 1, 2, 3], CYCLES)
    valid = rng.random(CYCLES) < density
    # Before it, the phase is that of no cycle.
    valid[0] = False
    return valid, coarse, fine, weight


def play(bench, dut, events, **settings):
    valid, coarse, fine, weight = events
    # Until the last events have left.
    spare = EventGate.LATENCY + 1
    columns = [
        (dut.events.valid, valid),
        (dut.events.coarse, coarse),
        (dut.events.fine, fine),
        (dut.events.weight, weight),
        (dut.events.horizon, coarse - 3),
    ]
    held = [
        (getattr(dut, name), np.broadcast_to(value, CYCLES)) for name, value in settings.items()
    ]
    return bench.play(
        dut,
        CYCLES + spare,
        [
            *((port, [*map(int, values), *[0] * spare]) for port, values in columns),
            *((port, [*map(int, values), *[int(values[-1])] * spare]) for port, values in held),
        ],
        {
            "valid": dut.passed.valid,
            "coarse": dut.passed.coarse,
            "fine": dut.passed.fine,
            "weight": dut.passed.weight,
            "horizon": dut.passed.horizon,
            "rejected": dut.rejected,
            "slot_valid": dut.slot_valid,
            "slot_phase": dut.slot_phase,
        },
    )


def check(found, events, lets):
    """Compare with which events ought to pass: those that several stand for always do."""
    valid, coarse, fine, weight = events
    lets = lets | (weight > 1)
    latency = slice(EventGate.LATENCY, EventGate.LATENCY + CYCLES)
    passed = np.array(found.valid[latency], bool)
    assert np.array_equal(passed, valid & lets)
    assert np.array_equal(np.array(found.rejected[latency], bool), valid & ~lets)
    for name, column in (("coarse", coarse), ("fine", fine), ("weight", weight)):
        assert np.array_equal(np.array(getattr(found, name)[latency])[passed], column[passed])
    assert np.array_equal(found.horizon[latency], coarse - 3)
    return passed


@pytest.mark.parametrize(("mode", "lets"), [(GateMode.OPEN, True), (GateMode.SHUT, False)])
def test_open_and_shut(bench, mode, lets):
    events = make_events(np.random.default_rng(1))
    found = play(bench, EventGate(), events, mode=mode.value)
    check(found, events, np.full(CYCLES, lets))


@pytest.mark.parametrize(
    ("begin", "width"), [(1024, 2048), (3500, 1000), (0, 4096), (77, 0), (4095, 1), (0, 1)]
)
def test_window_of_the_slot(bench, begin, width):
    rng = np.random.default_rng(2)
    events = make_events(rng)
    _, _, fine, weight = events
    phase, offset = rng.integers(0, 4096, CYCLES), 700
    # Many events at the borders of the window.
    before = np.concatenate([[0], phase[:-1]])
    near = rng.integers(-2, 3, CYCLES) + np.where(rng.random(CYCLES) < 0.5, begin, begin + width)
    fine[:] = (near - before - offset) % 4096 + 4096 * rng.integers(0, 4, CYCLES)
    found = play(
        bench,
        EventGate(),
        events,
        mode=GateMode.SLOT.value,
        phase=phase,
        offset=offset,
        begin=begin,
        width=width,
    )
    slot = (before + offset + fine) % 4096
    passed = check(found, events, (slot - begin) % 4096 < width)
    if 0 < width < 4096:
        assert 50 < np.count_nonzero(passed & (weight == 1)) < CYCLES / 2
    # The histogram sees them all.
    seen = np.array(found.slot_valid[1 : 1 + CYCLES], bool)
    assert np.array_equal(seen, events[0] & (weight == 1))
    assert np.array_equal(np.array(found.slot_phase[1 : 1 + CYCLES])[seen], slot[seen])


@pytest.mark.parametrize("start", [0, (1 << 32) - 5_000_000])
def test_window_after_a_marker(bench, start):
    rng = np.random.default_rng(3)
    events = make_events(rng)
    valid, coarse, fine, _ = events
    coarse += start // (1 << 14)
    time = (coarse << 14) + fine
    begin = int(time[600])
    length = int(time[900]) - begin
    found = play(
        bench,
        EventGate(),
        events,
        mode=GateMode.MARKER.value,
        window_start=begin % (1 << 32),
        window_fresh=rng.random(CYCLES) < 0.9,
        window_length=length,
    )
    fresh = np.random.default_rng(3)
    make_events(fresh)
    check(found, events, (time >= begin) & (time < begin + length) & (fresh.random(CYCLES) < 0.9))
    assert valid[600:900].any()


def test_a_marker_opens_a_window_until_it_is_too_old(bench):
    dut = MarkerWindow(expiry_bits=10)

    async def testbench(ctx):
        ctx.set(dut.begin, 1000)
        assert not ctx.get(dut.fresh)
        for coarse, fine in ((1 << 30, 77), (3, 16383)):
            ctx.set(dut.marker.valid, 1)
            ctx.set(dut.marker.coarse, coarse)
            ctx.set(dut.marker.fine, fine)
            await ctx.tick()
            ctx.set(dut.marker.valid, 0)
            ctx.set(dut.marker.coarse, 12345)
            assert ctx.get(dut.fresh)
            assert ctx.get(dut.start) == ((coarse << 14) + fine + 1000) % (1 << 32)
            await ctx.tick().repeat(100)
        await ctx.tick().repeat((1 << 10) - 110)
        assert ctx.get(dut.fresh)
        await ctx.tick().repeat(20)
        assert not ctx.get(dut.fresh)

    bench.run(dut, testbench)


def test_the_age_that_the_host_assumes_is_that_of_the_gateware():
    assert PHASE_AGE_CYCLES == SlotClock.LATENCY + 1


class NoneLost(Elaboratable):
    """Any events, any settings, changed at any time."""

    def __init__(self, block=EventGate):
        self._block = block

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = self._block()
        free = ("mode", "phase", "offset", "begin", "width")
        free += ("window_start", "window_fresh", "window_length")
        for name in free:
            port = getattr(block, name)
            port = getattr(port, "as_value", lambda port=port: port)()
            m.d.comb += port.eq(AnySeq(len(port)))
        for name in ("valid", "coarse", "fine", "weight", "horizon"):
            port = getattr(block.events, name)
            m.d.comb += port.eq(AnySeq(len(port)))
        came = delayed(m, block.events.valid, EventGate.LATENCY)
        weight = delayed(m, block.events.weight, EventGate.LATENCY)
        ends = Signal(2)
        m.d.comb += ends.eq(block.passed.valid + block.rejected)
        m.d.comb += Assert(ends == came)
        with m.If(block.rejected):
            m.d.comb += Assert(weight == 1)
        m.d.comb += [Cover(block.rejected), Cover(block.passed.valid)]
        return m


def test_every_event_passes_or_is_told_to_have_been_left_out(tmp_path):
    assert_proved(NoneLost(), depth=6, folder=tmp_path)
    assert_reached(NoneLost(), depth=8, folder=tmp_path)


def test_an_event_that_is_left_out_in_silence_is_caught(tmp_path):
    faulty = mutated(
        MODULE, "self.rejected.eq(delayed(m, single, 3) & ~lets)", "self.rejected.eq(0)"
    )
    assert_refuted(NoneLost(faulty.EventGate), depth=8, folder=tmp_path)


def test_a_loss_that_the_gate_would_hide_is_caught(tmp_path):
    faulty = mutated(MODULE, "self.events.valid & (self.events.weight == 1)", "self.events.valid")
    assert_refuted(NoneLost(faulty.EventGate), depth=8, folder=tmp_path)
