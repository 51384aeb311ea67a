"""Plots of analyses: as text for a terminal, and as a page that needs no network."""

import io
from dataclasses import dataclass

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from keybeam.drawing import svg_figure
from keybeam.errors import KeybeamError

__all__ = ["Plot", "Series", "html_page", "text_plot"]

# Okabe and Ito's palette, which most colour-blind readers can tell apart.
_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888"]

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ plot.title }}</title>
<style>
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; }
td { padding: 0.2rem 1.5rem 0.2rem 0; border-top: 1px solid #ccc; }
td + td { text-align: right; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<h1>{{ plot.title }}</h1>
{{ svg }}
<table>
{% for name, value in facts.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</table>
</body>
</html>
"""


@dataclass(frozen=True)
class Series:
    """One curve.

    Attributes
    ----------
    name : str
        What the legend calls it.
    x, y : ndarray of float64, shape (n,)
        Its points.
    errors : ndarray of float64, shape (n,), or None
        Standard errors of `y`.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    errors: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Plot:
    """Curves over a common axis.

    Attributes
    ----------
    title, x_label, y_label : str
        Texts, units included.
    series : tuple of Series
        The curves.
    steps : bool
        Whether points are bins rather than samples of a line.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    steps: bool = False


def text_plot(plot: Plot, width: int = 100, height: int = 24) -> str:
    """Draw a plot with characters.

    Parameters
    ----------
    plot : Plot
        What to draw.
    width, height : int
        Characters and lines.

    Raises
    ------
    KeybeamError
        If plotext is not installed.
    """
    try:
        import plotext
    except ModuleNotFoundError as error:
        raise KeybeamError("plots as text need plotext: pip install 'keybeam[lab]'") from error
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    plotext.title(plot.title)
    plotext.xlabel(plot.x_label)
    plotext.ylabel(plot.y_label)
    for series in plot.series:
        plotext.plot(series.x.tolist(), series.y.tolist(), label=series.name)
    plotext.ylim(*_limits(plot))
    return str(plotext.uncolorize(plotext.build()))


def _limits(plot: Plot) -> tuple[float, float]:
    """Range of the vertical axis: from zero, unless there are values below it."""
    values = np.concatenate([np.zeros(1), *(series.y for series in plot.series)])
    low, high = float(values.min()), float(values.max())
    return low, high if high > low else low + 1.0


def html_page(plot: Plot, facts: dict[str, str]) -> str:
    """Write a page with a plot and a table of facts; everything it needs is inside.

    Parameters
    ----------
    plot : Plot
        What to draw.
    facts : dict of str to str
        Names and values for the table.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_PAGE)
    # The drawing is our own: matplotlib escapes the texts in it.
    return page.render(plot=plot, svg=Markup(_svg(plot)), facts=facts)


def _svg(plot: Plot) -> str:
    text = io.StringIO()
    with svg_figure(text, plot.title, (9.6, 4.2)) as figure:
        axes = figure.subplots()
        for series, colour in zip(plot.series, _COLOURS * 8, strict=False):
            style = "steps-mid" if plot.steps else "default"
            axes.plot(series.x, series.y, color=colour, lw=1.2, label=series.name, drawstyle=style)
            if series.errors is not None:
                low, high = series.y - series.errors, series.y + series.errors
                axes.fill_between(
                    series.x,
                    low,
                    high,
                    color=colour,
                    alpha=0.25,
                    lw=0,
                    step="mid" if plot.steps else None,
                )
        axes.set(xlabel=plot.x_label, ylabel=plot.y_label)
        bottom, top = _limits(plot)
        axes.set_ylim(1.05 * bottom, 1.05 * top)
        axes.margins(x=0)
        axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
    return text.getvalue()[text.getvalue().index("<svg") :]
