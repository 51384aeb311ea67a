"""Make all reconciliation codes and measure them: ``python -m keybeam.distillation.design``."""

import json
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
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

_MEASURED = {1: (8, 6), 5: (25, 2), 10: (25, 2)}
"""Codes from one that is measured to the next, and frames, by the packets of a frame."""

_CURVE_DEGREE = 3
"""Degree of the polynomial through the measured efficiencies."""


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


def _measure(plan: CodePlan, factor: int, frames: int, seed: int) -> float:
    """Efficiency at the limit of a code, or of the longer one made of it."""
    matrix = _matrix(plan, np.random.default_rng([seed, plan.syndrome_bits])).lifted(factor)
    start = _limit_at(plan.syndrome_bits, _EXPECTED_EFFICIENCY)
    code = Code(plan.syndrome_bits, start, matrix_fingerprint(matrix), matrix)
    generator = np.random.default_rng([seed, plan.syndrome_bits, factor])
    limit = measured_limit(code, generator, frames)
    return _efficiency(plan.syndrome_bits / PACKET_BITS, limit)


def _limits(plans: list[CodePlan], factor: int, pool: Executor, seed: int) -> list[float]:
    """Limits of all codes: those of a smooth curve through the efficiencies of some.

    Neighbouring codes are made alike, while a limit measured on a few frames is uncertain
    by a per cent.
    """
    every, frames = _MEASURED[factor]
    some = plans[every // 2 :: every]
    tasks = (some, [factor] * len(some), [frames] * len(some), [seed] * len(some))
    measured = []
    for plan, efficiency in zip(some, pool.map(_measure, *tasks), strict=True):
        click.echo(f"{factor} x {plan.syndrome_bits:6d} bits: f {efficiency:.4f} at the limit")
        measured.append(efficiency)
    lengths = np.log([plan.syndrome_bits for plan in some])
    curve = np.polynomial.Polynomial.fit(lengths, measured, min(_CURVE_DEGREE, len(some) - 1))
    # Beyond the last measured codes the curve would be a guess.
    places = np.clip(np.log([plan.syndrome_bits for plan in plans]), lengths[0], lengths[-1])
    return [
        round(_limit_at(plan.syndrome_bits, float(efficiency)), 6)
        for plan, efficiency in zip(plans, curve(places), strict=True)
    ]


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
        limits = [_limits(plans, factor, pool, seed) for factor in FRAME_FACTORS]
    for entry, each in zip(entries, zip(*limits, strict=True), strict=True):
        entry["limit_qber"] = list(each)
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    (folder / CATALOGUE_NAME).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    design()
