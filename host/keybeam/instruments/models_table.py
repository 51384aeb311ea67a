"""Tables of docs/instruments.md: drivers, uses of instruments, routines."""

from keybeam.instruments.drivers import MODELS
from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.roles import ROLES
from keybeam.instruments.routines import ROUTINES

__all__ = ["models_markdown", "replace_tables"]

_BEGIN, _END = "<!-- begin of generated tables -->\n", "<!-- end of generated tables -->\n"


def models_markdown() -> str:
    """Make the tables, in Markdown."""
    lines = ["| kind | `model` | device | messages from |", "|---|---|---|---|"]
    for name, driver in sorted(
        MODELS.items(), key=lambda item: list(ROLES.values()).index(item[1].kind)
    ):
        lines.append(f"| {driver.kind} | `{name}` | {driver.device} | {driver.manual} |")
    lines += ["", "| use | kind | in routines |", "|---|---|---|"]
    for role, kind in ROLES.items():
        users = [
            name if role in routine.needed else f"{name} (if there is one)"
            for name, routine in ROUTINES.items()
            if role in routine.needed + routine.useful
        ]
        lines.append(f"| `{role}` | {kind} | {', '.join(users)} |")
    return "\n".join(lines) + "\n"


def replace_tables(page: str) -> str:
    """Put the tables as they are now between the marks of a page.

    Raises
    ------
    InstrumentError
        If the page has no such marks.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise InstrumentError(f"the page has no place for the tables: {_BEGIN.strip()}")
    return f"{before}{begin}\n{models_markdown()}\n{end}{after}"
