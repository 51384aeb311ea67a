"""Plots of the key-length analyses."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from keybeam.drawing import BLUE, ORANGE, svg_figure
from keybeam.key_length.hidden import Target
from keybeam.key_length.optimiser import Optimum
from keybeam.key_length.trial import TrialResult

__all__ = ["plot_optima", "plot_trial"]

_COLOURS = (BLUE, ORANGE)


def plot_trial(results: list[TrialResult], path: Path) -> None:
    """Draw how close the bounds come to the truth, one panel a bound, into an SVG file.

    Parameters
    ----------
    results : list of TrialResult
        What `run_trial` found.
    path : Path
        File to write.
    """
    with svg_figure(path, "trial", (9.6, 4.2)) as figure:
        panels: list[Axes] = list(figure.subplots(1, len(Target), sharey=True))
        for axes, target in zip(panels, Target, strict=True):
            _panel(axes, [r for r in results if r.bound == target.value])
            axes.set_title(target.value, fontsize=10)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _panel(axes: Axes, results: list[TrialResult]) -> None:
    places = np.arange(len(results))
    allowed = results[0].allowed if results else 0.0
    closeness = [r.closeness for r in results], [r.closeness_of_key for r in results]
    labels = f"allowed to fail: {allowed:g}", "as for a key of ε_sec = 1e-10"
    for shift, colour, values, label in zip((-0.2, 0.2), _COLOURS, closeness, labels, strict=True):
        axes.barh(places + shift, values, height=0.38, color=colour, label=label)
    axes.axvline(1, color="black", lw=0.8)
    axes.set_yticks(places, [r.attack for r in results])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.05), xlabel="bound / truth (upper: truth / bound)")


def plot_optima(losses: list[float], optima: list[Optimum], path: Path) -> None:
    """Draw keys, and the sources that make the most, against the loss, into an SVG file.

    Parameters
    ----------
    losses : list of float
        Losses in dB.
    optima : list of Optimum
        What `optimise` found for each.
    path : Path
        File to write.
    """
    order = np.argsort(losses)
    x = np.asarray(losses)[order]
    best = [optima[i] for i in order]
    with svg_figure(path, "optima", (9.6, 3.8)) as figure:
        keys, source = figure.subplots(1, 2)
        for values, colour, label in (
            ([o.key_bits for o in best], _COLOURS[0], "best source"),
            ([o.reference_bits for o in best], _COLOURS[1], "0.8, 0.1, 0.001 with 1/2, 1/4, 1/4"),
        ):
            keys.plot(x, values, "o-", color=colour, label=label)
        keys.set_yscale("symlog", linthresh=1e4)
        keys.set(xlabel="loss / dB", ylabel="secret key / bit", ylim=(0, None))
        keys.legend(loc="lower left", fontsize=8)
        for values, colour, style, label in (
            ([o.intensities[0] for o in best], _COLOURS[0], "o-", "μ"),
            ([o.intensities[1] for o in best], _COLOURS[1], "o-", "ν"),
            ([o.probabilities[0] for o in best], _COLOURS[0], "s--", "p(μ)"),
            ([o.probabilities[1] for o in best], _COLOURS[1], "s--", "p(ν)"),
        ):
            source.plot(x, values, style, color=colour, label=label)
        source.set(xlabel="loss / dB", ylabel="photons, probability", ylim=(0, 1))
        source.legend(ncols=2, fontsize=8)
