"""Errors of the receiver's settings and of its calibration."""

from keybeam.errors import KeybeamError

__all__ = ["CalibrationFileError", "ReceiverError"]


class ReceiverError(KeybeamError):
    """The receiver cannot do what was asked."""


class CalibrationFileError(ReceiverError):
    """A file of calibrations is not sound, or not of this receiver."""
