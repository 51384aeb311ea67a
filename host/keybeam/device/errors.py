"""What can go wrong between host and board, one class for each thing a user could act on."""

from keybeam.errors import KeybeamError

__all__ = [
    "ConnectionLostError",
    "DeviceError",
    "LinkTimeoutError",
    "NotABoardError",
    "PayloadFullError",
    "PortBusyError",
    "PortMissingError",
    "PortUrlError",
    "RegisterAccessError",
    "RegisterMapError",
    "RegisterNameError",
    "RequestRefusedError",
    "WrongRoleError",
]


class DeviceError(KeybeamError):
    """Base of all errors between host and board."""


class PortUrlError(DeviceError):
    """The name of a port cannot be understood."""


class PortMissingError(DeviceError):
    """There is no such port, or it may not be opened."""


class PortBusyError(DeviceError):
    """Another program has the port open."""


class ConnectionLostError(DeviceError):
    """The port vanished, or the other end closed the connection."""


class LinkTimeoutError(DeviceError):
    """The board did not answer in time, repeats included."""


class NotABoardError(DeviceError):
    """Something answers, but not a Keybeam board of this version of the link."""


class RegisterMapError(DeviceError):
    """The board has another register map than this program."""


class WrongRoleError(DeviceError):
    """The board is the other terminal."""


class RegisterNameError(DeviceError):
    """The register map has no register or field of this name, or a value does not fit it."""


class RegisterAccessError(DeviceError):
    """The board, or its register map, forbids the access."""


class RequestRefusedError(DeviceError):
    """The board refused a request other than a register access."""


class PayloadFullError(DeviceError):
    """The board's payload buffer had no room within the time-out."""
