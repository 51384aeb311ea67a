"""The command ``keybeam tx``: everything of the transmitter that a lab sets and reads."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from keybeam.device import Transmitter
from keybeam.options import as_json, port_option
from keybeam.output import print_rows, print_sections
from keybeam.protocol.identity import Role
from keybeam.protocol.lanes import (
    LANES,
    PULSE_SPACINGS,
    one_hot_lane_table,
    sagnac_lane_table,
    time_bin_lane_table,
)
from keybeam.protocol.modes import InjectedFault, PatternMode, RandomOrigin, StartCondition
from keybeam.protocol.symbols import (
    Basis,
    Intensity,
    Polarisation,
    basis_of,
    intensity_of,
    symbol_table,
)
from keybeam.randomness import cutoffs
from keybeam.transmitter import settings, sources
from keybeam.transmitter.calibration_command import calibration
from keybeam.transmitter.errors import TransmitterError
from keybeam.transmitter.lookup import look_up
from keybeam.transmitter.status import (
    SOURCES,
    lane_settings,
    source_status,
    transmitter_status,
)

__all__ = ["tx"]

_MOST_INDICES = 1_000_000


def _names(kind: Any) -> dict[str, Any]:
    """Members of an enumeration by the words a user types for them."""
    return {member.name.lower().replace("_", "-"): member for member in kind}


_MODES, _ORIGINS, _FAULTS = map(_names, (PatternMode, RandomOrigin, InjectedFault))
_CONDITIONS = _names(StartCondition)
_LANE_NAMES = [*map(str, range(LANES)), "serial"]

_port = port_option(Role.TRANSMITTER)


def _symbol(text: str) -> int:
    """Symbol of a text such as ``signal:H``."""
    intensity, _, polarisation = text.partition(":")
    try:
        return Intensity[intensity.upper()] << 2 | Polarisation[polarisation.upper()]
    except KeyError:
        raise click.BadParameter(
            f"{text!r} is no symbol: write intensity:polarisation, such as signal:H or vacuum:D"
        ) from None


@click.group()
def tx() -> None:
    """Set and read a transmitter.

    \b
    Example:
        keybeam tx status --port /dev/ttyUSB0
    """


tx.add_command(calibration)


@tx.command()
@_port
@as_json
def status(port: str, as_json: bool) -> None:
    """Tell what the transmitter does: pattern, random bits, state log, lines.

    \b
    Example:
        keybeam tx status --port /dev/ttyUSB0 --json
    """
    with Transmitter(port) as board:
        print_sections(transmitter_status(board), as_json)


@tx.command()
@_port
@click.option(
    "--condition",
    type=click.Choice(list(_CONDITIONS)),
    default="command",
    show_default=True,
    help="What the start waits for.",
)
@click.option(
    "--frame",
    type=click.IntRange(0, (1 << 48) - 1),
    default=0,
    show_default=True,
    help="Frame counter of the first frame; with condition frame, when to start.",
)
@click.option(
    "--frames",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="Stop after so many frames; 0 never.",
)
@click.option(
    "--spacing",
    type=click.Choice([str(n) for n in PULSE_SPACINGS]),
    help="Slots from pulse to pulse.",
)
def start(port: str, condition: str, frame: int, frames: int, spacing: str | None) -> None:
    """Let the pattern run.

    \b
    Example:
        keybeam tx start --port /dev/ttyUSB0 --condition pps --frames 9537
    """
    with Transmitter(port) as board:
        settings.start(
            board,
            condition=_CONDITIONS[condition],
            frame=frame,
            frames=frames,
            spacing=None if spacing is None else int(spacing),
        )


@tx.command()
@_port
@click.option("--at-once", is_flag=True, help="Lanes to their idle levels now, not at the border.")
def stop(port: str, at_once: bool) -> None:
    """Let the pattern stop at the next frame border, or the lanes at once.

    \b
    Example:
        keybeam tx stop --port /dev/ttyUSB0
    """
    with Transmitter(port) as board:
        if at_once:
            board.write("transmitter.control.halt", 1)
        settings.stop(board)


@tx.command()
@_port
def clear(port: str) -> None:
    """Clear all flags and a halt, and let frames be fit for key again.

    Frames stay marked as unfit while the mode is not key, or while no chip that passed its tests
    gives the random bits.

    \b
    Example:
        keybeam tx clear --port /dev/ttyUSB0
    """
    with Transmitter(port) as board:
        board.write("transmitter.control.halt", 0)
        settings.clear_flags(board)


@tx.command()
@_port
@click.argument("wanted", metavar="MODE", type=click.Choice(list(_MODES)))
@click.option("--symbol", metavar="SYMBOL", help="Of mode fixed, such as signal:H.")
@click.option(
    "--pattern",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of mode user: a text file of symbols such as signal:H, one a slot, 4 to 4096.",
)
def mode(port: str, wanted: str, symbol: str | None, pattern: Path | None) -> None:
    """Choose what is sent, from the next frame border on.

    Every mode but key marks its frames as unfit for key, until `keybeam tx clear`.

    \b
    Example:
        keybeam tx mode fixed --symbol signal:D --port /dev/ttyUSB0
    """
    chosen = None if symbol is None else _symbol(symbol)
    symbols = None if pattern is None else _read_pattern(pattern)
    with Transmitter(port) as board:
        if symbols is not None:
            settings.load_user_pattern(board, symbols)
        settings.set_mode(board, _MODES[wanted], chosen)


def _read_pattern(path: Path) -> NDArray[np.uint8]:
    try:
        return np.array([_symbol(word) for word in path.read_text().split()], np.uint8)
    except UnicodeDecodeError as error:
        raise TransmitterError(f"{path} is no text: {error.reason}") from error


@tx.command("map")
@_port
@click.option("--signal", type=click.FloatRange(0, 1), help="Probability of signal pulses.")
@click.option("--decoy", type=click.FloatRange(0, 1), help="Probability of decoy pulses.")
@click.option("--vacuum", type=click.FloatRange(0, 1), help="Probability of vacuum pulses.")
@click.option(
    "--rectilinear",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability of the rectilinear basis, when others are given.",
)
@click.option("--nearest", is_flag=True, help="Take the nearest probabilities there are.")
@as_json
def symbol_map(
    port: str,
    signal: float | None,
    decoy: float | None,
    vacuum: float | None,
    rectilinear: float,
    nearest: bool,
    as_json: bool,
) -> None:
    """Show the probabilities of the symbol map, or load another map.

    \b
    Example:
        keybeam tx map --signal 0.5 --decoy 0.25 --vacuum 0.25 --port /dev/ttyUSB0
    """
    given = {Intensity.SIGNAL: signal, Intensity.DECOY: decoy, Intensity.VACUUM: vacuum}
    wanted = {intensity: share for intensity, share in given.items() if share is not None}
    with Transmitter(port) as board:
        if wanted:
            bases = {Basis.RECTILINEAR: rectilinear, Basis.DIAGONAL: 1 - rectilinear}
            bits = board.read("pattern.layout.random_bits")
            try:
                table = symbol_table(wanted, bases, bits, nearest=nearest)
            except ValueError as error:
                raise TransmitterError(f"{error}: see --nearest") from error
            settings.load_symbol_map(board, table)
        print_rows(_probabilities(settings.read_symbol_map(board)), as_json)


def _probabilities(table: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Share of each intensity and basis in a symbol map."""
    rows = []
    for intensity in (Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM):
        of_it = intensity_of(table) == intensity
        row: dict[str, Any] = {"intensity": intensity.name.lower()}
        for basis in Basis:
            share = np.mean(of_it & (basis_of(table) == basis))
            row[basis.name.lower()] = f"{share:.6g}"
        rows.append(row)
    return rows


