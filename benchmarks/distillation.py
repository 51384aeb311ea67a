"""Efficiency, frame errors and speed of the distillation, beside what was aimed at.

Prints a Markdown table of reconciliation in its modes for low f; `kernels.py` has the fast one.

Example:
    python benchmarks/distillation.py --frames 1000 --plots docs/images
"""

import json
import math
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import click
import numpy as np
from reporting import machine, save, spread

from keybeam.distillation import Mode, binary_entropy, choose_code, reconcile
from keybeam.distillation.reconciliation import code_by_identifier, decode
from keybeam.protocol.numbers import PACKET_BITS

QBERS = (0.01, 0.02, 0.03, 0.05)

OTHER_QBERS = (0.003, 0.005, 0.08, 0.11)
"""Error rates without an aim, of which a tenth of the frames is measured."""

LONG_FRAMES = ((500_000, 0.02), (1_000_000, 0.02))
"""Bits and error rates of longer frames, of which a twentieth of the frames is measured."""

TARGETS = {
    Mode.EFFICIENT: dict(zip(QBERS, (1.15, 1.12, 1.10, 1.08), strict=True)),
    Mode.INTERACTIVE: dict(zip(QBERS, (1.10, 1.08, 1.065, 1.06), strict=True)),
}
"""Largest f aimed at, of frames of a packet."""

LONG_TARGETS = {(1_000_000, 0.02): 1.05}
"""Largest f aimed at, in any mode."""

FAILURES = {Mode.EFFICIENT: 0.01, Mode.INTERACTIVE: 0.001}
"""Largest part of the frames that may fail."""


def finite_limit(qber: float, failures: float, n: int = PACKET_BITS) -> float:
    """Least f of one message, by the normal approximation.

    M. Tomamichel et al., "Fundamental finite key limits for one-way information reconciliation
    in quantum key distribution", Quantum Inf. Process. 16 (2017) 280, equation 3.
    """
    deviation = math.sqrt(n * qber * (1 - qber)) * math.log2((1 - qber) / qber)
    bits = n * binary_entropy(qber) + deviation * NormalDist().inv_cdf(1 - failures)
    return (bits - math.log2(n) / 2) / (n * binary_entropy(qber))


class Point(NamedTuple):
    """What is measured in one row of the table: mode, error rate, bits of a frame and frames."""

    mode: Mode
    qber: float
    frame_bits: int
    frames: int

    @property
    def aim(self) -> float | None:
        """Largest f aimed at."""
        if self.frame_bits == PACKET_BITS:
            return TARGETS[self.mode].get(self.qber)
        return LONG_TARGETS.get((self.frame_bits, self.qber))


class Frame(NamedTuple):
    """What became of a frame: f, whether it failed, and if in silence, rounds, and Mb/s."""

    f: float
    failed: bool
    silent: bool
    rounds: int
    speed: float


def run_frame(point: Point, seed: tuple[int, ...]) -> Frame:
    """Reconcile a random frame; f counts all bits disclosed, also of one that fails."""
    mode, qber, frame_bits, _ = point
    generator = np.random.default_rng(seed)
    other = generator.integers(0, 2, frame_bits, dtype=np.uint8)
    own = other ^ (generator.random(frame_bits) < qber)
    code = choose_code(qber, mode, frame_bits)
    syndrome = code.syndrome(other)
    start = time.process_time()
    found = reconcile(mode, code, own, syndrome, lambda places: other[places])
    seconds = time.process_time() - start
    silent = found.result.converged and not np.array_equal(found.result.bits, other)
    failed = silent or not found.result.converged
    f = found.leak_bits / frame_bits / binary_entropy(qber)
    return Frame(f, failed, silent, found.rounds, frame_bits / seconds / 1e6)


def measure(point: Point, seed: int, pool: Executor) -> list[Frame]:
    """Reconcile frames; the seed of each says which it is."""
    key = (seed, list(Mode).index(point.mode), round(point.qber * 1e6), point.frame_bits)
    seeds = [(*key, number) for number in range(point.frames)]
    found = pool.map(run_frame, [point] * point.frames, seeds, chunksize=5)
    with click.progressbar(
        found, length=point.frames, file=sys.stderr, label=f"{point.mode.name} {point.qber:.1%}"
    ) as frames:
        return list(frames)


def summary(point: Point, frames: list[Frame]) -> dict:
    """Values of a row."""
    allowed = FAILURES[point.mode]
    f = float(np.mean([frame.f for frame in frames]))
    failed = sum(frame.failed for frame in frames)
    met = None if point.aim is None else f <= point.aim and failed <= allowed * len(frames)
    return {
        "mode": point.mode.name.lower(),
        "frame_bits": point.frame_bits,
        "qber": point.qber,
        "f": f,
        "f_error": float(np.std([frame.f for frame in frames]) / math.sqrt(len(frames))),
        "aim": point.aim,
        "limit": finite_limit(point.qber, allowed, point.frame_bits),
        "frames": len(frames),
        "failed": failed,
        "silent": sum(frame.silent for frame in frames),
        "rounds": float(np.mean([frame.rounds for frame in frames])),
        "speeds": [frame.speed for frame in frames],
        "met": met,
    }


def row(point: dict) -> str:
    """Line of the first table."""
    met = "" if point["met"] is None else "yes" if point["met"] else "no"
    aim = f"{point['aim']:.3f}" if point["aim"] else ""
    return (
        f"| {point['mode']} | {point['frame_bits'] // 1000} k | {point['qber']:.1%} "
        f"| {point['f']:.4f} | {aim} | {point['limit']:.3f} "
        f"| {point['failed']}/{point['frames']} | {point['silent']} | {point['rounds']:.1f} "
        f"| {spread(point['speeds'])} | {met} |"
    )


