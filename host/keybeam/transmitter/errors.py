"""Errors of the transmitter's settings."""

from keybeam.errors import KeybeamError

__all__ = ["TransmitterBusyError", "TransmitterError"]


class TransmitterError(KeybeamError):
    """The transmitter cannot do what was asked."""


class TransmitterBusyError(TransmitterError):
    """What was asked can only be done while the pattern does not run."""
