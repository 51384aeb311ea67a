"""Runs in the simulator: the receiver core against the records and messages expected of it.

The file named by KEYBEAM_STIMULUS holds the samples of every cycle, the registers to set, and
what must come out.
"""

import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, NextTimeStep, ReadOnly, RisingEdge, Timer
from cocotb.utils import get_sim_time

from keybeam.protocol.records import (
    AUXILIARY_CHANNELS,
    BODY_MASK,
    DETECTOR_CHANNELS,
    TAGGED_CHANNELS,
    Channel,
    RecordType,
    record_body,
    record_channel,
    record_type,
)
from keybeam.timing import RecordDecoder
from keybeam_gateware import csr

STIMULUS = np.load(os.environ["KEYBEAM_STIMULUS"])
_PREFIXES = {"bus": "", "tagger_bus": "tagger_", "gate_bus": "gate_"}
REGISTERS = {
    _PREFIXES[bus] + name: (bus, int(address))
    for bus, name, address in zip(
        *(STIMULUS[f"register_{what}"] for what in ("buses", "names", "addresses")), strict=True
    )
}

BUSES = ("bus", "tagger_bus", "gate_bus")
INPUTS = (
    *("line", "detectors", "pps", "auxiliary", "pulser"),
    *(f"{bus}__{port}" for bus in BUSES for port in ("addr", "r_stb", "w_stb")),
)
"""What is low before it is used."""


class Core:
    """The core with its clock, register access, and what came out so far."""

    def __init__(self, dut, ready=1.0):
        self.dut = dut
        self.random = random.Random(7)
        self.ready = ready
        self.records, self.message = [], []

    async def start(self):
        dut = self.dut
        for name in INPUTS:
            getattr(dut, name).value = 0
        for bus in BUSES:
            getattr(dut, f"{bus}__w_data").value = 0
        dut.records__ready.value = 0
        dut.message__ready.value = 0
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, 6400, unit="ps").start())
        await self.cycles(3)
        dut.rst.value = 0
        cocotb.start_soon(self.take("records", self.records))
        cocotb.start_soon(self.take("message", self.message))

    async def cycles(self, count):
        """Let time pass, from falling edge to falling edge."""
        if count > 1:
            # To the middle of the last cycle at once: waking up in each takes most of the time.
            await Timer(6400 * (count - 1) + 1600, "ps")
        if count:
            await FallingEdge(self.dut.clk)

    async def take(self, name, taken):
        """Take what a stream offers, at random times; what is offered must stay."""
        valid, ready, payload = (
            getattr(self.dut, f"{name}__{part}") for part in ("valid", "ready", "payload")
        )
        offered = None
        while True:
            if not valid.value:
                assert offered is None
                await RisingEdge(valid)
            await FallingEdge(self.dut.clk)
            value = int(payload.value)
            assert offered in (None, value)
            accept = self.random.random() < self.ready
            ready.value = accept
            offered = None if accept else value
            if accept:
                taken.append(value)
            await RisingEdge(self.dut.clk)
            await ReadOnly()
            await NextTimeStep()
            if accept:
                ready.value = 0

    async def write(self, name, value):
        """Write a register of one word, and wait until that has taken effect."""
        bus, address = REGISTERS[name]
        getattr(self.dut, f"{bus}__addr").value = address
        getattr(self.dut, f"{bus}__w_data").value = value
        getattr(self.dut, f"{bus}__w_stb").value = 1
        await self.cycles(1)
        getattr(self.dut, f"{bus}__w_stb").value = 0
        await self.cycles(3 if bus == "bus" else 4)

    async def read(self, name, words=1):
        bus, address = REGISTERS[name]
        latency = csr.Bridge.LATENCY + (0 if bus == "bus" else csr.Decoder.LATENCY)
        value = 0
        for word in range(words):
            getattr(self.dut, f"{bus}__addr").value = address + word
            getattr(self.dut, f"{bus}__r_stb").value = 1
            await FallingEdge(self.dut.clk)
            getattr(self.dut, f"{bus}__r_stb").value = 0
            await self.cycles(latency - 1)
            value |= int(getattr(self.dut, f"{bus}__r_data").value) << 32 * word
            await FallingEdge(self.dut.clk)
        return value

    async def play(self, first=0, last=None):
        """Apply the samples of these cycles; the caller is at a falling edge."""
        dut = self.dut
        rows = zip(
            *(STIMULUS[name][first:last].tolist() for name in ("line", "detectors", "pps")),
            strict=True,
        )
        edge, applied = FallingEdge(dut.clk), (None, None, None)
        for row in rows:
            for port, value, old in zip(
                (dut.line, dut.detectors, dut.pps), row, applied, strict=True
            ):
                if value != old:
                    port.value = value
            applied = row
            await edge

    def taken(self):
        return np.array(self.records, np.uint64)


