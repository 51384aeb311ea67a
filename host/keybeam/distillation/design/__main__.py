"""Make all reconciliation codes and measure them: ``python -m keybeam.distillation.design``."""

import dataclasses
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.optimize import brentq

from keybeam.distillation.design.construction import place_circulants
from keybeam.distillation.design.measurement import measured_limit
from keybeam.distillation.design.plan import CodePlan, code_plans
from keybeam.distillation.reconciliation.code import CATALOGUE_NAME, Code, matrix_fingerprint
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS

_EXPECTED_EFFICIENCY = 1.12


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


def _smooth_limits(entries: list[dict[str, Any]]) -> None:
    """Replace measured limits by those of a cubic through the efficiencies of all codes.

    Neighbouring codes are made alike, while a limit measured on a few frames is uncertain
    by a per cent.
    """
    lengths = np.log([entry["syndrome_bits"] for entry in entries])
    efficiencies = [_efficiency(entry) for entry in entries]
    smooth = np.polynomial.Polynomial.fit(lengths, efficiencies, 3)(lengths)
    for entry, efficiency in zip(entries, smooth, strict=True):
        entry["limit_qber"] = round(_limit_at(entry["syndrome_bits"], float(efficiency)), 6)


def _efficiency(entry: dict[str, Any]) -> float:
    return float(entry["syndrome_bits"] / PACKET_BITS / binary_entropy(entry["limit_qber"]))


def _make(plan: CodePlan, folder: Path, seed: int) -> dict[str, Any]:
    """Make a code, write its file and return its line of the catalogue."""
    generator = np.random.default_rng([seed, plan.syndrome_bits])
    matrix = _matrix(plan, generator)
    fingerprint = matrix_fingerprint(matrix)
    code = Code(
        plan.syndrome_bits, _limit_at(plan.syndrome_bits, _EXPECTED_EFFICIENCY), fingerprint, matrix
    )
    code = dataclasses.replace(code, limit_qber=measured_limit(code, generator))
    np.savez_compressed(
        folder / f"{code.identifier}.npz",
        row_starts=matrix.row_starts.astype(np.uint16),
        columns=matrix.columns.astype(np.uint16),
        shifts=matrix.shifts.astype(np.uint16),
    )
    return {
        "syndrome_bits": code.syndrome_bits,
        "circulant": matrix.circulant,
        "block_columns": matrix.block_columns,
        "limit_qber": round(code.limit_qber, 6),
        "fingerprint": fingerprint,
    }


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
        seeds = [seed] * len(plans)
        for entry in pool.map(_make, plans, [folder] * len(plans), seeds):
            click.echo(
                f"{entry['syndrome_bits']:6d} bits: QBER {entry['limit_qber']:.4%}, "
                f"f {_efficiency(entry):.3f}"
            )
            entries.append(entry)
    _smooth_limits(entries)
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    (folder / CATALOGUE_NAME).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    design()
