"""The command ``keybeam pass``."""

import sys
import tempfile
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from keybeam.errors import KeybeamError
from keybeam.key_length import Analysis
from keybeam.key_length.options import analysis_option
from keybeam.report import PassResult
from keybeam.session.running import GroundProgress
from keybeam_sim.main_job.output import check_output_folder
from keybeam_sim.main_job.rtl import RtlResult, run_rtl
from keybeam_sim.main_job.run import run_pass

__all__ = ["satellite_pass"]

_NAME = "Jinan, 25 September 2022"
_DURATION_S = 300.0
_LINE_EVERY_S = 10.0
"""Wall time between two progress lines where there is no terminal to draw a bar on."""


class KeysDifferError(KeybeamError):
    """The two ends hold different keys, which must never happen."""


class RtlMismatchError(KeybeamError):
    """The co-simulated boards gave another result than the link model put in."""


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/pass"),
    show_default=True,
    help="Folder for result.json, report.html and both ends' keys; an earlier pass is replaced.",
)
@click.option(
    "--duration",
    type=click.FloatRange(1, 600),
    default=_DURATION_S,
    show_default=True,
    help="Seconds of the pass, about its culmination.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Repeat a run exactly; keys no secret.")
@analysis_option
@click.option("--record", is_flag=True, help="Also keep the receiver's records, as pass.h5.")
@click.option("--json", "as_json", is_flag=True, help="Print the result alone, as JSON.")
@click.option(
    "--rtl", is_flag=True, help="Run some frames through the co-simulated boards instead."
)
@click.option(
    "--frames",
    type=click.IntRange(8, 1000),
    default=24,
    show_default=True,
    help="Frames of 105 µs, with --rtl.",
)
def satellite_pass(
    out: Path,
    duration: float,
    seed: int | None,
    analysis: str,
    record: bool,
    as_json: bool,
    rtl: bool,
    frames: int,
) -> None:
    """Run one satellite pass, from random numbers to a shared key.

    It is the pass of 25 September 2022 over Jinan of arXiv:2408.10994: 300 s, 34.1° maximum
    elevation. The digital twin stands for sky and boards; satellite and ground station are
    processes of their own.

    \b
    Examples:
        keybeam pass --out out/pass
        keybeam pass --seed 7 --duration 60 --json
        keybeam pass --rtl
    """
    if rtl:
        _run_frames(frames, 1 if seed is None else seed, as_json)
        return
    check_output_folder(out)
    with _Display(duration) as display:
        result = run_pass(
            out,
            name=_NAME,
            duration_s=duration,
            seed=seed,
            record=record,
            analysis=Analysis(analysis),
            report_progress=display.update,
        )
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        _print_summary(result, out)
    if not result.keys_match:
        raise KeysDifferError(f"the keys of the two ends differ: see {out / 'result.json'}")


class _Display:
    """Progress on standard error: a bar on a terminal, else a line now and then."""

    def __init__(self, duration_s: float) -> None:
        self._console = Console(stderr=True)
        self._duration = duration_s
        self._next_line = time.monotonic() + _LINE_EVERY_S
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("pass", total=duration_s, news="")

    def __enter__(self) -> "_Display":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, progress: GroundProgress) -> None:
        qber = "" if progress.qber is None else f", QBER {progress.qber:.2%}"
        news = f"{progress.packets} packets{qber}, {progress.secret_key_bits} bits of key"
        self._bar.update(self._task, completed=progress.time_s, news=news)
        if not self._console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            click.echo(f"{progress.time_s:.0f} of {self._duration:.0f} s: {news}", err=True)


def _print_summary(result: PassResult, out: Path) -> None:
    rates = result.qber
    table = Table(title=f"{result.scenario}: {result.duration_s:g} s", show_header=False)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_row("clicks", f"{result.clicks:,}")
    table.add_row("inside the gate", f"{result.gated:,}")
    table.add_row("sifted bits", f"{result.sifted_bits:,}")
    table.add_row("packets (dropped)", f"{result.packets} ({result.packets_failed})")
    if rates.mean is not None and rates.min is not None and rates.max is not None:
        table.add_row("QBER", f"{rates.mean:.2%} ({rates.min:.2%} to {rates.max:.2%})")
    for number, block in enumerate(result.blocks, 1):
        table.add_row(f"key of block {number}", f"{block.length_bits:,}")
    table.add_row("secret key bits", f"{result.secret_key_bits:,}")
    table.add_row("analysis", f"{result.analysis}, {result.failure_probability:g}")
    table.add_row("spent on authentication", f"{result.authentication_bits:,}")
    table.add_row("keys of both ends", "equal" if result.keys_match else "DIFFERENT")
    table.add_row("wall time", f"{result.wall_s:.1f} s")
    Console().print(table)
    click.echo(f"report: {out / 'report.html'}")


def _run_frames(frames: int, seed: int, as_json: bool) -> None:
    """Run the co-simulated boards and fail where they differ from what the link model put in."""

    def tell(text: str) -> None:
        click.echo(text, err=True)

    with tempfile.TemporaryDirectory(prefix="keybeam-rtl-") as folder:
        result = run_rtl(frames=frames, seed=seed, folder=Path(folder), report_progress=tell)
    if as_json:
        click.echo(msgspec.json.encode(result))
    else:
        _print_rtl(result)
    if not result.passed:
        raise RtlMismatchError(
            f"{result.wrong_bits} sifted bits and {result.wrong_indices} pulse indices are wrong, "
            f"{result.missing} clicks are missing, {result.gaps} gaps were marked"
        )


def _print_rtl(result: RtlResult) -> None:
    table = Table(title=f"Co-simulated boards: {result.frames} frames", show_header=False)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    for name, value in msgspec.to_builtins(result).items():
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        table.add_row(name.replace("_", " "), shown)
    Console(file=sys.stdout).print(table)
