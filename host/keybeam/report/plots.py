"""Plots of a pass, as SVG that stands inside a page.

Each plot is drawn twice, once for a wide and once for a narrow window, so
that its text keeps a readable size on a telephone.
"""

import io
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from keybeam.drawing import BLUE, GREEN, GREY, ORANGE, svg_figure
from keybeam.report.result import PassResult

__all__ = [
    "Plot",
    "both_sizes",
    "count_rate_plot",
    "key_plot",
]

_WIDE, _NARROW = (9.6, 3.7), (4.3, 3.9)


class Plot(NamedTuple):
    """One plot in both sizes, as SVG elements without fixed width."""

    wide: str
    narrow: str


def _svg(draw: Callable[[Axes], None], size: tuple[float, float], salt: str) -> str:
    """Draw into a figure of `size` inches and give its SVG element, scalable and repeatable."""
    text = io.StringIO()
    with svg_figure(text, salt, size) as figure:
        draw(figure.subplots())
    element = text.getvalue()[text.getvalue().index("<svg") :]
    head, rest = element.split(">", 1)
    return re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + rest


def both_sizes(draw: Callable[[Axes], None], name: str) -> Plot:
    """Draw the same for a wide and for a narrow window; `name` makes its identifiers unique."""
    return Plot(_svg(draw, _WIDE, f"{name} wide"), _svg(draw, _NARROW, f"{name} narrow"))


def _legend_above(axes: Axes, *others: Axes) -> None:
    handles, labels = [], []
    for each in (axes, *others):
        found = each.get_legend_handles_labels()
        handles += found[0]
        labels += found[1]
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(labels),
        frameon=False,
        columnspacing=1.0,
        handlelength=1.4,
        borderaxespad=0.2,
    )


def count_rate_plot(result: PassResult) -> Plot:
    """Range and count rate against time, as Fig. 4b of arXiv:2408.10994.

    Parameters
    ----------
    result : PassResult
        The pass.
    """
    series = result.series

    def draw(axes: Axes) -> None:
        rate = np.asarray(series.clicks) / 1e3
        axes.plot(series.time_s, rate, color=BLUE, lw=1.2, label="counted")
        expected = np.asarray(series.expected_clicks) / 1e3
        axes.plot(series.time_s, expected, color=GREY, lw=1, ls="--", label="expected")
        axes.set(xlabel="time / s", ylabel="detected clicks / (10³/s)", ylim=(0, None))
        axes.margins(x=0)
        axes.yaxis.label.set_color(BLUE)
        distance = axes.twinx()
        distance.plot(series.time_s, series.range_km, color=ORANGE, lw=1.6, label="range")
        distance.set_ylabel("range / km", color=ORANGE)
        _legend_above(axes, distance)

    return both_sizes(draw, "count rate")


def key_plot(result: PassResult) -> Plot:
    """Error rate of each packet and secret key against time, as Fig. 4c of arXiv:2408.10994.

    Parameters
    ----------
    result : PassResult
        The pass.
    """
    good = [packet for packet in result.packet_list if packet.qber is not None]

    def draw(axes: Axes) -> None:
        times = [packet.time_s for packet in good]
        errors = [100 * packet.qber for packet in good if packet.qber is not None]
        axes.plot(times, errors, "o-", color=GREEN, ms=4, lw=0.8, label="QBER of a packet")
        axes.set(xlabel="time / s", ylabel="QBER / %", xlim=(0, result.duration_s))
        axes.set_ylim(0, 1.15 * max(errors, default=1.0))
        axes.yaxis.label.set_color(GREEN)
        key = axes.twinx()
        ends = [0.0, *(block.time_s for block in result.blocks), result.duration_s]
        total = np.cumsum([0, *(block.length_bits for block in result.blocks), 0]) / 1e3
        key.step(ends, total, where="post", color=BLUE, lw=1.6, label="secret key")
        key.set_ylabel("secret key / kbit", color=BLUE)
        key.set_ylim(0, None)
        _legend_above(axes, key)

    return both_sizes(draw, "key")
