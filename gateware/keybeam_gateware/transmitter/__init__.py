"""The transmitter: pattern, state log, downlink and uplink, and their core."""

from keybeam_gateware.transmitter.core import DEFAULT_LOG_FRAMES, TransmitterCore
from keybeam_gateware.transmitter.layouts import LANES_LAYOUT
from keybeam_gateware.transmitter.log import GUARD_WORDS

__all__ = ["DEFAULT_LOG_FRAMES", "GUARD_WORDS", "LANES_LAYOUT", "TransmitterCore"]
