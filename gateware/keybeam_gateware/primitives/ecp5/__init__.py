"""The cells of the Lattice ECP5: clocks, lanes, SERDES, rings, delay lines."""

from keybeam_gateware.primitives.ecp5.clocks import Clocks, X1Clocks
from keybeam_gateware.primitives.ecp5.delay_line import DELAY_SUBSTITUTES, DelayLine
from keybeam_gateware.primitives.ecp5.lanes import (
    SHARED_SUBSTITUTES,
    LaneDeserialiser,
    LaneSerialiser,
)
from keybeam_gateware.primitives.ecp5.pulser import RingPulser
from keybeam_gateware.primitives.ecp5.ring import RingOscillators
from keybeam_gateware.primitives.ecp5.serdes import REFERENCE_MULTIPLIER, SerialLane
from keybeam_gateware.primitives.ecp5.x1_lanes import (
    WordPhase,
    X1LaneDeserialiser,
    X1LaneSerialiser,
)

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
    "WordPhase",
    "X1Clocks",
    "X1LaneDeserialiser",
    "X1LaneSerialiser",
]

SUBSTITUTES = DELAY_SUBSTITUTES | SHARED_SUBSTITUTES
"""What each black box becomes between synthesis and placement."""
