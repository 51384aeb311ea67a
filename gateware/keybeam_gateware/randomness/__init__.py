"""Random bits: alignment, health tests, origins, FIFO, gearbox, and what joins them."""

from keybeam_gateware.randomness.gearbox import Gearbox
from keybeam_gateware.randomness.layouts import CHIPS_LAYOUT, CHIPS_VALID_LAYOUT, random_layout
from keybeam_gateware.randomness.source import FIFO_WORDS, RandomSource

__all__ = [
    "CHIPS_LAYOUT",
    "CHIPS_VALID_LAYOUT",
    "FIFO_WORDS",
    "Gearbox",
    "RandomSource",
    "random_layout",
]
