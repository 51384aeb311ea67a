"""The command ``keybeam tags``."""

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from keybeam.timing.summary import TagFileSummary, summarise_tag_file

__all__ = ["tags"]


@click.group()
def tags() -> None:
    """Work with captures of time tags.

    \b
    Example:
        keybeam tags info pass.tags
    """


@tags.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def info(file: Path, as_json: bool) -> None:
    """Check a tag file from end to end and tell what it holds.

    \b
    Example:
        keybeam tags info pass.tags --json
    """
    summary = summarise_tag_file(file)
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
    else:
        _print_table(file, summary)


def _print_table(file: Path, summary: TagFileSummary) -> None:
    table = Table(title=str(file), show_header=False)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    seconds = summary.duration_s
    table.add_row("records", f"{summary.records:,}")
    table.add_row("duration", f"{seconds:.6f} s")
    for channel, count in summary.tags.items():
        rate = f" ({count / seconds:,.0f} /s)" if seconds else ""
        table.add_row(f"tags of {channel}", f"{count:,}{rate}")
    table.add_row("sync words", f"{summary.sync_words:,}")
    table.add_row("  of the flywheel", f"{summary.flywheel_sync_words:,}")
    table.add_row("valid frame headers", f"{summary.valid_headers:,}")
    if summary.first_frame is not None:
        table.add_row("frames", f"{summary.first_frame} to {summary.last_frame}")
    table.add_row("gaps", f"{summary.gaps:,}")
    table.add_row("records lost", f"{summary.lost:,}")
    Console().print(table)
