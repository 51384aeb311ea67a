"""Pages from templates: HTML documents that need no network."""

from importlib import resources

import jinja2

__all__ = ["render_template"]


def render_template(package: str, **values: object) -> str:
    """Fill in the template ``page.html.j2`` of a package.

    Parameters
    ----------
    package : str
        The package.
    **values : object
        What the template names; text is escaped, and a name without a value is an error.

    Returns
    -------
    str
        An HTML document.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False
    )
    source = resources.files(package).joinpath("page.html.j2").read_text("utf-8")
    return environment.from_string(source).render(**values)
