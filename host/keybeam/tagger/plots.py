"""Plots of what a time-tagger reaches."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from .simulation import SimulatedTagger

__all__ = ["write_plot"]

_ERROR_RANGE_PS, _ERROR_STEP_PS = 60, 2


def write_plot(results: Sequence[SimulatedTagger], path: Path) -> None:
    """Draw non-linearity and errors of channels with one and two delay lines.

    Parameters
    ----------
    results : sequence of SimulatedTagger
        One column each.
    path : Path
        An SVG file; written whole.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tagger", "font.size": 9}):
        figure = Figure(figsize=(4.2 * len(results), 7.5), layout="constrained")
        axes = figure.subplots(3, len(results), squeeze=False)
        for column, result in enumerate(results):
            _draw(axes[:, column], result)
        scratch = path.with_name(path.name + ".part")
        figure.savefig(scratch, format="svg", metadata={"Date": None})
    scratch.replace(path)


def _draw(axes: np.ndarray[tuple[int], np.dtype[np.object_]], result: SimulatedTagger) -> None:
    lines = "one line" if result.chains == 1 else f"{result.chains} lines"
    density, cumulative, errors = axes
    density.set_title(f"speed grade {result.grade}, {lines}")
    codes = np.flatnonzero(result.table.counts)[0] + np.arange(len(result.linearity.dnl_lsb))
    density.vlines(codes, 0, result.linearity.dnl_lsb, linewidth=0.6, color="#0072B2")
    density.set(xlabel="code", ylabel="DNL (LSB)")
    cumulative.plot(codes, result.linearity.inl_lsb, linewidth=0.9, color="#0072B2")
    cumulative.set(xlabel="code", ylabel="INL before calibration (LSB)")
    edges = np.arange(-_ERROR_RANGE_PS, _ERROR_RANGE_PS + 1, _ERROR_STEP_PS)
    errors.hist(result.errors_ps, edges, color="#0072B2")
    errors.set(xlabel="error of a single time (ps)", ylabel="shots")
    errors.set_title(f"RMS {result.rms_ps:.1f} ps", fontsize="medium")
