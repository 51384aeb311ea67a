"""What all drawings have in common: colours, and SVG that repeats byte for byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import matplotlib as mpl
from matplotlib.figure import Figure

from keybeam.whole_files import whole_file

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "svg_figure"]

# Okabe and Ito's palette, which most colour-blind readers can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#888888"


@contextmanager
def svg_figure(
    target: Path | TextIO,
    name: str,
    size: tuple[float, float],
    *,
    font_size: float = 10,
) -> Iterator[Figure]:
    """Give a figure to draw into, and write it as SVG at the end.

    Parameters
    ----------
    target : Path or text file
        Where it goes: a file that is written whole or not at all, or an open one, as part of a
        page, whose background then shines through.
    name : str
        Makes its identifiers unique among those of other figures in a page.
    size : tuple of float
        Width and height in inches.
    font_size : float
        In points.

    Yields
    ------
    Figure
        Laid out by matplotlib's constrained layout.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    undated = {"Date": None}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": font_size}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        if isinstance(target, Path):
            with whole_file(target) as part:
                figure.savefig(part, format="svg", metadata=undated)
        else:
            figure.savefig(target, format="svg", transparent=True, metadata=undated)
