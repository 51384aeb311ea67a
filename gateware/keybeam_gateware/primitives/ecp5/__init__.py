"""The cells of the Lattice ECP5: clocks, lanes, SERDES, rings, delay lines."""

from keybeam_gateware.primitives.ecp5.clocks import Clocks
from keybeam_gateware.primitives.ecp5.delay_line import DelayLine
from keybeam_gateware.primitives.ecp5.lanes import LaneDeserialiser, LaneSerialiser
from keybeam_gateware.primitives.ecp5.pulser import RingPulser
from keybeam_gateware.primitives.ecp5.ring import RingOscillators
from keybeam_gateware.primitives.ecp5.serdes import REFERENCE_MULTIPLIER, SerialLane

__all__ = [
    "REFERENCE_MULTIPLIER",
    "Clocks",
    "DelayLine",
    "LaneDeserialiser",
    "LaneSerialiser",
    "RingOscillators",
    "RingPulser",
    "SerialLane",
]
