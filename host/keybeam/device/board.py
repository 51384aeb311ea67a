"""The boards as the rest of the host sees them: registers by name, look-ups, records, messages."""

import secrets
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from keybeam.device.client import LinkClient, RegisterAccess
from keybeam.device.errors import (
    NotABoardError,
    RegisterAccessError,
    RegisterMapError,
    RegisterNameError,
    WrongRoleError,
)
from keybeam.device.frames import MessageLoss, RecordLoss
from keybeam.device.register_map import Field, Register, load_register_map
from keybeam.device.transports import Transport, open_transport
from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role
from keybeam.protocol.records import RecordType, record_body, record_type

__all__ = ["Board", "Identity", "Receiver", "Transmitter"]

_STREAM = "receiver.control.stream"
_FENCE = "receiver.fence.value"
_FENCE_BITS = 32


class Identity(NamedTuple):
    """What a board says it is.

    Attributes
    ----------
    role : Role
        Which terminal.
    abi : int
        Version of link, identity block and tag records.
    map_hash : str
        First 32 bits of the SHA-256 of its register map, in hexadecimal.
    revision : str
        First 32 bits of the git revision of its gateware, in hexadecimal; zeros if unknown.
    """

    role: Role
    abi: int
    map_hash: str
    revision: str


class Board:
    """A board that answers, with the register map this program was made for.

    Parameters
    ----------
    transport : Transport or str
        Open way to the board, or what `open_transport` takes. The board closes it.

    Attributes
    ----------
    identity : Identity
        What the board said it is.
    register_map : RegisterMap
        Its registers.

    Raises
    ------
    LinkTimeoutError
        If nothing answers.
    NotABoardError
        If something else than a Keybeam board of this version answers.
    WrongRoleError
        If it is the other terminal.
    RegisterMapError
        If it has another register map.
    """

    ROLE: ClassVar[Role | None] = None
    """The terminal that is wanted; either will do where None."""

    def __init__(self, transport: Transport | str) -> None:
        opened = open_transport(transport) if isinstance(transport, str) else transport
        try:
            self._client = LinkClient(opened)
            self.identity = self.identify()
            self.register_map = load_register_map(self.identity.role)
            self._check()
        except BaseException:
            opened.close()
            raise

    @property
    def name(self) -> str:
        """The port, as messages call it."""
        return self._client.transport.name

    @property
    def broken_frames(self) -> int:
        """Frames from the board that failed their check so far."""
        return self._client.broken_frames

    @property
    def repeated_requests(self) -> int:
        """Requests sent again because no answer came; see `LinkClient`."""
        return self._client.repeated_requests

    def identify(self) -> Identity:
        """Ask the board what it is.

        Raises
        ------
        LinkTimeoutError
            If nothing answers.
        NotABoardError
            If something else than a Keybeam board of this version answers.
        """
        magic = self._client.read_word(IdentityAddress.MAGIC)
        if magic != IDENTITY_MAGIC:
            raise NotABoardError(f"what answers at {self.name} is not a Keybeam board")
        abi = self._client.read_word(IdentityAddress.ABI)
        role = self._client.read_word(IdentityAddress.ROLE)
        if abi != ABI_VERSION or role not in set(Role):
            raise NotABoardError(
                f"the board at {self.name} speaks version {abi} of the link (role {role}), "
                f"this program version {ABI_VERSION}: build both from one revision"
            )
        return Identity(
            Role(role),
            abi,
            f"{self._client.read_word(IdentityAddress.MAP_HASH):08x}",
            f"{self._client.read_word(IdentityAddress.REVISION):08x}",
        )

    def _check(self) -> None:
        """Refuse the other terminal and unknown register maps."""
        identity = self.identity
        if self.ROLE not in (None, identity.role):
            assert self.ROLE is not None
            raise WrongRoleError(
                f"the board at {self.name} is a {identity.role.name.lower()}, "
                f"not a {self.ROLE.name.lower()}: are the ports exchanged?"
            )
        if identity.map_hash != self.register_map.hash:
            raise RegisterMapError(
                f"the {self.register_map.role} at {self.name} has register map "
                f"{identity.map_hash} (gateware {identity.revision}), this program knows "
                f"{self.register_map.hash}: build both from one revision"
            )

    def read(self, name: str) -> int:
        """Read a register or a field.

        Parameters
        ----------
        name : str
            ``block.register`` or ``block.register.field``.

        Raises
        ------
        RegisterNameError
            If there is none of this name.
        RegisterAccessError
            If it cannot be read.
        LinkTimeoutError
            If the board does not answer.
        """
        register, field = self.register_map.find(name)
        if (field or register).access == "w":
            raise RegisterAccessError(f"{name} of the {self.register_map.role} is write-only")
        value = self._client.read_words(register.address, register.words)
        return field.extract(value) if field else value

    def write(self, name: str, value: int) -> None:
        """Write a register or a field; the other fields of its register keep their content.

        Parameters
        ----------
        name : str
            ``block.register`` or ``block.register.field``.
        value : int
            Must fit the width.

        Raises
        ------
        RegisterNameError
            If there is none of this name, or `value` does not fit it.
        RegisterAccessError
            If it cannot be written.
        LinkTimeoutError
            If the board does not answer.
        """
        register, field = self.register_map.find(name)
        if (field or register).access == "r":
            raise RegisterAccessError(f"{name} of the {self.register_map.role} is read-only")
        width = (field or register).width
        if not 0 <= value < 1 << width:
            raise RegisterNameError(f"{name} takes 0 to {(1 << width) - 1}, not {value}")
        content = value if field is None else self._beside(register, field, value)
        for word in range(register.words):
            self._client.write_word(register.address + word, content >> (32 * word) & 0xFFFFFFFF)

    def scan(
        self,
        selector: str,
        choices: Iterable[int],
        name: str,
        tell: Callable[[float], None] = lambda _: None,
    ) -> list[int]:
        """Read a register that shows what another one selects, for many choices at a time.

        Parameters
        ----------
        selector : str
            Register that selects, of one word; its other fields get zeros.
        choices : iterable of int
            What to write there, one after the other.
        name : str
            Register or field to read for each, of one word. Reading it may have no effect that the
            next choice does not undo.
        tell : callable
            Told the part that is done.

        Returns
        -------
        list of int
            Its content for each choice.

        Raises
        ------
        RegisterNameError, RegisterAccessError, LinkTimeoutError
            As `read` and `write`.
        """
        (chosen, part), (shown, field) = map(self.register_map.find, (selector, name))
        groups = [
            (
                RegisterAccess(chosen.address, part.insert(0, choice) if part else choice),
                RegisterAccess(shown.address),
            )
            for choice in choices
        ]
        values = self._client.carry_out(groups, tell)
        return [field.extract(value) for value in values] if field else values

    def write_all(
        self, name: str, values: Iterable[int], tell: Callable[[float], None] = lambda _: None
    ) -> None:
        """Write a register again and again, many of the writes under way at a time.

        Parameters
        ----------
        name : str
            Register of one word.
        values : iterable of int
            What to write. A write may be carried out twice, and after later ones.
        tell : callable
            Told the part that is done.

        Raises
        ------
        RegisterNameError, RegisterAccessError, LinkTimeoutError
            As `write`.
        """
        register, _ = self.register_map.find(name)
        groups = [(RegisterAccess(register.address, value),) for value in values]
        self._client.carry_out(groups, tell)

    def _beside(self, register: Register, field: Field, value: int) -> int:
        """Set one field in a register's value and leave the other stored ones as they are.

        Fields in which a written one has an effect get zeros.
        """
        kept = [other for other in register.fields if other.access == "rw" and other != field]
        content = 0
        if kept:
            now = self._client.read_words(register.address, register.words)
            for other in kept:
                content = other.insert(content, other.extract(now))
        return field.insert(content, value)

    def lookup(self, indices: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Status and symbol of pulses; see `LinkClient.lookup`."""
        return self._client.lookup(indices)

    def send_payload(self, payload: bytes, timeout: float = 5.0) -> int:
        """Hand bytes to the downlink; see `LinkClient.send_payload`."""
        return self._client.send_payload(payload, timeout)

    def records(self, timeout: float = 0.0) -> NDArray[np.uint64] | RecordLoss:
        """Take the records that have arrived; see `LinkClient.records`."""
        return self._client.records(timeout)

    def messages(self, timeout: float = 0.0) -> list[bytes | MessageLoss]:
        """Take the bytes of the message stream that have arrived; see `LinkClient.messages`."""
        return self._client.messages(timeout)

    def close(self) -> None:
        """Give the port back."""
        self._client.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Transmitter(Board):
    """The board of the satellite; parameters and errors are those of `Board`."""

    ROLE = Role.TRANSMITTER


class Receiver(Board):
    """The board of the ground station; parameters and errors are those of `Board`."""

    ROLE = Role.RECEIVER

    def __init__(self, transport: Transport | str) -> None:
        self._fence: int | None = None
        super().__init__(transport)

    def start_stream(self) -> None:
        """Let records of events from now on come.

        What an earlier program left on its way is older, with a hole behind it that nothing marks;
        `records` leaves it out, up to the answer to the fence that is asked for here.

        Raises
        ------
        DeviceError
            If the board does not answer.
        """
        self.write(_STREAM, 1)
        self._fence = secrets.randbits(_FENCE_BITS)
        self.write(_FENCE, self._fence)

    def stop_stream(self) -> None:
        """Let no more records come.

        Raises
        ------
        DeviceError
            If the board does not answer.
        """
        self.write(_STREAM, 0)

    def records(self, timeout: float = 0.0) -> NDArray[np.uint64] | RecordLoss:
        """Take the records that have arrived since `start_stream`; see `LinkClient.records`."""
        until = time.monotonic() + timeout
        while True:
            records = super().records(max(0.0, until - time.monotonic()))
            if self._fence is not None:
                records = self._behind_fence(records, self._fence)
            if isinstance(records, RecordLoss) or records.size or time.monotonic() >= until:
                return records

    def _behind_fence(
        self, records: NDArray[np.uint64] | RecordLoss, fence: int
    ) -> NDArray[np.uint64]:
        """Leave out what is older than the fence."""
        if isinstance(records, RecordLoss):
            # The answer may be among what was lost.
            self.write(_FENCE, fence)
            return np.empty(0, np.uint64)
        answers = (record_type(records) == RecordType.FENCE) & (record_body(records) == fence)
        if not answers.any():
            return np.empty(0, np.uint64)
        self._fence = None
        return records[1 + int(np.argmax(answers)) :]
