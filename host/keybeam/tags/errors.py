"""What can go wrong with captures of tags."""

from pathlib import Path

from keybeam.errors import KeybeamError

__all__ = [
    "AnalysisError",
    "CaptureCorruptError",
    "CaptureError",
    "CaptureFormatError",
    "CaptureFullError",
    "CaptureTruncatedError",
    "SilentBoardError",
]


class CaptureError(KeybeamError):
    """Base of what can be wrong with a capture file.

    Parameters
    ----------
    path : Path
        The file.
    message : str
        What is wrong with it.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class CaptureFormatError(CaptureError):
    """The file is no capture, or of another version of the format."""


class CaptureTruncatedError(CaptureError):
    """The file ends too early."""


class CaptureCorruptError(CaptureError):
    """A check sum is wrong, or parts of the file contradict each other."""


class CaptureFullError(CaptureError):
    """There is no room for more records; the file keeps those before."""


class SilentBoardError(KeybeamError):
    """A board sends no records."""


class AnalysisError(KeybeamError):
    """A capture does not hold what an analysis needs."""
