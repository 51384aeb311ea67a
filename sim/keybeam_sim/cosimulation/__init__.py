"""Co-simulation: both boards' Verilog, joined by a model of the link, behind pseudo-terminals."""

from keybeam_sim.cosimulation.process import Cosimulation, CosimulationError
from keybeam_sim.cosimulation.settings import BoardSettings, LinkFault, LinkSettings, RunSettings
from keybeam_sim.cosimulation.truth import NO_SLOT, TRUTH_DTYPE, Truth

__all__ = [
    "NO_SLOT",
    "TRUTH_DTYPE",
    "BoardSettings",
    "Cosimulation",
    "CosimulationError",
    "LinkFault",
    "LinkSettings",
    "RunSettings",
    "Truth",
]
