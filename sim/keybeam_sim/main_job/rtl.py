"""Some frames through the co-simulated boards, driven as real ones, compared with the truth."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.device import Receiver, RecordLoss, Transmitter
from keybeam.errors import KeybeamError
from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_SLOTS, SLOT_PS
from keybeam.protocol.symbols import basis_of, bit_of
from keybeam.sifting import compare
from keybeam.timing import (
    CLICK_DTYPE,
    DecodedChunk,
    PulseIndexer,
    RecordDecoder,
    gate,
    resolve_double_clicks,
)
from keybeam_sim.cosimulation import BoardSettings, Cosimulation, LinkSettings, RunSettings, Truth

__all__ = ["BoardRun", "RtlResult", "RtlTimeoutError", "compare_with_truth", "run_rtl"]

_ANSWER_TIMEOUT_S = 20
"""Seconds a board has for an answer: simulated time runs thousands of times slower than real."""
_PROGRESS_TIMEOUT_S = 120.0
"""Seconds in which something must happen at the boards."""
_POLL_S = 0.2
_LOCKED = 2
_AFTER_FRAMES = 2
"""Frames behind the last one of the pattern whose sync words are awaited."""


class RtlTimeoutError(KeybeamError):
    """The co-simulated boards did not get on."""


class RtlResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the frames.

    Attributes
    ----------
    frames : int
        Frames with symbols.
    clicks : int
        Detections that were given a pulse index.
    gated : int
        Clicks inside the gate, at most one a pulse.
    sifted_bits : int
        Gated clicks in the basis of their symbol.
    wrong_bits : int
        Sifted bits that differ between the two boards.
    wrong_indices : int
        Gated clicks whose pulse did not click that detector, or whose symbol is not what was sent.
    gaps : int
        Losses of records.
    missing : int
        Clicks of the link in frames with symbols that the receiver did not report, or look-ups that
        the state log could not answer.
    wall_s : float
        Wall time in seconds, building the simulation included.
    simulator : str
        Verilog simulator.
    passed : bool
        Whether there were sifted bits and nothing was wrong, lost or missing.
    """

    frames: int
    clicks: int
    gated: int
    sifted_bits: int
    wrong_bits: int
    wrong_indices: int
    gaps: int
    missing: int
    wall_s: float
    simulator: str
    passed: bool


def run_rtl(
    *,
    frames: int,
    seed: int,
    folder: Path,
    report_progress: Callable[[str], None],
    simulator: str = "verilator",
) -> RtlResult:
    """Run frames through both boards on a noiseless link and compare with what the link carried.

    The link has no background, jitter or misalignment, a loss that leaves some 28 clicks a frame,
    and clocks that differ by 5 ppm, so that the phase of the clicks goes through all of the 1.6 ns
    bin.

    Parameters
    ----------
    frames : int
        Frames with symbols.
    seed : int
        Seed of symbols and clicks.
    folder : Path
        Where to keep what the link carried.
    report_progress : callable
        Told in a few words what is going on.
    simulator : str
        One of `keybeam_sim.simulators.available_simulators`.

    Raises
    ------
    RtlTimeoutError
        If the boards do not get on.
    CosimulationError, DeviceError
        If the simulation or a board fails.
    """
    begin = time.monotonic()
    truth = folder / "truth.npz"
    settings = RunSettings(
        link=LinkSettings(loss_db=30.0, delay_ps=12_345_678, clock_offset_ppm=5.0, seed=seed),
        boards=BoardSettings(),
        simulator=simulator,
        truth=str(truth),
    )
    with Cosimulation(settings, report_progress) as simulation:
        options = f"?timeout={_ANSWER_TIMEOUT_S}"
        with (
            Transmitter(f"serial:{simulation.transmitter}{options}") as transmitter,
            Receiver(f"serial:{simulation.receiver}{options}") as receiver,
        ):
            run = BoardRun(transmitter, receiver, frames, seed, report_progress)
            run.drive()
    wrong_indices, missing = compare_with_truth(run, Truth.load(truth))
    wrong_bits = int(np.count_nonzero(run.sent_bits != run.received_bits))
    missing += run.not_found
    faults = wrong_bits + wrong_indices + missing + run.gaps
    return RtlResult(
        frames=frames,
        clicks=run.clicks.size,
        gated=run.gated.size,
        sifted_bits=run.received_bits.size,
        wrong_bits=wrong_bits,
        wrong_indices=wrong_indices,
        gaps=run.gaps,
        missing=missing,
        wall_s=time.monotonic() - begin,
        simulator=simulator,
        passed=run.received_bits.size > 0 and faults == 0,
    )


