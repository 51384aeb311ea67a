"""The command ``keybeam keylength``."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import click

from keybeam.key_length.composable import (
    ComposableKeyLength,
    Security,
    composable_key_length,
)
from keybeam.key_length.counts import (
    BasisCounts,
    BlockCounts,
    SiftedCounts,
    reconciliation_leak,
)
from keybeam.key_length.options import intensities_option, probabilities_option
from keybeam.key_length.paper import (
    PAPER_XI,
    KeyLength,
    paper_key_length,
)
from keybeam.key_length.source import Source
from keybeam.key_length.studies import best_source, published, trial
from keybeam.options import FiniteFloat
from keybeam.options import as_json as json_option
from keybeam.output import Value, print_json, print_sections

__all__ = ["keylength"]

_COUNT = click.IntRange(min=0)
_OPEN = click.FloatRange(0, 1, min_open=True, max_open=True)


class _DefaultGroup(click.Group):
    """A group whose first command is meant where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["block", *args]
        return super().parse_args(ctx, args)


def _print_result(result: KeyLength, analysis: str, as_json: bool) -> None:
    if as_json:
        print_json({"analysis": analysis, **dataclasses.asdict(result)})
        return
    rows: dict[str, Value] = {
        "single-photon signal clicks, at least (s1)": round(result.s1, 2),
        "their phase error rate, at most (e1)": round(result.e1, 6),
    }
    if isinstance(result, ComposableKeyLength):
        rows |= {
            "signal clicks without a photon, at least (s0)": round(result.s0, 2),
            "bits that the numbers of errors tell": result.announced_bits,
            "bits of verification": result.verification_bits,
            "bits given up by amplification": round(result.amplification_bits, 1),
            "ε_sec": result.secrecy,
            "ε_cor": result.correctness,
        }
    rows |= {
        "bits leaked by reconciliation": round(result.leak_bits),
        "secret key bits": result.length_bits,
    }
    print_sections({f"Key length ({analysis} analysis)": rows}, as_json=False)


def _composable_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the composable analysis."""
    for option in reversed(_COMPOSABLE_OPTIONS):
        command = option(command)
    return command


_COMPOSABLE_OPTIONS = (
    click.option("--secrecy", type=_OPEN, default=1e-10, show_default=True, help="ε_sec."),
    click.option(
        "--correctness",
        type=_OPEN,
        default=1e-15,
        show_default=True,
        help="ε_cor.",
    ),
    click.option(
        "--intensity-uncertainty",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=True,
        help="Largest relative deviation of an intensity.",
    ),
    click.option(
        "--preparation-error",
        type=click.FloatRange(0, 45, max_open=True),
        default=0.0,
        show_default=True,
        metavar="DEGREES",
        help="Largest error of the angle between the bases.",
    ),
    click.option(
        "--packets",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        help="Reconciliation packets of the block.",
    ),
    click.option(
        "--dropped-packets",
        type=click.IntRange(0, 1023),
        default=0,
        show_default=True,
        help="Packets that failed within the span of the block.",
    ),
)
"""ε, uncertainties and packets."""


@click.group(cls=_DefaultGroup)
def keylength() -> None:
    """Compute the secret bits of a block from its counts.

    Without the name of a command, `block` is meant.

    \b
    Example:
        keybeam keylength --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878 --qber 0.0101 --efficiency 1.2
    """


@keylength.command()
@click.option("--signal", type=_COUNT, required=True, help="Sifted signal clicks.")
@click.option("--decoy", type=_COUNT, required=True, help="Sifted decoy clicks.")
@click.option("--vacuum", type=_COUNT, required=True, help="Sifted vacuum clicks.")
@click.option("--decoy-errors", type=_COUNT, required=True, help="Errors among the decoy clicks.")
@click.option(
    "--qber", type=click.FloatRange(0, 0.5), required=True, help="Error rate of the signal bits."
)
@click.option("--leak", type=click.FloatRange(min=0), help="Bits leaked by reconciliation.")
@click.option(
    "--efficiency",
    type=click.FloatRange(min=1),
    help="Efficiency f of reconciliation, instead of --leak: the leak is f × signal × H(qber).",
)
@click.option(
    "--analysis",
    type=click.Choice(["paper", "composable"]),
    default="paper",
    show_default=True,
    help="Security analysis: that of arXiv:2408.10994, or that of docs/security.md.",
)
@intensities_option
@probabilities_option
@click.option(
    "--xi",
    type=_OPEN,
    default=PAPER_XI,
    show_default=True,
    help="Failure probability of each Chernoff bound of the paper's analysis.",
)
@click.option(
    "--key-basis-probability",
    type=_OPEN,
    help="Where one basis makes the key and the other checks: with which probability either end "
    "chooses the former. Composable analysis, with --check-clicks and --check-errors.",
)
@click.option(
    "--check-clicks",
    type=_COUNT,
    nargs=3,
    metavar="MU NU O",
    help="Sifted clicks of the basis that checks.",
)
@click.option("--check-errors", type=_COUNT, nargs=3, metavar="MU NU O", help="Errors among them.")
@_composable_options
@json_option
def block(
    signal: int,
    decoy: int,
    vacuum: int,
    decoy_errors: int,
    qber: float,
    leak: float | None,
    efficiency: float | None,
    analysis: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block from its counts.

    \b
    Examples:
        keybeam keylength --signal 500000 --decoy 34375 --vacuum 3879 \\
            --decoy-errors 1878 --qber 0.0101 --efficiency 1.2
        keybeam keylength block --analysis composable --packets 5 --signal 500000 \\
            --decoy 34375 --vacuum 3879 --decoy-errors 1878 --qber 0.0101 --leak 58650
    """
    if (leak is None) == (efficiency is None):
        raise click.UsageError("give one of --leak and --efficiency")
    counts = BlockCounts(signal=signal, decoy=decoy, vacuum=vacuum, decoy_errors=decoy_errors)
    result: KeyLength
    if analysis == "paper":
        result = paper_key_length(
            counts,
            qber,
            leak_bits=leak,
            efficiency=efficiency,
            intensities=options["intensities"],
            probabilities=options["probabilities"],
            xi=options["xi"],
        )
    else:
        result = _composable(
            counts, qber, reconciliation_leak(signal, qber, leak, efficiency), options
        )
    _print_result(result, analysis, as_json)


