"""Twins of the two boards: a simulated pass that the host cannot tell from real ones.

The twin draws clicks instead of pulses, so it is much faster than the gateware in a simulator, and
emits the same wire formats. It stands for receivers with a fine time converter: times have bins of
25 ps (`FINE_BIN_STEPS`) instead of the 1.6 ns of the sampled inputs.
"""

from keybeam_sim.twin.receiver_model import FINE_BIN_STEPS, ReceiverModel
from keybeam_sim.twin.server import TwinProcess, TwinServer
from keybeam_sim.twin.simulation import PassSimulation, TwinSettings

__all__ = [
    "FINE_BIN_STEPS",
    "PassSimulation",
    "ReceiverModel",
    "TwinProcess",
    "TwinServer",
    "TwinSettings",
]
