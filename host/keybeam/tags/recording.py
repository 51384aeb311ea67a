"""Taking records from a board into a capture."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from keybeam._version import __version__, build_revision
from keybeam.device import Board, DeviceError, Receiver, RecordLoss
from keybeam.protocol.records import CHANNEL_BITS, FINE_PS
from keybeam.tags.capture import CaptureMetadata, CaptureWriter
from keybeam.tags.errors import SilentBoardError
from keybeam.timing import DecodedChunk, RecordDecoder

__all__ = ["board_metadata", "decoded_stream", "record", "software_name"]

_POLL_S = 0.1


def software_name() -> str:
    """Program and version, as captures bear it."""
    return f"keybeam {__version__} ({build_revision()})"


def board_metadata(
    board: Board, *, bin_ps: float = 0.0, sync_bin_ps: float = 0.0, comment: str = ""
) -> CaptureMetadata:
    """Ask a board for everything that a capture keeps of it.

    Parameters
    ----------
    board : Board
        The board.
    bin_ps, sync_bin_ps, comment
        As in `CaptureMetadata`.

    Raises
    ------
    DeviceError
        If the board does not answer.
    """
    readable = [register for register in board.register_map.registers if "r" in register.access]
    return CaptureMetadata(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=software_name(),
        source=board.name,
        gateware=board.identity.revision,
        register_map=board.identity.map_hash,
        registers={register.name: board.read(register.name) for register in readable},
        bin_ps=bin_ps,
        sync_bin_ps=sync_bin_ps,
        comment=comment,
    )


@contextmanager
def _streaming(board: Receiver) -> Iterator[None]:
    """Have the board's stream of records on."""
    board.start_stream()
    try:
        yield
    finally:
        # The reason why the block ended matters more than a board that is gone.
        with suppress(DeviceError):
            board.stop_stream()


def decoded_stream(
    board: Receiver,
    decoder: RecordDecoder,
    *,
    stop: Callable[[], bool],
    silence_s: float = 30.0,
    take: Callable[[NDArray[np.uint64], int | None], None] | None = None,
) -> Iterator[DecodedChunk]:
    """Switch a board's stream on and decode it until it is to stop, or falls silent.

    Parameters
    ----------
    board : Receiver
        The board.
    decoder : RecordDecoder
        What decodes.
    stop : callable
        Asked about ten times a second and after every chunk.
    silence_s : float
        Seconds without any record after which the stream has ended.
    take : callable or None
        Gets all records, with the loss before them (see `CapturePacket`).

    Yields
    ------
    DecodedChunk
        As records arrive; empty ones about ten times a second while none do.

    Raises
    ------
    SilentBoardError
        If not even a first record came.
    DeviceError
        If the board does not answer, or is gone.
    """
    heard, begun = time.monotonic(), False
    with _streaming(board):
        while not stop():
            records = board.records(_POLL_S)
            if isinstance(records, RecordLoss):
                decoder.lose(records.records)
                if take:
                    take(np.empty(0, np.uint64), records.records)
                continue
            if records.size:
                heard, begun = time.monotonic(), True
                if take:
                    take(records, 0)
            elif time.monotonic() - heard > silence_s:
                break
            yield decoder.feed(records)
    if not begun and not stop():
        raise SilentBoardError(
            f"the receiver at {board.name} has sent nothing for {silence_s:g} s: "
            "are its channels on, and does it have its clock?"
        )
    yield decoder.finish()


class _Stopwatch:
    """Time on the board's clock since the first lower bound, in s."""

    def __init__(self) -> None:
        self._begin: int | None = None
        self.elapsed_s = 0.0

    def add(self, chunk: DecodedChunk) -> None:
        if self._begin is None and chunk.lower_bound:
            self._begin = chunk.lower_bound
        if self._begin is not None:
            self.elapsed_s = (chunk.lower_bound - self._begin) * FINE_PS * 1e-12


def record(
    board: Receiver,
    writer: CaptureWriter,
    *,
    duration_s: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    silence_s: float = 30.0,
    progress: Callable[[float, int, int], None] | None = None,
) -> float:
    """Record a board's stream.

    Parameters
    ----------
    board : Receiver
        The board.
    writer : CaptureWriter
        Takes the records.
    duration_s : float or None
        Seconds on the board's clock to record; None until stopped.
    stop : callable
        Whether to stop; asked about ten times a second.
    silence_s : float
        See `decoded_stream`.
    progress : callable or None
        Told seconds on the board's clock, records and losses so far.

    Returns
    -------
    float
        Seconds recorded, on the board's clock.

    Raises
    ------
    SilentBoardError, DeviceError
        See `decoded_stream`.
    CaptureFullError
        If the disk is full; the capture keeps what was recorded.
    """
    decoder, watch = RecordDecoder(channels=1 << CHANNEL_BITS), _Stopwatch()

    def enough() -> bool:
        return stop() or (duration_s is not None and watch.elapsed_s >= duration_s)

    stream = decoded_stream(board, decoder, stop=enough, silence_s=silence_s, take=writer.write)
    for chunk in stream:
        watch.add(chunk)
        if progress:
            progress(watch.elapsed_s, writer.count, decoder.lost)
    return watch.elapsed_s