def _composable(
    counts: BlockCounts, qber: float, leak: float, options: dict[str, Any]
) -> ComposableKeyLength:
    clicks = (counts.signal, counts.decoy, counts.vacuum)
    errors = (math.ceil(qber * counts.signal), counts.decoy_errors, None)
    shape = options["intensities"], options["probabilities"]
    biased = [options[n] for n in ("key_basis_probability", "check_clicks", "check_errors")]
    if any(given is None for given in biased) != all(given is None for given in biased):
        raise click.UsageError(
            "give all of --key-basis-probability, --check-clicks and --check-errors, or none"
        )
    chosen, check_clicks, check_errors = biased
    check = None if chosen is None else BasisCounts(check_clicks, check_errors)
    key = BasisCounts(clicks, errors)
    return _composable_length(key, leak, shape, options, check=check, chosen=chosen)


def _composable_length(
    counts: BasisCounts,
    leak: float,
    shape: tuple[tuple[float, ...], tuple[float, ...]],
    options: dict[str, Any],
    *,
    check: BasisCounts | None = None,
    chosen: float | None = None,
    pair_correlation: float | None = None,
    pulses: int | None = None,
) -> ComposableKeyLength:
    sifted = SiftedCounts(
        counts,
        check,
        packets=options["packets"],
        dropped_packets=options["dropped_packets"],
        pulses=pulses,
    )
    source = Source(
        *shape,
        intensity_uncertainty=options["intensity_uncertainty"],
        preparation_error_deg=options["preparation_error"],
        key_basis_probability=chosen,
        pair_correlation=pair_correlation,
    )
    security = Security(options["secrecy"], options["correctness"])
    return composable_key_length(sifted, leak, source, security)


@keylength.command()
@click.option("--signal", type=_COUNT, required=True, help="Sifted signal clicks.")
@click.option("--decoy", type=_COUNT, required=True, help="Sifted decoy clicks.")
@click.option("--signal-errors", type=_COUNT, required=True, help="Errors among the signal clicks.")
@click.option("--decoy-errors", type=_COUNT, required=True, help="Errors among the decoy clicks.")
@click.option(
    "--leak", type=FiniteFloat(min=0), required=True, help="Bits leaked by reconciliation."
)
@click.option(
    "--intensities",
    type=FiniteFloat(),
    nargs=2,
    default=(0.5, 0.1),
    show_default=True,
    metavar="MU NU",
    help="Mean photons of signal and decoy pulses.",
)
@click.option(
    "--decoy-probability",
    type=_OPEN,
    default=0.25,
    show_default=True,
    help="Probability of decoy pulses.",
)
@_composable_options
@json_option
def one_decoy(
    signal: int,
    decoy: int,
    signal_errors: int,
    decoy_errors: int,
    leak: float,
    intensities: tuple[float, float],
    decoy_probability: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block of a source with one decoy, composably.

    \b
    Example:
        keybeam keylength one-decoy --signal 500000 --signal-errors 6000 --decoy 36000 \\
            --decoy-errors 1800 --leak 50000
    """
    counts = BasisCounts((signal, decoy), (signal_errors, decoy_errors))
    shape = intensities, (1 - decoy_probability, decoy_probability)
    _print_result(_composable_length(counts, leak, shape, options), "composable", as_json)


@keylength.command()
@click.option("--clicks", type=_COUNT, required=True, help="Sifted clicks.")
@click.option("--errors", type=_COUNT, required=True, help="Errors among them.")
@click.option("--pulses", type=_COUNT, required=True, help="Pulses sent.")
@click.option(
    "--leak", type=FiniteFloat(min=0), required=True, help="Bits leaked by reconciliation."
)
@click.option(
    "--mean-photons",
    type=FiniteFloat(min=0, min_open=True),
    required=True,
    help="Mean photons of a pulse.",
)
@click.option("--g2", type=FiniteFloat(min=0), required=True, help="Its g²(0).")
@_composable_options
@json_option
def single_photon(
    clicks: int,
    errors: int,
    pulses: int,
    leak: float,
    mean_photons: float,
    g2: float,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute the secret bits of a block of a single-photon source, composably.

    There are no decoys; every pulse that g²(0) allows to have several photons is taken for a
    click.

    \b
    Example:
        keybeam keylength single-photon --clicks 500000 --errors 10000 --pulses 60000000 \\
            --mean-photons 0.5 --g2 0.02 --leak 80000
    """
    counts = BasisCounts((clicks,), (errors,))
    shape = (mean_photons,), (1.0,)
    result = _composable_length(counts, leak, shape, options, pair_correlation=g2, pulses=pulses)
    _print_result(result, "composable", as_json)


for study in (published, trial, best_source):
    keylength.add_command(study)
