"""Frames on the optical lines, downlink and uplink: the sending and the receiving end."""

from keybeam_gateware.line.framer import FRAMER_LATENCY, PAYLOAD_BUFFER_BYTES, Framer
from keybeam_gateware.line.line_receiver import LineReceiver
from keybeam_gateware.line.sync_extractor import SyncState

__all__ = ["FRAMER_LATENCY", "PAYLOAD_BUFFER_BYTES", "Framer", "LineReceiver", "SyncState"]
