"""Errors that end a session."""

from keybeam.errors import KeybeamError

__all__ = ["ParameterError", "PeerLostError", "SessionError", "SessionRefusedError"]


class SessionError(KeybeamError):
    """A session that cannot go on."""


class ParameterError(SessionError, ValueError):
    """A parameter of a session that cannot be."""


class SessionRefusedError(SessionError):
    """The two ends do not fit together."""


class PeerLostError(SessionError):
    """The other end closed the connection, or says nothing any more."""
