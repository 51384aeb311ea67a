"""Make the codes of the fast mode: ``python -m keybeam.distillation.design.fast``.

A code for speed has few entries and converges in few passes. Columns have degree three or ten,
since the sum of a column's messages has to fit into eight bits. Mean degrees of 3.9 to 5.4 and
highest degrees of 6 to 12 were tried with the decoder at a syndrome of 10 496 bits; of those that
corrected 1.05 % of errors within 30 passes, a mean of 5.0 with degree ten took the least time.
There are no columns of degree two: three of them in a row, all wrong, stay so under messages of
eight bits, and one frame in a hundred failed with fewer errors than expected.
"""

import dataclasses
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from keybeam.distillation.reconciliation.code import matrix_fingerprint
from keybeam.distillation.reconciliation.fast_code import (
    FAST_CIRCULANT,
    FAST_COLUMNS,
    FAST_OFFSET,
    FastCode,
)
from keybeam.distillation.reconciliation.matrix import QuasiCyclicMatrix
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS

_MEAN_DEGREE_AT = {3_800: 5.0, 10_500: 5.0, 20_000: 4.6, 50_000: 3.7, 64_000: 3.4}
"""Mean degree of a column, by the length of the syndrome."""

_LOWEST, _HIGHEST = 3, 10

_FEWEST_ROWS, _MOST_ROWS = 16, 240
_STEP = 1.03
"""Ratio of the rows of neighbouring codes, where that is more than one row."""

_EXPECTED_EFFICIENCY = 1.2
_FRAMES = 8
_RESOLUTION = 0.006
_PASSES = 30


def row_counts() -> list[int]:
    """Block rows of all codes."""
    counts = [_FEWEST_ROWS]
    while (following := max(counts[-1] + 1, round(_STEP * counts[-1]))) <= _MOST_ROWS:
        counts.append(following)
    return counts


def column_degrees(rows: int) -> list[int]:
    """Degrees of the block columns of a code, rising."""
    lengths = np.log(list(_MEAN_DEGREE_AT))
    length = np.log(rows * FAST_CIRCULANT)
    mean = float(np.interp(length, lengths, list(_MEAN_DEGREE_AT.values())))
    wide = round((mean - _LOWEST) * FAST_COLUMNS / (_HIGHEST - _LOWEST))
    return [_LOWEST] * (FAST_COLUMNS - wide) + [_HIGHEST] * wide


def place(
    degrees: Sequence[int], rows: int, generator: np.random.Generator
) -> list[dict[int, int]]:
    """Choose shifts by row for each column, so that no two columns close a cycle of length four.

    The widest columns first, each goes to the rows with the fewest entries.
    """
    size = FAST_CIRCULANT
    taken = np.zeros((rows, rows, size), np.bool_)  # differences of shifts between two rows
    load = np.zeros(rows, np.int64)
    columns: list[dict[int, int]] = [{} for _ in degrees]
    for column in sorted(range(len(degrees)), key=lambda c: -degrees[c]):
        entries = columns[column]
        for row in np.lexsort((generator.random(rows), load)):
            free = np.ones(size, np.bool_)
            for other, shift in entries.items():
                free &= ~taken[other, row, (shift - np.arange(size)) % size]
            if free.any():
                entries[int(row)] = int(generator.choice(np.flatnonzero(free)))
            if len(entries) == degrees[column]:
                break
        if len(entries) < degrees[column]:
            raise ValueError(f"no place for a column of degree {degrees[column]} in {rows} rows")
        for row, shift in entries.items():
            load[row] += 1
            for other, other_shift in entries.items():
                taken[other, row, (other_shift - shift) % size] = True
    return columns


def make_matrix(rows: int, generator: np.random.Generator) -> QuasiCyclicMatrix:
    """Make the matrix of the code with so many block rows."""
    columns = place(column_degrees(rows), rows, generator)
    entries = sorted(
        (row, column, shift)
        for column, shifts in enumerate(columns)
        for row, shift in shifts.items()
    )
    row_of, column_of, shift_of = np.array(entries, np.int32).T
    return QuasiCyclicMatrix(
        circulant=FAST_CIRCULANT,
        block_columns=FAST_COLUMNS,
        row_starts=np.searchsorted(row_of, np.arange(rows + 1)).astype(np.int32),
        columns=np.ascontiguousarray(column_of),
        shifts=np.ascontiguousarray(shift_of),
    )


