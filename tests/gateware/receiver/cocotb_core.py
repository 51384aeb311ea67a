"""Runs in the simulator: the receiver core against the records and messages expected of it.

The file named by KEYBEAM_STIMULUS holds the samples of every cycle, the registers to set, and
what must come out.
"""

import os
import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, NextTimeStep, ReadOnly, RisingEdge

from keybeam.protocol.records import (
    BODY_MASK,
    Channel,
    RecordType,
    record_body,
    record_channel,
    record_type,
)
from keybeam_gateware import csr

STIMULUS = np.load(os.environ["KEYBEAM_STIMULUS"])
REGISTERS = {
    name: int(address)
    for name, address in zip(
        STIMULUS["register_names"], STIMULUS["register_addresses"], strict=True
    )
}

INPUTS = (
    *("line", "detectors", "pps", "auxiliary", "pulser"),
    *(f"{bus}__{port}" for bus in ("bus", "tagger_bus") for port in ("addr", "r_stb", "w_stb")),
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
        dut.bus__w_data.value = 0
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
        for _ in range(count):
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
        self.dut.bus__addr.value = REGISTERS[name]
        self.dut.bus__w_data.value = value
        self.dut.bus__w_stb.value = 1
        await self.cycles(1)
        self.dut.bus__w_stb.value = 0
        await self.cycles(3)

    async def read(self, name, words=1):
        value = 0
        for word in range(words):
            self.dut.bus__addr.value = REGISTERS[name] + word
            self.dut.bus__r_stb.value = 1
            await FallingEdge(self.dut.clk)
            self.dut.bus__r_stb.value = 0
            await self.cycles(csr.Bridge.LATENCY - 1)
            value |= int(self.dut.bus__r_data.value) << 32 * word
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
