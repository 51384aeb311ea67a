"""Durable storage of keys in one SQLite file.

A key is *pending* until both ends are known to hold it, then *ready*, then
*delivered*; only a ready key is ever given away, and then its bits are removed
in the same transaction. Every change is on the disk before the call returns
(SQLite's synchronous=EXTRA with a rollback journal), and removed bits are
overwritten (secure_delete).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from keybeam.errors import KeybeamError

__all__ = ["KeyRecord", "KeyState", "KeyStore", "KeyStoreError"]

_FILE_NAME = "keys.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    length_bits INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'ready', 'delivered')),
    key BLOB CHECK ((key IS NULL) = (state = 'delivered'))
) STRICT
"""


class KeyStoreError(KeybeamError):
    """A key store that cannot be opened or written, or a key that is not there."""


class KeyState(StrEnum):
    """State of a key."""

    PENDING = "pending"
    """Made here, but the other end may not hold it."""
    READY = "ready"
    """Both ends hold it; it was not used yet."""
    DELIVERED = "delivered"
    """Given away; its bits are no longer here."""


class KeyRecord(NamedTuple):
    """What may be told of a key."""

    name: str
    length_bits: int
    state: KeyState


class KeyStore:
    """The keys of one terminal.

    Parameters
    ----------
    directory : Path
        Folder of the store, made if it is missing, readable by its owner only.

    Raises
    ------
    KeyStoreError
        If the folder or its file cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / _FILE_NAME
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite would make the file readable for others; its journals copy its permissions.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise KeyStoreError(f"key store {directory}: {error.strerror}") from error
        with self._explained():
            self._database = sqlite3.connect(self.path, isolation_level=None)
        try:
            with self._explained():
                self._prepare()
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        """Return the open store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, name: str, key: bytes, state: KeyState) -> None:
        """Store a new key.

        Parameters
        ----------
        name : str
            Name that is equal at both ends and never used twice.
        key : bytes
            Its bits, the first in the highest bit.
        state : KeyState
            PENDING or READY.

        Raises
        ------
        KeyStoreError
            If there is, or was, a key of this name, or the key cannot be written.
        """
        with self._transaction():
            if self._state(name) is not None:
                raise KeyStoreError(
                    f"key store {self.path}: there is a key {name} already (a repeated run needs "
                    "an empty folder)"
                )
            self._database.execute(
                "INSERT INTO keys (name, length_bits, state, key) VALUES (?, ?, ?, ?)",
                (name, 8 * len(key), state.value, key),
            )

    def settle(self, name: str) -> bool:
        """Make a pending key ready; return whether the key is, or was, there."""
        with self._transaction():
            self._database.execute(
                "UPDATE keys SET state = 'ready' WHERE name = ? AND state = 'pending'", (name,)
            )
            return self._state(name) is not None

    def discard(self, name: str) -> None:
        """Remove a pending key; do nothing where there is none."""
        with self._transaction():
            self._database.execute("DELETE FROM keys WHERE name = ? AND state = 'pending'", (name,))

    def deliver(self, name: str) -> bytes:
        """Give a ready key away, once.

        Returns
        -------
        bytes
            Its bits, the first in the highest bit.

        Raises
        ------
        KeyStoreError
            If there is no ready key of this name.
        """
        with self._transaction():
            row = self._database.execute(
                "SELECT key FROM keys WHERE name = ? AND state = 'ready'", (name,)
            ).fetchone()
            if row is None:
                state = self._state(name)
                told = "there is no such key" if state is None else f"it is {state}, not ready"
                raise KeyStoreError(f"key store {self.path}: key {name}: {told}")
            self._remove_bits(name)
        return bytes(row[0])

    def inventory(self) -> list[KeyRecord]:
        """All keys that are or were in the store, in the order in which they came."""
        with self._explained():
            rows = self._database.execute(
                "SELECT name, length_bits, state FROM keys ORDER BY number"
            ).fetchall()
        return [KeyRecord(name, length, KeyState(state)) for name, length, state in rows]

    def export_key_file(self, path: Path) -> int:
        """Deliver all ready keys into one file, in the order in which they came.

        The file is readable by its owner only, and appears complete or not at all. Its bytes
        are safe on the disk as ``<path>.partial`` before the keys leave the store, and take
        their name afterwards.

        Returns
        -------
        int
            Bits written.

        Raises
        ------
        KeyStoreError
            If there is a file already, or one cannot be written; the keys then stay in the
            store.
        """
        partial = path.with_name(path.name + ".partial")
        for present in (path, partial):
            if present.exists():
                raise KeyStoreError(
                    f"key file {present}: there is a file already; keys stay stored"
                )
        try:
            with self._transaction():
                rows = self._database.execute(
                    "SELECT name, key FROM keys WHERE state = 'ready' ORDER BY number"
                ).fetchall()
                content = b"".join(key for _, key in rows)
                _write_private(partial, content)
                for name, _ in rows:
                    self._remove_bits(name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        os.replace(partial, path)
        _sync_directory(path.parent)
        return 8 * len(content)

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = DELETE")
        self._database.execute("PRAGMA synchronous = EXTRA")
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.execute("PRAGMA temp_store = MEMORY")
        self._database.execute(_SCHEMA)

    def _state(self, name: str) -> str | None:
        row = self._database.execute("SELECT state FROM keys WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _remove_bits(self, name: str) -> None:
        self._database.execute(
            "UPDATE keys SET state = 'delivered', key = NULL WHERE name = ?", (name,)
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise KeyStoreError(f"key store {self.path}: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing, and on the disk when it ends."""
        with self._explained():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # A full disk makes SQLite roll back by itself.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _write_private(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyStoreError(f"key file {path}: {error.strerror}; keys stay stored") from error


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
