"""What each step says of measured data that are good, and of such with one thing wrong."""

import numpy as np
import pytest
from msgspec.structs import replace

from keybeam.bringup import REAL, SIMULATED
from keybeam.bringup.bench import FRAME_BYTES_PER_RECORD
from keybeam.bringup.edges import PERIOD_PS, SIGNATURES
from keybeam.bringup.steps import STEPS
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FRAME_DURATION_PS, SLOT_PS
from keybeam.protocol.records import DETECTOR_CHANNELS, FINE_PS

STEP = {step.name: step for step in STEPS}
FRAMES = 8


def said(step, data, plan=REAL):
    """Names of the checks that failed."""
    checks = STEP[step].judge(data, plan)
    assert checks
    assert all(bool(line.hint) != line.passed for line in checks)
    return {line.name for line in checks if not line.passed}


def steps_of(times_ps):
    return np.sort(np.rint(times_ps / FINE_PS).astype(np.int64))


def clocks(ppm=20.0, off_ppm=0.0, locked=True):
    frames = np.arange(FRAMES, dtype=np.uint64)
    seconds = 5.0
    return {
        "locked": np.array(locked),
        "signal": np.array(locked),
        "sync_times": steps_of(frames * FRAME_DURATION_PS / (1 + ppm * 1e-6))
        if locked
        else np.empty(0, np.int64),
        "sync_counters": frames if locked else np.empty(0, np.uint64),
        "begin": np.array([0.0, 1000, 0.001]),
        "end": np.array(
            [seconds, 1000 + seconds * FABRIC_CLOCK_HZ * (1 + off_ppm * 1e-6), seconds + 0.001]
        ),
    }


def test_clocks():
    assert said("clocks", clocks()) == set()
    assert said("clocks", clocks(ppm=-300)) == {"transmitter's clock against the receiver's"}
    assert said("clocks", clocks(off_ppm=2000)) == {"receiver's clock"}
    assert said("clocks", clocks(locked=False)) == {"lock on the downlink"}


def random_bits(state=2, alarms=0, part=0.5, count=20_000):
    bits = (np.random.default_rng(1).random(count) < part).astype(np.uint8)
    good = (np.random.default_rng(2).random(count) < 0.5).astype(np.uint8)
    return {
        "state_a": np.array(state),
        "alarms_a": np.array(alarms),
        "sample_a": bits if state == 2 else bits[:0],
        "state_b": np.array(2),
        "alarms_b": np.array(0),
        "sample_b": good,
    }


def test_random_numbers():
    plan = replace(REAL, sample_bits=20_000)
    assert said("random", random_bits(), plan) == set()
    assert said("random", random_bits(part=0.6), plan) == {"min-entropy of chip A"}
    health = "health of random-number chip A"
    assert said("random", random_bits(state=3, alarms=4), plan) == {health}
    assert said("random", random_bits(alarms=4), plan) == {health}
    # Too few bits are no sample, whatever they say.
    short = replace(plan, sample_bits=1 << 20)
    assert said("random", random_bits(), short) == {
        "min-entropy of chip A",
        "min-entropy of chip B",
    }


class Lanes:
    """Edges of lanes as a sampled receiver sees them, 20 ppm from the transmitter."""

    def __init__(self, plan):
        self.plan = plan
        self.generator = np.random.default_rng(7)
        self.data = {"sampled": np.array(True), "delays": np.empty((0, 3), np.int64)}

    def timed(self, times_ps):
        seen = times_ps * (1 + 20e-6) + 4321.0
        return steps_of(np.floor(seen / SLOT_PS) * SLOT_PS)

    def add(self, name, lane, shown, delay_ps):
        """Put in what the inputs show while a lane is on: lanes by channel."""
        place, count = f"{name}_{lane}", 200
        for channel in set(self.plan.leads.values()):
            periods = self.generator.integers(0, FRAMES << 12, count) * PERIOD_PS
            times = np.empty(0)
            if channel in shown:
                rises = self.generator.choice(SIGNATURES[shown[channel]], count) * SLOT_PS
                times = periods + rises + delay_ps
            self.data[f"{place}_{channel.name}"] = self.timed(times)
        bits = self.generator.choice(FRAMES << 14, count, replace=False)
        self.data[f"{place}_LINE"] = self.timed(6400.0 * bits)
        counters = np.arange(FRAMES, dtype=np.uint64)
        self.data[f"{place}_sync"] = self.timed(counters * FRAME_DURATION_PS)
        self.data[f"{place}_counters"] = counters


