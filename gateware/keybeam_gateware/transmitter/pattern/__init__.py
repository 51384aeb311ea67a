"""The pattern: from random bits, or whatever the mode says, to lanes of lasers and modulators."""

from keybeam_gateware.transmitter.pattern.core import PATTERN_LATENCY, SENT_LATENCY, Pattern
from keybeam_gateware.transmitter.pattern.layouts import (
    BLANKED_SYMBOL,
    FINE_DELAY_LAYOUT,
    START_SIGNATURE,
)

__all__ = [
    "BLANKED_SYMBOL",
    "FINE_DELAY_LAYOUT",
    "PATTERN_LATENCY",
    "SENT_LATENCY",
    "START_SIGNATURE",
    "Pattern",
]
