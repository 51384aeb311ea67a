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


class _Shape(NamedTuple):
    """What is asked of the degrees at a syndrome rate.

    Attributes
    ----------
    mean, largest : float, int
        Mean and largest degree of a variable.
    late : float
        Part of the last errors that a pass removes at least; see `Progress`.
    stability : float
        Fraction of edges at degree two, as part of that above which the last errors stay.
    """

    mean: float
    largest: int
    late: float = 0.004
    stability: float = 0.85


_SHAPES = {
    0.028: _Shape(5.8, 10),
    0.04: _Shape(6.5, 17),
    # At 1 %, one frame in a hundred ended with a few bits wrong, nearly all of degree two, far
    # below the limit, and one in thousands in silence; with fewer of these columns, half as many.
    0.055: _Shape(6.9, 24, stability=0.7),
    0.075: _Shape(7.3, 36, stability=0.7),
    0.0928: _Shape(7.3, 36, stability=0.7),
    0.1: _Shape(7.3, 36, stability=0.7),
    0.14: _Shape(7.0, 36),
    0.19: _Shape(6.7, 36),
    0.25: _Shape(6.4, 36),
    # Here no frame ends so: of the frames that fail, decoding hardly begins.
    0.3088: _Shape(6.3, 44, late=0.003, stability=1.0),
    0.33: _Shape(6.0, 36),
    0.43: _Shape(5.3, 36),
    0.58: _Shape(4.4, 36),
}
"""Shapes by the syndrome rate.

Higher means come closer to Shannon's bound without end, and lower ones let narrow degrees suffice.
Wide columns meet in two rows so often that short syndromes have no place for many of them without
cycles of length four.
"""

_EARLY = 0.02
"""Part of the errors that a pass removes at least where decoding begins.

Codes of 100 000 bits fail there, by the chance of which bits are wrong. Without more room, their
limit is half a per cent worse at 5 %; with twice as much, too.
"""


def _optimised_at(rate: float) -> tuple[dict[str, Any], float]:
    """Entry of the file for a syndrome rate, and the error rate that it stands."""
    shape = _SHAPES[rate]
    found, qber = optimised(
        rate,
        shape.mean / rate,
        progress=Progress(early=_EARLY, late=shape.late),
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