SKEWS_PS = (0.0, 730.0, -410.0, 2260.0, 1115.0)


def lanes(swapped=(), dead=None, after_ps=0.0):
    bench = Lanes(SIMULATED)
    leads = SIMULATED.leads
    for lane, channel in leads.items():
        if lane == dead:
            bench.add("before", lane, {}, SKEWS_PS[lane])
        elif lane in swapped:
            other = leads[sum(swapped) - lane]
            bench.add("before", lane, {other: lane}, SKEWS_PS[lane])
        else:
            bench.add("before", lane, {channel: lane}, SKEWS_PS[lane])
    if not swapped and dead is None:
        late = max(SKEWS_PS)
        delays = []
        for lane, channel in leads.items():
            coarse, rest = divmod(late - SKEWS_PS[lane], SLOT_PS)
            fine = round(rest / 25)
            delays.append((lane, int(coarse), fine))
            moved = SKEWS_PS[lane] + coarse * SLOT_PS + 25 * fine + after_ps * (lane == 2)
            bench.add("after", lane, {channel: lane}, moved)
        bench.data["delays"] = np.array(delays)
    return bench.data


def test_lanes():
    assert said("lanes", lanes(), SIMULATED) == set()
    assert said("lanes", lanes(after_ps=800.0), SIMULATED) == {"lanes aligned"}
    assert said("lanes", lanes(dead=3), SIMULATED) == {"lane 3: pattern", "lanes aligned"}
    swapped = lanes(swapped=(1, 4))
    wrong = {"lane 1: pattern", "lane 4: pattern", "lanes aligned"}
    assert said("lanes", swapped, SIMULATED) == wrong
    lines = {line.name: line for line in STEP["lanes"].judge(swapped, SIMULATED)}
    assert lines["lane 1: pattern"].measured == "lane 1 at AUX_1"


def downlink(bad=0, good=200_000, wrong=0):
    sent = np.arange(200, dtype=np.uint8)
    received = sent.copy()
    received[:wrong] ^= 1
    return {
        "frames_good": np.array(good),
        "frames_bad": np.array(bad),
        "syncs_flywheel": np.array(0),
        "sent": sent,
        "received": received,
        "losses": np.array(0),
    }


def test_downlink():
    assert said("downlink", downlink()) == set()
    assert said("downlink", downlink(good=10)) == set()
    assert said("downlink", downlink(bad=40)) == {"downlink: bit error rate"}
    assert said("downlink", downlink(good=0)) == {"downlink: bit error rate"}
    assert said("downlink", downlink(wrong=1)) == {"downlink: bytes"}


def detectors(noisy=None, dead=None, dead_ps=45_000.0):
    generator = np.random.default_rng(3)
    counts = np.full(4, 2_000)
    if noisy is not None:
        counts[noisy] = 50_000
    data = {"dark_counts": counts, "dark_s": np.array(10.0)}
    for light in ("D", "A"):
        times, channels = [], []
        for channel in DETECTOR_CHANNELS:
            if channel != dead:
                waits = dead_ps + generator.exponential(1e7, 3_000)
                times.append(np.cumsum(waits))
                channels.append(np.full(3_000, channel, np.uint8))
        order = np.argsort(np.concatenate(times))
        data[f"{light}_times"] = steps_of(np.concatenate(times))
        data[f"{light}_channels"] = np.concatenate(channels)[order]
        data[f"{light}_gap_channels"] = np.empty(0, np.int64)
        data[f"{light}_gap_begins"] = np.empty(0, np.int64)
    return data


