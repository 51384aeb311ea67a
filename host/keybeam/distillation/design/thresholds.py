"""What the ensembles could do: ``python -m keybeam.distillation.design.thresholds``."""

import click

from keybeam.distillation.design.degrees import distribution_for
from keybeam.distillation.design.density_evolution import threshold
from keybeam.distillation.reconciliation.code import FRAME_FACTORS, code_identifiers, limit_of
from keybeam.key_length import binary_entropy
from keybeam.protocol.numbers import PACKET_BITS


@click.command()
@click.option("--every", default=10, show_default=True, help="Codes from one line to the next.")
def thresholds(every: int) -> None:
    """Print f at the threshold of density evolution beside f at the limits of the codes.

    \b
    Example:
        python -m keybeam.distillation.design.thresholds --every 20
    """
    lengths = " | ".join(f"{factor * PACKET_BITS // 1000} kbit" for factor in FRAME_FACTORS)
    click.echo(f"| syndrome rate | f without end | {lengths} |")
    click.echo("|" + "---|" * (2 + len(FRAME_FACTORS)))
    columns = [code_identifiers(factor * PACKET_BITS) for factor in FRAME_FACTORS]
    for codes in list(zip(*columns, strict=True))[every // 2 :: every]:
        rate = codes[0] / PACKET_BITS
        rates = [threshold(distribution_for(rate)), *map(limit_of, codes)]
        cells = " | ".join(f"{rate / binary_entropy(qber):.3f}" for qber in rates)
        click.echo(f"| {rate:.4f} | {cells} |")


if __name__ == "__main__":
    thresholds()
