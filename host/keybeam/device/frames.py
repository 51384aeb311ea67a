"""Takes the bytes from a board apart into answers, records and messages."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.link import (
    CREDIT_BITS,
    CREDIT_OF_FRAME,
    LINK_DELIMITER,
    RECORD_NUMBER_BITS,
    FrameKind,
    LinkFrameError,
    decode_link_frame,
)
from keybeam.protocol.records import RECORD_BYTES

__all__ = ["Answer", "FrameSorter", "MessageLoss", "RecordLoss"]

_NUMBER_BYTES = RECORD_NUMBER_BITS // 8
_NUMBER_MODULO = 1 << RECORD_NUMBER_BITS
_LONGEST_FRAME = 1024
"""Bytes without a delimiter after which they are taken for noise, not for a frame."""


class Answer(NamedTuple):
    """What a board says to a request."""

    kind: int
    sequence: int
    body: bytes


class RecordLoss(NamedTuple):
    """Records between two stretches of records that did not arrive.

    Attributes
    ----------
    records : int or None
        How many; None where the board itself started again.
    """

    records: int | None


class MessageLoss(NamedTuple):
    """Bytes of the message stream are missing here: at least one frame of them."""


class FrameSorter:
    """Sorts the frames of a board: answers, records, messages.

    A frame that fails its check is dropped and counted; what it held, if it held records or
    messages, shows as a loss as soon as the next frame of its kind arrives.

    Parameters
    ----------
    record_limit : int
        Records that are kept for `take_records`; what comes beyond is dropped as a `RecordLoss`.

    Attributes
    ----------
    answers : deque of Answer
        Answers in the order of their arrival.
    broken : int
        Frames dropped so far.
    spent : int or None
        Credit that the board has spent, modulo 2^32, counted on from what it is set to by the
        frames that arrive and those that are missing before them; None until it is set.
    on_value : callable or None
        Called with address and content of every register that an answer tells, when it has its
        place between the frames.
    """

    def __init__(self, record_limit: int = 1 << 24) -> None:
        self.answers: deque[Answer] = deque()
        self.broken = 0
        self.spent: int | None = None
        self.on_value: Callable[[int, int], None] | None = None
        self._rest = b""
        self._records: deque[NDArray[np.uint64] | RecordLoss] = deque()
        self._stored, self._limit = 0, record_limit
        self._next_record: int | None = None
        self._last_tags: tuple[int, int] | None = None
        self._messages: list[bytes | MessageLoss] = []
        self._next_message: int | None = None

    def feed(self, data: bytes) -> None:
        """Take what has arrived.

        Parameters
        ----------
        data : bytes
            Any number of bytes, cut anywhere.
        """
        *frames, rest = (self._rest + data).split(LINK_DELIMITER)
        if len(rest) > _LONGEST_FRAME:
            self.broken += 1
            rest = rest[-_LONGEST_FRAME:]
        self._rest = rest
        for stuffed in frames:
            if stuffed:
                self._frame(stuffed)

    def _frame(self, stuffed: bytes) -> None:
        try:
            kind, sequence, body = decode_link_frame(stuffed)
        except LinkFrameError:
            self.broken += 1
            return
        if kind == FrameKind.TAGS:
            self._tags(sequence, body)
        elif kind == FrameKind.MESSAGE:
            self._message(sequence, body)
        else:
            self.answers.append(Answer(kind, sequence, body))
            if self.on_value and kind == FrameKind.REGISTER_VALUE and len(body) == 6:
                address, value = body[:2], body[2:]
                self.on_value(int.from_bytes(address, "little"), int.from_bytes(value, "little"))

    def _tags(self, sequence: int, body: bytes) -> None:
        count, odd = divmod(len(body) - _NUMBER_BYTES, RECORD_BYTES)
        if count < 1 or odd:
            self.broken += 1
            return
        number = int.from_bytes(body[:_NUMBER_BYTES], "little")
        if self._last_tags == (sequence, number):
            return
        self._count_spent(sequence, number + count)
        self._last_tags = (sequence, number)
        if self._next_record is not None and number != self._next_record:
            missing = (number - self._next_record) % _NUMBER_MODULO
            self._lose(missing if missing < _NUMBER_MODULO // 2 else None)
        self._next_record = (number + count) % _NUMBER_MODULO
        if self._stored + count > self._limit:
            self._lose(count)
            return
        self._records.append(np.frombuffer(body, "<u8", offset=_NUMBER_BYTES))
        self._stored += count

    def _count_spent(self, sequence: int, next_record: int) -> None:
        """Add what the frames up to one, and the records before `next_record`, have cost."""
        if self.spent is None or self._last_tags is None or self._next_record is None:
            return
        frames = (sequence - self._last_tags[0]) % 256
        records = (next_record - self._next_record) % _NUMBER_MODULO
        if records < _NUMBER_MODULO // 2:
            self.spent = (self.spent + records + CREDIT_OF_FRAME * frames) % (1 << CREDIT_BITS)

    def lose_up_to(self, number: int) -> None:
        """Give up the records that have not arrived.

        Parameters
        ----------
        number : int
                Number of the first record that may still arrive; one that is behind means nothing.
        """
        if self._next_record is None:
            return
        missing = (number - self._next_record) % _NUMBER_MODULO
        if 0 < missing < _NUMBER_MODULO // 2:
            self._lose(missing)
            self._next_record = number

    def _lose(self, records: int | None) -> None:
        """Note a loss; neighbouring losses become one."""
        if self._records and isinstance(last := self._records[-1], RecordLoss):
            unknown = last.records is None or records is None
            self._records[-1] = RecordLoss(
                None if unknown else (last.records or 0) + (records or 0)
            )
        else:
            self._records.append(RecordLoss(records))

    def _message(self, sequence: int, body: bytes) -> None:
        if self._next_message is not None and sequence != self._next_message:
            if (sequence + 1) % 256 == self._next_message:
                return
            self._messages.append(MessageLoss())
        self._next_message = (sequence + 1) % 256
        self._messages.append(body)

    @property
    def free(self) -> int:
        """Records for which there is room."""
        return self._limit - self._stored

    @property
    def has_records(self) -> bool:
        """Whether `take_records` has something to give."""
        return bool(self._records)

    @property
    def has_messages(self) -> bool:
        """Whether `take_messages` has something to give."""
        return bool(self._messages)

    def take_records(self) -> NDArray[np.uint64] | RecordLoss:
        """All records up to the next loss, or the loss itself where it is next.

        Returns
        -------
        ndarray of uint64, shape (n,), or RecordLoss
            n is 0 where nothing has arrived.
        """
        chunks: list[NDArray[np.uint64]] = []
        while self._records:
            first = self._records[0]
            if isinstance(first, RecordLoss):
                if not chunks:
                    self._records.popleft()
                    return first
                break
            chunks.append(first)
            self._records.popleft()
        joined = np.concatenate(chunks).astype(np.uint64) if chunks else np.empty(0, np.uint64)
        self._stored -= joined.size
        return joined

    def take_messages(self) -> list[bytes | MessageLoss]:
        """All messages bytes that have arrived, in pieces, with the losses between them."""
        taken, self._messages = self._messages, []
        return taken