def test_detectors():
    assert said("detectors", detectors()) == set()
    assert said("detectors", detectors(noisy=1)) == {"detector V: dark counts"}
    assert said("detectors", detectors(dead=2)) == {"detector D: dead time"}
    ringing = {f"detector {channel.name}: dead time" for channel in DETECTOR_CHANNELS}
    assert said("detectors", detectors(dead_ps=500.0)) == ringing
    assert said("detectors", detectors(dead_ps=250_000.0)) == ringing


def tagger(noise_ps=0.0, ppm=20.0):
    generator = np.random.default_rng(4)
    frames = 40
    bits = np.sort(generator.choice(frames << 14, 2_000, replace=False)) * 6400.0
    seen = bits * (1 + ppm * 1e-6) + generator.normal(0, noise_ps, bits.size) + 777.0
    counters = np.arange(frames, dtype=np.uint64)
    return {
        "lines": np.array(0),
        "taps": np.array(0),
        "edges": steps_of(np.floor(seen / SLOT_PS) * SLOT_PS),
        "sync_times": steps_of(counters * FRAME_DURATION_PS * (1 + ppm * 1e-6)),
        "sync_counters": counters,
    }


def test_tagger():
    assert said("tagger", tagger()) == set()
    assert said("tagger", tagger(noise_ps=500.0)) == {"tagger: jitter of a single time"}
    # Nothing wanders between two equal clocks.
    assert "tagger: bins of the sampled inputs" in said("tagger", tagger(ppm=0.0))


def log(wrong=0):
    pattern = np.arange(16, dtype=np.uint8) % 12
    indices = np.arange(1000, 1029, dtype=np.uint64)
    symbols = pattern[indices % 16]
    symbols[:wrong] ^= 1
    status = np.full(29, LookupStatus.NOT_KEY, np.uint8)
    status[-1] = LookupStatus.TOO_NEW
    return {
        "pattern": pattern,
        "indices": indices,
        "status": status,
        "symbols": symbols,
        "held": np.array([900, 1027], np.uint64),
        "lost": np.array(0),
    }


def test_state_log():
    assert said("log", log()) == set()
    assert said("log", log(wrong=1)) == {"state log"}


def link(part=0.98, repeated=0):
    baud = 3_000_000
    records = int(part * baud / 10 / FRAME_BYTES_PER_RECORD)
    return {
        "baud": np.array(baud),
        "transmitter_s": np.full(10, 1e-3),
        "receiver_s": np.full(10, 1e-3),
        "wrong": np.array(0),
        "moments": np.array([[0, 0], [FABRIC_CLOCK_HZ, records]]),
        "gaps": np.empty(0, np.int64),
        "taken": np.array(records),
        "lost": np.array(0),
        "spoilt": np.zeros((2, 3), int),
        "broken": np.zeros(2, int),
        "repeated": np.array([repeated, 0]),
    }


def test_link():
    assert said("link", link()) == set()
    assert said("link", link(part=0.9)) == {"host link: throughput of tags"}
    assert said("link", link(repeated=1)) == {"host link: errors"}


@pytest.mark.parametrize("step", ["random", "lanes", "downlink", "detectors", "tagger", "link"])
def test_plots_have_captions(step):
    data = {
        "random": random_bits,
        "lanes": lanes,
        "downlink": downlink,
        "detectors": detectors,
        "tagger": tagger,
        "link": link,
    }[step]()
    plots = STEP[step].draw(data, SIMULATED)
    assert plots
    assert all(caption and "<svg" in plot.wide and "<svg" in plot.narrow for caption, plot in plots)
