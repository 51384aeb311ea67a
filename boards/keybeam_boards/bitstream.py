"""From a terminal to a bitstream, with a report that says whether it may be used."""

import re
from collections.abc import Sequence
from pathlib import Path

from keybeam._version import build_revision
from keybeam.protocol.identity import Role
from keybeam_boards.board import Board
from keybeam_boards.build_report import BuildReport
from keybeam_boards.errors import RuleError
from keybeam_boards.implementation import implement
from keybeam_boards.options import NO_OPTIONS, BuildOptions
from keybeam_boards.platforms import BOARDS
from keybeam_boards.rates import SLOT_RATES, SlotRate
from keybeam_boards.toolchain import Progress
from keybeam_boards.tops import make_top

__all__ = ["build", "revision_number"]


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
    slot_rate: str | None = None,
    options: BuildOptions = NO_OPTIONS,
    lab_only: bool = False,
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
    slot_rate : str, optional
        One of `keybeam_boards.rates.SLOT_RATES`; the board's own choice if not given.
    options : BuildOptions
        What was chosen besides.
    lab_only : bool
        Let pass what a part on the bench may do beyond its data sheet.

    Returns
    -------
    BuildReport
        Also written to ``BOARD_ROLE.json`` and ``BOARD_ROLE.txt`` in `out`.

    Raises
    ------
    ToolError
        If a program of the toolchain is missing or fails.
    RuleError
        If the board cannot have the role.
    """
    kind = BOARDS[board]
    if role not in kind.slot_rates:
        raise RuleError(f"{board} can be no {role.name.lower()}: {kind.no_role}")
    platform = kind(options.lanes)
    rate = slot_rate or kind.slot_rates[role]
    revision = build_revision()
    top = make_top(platform, role, revision_number(revision), rate, options.lines)
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
            "slot_rate": rate,
            "git_revision": revision,
            "map_hash": top.terminal.register_map["hash"],
        },
        notes=_notes(platform, SLOT_RATES[rate]),
        lab_only=lab_only,
    )


def _notes(platform: Board, rate: SlotRate) -> tuple[str, ...]:
    """Say what a board needs so that the bitstream works."""
    if rate.external_hz is None:
        return platform.notes
    return (
        *platform.notes,
        f"{platform.external_clock} must be given a clock of {rate.external_hz / 1e6:g} MHz",
    )
