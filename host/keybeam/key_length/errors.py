"""Errors of the key-length analyses."""

from keybeam.errors import KeybeamError

__all__ = ["KeyLengthError", "NoKeyError"]


class KeyLengthError(KeybeamError):
    """A quantity from which a key length should be computed is impossible."""


class NoKeyError(KeyLengthError):
    """The counts are possible, but prove no secret key."""
