"""The twin's models and the gateware, given the same pulses and edges, must give the same."""

import time

import numpy as np

from keybeam.device import Receiver, Transmitter
from keybeam.protocol.downlink import DownlinkFrame, FrameFlag, encode_frame
from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_BITS, SLOT_PS
from keybeam.protocol.records import FINE_PS, RecordType, record_time, record_type
from keybeam.protocol.symbols import map_random_bits
from keybeam_sim.cosimulation import (
    NO_SLOT,
    BoardSettings,
    Cosimulation,
    LinkSettings,
    RunSettings,
    Truth,
)
from keybeam_sim.cosimulation.blocks import BLOCK_CYCLES
from keybeam_sim.cosimulation.link_model import TRANSMITTER_PERIOD_FS, receiver_period_fs
from keybeam_sim.photons import SYNC_EDGE_DTYPE
from keybeam_sim.source import SymbolSource
from keybeam_sim.twin import ReceiverModel

SEED = 11
TIMEOUT_S = 600
RESET_SAMPLES = 4 * BLOCK_CYCLES
ZEROS_FIRST = 6
"""The sync word begins with six zeros: its first edge is that of the bit after them."""

TAGS, SYNCS = 100, 5
WAITING_WORDS = 1024
MOST_CYCLES = 500_000
"""Cycles from the first bits of the chip to the start of the pattern at most."""


def run_boards(settings):
    """Records of the receiver, until there are so many of detectors and sync words."""
    with (
        Cosimulation(settings) as simulation,
        Transmitter(f"serial:{simulation.transmitter}?timeout=30") as transmitter,
    ):
        transmitter.write("transmitter.control.run", 1)
        return take_records(simulation.receiver)


def take_records(port):
    with Receiver(f"serial:{port}?timeout=30") as receiver:
        receiver.write("receiver.sync.verify_frames", 0)
        receiver.write("receiver.control.stream", 1)
        records = np.empty(0, np.uint64)
        end = time.monotonic() + TIMEOUT_S
        while True:
            records = np.concatenate([records, receiver.records(timeout=0.5)])
            types = record_type(records)
            found = {kind: np.count_nonzero(types == kind) for kind in RecordType}
            if found[RecordType.TAG] >= TAGS and found[RecordType.SYNC] >= SYNCS:
                return records
            assert time.monotonic() < end, found


def syncs_known(records, frames, link):
    """How many records come before the first sync word of a frame that the truth has not whole."""
    last = (frames[-1].cycle + FRAME_BITS // 2) * FABRIC_PERIOD_PS + link.delay_ps
    late = (record_type(records) == RecordType.SYNC) & (record_time(records) * FINE_PS > last)
    return int(np.argmax(late)) if late.any() else records.size


def model_records(records, truth, link):
    """Records the twin's receiver makes of the edges that the link carried."""
    period = receiver_period_fs(link)
    frames = truth.frames()
    edges = [
        (frame.cycle + ZEROS_FIRST) * TRANSMITTER_PERIOD_FS + link.delay_ps * 1000
        for frame in frames
    ]
    samples = np.array([-(-4 * edge // period) - 4 * ZEROS_FIRST for edge in edges])
    syncs = np.zeros(len(frames), SYNC_EDGE_DTYPE)
    syncs["time_ps"] = (samples - RESET_SAMPLES) * SLOT_PS
    syncs["counter"] = [frame.counter for frame in frames]
    syncs["flags"] = [frame.flags for frame in frames]
    syncs["valid"] = True
    tags = (truth.clicks["sample"] - RESET_SAMPLES) * SLOT_PS

    # What came before the stream was switched on, and sync words before the lock, are not there.
    times = record_time(records) * FINE_PS
    is_sync = record_type(records) == RecordType.SYNC
    seen = tags >= times[0]
    syncs = syncs[syncs["time_ps"] >= times[is_sync][0]]
    until = truth.line.size * FABRIC_PERIOD_PS
    model = ReceiverModel()
    model.skip(times[0])
    return model.records(tags[seen].astype(float), truth.clicks["channel"][seen], syncs, until)


def check_symbols(indices, symbols):
    """Symbols are those of the first chip's words, one after the other, from some word on.

    The first few hundred words waited since before the start, so they are left out.
    """
    first = np.arange(MOST_CYCLES, dtype=np.uint64)
    late = indices >= 4 * WAITING_WORDS
    assert late.sum() > TAGS // 2
    for index, symbol in zip(indices[late], symbols[late], strict=True):
        word, slot = divmod(int(index), 4)
        numbers = first + np.uint64(word)
        # A word of the source has two cycles, each with 16 bits of either chip.
        shifts = numbers % np.uint64(2) * np.uint64(32) + np.uint64(4 * slot)
        bits = SymbolSource(SEED).words(numbers // np.uint64(2)) >> shifts & np.uint64(15)
        first = first[map_random_bits(bits.astype(np.uint8)) == symbol]
    assert first.size == 1


def test_same_symbols_and_edges_give_the_same_records(tmp_path):
    link = LinkSettings(
        seed=SEED,
        delay_ps=9_876_543,
        misalignment=0.05,
        jitter_fwhm_ps=350,
        clock_offset_ppm=-7.5,
        background_hz=2e4,
    )
    path = tmp_path / "truth.npz"
    settings = RunSettings(link=link, boards=BoardSettings(), truth=str(path))
    records = run_boards(settings)
    truth = Truth.load(path)

    # The transmitter: symbols of the chip's bits, and frames as the reference encoder makes them.
    frames = truth.frames()
    assert any(frame.flags == FrameFlag.RUNNING for frame in frames)
    for cycle, counter, flags in frames:
        bits = encode_frame(DownlinkFrame(counter, flags, b""))
        assert np.array_equal(truth.line[cycle : cycle + FRAME_BITS], bits)
    indices = truth.pulse_indices()
    known = indices != np.iinfo(np.uint64).max
    assert np.count_nonzero(known) > TAGS // 2
    assert np.any(truth.clicks["slot"] == NO_SLOT)
    check_symbols(indices[known], truth.clicks["symbol"][known])

    # The receiver: bit for bit the records of the twin, up to the last whole frame's.
    records = records[: syncs_known(records, frames, link)]
    expected = model_records(records, truth, link)
    assert np.count_nonzero(record_type(expected) == RecordType.SYNC) >= 1
    assert expected.size >= records.size
    assert np.array_equal(records, expected[: records.size])
