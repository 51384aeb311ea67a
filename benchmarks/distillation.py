"""Efficiency, frame errors and speed of the distillation, beside what was aimed at.

Prints Markdown tables: reconciliation in its modes, and privacy amplification against a Fourier
transform.

Example:
    python benchmarks/distillation.py --frames 1000 --plots docs/images
"""

import math
import platform
import time
from pathlib import Path
from statistics import NormalDist

import click
import numpy as np

from keybeam.distillation import Mode, binary_entropy, choose_code, reconcile, toeplitz
from keybeam.distillation.amplification import toeplitz_by_transform
from keybeam.distillation.reconciliation import code_by_identifier
from keybeam.distillation.reconciliation.modes import Reconciled
from keybeam.protocol.numbers import PACKET_BITS

QBERS = (0.01, 0.02, 0.03, 0.05)

TARGETS = {
    Mode.EFFICIENT: dict(zip(QBERS, (1.15, 1.12, 1.10, 1.08), strict=True)),
    Mode.INTERACTIVE: dict(zip(QBERS, (1.10, 1.08, 1.065, 1.06), strict=True)),
}
"""Largest f aimed at."""

FAILURES = {Mode.EFFICIENT: 0.01, Mode.INTERACTIVE: 0.001}
"""Largest part of the frames that may fail."""

AMPLIFICATION = ((500_000, 107_392, 300), (10_000_000, 2_150_000, 200))
"""Bits in, bits out (21 %, as the paper's block), and Mb/s of input aimed at."""


