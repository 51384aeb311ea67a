"""The studies of ``keybeam keylength``: published passes, simulated attacks, best sources."""

import dataclasses
import statistics
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from keybeam.key_length.composable import Security
from keybeam.key_length.hidden import Target
from keybeam.key_length.optimiser import LinkBudget, optimise
from keybeam.key_length.plots import plot_optima, plot_trial
from keybeam.key_length.published import POLARISATION_ERROR, PUBLISHED_PASSES, pass_keys
from keybeam.key_length.simulation import ATTACKS
from keybeam.key_length.trial import run_trial
from keybeam.options import FiniteFloat, NewFile
from keybeam.options import as_json as json_option
from keybeam.output import Value, print_json, print_rows

__all__ = ["best_source", "published", "trial"]


@click.command()
@click.option(
    "--efficiency",
    type=FiniteFloat(min=1),
    default=1.2,
    show_default=True,
    help="Efficiency f of reconciliation.",
)
@json_option
def published(efficiency: float, as_json: bool) -> None:
    """Compare both analyses on the passes of Table 1 of arXiv:2408.10994.

    The table gives no counts; they are rebuilt from packets and error rates, as
    docs/security.md says. The last row holds the medians of the ratios.

    \b
    Columns of the table, with keys in bits:
        key      as published
        paper    by the paper's analysis, blocks of 500 kbit
        blocks   by the composable analysis, blocks of 500 kbit
        pass     by the composable analysis, one block
        b/key    blocks over the published key; p/key: pass over it

    \b
    Example:
        keybeam keylength published --efficiency 1.12
    """
    keys = [(row, pass_keys(row, efficiency)) for row in PUBLISHED_PASSES]
    blocks = statistics.median(found.blocks / row.key_bits for row, found in keys)
    whole = statistics.median(found.whole / row.key_bits for row, found in keys)
    if as_json:
        passes = [{**dataclasses.asdict(row), **dataclasses.asdict(found)} for row, found in keys]
        print_json({"passes": passes, "median_blocks": blocks, "median_whole": whole})
        return
    rows: list[dict[str, Value]] = [
        {
            "date": row.date,
            "QBER": row.qber,
            "key": row.key_bits,
            "paper": found.paper,
            "blocks": found.blocks,
            "pass": found.whole,
            "b/key": round(found.blocks / row.key_bits, 3),
            "p/key": round(found.whole / row.key_bits, 3),
        }
        for row, found in keys
    ]
    medians = {"date": "median", "b/key": round(blocks, 3), "p/key": round(whole, 3)}
    rows.append(dict.fromkeys(rows[0]) | medians)
    print_rows(rows, as_json=False, title="Keys of the published passes")


@click.command()
@click.option(
    "--blocks",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Of each attack.",
)
@click.option(
    "--signal",
    type=click.IntRange(min=1),
    default=500_000,
    show_default=True,
    help="Signal clicks of a block.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the simulation."
)
@click.option("--plot", type=NewFile(), help="Draw how close the bounds are, as SVG.")
@json_option
def trial(blocks: int, signal: int, seed: int, plot: Path | None, as_json: bool) -> None:
    """Hold the bounds against simulated blocks whose photon numbers are known.

    Each block is simulated on an honest link and under attacks. At a failure probability of 1 %,
    not more blocks than that may exceed a bound.

    \b
    Columns of the table:
        bound    on single photons (s1), vacuum (s0) or phase errors
        failed   blocks in which it failed
        alone    the same for the best factors alone, whose probability is not divided
        close    median of bound over truth, or truth over bound for phase errors
        key      the same at the failure probabilities of a key of ε_sec = 1e-10

    \b
    Examples:
        keybeam keylength trial
        keybeam keylength trial --blocks 500 --signal 100000 --plot trial.svg
    """
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating blocks", total=blocks * len(ATTACKS))
        results = run_trial(blocks, signal, seed, progress=lambda done: bar.advance(task, done))
    if plot is not None:
        plot_trial(results, plot)
    if as_json:
        print_json([dataclasses.asdict(result) for result in results])
        return
    symbols = dict(zip((target.value for target in Target), ("s1", "s0", "phase"), strict=True))
    rows: list[dict[str, Value]] = [
        {
            "attack": result.attack,
            "bound": symbols[result.bound],
            "failed": result.exceeded,
            "alone": result.exceeded_alone,
            "allowed": round(result.allowed * blocks),
            "close": round(result.closeness, 3),
            "key": round(result.closeness_of_key, 3),
        }
        for result in results
    ]
    print_rows(rows, as_json=False, title=f"Bounds on {blocks} blocks of {signal} signal clicks")


