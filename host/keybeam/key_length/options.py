"""The options by which commands take an analysis, and a source."""

import click

from keybeam.key_length.analyses import Analysis
from keybeam.key_length.paper import PAPER_INTENSITIES, PAPER_PROBABILITIES

__all__ = ["analysis_option", "intensities_option", "probabilities_option"]

analysis_option = click.option(
    "--analysis",
    type=click.Choice([analysis.value for analysis in Analysis]),
    default=Analysis.COMPOSABLE.value,
    show_default=True,
    help="Analysis of the key length (docs/security.md).",
)

intensities_option = click.option(
    "--intensities",
    type=float,
    nargs=3,
    default=PAPER_INTENSITIES,
    show_default=True,
    metavar="MU NU O",
    help="Mean photons of signal, decoy and vacuum pulses.",
)

probabilities_option = click.option(
    "--probabilities",
    type=float,
    nargs=3,
    default=PAPER_PROBABILITIES,
    show_default=True,
    metavar="MU NU O",
    help="Probabilities of signal, decoy and vacuum pulses.",
)
