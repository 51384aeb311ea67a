"""Edges at random picoseconds through the emitted channel, calibrated by its own histogram."""

from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.tagger import table_entries
from keybeam.tagger.encoding import encode_pictures
from keybeam_gateware.primitives.portable import DelayLine
from keybeam_gateware.receiver.tagger import SampledTagger
from keybeam_gateware.time_tagger import (
    CodeHistogram,
    EventSignature,
    PictureEncoder,
    TaggerChannel,
)
from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent
TAPS = 96
TAP_PS = 9200 / TAPS
PAIRS = 120
TRIALS = 100_000
"""Edges, a third of them at borders of periods."""
CALIBRATION = 8_500


class ChannelBench(wiring.Component):
    """A channel with its line and histogram, and the sampled input beside it."""

    changes: In(2)
    first_ps: In(13)
    second_ps: In(13)
    enable: In(1)
    run: In(1)
    address: In(16)
    count: Out(32)
    write: In(1)
    write_address: In(16)
    write_data: In(16)
    events: Out(EventSignature())
    missed: Out(16)
    unconfirmed: Out(16)

    def __init__(self, delays):
        self._delays = delays
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.channel = channel = TaggerChannel(taps=TAPS, tap_ps=TAP_PS)
        m.submodules.line = line = DelayLine(self._delays)
        m.submodules.histogram = histogram = CodeHistogram(table_entries(1, TAPS))
        cycle = Signal(40)
        m.d.sync += cycle.eq(cycle + 1)
        m.d.comb += [
            line.changes.eq(self.changes),
            line.first_ps.eq(self.first_ps),
            line.second_ps.eq(self.second_ps),
            channel.pictures[0].eq(line.taps),
            histogram.run.eq(self.run),
            histogram.found.eq(channel.found),
            histogram.code.eq(channel.code),
            histogram.address.eq(self.address),
            self.count.eq(histogram.count),
            channel.cycle.eq(cycle),
            channel.enable.eq(self.enable),
            channel.rising.eq(1),
            channel.divider.eq(1),
            channel.write.eq(self.write),
            channel.write_address.eq(self.write_address),
            channel.write_data.eq(self.write_data),
        ]
        connect(m, channel.events, flipped(self.events))
        self._sample(m, channel, cycle)
        m.d.sync += [
            self.missed.eq(self.missed + channel.missed),
            self.unconfirmed.eq(self.unconfirmed + channel.unconfirmed),
        ]
        return m

    def _sample(self, m, channel, cycle):
        """Sample the same signal four times a cycle."""
        level, samples = Signal(), Signal(4)
        m.d.sync += level.eq(level ^ self.changes[0])
        for slot in range(4):
            before = 1600 * (slot + 1)
            m.d.sync += samples[slot].eq(
                level
                ^ ((self.changes > 0) & (self.first_ps < before))
                ^ ((self.changes > 1) & (self.second_ps < before))
            )
        m.submodules.sampled = sampled = SampledTagger()
        m.d.comb += [
            sampled.samples.eq(samples),
            # The samples of the cycle that has ended.
            sampled.cycle.eq(cycle - 1),
            channel.sampled.valid.eq(sampled.events.valid),
            channel.sampled.coarse.eq(sampled.events.coarse),
            channel.sampled.fine.eq(sampled.events.fine),
        ]


def run(test, delays, simulator, folder):
    """Run a test of `cocotb_channel` on a channel with this line; gives what it found."""
    result = folder / "found.npz"
    run_cocotb(
        sources=[emit_verilog(ChannelBench(delays), "channel_bench", folder / "bench.v")],
        toplevel="channel_bench",
        test_module="cocotb_channel",
        test_folder=HERE,
        folder=folder / simulator,
        simulator=simulator,
        environment={
            "COCOTB_TEST_FILTER": test,
            "KEYBEAM_FOUND": str(result),
            "KEYBEAM_TAPS": str(TAPS),
            "KEYBEAM_TRIALS": str(TRIALS),
            "KEYBEAM_CALIBRATION": str(CALIBRATION),
            "KEYBEAM_PAIRS": str(PAIRS),
        },
    )
    return np.load(result)


def test_two_edges_seven_nanoseconds_apart_are_two_before_any_calibration(
    lines, simulator, tmp_path
):
    delays = lines.delays(TAPS, np.random.default_rng(1), mean_ps=TAP_PS)
    found = run("pairs_without_calibration", delays, simulator, tmp_path)
    assert len(found["times"]) == len(found["true"]) == 2 * PAIRS
    # Bins are up to 220 ps wide, and not yet where the table says; a slot is 1600.
    errors = found["times"] - found["true"]
    assert np.abs(errors - np.median(errors)).max() < 600
    assert np.abs(np.diff(found["times"])[::2] - 7000).max() < 800
    assert found["missed"] == found["unconfirmed"] == 0


def test_calibrated_times_and_no_cycle_off_at_borders_of_periods(lines, tmp_path):
    delays = lines.delays(TAPS, np.random.default_rng(1), mean_ps=TAP_PS)
    found = run("calibrate_and_time", delays, "verilator", tmp_path)
    assert len(found["times"]) == len(found["true"]) == TRIALS
    errors = found["times"] - found["true"]
    errors -= np.median(errors)
    # Bins are up to 220 ps wide here; a cycle more or less would be 6400.
    assert np.abs(errors).max() < 300
    assert errors.std() < 60
    assert found["missed"] == found["unconfirmed"] == 0


def test_the_encoder_and_its_twin_in_numpy_agree_bit_for_bit(bench, lines):
    rng = np.random.default_rng(9)
    delays = lines.delays(TAPS, rng, skew_ps=60)
    pictures = []
    for _ in range(600):
        changes = np.cumsum(rng.integers(200, 9000, 12)) - 30_000
        levels = np.searchsorted(changes, -delays, "right") % 2
        pictures.append(levels.astype(bool) ^ (rng.random(TAPS) < 0.02))
    numbers = [sum(1 << int(tap) for tap in np.flatnonzero(picture)) for picture in pictures]
    dut = PictureEncoder(TAPS)
    cycles = len(numbers) + PictureEncoder.LATENCY
    seen = bench.play(
        dut,
        cycles,
        [(dut.taps, numbers + [0] * PictureEncoder.LATENCY), (dut.rising, [1] * cycles)],
        {"found": dut.found, "code": dut.code},
    )
    twin = encode_pictures(np.array(pictures))
    found = np.array(seen.found[PictureEncoder.LATENCY :], bool)
    assert np.array_equal(found, twin.found)
    codes = np.array(seen.code[PictureEncoder.LATENCY :])
    assert np.array_equal(codes[found], twin.codes[found])
    assert 100 < found.sum() < 600
