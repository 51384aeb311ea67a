"""The page of a bring-up: one HTML file that needs no network."""

from keybeam.bringup.run import BringUpResult, Section
from keybeam.report.plots import Plot
from keybeam.report.template import render_template

__all__ = ["render_page"]


def render_page(
    result: BringUpResult, sections: list[Section], plots: dict[str, list[tuple[str, Plot]]]
) -> str:
    """Write the page.

    Parameters
    ----------
    result, sections, plots
        As of `keybeam.bringup.run.judge`.

    Returns
    -------
    str
        An HTML document with its styles and plots inside.
    """
    failed = [place for place, check in enumerate(result.checks) if not check.passed]
    return render_template(
        "keybeam.bringup", result=result, sections=sections, plots=plots, failed=failed
    )
