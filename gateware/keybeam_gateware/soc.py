"""The register bus: what describes registers, and how wide the bus is."""

from luna_soc.gateware.vendor.amaranth_soc.memory import MemoryMap

from keybeam_gateware import csr

__all__ = ["CSR_DATA_WIDTH", "MemoryMap", "csr"]

CSR_DATA_WIDTH = 32
"""Width of the register bus in bits; wider registers are read atomically, lowest word first."""
