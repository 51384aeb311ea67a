"""The cells a vendor's part has and logic does not: clocks, and lanes of four bits a cycle.

Nothing outside this package names a vendor cell. Each family has the same
blocks, and `portable` has those of the lanes again in plain logic, for
simulation:

- ``LaneSerialiser``: four bits a cycle of ``sync`` → one line at four times the rate
- ``LaneDeserialiser``: one line → four samples a cycle of ``sync``
- ``SerialLane``: sixteen bits a cycle of ``sync`` → a SERDES output
- ``Clocks``: a reference clock → ``sync``, and the edge clock that the lanes share
- ``RingOscillators``: random bits for demonstrations, never for keys

What steers these cells is plain logic, and stands beside: `delay`, `serial_start`, `pll`.

Slot 0 of a word is its lowest bit and the earliest on the line.
"""

from keybeam_gateware.primitives import ecp5, portable

__all__ = ["ecp5", "portable"]
