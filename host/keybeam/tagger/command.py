"""The command ``keybeam tagger``."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from keybeam.options import FiniteFloat
from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.tagger import DELAY_LINE_SLICES
from keybeam.whole_files import write_whole

from .line_model import LINE_TIMINGS, Noise
from .plots import write_plot
from .simulation import SimulatedTagger, simulate

__all__ = ["tagger"]

_CHAINS = (1, 2)


@click.group()
def tagger() -> None:
    """Work with the delay-line time-tagger.

    \b
    Example:
        keybeam tagger simulate --out out/tagger
    """


@tagger.command(name="simulate")
@click.option(
    "--grade",
    "grades",
    type=click.Choice(list(LINE_TIMINGS)),
    multiple=True,
    default=("8",),
    show_default=True,
    help="Speed grade by whose timing data the lines are made; may be repeated.",
)
@click.option(
    "--counts",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="Edges of the calibration.",
)
@click.option(
    "--shots",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    help="Edges that are timed with it.",
)
@click.option(
    "--flip-flop",
    type=FiniteFloat(),
    default=Noise.flip_flop_ps,
    show_default=True,
    help="Noise of a flip-flop's decision, ps RMS (assumed).",
)
@click.option(
    "--clock",
    type=FiniteFloat(),
    default=Noise.clock_ps,
    show_default=True,
    help="Jitter of the clock, ps RMS (assumed).",
)
@click.option(
    "--mismatch",
    type=FiniteFloat(),
    default=Noise.mismatch,
    show_default=True,
    help="Relative spread of the taps' delays in a part (assumed).",
)
@click.option(
    "--skew",
    type=FiniteFloat(),
    default=Noise.skew_ps,
    show_default=True,
    help="Spread of the clock's arrival at the slices, ps RMS (assumed).",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The same seed gives the same figures.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for tagger.svg and tagger.json.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def simulate_command(
    grades: tuple[str, ...],
    counts: int,
    shots: int,
    flip_flop: float,
    clock: float,
    mismatch: float,
    skew: float,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Tell what the tagger resolves with one delay line a channel and with two.

    Every shot goes the whole way: delays of the tools' timing data, noise of flip-flops and clock,
    the gateware's encoder, a calibration from finite counts. Nothing of it was measured on a
    board.

    \b
    Examples:
        keybeam tagger simulate
        keybeam tagger simulate --grade 8 --grade 8_5G --out out/tagger
        keybeam tagger simulate --mismatch 0 --skew 0 --json
    """
    try:
        noise = Noise(flip_flop, clock, mismatch, skew)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    cases = [(grade, chains) for grade in grades for chains in _CHAINS]
    results = [
        simulate(grade, chains=chains, noise=noise, counts=counts, shots=shots, seed=seed)
        for grade, chains in track(cases, "simulating", console=Console(stderr=True))
    ]
    report = {
        "slices": DELAY_LINE_SLICES,
        "period_ps": FABRIC_PERIOD_PS,
        "counts": counts,
        "shots": shots,
        "seed": seed,
        "noise": asdict(noise),
        "channels": [_figures(result) for result in results],
    }
    text = json.dumps(report, indent=2)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_plot(results, out / "tagger.svg")
        write_whole(out / "tagger.json", text + "\n")
    if as_json:
        click.echo(text)
    else:
        _print_table(report["channels"])  # type: ignore[arg-type]


def _figures(result: SimulatedTagger) -> dict[str, Any]:
    shape = result.linearity
    return {
        "grade": result.grade,
        "lines": result.chains,
        "rms_ps": round(result.rms_ps, 2),
        "quantisation_ps": round(shape.quantisation_ps, 2),
        "lsb_ps": round(shape.mean_bin_ps, 2),
        "widest_bin_ps": round(shape.widest_bin_ps, 2),
        "dnl_lsb": [round(float(each), 2) for each in (shape.dnl_lsb.min(), shape.dnl_lsb.max())],
        "inl_lsb": [round(float(each), 2) for each in (shape.inl_lsb.min(), shape.inl_lsb.max())],
        "residual_inl_ps": round(float(np.abs(result.residual_inl_ps).max()), 2),
        "lost": result.lost,
    }


def _print_table(channels: list[Mapping[str, Any]]) -> None:
    table = Table(title="single-shot resolution of a channel", box=SIMPLE, padding=(0, 1, 0, 0))
    columns = {
        "grade": "grade",
        "lines": "lines",
        "RMS\nps": "rms_ps",
        "of it\nbins\nps": "quantisation_ps",
        "mean\nbin\nps": "lsb_ps",
        "widest\nbin\nps": "widest_bin_ps",
        "DNL\nLSB": "dnl_lsb",
        "INL\nLSB": "inl_lsb",
        "INL\nleft\nps": "residual_inl_ps",
        "lost": "lost",
    }
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for each in channels:
        table.add_row(*(_cell(each[key]) for key in columns.values()))
    Console().print(table)


def _cell(value: object) -> str:
    match value:
        case [low, high]:
            return f"{low:+.1f} {high:+.1f}"
        case float():
            return f"{value:.1f}"
        case _:
            return str(value)
