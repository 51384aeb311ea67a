"""Options and output that several commands of ``keybeam tags`` share."""

from pathlib import Path

import click
from rich.console import Console

from keybeam.options import NewFile
from keybeam.protocol.records import CHANNEL_BITS, Channel
from keybeam.tags.plots import Plot, html_page, text_plot
from keybeam.whole_files import write_whole

__all__ = ["CAPTURE_FILE", "channel_number", "html_option", "show", "write_page"]

CAPTURE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

html_option = click.option(
    "--html", type=NewFile(), help="Write a page with the plot, which needs no network."
)


def channel_number(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """Find the number of a channel by its name or its number."""
    names = {channel.name: int(channel) for channel in Channel}
    if value.upper() in names:
        return names[value.upper()]
    if value.isdecimal() and int(value) < 1 << CHANNEL_BITS:
        return int(value)
    raise click.BadParameter(f"{value!r} is no channel: give {', '.join(names)}, or 0 to 63")


def show(plot: Plot, facts: dict[str, str], html: Path | None) -> None:
    """Print a plot and its facts, and write the page if it is wanted."""
    console = Console()
    click.echo(text_plot(plot, min(console.width, 120)))
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
    write_page(plot, facts, html)


def write_page(plot: Plot, facts: dict[str, str], html: Path | None) -> None:
    """Write the page with a plot and its facts, if it is wanted."""
    if html is not None:
        write_whole(html, html_page(plot, facts))
