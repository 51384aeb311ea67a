"""Runs one end of a session with its board: ``keybeam satellite`` and ``keybeam ground``."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from keybeam.device import DeviceError, Receiver, Transmitter
from keybeam.session.click_source import ClickSource
from keybeam.session.connection import SessionConnection, run_until_first_ends
from keybeam.session.errors import PeerLostError, SessionError
from keybeam.session.ground import GroundSession
from keybeam.session.satellite import SatelliteSession
from keybeam.session.statistics import (
    GroundStatistics,
    GroundTotals,
    LinkStatistics,
    SatelliteStatistics,
)

__all__ = ["GroundProgress", "run_ground", "run_satellite"]

_CONNECT_S = 20.0
_RETRY_S = 0.2
_PROGRESS_S = 0.5


async def run_satellite(
    session: SatelliteSession,
    board: Transmitter,
    address: tuple[str, int],
    *,
    frames: int,
    silence_s: float,
    listening: Callable[[str, int], None],
) -> SatelliteStatistics:
    """Serve one session, from the first connection to its end.

    Parameters
    ----------
    session : SatelliteSession
        State machine that looks symbols up in `board`.
    board : Transmitter
        Its pattern is started once a session is agreed on, and stopped at the end.
    address : tuple of str and int
        Where to listen; port 0 takes a free one.
    frames : int
        Frames after which the board stops the pattern by itself; 0 for never.
    silence_s : float
        Seconds without a word from the ground station after which it is given up.
    listening : callable
        Is told host and port once connections are taken.
    """
    if board.read("pattern.status.not_key"):
        raise SessionError(
            f"the transmitter at {board.name} marks its frames as unfit for key, because they were "
            "set to a test pattern or to random bits of no tested chip: see `keybeam tx status`, "
            "and `keybeam tx clear` to go back to key"
        )
    reader, writer = await _one_connection(address, listening)
    connection = SessionConnection(session, reader, writer, silence_s)

    async def start_pattern() -> None:
        while not session.open:
            await connection.changed()
        board.write("transmitter.stop_after.frames", frames)
        board.write("transmitter.control.run", 1)
        await connection.finished()

    try:
        await run_until_first_ends(
            connection.read(), connection.keep_time(), connection.work(), start_pattern()
        )
    finally:
        # What ended the session is to be told, not that a lost board cannot be stopped.
        with suppress(DeviceError):
            board.write("transmitter.control.run", 0)
        await connection.close()
    return _satellite_statistics(session, connection.statistics)


async def _one_connection(
    address: tuple[str, int], listening: Callable[[str, int], None]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Take the first connection at an address, and no other."""
    first: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
        asyncio.get_running_loop().create_future()
    )

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first.done():
            writer.close()
        else:
            first.set_result((reader, writer))

    try:
        server = await asyncio.start_server(take, *address)
    except OSError as error:
        raise SessionError(f"cannot listen at {address[0]}:{address[1]}: {error}") from error
    try:
        listening(*server.sockets[0].getsockname()[:2])
        return await first
    finally:
        server.close()


def _satellite_statistics(session: SatelliteSession, link: LinkStatistics) -> SatelliteStatistics:
    return SatelliteStatistics(
        session=session.session_name,
        simulation=session.simulation,
        packets=session.packets,
        dropped_packets=session.dropped_packets,
        blocks=session.blocks,
        abandoned_blocks=session.abandoned_blocks,
        unsettled_keys=session.unsettled_keys,
        secret_key_bits=session.secret_key_bits,
        authentication_bits=session.authentication_bits,
        key_sha256=session.key_sha256,
        link=link,
    )


