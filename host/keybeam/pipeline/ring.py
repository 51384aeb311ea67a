"""A queue between two processes: arrays in shared memory, and the back-pressure of a fixed room.

The writer waits for a free slot, so that a slow reader holds up all stages before it and memory
stays bounded. The memory has no name in the file system, and both ends notice when the other one is
gone: so nothing can be left over, however the processes end.
"""

import contextlib
import time
from collections.abc import Sequence
from ctypes import c_uint8
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.pipeline.errors import PipelineError

__all__ = ["Item", "RingReader", "RingWriter", "create_ring"]

_ALIGNMENT = 64


class Item(NamedTuple):
    """What goes through a ring.

    Attributes
    ----------
    header : bytes
        Small data, by which the reader knows what the arrays are.
    arrays : sequence of ndarray
        One-dimensional arrays of plain numbers.
    """

    header: bytes
    arrays: Sequence[NDArray[Any]]


class _Notice(msgspec.Struct, frozen=True, array_like=True):
    """Tells the reader of an item: its slot, its header, and type and length of its arrays."""

    slot: int
    header: bytes
    arrays: list[tuple[str, int]]


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


class _Slots:
    """Shared memory, in slots of one size."""

    def __init__(self, memory: Any, slot_bytes: int) -> None:
        self._memory, self.slot_bytes = memory, slot_bytes

    def view(self, slot: int) -> NDArray[np.uint8]:
        """Bytes of a slot."""
        start = slot * self.slot_bytes
        return np.frombuffer(self._memory, np.uint8)[start : start + self.slot_bytes]


class RingWriter:
    """The end of a ring that writes; see `create_ring`.

    Attributes
    ----------
    waited_s : float
        Seconds so far that the writer waited for the reader.
    """

    def __init__(self, slots: _Slots, notices: Connection, free: Connection) -> None:
        self._slots, self._notices, self._free = slots, notices, free
        self.waited_s = 0.0

    def write(self, item: Item) -> None:
        """Hand an item over; wait until there is room for it.

        Raises
        ------
        PipelineError
            If the item is larger than a slot, or the reader is gone.
        """
        size = sum(_padded(array.nbytes) for array in item.arrays)
        if size > self._slots.slot_bytes:
            raise PipelineError(
                f"an item of {size} bytes does not fit into {self._slots.slot_bytes}"
            )
        begin = time.monotonic()
        try:
            slot = self._free.recv_bytes()[0]
            self.waited_s += time.monotonic() - begin
            self._fill(slot, item)
        except (EOFError, ConnectionError) as error:
            raise PipelineError("the next stage ended before this one") from error

    def _fill(self, slot: int, item: Item) -> None:
        target, place = self._slots.view(slot), 0
        for array in item.arrays:
            part = np.ascontiguousarray(array)
            target[place : place + part.nbytes] = part.view(np.uint8)
            place += _padded(part.nbytes)
        shapes = [(array.dtype.str, array.size) for array in item.arrays]
        self._notices.send_bytes(msgspec.msgpack.encode(_Notice(slot, item.header, shapes)))

    def end(self) -> None:
        """Tell the reader that nothing more comes."""
        try:
            self._notices.send_bytes(b"")
        except ConnectionError as error:
            raise PipelineError("the next stage ended before this one") from error

    def close(self) -> None:
        """Close this process' copies of the pipes."""
        self._notices.close()
        self._free.close()


class RingReader:
    """The end of a ring that reads; see `create_ring`.

    Attributes
    ----------
    waited_s : float
        Seconds so far that the reader waited for the writer.
    """

    def __init__(self, slots: _Slots, notices: Connection, free: Connection) -> None:
        self._slots, self._notices, self._free = slots, notices, free
        self._held: int | None = None
        self.waited_s = 0.0

    def read(self) -> Item | None:
        """Wait for the next item; return it, or None after the last one.

        Its arrays lie in the shared memory and are lost with the next call: whoever keeps them
        copies them.

        Raises
        ------
        PipelineError
            If the writer is gone.
        """
        self._release()
        begin = time.monotonic()
        try:
            message = self._notices.recv_bytes()
        except (EOFError, ConnectionError) as error:
            raise PipelineError("the stage before this one ended early") from error
        self.waited_s += time.monotonic() - begin
        if not message:
            return None
        notice = msgspec.msgpack.decode(message, type=_Notice)
        source, place = self._slots.view(notice.slot), 0
        arrays = []
        for kind, count in notice.arrays:
            size = np.dtype(kind).itemsize * count
            arrays.append(source[place : place + size].view(kind))
            place += _padded(size)
        self._held = notice.slot
        return Item(notice.header, arrays)

    def _release(self) -> None:
        """Give the slot of the last item back."""
        if self._held is not None:
            # A writer that is done, and gone, needs no free slot any more.
            with contextlib.suppress(ConnectionError):
                self._free.send_bytes(bytes([self._held]))
            self._held = None

    def close(self) -> None:
        """Close this process' copies of the pipes."""
        self._notices.close()
        self._free.close()


def create_ring(context: BaseContext, slots: int, slot_bytes: int) -> tuple[RingWriter, RingReader]:
    """Make a ring; its ends are handed over to two processes when these are started.

    Parameters
    ----------
    context : multiprocessing context
        That of the processes.
    slots : int
        Items that may wait, 1 to 256.
    slot_bytes : int
        Largest size of an item's arrays, each counted in whole 64 bytes.
    """
    slot_bytes = _padded(slot_bytes)
    memory = _Slots(context.RawArray(c_uint8, slots * slot_bytes), slot_bytes)
    notices_out, notices_in = context.Pipe(duplex=False)
    free_out, free_in = context.Pipe(duplex=False)
    for slot in range(slots):
        free_in.send_bytes(bytes([slot]))
    return RingWriter(memory, notices_in, free_out), RingReader(memory, notices_out, free_in)
