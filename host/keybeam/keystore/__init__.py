"""The key store: finished keys on disk, each of them delivered once."""

from keybeam.keystore.store import KeyRecord, KeyState, KeyStore, KeyStoreError

__all__ = ["KeyRecord", "KeyState", "KeyStore", "KeyStoreError"]
