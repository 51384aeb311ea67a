"""The state log: what was sent at every pulse index, kept in a ring and read by index."""

from keybeam_gateware.transmitter.log.memory_port import MemoryPort
from keybeam_gateware.transmitter.log.registers import LOG_ADDRESS_BITS, LogBackend
from keybeam_gateware.transmitter.log.state_log import (
    DDR3_LINE_WORDS,
    DDR3_USUAL_CYCLES,
    LOOKUP_CYCLES,
    StateLog,
)
from keybeam_gateware.transmitter.log.window import GUARD_WORDS

__all__ = [
    "DDR3_LINE_WORDS",
    "DDR3_USUAL_CYCLES",
    "GUARD_WORDS",
    "LOG_ADDRESS_BITS",
    "LOOKUP_CYCLES",
    "LogBackend",
    "MemoryPort",
    "StateLog",
]
