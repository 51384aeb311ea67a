"""The receiver: downlink and detectors in, tag records and messages out."""

from .core import ReceiverCore
from .tagging import lines_of_channels

__all__ = ["ReceiverCore", "lines_of_channels"]
