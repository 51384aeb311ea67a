"""The command ``keybeam sweep``."""

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from keybeam.errors import KeybeamError
from keybeam.options import NewFile
from keybeam.options import as_json as json_option
from keybeam.output import Value, print_json, print_rows
from keybeam.sweep.errors import SweepError
from keybeam.sweep.plots import plot_sweep
from keybeam.sweep.points import Axis, Outcome, Point, grid, scalars

__all__ = ["sweep"]


def _axes(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[Axis]:
    try:
        return [Axis.parse(value) for value in values]
    except SweepError as error:
        raise click.BadParameter(str(error)) from error


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--vary",
    "axes",
    required=True,
    multiple=True,
    callback=_axes,
    metavar="NAME=VALUES",
    help="Option of the command, or {NAME} in its words, with values A,B,… or FIRST:LAST:COUNT. "
    "Several make a grid.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Dask scheduler to use, as in tcp://10.0.0.1:8786; its workers need this package and the "
    "files. By default, processes on this machine.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one a processor",
    help="Processes on this machine, where no scheduler is given.",
)
@click.option(
    "--show",
    multiple=True,
    metavar="NAME",
    help="Quantity of the results to show, as in length_bits; all of them by default.",
)
@click.option("--plot", type=NewFile(), help="SVG file for a plot of --y against --x.")
@click.option("--x", metavar="NAME", help="Axis of the plot; the first that is varied by default.")
@click.option("--y", metavar="NAME", help="Quantity of the plot; the first shown by default.")
@json_option
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def sweep(
    axes: list[Axis],
    scheduler: str | None,
    processes: int,
    show: tuple[str, ...],
    plot: Path | None,
    x: str | None,
    y: str | None,
    as_json: bool,
    words: tuple[str, ...],
) -> None:
    """Run another COMMAND of keybeam, one that has --json, at every point of a grid.

    \b
    Examples:
        keybeam sweep --vary qber=0.005:0.03:6 --vary efficiency=1.1,1.2 --show length_bits \\
            --plot key.svg keylength block --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878
        keybeam sweep --vary mode=interactive,efficient --show secret_bits \\
            pipeline pass.h5 --symbols symbols.h5 --workers 0
        keybeam sweep --scheduler tcp://10.0.0.1:8786 --vary seed=1,2,3 \\
            pass --duration 60 --seed {seed} --out /tmp/pass-{seed}
    """
    points = grid(axes, words)
    found = _run(points, scheduler, processes)
    if not as_json:
        print_rows(_rows(found, show), as_json=False, title=" ".join(("keybeam", *words)))
    else:
        print_json(found)
    if all(outcome.error for outcome in found):
        raise SweepError(f"no point could be run; the first says: {found[0].error}")
    if plot is not None:
        names = [*show, *(name for outcome in found for name in scalars(outcome.result))]
        plot_sweep(found, x or axes[0].name, y or names[0], plot)


def _run(points: list[Point], scheduler: str | None, processes: int) -> list[Outcome]:
    """Run all points, and show how far that has come."""
    try:
        from keybeam.sweep.cluster import connect, outcomes
    except ModuleNotFoundError as error:
        raise KeybeamError(
            f"`keybeam sweep` needs the module {error.name!r}, which is not installed: "
            "pip install 'keybeam[cluster]'"
        ) from error
    found: dict[int, Outcome] = {}
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        connect(scheduler, min(processes, len(points))) as client,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("", total=len(points))
        for number, outcome in outcomes(client, points):
            found[number] = outcome
            bar.advance(task)
    return [found[number] for number in range(len(points))]


def _rows(found: list[Outcome], show: tuple[str, ...]) -> list[dict[str, Value]]:
    """Rows of the table: the axes, the quantities to show, and what went wrong."""
    told = [scalars(outcome.result) for outcome in found]
    names = show or tuple(dict.fromkeys(name for results in told for name in results))
    failed = any(outcome.error for outcome in found)
    rows: list[dict[str, Value]] = []
    for outcome, results in zip(found, told, strict=True):
        row: dict[str, Value] = {**outcome.values, **{name: results.get(name) for name in names}}
        rows.append({**row, "error": outcome.error} if failed else row)
    return rows
