"""Requests that are repeated until they are answered."""

from dataclasses import dataclass

from keybeam.session.errors import PeerLostError
from keybeam.session.messages import Message

__all__ = ["OpenRequests"]

_FIRST_REPEAT_S = 1.0
_LONGEST_REPEAT_S = 8.0


@dataclass
class _Request:
    message: Message
    begun: float
    pause: float
    due: float


class OpenRequests:
    """Unanswered requests by name, each with the time at which it is repeated.

    A request is repeated after 1 s, then after pauses that double up to 8 s.

    Parameters
    ----------
    patience : float
        Seconds after which an unanswered request ends the session.

    Attributes
    ----------
    repeated : int
        Repeats so far.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._open: dict[tuple[str, object], _Request] = {}
        self.repeated = 0

    def __contains__(self, name: tuple[str, object]) -> bool:
        return name in self._open

    def __len__(self) -> int:
        return len(self._open)

    def open(self, name: tuple[str, object], message: Message, now: float) -> None:
        """Note that a request was sent at the time `now`, in seconds."""
        self._open[name] = _Request(message, now, _FIRST_REPEAT_S, now + _FIRST_REPEAT_S)

    def close(self, name: tuple[str, object]) -> None:
        """Note the answer of a request; do nothing where there is none of this name."""
        self._open.pop(name, None)

    def due(self, now: float) -> list[Message]:
        """Return the requests to be repeated at the time `now`.

        Raises
        ------
        PeerLostError
            If one has been open for too long.
        """
        messages = []
        for (kind, _), request in self._open.items():
            if now - request.begun > self._patience:
                raise PeerLostError(
                    f"the other end has not answered a request ({kind}) for "
                    f"{self._patience:.0f} s, though it was repeated"
                )
            if now >= request.due:
                request.pause = min(2 * request.pause, _LONGEST_REPEAT_S)
                request.due = now + request.pause
                messages.append(request.message)
        self.repeated += len(messages)
        return messages
