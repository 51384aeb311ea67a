"""Plots of what a time-tagger reaches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keybeam.drawing import BLUE, svg_figure

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
    size = (4.2 * len(results), 7.5)
    with svg_figure(path, "tagger", size, font_size=9) as figure:
        axes = figure.subplots(3, len(results), squeeze=False)
        for column, result in enumerate(results):
            _draw(axes[:, column], result)


def _draw(axes: np.ndarray[tuple[int], np.dtype[np.object_]], result: SimulatedTagger) -> None:
    lines = "one line" if result.chains == 1 else f"{result.chains} lines"
    density, cumulative, errors = axes
    density.set_title(f"speed grade {result.grade}, {lines}")
    codes = np.flatnonzero(result.table.counts)[0] + np.arange(len(result.linearity.dnl_lsb))
    density.vlines(codes, 0, result.linearity.dnl_lsb, linewidth=0.6, color=BLUE)
    density.set(xlabel="code", ylabel="DNL (LSB)")
    cumulative.plot(codes, result.linearity.inl_lsb, linewidth=0.9, color=BLUE)
    cumulative.set(xlabel="code", ylabel="INL before calibration (LSB)")
    edges = np.arange(-_ERROR_RANGE_PS, _ERROR_RANGE_PS + 1, _ERROR_STEP_PS)
    errors.hist(result.errors_ps, edges, color=BLUE)
    errors.set(xlabel="error of a single time (ps)", ylabel="shots")
    errors.set_title(f"RMS {result.rms_ps:.1f} ps", fontsize="medium")
