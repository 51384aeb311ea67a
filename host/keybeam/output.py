"""How commands print what they found: tables for a reader, JSON for a program."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

__all__ = ["Value", "print_json", "print_rows", "print_sections"]

Value = int | float | bool | str | None
"""What can stand in a cell of a table."""

_WIDEST = 400
"""Characters of the widest table that is printed to a file or a pipe."""


def _shown(value: Value) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}".replace(",", " ")
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else value


def _print(table: Table) -> None:
    """Print a table: as wide as it is, or with cells folded to fit a terminal, but never cut."""
    console = Console()
    for column in table.columns:
        column.overflow = "fold"
    if not console.is_terminal:
        options = console.options.update(max_width=_WIDEST)
        console = Console(width=max(console.width, console.measure(table, options=options).maximum))
    console.print(table)


def print_json(content: Any) -> None:
    """Print as JSON whatever `msgspec` can encode."""
    click.echo(msgspec.json.encode(content).decode())


def print_sections(sections: Mapping[str, Mapping[str, Value]], as_json: bool) -> None:
    """Print sections of names and values, as JSON or as a table each."""
    if as_json:
        print_json(sections)
        return
    for title, rows in sections.items():
        table = Table(title=title, show_header=False, title_justify="left", min_width=50)
        table.add_column("quantity")
        table.add_column("value", justify="right")
        for name, value in rows.items():
            table.add_row(name, _shown(value))
        _print(table)


def print_rows(rows: Sequence[Mapping[str, Value]], as_json: bool, title: str = "") -> None:
    """Print rows of the same columns, as JSON or as a table."""
    if as_json:
        print_json(rows)
        return
    table = Table(title=title or None, title_justify="left")
    for column in rows[0] if rows else ():
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    _print(table)
