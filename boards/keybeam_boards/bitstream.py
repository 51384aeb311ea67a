"""From a terminal to a bitstream, with a report that says whether it may be used."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from amaranth.build import Platform

from keybeam._version import build_revision
from keybeam.protocol.identity import Role
from keybeam_boards.build_report import BuildReport
from keybeam_boards.butterstick import ButterstickPlatform
from keybeam_boards.ecp5_5g_evn import Ecp55GEvnPlatform
from keybeam_boards.errors import RuleError
from keybeam_boards.implementation import implement
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES, SlotRate
from keybeam_boards.toolchain import Progress
from keybeam_boards.tops import make_top

__all__ = ["BOARDS", "build", "revision_number"]

BOARDS: Mapping[str, type[Platform]] = {
    "butterstick": ButterstickPlatform,
    "ecp5_5g_evn": Ecp55GEvnPlatform,
}
"""Platforms by the name of the board."""


def revision_number(revision: str) -> int:
    """Give the first 32 bits of a git revision.

    Parameters
    ----------
    revision : str
        Hexadecimal digits, with anything behind them; or any other word.

    Returns
    -------
    int
        Its first eight digits as a number; 0 for a word that is no revision.
    """
    match = re.match(r"[0-9a-f]{8}", revision)
    return int(match[0], 16) if match else 0


def build(
    board: str,
    role: Role,
    out: Path,
    *,
    seeds: Sequence[int],
    progress: Progress,
    slot_rate: str = DEFAULT_SLOT_RATE,
    lanes: int | None = None,
) -> BuildReport:
    """Build the bitstream of a terminal.

    Parameters
    ----------
    board : str
        One of `BOARDS`.
    role : Role
        Which terminal.
    out : Path
        Folder for bitstream and report; made if missing.
    seeds : sequence of int
        Seeds of placement; the best placement is kept. The same source and seed give the same
        bitstream.
    progress : callable
        Told of what begins and ends.
    slot_rate : str
        One of `keybeam_boards.rates.SLOT_RATES`.
    lanes : int, optional
        Lanes of a transmitter, where the board leaves the choice.

    Returns
    -------
    BuildReport
        Also written to ``BOARD_ROLE.json`` and ``BOARD_ROLE.txt`` in `out`.

    Raises
    ------
    ToolError
        If a program of the toolchain is missing or fails.
    RuleError
        If the board does not have so many lanes.
    """
    if lanes not in (None, *BOARDS[board].lane_choice):
        raise RuleError(f"{board} cannot have {lanes} lanes")
    platform = BOARDS[board]() if lanes is None else BOARDS[board](lanes)
    revision = build_revision()
    top = make_top(platform, role, revision_number(revision), slot_rate)
    return implement(
        platform,
        top,
        out,
        name=f"{board}_{role.name.lower()}",
        seeds=seeds,
        progress=progress,
        about={
            "board": board,
            "role": role.name.lower(),
            "slot_rate": slot_rate,
            "git_revision": revision,
        },
        notes=_notes(platform, SLOT_RATES[slot_rate]),
    )


def _notes(platform: Platform, rate: SlotRate) -> tuple[str, ...]:
    """Say what a board needs so that the bitstream works."""
    if rate.external_hz is None:
        return platform.notes
    return (
        *platform.notes,
        f"{platform.external_clock} must be given a clock of {rate.external_hz / 1e6:g} MHz",
    )
