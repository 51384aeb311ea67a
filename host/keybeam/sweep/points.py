"""Points of a sweep: the words of a command at each, and what the command told there."""

import io
import itertools
import math
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import msgspec
import numpy as np

from keybeam.cli import main
from keybeam.sweep.errors import SweepError

__all__ = ["Axis", "Outcome", "Point", "grid", "run_point", "scalars"]

_RANGE = re.compile(r"([^:,]+):([^:,]+):(\d+)")
_ONE_AT_A_TIME = threading.Lock()
"""What a command prints is caught for a whole process, also where a worker has several threads."""


class Axis(msgspec.Struct, frozen=True):
    """A quantity that is varied.

    Attributes
    ----------
    name : str
        Name of an option without its dashes, or of a place ``{name}`` in the command's words.
    values : tuple of str
        Its values, as they are written.
    """

    name: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Read ``name=value,value,…`` or ``name=first:last:count``.

        Raises
        ------
        SweepError
            If it is neither.
        """
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise SweepError(f"{text!r} is not NAME=VALUE,VALUE or NAME=FIRST:LAST:COUNT")
        if (ends := _RANGE.fullmatch(values)) is None:
            return cls(name, tuple(values.split(",")))
        try:
            first, last, count = float(ends[1]), float(ends[2]), int(ends[3])
        except ValueError as error:
            raise SweepError(f"{values!r} is no range FIRST:LAST:COUNT of numbers") from error
        if not (count and math.isfinite(first) and math.isfinite(last)):
            raise SweepError(f"{values!r} is no range FIRST:LAST:COUNT of one number or more")
        steps = np.linspace(first, last, count)
        return cls(name, tuple(f"{step:.10g}" for step in steps))


class Point(msgspec.Struct, frozen=True):
    """A point of a sweep.

    Attributes
    ----------
    values : dict of str to str
        Value of each axis.
    words : list of str
        Words of the command there.
    """

    values: dict[str, str]
    words: list[str]


class Outcome(msgspec.Struct, frozen=True):
    """What a command told at a point.

    Attributes
    ----------
    values : dict of str to str
        Value of each axis.
    result : object
        The JSON that it printed; None where it failed.
    error : str
        Why it failed; empty where it did not.
    """

    values: dict[str, str]
    result: Any
    error: str


def grid(axes: Sequence[Axis], words: Sequence[str]) -> list[Point]:
    """Give all points of a sweep.

    Parameters
    ----------
    axes : sequence of Axis
        What is varied; the last one fastest.
    words : sequence of str
        The command. Where ``{name}`` stands in it, the value of that axis is put; the other axes
        become options after it.

    Raises
    ------
    SweepError
        If there is no command or no axis, or two axes have one name.
    """
    names = [axis.name for axis in axes]
    if not words or not axes:
        raise SweepError("a sweep needs a command, and something to vary")
    if len(set(names)) < len(names):
        raise SweepError(f"an axis is given twice: {', '.join(names)}")
    return [
        _point(dict(zip(names, values, strict=True)), words)
        for values in itertools.product(*(axis.values for axis in axes))
    ]


def _point(values: Mapping[str, str], words: Sequence[str]) -> Point:
    placed, filled = set(), []
    for word in words:
        for name, value in values.items():
            if "{" + name + "}" in word:
                word = word.replace("{" + name + "}", value)
                placed.add(name)
        filled.append(word)
    for name, value in values.items():
        if name not in placed:
            filled += [f"--{name}", value]
    return Point(dict(values), [*filled, "--json"])


def run_point(point: Point) -> Outcome:
    """Run a command of ``keybeam`` in this process; take the JSON that it prints.

    Parameters
    ----------
    point : Point
        The point.
    """
    printed, complaint = io.StringIO(), io.StringIO()
    status: object = 0
    with _ONE_AT_A_TIME, redirect_stdout(printed), redirect_stderr(complaint):
        try:
            main(point.words)
        except SystemExit as stop:
            status = stop.code
        except Exception as error:
            return Outcome(point.values, None, f"{type(error).__name__}: {error}")
    if status:
        lines = complaint.getvalue().strip().splitlines() or [f"exit status {status}"]
        return Outcome(point.values, None, lines[-1])
    try:
        return Outcome(point.values, msgspec.json.decode(printed.getvalue()), "")
    except msgspec.DecodeError:
        return Outcome(point.values, None, "the command printed no JSON")


def scalars(result: Any) -> dict[str, float | str | bool]:
    """Numbers and words of a result by name; those of objects within it by names with a dot."""
    found: dict[str, float | str | bool] = {}
    if isinstance(result, dict):
        for name, value in result.items():
            if isinstance(value, dict):
                found |= {f"{name}.{inner}": item for inner, item in scalars(value).items()}
            elif isinstance(value, int | float | str):
                found[name] = value
    return found
