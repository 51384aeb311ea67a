"""The command ``keybeam pipeline``."""

import os
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from keybeam.key_length import MOST_PACKETS, Analysis
from keybeam.key_length.options import analysis_option, intensities_option, probabilities_option
from keybeam.options import NewFile
from keybeam.options import as_json as json_option
from keybeam.output import Value, print_json, print_rows, print_sections
from keybeam.pipeline.plots import plot_stages
from keybeam.pipeline.run import PipelineResult, process_pass
from keybeam.pipeline.run import Progress as RunProgress
from keybeam.pipeline.settings import RECONCILIATIONS, PipelineSettings
from keybeam.protocol.numbers import BLOCK_PACKETS, SAMPLE_FRACTION
from keybeam.session.parameters import default_parameters

__all__ = ["mode_option", "pipeline"]

_OPEN = click.FloatRange(0, 1, min_open=True, max_open=True)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

mode_option = click.option(
    "--mode",
    type=click.Choice(RECONCILIATIONS),
    default=PipelineSettings.mode,
    show_default=True,
    help="How packets are reconciled (docs/distillation.md).",
)


@click.command()
@click.argument("captures", type=_FILE, nargs=-1, required=True)
@click.option("--symbols", type=_FILE, required=True, help="Record of the transmitter's symbols.")
@mode_option
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one a processor",
    help="Processes that reconcile, beside three others; 0 for no process but this one.",
)
@click.option(
    "--block-packets",
    type=click.IntRange(1, MOST_PACKETS),
    default=BLOCK_PACKETS,
    show_default=True,
    help="Packets of 100 kbit in a privacy-amplification block.",
)
@analysis_option
@intensities_option
@probabilities_option
@click.option(
    "--key-basis-probability",
    type=_OPEN,
    help="Where the basis H, V makes the key and D, A only checks: with which probability either "
    "end chooses the former.",
)
@click.option(
    "--sample-fraction",
    type=_OPEN,
    default=SAMPLE_FRACTION,
    show_default=True,
    help="Part of the clicks that only tell the error rate of the packet before it is corrected.",
)
@click.option("--key", type=NewFile(), help="File for the key, readable by you only.")
@click.option("--plot", type=NewFile(), help="SVG file for a plot of where the time goes.")
@click.option(
    "--seed",
    type=int,
    help="Repeatable random numbers, for simulations only: the key is not secret.",
)
@json_option
def pipeline(
    captures: tuple[Path, ...],
    symbols: Path,
    mode: str,
    workers: int,
    block_packets: int,
    analysis: str,
    intensities: tuple[float, float, float],
    probabilities: tuple[float, float, float],
    key_basis_probability: float | None,
    sample_fraction: float,
    key: Path | None,
    plot: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Make key of a recorded pass: CAPTURES of the receiver's tags, and the transmitter's symbols.

    Several captures are taken as parts of one pass, in the order of time.

    \b
    Examples:
        keybeam pipeline pass.h5 --symbols symbols.h5 --key pass.key
        keybeam pipeline pass.h5 --symbols symbols.h5 --mode efficient --plot time.svg
        keybeam pipeline pass.h5 --symbols symbols.h5 --block-packets 100 --sample-fraction 0.01 \\
            --intensities 0.4 0.1 0.001 --probabilities 0.875 0.109375 0.015625 \\
            --key-basis-probability 0.9375
    """
    settings = PipelineSettings(
        captures=captures,
        symbols=symbols,
        mode=mode,
        workers=workers,
        parameters=msgspec.structs.replace(
            default_parameters(analysis=Analysis(analysis)),
            intensities=intensities,
            probabilities=probabilities,
            sample_fraction=sample_fraction,
        ),
        key_basis_probability=key_basis_probability,
        block_packets=block_packets,
        key=key,
        seed=seed,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting the processes", total=None)

        def tell(run: RunProgress) -> None:
            text = f"{run.sifted_bits / 1e6:.1f} Mbit sifted, {run.secret_bits / 1e6:.2f} of key"
            bar.update(task, description=text, completed=run.records, total=run.all_records)

        result = process_pass(settings, tell)
    if plot is not None:
        plot_stages(result, plot)
    _show(result, as_json)


def _show(result: PipelineResult, as_json: bool) -> None:
    if as_json:
        print_json(result)
        return
    totals: dict[str, Value] = {
        "records": result.records,
        "clicks": result.clicks,
        "sifted bits": result.sifted_bits,
        "bits of key": result.secret_bits,
        "packets": result.packets,
        "packets that failed": result.packets_failed,
        "QBER": result.qber,
        "f of reconciliation": result.efficiency,
        "wall time, s": result.seconds,
        "  until the processes worked": result.start_s,
        "sifted Mb/s": result.sifted_bits / result.seconds / 1e6,
        "secret Mb/s": result.secret_bits / result.seconds / 1e6,
    }
    print_sections({"Recorded pass": totals}, as_json=False)
    rows: list[dict[str, Value]] = [
        {
            "stage": stage.stage,
            "in": stage.taken,
            "out": stage.given,
            "work s": round(stage.busy_s, 2),
            "CPU s": round(stage.processor_s, 2),
            "starved": round(stage.starved_s, 2),
            "blocked": round(stage.blocked_s, 2),
            "MB": round(stage.memory_bytes / 1e6),
        }
        for stage in result.stages
    ]
    print_rows(rows, as_json=False, title="Stages")
