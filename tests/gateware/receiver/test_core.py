from pathlib import Path

import numpy as np

from keybeam.protocol.downlink import DownlinkFrame, FrameFlag
from keybeam.protocol.numbers import FRAME_BITS
from keybeam.protocol.records import (
    COARSE_SHIFT,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    SAMPLED_FINE_STEP,
    Channel,
    RecordType,
    pack_records,
)
from keybeam_gateware.receiver import ReceiverCore
from keybeam_gateware.receiver.markers import EPOCH_UNIT_BITS
from keybeam_sim.simulators import emit_verilog, run_cocotb

HERE = Path(__file__).parent
VERIFY = 2
QUIET = 40


def model_records(first_samples, frames, frame_bits, inputs, epoch_units, cycles):
    """Records that the core must give out, from first principles.

    `first_samples` are the numbers of the first sample of each line bit, `inputs` the samples of
    the channels that are tagged. Sample n has the time n x `SAMPLED_FINE_STEP`.
    """
    entries = []
    for channel, samples in inputs.items():
        kind = RecordType.PPS if channel == Channel.PPS else RecordType.TAG
        for sample in np.flatnonzero(np.diff(samples, prepend=0) > 0).tolist():
            entries.append((sample, channel, 0, kind, channel, sample * SAMPLED_FINE_STEP))
    for number, frame in list(enumerate(frames))[VERIFY:]:
        time = int(first_samples[number * frame_bits + 6]) - 24
        body = frame.counter | int(frame.flags) << FRAME_COUNTER_BITS
        entries.append((time, Channel.SYNC, 0, RecordType.SYNC, 0, time * SAMPLED_FINE_STEP))
        entries.append((time, Channel.SYNC, 1, RecordType.FRAME, FRAME_VALID, body))
    for coarse in range(0, cycles, epoch_units << EPOCH_UNIT_BITS):
        entries.append((4 * coarse, len(Channel), 0, RecordType.EPOCH, 0, coarse << COARSE_SHIFT))
    entries.sort(key=lambda entry: entry[:3])
    kinds, fields, bodies = (np.array([e[i] for e in entries], np.int64) for i in (3, 4, 5))
    return pack_records(kinds, fields, bodies)


def make_stimulus(bench, path, core, *, frame_bits, count, offset, seed):
    """Samples of a link with clicks, and what the core must make of them."""
    rng = np.random.default_rng(seed)
    room = frame_bits // 8 - 8 - 12 - 4
    flags = [FrameFlag.RUNNING, FrameFlag.NOT_KEY, FrameFlag(0)]
    frames = [
        DownlinkFrame(1000 + n, flags[n % 3], rng.bytes(int(rng.integers(0, room + 1))))
        for n in range(count)
    ]
    line = np.concatenate([bench.frame(frame, frame_bits) for frame in frames])
    # Some bits more, so that the last frame gets through the pipelines.
    line = np.append(line, np.tile([0, 1], 150))
    words, first = bench.sample_line(
        line, offset=offset, start=4 * QUIET + 130.7, jitter=0.05, rng=rng
    )
    cycles = len(words)
    inputs = {}
    for channel in (Channel.H, Channel.V, Channel.D, Channel.A, Channel.PPS):
        samples = np.zeros(4 * cycles, int)
        gaps = rng.integers(20, 1200, 4 * cycles // 600)
        starts = 4 * QUIET + np.cumsum(gaps)
        starts = starts[starts < 4 * cycles - 1700]
        for begin, width in zip(starts, rng.integers(1, 9, starts.size), strict=True):
            samples[begin : begin + width] = 1
        inputs[channel] = samples
    # At one moment everything comes at once.
    for samples in inputs.values():
        samples[4 * QUIET + 4 * 500 : 4 * QUIET + 4 * 500 + 2] = [0, 1]

    weights = 1 << np.arange(4)
    nibbles = {channel: samples.reshape(-1, 4) @ weights for channel, samples in inputs.items()}
    detectors = sum(nibbles[channel] << 4 * channel for channel in list(Channel)[:4])
    registers = [
        (bus, "_".join(str(part) for parts in info.path for part in parts), info.start)
        for bus in ("bus", "tagger_bus", "gate_bus")
        for info in getattr(core, bus).memory_map.all_resources()
    ]
    epoch_units = 1
    np.savez(
        path,
        line=words,
        detectors=detectors,
        pps=nibbles[Channel.PPS],
        epoch_units=epoch_units,
        quiet_cycles=QUIET,
        frames=count - VERIFY,
        records=model_records(first, frames, frame_bits, inputs, epoch_units, cycles),
        message=np.frombuffer(b"".join(frame.payload for frame in frames[VERIFY:]), np.uint8),
        register_buses=[bus for bus, _, _ in registers],
        register_names=[name for _, name, _ in registers],
        register_addresses=[address for _, _, address in registers],
    )


def test_emitted_core(bench, tmp_path):
    # On Verilator alone: Icarus takes seconds for a thousand cycles of it. The blocks behind the
    # pins have a test of their own on both.
    core = ReceiverCore()
    stimulus = tmp_path / "stimulus.npz"
    make_stimulus(bench, stimulus, core, frame_bits=FRAME_BITS, count=4, offset=40e-6, seed=11)
    run_cocotb(
        sources=[emit_verilog(core, "receiver_core", tmp_path / "receiver_core.v")],
        toplevel="receiver_core",
        test_module="cocotb_core",
        test_folder=HERE,
        folder=tmp_path / "verilator",
        environment={"KEYBEAM_STIMULUS": str(stimulus)},
    )
