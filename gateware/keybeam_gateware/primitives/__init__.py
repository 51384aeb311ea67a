"""The cells a vendor's part has and logic does not: clocks, and lanes of four bits a cycle.

Nothing outside this package names a vendor cell. One module per family has the
same three blocks, and `portable` has the two lane blocks again in plain logic,
for simulation:

- ``LaneSerialiser``: four bits a cycle of ``sync`` → one line at four times the rate
- ``LaneDeserialiser``: one line → four samples a cycle of ``sync``
- ``Clocks``: a reference clock → ``sync``, and the edge clock that the lanes share

Slot 0 of a word is its lowest bit and the earliest on the line.
"""

from keybeam_gateware.primitives import ecp5, portable

__all__ = ["ecp5", "portable"]
