"""The steps of a bring-up, in their order."""

from keybeam.bringup.steps.clocks import CLOCKS
from keybeam.bringup.steps.detectors import DETECTORS
from keybeam.bringup.steps.downlink import DOWNLINK
from keybeam.bringup.steps.host_link import HOST_LINK
from keybeam.bringup.steps.lanes import LANE_DELAYS
from keybeam.bringup.steps.random_bits import RANDOM_BITS, SAMPLES
from keybeam.bringup.steps.state_log import STATE_LOG
from keybeam.bringup.steps.step import Step
from keybeam.bringup.steps.tagger import TAGGER

__all__ = ["SAMPLES", "STEPS", "Step"]

STEPS = (CLOCKS, RANDOM_BITS, LANE_DELAYS, DOWNLINK, TAGGER, DETECTORS, STATE_LOG, HOST_LINK)
"""What comes after the identity of the boards."""