class BoardRun:
    """Both boards through all frames, as a host would drive them.

    Parameters
    ----------
    transmitter, receiver : Transmitter and Receiver
        The boards.
    frames : int
        Frames with symbols.
    seed : int
        Seed of the bits of double clicks.
    report_progress : callable
        Told in a few words what is going on.

    Attributes
    ----------
    clicks, gated : ndarray of CLICK_DTYPE
        Detections with a pulse index; those in the gate, at most one a pulse.
    symbols : ndarray of uint8
        What the state log says of the gated clicks.
    sent_bits, received_bits : ndarray of uint8
        Sifted bits of both boards.
    gaps : int
        Losses of records.
    not_found : int
        Gated clicks whose pulse the state log did not know, or had blanked.
    """

    def __init__(
        self,
        transmitter: Transmitter,
        receiver: Receiver,
        frames: int,
        seed: int,
        report_progress: Callable[[str], None],
    ) -> None:
        self._transmitter, self._receiver = transmitter, receiver
        self._frames = frames
        self._report = report_progress
        self._decoder = RecordDecoder()
        # Line and detectors are sampled alike.
        self._indexer = PulseIndexer(
            bin_ps=SLOT_PS, sync_bin_ps=SLOT_PS, ahead_frames=8, stride_frames=8, hole_frames=8
        )
        self._generator = np.random.default_rng(seed)
        self._heard = time.monotonic()
        self.clicks = self.gated = np.empty(0, CLICK_DTYPE)
        self.symbols = np.empty(0, np.uint8)
        self.sent_bits = self.received_bits = np.empty(0, np.uint8)
        self.gaps = self.not_found = 0

    def drive(self) -> None:
        """Lock the receiver, run the pattern, take the clicks, look up their symbols."""
        self._report("waiting for the receiver to find the downlink")
        while self._receiver.read("receiver.status.sync_state") != _LOCKED:
            self._check_progress()
        self._receiver.start_stream()
        self._transmitter.write("transmitter.start_counter.counter", 0)
        self._transmitter.write("transmitter.stop_after.frames", self._frames)
        self._transmitter.write("transmitter.control.run", 1)
        self._heard = time.monotonic()
        began, after = False, 0
        while after < _AFTER_FRAMES:
            chunk = self._read()
            for counter, flags in zip(chunk.syncs["counter"], chunk.syncs["flags"], strict=True):
                running = bool(flags & FrameFlag.RUNNING)
                if running:
                    self._report(f"frame {int(counter) + 1} of {self._frames}")
                after += began and not running
                began |= running
            self._take(self._indexer.feed(chunk))
        self._take(self._indexer.feed(self._decoder.finish()))
        self._take(self._indexer.finish())

    def _read(self) -> DecodedChunk:
        """Decode the records that have come."""
        records = self._receiver.records(timeout=_POLL_S)
        if isinstance(records, RecordLoss):
            self._decoder.lose(records.records or 1)
            records = np.empty(0, np.uint64)
        chunk = self._decoder.feed(records)
        self.gaps += len(chunk.gaps)
        if chunk.syncs.size:
            self._heard = time.monotonic()
        self._check_progress()
        return chunk

    def _check_progress(self) -> None:
        if time.monotonic() - self._heard > _PROGRESS_TIMEOUT_S:
            raise RtlTimeoutError(
                f"the co-simulated receiver found no sync word for {_PROGRESS_TIMEOUT_S:g} s"
            )

    def _take(self, clicks: NDArray[np.void]) -> None:
        """Gate clicks, look up what was sent, and sift."""
        gated = resolve_double_clicks(gate(clicks), self._generator)
        status, symbols = self._transmitter.lookup(gated["index"])
        sifting = compare(status, symbols, basis_of(gated["channel"]))
        self.not_found += sifting.too_old + sifting.too_new + sifting.invalid
        self.clicks = np.concatenate([self.clicks, clicks])
        self.gated = np.concatenate([self.gated, gated])
        self.symbols = np.concatenate([self.symbols, symbols])
        self.sent_bits = np.concatenate([self.sent_bits, sifting.bits])
        bits = bit_of(gated["channel"][sifting.matching])
        self.received_bits = np.concatenate([self.received_bits, bits])


def compare_with_truth(run: BoardRun, truth: Truth) -> tuple[int, int]:
    """Compare what the host found with what the link carried.

    Parameters
    ----------
    run : BoardRun
        Clicks, gated clicks, and the symbols that were looked up for these.
    truth : Truth
        What the link carried.

    Returns
    -------
    wrong : int
        Gated clicks whose pulse did not click that detector, or had another symbol.
    missing : int
        Clicks of the link in frames with symbols that the host did not find.
    """
    running = {frame.counter for frame in truth.frames() if frame.flags & FrameFlag.RUNNING}
    indices = truth.pulse_indices()
    carried = {
        (index, channel): symbol
        for index, channel, symbol in zip(
            indices.tolist(),
            truth.clicks["channel"].tolist(),
            truth.clicks["symbol"].tolist(),
            strict=True,
        )
        if index // FRAME_SLOTS in running
    }
    reported = zip(
        run.gated["index"].tolist(),
        run.gated["channel"].tolist(),
        run.symbols.tolist(),
        strict=True,
    )
    wrong = sum(carried.get((index, channel)) != symbol for index, channel, symbol in reported)
    return wrong, max(0, len(carried) - run.clicks.size)