async def switch_on(core):
    """Set the registers during the first cycles, whose samples are all low."""
    await core.write("control", 1)
    await core.write("epoch", int(STIMULUS["epoch_units"]))
    quiet = int(STIMULUS["quiet_cycles"])
    await core.play(8, quiet)
    return quiet


@cocotb.test()
async def records_and_messages_are_those_of_the_model(dut):
    core = Core(dut, ready=0.8)
    await core.start()
    begin = await switch_on(core)
    await core.play(begin)
    expected, message = STIMULUS["records"], STIMULUS["message"].tobytes()
    # The reader of a long last payload is slower than the line.
    for _ in range(8000):
        if len(core.records) >= expected.size and len(core.message) >= len(message):
            break
        await core.cycles(1)
    records = core.taken()[: expected.size]
    differing = np.flatnonzero(records != expected[: records.size])
    assert not differing.size, (
        f"record {differing[0]}: {records[differing[0]]:#x}, not {expected[differing[0]]:#x}"
    )
    assert records.size == expected.size
    assert set(record_type(core.taken()[expected.size :])) <= {
        RecordType.EPOCH,
        RecordType.SYNC,
        RecordType.FRAME,
    }
    assert bytes(core.message) == message
    await core.write("snapshot", 1)
    await core.cycles(4)
    for channel in Channel:
        name = channel.name.lower()
        arrived = await core.read(f"arrived_{name}", 2)
        merged = await core.read(f"merged_{name}", 2)
        assert await core.read(f"dropped_{name}", 2) == 0
        kind = {Channel.SYNC: RecordType.SYNC, Channel.PPS: RecordType.PPS}.get(
            channel, RecordType.TAG
        )
        ours = record_type(core.taken()) == kind
        if kind == RecordType.TAG:
            ours &= record_channel(core.taken()) == channel
        assert arrived == merged == np.count_nonzero(ours)
    # After the last frame the line goes on without a word: one turn of the flywheel.
    frames = int(STIMULUS["frames"])
    assert await core.read("frames_good") == await core.read("syncs_seen") == frames
    assert await core.read("syncs_flywheel") == await core.read("headers_bad") == 1
    assert (await core.read("status")) >> 1 & 3 == 2


