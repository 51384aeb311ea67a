"""How long an analysis of the key length takes.

Prints a Markdown table: the first key of a source, for which the factors are computed, and every
later one, beside the paper's analysis.

Example:
    python benchmarks/key_length.py --repeats 5
"""

import time
from collections.abc import Callable

import click
import numpy as np
import scipy
from reporting import machine

from keybeam.key_length import (
    BasisCounts,
    BlockCounts,
    SiftedCounts,
    Source,
    composable_key_length,
    paper_key_length,
)
from keybeam.key_length import supermartingale as factors

COUNTS = SiftedCounts(BasisCounts((500_000, 34_375, 3_879), (5_050, 1_878, None)), packets=5)
LEAK = 58_650


def seconds_of(work: Callable[[], object], repeats: int) -> np.ndarray:
    """Processor time of each run."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return np.array(times)


def first() -> None:
    """The first key of a source."""
    factors.family.cache_clear()
    composable_key_length(COUNTS, LEAK)


def uncertain() -> None:
    """The same with intensities that are uncertain by 2 %."""
    factors.family.cache_clear()
    composable_key_length(COUNTS, LEAK, Source(intensity_uncertainty=0.02))


def later() -> None:
    """A thousand later ones."""
    for _ in range(1000):
        composable_key_length(COUNTS, LEAK)


def paper() -> None:
    """A thousand by the paper's analysis."""
    counts = BlockCounts(500_000, 34_375, 3_879, 1_878)
    for _ in range(1000):
        paper_key_length(counts, 0.0101, leak_bits=LEAK)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--repeats", type=click.IntRange(5), default=5, show_default=True, help="Runs of each."
)
def main(repeats: int) -> None:
    """Measure the analyses of the key length.

    \b
    Example:
        python benchmarks/key_length.py
    """
    click.echo(
        f"{machine()}, SciPy {scipy.__version__}; one core, processor time, {repeats} runs\n"
    )
    click.echo("| what | median | range | times the paper's |")
    click.echo("|---|---|---|---|")
    rows = (
        ("paper's analysis", paper, 1000),
        ("composable, later keys", later, 1000),
        ("composable, first key", first, 1),
        ("composable, first key, uncertain intensities", uncertain, 1),
    )
    measured = [seconds_of(work, repeats) / keys * 1e3 for _, work, keys in rows]
    for (name, _, _), times in zip(rows, measured, strict=True):
        click.echo(
            f"| {name} | {np.median(times):.3g} ms | {times.min():.3g}-{times.max():.3g} ms "
            f"| {np.median(times) / np.median(measured[0]):.3g} |"
        )


if __name__ == "__main__":
    main()
