"""The command ``keybeam keylength``."""

import dataclasses
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from keybeam.key_length.composable import (
    ComposableKeyLength,
    Security,
    composable_key_length,
)
from keybeam.key_length.counts import (
    BasisCounts,
    BlockCounts,
    SiftedCounts,
    reconciliation_leak,
)
from keybeam.key_length.hidden import Target
from keybeam.key_length.paper import (
    PAPER_INTENSITIES,
    PAPER_PROBABILITIES,
    PAPER_XI,
    KeyLength,
    paper_key_length,
)
from keybeam.key_length.plots import plot_trial
from keybeam.key_length.published import PUBLISHED_PASSES, pass_keys
from keybeam.key_length.simulation import ATTACKS
from keybeam.key_length.source import Source
from keybeam.key_length.trial import run_trial
from keybeam.options import FiniteFloat, NewFile
from keybeam.options import as_json as json_option
from keybeam.output import Value, print_json, print_rows, print_sections

__all__ = ["keylength"]

_COUNT = click.IntRange(min=0)
_OPEN = click.FloatRange(0, 1, min_open=True, max_open=True)


class _DefaultGroup(click.Group):
    """A group whose first command is meant where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["block", *args]
        return super().parse_args(ctx, args)


def _print_result(result: KeyLength, analysis: str, as_json: bool) -> None:
    if as_json:
        print_json({"analysis": analysis, **dataclasses.asdict(result)})
        return
    rows: dict[str, Value] = {
        "single-photon signal clicks, at least (s1)": round(result.s1, 2),
        "their phase error rate, at most (e1)": round(result.e1, 6),
    }
    if isinstance(result, ComposableKeyLength):
        rows |= {
            "signal clicks without a photon, at least (s0)": round(result.s0, 2),
            "bits that the numbers of errors tell": result.announced_bits,
            "bits of verification": result.verification_bits,
            "bits given up by amplification": round(result.amplification_bits, 1),
            "ε_sec": result.secrecy,
            "ε_cor": result.correctness,
        }
    rows |= {
        "bits leaked by reconciliation": round(result.leak_bits),
        "secret key bits": result.length_bits,
    }
    print_sections({f"Key length ({analysis} analysis)": rows}, as_json=False)


def _composable_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the composable analysis."""
    for option in reversed(_COMPOSABLE_OPTIONS):
        command = option(command)
    return command


_COMPOSABLE_OPTIONS = (
    click.option("--secrecy", type=_OPEN, default=1e-10, show_default=True, help="ε_sec."),
    click.option(
        "--correctness",
        type=_OPEN,
        default=1e-15,
        show_default=True,
        help="ε_cor.",
    ),
    click.option(
        "--intensity-uncertainty",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=True,
        help="Largest relative deviation of an intensity.",
    ),
    click.option(
        "--preparation-error",
        type=click.FloatRange(0, 45, max_open=True),
        default=0.0,
        show_default=True,
        metavar="DEGREES",
        help="Largest error of the angle between the bases.",
    ),
    click.option(
        "--packets",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        help="Reconciliation packets of the block.",
    ),
    click.option(
        "--dropped-packets",
        type=click.IntRange(0, 1023),
        default=0,
        show_default=True,
        help="Packets that failed within the span of the block.",
    ),
)
"""ε, uncertainties and packets."""


@click.group(cls=_DefaultGroup)
def keylength() -> None:
    """Compute the secret bits of a block from its counts.

    Without the name of a command, `block` is meant.

    \b
    Example:
        keybeam keylength --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878 --qber 0.0101 --efficiency 1.2
    """