@cocotb.test()
async def full_queues_mark_and_count_the_loss_and_recover(dut):
    core = Core(dut, ready=0.0)
    await core.start()
    await core.write("control", 1)
    pulses = 600
    for _ in range(pulses):
        dut.detectors.value = 0x2102
        await FallingEdge(dut.clk)
        dut.detectors.value = 0
        await FallingEdge(dut.clk)
    status, events = await core.read("status"), await core.read("events")
    full = 1 << Channel.H | 1 << Channel.D | 1 << Channel.A
    assert status >> 3 & 0x3F == full
    assert events >> 6 & 0x3F == full
    # Sticky: writing one clears the bit, and only that; the gap is not counted again.
    await core.write("events", 1 << (6 + Channel.D))
    assert (await core.read("events")) >> 6 & 0x3F == full & ~(1 << Channel.D)
    # The reader comes back.
    core.ready = 1.0
    await core.cycles(4 * 3 * 600)
    assert (await core.read("status")) >> 3 & 0x3F == 0
    dut.detectors.value = 0x2102
    await FallingEdge(dut.clk)
    dut.detectors.value = 0
    await core.cycles(1200)
    records = core.taken()
    kinds = record_type(records)
    for channel in (Channel.H, Channel.D, Channel.A):
        ours = records[
            (record_channel(records) == channel)
            & np.isin(kinds, [RecordType.TAG, RecordType.GAP_BEGIN, RecordType.GAP_END])
        ]
        lost = [
            int(record) & BODY_MASK for record in ours if record_type(record) == RecordType.GAP_END
        ]
        assert len(lost) == 1
        tags = np.count_nonzero(record_type(ours) == RecordType.TAG)
        assert tags + lost[0] == pulses + 1
        assert record_type(ours)[-3:].tolist() == [
            RecordType.GAP_BEGIN,
            RecordType.GAP_END,
            RecordType.TAG,
        ]
    # Reset clears what is sticky.
    assert await core.read("events") != 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)
    assert await core.read("events") == 0


@cocotb.test()
async def nothing_is_kept_while_the_stream_is_off_and_a_fence_tells_where_it_is_on(dut):
    core = Core(dut)
    await core.start()
    await core.write("epoch", 1)

    async def pulse(count):
        for _ in range(count):
            dut.detectors.value = 0x8
            await FallingEdge(dut.clk)
            dut.detectors.value = 0
            await core.cycles(3)

    await pulse(700)
    assert core.records == []
    assert await core.read("status") >> 3 & 0x3F == 0
    await core.write("control", 1)
    await core.write("channels", 0x3F & ~(1 << Channel.H))
    await core.write("fence", 0xFEED)
    await pulse(500)
    await core.write("channels", 0x3F)
    await pulse(5)
    await core.cycles(1200)
    records = core.taken()
    kinds = record_type(records).tolist()
    fence = kinds.index(RecordType.FENCE)
    assert record_body(records)[fence] == 0xFEED
    after = kinds[fence + 1 :]
    assert after.count(RecordType.TAG) == 5
    assert after.count(RecordType.EPOCH) >= 2
    # In front of it only what was on its way when the stream was switched on.
    assert len(kinds[:fence]) < 1024 // 4 + 5


ALL_CHANNELS = (1 << len(Channel)) - 1


async def rise(dut, word, channels=TAGGED_CHANNELS):
    """Let inputs show these samples for a cycle, and nothing after."""
    detectors = sum(word << 4 * channel for channel in DETECTOR_CHANNELS if channel in channels)
    auxiliary = sum(word << 4 * n for n, c in enumerate(AUXILIARY_CHANNELS) if c in channels)
    dut.detectors.value, dut.auxiliary.value = detectors, auxiliary
    dut.pps.value = word if Channel.PPS in channels else 0
    dut.line.value = word if Channel.LINE in channels else 0
    await FallingEdge(dut.clk)
    dut.detectors.value = dut.auxiliary.value = dut.pps.value = dut.line.value = 0


def of_channel(records, channel):
    """The marks of a channel: its events, and the beginnings and ends of its gaps."""
    kinds = record_type(records)
    event = RecordType.PPS if channel == Channel.PPS else RecordType.TAG
    marks = np.isin(kinds, [event, RecordType.GAP_BEGIN, RecordType.GAP_END])
    return records[marks & (record_channel(records) == channel)]


@cocotb.test()
async def simultaneous_edges_on_all_eight_inputs_come_at_one_time_in_the_order_of_channels(dut):
    core = Core(dut)
    await core.start()
    await core.write("control", 1)
    await core.write("channels", ALL_CHANNELS)
    for _ in range(3):
        await rise(dut, 0b1100)
        await core.cycles(5)
    await core.cycles(1300)
    records = core.taken()
    events = records[np.isin(record_type(records), [RecordType.TAG, RecordType.PPS])]
    assert record_channel(events).tolist() == 3 * list(TAGGED_CHANNELS)
    times = record_body(events).reshape(3, -1)
    assert (times == times[:, :1]).all()
    assert (np.diff(times[:, 0]) == 6 << 14).all()
    assert (times[:, 0] & 0x3FFF == 2 << 12).all()


