"""The register-bus library amaranth_soc, from where it is maintained on PyPI.

The PyPI package ``amaranth-soc`` is an empty placeholder; ``luna-soc`` carries
the library. Everything in the gateware takes it from here.
"""

from luna_soc.gateware.vendor.amaranth_soc import csr
from luna_soc.gateware.vendor.amaranth_soc.memory import MemoryMap

__all__ = ["CSR_DATA_WIDTH", "MemoryMap", "csr"]

CSR_DATA_WIDTH = 32
"""Width of the register bus in bits; wider registers are read atomically, lowest word first."""