@tx.command()
@_port
@click.argument("lane", required=False, type=click.Choice(_LANE_NAMES))
@click.option("--delay", type=click.IntRange(0, 63), help="Coarse delay in slots.")
@click.option("--fine-delay", type=click.IntRange(0, 127), help="In steps of the I/O cell.")
@click.option("--invert/--no-invert", default=None, help="Invert the lane's bits.")
@click.option("--enable/--disable", default=None, help="Disabled, it keeps its idle level.")
@click.option("--idle", type=click.Choice(["0", "1"]), help="Level while nothing is sent.")
@click.option(
    "--table",
    type=click.Choice(["sagnac", "one-hot", "time-bin"]),
    help="Load the lane table of a kind of source.",
)
@as_json
def lanes(
    port: str,
    lane: str | None,
    delay: int | None,
    fine_delay: int | None,
    invert: bool | None,
    enable: bool | None,
    idle: str | None,
    table: str | None,
    as_json: bool,
) -> None:
    """Show the lanes, or change the settings of one.

    \b
    Examples:
        keybeam tx lanes --port /dev/ttyUSB0
        keybeam tx lanes 3 --delay 12 --idle 1 --port /dev/ttyUSB0
        keybeam tx lanes --table one-hot --port /dev/ttyUSB0
    """
    given = {
        "delay": delay,
        "fine_delay": fine_delay,
        "invert": invert,
        "enable": enable,
        "idle": None if idle is None else int(idle),
    }
    changes = {name: int(value) for name, value in given.items() if value is not None}
    if changes and lane is None:
        raise click.UsageError("say which lane to change, 0 to 7 or serial")
    with Transmitter(port) as board:
        if table is not None:
            settings.load_lane_table(board, _lane_table(board, table))
        if lane is not None:
            settings.set_lane(board, lane, **changes)
        rows = lane_settings(board)
    chosen = rows if lane is None else {lane: rows[lane]}
    print_rows([{"lane": name, **row} for name, row in chosen.items()], as_json)


