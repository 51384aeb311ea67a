"""The receiver: downlink and detectors in, tag records and messages out."""

from .core import ReceiverCore

__all__ = ["ReceiverCore"]
