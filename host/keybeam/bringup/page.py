"""The page of a bring-up: one HTML file that needs no network."""

from importlib import resources

import jinja2

from keybeam.bringup.run import BringUpResult, Section
from keybeam.report.plots import Plot

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
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    source = resources.files("keybeam.bringup").joinpath("page.html.j2").read_text("utf-8")
    failed = [place for place, check in enumerate(result.checks) if not check.passed]
    return environment.from_string(source).render(
        result=result, sections=sections, plots=plots, failed=failed
    )
