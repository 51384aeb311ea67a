"""The command ``keybeam keylength``."""

import dataclasses
import json

import click
from rich.console import Console
from rich.table import Table

from keybeam.key_length import (
    PAPER_INTENSITIES,
    PAPER_PROBABILITIES,
    PAPER_XI,
    BlockCounts,
    KeyLength,
    paper_key_length,
)

__all__ = ["keylength"]

_COUNT = click.IntRange(min=0)


def _print_table(result: KeyLength, analysis: str) -> None:
    table = Table(title=f"Key length ({analysis} analysis)", show_header=False)
    table.add_column("quantity")
    table.add_column("value", justify="right")
    table.add_row("single-photon signal clicks, at least (s1)", f"{result.s1:.2f}")
    table.add_row("their phase error rate, at most (e1)", f"{result.e1:.6f}")
    table.add_row("bits leaked by reconciliation", f"{result.leak_bits:.0f}")
    table.add_row("secret key bits", str(result.length_bits))
    Console().print(table)


@click.command()
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
    type=click.Choice(["paper"]),
    default="paper",
    show_default=True,
    help="Security analysis: that of arXiv:2408.10994.",
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
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=PAPER_XI,
    show_default=True,
    help="Failure probability of each Chernoff bound.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def keylength(
    signal: int,
    decoy: int,
    vacuum: int,
    decoy_errors: int,
    qber: float,
    leak: float | None,
    efficiency: float | None,
    analysis: str,
    intensities: tuple[float, float, float],
    probabilities: tuple[float, float, float],
    xi: float,
    as_json: bool,
) -> None:
    """Compute the secret bits of a block from its counts.

    \b
    Example:
        keybeam keylength --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878 --qber 0.0101 --efficiency 1.2
    """
    if (leak is None) == (efficiency is None):
        raise click.UsageError("give one of --leak and --efficiency")
    result = paper_key_length(
        BlockCounts(signal=signal, decoy=decoy, vacuum=vacuum, decoy_errors=decoy_errors),
        qber,
        leak_bits=leak,
        efficiency=efficiency,
        intensities=intensities,
        probabilities=probabilities,
        xi=xi,
    )
    if as_json:
        click.echo(json.dumps({"analysis": analysis, **dataclasses.asdict(result)}))
    else:
        _print_table(result, analysis)
