"""The board's end of the link to the host: serial line, framing, registers and streams."""

from keybeam_gateware.link.counters import LinkCounters
from keybeam_gateware.link.credit import RecordCredit
from keybeam_gateware.link.link import Link

__all__ = ["Link", "LinkCounters", "RecordCredit"]