@cocotb.test()
async def two_edges_seven_nanoseconds_apart_are_two_events(dut):
    core = Core(dut)
    await core.start()
    await core.write("control", 1)
    # Samples 1 and 5, and 0 and 5: 6.4 and 8 ns.
    for first, second in ((0b0010, 0b0010), (0b0001, 0b0010)):
        await rise(dut, first)
        await rise(dut, second)
        await core.cycles(20)
    await core.cycles(1200)
    tags = of_channel(core.taken(), Channel.V)
    assert np.diff(record_body(tags).astype(int))[::2].tolist() == [4 << 12, 5 << 12]
    assert tags.size == 4


@cocotb.test()
async def epochs_come_in_silence_at_whole_periods_and_bound_what_follows(dut):
    core = Core(dut)
    await core.start()
    await core.write("control", 1)
    await core.write("epoch", 1)
    await core.cycles(8 * 1024)
    records = core.taken()
    assert set(record_type(records)) == {RecordType.EPOCH}
    assert (record_body(records) == np.arange(records.size) * (1 << 24)).all()
    # Each of them as soon as nothing earlier can come any more.
    assert 7 <= records.size <= 8


@cocotb.test()
async def delays_dead_times_and_dividers_keep_the_order_and_every_edge_is_counted(dut):
    core = Core(dut)
    await core.start()
    await core.write("control", 1)
    await core.write("epoch", 1)
    await core.write("channels", 0)
    delays = {Channel.H: -7_600_000, Channel.V: 7_600_000, Channel.AUX_1: -1}
    for channel, delay in delays.items():
        await core.write(f"tagger_{channel.name.lower()}_delay", delay & 0xFFFFFF)
    await core.write("tagger_d_dead_time", 10 << 14)
    await core.write("tagger_a_divider", 3)
    await core.write("channels", ALL_CHANNELS & ~(1 << Channel.LINE))
    await core.cycles(600)
    pulses = 400
    for _ in range(pulses):
        await rise(dut, 0b0100)
        await core.cycles(core.random.randrange(3, 9))
    await core.cycles(9000)
    records = core.taken()
    plain = record_body(of_channel(records, Channel.PPS)).astype(int)
    assert plain.size == pulses
    for channel, delay in delays.items():
        assert (record_body(of_channel(records, channel)).astype(int) == plain + delay).all()
    live = [plain[0]]
    for time in plain.tolist():
        if time >= live[-1] + (10 << 14):
            live.append(time)
    assert record_body(of_channel(records, Channel.D)).astype(int).tolist() == live
    assert (record_body(of_channel(records, Channel.A)).astype(int) == plain[::3]).all()
    # In the order of times, whatever the delays.
    timed = records[~np.isin(record_type(records), [RecordType.GAP_END, RecordType.FENCE])]
    assert (np.diff(record_body(timed).astype(int)) >= 0).all()
    await core.write("snapshot", 1)
    await core.cycles(4)
    for channel in (Channel.D, Channel.A):
        counts = [
            await core.read(f"tagger_{channel.name.lower()}_{what}_count", 2)
            for what in ("edges", "dead", "divided")
        ]
        events = of_channel(records, channel).size
        assert counts[0] == pulses == events + counts[1] + counts[2]


