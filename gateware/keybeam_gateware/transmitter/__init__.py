"""The transmitter: gearbox, symbol map, sequencer, state log, downlink framer, and their core."""

from keybeam_gateware.transmitter.core import DEFAULT_LOG_FRAMES, RANDOM_WORD_BITS, TransmitterCore
from keybeam_gateware.transmitter.framer import PAYLOAD_BUFFER_BYTES
from keybeam_gateware.transmitter.log import GUARD_WORDS
from keybeam_gateware.transmitter.sequencer import LANES_LAYOUT

__all__ = [
    "DEFAULT_LOG_FRAMES",
    "GUARD_WORDS",
    "LANES_LAYOUT",
    "PAYLOAD_BUFFER_BYTES",
    "RANDOM_WORD_BITS",
    "TransmitterCore",
]
