"""What both ends of a session have in common.

An end is a state machine: `Endpoint.handle` takes a message and returns those to send. It knows
neither sockets nor threads nor the clock: the caller passes the time, repeats what
`Endpoint.repeats` tells, and runs the jobs that `Endpoint.next_job` hands out wherever it likes.
"""

import hashlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from keybeam.keystore import KeyStore
from keybeam.session.distiller import Distiller
from keybeam.session.messages import Message, SessionParameters, encode_message
from keybeam.session.randomness import RandomSource
from keybeam.session.requests import OpenRequests
from keybeam.session.secret import PresharedSecret
from keybeam.session.transcript import Transcript

__all__ = ["Endpoint", "EndpointParts", "Job"]

_PATIENCE_S = 300.0
"""Seconds for the answer of one request. A dead peer is noticed much earlier, by its silence; this
one is for a peer that lives and gets nowhere, and long enough for a queue of packets to decode."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Job(Generic[Result]):
    """Long work that touches nothing of its end: may run in another thread.

    Attributes
    ----------
    work : callable
        The work.
    finish : callable
        Takes its result and the time; must be called where messages are handled.
    """

    work: Callable[[], Result]
    finish: Callable[[Result, float], None]


@dataclass(frozen=True)
class EndpointParts:
    """What an end works with.

    Attributes
    ----------
    parameters : SessionParameters
        What this end was told to agree on.
    distiller : Distiller
        Steps of distillation.
    secret : PresharedSecret
        One-time keys of the authentication.
    store : KeyStore
        Where finished keys go.
    random : RandomSource
        Source of all random choices.
    """

    parameters: SessionParameters
    distiller: Distiller
    secret: PresharedSecret
    store: KeyStore
    random: RandomSource


class Endpoint(ABC):
    """One end of a session.

    Parameters
    ----------
    parts : EndpointParts
        What it works with.

    Attributes
    ----------
    done : bool
        The session ended as it should.
    refusal : str
        Why there can be no session; empty while there can.
    ignored : int
        Messages that were malformed or not to be expected.
    simulation : bool
        An end draws its random numbers from a seed.
    secret_key_bits : int
        Length of the keys that this end made ready so far.
    """

    def __init__(self, parts: EndpointParts) -> None:
        self._parts = parts
        self._requests = OpenRequests(_PATIENCE_S)
        self._transcript = Transcript()
        self._outgoing: list[Message] = []
        self._jobs: deque[Job[object]] = deque()
        self._key_hash = hashlib.sha256()
        self._session = b""
        self._preamble: list[bytes] = []
        self.done = False
        self.refusal = ""
        self.ignored = 0
        self.simulation = parts.random.simulation
        self.secret_key_bits = 0

    @property
    def parameters(self) -> SessionParameters:
        """What this end was told to agree on."""
        return self._parts.parameters

    @property
    def session_name(self) -> str:
        """Name of the session, hexadecimal; empty before there is one."""
        return self._session.hex()

    @property
    def key_sha256(self) -> str:
        """SHA-256 of the keys made ready so far, hexadecimal."""
        return self._key_hash.hexdigest()

    @property
    def authentication_bits(self) -> int:
        """Bits of pre-shared secret used up in this session."""
        return 8 * self._parts.secret.used_bytes

    @property
    def repeated(self) -> int:
        """Requests that were sent again."""
        return self._requests.repeated

    def handle(self, message: Message, now: float) -> list[Message]:
        """Take a message that arrived at the time `now` (seconds); return those to send."""
        if not self._accept(message, now):
            self.ignored += 1
        return self._taken()

    def repeats(self, now: float) -> list[Message]:
        """Messages to send again at the time `now`, in seconds.

        Raises
        ------
        PeerLostError
            If the other end has left a request open for too long.
        """
        return self._requests.due(now)

    def next_job(self) -> Job[object] | None:
        """Take the next job, in order; each must be finished before the next is begun."""
        return self._jobs.popleft() if self._jobs else None

    def finish_job(self, job: Job[object], result: object, now: float) -> list[Message]:
        """Take the result of a job; return the messages to send."""
        job.finish(result, now)
        return self._taken()

    @abstractmethod
    def _accept(self, message: Message, now: float) -> bool:
        """Act on a message; return whether it was one to be expected."""

    def _send(self, message: Message) -> None:
        self._outgoing.append(message)

    def _ask(self, kind: str, number: object, message: Message, now: float) -> None:
        """Send a message and repeat it until its request is closed."""
        self._requests.open((kind, number), message, now)
        self._send(message)

    def _queue(self, work: Callable[[], Result], finish: Callable[[Result, float], None]) -> None:
        self._jobs.append(Job(work, finish))  # type: ignore[arg-type]

    def _taken(self) -> list[Message]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _count_key(self, key: bytes) -> None:
        self._key_hash.update(key)
        self.secret_key_bits += 8 * len(key)

    def _key_name(self, block: int) -> str:
        """Name of a block's key, equal at both ends."""
        return f"{self._session.hex()}-{block:04d}"

    def _signed_parts(self, message: Message, packets: list[int]) -> list[bytes]:
        """Return what the tag of a message about a block covers.

        That is how the session began, everything unsigned the packets depend on, and the
        message with an empty tag.
        """
        return [*self._preamble, *self._transcript.parts(packets), encode_message(message)]
