"""Records of a made-up receiver board."""

import numpy as np

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.records import FINE_PS, FRAME_VALID, RecordType, pack_records

SLOT_STEPS = 4096
FRAME_STEPS = FRAME_SLOTS * SLOT_STEPS


class RecordedBoard:
    """Gives out the parts of a stream one by one, then nothing."""

    name = "recorded"

    def __init__(self, parts):
        self._parts = list(parts)

    def records(self, timeout):
        return self._parts.pop(0) if self._parts else np.empty(0, np.uint64)


def stream(index, channel, *, frames, running, offset_ps=0.0, jitter_ps=0.0, silence_s=0.0):
    """Records of frames, of which the first `running` bear symbols, and of clicks."""
    generator = np.random.default_rng(1)
    counter = np.arange(frames)
    flags = np.where(counter < running, FrameFlag.RUNNING, 0)
    sync_time = 1000 + counter * FRAME_STEPS
    noise = generator.normal(offset_ps, jitter_ps, len(index)) if jitter_ps else offset_ps
    tag_time = 1000 + ((np.asarray(index) + 0.5) * SLOT_STEPS + noise / FINE_PS).astype(np.int64)
    end = int(sync_time[-1] + silence_s * 1e12 / FINE_PS)
    epochs = np.arange(sync_time[-1] + 1, end, round(1e12 / FINE_PS))
    times = np.concatenate([tag_time, sync_time, sync_time, epochs])
    order = np.concatenate([np.zeros(len(index)), counter * 0 + 1, counter * 0 + 2, epochs * 0 + 3])
    records = np.concatenate(
        [
            pack_records(RecordType.TAG, np.asarray(channel), tag_time),
            pack_records(RecordType.SYNC, 0, sync_time),
            pack_records(RecordType.FRAME, FRAME_VALID, counter | flags << 48),
            pack_records(RecordType.EPOCH, 0, epochs),
        ]
    )
    return records[np.lexsort((order, times))]
