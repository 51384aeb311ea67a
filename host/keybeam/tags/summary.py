"""What a capture holds, in a few numbers."""

from pathlib import Path

import msgspec
import numpy as np

from keybeam.protocol.records import CHANNEL_BITS, DETECTOR_CHANNELS, FINE_PS, Channel
from keybeam.tags.capture import Capture, CaptureMetadata, decode_capture
from keybeam.timing import DecodedChunk, RecordDecoder

__all__ = ["CaptureSummary", "channel_name", "summarise_capture"]


class CaptureSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a capture.

    Attributes
    ----------
    records : int
        Records of all types.
    complete : bool
        Whether the capture ended because it was told to.
    duration_s : float
        From the first to the last tag or sync word on the receiver's clock, in s.
    tags : dict of str to int
        Detections of each detector channel, and of each other channel that has any.
    sync_words : int
        Sync words, those of the flywheel included.
    flywheel_sync_words : int
        Sync words whose time is the flywheel's.
    valid_headers : int
        Frame headers whose check sum held.
    first_frame, last_frame : int or None
        Lowest and highest frame counter of a valid header.
    gaps : int
        Stretches of time in which records were lost.
    lost : int
        Records and tags known to be lost.
    metadata : CaptureMetadata
        What else is known about the capture.
    """

    records: int
    complete: bool
    duration_s: float
    tags: dict[str, int]
    sync_words: int
    flywheel_sync_words: int
    valid_headers: int
    first_frame: int | None
    last_frame: int | None
    gaps: int
    lost: int
    metadata: CaptureMetadata


def channel_name(channel: int) -> str:
    """Name a channel for a reader: its letter, or its number where it has none."""
    return Channel(channel).name if channel in set(Channel) else f"channel {channel}"


class _Tally:
    def __init__(self) -> None:
        self.tags = np.zeros(1 << CHANNEL_BITS, np.int64)
        self.sync_words = self.flywheel = self.valid = self.gaps = 0
        self.times: list[int] = []
        self.frames: list[int] = []

    def add(self, chunk: DecodedChunk) -> None:
        self.tags += np.bincount(chunk.tags["channel"], minlength=self.tags.size)
        self.sync_words += chunk.syncs.size
        self.flywheel += int(np.count_nonzero(chunk.syncs["flywheel"]))
        counters = chunk.syncs["counter"][chunk.syncs["valid"]]
        self.valid += counters.size
        self.gaps += len(chunk.gaps)
        for times in (chunk.tags["time"], chunk.syncs["time"]):
            if times.size:
                self.times = _extremes([*self.times, int(times.min()), int(times.max())])
        if counters.size:
            self.frames = _extremes([*self.frames, int(counters.min()), int(counters.max())])


def _extremes(values: list[int]) -> list[int]:
    return [min(values), max(values)]


def summarise_capture(path: Path) -> CaptureSummary:
    """Read a whole capture and count what it holds; memory stays bounded.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    CaptureError
        If it is no sound capture.
    OSError
        If it cannot be read.
    """
    decoder, tally = RecordDecoder(channels=1 << CHANNEL_BITS), _Tally()
    with Capture(path) as capture:
        for chunk in decode_capture(capture, decoder):
            tally.add(chunk)
    first, last = tally.times or (0, 0)
    seen = {*DETECTOR_CHANNELS, *np.flatnonzero(tally.tags).tolist()}
    return CaptureSummary(
        records=capture.count,
        complete=capture.complete,
        duration_s=(last - first) * FINE_PS * 1e-12,
        tags={channel_name(channel): int(tally.tags[channel]) for channel in sorted(seen)},
        sync_words=tally.sync_words,
        flywheel_sync_words=tally.flywheel,
        valid_headers=tally.valid,
        first_frame=tally.frames[0] if tally.frames else None,
        last_frame=tally.frames[1] if tally.frames else None,
        gaps=tally.gaps,
        lost=decoder.lost,
        metadata=capture.metadata,
    )
