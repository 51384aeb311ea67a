"""The cells of the Lattice ECP5: clocks, lanes, SERDES, rings, delay lines."""

from keybeam_gateware.primitives.ecp5.clocks import Clocks
from keybeam_gateware.primitives.ecp5.delay_line import DELAY_SUBSTITUTES, DelayLine
from keybeam_gateware.primitives.ecp5.lanes import (
    SHARED_SUBSTITUTES,
    LaneDeserialiser,
    LaneSerialiser,
)
from keybeam_gateware.primitives.ecp5.pulser import RingPulser
from keybeam_gateware.primitives.ecp5.ring import RingOscillators
from keybeam_gateware.primitives.ecp5.serdes import REFERENCE_MULTIPLIER, SerialLane

__all__ = [
    "REFERENCE_MULTIPLIER",
    "SUBSTITUTES",
    "Clocks",
    "DelayLine",
    "LaneDeserialiser",
    "LaneSerialiser",
    "RingOscillators",
    "RingPulser",
    "SerialLane",
]

SUBSTITUTES = DELAY_SUBSTITUTES | SHARED_SUBSTITUTES
"""What each black box becomes between synthesis and placement."""
