"""Speed of the fast mode of reconciliation and of amplification, beside what was aimed at.

Prints Markdown tables. Of the fast mode also f, all disclosed bits counted, and the failures.

Example:
    python benchmarks/kernels.py --frames 1000
"""

import time
from pathlib import Path

import click
import numpy as np
from reporting import machine, save, spread

from keybeam.distillation import Mode, binary_entropy, choose_code, reconcile, toeplitz
from keybeam.distillation.amplification import product_kernels, toeplitz_by_transform
from keybeam.distillation.reconciliation import fast_instruction_sets
from keybeam.protocol.numbers import PACKET_BITS

FAST = {0.003: None, 0.005: None, 0.01: (150, 1.30), 0.02: None, 0.03: None, 0.05: None, 0.08: None}
"""Error rates, and the Mb/s a core and largest f aimed at with at most 1 % of failures."""

AMPLIFICATION = ((100_000, 21_500, None), (500_000, 107_392, 300), (10_000_000, 2_150_000, 200))
"""Bits in, bits out (21 %, as the paper's block), and Mb/s of input aimed at."""

CHECKED_BITS = 100
"""Bits of each amplified block that are computed again by the definition."""


def refuse(places: np.ndarray) -> np.ndarray:
    """Answer no question: one message has to be enough."""
    raise RuntimeError(f"the fast mode asked for {places.size} bits")


def measure_fast(qber: float, frames: int, batches: int, generator: np.random.Generator) -> dict:
    """Reconcile random frames; a speed is that of a batch of them, failed ones included.

    The fastest tenth of the frames tells what the rest of the machine's work costs.
    """
    code = choose_code(qber, Mode.FAST)
    speeds, times, failed, silent, passes = [], [], 0, 0, 0
    for part in np.array_split(np.arange(frames), batches):
        for _ in part:
            other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
            own = other ^ (generator.random(PACKET_BITS) < qber)
            syndrome = code.syndrome(other)
            start = time.process_time()
            found = reconcile(Mode.FAST, code, own, syndrome, refuse)
            times.append(time.process_time() - start)
            passes += found.result.iterations
            failed += not found.result.converged
            silent += found.result.converged and not np.array_equal(found.result.bits, other)
        speeds.append(part.size * PACKET_BITS / sum(times[-part.size :]) / 1e6)
    return {
        "qber": qber,
        "f": found.leak_bits / PACKET_BITS / binary_entropy(qber),
        "frames": frames,
        "failed": failed,
        "silent": silent,
        "passes": passes / frames,
        "speeds": speeds,
        "fastest": PACKET_BITS / float(np.quantile(times, 0.1)) / 1e6,
    }


def fast_row(point: dict) -> str:
    """Line of the table of the fast mode."""
    aim = FAST[point["qber"]]
    met = ""
    if aim:
        speed, f = aim
        enough = np.median(point["speeds"]) >= speed and point["f"] <= f
        met = "yes" if enough and point["failed"] <= 0.01 * point["frames"] else "no"
    return (
        f"| {point['qber']:.1%} | {point['f']:.3f} | {aim[1] if aim else ''} "
        f"| {point['failed']}/{point['frames']} | {point['silent']} | {point['passes']:.1f} "
        f"| {spread(point['speeds'])} | {point['fastest']:.0f} | {aim[0] if aim else ''} | {met} |"
    )


def measure_amplification(
    n: int, length: int, repeats: int, generator: np.random.Generator
) -> dict:
    """Amplify a random block; some of its bits are computed again by the definition."""
    bits = generator.integers(0, 2, n, dtype=np.uint8)
    seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
    seconds = []
    toeplitz(bits, seed, length)  # makes the tables of the kernel
    for _ in range(repeats):
        start = time.process_time()
        key = toeplitz(bits, seed, length)
        seconds.append(time.process_time() - start)
    places = generator.integers(0, length, CHECKED_BITS)
    right = sum(
        np.count_nonzero(seed[place : place + n][::-1] & bits) % 2 == key[place] for place in places
    )
    start = time.process_time()
    toeplitz_by_transform(bits, seed, length)
    ratio = (time.process_time() - start) / float(np.median(seconds))
    speeds = [n / duration / 1e6 for duration in seconds]
    return {"bits": n, "key": length, "speeds": speeds, "right": int(right), "ratio": ratio}


def amplification_row(point: dict, aim: int | None) -> str:
    """Line of the table of amplification."""
    met = ""
    if aim:
        enough = np.median(point["speeds"]) >= aim and point["right"] == CHECKED_BITS
        met = "yes" if enough else "no"
    return (
        f"| {point['bits']} | {point['key']} | {spread(point['speeds'])} | {aim or ''} "
        f"| {point['right']}/{CHECKED_BITS} | {point['ratio']:.1f} | {met} |"
    )


@click.command()
@click.option("--frames", default=1000, show_default=True, help="Frames of each row.")
@click.option("--batches", default=10, show_default=True, help="Parts whose speeds are compared.")
@click.option("--repeats", default=9, show_default=True, help="Runs of each amplification.")
@click.option("--seed", default=1, show_default=True, help="Seed of bits and errors.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the values to this file.",
)
def main(frames: int, batches: int, repeats: int, seed: int, json_path: Path | None) -> None:
    """Measure and print the tables; speeds are of processor time, median and range.

    \b
    Example:
        python benchmarks/kernels.py --frames 1000
    """
    batches = min(batches, frames)
    generator = np.random.default_rng(seed)
    kernels = f"{fast_instruction_sets()[-1].name} and {product_kernels()[-1].name} kernels"
    click.echo(f"{machine()}; {kernels}; one core; seed {seed}\n")
    click.echo("| QBER | f | aim | failed | in silence | passes | Mb/s a core "
               "| fastest tenth | aim | met |")  # fmt: skip
    click.echo("|---|---|---|---|---|---|---|---|---|---|")
    fast = []
    for qber in FAST:
        fast.append(measure_fast(qber, frames, batches, generator))
        click.echo(fast_row(fast[-1]))
    click.echo("\n| block bits | key bits | Mb/s a core | aim | bits right | times the "
               "transform | met |")  # fmt: skip
    click.echo("|---|---|---|---|---|---|---|")
    amplification = []
    for n, length, aim in AMPLIFICATION:
        amplification.append(measure_amplification(n, length, repeats, generator))
        click.echo(amplification_row(amplification[-1], aim))
    if json_path:
        save(json_path, {"seed": seed, "fast": fast, "amplification": amplification})


if __name__ == "__main__":
    main()
