"""Make all reconciliation codes and measure them: ``python -m keybeam.distillation.design``."""

import json
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from keybeam.distillation.design.construction import place_circulants
from keybeam.distillation.design.measurement import measured_limit
from keybeam.distillation.design.plan import CodePlan, code_plans
from keybeam.distillation.reconciliation.code import (
    CATALOGUE_NAME,
    FRAME_FACTORS,
    Code,
    matrix_fingerprint,
)
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS

_EXPECTED_EFFICIENCY = 1.06

_MEASURED = {
    1: {3_920: 40, 9_280: 40, 15_840: 40, 21_280: 40, 30_880: 40, 43_040: 40, 56_000: 40},
    10: {9_280: 8, 15_200: 8, 30_880: 8},
}
"""Frames with which codes are measured, by the packets of a frame and the syndrome bits of one."""


def _matrix(plan: CodePlan, generator: np.random.Generator) -> QuasiCyclicMatrix:
    columns = place_circulants(plan.degrees, plan.block_rows, plan.circulant, generator)
    rows: list[list[tuple[int, int]]] = [[] for _ in range(plan.block_rows)]
    for column, entries in enumerate(columns):
        for row, shift in entries:
            rows[row].append((column, shift))
    pairs = np.array([pair for row in rows for pair in row], np.int32)
    return QuasiCyclicMatrix(
        circulant=plan.circulant,
        block_columns=len(plan.degrees),
        row_starts=np.cumsum([0, *map(len, rows)]).astype(np.int32),
        columns=np.ascontiguousarray(pairs[:, 0]),
        shifts=np.ascontiguousarray(pairs[:, 1]),
    )


def _limit_at(syndrome_bits: int, efficiency: float) -> float:
    """Error rate at which a syndrome is `efficiency` times as long as Shannon's bound."""
    entropy = syndrome_bits / PACKET_BITS / efficiency
    return float(brentq(lambda rate: binary_entropy(rate) - entropy, 1e-6, 0.5))


def _efficiency(syndrome_rate: float, limit: float) -> float:
    return float(syndrome_rate / binary_entropy(limit))


def _make(plan: CodePlan, folder: Path, seed: int) -> dict[str, Any]:
    """Make a code, write its file and return its line of the catalogue, but for the limits."""
    matrix = _matrix(plan, np.random.default_rng([seed, plan.syndrome_bits]))
    np.savez_compressed(
        folder / f"{plan.syndrome_bits}.npz",
        row_starts=matrix.row_starts.astype(np.uint16),
        columns=matrix.columns.astype(np.uint16),
        shifts=matrix.shifts.astype(np.uint8),
    )
    return {
        "syndrome_bits": plan.syndrome_bits,
        "circulant": matrix.circulant,
        "block_columns": matrix.block_columns,
        "fingerprint": matrix_fingerprint(matrix),
    }


def _measure(plan: CodePlan, factor: int, seed: int, frames: int) -> float:
    """Efficiency at the limit of a code, or of the longer one made of it."""
    matrix = _matrix(plan, np.random.default_rng([seed, plan.syndrome_bits])).lifted(factor)
    start = _limit_at(plan.syndrome_bits, _EXPECTED_EFFICIENCY)
    code = Code(plan.syndrome_bits, start, matrix_fingerprint(matrix), matrix)
    generator = np.random.default_rng([seed, plan.syndrome_bits, factor])
    limit = measured_limit(code, generator, frames)
    return _efficiency(plan.syndrome_bits / PACKET_BITS, limit)


def _efficiencies(
    plans: list[CodePlan], factor: int, pool: Executor, seed: int
) -> NDArray[np.float64]:
    """Efficiencies of all codes at their limits, between those of some.

    Neighbouring codes are made alike, while a limit measured on forty frames is uncertain by two
    thousandths; no more digits than it can have are kept.
    """
    frames = _MEASURED[factor]
    some = [plan for plan in plans if plan.syndrome_bits in frames]
    tasks = (
        some,
        [factor] * len(some),
        [seed] * len(some),
        [frames[plan.syndrome_bits] for plan in some],
    )
    measured = []
    for plan, efficiency in zip(some, pool.map(_measure, *tasks), strict=True):
        click.echo(f"{factor} x {plan.syndrome_bits:6d} bits: f {efficiency:.4f} at the limit")
        measured.append(round(efficiency, 4))
    places = np.log([plan.syndrome_bits for plan in plans])
    return np.interp(places, np.log([plan.syndrome_bits for plan in some]), measured)


def _limits(plans: list[CodePlan], pool: Executor, seed: int) -> Iterator[list[float]]:
    """Limits of every code, for each length of a frame.

    Those that are not measured lie between the others, as the distance to codes without end falls
    with the root of the length (A. Amraoui, A. Montanari, T. Richardson, R. Urbanke,
    "Finite-length scaling for iteratively decoded LDPC ensembles", IEEE Trans. Inf. Theory 55
    (2009) 473).
    """
    measured = {factor: _efficiencies(plans, factor, pool, seed) for factor in _MEASURED}
    roots = np.array([factor**-0.5 for factor in reversed(_MEASURED)])
    for place, plan in enumerate(plans):
        known = [measured[factor][place] for factor in reversed(_MEASURED)]
        at = [float(np.interp(factor**-0.5, roots, known)) for factor in FRAME_FACTORS]
        yield [round(_limit_at(plan.syndrome_bits, efficiency), 6) for efficiency in at]


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=1, show_default=True, help="Seed of every choice.")
@click.option("--processes", default=2, show_default=True, help="Codes made at the same time.")
def design(folder: Path, seed: int, processes: int) -> None:
    """Write the files of all codes and their catalogue into FOLDER.

    \b
    Example:
        python -m keybeam.distillation.design host/keybeam/distillation/codes
    """
    folder.mkdir(parents=True, exist_ok=True)
    plans = code_plans()
    entries = []
    with ProcessPoolExecutor(processes) as pool:
        for entry in pool.map(_make, plans, [folder] * len(plans), [seed] * len(plans)):
            click.echo(f"{entry['syndrome_bits']:6d} bits: made")
            entries.append(entry)
        for entry, limits in zip(entries, _limits(plans, pool, seed), strict=True):
            entry["limit_qber"] = limits
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    (folder / CATALOGUE_NAME).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    design()
