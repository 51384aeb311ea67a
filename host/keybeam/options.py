"""Command-line options that several commands take, and kinds of their values."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from keybeam.protocol.identity import Role

__all__ = ["FiniteFloat", "NewFile", "as_json", "port_option"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def port_option(
    role: Role, *, required: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the option ``--port`` of a terminal's board, which an environment variable can give.

    Parameters
    ----------
    role : Role
        Which terminal; the variable is ``KEYBEAM_TRANSMITTER`` or ``KEYBEAM_RECEIVER``.
    required : bool
        Whether there must be one.
    """
    return click.option(
        "--port",
        required=required,
        envvar=f"KEYBEAM_{role.name}",
        show_envvar=True,
        metavar="PORT",
        help=f"Where the {role.name.lower()} is: "
        "/dev/ttyUSB0, serial:PATH?baud=N or tcp:HOST:PORT.",
    )


class FiniteFloat(click.FloatRange):
    """A number that is neither infinite nor none at all, in a range if there is one."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number; see `click.ParamType.convert`."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class NewFile(click.Path):
    """A file to write, in a folder that exists: said before any work is done."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Check the path; see `click.ParamType.convert`."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"There is no folder {str(path.parent)!r} for {path.name}.", param, ctx)
        return path
