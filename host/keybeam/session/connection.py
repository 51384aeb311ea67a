"""A session on a TCP connection: moves messages, keeps time, runs the jobs of an end.

One task reads, one keeps time (repeats, heartbeats, silence), one runs jobs in a thread. The first
that fails ends them all. State machines are only ever touched from the event loop.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress

from keybeam.session.endpoint import Endpoint
from keybeam.session.errors import PeerLostError, SessionRefusedError
from keybeam.session.framing import FrameDecoder, encode_frame
from keybeam.session.messages import (
    Heartbeat,
    Message,
    MessageError,
    decode_message,
    encode_message,
)
from keybeam.session.statistics import LinkStatistics

__all__ = ["SessionConnection", "run_until_first_ends"]

_READ_BYTES = 1 << 18
_TICK_S = 0.2
_HEARTBEAT_S = 2.0


class SessionConnection:
    """One end of a session, and its connection to the other.

    Parameters
    ----------
    endpoint : Endpoint
        State machine of this end.
    reader, writer : asyncio streams
        The connection.
    silence_s : float
        Seconds without a word from the other end after which it is given up.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        silence_s: float,
    ) -> None:
        self._endpoint = endpoint
        self._reader = reader
        self._writer = writer
        self._silence_s = silence_s
        self._decoder = FrameDecoder()
        self._sequence = 0
        self._malformed = 0
        self._heard = self._spoken = time.monotonic()
        self._changed = asyncio.Event()

    @property
    def statistics(self) -> LinkStatistics:
        """How the connection did so far."""
        return LinkStatistics(
            repeated=self._endpoint.repeated,
            ignored=self._endpoint.ignored + self._malformed,
            corrupted=self._decoder.corrupted,
            missing=self._decoder.missing,
        )

    async def send(self, messages: list[Message]) -> None:
        """Send messages in order."""
        for message in messages:
            self._writer.write(encode_frame(self._sequence, encode_message(message)))
            self._sequence += 1
        if messages:
            self._spoken = time.monotonic()
            try:
                await self._writer.drain()
            except ConnectionError as error:
                raise PeerLostError(f"the connection to the other end broke: {error}") from error

    async def changed(self) -> None:
        """Wait until the end has taken a message or finished a job."""
        self._changed.clear()
        await self._changed.wait()

    async def finished(self) -> None:
        """Wait until the session is done."""
        while not self._endpoint.done:
            await self.changed()

    async def read(self) -> None:
        """Take messages until the other end closes the connection after the session.

        Raises
        ------
        PeerLostError
            If the connection ends before.
        SessionRefusedError
            If the two ends do not fit together.
        """
        while True:
            try:
                data = await self._reader.read(_READ_BYTES)
            except ConnectionError as error:
                raise PeerLostError(f"the connection to the other end broke: {error}") from error
            if not data:
                if self._endpoint.done:
                    return
                raise PeerLostError("the other end closed the connection before the session ended")
            self._heard = time.monotonic()
            for body in self._decoder.feed(data):
                await self._take(body)
            if self._endpoint.refusal:
                raise SessionRefusedError(f"no session: {self._endpoint.refusal}")

    async def _take(self, body: bytes) -> None:
        try:
            message = decode_message(body)
        except MessageError:
            self._malformed += 1
            return
        await self.send(self._endpoint.handle(message, time.monotonic()))
        self._changed.set()

    async def keep_time(self) -> None:
        """Repeat, show life, and notice when the other end shows none.

        Raises
        ------
        PeerLostError
            If nothing was heard for too long.
        """
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            if now - self._heard > self._silence_s:
                if self._endpoint.done:
                    return
                raise PeerLostError(f"nothing heard from the other end for {self._silence_s:.0f} s")
            await self.send(self._endpoint.repeats(now))
            if now - self._spoken > _HEARTBEAT_S:
                await self.send([Heartbeat()])

    async def work(self) -> None:
        """Run jobs, one after the other, in a thread."""
        while True:
            job = self._endpoint.next_job()
            if job is None:
                await self.changed()
                continue
            result = await asyncio.to_thread(job.work)
            await self.send(self._endpoint.finish_job(job, result, time.monotonic()))
            self._changed.set()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def run_until_first_ends(*tasks: Coroutine[None, None, None]) -> None:
    """Run tasks together until one returns or fails; then cancel the others.

    Raises
    ------
    Exception
        What the task raised that failed.
    """
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
