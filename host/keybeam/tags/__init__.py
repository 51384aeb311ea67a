"""Captures of time tags: recording, files, rates, phase histograms, correlations, other formats."""

from keybeam.tags.capture import (
    Capture,
    CaptureMetadata,
    CapturePacket,
    CaptureWriter,
    decode_capture,
    read_capture,
    write_capture,
)
from keybeam.tags.errors import (
    AnalysisError,
    CaptureCorruptError,
    CaptureError,
    CaptureFormatError,
    CaptureFullError,
    CaptureTruncatedError,
    SilentBoardError,
)
from keybeam.tags.recording import board_metadata, record
from keybeam.tags.summary import CaptureSummary, summarise_capture

__all__ = [
    "AnalysisError",
    "Capture",
    "CaptureCorruptError",
    "CaptureError",
    "CaptureFormatError",
    "CaptureFullError",
    "CaptureMetadata",
    "CapturePacket",
    "CaptureSummary",
    "CaptureTruncatedError",
    "CaptureWriter",
    "SilentBoardError",
    "board_metadata",
    "decode_capture",
    "read_capture",
    "record",
    "summarise_capture",
    "write_capture",
]