@cocotb.test()
async def overflow_recovery_and_clearing_under_a_link_that_is_always_busy(dut):
    core = Core(dut, ready=0.05)
    await core.start()
    await core.write("control", 1)
    await core.write("channels", ALL_CHANNELS & ~(1 << Channel.LINE))
    lossy = (Channel.H, Channel.AUX_2)
    sticky = dict.fromkeys(lossy, 0)
    pulses, idle = 0, 0
    cycles = []
    for turn in range(14):
        for _ in range(150):
            cycles.append(round(get_sim_time("ps") / 6400))
            await rise(dut, 0b0010, lossy)
            await core.cycles(3)
            pulses += 1
            idle += turn > 0 and not dut.records__valid.value
        flags = (await core.read("events")) >> 6
        for channel in lossy:
            sticky[channel] += flags >> channel & 1
        # Cleared at any time, and set again by the next gap only.
        await core.write("events", 0x1FF << 6)
        in_gap = (await core.read("status")) >> 3
        assert (await core.read("events")) >> 6 & 1 == 0 or in_gap & 1 == 1
    # The next record is there some cycles after one was taken.
    assert idle < pulses / 4
    assert all(sticky.values())
    core.ready = 1.0
    await core.cycles(9000)
    assert (await core.read("status")) >> 3 & 0x1FF == 0
    cycles.append(round(get_sim_time("ps") / 6400))
    await rise(dut, 0b0010, lossy)
    pulses += 1
    await core.cycles(1200)
    records = core.taken()
    await core.write("snapshot", 1)
    await core.cycles(4)
    for channel in lossy:
        marks = of_channel(records, channel)
        kinds = record_type(marks)
        gaps = kinds[kinds != RecordType.TAG]
        # Every loss has its beginning and its end.
        assert gaps.size >= 2
        assert (gaps[::2] == RecordType.GAP_BEGIN).all()
        assert (gaps[1::2] == RecordType.GAP_END).all()
        assert (np.diff(np.flatnonzero(kinds != RecordType.TAG))[::2] == 1).all()
        lost = int(record_body(marks[kinds == RecordType.GAP_END]).sum())
        tags = np.count_nonzero(kinds == RecordType.TAG)
        assert tags + lost == pulses
        name = channel.name.lower()
        counted = [
            await core.read(f"{what}_{name}", 2) for what in ("arrived", "merged", "dropped")
        ]
        assert counted == [pulses, tags, lost]
    # The gaps that a host makes of it hold the time of every edge that is missing, and begin with
    # the first. Nothing is lost at the beginning, which gives the time of all.
    decoded = RecordDecoder(channels=8).feed(np.array(records, np.uint64))
    for channel in lossy:
        tagged = decoded.tags["time"][decoded.tags["channel"] == channel]
        times = tagged[0] + (np.array(cycles) - cycles[0] << 14)
        missing = np.setdiff1d(times, tagged)
        gaps = [gap for gap in decoded.gaps if gap.channel == channel]
        inside = [missing[(missing >= gap.begin) & (missing <= gap.end)] for gap in gaps]
        assert all(each[0] == gap.begin for each, gap in zip(inside, gaps, strict=True))
        assert np.array_equal(np.unique(np.concatenate(inside)), missing)
        assert missing.size == sum(gap.lost for gap in gaps)


@cocotb.test()
async def a_shut_gate_rejects_and_counts_and_the_phase_histogram_counts_on(dut):
    core = Core(dut)
    await core.start()
    await core.write("control", 1)
    await core.write("gate_v_histogram_clear", 1)
    await core.cycles(1030)
    await core.write("gate_v_histogram", 1)
    await core.write("gate_v_mode", 3)
    for _ in range(20):
        await rise(dut, 0b0100)
        await core.cycles(12)
    await core.cycles(1200)
    await core.write("snapshot", 1)
    await core.cycles(4)
    records = core.taken()
    assert of_channel(records, Channel.V).size == 0
    assert of_channel(records, Channel.H).size == 20
    assert await core.read("gate_v_rejected_count", 2) == 20
    # The clock stands, so all are at the phase of their sample: the beginning of a slot.
    await core.write("gate_v_histogram_bin", 0)
    await core.cycles(16)
    assert await core.read("gate_v_histogram_count") == 20