def _lane_table(board: Transmitter, name: str) -> NDArray[np.uint16]:
    if name == "time-bin":
        return time_bin_lane_table(1 << min(board.read("pattern.spacing.log2_slots"), 4))
    return sagnac_lane_table() if name == "sagnac" else one_hot_lane_table()


@tx.command()
@_port
@click.option("--origin", type=click.Choice(list(_ORIGINS)), help="Where bits shall come from.")
@click.option(
    "--of",
    "source",
    type=click.Choice(SOURCES),
    default="a",
    show_default=True,
    help="Source that the other options mean.",
)
@click.option("--restart", is_flag=True, help="Start it anew, also from a hard stop.")
@click.option("--test", "again", is_flag=True, help="Test it on demand.")
@click.option("--clear-alarms", is_flag=True, help="Clear its alarms.")
@click.option("--inject", type=click.Choice(list(_FAULTS)), help="Put a fault into its bits.")
@click.option(
    "--entropy",
    type=click.FloatRange(0, 1, min_open=True),
    help="Set its cut-offs for this claimed min-entropy of a bit.",
)
@click.option(
    "--years",
    type=click.FloatRange(0, min_open=True),
    help="With --entropy: mean time between false alarms  [2^-60 a sample].",
)
@as_json
def source(
    port: str,
    origin: str | None,
    source: str,
    restart: bool,
    again: bool,
    clear_alarms: bool,
    inject: str | None,
    entropy: float | None,
    years: float | None,
    as_json: bool,
) -> None:
    """Show the source of random bits and its health tests, or change it.

    \b
    Examples:
        keybeam tx source --port /dev/ttyUSB0
        keybeam tx source --origin both --port /dev/ttyUSB0
        keybeam tx source --of b --entropy 0.8 --restart --port /dev/ttyUSB0
    """
    try:
        limits = None if entropy is None else cutoffs(entropy, years=years)
    except ValueError as error:
        raise TransmitterError(str(error)) from error
    with Transmitter(port) as board:
        if limits is not None:
            sources.set_cutoffs(board, source, limits)
        if inject is not None:
            sources.inject_fault(board, source, _FAULTS[inject])
        if clear_alarms:
            sources.clear_alarms(board, source)
        if restart:
            sources.restart_source(board, source)
        if again:
            sources.test_source(board, source)
        if origin is not None:
            sources.set_origin(board, _ORIGINS[origin])
        print_sections(source_status(board), as_json)


@tx.command()
@_port
@click.argument("indices", nargs=-1, required=True, metavar="INDEX...")
@as_json
def log(port: str, indices: tuple[str, ...], as_json: bool) -> None:
    """Look up what was sent at pulse indices, given one by one or as FIRST-LAST.

    The polarisation of pulses that could become key is not shown.

    \b
    Example:
        keybeam tx log 65536 131072-131079 --port /dev/ttyUSB0
    """
    wanted = _indices(indices)
    with Transmitter(port) as board:
        pulses = look_up(board, wanted)
    print_rows([asdict(pulse) for pulse in pulses], as_json)


def _indices(words: tuple[str, ...]) -> NDArray[np.uint64]:
    """Pulse indices of words such as ``7`` and ``16-31``."""
    found: list[NDArray[np.uint64]] = []
    for word in words:
        first, dash, last = word.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"{word!r} is neither a pulse index nor FIRST-LAST")
        low, high = int(first), int(last or first)
        if not low <= high < 1 << 64 or high - low >= _MOST_INDICES:
            raise click.BadParameter(
                f"{word!r} is no range of at most {_MOST_INDICES} indices below 2^64"
            )
        found.append(np.uint64(low) + np.arange(high - low + 1, dtype=np.uint64))
    return np.concatenate(found)


@tx.command("sync-word")
@_port
@click.argument("word", required=False, metavar="[WORD]")
@click.option(
    "--bits",
    type=click.Choice(["32", "64"]),
    default="64",
    show_default=True,
    help="Length of the word.",
)
@as_json
def sync_word(port: str, word: str | None, bits: str, as_json: bool) -> None:
    """Show the sync word of the downlink's frames, or set another; the receiver needs it, too.

    \b
    Example:
        keybeam tx sync-word 0x1ACFFC1D --bits 32 --port /dev/ttyUSB0
    """
    try:
        region = None if word is None else settings.sync_word_register(word, int(bits))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    with Transmitter(port) as board:
        if region is not None:
            board.write("transmitter.sync_word.word", region)
        now = board.read("transmitter.sync_word.word")
    print_sections({"downlink": {"sync word": f"{now:#018x}"}}, as_json)