@click.command("optimise")
@click.option(
    "--loss",
    "losses",
    type=FiniteFloat(min=0, min_open=True),
    multiple=True,
    default=(42.3,),
    show_default=True,
    metavar="DB",
    help="Loss from the source to a click; may be given more than once.",
)
@click.option(
    "--pulses",
    type=FiniteFloat(min=0, min_open=True),
    default=1.875e11,
    show_default=True,
    help="Pulses sent, those of 300 s by default.",
)
@click.option(
    "--background",
    type=FiniteFloat(min=0),
    default=6.8e-7,
    show_default=True,
    help="Background clicks in a gate.",
)
@click.option(
    "--error-rate",
    type=FiniteFloat(0, 0.5),
    default=round(POLARISATION_ERROR, 5),
    show_default=True,
    help="Wrong bits among the clicks of photons.",
)
@click.option(
    "--efficiency",
    type=FiniteFloat(min=1),
    default=1.2,
    show_default=True,
    help="Efficiency f of reconciliation.",
)
@click.option(
    "--secrecy",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=1e-10,
    show_default=True,
    help="ε_sec.",
)
@click.option("--plot", type=NewFile(), help="Draw key and source against the loss, as SVG.")
@json_option
def best_source(
    losses: tuple[float, ...],
    pulses: float,
    background: float,
    error_rate: float,
    efficiency: float,
    secrecy: float,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Search the intensities and probabilities that make the most key on a link.

    All clicks make one block. The default is about the link of the pass of 25 September 2022 of
    arXiv:2408.10994; "gain" compares with its source, 0.8, 0.1, 0.001 photons with probabilities
    1/2, 1/4, 1/4.

    \b
    Examples:
        keybeam keylength optimise
        keybeam keylength optimise --loss 38 --loss 42 --loss 46 --plot best.svg
    """
    optima = []
    budgets = [LinkBudget(pulses, loss, background, error_rate) for loss in losses]
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("searching sources", total=None)
        for budget in budgets:
            optima.append(
                optimise(
                    budget,
                    efficiency,
                    security=Security(secrecy),
                    progress=lambda: bar.advance(task),
                )
            )
    if plot is not None:
        plot_optima(list(losses), optima, plot)
    if as_json:
        print_json(
            [
                {"loss_db": loss, **dataclasses.asdict(found)}
                for loss, found in zip(losses, optima, strict=True)
            ]
        )
        return
    rows: list[dict[str, Value]] = [
        {
            "loss/dB": loss,
            "μ": round(found.intensities[0], 3),
            "ν": round(found.intensities[1], 4),
            "p(μ)": round(found.probabilities[0], 3),
            "p(ν)": round(found.probabilities[1], 4),
            "p(o)": round(found.probabilities[2], 4),
            "key/kbit": round(found.key_bits / 1e3, 1),
            "before": round(found.reference_bits / 1e3, 1),
            "gain": round(found.key_bits / found.reference_bits, 2)
            if found.reference_bits
            else None,
        }
        for loss, found in zip(losses, optima, strict=True)
    ]
    print_rows(rows, as_json=False, title="Best sources")
