"""What a tag file holds, in a few numbers."""

from pathlib import Path

import msgspec
import numpy as np

from keybeam.protocol.records import DETECTOR_CHANNELS, FINE_PS
from keybeam.timing.decoding import DecodedChunk, RecordDecoder
from keybeam.timing.tagfile import read_tag_file

__all__ = ["TagFileSummary", "summarise_tag_file"]


class TagFileSummary(msgspec.Struct, frozen=True):
    """Contents of a tag file.

    Attributes
    ----------
    records : int
        Records of all types.
    duration_s : float
        From the first to the last tag or sync word on the receiver's clock, in s.
    tags : dict of str to int
        Detections of each detector channel.
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
    """

    records: int
    duration_s: float
    tags: dict[str, int]
    sync_words: int
    flywheel_sync_words: int
    valid_headers: int
    first_frame: int | None
    last_frame: int | None
    gaps: int
    lost: int


class _Tally:
    def __init__(self) -> None:
        self.tags = np.zeros(len(DETECTOR_CHANNELS), np.int64)
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


def summarise_tag_file(path: Path) -> TagFileSummary:
    """Read a whole tag file and count what it holds; memory stays bounded.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    TagFileError
        If it is no tag file, truncated or corrupted.
    OSError
        If it cannot be read.
    """
    decoder, tally, records = RecordDecoder(), _Tally(), 0
    for packet in read_tag_file(path):
        if packet.lost:
            decoder.lose(packet.lost)
        records += packet.records.size
        tally.add(decoder.feed(packet.records))
    tally.add(decoder.finish())
    first, last = tally.times or (0, 0)
    return TagFileSummary(
        records=records,
        duration_s=(last - first) * FINE_PS * 1e-12,
        tags={channel.name: int(tally.tags[channel]) for channel in DETECTOR_CHANNELS},
        sync_words=tally.sync_words,
        flywheel_sync_words=tally.flywheel,
        valid_headers=tally.valid,
        first_frame=tally.frames[0] if tally.frames else None,
        last_frame=tally.frames[1] if tally.frames else None,
        gaps=tally.gaps,
        lost=decoder.lost,
    )
