"""Builds every board in every role, one after the other, and tabulates what came of it.

What a build gave stands in its own report; that it failed, and why, stands in a file
beside it. So an interrupted run goes on where it was, and a table can be made of
whatever has been built.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybeam._version import build_revision
from keybeam.errors import KeybeamError
from keybeam.protocol.identity import Role
from keybeam_boards.bitstream import build
from keybeam_boards.board import Board
from keybeam_boards.errors import ToolError
from keybeam_boards.platforms import BOARDS
from keybeam_boards.toolchain import Progress

__all__ = ["Row", "build_matrix", "kept_lines", "matrix_rows", "matrix_table"]

_CELLS = {"LUT": "TRELLIS_COMB", "flip-flops": "TRELLIS_FF", "block RAM": "DP16KD"}


@dataclass(frozen=True)
class Row:
    """What is known of one board in one role."""

    board: str
    """Name of the board."""
    role: str
    """Name of the role."""
    report: Mapping[str, Any] | None
    """What the build gave; None if it was not built, or failed."""
    failure: str | None
    """Why nothing came of it."""
    revision: str | None
    """Revision of the source; None if it was not built."""


def _stem(board: str, role: Role) -> str:
    return f"{board}_{role.name.lower()}"


def matrix_rows(folder: Path, boards: Mapping[str, type[Board]] = BOARDS) -> Iterator[Row]:
    """Read what has been built.

    Parameters
    ----------
    folder : Path
        Where the builds are.
    boards : mapping of str to type of Board
        The boards.

    Yields
    ------
    Row
        One for each board and role, also if it was not built.
    """
    for name, board in boards.items():
        for role in board.slot_rates:
            report, failure = _read(folder / f"{_stem(name, role)}.json"), None
            failed = _read(folder / f"{_stem(name, role)}.failed.json")
            if failed is not None:
                report, failure = None, failed["failure"]
            found = failed or report
            revision = None if found is None else found["git_revision"]
            yield Row(name, role.name.lower(), report, failure, revision)


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def build_matrix(
    folder: Path,
    *,
    seeds: int,
    progress: Progress,
    built: Callable[[], None],
    boards: Mapping[str, type[Board]] = BOARDS,
    roles: Iterable[Role] = Role,
) -> None:
    """Build every board in every role that is not built at this revision.

    Parameters
    ----------
    folder : Path
        Where the builds are.
    seeds : int
        How many seeds each is placed with, from the board's own on.
    progress : callable
        Told of what begins and ends.
    built : callable
        Called after each build.
    boards : mapping of str to type of Board
        The boards.
    roles : iterable of Role
        The roles.
    """
    folder.mkdir(parents=True, exist_ok=True)
    revision = build_revision()
    wanted = {role.name.lower() for role in roles}
    rows = [row for row in matrix_rows(folder, boards) if row.role in wanted]
    for number, row in enumerate(rows, start=1):
        place = f"{number} of {len(rows)}: {row.role} for {row.board}"
        # Of files that were never committed, nobody knows whether they are the same.
        if row.revision == revision and not revision.endswith("-dirty"):
            progress(f"{place} is built")
            continue
        progress(place)
        failed = folder / f"{row.board}_{row.role}.failed.json"
        failed.unlink(missing_ok=True)
        try:
            role = Role[row.role.upper()]
            tried = boards[row.board].seeds_of(role, seeds)
            build(row.board, role, folder, seeds=tried, progress=progress)
        except KeybeamError as error:
            progress(f"{place}: {error}")
            # Where its files are is of use only to who built it.
            reason = error.reason if isinstance(error, ToolError) else str(error)
            content = {"git_revision": revision, "failure": reason}
            failed.write_text(json.dumps(content, indent=1) + "\n")
        built()


def kept_lines(page: str) -> dict[tuple[str, str], str]:
    """Read the lines of a table of builds, so that what is not here does not vanish from it.

    Parameters
    ----------
    page : str
        A page as `matrix_table` writes it.

    Returns
    -------
    dict of tuple of str to str
        By board and role.
    """
    found = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1] in BOARDS:
            found[cells[1], cells[2]] = line
    return found


def matrix_table(rows: Sequence[Row], kept: Mapping[tuple[str, str], str] | None = None) -> str:
    """Tabulate what has been built.

    Parameters
    ----------
    rows : sequence of Row
        What is known.
    kept : mapping of tuple of str to str, optional
        Lines by board and role for what was not built here, as `kept_lines` gives them.

    Returns
    -------
    str
        A page in Markdown.
    """
    heads = ["Board", "Role", "Slots in MHz", "Revision, seed", "Slowest clock against its goal"]
    heads += [*_CELLS, "Result"]
    lines = [
        "# Bitstreams",
        "",
        "What `make bitstreams` built and the tools reported. A row says for itself from which "
        "revision it is; what was not built has no figures.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for row in rows:
        line = f"| {' | '.join(_cells(row))} |"
        known = row.report is not None or row.failure is not None
        lines.append(line if known else (kept or {}).get((row.board, row.role), line))
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    """Give the cells of a row of the table."""
    head, report = [row.board, row.role], row.report
    blank = ["–"] * len(_CELLS)
    if report is None:
        result = "not built" if row.failure is None else f"failed: {row.failure}"
        return [
            *head,
            BOARDS[row.board].slot_rates[Role[row.role.upper()]],
            row.revision or "–",
            "–",
            *blank,
            result.replace("|", "/").replace("\n", " "),
        ]
    slowest = min(
        report["clocks"].items(), key=lambda one: one[1]["achieved_mhz"] / one[1]["required_mhz"]
    )
    name, clock = slowest
    used = (report["utilisation"].get(cell) for cell in _CELLS.values())
    shares = [
        "0" if one is None else f"{100 * one['used'] / one['available']:.0f} %" for one in used
    ]
    return [
        *head,
        report["slot_rate"],
        f"{report['git_revision']}, {report['seed']}",
        f"`{name}` {clock['achieved_mhz']:.1f} of {clock['required_mhz']:g} MHz",
        *shares,
        _result(report),
    ]


def _result(report: Mapping[str, Any]) -> str:
    if report["violations"]:
        return "; ".join(report["violations"]).replace("|", "/")
    if not report["timing_met"]:
        return "timing not met"
    return "for the lab only" if report["lab_only"] else "bitstream"