def key_of(point: dict) -> tuple[str, float, int]:
    """Mode, error rate and length of frame of a row."""
    return point["mode"], point["qber"], point["frame_bits"]


def points(frames: int) -> list[Point]:
    """All rows of the first table."""
    few = max(1, frames // 10)
    return (
        [Point(mode, qber, PACKET_BITS, frames) for mode in TARGETS for qber in QBERS]
        + [
            Point(mode, qber, frame_bits, max(1, frames // 20))
            for frame_bits, qber in LONG_FRAMES
            for mode in TARGETS
        ]
        + [Point(mode, qber, PACKET_BITS, few) for mode in TARGETS for qber in OTHER_QBERS]
    )


def fails(identifier: int, qber: float, seed: tuple[int, ...]) -> bool:
    """Whether the first decoding of a frame of random errors fails with a code."""
    code = code_by_identifier(identifier)
    generator = np.random.default_rng(seed)
    error = (generator.random(code.frame_bits) < qber).astype(np.uint8)
    nothing = np.zeros(code.syndrome_bits, np.uint8)
    return not decode(code, error, nothing).converged


def failure_curve(
    identifier: int, frames: int, seed: int, pool: Executor
) -> list[tuple[float, float]]:
    """Part of the frames that fail with one code, by the error rate."""
    limit = code_by_identifier(identifier).limit_qber
    curve = []
    for part in (0.91, 0.93, 0.95, 0.97, 0.99, 1.01):
        qber = part * limit
        seeds = [(seed, identifier, round(part * 1000), number) for number in range(frames)]
        failed = pool.map(fails, [identifier] * frames, [qber] * frames, seeds, chunksize=5)
        curve.append((qber, sum(failed) / frames))
    return curve


def draw(rows: list[dict], curves: dict[int, list[tuple[float, float]]], folder: Path) -> None:
    """Draw f and speed against the error rate, and the curves of failures."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for mode in TARGETS:
        name = mode.name.lower()
        mine = [r for r in rows if r["mode"] == name and r["frame_bits"] == PACKET_BITS]
        mine.sort(key=lambda r: r["qber"])
        rates = [100 * point["qber"] for point in mine]
        left.plot(rates, [point["f"] for point in mine], "o-", label=name)
        speeds = [np.median(point["speeds"]) for point in mine]
        right.plot(rates, speeds, "o-", label=name)
    for point in rows:
        if point["frame_bits"] != PACKET_BITS:
            label = f"{point['mode']}, {point['frame_bits'] // 1000} kbit"
            left.plot([100 * point["qber"]], [point["f"]], "x", label=label)
    rates = np.geomspace(0.003, 0.11, 100)
    limits = [finite_limit(rate, 0.01) for rate in rates]
    left.plot(100 * rates, limits, "k--", label="limit of one message, 1 % failures")
    left.set(xlabel="QBER, %", ylabel="f", ylim=(1, 1.35), xscale="log")
    for identifier, curve in curves.items():
        middle.plot(*zip(*[(100 * q, part) for q, part in curve], strict=True), "o-",
                    label=f"{identifier} bits")  # fmt: skip
    middle.set(xlabel="QBER, %", ylabel="frames that fail", xscale="log", yscale="log")
    right.set(xlabel="QBER, %", ylabel="Mb/s on one core", xscale="log", yscale="log")
    for axes in (left, middle, right):
        ticks = [100 * rate for rate in (*QBERS, *(() if axes is middle else OTHER_QBERS))]
        axes.set_xticks(ticks, [f"{tick:.4g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(folder / "distillation.svg", metadata={"Date": None})


@click.command()
@click.option("--frames", default=100, show_default=True, help="Frames of each row with an aim.")
@click.option("--seed", default=1, show_default=True, help="Seed of bits and errors.")
@click.option("--processes", default=1, show_default=True, help="Frames at the same time.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the values of the reconciliation to this file.",
)
@click.option(
    "--plots",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Also measure how failures rise with the error rate, and draw distillation.svg here.",
)
@click.option(
    "--rows",
    "rows_path",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Take the rows that this file of --json holds, and measure the others only.",
)
def main(
    frames: int,
    seed: int,
    processes: int,
    json_path: Path | None,
    plots: Path | None,
    rows_path: Path | None,
) -> None:
    """Measure and print the table; speeds are of processor time, median and range.

    \b
    Example:
        python benchmarks/distillation.py --frames 1000 --plots docs/images
    """
    click.echo(f"{machine()}; seed {seed}\n")
    click.echo(
        "| mode | frame | QBER | f | aim | limit | failed | in silence | rounds "
        "| Mb/s a core | met |"
    )
    click.echo("|" + "---|" * 11)
    rows = json.loads(rows_path.read_text(encoding="utf-8"))["rows"] if rows_path else []
    for known in rows:
        click.echo(row(known))
    wanted = {(p.mode.name.lower(), p.qber, p.frame_bits): p for p in points(frames)}
    order = list(wanted)
    with ProcessPoolExecutor(processes) as pool:
        measured = {key_of(known) for known in rows}
        for key, point in wanted.items():
            if key in measured:
                continue
            rows.append(summary(point, measure(point, seed, pool)))
            click.echo(row(rows[-1]))
            rows.sort(key=lambda one: order.index(key_of(one)))
            if json_path:  # what is there is of use, however long the others take
                told = [{**r, "speeds": list(np.quantile(r["speeds"], (0, 0.5, 1)))} for r in rows]
                save(json_path, {"seed": seed, "rows": told})
        if plots:
            chosen = [choose_code(qber).identifier for qber in (0.01, 0.02, 0.05)]
            curves = {code: failure_curve(code, frames, seed, pool) for code in chosen}
            draw(rows, curves, plots)


if __name__ == "__main__":
    main()
