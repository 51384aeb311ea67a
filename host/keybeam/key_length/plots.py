"""Plots of the key-length analyses."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keybeam.key_length.hidden import Target
from keybeam.key_length.trial import TrialResult

__all__ = ["plot_trial"]

# Okabe and Ito's palette, which most colour-blind readers can tell apart.
_COLOURS = ("#0072B2", "#D55E00")


def plot_trial(results: list[TrialResult], path: Path) -> None:
    """Draw how close the bounds come to the truth, one panel a bound, into an SVG file.

    Parameters
    ----------
    results : list of TrialResult
        What `run_trial` found.
    path : Path
        File to write.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "trial", "font.size": 10}):
        figure = Figure(figsize=(9.6, 4.2), layout="constrained")
        panels: list[Axes] = list(figure.subplots(1, len(Target), sharey=True))
        for axes, target in zip(panels, Target, strict=True):
            _panel(axes, [r for r in results if r.bound == target.value])
            axes.set_title(target.value, fontsize=10)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        figure.savefig(path, format="svg", metadata={"Date": None})


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
