"""The commands ``keybeam satellite``, ``keybeam ground`` and ``keybeam preshared``."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click
import msgspec

from keybeam.device import Receiver, Transmitter
from keybeam.key_length import Analysis
from keybeam.keystore import KeyStore
from keybeam.protocol.numbers import BLOCK_PACKETS, FRAME_RATE_HZ
from keybeam.session.click_source import ClickSource
from keybeam.session.endpoint import EndpointParts
from keybeam.session.ground import GroundSession
from keybeam.session.ldpc import LdpcDistiller
from keybeam.session.parameters import default_parameters
from keybeam.session.randomness import RandomSource, SeededRandom, SystemRandom
from keybeam.session.running import GroundProgress, run_ground, run_satellite
from keybeam.session.satellite import SatelliteSession
from keybeam.session.secret import (
    MESSAGES_PER_BLOCK,
    Direction,
    PresharedSecret,
    create_secret_pair,
)
from keybeam.session.statistics import GroundStatistics, SatelliteStatistics, write_statistics
from keybeam.tags import CaptureWriter, board_metadata
from keybeam.timing import PulseIndexer

__all__ = ["ground", "preshared", "satellite"]


def _address(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, as in 127.0.0.1:7000")
    return host.strip("[]"), int(port)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Options of both ends."""
    options = [
        click.option(
            "--device",
            required=True,
            metavar="URL",
            help="The board, as in tcp:HOST:PORT or /dev/ttyUSB0.",
        ),
        click.option(
            "--preshared",
            required=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="This end's copy of the pre-shared secret (made by `keybeam preshared`).",
        ),
        click.option(
            "--keys",
            required=True,
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder of the key store.",
        ),
        click.option(
            "--block-packets",
            type=click.IntRange(1, 9),
            default=BLOCK_PACKETS,
            show_default=True,
            help="Packets of 100 kbit in a privacy-amplification block; equal at both ends.",
        ),
        click.option(
            "--analysis",
            type=click.Choice([analysis.value for analysis in Analysis]),
            default=Analysis.COMPOSABLE.value,
            show_default=True,
            help="Analysis of the key length (docs/security.md); equal at both ends.",
        ),
        click.option(
            "--silence",
            type=click.FloatRange(min=1),
            default=30.0,
            show_default=True,
            help="Seconds without a word from the other end after which it is given up.",
        ),
        click.option(
            "--seed",
            type=int,
            help="Repeatable random numbers, for simulations only: the keys are not secret.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def _secret(path: Path, sends: Direction) -> Iterator[PresharedSecret]:
    """Open a secret that is good for a block at least."""
    with PresharedSecret(path, sends) as secret:
        secret.require(MESSAGES_PER_BLOCK)
        yield secret


def _parts(
    block_packets: int,
    analysis: str,
    secret: PresharedSecret,
    store: KeyStore,
    seed: int | None,
) -> EndpointParts:
    parameters = default_parameters(block_packets, Analysis(analysis))
    random: RandomSource = SystemRandom()
    if seed is not None:
        random = SeededRandom(seed, secret.sends.name)
    return EndpointParts(parameters, LdpcDistiller(parameters), secret, store, random)


@click.command()
@_common
@click.option(
    "--listen",
    callback=_address,
    metavar="HOST:PORT",
    default="127.0.0.1:7000",
    show_default=True,
    help="Where the ground station connects; port 0 takes a free one and tells it.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds after which the board stops the pattern; without it when the session ends.",
)
@click.option(
    "--json",
    "statistics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the statistics of the session.",
)
def satellite(
    device: str,
    preshared: Path,
    keys: Path,
    block_packets: int,
    analysis: str,
    silence: float,
    seed: int | None,
    listen: tuple[str, int],
    duration: float | None,
    statistics: Path | None,
) -> None:
    """Make key as the satellite, the end with the transmitter.

    \b
    Example:
        keybeam satellite --device tcp:127.0.0.1:6000 --listen 127.0.0.1:7000 \\
            --preshared satellite.secret --keys satellite-keys
    """
    with (
        _secret(preshared, Direction.FROM_SATELLITE) as secret,
        KeyStore(keys) as store,
        Transmitter(device) as board,
    ):
        parts = _parts(block_packets, analysis, secret, store, seed)
        frames = 0 if duration is None else round(duration * FRAME_RATE_HZ)
        result = asyncio.run(
            run_satellite(
                SatelliteSession(parts, board.lookup),
                board,
                listen,
                frames=frames,
                silence_s=silence,
                listening=lambda host, port: click.echo(f"listening at {host}:{port}"),
            )
        )
    _conclude(result, statistics)


@click.command()
@_common
@click.option(
    "--connect",
    callback=_address,
    metavar="HOST:PORT",
    default="127.0.0.1:7000",
    show_default=True,
    help="Where the satellite listens.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds of the pass to take; without it until the pattern stops or the link is lost.",
)
@click.option(
    "--delay",
    type=float,
    default=0.0,
    show_default=True,
    help="Picoseconds by which a click comes later than its slot, whole slots included; the "
    "part within a slot is found by itself.",
)
@click.option(
    "--bin",
    "bin_ps",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Width in picoseconds of the bins of detections.",
)
@click.option(
    "--sync-bin",
    "sync_bin_ps",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Width in picoseconds of the bins of sync words.",
)
@click.option(
    "--statistics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the statistics of the session.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Capture file (HDF5) for all tag records of the board; see `keybeam tags`.",
)
@click.option(
    "--progress",
    type=click.Choice(["text", "json", "none"]),
    default="text",
    show_default=True,
    help="How to tell how far the pass is: a line, or a JSON object, about twice a second.",
)
def ground(
    device: str,
    preshared: Path,
    keys: Path,
    block_packets: int,
    analysis: str,
    silence: float,
    seed: int | None,
    connect: tuple[str, int],
    duration: float | None,
    delay: float,
    bin_ps: float,
    sync_bin_ps: float,
    statistics: Path | None,
    record: Path | None,
    progress: str,
) -> None:
    """Make key as the ground station, the end with the receiver.

    \b
    Example:
        keybeam ground --device tcp:127.0.0.1:6001 --connect 127.0.0.1:7000 \\
            --preshared ground.secret --keys ground-keys
    """
    with (
        _secret(preshared, Direction.FROM_GROUND) as secret,
        KeyStore(keys) as store,
        Receiver(device) as board,
        nullcontext()
        if record is None
        else CaptureWriter(
            record, board_metadata(board, bin_ps=bin_ps, sync_bin_ps=sync_bin_ps)
        ) as recorder,
    ):
        parts = _parts(block_packets, analysis, secret, store, seed)
        indexer = PulseIndexer(delay_ps=delay, bin_ps=bin_ps, sync_bin_ps=sync_bin_ps)
        result = asyncio.run(
            run_ground(
                GroundSession(parts),
                board,
                ClickSource(board, indexer, duration, seed, recorder),
                connect,
                silence_s=silence,
                progress=_PROGRESS[progress],
            )
        )
    _conclude(result, statistics)


def _tell_text(progress: GroundProgress) -> None:
    qber = "" if progress.qber is None else f", QBER {progress.qber:.2%}"
    click.echo(
        f"{progress.time_s:7.1f} s: {progress.gated} gated clicks, {progress.sifted_bits} sifted "
        f"bits, {progress.packets} packets{qber}, {progress.secret_key_bits} secret bits"
    )


def _tell_json(progress: GroundProgress) -> None:
    click.echo(msgspec.json.encode(progress))


def _tell_nothing(progress: GroundProgress) -> None:
    pass


_PROGRESS: dict[str, Callable[[GroundProgress], None]] = {
    "text": _tell_text,
    "json": _tell_json,
    "none": _tell_nothing,
}


def _conclude(result: GroundStatistics | SatelliteStatistics, path: Path | None) -> None:
    if path is not None:
        write_statistics(path, result)
    click.echo(
        f"{result.secret_key_bits} secret bits stored, {result.authentication_bits} bits of the "
        f"pre-shared secret used up, SHA-256 of the keys {result.key_sha256}"
        + (" (simulation: not secret)" if result.simulation else ""),
        err=True,
    )


@click.command()
@click.argument("satellite_file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("ground_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--blocks",
    type=click.IntRange(min=1, max=1_000_000),
    default=1000,
    show_default=True,
    help="Privacy-amplification blocks that the secret can authenticate.",
)
def preshared(satellite_file: Path, ground_file: Path, blocks: int) -> None:
    """Make the two copies of a pre-shared secret, for authentication.

    Carry each to its end and keep no other copy.

    \b
    Example:
        keybeam preshared satellite.secret ground.secret
    """
    create_secret_pair(satellite_file, ground_file, MESSAGES_PER_BLOCK * blocks)
