"""The errors that end a command with one clear line and exit status 2.

Every error a user can cause or meet derives from `KeybeamError`; its message
says what went wrong, where, and where it is known what to do about it. Key
bits never stand in a message.
"""

__all__ = ["KeybeamError"]


class KeybeamError(Exception):
    """Base of all errors a user is told about in one line."""
