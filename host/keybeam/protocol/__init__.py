"""The one definition of the protocol: numbers, symbols, records, frames, board link, identity.

Gateware, simulation, host and documentation take them from here.
"""

from keybeam.protocol import downlink, identity, link, numbers, records, symbols

__all__ = ["downlink", "identity", "link", "numbers", "records", "symbols"]
