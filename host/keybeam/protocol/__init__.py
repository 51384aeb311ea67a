"""The one definition of the protocol: numbers, symbols, tag records, downlink frame, board link.

Gateware, simulation, host and documentation take them from here.
"""

from keybeam.protocol import downlink, link, numbers, records, symbols

__all__ = ["downlink", "link", "numbers", "records", "symbols"]