class GroundProgress(msgspec.Struct, frozen=True):
    """How far a ground station is.

    Attributes
    ----------
    time_s : float
        Time in the pass up to which clicks were taken, in s.
    clicks, gated : int
        Clicks with a pulse index, and those within the gate.
    sifted_bits : int
        Sifted bits.
    packets, dropped_packets : int
        Packets decided, and those of them that were dropped.
    blocks : int
        Blocks finished.
    secret_key_bits : int
        Length of all keys stored.
    qber : float or None
        Exact error rate of the last good packet.
    """

    time_s: float
    clicks: int
    gated: int
    sifted_bits: int
    packets: int
    dropped_packets: int
    blocks: int
    secret_key_bits: int
    qber: float | None


async def run_ground(
    session: GroundSession,
    board: Receiver,
    source: ClickSource,
    address: tuple[str, int],
    *,
    silence_s: float,
    progress: Callable[[GroundProgress], None],
) -> GroundStatistics:
    """Open a session and carry a pass through to its keys.

    Parameters
    ----------
    session : GroundSession
        State machine.
    board : Receiver
        Its stream of records is switched on for the pass.
    source : ClickSource
        Reads the board.
    address : tuple of str and int
        Where the satellite listens; tried for 20 s.
    silence_s : float
        Seconds without a word from the satellite after which it is given up.
    progress : callable
        Is told about twice a second how far the pass is.
    """
    connection = SessionConnection(session, *await _connect(address), silence_s)

    async def take_clicks() -> None:
        # Records must flow before the satellite, told by the first message, starts its pattern.
        await asyncio.to_thread(board.start_stream)
        await connection.send(session.begin(time.monotonic()))
        while True:
            while not session.ready:
                await connection.changed()
            clicks = await asyncio.to_thread(source.read)
            if clicks is None:
                break
            await connection.send(session.add_clicks(clicks, time.monotonic()))
        await connection.send(session.end_pass(time.monotonic()))
        await connection.finished()

    async def tell_progress() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            progress(_ground_progress(session, source))

    try:
        await run_until_first_ends(
            connection.read(),
            connection.keep_time(),
            connection.work(),
            take_clicks(),
            tell_progress(),
        )
    finally:
        with suppress(DeviceError):
            board.stop_stream()
        await connection.close()
    progress(_ground_progress(session, source))
    return _ground_statistics(session, source, connection.statistics)


async def _connect(
    address: tuple[str, int],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the satellite, which may not be listening yet."""
    deadline = time.monotonic() + _CONNECT_S
    while True:
        try:
            return await asyncio.open_connection(*address)
        except OSError as error:
            if time.monotonic() > deadline:
                raise PeerLostError(
                    f"no satellite at {address[0]}:{address[1]}: {error.strerror or error}"
                ) from error
        await asyncio.sleep(_RETRY_S)


def _ground_progress(session: GroundSession, source: ClickSource) -> GroundProgress:
    good = [packet.qber for packet in session.packets if packet.good]
    return GroundProgress(
        time_s=source.time_s,
        clicks=source.clicks,
        gated=source.gated,
        sifted_bits=session.sifted_bits,
        packets=len(session.packets),
        dropped_packets=len(session.packets) - len(good),
        blocks=len(session.blocks),
        secret_key_bits=session.secret_key_bits,
        qber=good[-1] if good else None,
    )


def _ground_statistics(
    session: GroundSession, source: ClickSource, link: LinkStatistics
) -> GroundStatistics:
    return GroundStatistics(
        session=session.session_name,
        simulation=session.simulation,
        analysis=session.parameters.analysis,
        failure_probability=session.parameters.failure_probability,
        totals=GroundTotals(
            detections=source.detections,
            clicks=source.clicks,
            gated=source.gated,
            unresolved=source.gated - source.resolved,
            lost_records=source.lost_records,
            sifted_bits=session.sifted_bits,
            leftover_bits=session.leftover_bits,
            sampled_bits=session.sampled_bits,
            dropped=session.dropped,
        ),
        rates=source.rates,
        packets=session.packets,
        blocks=session.blocks,
        secret_key_bits=session.secret_key_bits,
        authentication_bits=session.authentication_bits,
        key_sha256=session.key_sha256,
        link=link,
    )
