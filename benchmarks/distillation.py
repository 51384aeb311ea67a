"""Efficiency, frame errors and speed of the distillation: ``python benchmarks/distillation.py``.

Prints Markdown tables: reconciliation at several error rates, the decoder against
its NumPy twin, and privacy amplification.
"""

import platform
import time

import click
import numpy as np

from keybeam.distillation import binary_entropy, choose_code, decode, toeplitz
from keybeam.distillation.reconciliation import Code, reference_decoder
from keybeam.protocol.numbers import PACKET_BITS

QBERS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08)


def machine() -> str:
    """Processor and versions, for the reader of a result."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{model}, Python {platform.python_version()}, NumPy {np.__version__}"


def spread(seconds: list[float]) -> str:
    """Median and range in milliseconds."""
    times = 1e3 * np.array(seconds)
    return f"{np.median(times):.0f} ({times.min():.0f}-{times.max():.0f})"


def random_frame(generator: np.random.Generator, qber: float) -> tuple[np.ndarray, np.ndarray]:
    """The frames of the two ends, with independent errors."""
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    return other ^ (generator.random(PACKET_BITS) < qber), other


def reconcile(code: Code, qber: float, frames: int, generator: np.random.Generator) -> str:
    """Decode frames with one code; a line of the table."""
    seconds, iterations, failures = [], [], 0
    for _ in range(frames):
        own, other = random_frame(generator, qber)
        syndrome = code.syndrome(other)
        start = time.perf_counter()
        result = decode(code, own, syndrome)
        seconds.append(time.perf_counter() - start)
        failures += not np.array_equal(result.bits, other)
        iterations.append(result.iterations)
    efficiency = code.syndrome_bits / PACKET_BITS / binary_entropy(qber)
    rate = PACKET_BITS / np.median(seconds) / 1e6
    return (
        f"| {qber:.1%} | {code.syndrome_bits} | {efficiency:.3f} | {failures}/{frames} "
        f"| {np.median(iterations):.0f} | {spread(seconds)} | {rate:.2f} |"
    )


def against_twin(qber: float, repeats: int, generator: np.random.Generator) -> str:
    """Times of kernel and NumPy twin on the same frames."""
    code = choose_code(qber)
    fast, slow = [], []
    for _ in range(repeats):
        own, other = random_frame(generator, qber)
        syndrome = code.syndrome(other)
        start = time.perf_counter()
        result = decode(code, own, syndrome)
        fast.append(time.perf_counter() - start)
        start = time.perf_counter()
        reference_decoder.decode_layered(
            code.matrix,
            syndrome ^ code.syndrome(own),
            np.full(PACKET_BITS, qber / (1 - qber), np.float32),
            result.iterations,
        )
        slow.append(time.perf_counter() - start)
    ratio = np.median(slow) / np.median(fast)
    return f"| {qber:.1%} | {spread(fast)} | {spread(slow)} | {ratio:.1f} |"


def amplify(n: int, length: int, repeats: int, generator: np.random.Generator) -> str:
    """Times of the Toeplitz product."""
    seconds = []
    for _ in range(repeats):
        bits = generator.integers(0, 2, n, dtype=np.uint8)
        seed = generator.integers(0, 2, n + length - 1, dtype=np.uint8)
        start = time.perf_counter()
        toeplitz(bits, seed, length)
        seconds.append(time.perf_counter() - start)
    return f"| {n} | {length} | {spread(seconds)} |"


@click.command()
@click.option("--frames", default=100, show_default=True, help="Frames at each error rate.")
@click.option("--repeats", default=5, show_default=True, help="Runs of the other timings.")
@click.option("--seed", default=1, show_default=True, help="Seed of bits and errors.")
def main(frames: int, repeats: int, seed: int) -> None:
    """Measure and print the tables; times are the median and the range of wall times."""
    generator = np.random.default_rng(seed)
    click.echo(f"{machine()}; one core; seed {seed}\n")
    click.echo("| QBER | syndrome bits | f | failed | passes | decode, ms | Mbit/s |")
    click.echo("|---|---|---|---|---|---|---|")
    for qber in QBERS:
        click.echo(reconcile(choose_code(qber), qber, frames, generator))
    click.echo("\n| QBER | C++, ms | NumPy twin, ms | ratio |\n|---|---|---|---|")
    for qber in (0.01, 0.05):
        click.echo(against_twin(qber, repeats, generator))
    click.echo("\n| block bits | key bits | Toeplitz product, ms |\n|---|---|---|")
    for n, length in ((500_000, 200_000), (900_000, 400_000)):
        click.echo(amplify(n, length, repeats, generator))


if __name__ == "__main__":
    main()
