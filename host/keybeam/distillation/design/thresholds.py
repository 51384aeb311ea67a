"""What the ensembles could do: ``python -m keybeam.distillation.design.thresholds``."""

import click
import numpy as np

from keybeam.distillation.design.density_evolution import DegreeDistribution, threshold
from keybeam.distillation.design.plan import CodePlan, code_plans
from keybeam.distillation.reconciliation.code import limit_of
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS

__all__ = ["distribution_of"]


def distribution_of(plan: CodePlan) -> DegreeDistribution:
    """Degrees of the edges of a code's ensemble."""
    columns = np.bincount(plan.degrees)
    edges = sum(plan.degrees)
    parts = {int(i): float(i * columns[i] / edges) for i in np.flatnonzero(columns)}
    return DegreeDistribution(parts, edges / plan.block_rows)


@click.command()
@click.option("--every", default=10, show_default=True, help="Codes from one line to the next.")
def thresholds(every: int) -> None:
    """Print f at the threshold of density evolution beside f at the measured limit.

    \b
    Example:
        python -m keybeam.distillation.design.thresholds --every 20
    """
    click.echo("| syndrome bits | f of the ensemble | f of the code |\n|---|---|---|")
    for plan in code_plans()[every // 2 :: every]:
        rate = plan.syndrome_bits / PACKET_BITS
        ensemble = rate / binary_entropy(threshold(distribution_of(plan)))
        code = rate / binary_entropy(limit_of(plan.syndrome_bits))
        click.echo(f"| {plan.syndrome_bits} | {ensemble:.3f} | {code:.3f} |")


if __name__ == "__main__":
    thresholds()
