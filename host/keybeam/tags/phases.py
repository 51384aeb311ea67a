"""Histograms of where in their slot the detections lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import GATE_PS, SLOT_PS
from keybeam.protocol.records import CHANNEL_BITS, FINE_PS
from keybeam.tags.capture import Capture, decode_capture
from keybeam.tags.errors import AnalysisError
from keybeam.timing import CLICK_DTYPE, PulseIndexer, RecordDecoder

__all__ = ["PhaseHistogram", "PhaseReference", "phase_histogram"]

_CHANNELS = 1 << CHANNEL_BITS


class PhaseReference(Enum):
    """What the slots are those of."""

    SYNC = "sync"
    """The transmitter's, found by the sync words; for detections between believed ones."""
    CLOCK = "clock"
    """The receiver's own clock: for sources that are locked to it, or without any downlink."""


@dataclass(frozen=True)
class PhaseHistogram:
    """Detections by phase in the slot of 1600 ps.

    Attributes
    ----------
    edges_ps : ndarray of float64, shape (n + 1,)
        Edges of the bins, deviation from the slot centre, -800 to 800 ps.
    counts : dict of int to ndarray of int64
        Detections in each bin, for each channel that has any.
    centres_ps : dict of int to float
        Circular mean of each channel's phase.
    contrasts : dict of int to float
        Length of each channel's mean phase vector: 0 for detections anywhere, 1 at one phase.
    gated : dict of int to float
        Part of each channel's detections within 400 ps of the slot centre.
    """

    edges_ps: NDArray[np.float64]
    counts: dict[int, NDArray[np.int64]]
    centres_ps: dict[int, float]
    contrasts: dict[int, float]
    gated: dict[int, float]


def phase_histogram(
    path: Path,
    *,
    bins: int = 100,
    reference: PhaseReference = PhaseReference.SYNC,
    delay_ps: float = 0.0,
) -> PhaseHistogram:
    """Sort the detections of a capture by phase.

    Parameters
    ----------
    path : Path
        The capture.
    bins : int
        Number of bins in a slot, 1 to 4096.
    reference : PhaseReference
        What the slots are those of.
    delay_ps : float
        How much later than their slot the detections come; see `PulseIndexer`.

    Raises
    ------
    AnalysisError
        If no detection has a phase.
    CaptureError
        If the capture is not sound.
    """
    counts = np.zeros((_CHANNELS, bins), np.int64)
    vectors, inside = np.zeros(_CHANNELS, complex), np.zeros(_CHANNELS, np.int64)
    edges = np.linspace(-SLOT_PS / 2, SLOT_PS / 2, bins + 1)
    phases = _sync_phases if reference is PhaseReference.SYNC else _clock_phases
    for clicks in phases(path, delay_ps):
        place = ((clicks["phase_ps"] / SLOT_PS + 0.5) * bins).astype(np.int64).clip(0, bins - 1)
        flat = clicks["channel"].astype(np.int64) * bins + place
        counts += np.bincount(flat, minlength=counts.size).reshape(counts.shape)
        for channel in np.unique(clicks["channel"]).tolist():
            phase = clicks["phase_ps"][clicks["channel"] == channel].astype(np.float64)
            vectors[channel] += np.exp(2j * np.pi * phase / SLOT_PS).sum()
            inside[channel] += np.count_nonzero(np.abs(phase) <= GATE_PS / 2)
    total = counts.sum(1)
    seen = np.flatnonzero(total).tolist()
    if not seen:
        hint = "; try the receiver's clock" if reference is PhaseReference.SYNC else ""
        raise AnalysisError(f"{path}: no detection lies between two sync words{hint}")
    turn = 2 * np.pi / SLOT_PS
    return PhaseHistogram(
        edges,
        {channel: counts[channel] for channel in seen},
        {channel: float(np.angle(vectors[channel])) / turn for channel in seen},
        {channel: float(abs(vectors[channel])) / int(total[channel]) for channel in seen},
        {channel: float(inside[channel] / total[channel]) for channel in seen},
    )


def _sync_phases(path: Path, delay_ps: float) -> Iterator[NDArray[np.void]]:
    """Clicks of the detectors, by the transmitter's slots."""
    with Capture(path) as capture:
        indexer = PulseIndexer(
            delay_ps=delay_ps,
            bin_ps=capture.metadata.bin_ps,
            sync_bin_ps=capture.metadata.sync_bin_ps,
            key_only=False,
        )
        for chunk in decode_capture(capture, RecordDecoder()):
            yield indexer.feed(chunk)
        yield indexer.finish()


def _clock_phases(path: Path, delay_ps: float) -> Iterator[NDArray[np.void]]:
    """Give all detections as clicks whose slots are those of the receiver's clock."""
    with Capture(path) as capture:
        shift_ps = capture.metadata.bin_ps / 2 - delay_ps
        slot_steps = round(SLOT_PS / FINE_PS)
        for chunk in decode_capture(capture):
            clicks = np.zeros(chunk.tags.size, CLICK_DTYPE)
            clicks["channel"] = chunk.tags["channel"]
            into_slot = (chunk.tags["time"] % slot_steps) * FINE_PS + shift_ps
            clicks["phase_ps"] = into_slot % SLOT_PS - SLOT_PS / 2
            yield clicks
