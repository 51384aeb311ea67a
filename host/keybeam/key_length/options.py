"""The option by which commands take an analysis."""

import click

from keybeam.key_length.analyses import Analysis

__all__ = ["analysis_option"]

analysis_option = click.option(
    "--analysis",
    type=click.Choice([analysis.value for analysis in Analysis]),
    default=Analysis.COMPOSABLE.value,
    show_default=True,
    help="Analysis of the key length (docs/security.md).",
)
