"""Degree distributions of the codes: ``python -m keybeam.distillation.design.degrees``.

The command writes `FILE_NAME`, the best distributions at some syndrome rates; codes of other
rates take what lies between.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from keybeam.distillation.design.density_evolution import DegreeDistribution, Progress
from keybeam.distillation.design.optimiser import optimised
from keybeam.key_length import binary_entropy

__all__ = ["FILE_NAME", "distribution_for"]

FILE_NAME = "degrees.json"


_NO_MIDDLE = -0.004
"""What is asked for half-way is what the beginning asks for, times the square of what is left.

Short syndromes gain nothing by more.
"""


class _Shape(NamedTuple):
    """What is asked of the degrees at a syndrome rate.

    Attributes
    ----------
    mean, largest : float, int
        Mean and largest degree of a variable.
    stability : float
        Fraction of edges at degree two, as part of that above which the last errors stay.
    middle : float
        What a pass removes more where half of the errors are left; see `Progress`. Frames of
        100 000 bits that fail do so there, by the chance of which bits are wrong.
    """

    mean: float
    largest: int
    stability: float = 1.0
    middle: float = 0.05


_SHAPES = {
    0.028: _Shape(5.8, 10, 0.85, _NO_MIDDLE),
    0.04: _Shape(6.5, 17, 0.85, _NO_MIDDLE),
    # At 1 %, one frame in a hundred ended with a few bits wrong, nearly all of degree two, far
    # below the limit, and one in thousands in silence; with fewer of these columns, half as many.
    0.055: _Shape(6.9, 24, 0.7, _NO_MIDDLE),
    0.075: _Shape(7.3, 36, 0.7, _NO_MIDDLE),
    0.0928: _Shape(7.3, 36, 0.7, _NO_MIDDLE),
    0.1: _Shape(7.4, 44, 0.75, 0.02),
    0.13: _Shape(7.4, 52, 0.8),
    0.16: _Shape(7.4, 60, 0.8),
    0.2: _Shape(7.2, 60, 0.8),
    # At 3 %, with as many columns of degree two as can be, one frame in a thousand failed in
    # silence.
    0.25: _Shape(6.9, 60, 0.8),
    0.3088: _Shape(6.3, 44),
    0.33: _Shape(6.2, 44),
    0.43: _Shape(5.4, 44),
    0.58: _Shape(4.9, 60),
}
"""Shapes by the syndrome rate.

Higher means come closer to Shannon's bound without end, and lower ones let narrow degrees suffice.
Wide columns meet in two rows so often that short syndromes have no place for many of them without
cycles of length four.
"""

_EARLY, _LATE = 0.02, 0.004
"""Part of the errors that a pass removes at least where decoding begins, and at last."""


def _optimised_at(rate: float) -> tuple[dict[str, Any], float]:
    """Entry of the file for a syndrome rate, and the error rate that it stands."""
    shape = _SHAPES[rate]
    found, qber = optimised(
        rate,
        shape.mean / rate,
        progress=Progress(_EARLY, _LATE, shape.middle),
        stability=shape.stability,
        largest=shape.largest,
    )
    edges = {degree: round(part, 4) for degree, part in found.edges.items() if part > 5e-5}
    return {"syndrome_rate": rate, "edges": edges}, qber


@cache
def _distributions() -> dict[float, dict[int, float]]:
    text = Path(__file__).with_name(FILE_NAME).read_text(encoding="utf-8")
    return {
        entry["syndrome_rate"]: {int(degree): part for degree, part in entry["edges"].items()}
        for entry in json.loads(text)
    }


def distribution_for(rate: float) -> DegreeDistribution:
    """Degrees for a syndrome rate, between those of the nearest optimised ones.

    Parameters
    ----------
    rate : float
        Checks for each variable.
    """
    distributions = _distributions()
    logarithms = np.log(list(distributions))
    degrees = sorted({degree for edges in distributions.values() for degree in edges})
    edges = {}
    for degree in degrees:
        parts = [distribution.get(degree, 0.0) for distribution in distributions.values()]
        part = float(np.interp(np.log(rate), logarithms, parts))
        if part > 0:
            edges[degree] = part
    mean = DegreeDistribution(edges, 1.0).mean_degree
    return DegreeDistribution(edges, mean / rate)


@click.command()
@click.option("--processes", default=2, show_default=True, help="Optimisations at the same time.")
def degrees(processes: int) -> None:
    """Optimise the degrees again and write their file.

    Prints f at the error rate that frames without end stand with the progress asked for.

    \b
    Example:
        python -m keybeam.distillation.design.degrees
    """
    entries = []
    click.echo("| syndrome rate | f | degrees: parts of the edges |\n|---|---|---|")
    with ProcessPoolExecutor(processes) as pool:
        for entry, qber in pool.map(_optimised_at, _SHAPES):
            rate = entry["syndrome_rate"]
            listed = ", ".join(f"{degree}: {part:.3f}" for degree, part in entry["edges"].items())
            click.echo(f"| {rate} | {rate / binary_entropy(qber):.4f} | {listed} |")
            entries.append(entry)
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    Path(__file__).with_name(FILE_NAME).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    degrees()
