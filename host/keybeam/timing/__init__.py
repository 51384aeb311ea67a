"""From tag records to clicks: decoding, capture files, pulse index, gate, double clicks."""

from keybeam.timing.clicks import (
    CLICK_DTYPE,
    DelayEstimate,
    estimate_delay,
    gate,
    resolve_double_clicks,
)
from keybeam.timing.decoding import SYNC_DTYPE, TAG_DTYPE, DecodedChunk, Gap, RecordDecoder
from keybeam.timing.indexing import IndexingStatistics, PulseIndexer
from keybeam.timing.tagfile import (
    TagFileCorruptError,
    TagFileError,
    TagFileFormatError,
    TagFileTruncatedError,
    TagFileWriter,
    TagPacket,
    read_tag_file,
    write_tag_file,
)

__all__ = [
    "CLICK_DTYPE",
    "SYNC_DTYPE",
    "TAG_DTYPE",
    "DecodedChunk",
    "DelayEstimate",
    "Gap",
    "IndexingStatistics",
    "PulseIndexer",
    "RecordDecoder",
    "TagFileCorruptError",
    "TagFileError",
    "TagFileFormatError",
    "TagFileTruncatedError",
    "TagFileWriter",
    "TagPacket",
    "estimate_delay",
    "gate",
    "read_tag_file",
    "resolve_double_clicks",
    "write_tag_file",
]
