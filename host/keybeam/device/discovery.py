"""Finds boards: by the USB identifiers of serial ports, and by what simulations announce.

A USB bridge says only that there may be a board. Whether there is one, the magic number of the
identity block tells (`read_identity`).
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from keybeam.device.board import Identity
from keybeam.device.client import LinkClient
from keybeam.device.clock import SimulatedClock, UnstoppableClock
from keybeam.device.errors import DeviceError, NotABoardError
from keybeam.device.transports import Transport, open_transport
from keybeam.protocol.identity import IDENTITY_MAGIC, IdentityAddress, Role
from keybeam.protocol.link import UART_BAUD

__all__ = [
    "USB_BRIDGES",
    "FoundPort",
    "announce_boards",
    "announced_ports",
    "find_boards",
    "find_ports",
    "port_at",
    "read_identity",
]

USB_BRIDGES = {
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6010): "FTDI FT2232H",
    (0x0403, 0x6011): "FTDI FT4232H",
    (0x0403, 0x6014): "FTDI FT232H",
    (0x0403, 0x6015): "FTDI FT231X",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
}
"""USB vendor and product identifiers of the serial bridges on development boards and in common
cables (those of the USB ID Repository)."""

_JTAG_INTERFACES = {(0x0403, 0x6010): ":1.0", (0x0403, 0x6011): ":1.0"}
"""Bridges of several interfaces have JTAG on the first one, which must not see any bytes."""

_PROBE_TIMEOUT_S = 0.1
_SIMULATED_TIMEOUT_S = 2e-3
"""Simulated seconds that a simulated board has for an answer, a hundred times what it needs."""
_STANDSTILL_S = 120.0
"""Seconds that a simulation may stand still."""


class FoundPort(msgspec.Struct, frozen=True):
    """A port behind which there may be a board.

    Attributes
    ----------
    path : str
        Device, such as ``/dev/ttyUSB0``, or what else `open_transport` takes.
    what : str
        USB bridge, or simulation.
    baud : int
        Bits a second of the board's serial line.
    clock : str or None
        File of a `SimulatedClock`; None where the board is a real one.
    """

    path: str
    what: str
    baud: int = UART_BAUD
    clock: str | None = None

    @property
    def simulated(self) -> bool:
        """Whether it belongs to a simulation."""
        return self.clock is not None

    def open(self) -> Transport:
        """Open the way to the board; errors are those of `open_transport`.

        The time-outs of a simulated board are counted by its own time, since that may run at any
        speed.
        """
        transport = open_transport(self.path)
        if self.clock is not None:
            clock = UnstoppableClock(SimulatedClock(Path(self.clock)), _STANDSTILL_S)
            transport.count_by(clock.now_s, _SIMULATED_TIMEOUT_S)
        return transport


class _Announcement(msgspec.Struct, frozen=True):
    pid: int
    ports: list[FoundPort]


def _folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"keybeam-{os.getuid()}"


@contextmanager
def announce_boards(ports: list[FoundPort]) -> Iterator[None]:
    """Let hosts of the same user find simulated boards for as long as the block lasts."""
    folder = _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{os.getpid()}.json"
    file.write_bytes(msgspec.json.encode(_Announcement(os.getpid(), ports)))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def announced_ports() -> list[FoundPort]:
    """Ports of the simulations of this user that run now."""
    found: list[FoundPort] = []
    folder = _folder()
    if not folder.is_dir() or folder.stat().st_uid != os.getuid():
        return found
    for file in sorted(folder.glob("*.json")):
        # A simulation may end while its file is read.
        with suppress(FileNotFoundError, msgspec.DecodeError):
            announcement = msgspec.json.decode(file.read_bytes(), type=_Announcement)
            if _lives(announcement.pid):
                found += announcement.ports
            else:
                file.unlink()
    return found


def find_ports() -> list[FoundPort]:
    """Ports behind which there may be a board: serial ports of known USB bridges, simulations.

    Without pyserial only simulations are found.
    """
    found = announced_ports()
    with suppress(ModuleNotFoundError):
        from serial.tools import list_ports

        for port in list_ports.comports():
            kind = port.vid, port.pid
            jtag = _JTAG_INTERFACES.get(kind)
            if kind in USB_BRIDGES and not (jtag and (port.location or "").endswith(jtag)):
                found.append(FoundPort(port.device, USB_BRIDGES[kind]))
    return found


def port_at(url: str) -> FoundPort:
    """Tell what is known of a port by its path, or by a URL of `open_transport`."""
    known = {port.path: port for port in announced_ports()}
    _, _, query = url.partition("?")
    baud = dict(parse_qsl(query)).get("baud", "")
    return known.get(url, FoundPort(url, "given", int(baud) if baud.isdigit() else UART_BAUD))


def read_identity(transport: Transport) -> Identity:
    """Ask whatever answers what it is, without refusing any version or map.

    Parameters
    ----------
    transport : Transport
        Open way to it.

    Raises
    ------
    LinkTimeoutError
        If nothing answers.
    NotABoardError
        If what answers is no Keybeam board.
    """
    client = LinkClient(transport)
    if client.read_word(IdentityAddress.MAGIC) != IDENTITY_MAGIC:
        raise NotABoardError(f"what answers at {transport.name} is not a Keybeam board")
    role = client.read_word(IdentityAddress.ROLE)
    if role not in set(Role):
        raise NotABoardError(f"the board at {transport.name} has the unknown role {role}")
    return Identity(
        Role(role),
        client.read_word(IdentityAddress.ABI),
        f"{client.read_word(IdentityAddress.MAP_HASH):08x}",
        f"{client.read_word(IdentityAddress.REVISION):08x}",
    )


def find_boards(ports: list[FoundPort] | None = None) -> list[tuple[FoundPort, Identity]]:
    """Ports at which a Keybeam board answers, with what it says it is.

    Ports that are busy, or where nothing or something else answers, are left out.

    Parameters
    ----------
    ports : list of FoundPort, optional
        Where to ask; those of `find_ports` by default.
    """
    found = []
    for port in find_ports() if ports is None else ports:
        with suppress(DeviceError), port.open() as transport:
            if not port.simulated:
                transport.answer_timeout = _PROBE_TIMEOUT_S
            found.append((port, read_identity(transport)))
    return found
