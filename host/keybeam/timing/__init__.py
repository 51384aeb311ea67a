"""From tag records to clicks: decoding, clock, pulse index, gate, double clicks."""

from keybeam.timing.clicks import (
    CLICK_DTYPE,
    ClickOrder,
    DelayEstimate,
    align,
    click_order,
    estimate_delay,
    gate,
    resolve_double_clicks,
)
from keybeam.timing.clock_state import ClockEstimator, ClockState
from keybeam.timing.decoding import SYNC_DTYPE, TAG_DTYPE, DecodedChunk, Gap, RecordDecoder
from keybeam.timing.edge_fit import RefinedSyncs, refine_sync_times
from keybeam.timing.indexing import IndexedClicks, IndexingStatistics, PulseIndexer
from keybeam.timing.joining import joined
from keybeam.timing.packed import (
    MOST_PULSES,
    PULSE_DTYPE,
    PackedClicks,
    join_packed,
    packed_order,
    resolve_packed,
)
from keybeam.timing.placing import ClickGate
from keybeam.timing.slot_phase import SlotClockSettings, channel_offset, slot_clock_settings

__all__ = [
    "CLICK_DTYPE",
    "MOST_PULSES",
    "PULSE_DTYPE",
    "SYNC_DTYPE",
    "TAG_DTYPE",
    "ClickGate",
    "ClickOrder",
    "ClockEstimator",
    "ClockState",
    "DecodedChunk",
    "DelayEstimate",
    "Gap",
    "IndexedClicks",
    "IndexingStatistics",
    "PackedClicks",
    "PulseIndexer",
    "RecordDecoder",
    "RefinedSyncs",
    "SlotClockSettings",
    "align",
    "channel_offset",
    "click_order",
    "estimate_delay",
    "gate",
    "join_packed",
    "joined",
    "packed_order",
    "refine_sync_times",
    "resolve_double_clicks",
    "resolve_packed",
    "slot_clock_settings",
]
