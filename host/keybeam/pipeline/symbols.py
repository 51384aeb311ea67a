"""Records of the symbols that a transmitter sent, in an HDF5 file.

=======================  ==========================================================================
object                   content
=======================  ==========================================================================
attribute ``format``     ``"keybeam symbol record"``
attribute ``version``    1
attribute ``first``      pulse index of the first symbol, a multiple of a frame's 65 536 slots
attribute ``count``      frames that were written
dataset ``symbols``      shape (frames, 32 768), uint8, contiguous: two symbols
                         (`keybeam.protocol.symbols`) a byte, that of the earlier pulse in the low
                         four bits
=======================  ==========================================================================

A pass of 360 s has 112.5 GB. The dataset lies in the file in one piece, so that symbols are read
where they are, and only those pages that a click needs.
"""

import mmap
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from keybeam.pipeline.errors import SymbolRecordError
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import Basis
from keybeam.sifting import JoinedSifter
from keybeam.whole_files import part_of

__all__ = ["SymbolRecord", "SymbolRecordWriter"]

_FORMAT, _VERSION = "keybeam symbol record", 1
_FRAME_BYTES = FRAME_SLOTS // 2


class SymbolRecordWriter:
    """Write a record of symbols, frame after frame; a context manager.

    The file appears under its name when the block ends without error.

    Parameters
    ----------
    path : path-like
        The file to write.
    first_frame : int
        Counter of the first frame.
    frames : int
        Frames for which there is room, at least 1.
    """

    def __init__(self, path: str | os.PathLike[str], first_frame: int, frames: int) -> None:
        if frames < 1 or first_frame < 0:
            raise SymbolRecordError(
                f"a record of symbols has frames from 0 on, not {frames} from {first_frame} on"
            )
        self._path = Path(path)
        self._part = part_of(self._path)
        self._first, self._frames = first_frame, frames
        self._count = 0

    def __enter__(self) -> Self:
        self._file = h5py.File(self._part, "w")
        self._symbols = self._file.create_dataset("symbols", (self._frames, _FRAME_BYTES), "u1")
        return self

    def write(self, symbols: NDArray[np.uint8]) -> None:
        """Add the symbols of the next frames.

        Parameters
        ----------
        symbols : ndarray of uint8, shape (n × 65 536,)
            Symbols 0 to 15 in the order of the pulses.
        """
        pairs = symbols.reshape(-1, _FRAME_BYTES, 2)
        if self._count + len(pairs) > self._frames:
            raise SymbolRecordError(f"{self._path}: there is room for {self._frames} frames only")
        packed = pairs[:, :, 0] | pairs[:, :, 1] << np.uint8(4)
        self._symbols[self._count : self._count + len(pairs)] = packed
        self._count += len(pairs)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.attrs["format"], self._file.attrs["version"] = _FORMAT, _VERSION
        self._file.attrs["first"] = self._first * FRAME_SLOTS
        self._file.attrs["count"] = self._count
        self._file.close()
        if error is None:
            self._part.replace(self._path)
        else:
            self._part.unlink(missing_ok=True)


class SymbolRecord:
    """An open record of symbols, which answers look-ups as a state log does.

    Parameters
    ----------
    path : path-like
        The file to read.

    Raises
    ------
    SymbolRecordError
        If it is no record of symbols.
    OSError
        If it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        with path.open("rb"):
            pass
        try:
            with h5py.File(path, "r") as file:
                if file.attrs["format"] != _FORMAT or file.attrs["version"] != _VERSION:
                    raise ValueError("format")
                self._first, count = int(file.attrs["first"]), int(file.attrs["count"])
                symbols = file["symbols"]
                if symbols.shape[1:] != (_FRAME_BYTES,) or not 0 < count <= symbols.shape[0]:
                    raise ValueError("shape")
                offset = symbols.id.get_offset()
        except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
            raise SymbolRecordError(f"{path}: this is no record of symbols") from error
        self._last = self._first + count * FRAME_SLOTS
        with path.open("rb") as stream:
            if offset is None or offset + count * _FRAME_BYTES > os.fstat(stream.fileno()).st_size:
                raise SymbolRecordError(f"{path}: the record of symbols ends too early")
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._bytes = np.frombuffer(self._map, np.uint8, count * _FRAME_BYTES, offset)

    def look_up(self, indices: NDArray[np.uint64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Find the symbols of pulses.

        Parameters
        ----------
        indices : ndarray of uint64, shape (n,)
            Pulse indices.

        Returns
        -------
        status, symbols : ndarray of uint8, shape (n,)
            `LookupStatus`, and the symbol where it is FOUND, else 0.
        """
        status = np.full(indices.size, LookupStatus.FOUND, np.uint8)
        inside = (indices >= self._first) & (indices < self._last)
        symbols = np.zeros(indices.size, np.uint8)
        if inside.all():
            symbols = self._symbols_at(indices)
        else:
            status[indices < self._first] = LookupStatus.TOO_OLD
            status[indices >= self._last] = LookupStatus.TOO_NEW
            symbols[inside] = self._symbols_at(indices[inside])
        self.release()
        return status, symbols

    def sifter(
        self, packet_bits: int, check_basis: Basis | None = None, *, vectors: bool = True
    ) -> JoinedSifter:
        """Make what sifts clicks by these symbols; call `release` now and then.

        Parameters
        ----------
        packet_bits, check_basis, vectors
            See `JoinedSifter`.
        """
        return JoinedSifter(self._bytes, self._first, packet_bits, check_basis, vectors=vectors)

    def release(self) -> None:
        """Let go of the pages that were read: a whole pass would not fit into memory."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def _symbols_at(self, indices: NDArray[np.uint64]) -> NDArray[np.uint8]:
        places = indices - np.uint64(self._first)
        shift = (places.astype(np.uint8) & np.uint8(1)) << np.uint8(2)
        pairs = self._bytes[(places >> np.uint64(1)).astype(np.intp)]
        found: NDArray[np.uint8] = pairs >> shift & np.uint8(15)
        return found

    def close(self) -> None:
        """Close the file; a sifter that is still in use keeps it open until it is gone."""
        del self._bytes
        with suppress(BufferError):
            self._map.close()
