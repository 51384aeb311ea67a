"""Plot of calibrated delay lines."""

from pathlib import Path

import numpy as np

from keybeam.drawing import svg_figure
from keybeam.receiver.calibration_file import Calibration
from keybeam.tagger import linearity

__all__ = ["write_linearity_plot"]

_COLOURS = {"rising": "#0072B2", "falling": "#D55E00"}


def write_linearity_plot(calibration: Calibration, path: Path) -> None:
    """Draw differential and integral non-linearity of every channel.

    Parameters
    ----------
    calibration : Calibration
        What was counted.
    path : Path
        An SVG file; written whole.
    """
    count = len(calibration.channels)
    with svg_figure(path, "linearity", (8.4, 2.2 * count), font_size=9) as figure:
        rows = figure.subplots(count, 2, squeeze=False)
        for (name, counts), (density, cumulative) in zip(
            calibration.channels.items(), rows, strict=True
        ):
            for edge, table in counts.tables().items():
                shape = linearity(table)
                codes = np.flatnonzero(table.counts)[0] + np.arange(len(shape.dnl_lsb))
                colour = _COLOURS[edge]
                density.plot(codes, shape.dnl_lsb, color=colour, linewidth=0.7, label=edge)
                cumulative.plot(codes, shape.inl_lsb, color=colour, linewidth=0.9)
            density.set(title=f"channel {name}", xlabel="code", ylabel="DNL (LSB)")
            density.legend(frameon=False, fontsize="small")
            cumulative.set(xlabel="code", ylabel="INL (LSB)")
