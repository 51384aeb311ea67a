"""The report of a pass: one HTML page that needs no network."""

from keybeam.report.plots import count_rate_plot, key_plot
from keybeam.report.result import PassResult
from keybeam.report.template import render_template

__all__ = ["render_page"]


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _percent(part: float | None, digits: int = 2) -> str:
    return "–" if part is None else f"{100 * part:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def render_page(result: PassResult) -> str:
    """Write the report of a pass.

    Parameters
    ----------
    result : PassResult
        The pass.

    Returns
    -------
    str
        An HTML document with its styles and plots inside.
    """
    return render_template(
        "keybeam.report",
        result=result,
        count_rate=count_rate_plot(result),
        key=key_plot(result),
        grouped=_grouped,
        percent=_percent,
    )
