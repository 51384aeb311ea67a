"""Cascade beside the codes: efficiency, rounds, failures and speed on the same frames.

Example:
    python benchmarks/cascade.py --frames 100
"""

import time

import click
import numpy as np
from reporting import machine

from keybeam.distillation import Mode, binary_entropy, choose_code, reconcile
from keybeam.distillation.reconciliation import (
    CascadePlan,
    CascadeSender,
    Reconciled,
    reconcile_by_cascade,
)
from keybeam.protocol.numbers import PACKET_BITS


def both(qber: float, number: int, generator: np.random.Generator) -> list[tuple]:
    """Outcome of Cascade and of the codes on a frame: found, right, seconds of processor time."""
    other = generator.integers(0, 2, PACKET_BITS, dtype=np.uint8)
    own = other ^ (generator.random(PACKET_BITS) < qber)
    plan = CascadePlan(PACKET_BITS, qber, number)
    sender = CascadeSender(plan, other)
    code = choose_code(qber, Mode.INTERACTIVE)
    syndrome = code.syndrome(other)
    outcomes = []
    for work in (
        lambda: reconcile_by_cascade(plan, own, sender.parities),
        lambda: reconcile(Mode.INTERACTIVE, code, own, syndrome, lambda places: other[places]),
    ):
        start = time.process_time()
        found: Reconciled = work()
        seconds = time.process_time() - start
        outcomes.append((found, np.array_equal(found.result.bits, other), seconds))
    return outcomes


@click.command()
@click.option("--frames", default=100, show_default=True, help="Frames of 100 kbit a line.")
@click.option("--seed", default=1, show_default=True, help="Seed of the frames.")
def main(frames: int, seed: int) -> None:
    """Measure and print the table."""
    generator = np.random.default_rng(seed)
    click.echo(f"{machine()}; {frames} frames of {PACKET_BITS} bits; seed {seed}\n")
    click.echo("| QBER | by | f, median (range) | rounds | wrong frames | Mb/s, median (range) |")
    click.echo("|---|---|---|---|---|---|")
    for qber in (0.01, 0.02, 0.03, 0.05):
        found = [both(qber, number, generator) for number in range(frames)]
        for name, outcomes in zip(("Cascade", "codes"), zip(*found, strict=True), strict=True):
            leaks = [item.leak_bits / PACKET_BITS / binary_entropy(qber) for item, _, _ in outcomes]
            speeds = [PACKET_BITS / seconds / 1e6 for _, _, seconds in outcomes]
            rounds = float(np.mean([item.rounds for item, _, _ in outcomes]))
            wrong = sum(not right for _, right, _ in outcomes)
            click.echo(
                f"| {qber:.0%} | {name} | {np.median(leaks):.4f} ({min(leaks):.3f}-"
                f"{max(leaks):.3f}) | {rounds:.1f} | {wrong}/{frames} | {np.median(speeds):.2f} "
                f"({min(speeds):.2f}-{max(speeds):.2f}) |"
            )


if __name__ == "__main__":
    main()
