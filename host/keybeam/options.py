"""Kinds of values of command-line options that several commands take."""

import math
import os
from pathlib import Path
from typing import Any

import click

__all__ = ["FiniteFloat", "NewFile"]


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