def machine() -> str:
    """Processor and versions, for the reader of a result."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{model}, Python {platform.python_version()}, NumPy {np.__version__}"


def spread(values: list[float], digits: int = 0) -> str:
    """Median and range."""
    low, middle, high = np.quantile(values, (0, 0.5, 1))
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def finite_limit(qber: float, failures: float) -> float:
    """Least f of one message, by the normal approximation.

    M. Tomamichel et al., "Fundamental finite key limits for one-way information reconciliation
    in quantum key distribution", Quantum Inf. Process. 16 (2017) 280, equation 3.
    """
    n = PACKET_BITS
    deviation = math.sqrt(n * qber * (1 - qber)) * math.log2((1 - qber) / qber)
    bits = n * binary_entropy(qber) + deviation * NormalDist().inv_cdf(1 - failures)
    return (bits - math.log2(n) / 2) / (n * binary_entropy(qber))


def run_frame(
    mode: Mode, qber: float, generator: np.random.Generator
) -> tuple[Reconciled, int, float]:
    """Reconcile a random frame; also 1 where it failed, 2 where in silence, and the seconds."""
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    own = other ^ (generator.random(PACKET_BITS) < qber)
    code = choose_code(qber, mode)
    syndrome = code.syndrome(other)
    start = time.process_time()
    found = reconcile(mode, code, own, syndrome, lambda places: other[places])
    seconds = time.process_time() - start
    if not found.result.converged:
        return found, 1, seconds
    return found, 0 if np.array_equal(found.result.bits, other) else 2, seconds


def measure(mode: Mode, qber: float, frames: int, generator: np.random.Generator) -> dict:
    """Reconcile frames; f counts all bits disclosed, those of failed frames included."""
    leaks, speeds, rounds, failed, silent = [], [], [], 0, 0
    for _ in range(frames):
        found, outcome, seconds = run_frame(mode, qber, generator)
        speeds.append(PACKET_BITS / seconds / 1e6)
        leaks.append(found.leak_bits / PACKET_BITS / binary_entropy(qber))
        rounds.append(found.rounds)
        failed += outcome != 0
        silent += outcome == 2
    return {
        "mode": mode.name.lower(),
        "qber": qber,
        "f": float(np.mean(leaks)),
        "frames": frames,
        "failed": failed,
        "silent": silent,
        "rounds": float(np.mean(rounds)),
        "speeds": speeds,
    }


def row(point: dict) -> str:
    """Line of the first table."""
    mode = Mode[point["mode"].upper()]
    aim = TARGETS[mode].get(point["qber"])
    failures = FAILURES[mode]
    met = aim and point["f"] <= aim and point["failed"] <= failures * point["frames"]
    return (
        f"| {point['mode']} | {point['qber']:.1%} | {point['f']:.3f} "
        f"| {f'{aim:.3f}' if aim else ''} | {finite_limit(point['qber'], failures):.3f} "
        f"| {point['failed']}/{point['frames']} | {point['silent']} | {point['rounds']:.1f} "
        f"| {spread(point['speeds'], 1)} | {('yes' if met else 'no') if aim else ''} |"
    )


def amplify(n: int, length: int, repeats: int, generator: np.random.Generator) -> list[float]:
    """Mb/s of the Toeplitz product, and how many times faster than the transform it is."""
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        toeplitz(bits, seed, length)
        seconds.append(time.process_time() - start)
    start = time.process_time()
    toeplitz_by_transform(bits, seed, length)
    ratio = (time.process_time() - start) / np.median(seconds)
    return [*(n / np.array(seconds) / 1e6), float(ratio)]


def failure_curve(
    identifier: int, frames: int, generator: np.random.Generator
) -> list[tuple[float, float]]:
    """Part of the frames that fail with one code, by the error rate."""
    code = code_by_identifier(identifier)
    points = []
    for part in (0.9, 0.925, 0.95, 0.975, 1.0, 1.025):
        qber, failed = part * code.limit_qber, 0
        for _ in range(frames):
            error = (generator.random(PACKET_BITS) < qber).astype(np.uint8)
            nothing = np.zeros(code.syndrome_bits, np.uint8)
            found = reconcile(Mode.EFFICIENT, code, error, nothing, lambda places: places)
            failed += not found.result.converged
        points.append((qber, failed / frames))
    return points


def draw(points: list[dict], curves: dict[int, list[tuple[float, float]]], folder: Path) -> None:
    """Draw f and speed against the error rate, and the curves of failures."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for mode in Mode:
        mine = [point for point in points if point["mode"] == mode.name.lower()]
        rates = [100 * point["qber"] for point in mine]
        left.plot(rates, [point["f"] for point in mine], "o-", label=mode.name.lower())
        speeds = [np.median(point["speeds"]) for point in mine]
        right.plot(rates, speeds, "o-", label=mode.name.lower())
    rates = np.linspace(0.005, 0.08, 100)
    limits = [finite_limit(rate, 0.01) for rate in rates]
    left.plot(100 * rates, limits, "k--", label="limit of one message, 1 % failures")
    left.set(xlabel="QBER, %", ylabel="f", ylim=(1, 1.45))
    for identifier, curve in curves.items():
        middle.plot(*zip(*[(100 * q, part) for q, part in curve], strict=True), "o-",
                    label=f"{identifier} bits")  # fmt: skip
    middle.set(xlabel="QBER, %", ylabel="frames that fail", xscale="log")
    right.set(xlabel="QBER, %", ylabel="Mb/s on one core")
    for axes in (left, middle, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(folder / "distillation.svg", metadata={"Date": None})


@click.command()
@click.option("--frames", default=100, show_default=True, help="Frames of each row.")
@click.option("--repeats", default=5, show_default=True, help="Runs of the other timings.")
@click.option("--seed", default=1, show_default=True, help="Seed of bits and errors.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Also measure how failures rise with the error rate, and draw distillation.svg here.",
)
def main(frames: int, repeats: int, seed: int, plots: Path | None) -> None:
    """Measure and print the tables; speeds are of processor time, median and range.

    \b
    Example:
        python benchmarks/distillation.py --frames 1000 --plots docs/images
    """
    generator = np.random.default_rng(seed)
    click.echo(f"{machine()}; one core; seed {seed}\n")
    click.echo(
        "| mode | QBER | f | aim | limit | failed | in silence | rounds | Mb/s a core | met |"
    )
    click.echo("|---|---|---|---|---|---|---|---|---|---|")
    measured = []
    for mode in Mode:
        for qber in (0.005, *QBERS, 0.08):
            measured.append(measure(mode, qber, frames, generator))
            click.echo(row(measured[-1]))
    click.echo("\n| block bits | key bits | Mb/s a core | aim | times the transform | met |")
    click.echo("|---|---|---|---|---|---|")
    for n, length, aim in AMPLIFICATION:
        *speeds, ratio = amplify(n, length, repeats, generator)
        met = "yes" if np.median(speeds) >= aim else "no"
        click.echo(f"| {n} | {length} | {spread(speeds)} | {aim} | {ratio:.1f} | {met} |")
    if plots:
        chosen = [choose_code(qber).identifier for qber in (0.01, 0.03)]
        curves = {code: failure_curve(code, frames, generator) for code in chosen}
        draw(measured, curves, plots)


if __name__ == "__main__":
    main()
