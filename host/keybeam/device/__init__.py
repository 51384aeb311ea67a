"""Device access: ways to a board, its registers by name, its look-ups, records and messages."""

from keybeam.device.board import Board, Identity, Receiver, Transmitter
from keybeam.device.clock import HostClock, ReferenceClock, SimulatedClock
from keybeam.device.discovery import (
    FoundPort,
    announce_boards,
    announced_ports,
    find_boards,
    find_ports,
    port_at,
    read_identity,
)
from keybeam.device.errors import (
    ConnectionLostError,
    DeviceError,
    LinkTimeoutError,
    NotABoardError,
    PayloadFullError,
    PortBusyError,
    PortMissingError,
    PortUrlError,
    RegisterAccessError,
    RegisterMapError,
    RegisterNameError,
    RequestRefusedError,
    WrongRoleError,
)
from keybeam.device.frames import MessageLoss, RecordLoss
from keybeam.device.register_map import Field, Register, RegisterMap, load_register_map
from keybeam.device.transports import Transport, open_transport

__all__ = [
    "Board",
    "ConnectionLostError",
    "DeviceError",
    "Field",
    "FoundPort",
    "HostClock",
    "Identity",
    "LinkTimeoutError",
    "MessageLoss",
    "NotABoardError",
    "PayloadFullError",
    "PortBusyError",
    "PortMissingError",
    "PortUrlError",
    "Receiver",
    "RecordLoss",
    "ReferenceClock",
    "Register",
    "RegisterAccessError",
    "RegisterMap",
    "RegisterMapError",
    "RegisterNameError",
    "RequestRefusedError",
    "SimulatedClock",
    "Transmitter",
    "Transport",
    "WrongRoleError",
    "announce_boards",
    "announced_ports",
    "find_boards",
    "find_ports",
    "load_register_map",
    "open_transport",
    "port_at",
    "read_identity",
]
