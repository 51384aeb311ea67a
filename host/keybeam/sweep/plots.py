"""Plot of a sweep: one quantity against one axis, a line for every value of the others."""

from pathlib import Path

from keybeam.drawing import svg_figure
from keybeam.sweep.errors import SweepError
from keybeam.sweep.points import Outcome, scalars

__all__ = ["plot_sweep"]


def plot_sweep(found: list[Outcome], x: str, y: str, path: Path) -> None:
    """Draw a sweep into an SVG file; points that failed are left out.

    Parameters
    ----------
    found : list of Outcome
        What came of the points.
    x : str
        Axis of numbers.
    y : str
        Name of a number in the results.
    path : Path
        File to write.

    Raises
    ------
    SweepError
        If there is no such number at any point.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for outcome in found:
        value = scalars(outcome.result).get(y)
        if isinstance(value, int | float):
            others = [f"{name} {text}" for name, text in outcome.values.items() if name != x]
            try:
                place = float(outcome.values[x])
            except ValueError as error:
                raise SweepError(f"{x} has values that are no numbers, to plot against") from error
            lines.setdefault(", ".join(others), []).append((place, float(value)))
    if not lines:
        raise SweepError(f"no point of the sweep gave a number {y!r} to plot")
    with svg_figure(path, "sweep", (7, 4.5)) as figure:
        axes = figure.subplots()
        for label, places in lines.items():
            axes.plot(*zip(*sorted(places), strict=True), marker="o", ms=4, label=label or None)
        axes.set(xlabel=x, ylabel=y)
        axes.grid(alpha=0.3)
        if len(lines) > 1:
            axes.legend()
