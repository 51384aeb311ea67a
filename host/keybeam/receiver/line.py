"""The downlink as the receiver finds it: state and settings of its recovery."""

from keybeam.output import Value
from keybeam.protocol.downlink import SYNC_BYTES, sync_region
from keybeam.receiver.errors import ReceiverError
from keybeam.receiver.registers import Registers
from keybeam.receiver.status import receiver_status

__all__ = ["LINE_SETTINGS", "line_status", "set_line"]

LINE_SETTINGS = {
    "hysteresis": "receiver.line.hysteresis",
    "search_tolerance": "receiver.sync.search_tolerance",
    "lock_tolerance": "receiver.sync.lock_tolerance",
    "verify_frames": "receiver.sync.verify_frames",
    "flywheel_frames": "receiver.sync.flywheel_frames",
}
"""Settings that are plain numbers, and the fields of registers that hold them."""


def line_status(board: Registers) -> dict[str, dict[str, Value]]:
    """Read state and settings of the downlink's recovery.

    Parameters
    ----------
    board : Registers
        The board.

    Returns
    -------
    dict of dict
        ``downlink`` as of `receiver_status`, and ``settings``.
    """
    word = board.read("receiver.sync_word.word")
    short = bool(board.read("receiver.sync.short"))
    return {
        "downlink": receiver_status(board)["downlink"],
        "settings": {
            **{name.replace("_", " "): board.read(field) for name, field in LINE_SETTINGS.items()},
            "sync word": f"{word >> 32:#010x}" if short else f"{word:#018x}",
        },
    }


def set_line(board: Registers, sync_word: tuple[int, int] | None = None, **settings: int) -> None:
    """Change settings of the downlink's recovery; nothing is written unless all are possible.

    Parameters
    ----------
    board : Registers
        The board.
    sync_word : tuple of int, optional
        The sync word and its length, 32 or 64 bits.
    **settings : int
        By the names in `LINE_SETTINGS`.

    Raises
    ------
    ReceiverError
        If a value does not fit.
    """
    region = None
    if sync_word is not None:
        try:
            region = sync_region(*sync_word)
        except ValueError as error:
            raise ReceiverError(str(error)) from error
    for name, value in settings.items():
        _, field = board.register_map.find(LINE_SETTINGS[name])
        assert field is not None
        least = 1 if name == "hysteresis" else 0
        if not least <= value < 1 << field.width:
            most = (1 << field.width) - 1
            raise ReceiverError(f"the {name.replace('_', ' ')} is {least} to {most}, not {value}")
    if sync_word is not None and region is not None:
        board.write("receiver.sync_word.word", region)
        board.write("receiver.sync.short", int(sync_word[1] < 8 * SYNC_BYTES))
    for name, value in settings.items():
        board.write(LINE_SETTINGS[name], value)
