"""The command ``keybeam rx sync-errors``: how often the sync-word extractor errs."""

from dataclasses import asdict

import click

from keybeam.options import as_json
from keybeam.output import print_json, print_rows
from keybeam.timing.false_lock import sync_statistics

__all__ = ["sync_errors"]

_RATES = (0.0, 1e-4, 1e-3, 1e-2, 5e-2)


@click.command("sync-errors")
@click.option(
    "--error-rate",
    "error_rates",
    type=click.FloatRange(0, 0.5),
    multiple=True,
    help="Bit errors of the line; may be given several times.  [default: 0 to 5 %]",
)
@click.option("--search-tolerance", type=click.IntRange(0, 15), default=2, show_default=True)
@click.option("--lock-tolerance", type=click.IntRange(0, 15), default=8, show_default=True)
@click.option("--verify-frames", type=click.IntRange(0, 15), default=2, show_default=True)
@click.option("--flywheel-frames", type=click.IntRange(0, 255), default=128, show_default=True)
@click.option("--word-bits", type=click.Choice(["32", "64"]), default="64", show_default=True)
@click.option(
    "--faded-frames",
    type=click.IntRange(0, 255),
    default=96,
    show_default=True,
    help="Frames of a fade; 96 are 10 ms.",
)
@as_json
def sync_errors(
    error_rates: tuple[float, ...], word_bits: str, as_json: bool, **settings: int
) -> None:
    """Compute false locks, missed sync words and the chance to lock, without a board.

    \b
    Examples:
        keybeam rx sync-errors
        keybeam rx sync-errors --error-rate 1e-3 --flywheel-frames 4 --json
    """
    found = {
        rate: asdict(sync_statistics(rate, word_bits=int(word_bits), **settings))
        for rate in error_rates or _RATES
    }
    if as_json:
        print_json([{"bit_error_rate": rate} | row for rate, row in found.items()])
        return
    names = next(iter(found.values()))
    print_rows(
        [
            {"at an error rate of": name.replace("_", " ")}
            | {f"{rate:g}": f"{row[name]:.3g}" for rate, row in found.items()}
            for name in names
        ],
        as_json=False,
    )