@keylength.command()
@click.option("--signal", type=_COUNT, required=True, help="Sifted signal clicks.")
@click.option("--decoy", type=_COUNT, required=True, help="Sifted decoy clicks.")
@click.option("--vacuum", type=_COUNT, required=True, help="Sifted vacuum clicks.")
@click.option("--decoy-errors", type=_COUNT, required=True, help="Errors among the decoy clicks.")
@click.option(
    "--qber", type=click.FloatRange(0, 0.5), required=True, help="Error rate of the signal bits."
)
@click.option("--leak", type=click.FloatRange(min=0), help="Bits leaked by reconciliation.")
@click.option(
    "--efficiency",
    type=click.FloatRange(min=1),
    help="Efficiency f of reconciliation, instead of --leak: the leak is f × signal × H(qber).",
)
@click.option(
    "--analysis",
    type=click.Choice(["paper", "composable"]),
    default="paper",
    show_default=True,
    help="Security analysis: that of arXiv:2408.10994, or that of docs/security.md.",
)
@click.option(
    "--intensities",
    type=float,
    nargs=3,
    default=PAPER_INTENSITIES,
    show_default=True,
    metavar="MU NU O",
    help="Mean photons of signal, decoy and vacuum pulses.",
)
@click.option(
    "--probabilities",
    type=float,
    nargs=3,
    default=PAPER_PROBABILITIES,
    show_default=True,
    metavar="MU NU O",
    help="Probabilities of signal, decoy and vacuum pulses.",
)
@click.option(
    "--xi",
    type=_OPEN,
    default=PAPER_XI,
    show_default=True,
    help="Failure probability of each Chernoff bound of the paper's analysis.",
)
@_composable_options
@json_option
def block(
    signal: int,
    decoy: int,
    vacuum: int,
    decoy_errors: int,
    qber: float,
    leak: float | None,
    efficiency: float | None,
    analysis: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block from its counts.

    \b
    Examples:
        keybeam keylength --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878 --qber 0.0101 --efficiency 1.2
        keybeam keylength block --analysis composable --packets 5 --signal 500000 \\
            --decoy 34375 --vacuum 3879 --decoy-errors 1878 --qber 0.0101 --leak 58650
    """
    if (leak is None) == (efficiency is None):
        raise click.UsageError("give one of --leak and --efficiency")
    counts = BlockCounts(signal=signal, decoy=decoy, vacuum=vacuum, decoy_errors=decoy_errors)
    result: KeyLength
    if analysis == "paper":
        result = paper_key_length(
            counts,
            qber,
            leak_bits=leak,
            efficiency=efficiency,
            intensities=options["intensities"],
            probabilities=options["probabilities"],
            xi=options["xi"],
        )
    else:
        result = _composable(
            counts, qber, reconciliation_leak(signal, qber, leak, efficiency), options
        )
    _print_result(result, analysis, as_json)


def _composable(
    counts: BlockCounts, qber: float, leak: float, options: dict[str, Any]
) -> ComposableKeyLength:
    clicks = (counts.signal, counts.decoy, counts.vacuum)
    errors = (math.ceil(qber * counts.signal), counts.decoy_errors, None)
    shape = options["intensities"], options["probabilities"]
    return _composable_length(BasisCounts(clicks, errors), leak, shape, options)


def _composable_length(
    counts: BasisCounts,
    leak: float,
    shape: tuple[tuple[float, ...], tuple[float, ...]],
    options: dict[str, Any],
    *,
    pair_correlation: float | None = None,
    pulses: int | None = None,
) -> ComposableKeyLength:
    sifted = SiftedCounts(
        counts,
        packets=options["packets"],
        dropped_packets=options["dropped_packets"],
        pulses=pulses,
    )
    source = Source(
        *shape,
        intensity_uncertainty=options["intensity_uncertainty"],
        preparation_error_deg=options["preparation_error"],
        pair_correlation=pair_correlation,
    )
    security = Security(options["secrecy"], options["correctness"])
    return composable_key_length(sifted, leak, source, security)


@keylength.command()
@click.option("--signal", type=_COUNT, required=True, help="Sifted signal clicks.")
@click.option("--decoy", type=_COUNT, required=True, help="Sifted decoy clicks.")
@click.option("--signal-errors", type=_COUNT, required=True, help="Errors among the signal clicks.")
@click.option("--decoy-errors", type=_COUNT, required=True, help="Errors among the decoy clicks.")
@click.option(
    "--leak", type=FiniteFloat(min=0), required=True, help="Bits leaked by reconciliation."
)
@click.option(
    "--intensities",
    type=FiniteFloat(),
    nargs=2,
    default=(0.5, 0.1),
    show_default=True,
    metavar="MU NU",
    help="Mean photons of signal and decoy pulses.",
)
@click.option(
    "--decoy-probability",
    type=_OPEN,
    default=0.25,
    show_default=True,
    help="Probability of decoy pulses.",
)
@_composable_options
@json_option
def one_decoy(
    signal: int,
    decoy: int,
    signal_errors: int,
    decoy_errors: int,
    leak: float,
    intensities: tuple[float, float],
    decoy_probability: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block of a source with one decoy, composably.

    \b
    Example:
        keybeam keylength one-decoy --signal 500000 --signal-errors 6000 --decoy 36000 \\
            --decoy-errors 1800 --leak 50000
    """
    counts = BasisCounts((signal, decoy), (signal_errors, decoy_errors))
    shape = intensities, (1 - decoy_probability, decoy_probability)
    _print_result(_composable_length(counts, leak, shape, options), "composable", as_json)


@keylength.command()
@click.option("--clicks", type=_COUNT, required=True, help="Sifted clicks.")
@click.option("--errors", type=_COUNT, required=True, help="Errors among them.")
@click.option("--pulses", type=_COUNT, required=True, help="Pulses sent.")
@click.option(
    "--leak", type=FiniteFloat(min=0), required=True, help="Bits leaked by reconciliation."
)
@click.option(
    "--mean-photons",
    type=FiniteFloat(min=0, min_open=True),
    required=True,
    help="Mean photons of a pulse.",
)
@click.option("--g2", type=FiniteFloat(min=0), required=True, help="Its g²(0).")
@_composable_options
@json_option
def single_photon(
    clicks: int,
    errors: int,
    pulses: int,
    leak: float,
    mean_photons: float,
    g2: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block of a single-photon source, composably.

    There are no decoys; every pulse that g²(0) allows to have several photons is taken for a
    click.

    \b
    Example:
        keybeam keylength single-photon --clicks 500000 --errors 10000 --pulses 60000000 \\
            --mean-photons 0.5 --g2 0.02 --leak 80000
    """
    counts = BasisCounts((clicks,), (errors,))
    shape = (mean_photons,), (1.0,)
    result = _composable_length(counts, leak, shape, options, pair_correlation=g2, pulses=pulses)
    _print_result(result, "composable", as_json)


@keylength.command()
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


@keylength.command()
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
@click.option("--seed", type=_COUNT, default=1, show_default=True, help="Of the simulation.")
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
