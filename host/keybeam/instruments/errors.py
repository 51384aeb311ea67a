"""Errors of laboratory instruments."""

from keybeam.errors import KeybeamError

__all__ = [
    "InstrumentError",
    "InstrumentLimitError",
    "InstrumentTimeoutError",
    "MeasurementError",
    "StationError",
]


class InstrumentError(KeybeamError):
    """An instrument cannot be reached, is another one, or reports an error."""


class InstrumentTimeoutError(InstrumentError):
    """An instrument did not answer in time."""


class InstrumentLimitError(InstrumentError):
    """A setting lies outside of what the instrument or its user allows; nothing was sent."""


class MeasurementError(KeybeamError):
    """What was measured does not fit what a routine needs."""


class StationError(KeybeamError):
    """A station file has wrong or missing entries; the message has a line for each."""
