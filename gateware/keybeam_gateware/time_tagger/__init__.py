"""Time stamps of single edges to picoseconds: delay lines, encoders, calibration, conditioning.

In the order of the data:

- `PictureEncoder`, `EdgeFinder`: pictures of delay lines → codes of edges
"""

from .edge_finder import EdgeFinder
from .encoder import PictureEncoder

__all__ = ["EdgeFinder", "PictureEncoder"]
