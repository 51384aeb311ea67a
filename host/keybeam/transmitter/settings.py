"""Changes what a transmitter does, over its registers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.downlink import sync_region
from keybeam.protocol.lanes import LANE_DELAY_BITS, PULSE_SPACINGS
from keybeam.protocol.modes import PatternMode, StartCondition
from keybeam.protocol.symbols import SYMBOLS_PER_WORD, Intensity, intensity_of
from keybeam.transmitter.errors import TransmitterBusyError, TransmitterError
from keybeam.transmitter.status import Readable

__all__ = [
    "USER_WORDS",
    "clear_flags",
    "load_lane_table",
    "load_symbol_map",
    "load_user_pattern",
    "read_symbol_map",
    "set_lane",
    "set_mode",
    "start",
    "stop",
    "sync_word_register",
]

USER_WORDS = 1024
"""Words of four slots that the user pattern has at most."""


def _insist_on_rest(board: Readable, what: str) -> None:
    if board.read("pattern.status.locked"):
        raise TransmitterBusyError(f"{what} can only be changed while the pattern does not run")


def set_mode(board: Readable, mode: PatternMode, symbol: int | None = None) -> None:
    """Ask for a mode; the transmitter takes it up at the next frame border.

    Any mode but KEY makes the frames from there on unfit for key, until `clear_flags`.

    Parameters
    ----------
    board : Readable
        The board.
    mode : PatternMode
        What to send.
    symbol : int, optional
        Symbol of mode FIXED, 0 to 11; left as it is without.
    """
    if symbol is not None:
        if not 0 <= symbol < Intensity.INVALID << 2:
            raise TransmitterError(f"a symbol is 0 to {(Intensity.INVALID << 2) - 1}, not {symbol}")
        board.write("pattern.mode.symbol", symbol)
    board.write("pattern.mode.mode", mode)


def start(
    board: Readable,
    *,
    condition: StartCondition = StartCondition.COMMAND,
    frame: int = 0,
    frames: int = 0,
    spacing: int | None = None,
) -> None:
    """Let the pattern run.

    Parameters
    ----------
    board : Readable
        The board.
    condition : StartCondition
        What it waits for.
    frame : int
        Frame counter to start at, with condition FRAME; else the counter of the first frame.
    frames : int
        Frames after which it stops by itself; 0 for never.
    spacing : int, optional
        Slots from pulse to pulse, one of `PULSE_SPACINGS`; left as it is without.

    Raises
    ------
    TransmitterBusyError
        If it runs already.
    """
    _insist_on_rest(board, "the start condition")
    if spacing is not None:
        if spacing not in PULSE_SPACINGS:
            raise TransmitterError(f"pulses come every {PULSE_SPACINGS} slots, not {spacing}")
        board.write("pattern.spacing.log2_slots", spacing.bit_length() - 1)
    # A pattern that stopped by itself starts only after the request was taken back.
    board.write("transmitter.control.run", 0)
    board.write("pattern.start.condition", condition)
    if condition == StartCondition.FRAME:
        board.write("pattern.start_frame.frame", frame)
    else:
        board.write("transmitter.start_counter.counter", frame)
    board.write("transmitter.stop_after.frames", frames)
    board.write("transmitter.control.run", 1)


def stop(board: Readable) -> None:
    """Let the pattern stop at the next frame border."""
    board.write("transmitter.control.run", 0)


def clear_flags(board: Readable) -> None:
    """Clear all sticky flags, and ask for frames fit for key again.

    The transmitter marks frames as fit from the next border on, if the mode is KEY and random
    bits of tested chips come then.
    """
    for flag in ("underflow", "unfit", "fault", "refused"):
        board.write(f"pattern.flags.{flag}", 1)
    for flag in ("overflow", "underflow", "unpaired", "host_overflow"):
        board.write(f"random.flags.{flag}", 1)
    board.write("log.flags.lost", 1)
    board.write("pattern.not_key.clear", 1)


def _load(board: Readable, table: str, entries: Sequence[int] | NDArray[np.integer]) -> None:
    _insist_on_rest(board, f"the {table} table")
    board.write("pattern.flags.refused", 1)
    board.write(f"pattern.{table}_address.address", 0)
    for entry in entries:
        board.write(f"pattern.{table}_entry.entry", int(entry))
    if board.read("pattern.flags.refused"):
        raise TransmitterBusyError(f"the transmitter did not take the whole {table} table")


def load_symbol_map(board: Readable, table: NDArray[np.uint8]) -> None:
    """Load the table from random bits to symbols.

    Parameters
    ----------
    board : Readable
        The board, whose pattern must not run.
    table : ndarray of uint8
        Symbol of every value of the random bits; see `keybeam.protocol.symbols.symbol_table`.

    Raises
    ------
    TransmitterError
        If the board uses another number of random bits, or a symbol is INVALID.
    """
    bits = board.read("pattern.layout.random_bits")
    if table.size != 1 << bits:
        raise TransmitterError(
            f"the board uses {bits} random bits a pulse, so its symbol map has {1 << bits} "
            f"entries, not {table.size}"
        )
    if np.any(intensity_of(table) == Intensity.INVALID):
        raise TransmitterError("INVALID marks a pulse that was not sent, no map may choose it")
    _load(board, "map", table)


def read_symbol_map(board: Readable) -> NDArray[np.uint8]:
    """Read the table from random bits to symbols back.

    Returns
    -------
    ndarray of uint8, shape (2^random bits,)
    """
    entries = []
    for address in range(1 << board.read("pattern.layout.random_bits")):
        board.write("pattern.map_address.address", address)
        entries.append(board.read("pattern.map_entry.entry"))
    return np.array(entries, np.uint8)


def load_lane_table(board: Readable, table: NDArray[np.uint16]) -> None:
    """Load the table from symbols to lanes.

    Parameters
    ----------
    board : Readable
        The board, whose pattern must not run.
    table : ndarray of uint16, shape (16, 16)
        Entry by symbol and slot, as `keybeam.protocol.lanes` makes them.
    """
    _load(board, "lane", table[: Intensity.INVALID << 2].ravel())


def load_user_pattern(board: Readable, symbols: NDArray[np.uint8]) -> None:
    """Load the pattern of mode USER, which is looped and begins anew in every frame.

    Parameters
    ----------
    board : Readable
        The board, whose pattern must not run.
    symbols : ndarray of uint8
        Symbols of the slots; a multiple of 4, at most 4096.

    Raises
    ------
    TransmitterError
        If the number of slots does not fit.
    """
    words, odd = divmod(symbols.size, SYMBOLS_PER_WORD)
    if odd or not 1 <= words <= USER_WORDS:
        raise TransmitterError(
            f"a pattern has 4 to {SYMBOLS_PER_WORD * USER_WORDS} slots, in fours, "
            f"not {symbols.size}"
        )
    shifts = 4 * np.arange(SYMBOLS_PER_WORD)
    _load(board, "user", (symbols.reshape(-1, SYMBOLS_PER_WORD).astype(int) << shifts).sum(axis=1))
    board.write("pattern.user_length.words", words % USER_WORDS)


def set_lane(board: Readable, lane: str, **settings: int) -> None:
    """Change settings of a lane.

    Parameters
    ----------
    board : Readable
        The board.
    lane : str
        ``0`` to ``7`` or ``serial``.
    **settings : int
        ``delay`` in slots (0 to 63), ``invert``, ``enable``, ``idle``, and ``fine_delay``.

    Raises
    ------
    TransmitterError
        If a value does not fit.
    """
    register = "pattern.serial_lane" if lane == "serial" else f"pattern.lane_{lane}"
    if not 0 <= settings.get("delay", 0) < 1 << LANE_DELAY_BITS:
        raise TransmitterError(f"a lane is delayed by 0 to {(1 << LANE_DELAY_BITS) - 1} slots")
    if lane == "serial" and "fine_delay" in settings:
        raise TransmitterError("the serial lane has no fine delay")
    for field, value in settings.items():
        board.write(f"{register}.{field}", value)


def sync_word_register(word: str, bits: int) -> int:
    """Give the content of the register for a sync word.

    Parameters
    ----------
    word : str
        A number, such as ``0x1ACFFC1D``.
    bits : int
        Its length, 32 or 64.

    Raises
    ------
    ValueError
        If it is no number, or no word that a receiver can take the time from.
    """
    try:
        value = int(word, 0)
    except ValueError:
        raise ValueError(f"{word!r} is no number, such as 0x1ACFFC1D") from None
    return sync_region(value, bits)