def _decodes(code: FastCode, errors: NDArray[np.intp]) -> bool:
    frame = np.zeros(code.frame_bits, np.uint8)
    frame[errors] = 1
    return code.decode(frame, np.zeros(code.syndrome_bits, np.uint8), _PASSES).converged


def measured_limit(code: FastCode, generator: np.random.Generator) -> float:
    """Mean over frames of the error rate up to which a frame is decoded, by bisection.

    The tables of the decoder are made for the limit, so they follow the search.
    """
    limits: list[float] = []
    for _ in range(_FRAMES):
        order = generator.permutation(code.frame_bits)
        good, bad = 0.7 * code.limit_qber, 1.3 * code.limit_qber
        while bad - good > _RESOLUTION * bad:
            middle = (good + bad) / 2
            if _decodes(code, order[: round(middle * code.frame_bits)]):
                good = middle
            else:
                bad = middle
        limits.append(good)
        code = dataclasses.replace(code, limit_qber=float(np.mean(limits)))
    return float(np.mean(limits))


def _expected_limit(syndrome_bits: int, efficiency: float) -> float:
    rate = syndrome_bits / PACKET_BITS / efficiency
    return float(brentq(lambda qber: binary_entropy(qber) - rate, 1e-6, 0.5))


def _smoothed(codes: list[FastCode]) -> list[float]:
    """Limits of a cubic through the efficiencies of all codes, as of the other codes."""
    lengths = np.log([code.syndrome_bits for code in codes])
    measured = [
        code.syndrome_bits / PACKET_BITS / binary_entropy(code.limit_qber) for code in codes
    ]
    smooth = np.polynomial.Polynomial.fit(lengths, measured, 3)(lengths)
    return [
        _expected_limit(code.syndrome_bits, float(efficiency))
        for code, efficiency in zip(codes, smooth, strict=True)
    ]


def make_code(rows: int, seed: int) -> FastCode:
    """Make and measure the code with so many block rows."""
    generator = np.random.default_rng([seed, rows])
    matrix = make_matrix(rows, generator)
    limit = _expected_limit(matrix.checks, _EXPECTED_EFFICIENCY)
    code = FastCode(FAST_OFFSET + matrix.checks, limit, matrix_fingerprint(matrix), matrix)
    return dataclasses.replace(code, limit_qber=measured_limit(code, generator))


def write_codes(codes: list[FastCode], folder: Path) -> None:
    """Write the files of all codes, with limits made smooth."""
    arrays: dict[str, NDArray[np.uint16] | NDArray[np.uint8]] = {}
    lines = []
    for code, limit in zip(codes, _smoothed(codes), strict=True):
        name = str(code.syndrome_bits)
        arrays[f"{name}.degrees"] = np.diff(code.matrix.row_starts).astype(np.uint16)
        arrays[f"{name}.columns"] = code.matrix.columns.astype(np.uint16)
        arrays[f"{name}.shifts"] = code.matrix.shifts.astype(np.uint8)
        entry = {
            "syndrome_bits": code.syndrome_bits,
            "limit_qber": round(limit, 6),
            "fingerprint": code.fingerprint,
        }
        lines.append("  " + json.dumps(entry))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "fast.npz", allow_pickle=False, **arrays)
    (folder / "fast.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=1, show_default=True, help="Seed of every choice.")
@click.option("--processes", default=2, show_default=True, help="Codes made at the same time.")
def design(folder: Path, seed: int, processes: int) -> None:
    """Write fast.npz, the matrices of all fast codes, and fast.json into FOLDER.

    \b
    Example:
        python -m keybeam.distillation.design.fast host/keybeam/distillation/codes
    """
    codes = []
    counts = row_counts()
    with ProcessPoolExecutor(processes) as pool:
        for code in pool.map(make_code, counts, [seed] * len(counts)):
            efficiency = code.syndrome_bits / PACKET_BITS / binary_entropy(code.limit_qber)
            click.echo(
                f"{code.syndrome_bits:6d} bits: QBER {code.limit_qber:.4%}, f {efficiency:.3f}"
            )
            codes.append(code)
    write_codes(codes, folder)


if __name__ == "__main__":
    design()
