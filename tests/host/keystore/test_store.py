import os
import resource
import sqlite3

import pytest

from keybeam.keystore import KeyRecord, KeyState, KeyStore, KeyStoreError


def test_states_of_a_key(tmp_path):
    with KeyStore(tmp_path / "keys") as store:
        store.add("a", b"A" * 16, KeyState.PENDING)
        store.add("b", b"B" * 32, KeyState.READY)
        with pytest.raises(KeyStoreError, match="pending, not ready"):
            store.deliver("a")
        assert store.settle("a")
        assert store.deliver("a") == b"A" * 16
    # What was done is on the disk.
    with KeyStore(tmp_path / "keys") as store:
        assert store.inventory() == [
            KeyRecord("a", 128, KeyState.DELIVERED),
            KeyRecord("b", 256, KeyState.READY),
        ]
        with pytest.raises(KeyStoreError, match="delivered, not ready"):
            store.deliver("a")


def test_delivered_bits_are_no_longer_on_the_disk(tmp_path):
    key = os.urandom(64)
    with KeyStore(tmp_path) as store:
        store.add("a", key, KeyState.READY)
        assert key in store.path.read_bytes()
        store.deliver("a")
    assert [path.name for path in tmp_path.iterdir()] == [store.path.name]
    assert key not in store.path.read_bytes()


def test_only_pending_keys_are_discarded(tmp_path):
    with KeyStore(tmp_path) as store:
        store.add("a", b"A" * 16, KeyState.PENDING)
        store.add("b", b"B" * 16, KeyState.READY)
        store.discard("a")
        store.discard("b")
        store.discard("never there")
        assert [record.name for record in store.inventory()] == ["b"]
        assert not store.settle("a")


def test_a_name_is_never_used_twice(tmp_path):
    with KeyStore(tmp_path) as store:
        store.add("a", b"A" * 16, KeyState.READY)
        store.deliver("a")
        with pytest.raises(KeyStoreError, match="there is a key a already"):
            store.add("a", b"B" * 16, KeyState.READY)


def test_no_others_may_read(tmp_path):
    with KeyStore(tmp_path / "keys") as store:
        assert store.path.stat().st_mode & 0o777 == 0o600
        assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_export_delivers_all_ready_keys_once(tmp_path):
    with KeyStore(tmp_path / "keys") as store:
        for name, state in (("a", KeyState.READY), ("b", KeyState.PENDING), ("c", KeyState.READY)):
            store.add(name, name.encode() * 16, state)
        assert store.export_key_file(tmp_path / "out.key") == 256
        assert (tmp_path / "out.key").read_bytes() == b"a" * 16 + b"c" * 16
        assert (tmp_path / "out.key").stat().st_mode & 0o777 == 0o600
        assert store.export_key_file(tmp_path / "again.key") == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == ["again.key", "keys", "out.key"]


def test_export_overwrites_no_key(tmp_path):
    with KeyStore(tmp_path / "keys") as store:
        store.add("a", b"A" * 16, KeyState.READY)
        for name in ("out.key", "out.key.partial"):
            (tmp_path / name).write_bytes(b"other key")
            with pytest.raises(KeyStoreError, match="there is a file already"):
                store.export_key_file(tmp_path / "out.key")
            (tmp_path / name).unlink()
        assert store.deliver("a") == b"A" * 16


@pytest.fixture
def small_disk():
    """A disk on which no file may be longer than 64 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stores_nothing_by_halves(tmp_path, small_disk):
    with KeyStore(tmp_path) as store:
        store.add("a", b"A" * 1000, KeyState.READY)
        with pytest.raises(KeyStoreError, match=str(tmp_path)):
            store.add("b", b"B" * (1 << 17), KeyState.READY)
        assert [record.name for record in store.inventory()] == ["a"]
        assert store.deliver("a") == b"A" * 1000


def test_a_full_disk_exports_nothing_by_halves(tmp_path, small_disk):
    with KeyStore(tmp_path / "keys") as store:
        for number in range(3):
            store.add(str(number), bytes([number]) * 15_000, KeyState.READY)
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (40_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )
        with pytest.raises(KeyStoreError, match=r"out\.key"):
            store.export_key_file(tmp_path / "out.key")
        assert [path.name for path in tmp_path.iterdir()] == ["keys"]
        assert all(record.state is KeyState.READY for record in store.inventory())


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyStoreError, match="file"):
        KeyStore(tmp_path / "file")
    with pytest.raises(KeyStoreError, match="Not a directory"):
        KeyStore(tmp_path / "file" / "below")


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "keys.sqlite").write_bytes(b"something else " * 100)
    with pytest.raises(KeyStoreError, match="not a database"):
        KeyStore(tmp_path)


def test_a_store_that_another_process_holds(tmp_path, monkeypatch):
    with KeyStore(tmp_path) as store:
        other = sqlite3.connect(store.path)
        other.execute("BEGIN EXCLUSIVE")
        store._database.execute("PRAGMA busy_timeout = 1")
        with pytest.raises(KeyStoreError, match="locked"):
            store.add("a", b"A" * 16, KeyState.READY)
        other.rollback()
        other.close()
