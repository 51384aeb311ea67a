"""Errors of the time-tagger's calibration and simulation."""

from keybeam.errors import KeybeamError

__all__ = ["CalibrationError", "TaggerError"]


class TaggerError(KeybeamError):
    """Base of the errors of the time-tagger."""


class CalibrationError(TaggerError):
    """The counts do not make a calibration."""
