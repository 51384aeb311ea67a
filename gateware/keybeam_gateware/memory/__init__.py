"""DDR3 memory behind the port of the state log: a LiteDRAM core, its start, and the crossing."""

from keybeam_gateware.memory.ddr3_memory import Ddr3Memory
from keybeam_gateware.memory.litedram import (
    CoreGenerationError,
    DramDescription,
    DramSettings,
    generate_core,
)

__all__ = [
    "CoreGenerationError",
    "Ddr3Memory",
    "DramDescription",
    "DramSettings",
    "generate_core",
]
