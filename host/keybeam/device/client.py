"""Requests to a board and their answers, over a link that may lose or spoil bytes.

Everything happens in the calls of the owner; nothing runs in the background.
One request is under way at a time, but for those of `LinkClient.carry_out`. A
request that changes something is repeated with its own sequence byte, so that
the board carries it out once; a read is repeated with a new one, so that an
answer is never older than the question.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.device.credit import RecordCredit
from keybeam.device.errors import (
    LinkTimeoutError,
    PayloadFullError,
    RegisterAccessError,
    RequestRefusedError,
)
from keybeam.device.frames import Answer, FrameSorter, MessageLoss, RecordLoss
from keybeam.device.transports import Transport
from keybeam.protocol.link import (
    LINK_DELIMITER,
    LOOKUP_MAXIMUM,
    PAYLOAD_MAXIMUM,
    FrameKind,
    LinkError,
    encode_link_frame,
)

__all__ = ["LinkClient", "RegisterAccess"]

_PAYLOAD_POLL_S = 0.005
_CREDIT_POLL_S = 0.02
"""How long the credit for records is left as it is while nothing arrives."""
_REQUESTS_UNDER_WAY = 24
"""Requests for registers, of 14 bytes at most, that are sent without waiting for their answers.

A board keeps 512 bytes of what it has not carried out yet.
"""
_REASONS: dict[int, str] = {
    LinkError.NO_REGISTER: "the board has no register there",
    LinkError.READ_ONLY: "the board does not let it be written",
    LinkError.MALFORMED: "the board found the request malformed",
    LinkError.UNSUPPORTED: "this board does not know such a request",
}


class RegisterAccess(NamedTuple):
    """One access to a register.

    Attributes
    ----------
    address : int
        In words of 32 bits.
    value : int or None
        What to write; None to read.
    """

    address: int
    value: int | None = None

    @property
    def kind(self) -> FrameKind:
        """Kind of the request."""
        return FrameKind.REGISTER_READ if self.value is None else FrameKind.REGISTER_WRITE

    @property
    def body(self) -> bytes:
        """Body of the request."""
        value = b"" if self.value is None else self.value.to_bytes(4, "little")
        return self.address.to_bytes(2, "little") + value


_REGISTER_ANSWERS = (FrameKind.REGISTER_VALUE, FrameKind.REGISTER_ERROR)


class LinkClient:
    """The host's end of a link.

    Parameters
    ----------
    transport : Transport
        Open way to the board. The first request should be a register read (see
        `keybeam.protocol.link`).
    attempts : int
        How often a request is sent at most. Each attempt waits twice as long as the one before,
        the first one the transport's ``answer_timeout``.

    Attributes
    ----------
    repeated_requests : int
        Requests so far that were sent again because no answer came. A register whose reading has
        an effect may have been read twice then.
    """

    def __init__(self, transport: Transport, *, attempts: int = 4) -> None:
        self.transport = transport
        self.repeated_requests = 0
        self._attempts = attempts
        self._sequence = 0
        self._sorter = FrameSorter()
        self._credit = RecordCredit(transport, self._sorter)
        self._wants_records = False
        # Ends whatever an earlier program left half sent.
        transport.write(LINK_DELIMITER)

    @property
    def broken_frames(self) -> int:
        """Frames from the board that failed their check so far."""
        return self._sorter.broken

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    def _pump(self, timeout: float) -> bool:
        """Take what arrives within `timeout` seconds; whether anything did."""
        data = self.transport.read(timeout)
        self._sorter.feed(data)
        return bool(data)

    def _collect(self, timeout: float, enough: Callable[[], bool]) -> None:
        """Take everything that is there, and wait up to `timeout` seconds while not `enough`."""
        end = time.monotonic() + timeout
        while self._pump(0.0):
            self._keep_credit()
            if time.monotonic() >= end and enough():
                return
        self._keep_credit()
        while not enough() and (left := end - time.monotonic()) > 0:
            self._pump(min(left, _CREDIT_POLL_S))
            self._keep_credit()

    def _keep_credit(self) -> None:
        """Grant the credit for records that is due.

        Not while another request is under way: the board would forget that it has carried it out.
        """
        if not self._wants_records:
            return
        self._sorter.answers.clear()
        for kind, body in self._credit.requests():
            self.transport.write(encode_link_frame(kind, self._next_sequence(), body))

    def _answer(
        self, sequences: Collection[int], kinds: Collection[int], timeout: float
    ) -> Answer | None:
        """Wait for the answer to one of the requests `sequences`; older answers are forgotten."""
        end = self.transport.now() + timeout
        while True:
            while self._sorter.answers:
                answer = self._sorter.answers.popleft()
                if answer.sequence in sequences and answer.kind in kinds:
                    return answer
            left = end - self.transport.now()
            if left <= 0:
                return None
            self._pump(max(left, self.transport.least_wait))

    def _request(self, kind: FrameKind, body: bytes, kinds: Collection[int]) -> Answer:
        """Send a request until it is answered."""
        self._keep_credit()
        sequence, timeout = self._next_sequence(), self.transport.answer_timeout
        waited = 0.0
        self._sorter.answers.clear()
        for attempt in range(self._attempts):
            self.repeated_requests += attempt > 0
            if attempt and kind == FrameKind.REGISTER_READ:
                sequence = self._next_sequence()
            self.transport.write(encode_link_frame(kind, sequence, body))
            answer = self._answer((sequence,), kinds, timeout)
            if answer is not None:
                return answer
            waited += timeout
            timeout *= 2
        raise self._silence(waited)

    def _silence(self, waited: float) -> LinkTimeoutError:
        return LinkTimeoutError(
            f"the board at {self.transport.name} did not answer {self._attempts} requests "
            f"in {waited:.3g} s: is it powered, configured, and at this bit rate?"
        )

    def _register(self, access: RegisterAccess) -> int:
        """Carry out a register access; the value it is answered with."""
        return self._value(self._request(access.kind, access.body, _REGISTER_ANSWERS), access)

    def _value(self, answer: Answer, access: RegisterAccess) -> int:
        """Value that a register access was answered with."""
        if answer.kind == FrameKind.REGISTER_ERROR or len(answer.body) != 6:
            code = answer.body[2] if len(answer.body) == 3 else 0
            raise RegisterAccessError(
                f"register {access.address:#06x} of {self.transport.name}: {self._reason(code)}"
            )
        return int.from_bytes(answer.body[2:], "little")

    def _reason(self, code: int) -> str:
        return _REASONS.get(code, f"the board refuses it (code {code})")

    def read_word(self, address: int) -> int:
        """Read a word.

        Parameters
        ----------
        address : int
            In words of 32 bits.

        Returns
        -------
        int
            0 to 2^32 - 1.

        Raises
        ------
        LinkTimeoutError
            If the board does not answer.
        RegisterAccessError
            If the board refuses.
        """
        return self._register(RegisterAccess(address))

    def read_words(self, address: int, words: int) -> int:
        """Read a register of several words as it was at one moment.

        The board holds the whole register when its lowest word is read. As only the answer to the
        last of several attempts counts, the words above it belong to the same moment.

        Parameters
        ----------
        address : int
            Of the lowest word.
        words : int
            Number of 32-bit words.

        Raises
        ------
        LinkTimeoutError, RegisterAccessError
            As `read_word`.
        """
        return sum(self.read_word(address + word) << (32 * word) for word in range(words))

    def write_word(self, address: int, value: int) -> None:
        """Write a word, exactly once.

        Parameters
        ----------
        address : int
            In words of 32 bits.
        value : int
            0 to 2^32 - 1.

        Raises
        ------
        LinkTimeoutError
            If the board does not answer; the word may or may not be written then.
        RegisterAccessError
            If the board refuses.
        """
        self._register(RegisterAccess(address, value))

    def carry_out(
        self,
        groups: Sequence[Sequence[RegisterAccess]],
        tell: Callable[[float], None] = lambda _: None,
    ) -> list[int]:
        """Carry out groups of accesses that may be repeated, many of them under way at a time.

        The accesses of a group are carried out one behind the other. Where an answer is missing,
        the whole group is repeated, maybe after later ones. So the outcome is right if it depends
        on nothing outside of the group.

        Parameters
        ----------
        groups : sequence of sequences of RegisterAccess
            1 to 24 accesses each.
        tell : callable
            Told the part that is done.

        Returns
        -------
        list of int
            Value of the last access of each group.

        Raises
        ------
        LinkTimeoutError
            If the board does not answer; some groups may have been carried out then.
        RegisterAccessError
            If the board refuses an access.
        """
        values: dict[int, int] = {}
        left = deque(range(len(groups)))
        attempt, timeout = 0, self.transport.answer_timeout
        self._keep_credit()
        while left:
            done = self._carry_out_some(groups, left, timeout)
            if done:
                attempt, timeout = 0, self.transport.answer_timeout
            else:
                attempt, timeout = attempt + 1, 2 * timeout
            if attempt == self._attempts:
                raise self._silence(timeout - self.transport.answer_timeout)
            values |= done
            tell(len(values) / len(groups))
        return [values[number] for number in range(len(groups))]

    def _carry_out_some(
        self, groups: Sequence[Sequence[RegisterAccess]], left: deque[int], timeout: float
    ) -> dict[int, int]:
        """Send the next groups at once; takes those that were answered from `left`."""
        asked: dict[int, RegisterAccess] = {}
        sequences: dict[int, list[int]] = {}
        while left and len(asked) + len(groups[left[0]]) <= _REQUESTS_UNDER_WAY:
            number = left.popleft()
            sequences[number] = [self._next_sequence() for _ in groups[number]]
            asked |= zip(sequences[number], groups[number], strict=True)
        self._sorter.answers.clear()
        self.transport.write(
            b"".join(encode_link_frame(a.kind, sequence, a.body) for sequence, a in asked.items())
        )
        found: dict[int, int] = {}
        while len(found) < len(asked):
            answer = self._answer(asked.keys() - found.keys(), _REGISTER_ANSWERS, timeout)
            if answer is None:
                break
            found[answer.sequence] = self._value(answer, asked[answer.sequence])
        done = {
            number: found[mine[-1]] for number, mine in sequences.items() if found.keys() >= {*mine}
        }
        again = [number for number in sequences if number not in done]
        self.repeated_requests += sum(len(groups[number]) for number in again)
        left.extendleft(reversed(again))
        return done

    def lookup(self, indices: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Ask the state log for the symbols of pulses.

        Parameters
        ----------
        indices : ndarray of uint64, shape (n,)
            Pulse indices.

        Returns
        -------
        status : ndarray of uint8, shape (n,)
            `keybeam.protocol.link.LookupStatus` of each.
        symbols : ndarray of uint8, shape (n,)
            Symbol of each; means nothing where the status is not FOUND.

        Raises
        ------
        LinkTimeoutError
            If the board does not answer.
        RequestRefusedError
            If it has no state log.
        """
        wire = np.ascontiguousarray(indices, dtype="<u8")
        parts = []
        for start in range(0, wire.size, LOOKUP_MAXIMUM):
            chunk = wire[start : start + LOOKUP_MAXIMUM]
            answer = self._request(
                FrameKind.LOOKUP,
                chunk.tobytes(),
                (FrameKind.LOOKUP_ANSWER, FrameKind.REGISTER_ERROR),
            )
            if answer.kind != FrameKind.LOOKUP_ANSWER or len(answer.body) != chunk.size:
                code = answer.body[2] if answer.kind == FrameKind.REGISTER_ERROR else 0
                raise RequestRefusedError(
                    f"look-up of pulses at {self.transport.name}: {self._reason(code)}"
                )
            parts.append(answer.body)
        answers = np.frombuffer(b"".join(parts), np.uint8)
        return answers >> np.uint8(4), answers & np.uint8(15)

    def send_payload(self, payload: bytes, timeout: float = 5.0) -> int:
        """Hand bytes to the downlink, waiting while the board's buffer is full.

        Parameters
        ----------
        payload : bytes
            Any number.
        timeout : float
            Seconds the buffer may stay full.

        Returns
        -------
        int
            Bytes still free in the buffer after the last of `payload` went in.

        Raises
        ------
        PayloadFullError
            If there was no room for longer than `timeout`.
        LinkTimeoutError
            If the board does not answer.
        RequestRefusedError
            If it has no downlink.
        """
        free, start = 0, 0
        end = time.monotonic() + timeout
        while start < len(payload):
            chunk = payload[start : start + PAYLOAD_MAXIMUM]
            answer = self._request(
                FrameKind.PAYLOAD, chunk, (FrameKind.REGISTER_VALUE, FrameKind.REGISTER_ERROR)
            )
            if answer.kind == FrameKind.REGISTER_VALUE and len(answer.body) == 6:
                free = int.from_bytes(answer.body[2:], "little")
                start += len(chunk)
                end = time.monotonic() + timeout
                continue
            code = answer.body[2] if len(answer.body) == 3 else 0
            if code != LinkError.NO_ROOM:
                raise RequestRefusedError(
                    f"payload for the downlink at {self.transport.name}: {self._reason(code)}"
                )
            if time.monotonic() >= end:
                raise PayloadFullError(
                    f"the payload buffer of {self.transport.name} stayed full for {timeout:g} s "
                    f"({len(payload) - start} of {len(payload)} bytes left): does the downlink run?"
                )
            self._pump(_PAYLOAD_POLL_S)
        return free

    def records(self, timeout: float = 0.0) -> NDArray[np.uint64] | RecordLoss:
        """Take the records that have arrived.

        The first call lets the board send records. It sends them only as fast as these calls follow
        each other; what finds no room on the board meanwhile is told by its GAP records.

        Parameters
        ----------
        timeout : float
            Seconds to wait for the first of them.

        Returns
        -------
        ndarray of uint64, shape (n,), or RecordLoss
            All records up to the next loss (n may be 0), or, where a loss comes next, the loss.

        Raises
        ------
        LinkTimeoutError, ConnectionLostError
            If the port takes no bytes, or is gone. A board that is silent has no records.
        """
        self._wants_records = True
        self._collect(timeout, lambda: self._sorter.has_records)
        return self._sorter.take_records()

    def messages(self, timeout: float = 0.0) -> list[bytes | MessageLoss]:
        """Take the bytes of the message stream that have arrived.

        Parameters
        ----------
        timeout : float
            Seconds to wait for the first of them.

        Returns
        -------
        list of bytes or MessageLoss
            Pieces in order; between two that do not join stands a `MessageLoss`.
        """
        self._collect(timeout, lambda: self._sorter.has_messages)
        return self._sorter.take_messages()
