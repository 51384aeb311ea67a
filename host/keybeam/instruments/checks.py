"""Checks of TOML files that tell all that is wrong at once, each with its line."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

from keybeam.instruments.instrument import Limits

__all__ = ["Checks"]

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class _Lines:
    """Finds the lines of tables and keys, which the parser of TOML does not tell."""

    def __init__(self, text: str) -> None:
        self._found: dict[tuple[str, str], int] = {}
        table = ""
        for line, content in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(content):
                table = ".".join(part.strip().strip("\"'") for part in header.group(1).split("."))
                self._found.setdefault((table, ""), line)
            elif key := _KEY.match(content):
                self._found.setdefault((table, key.group(1)), line)

    def of(self, table: str, key: str = "") -> int:
        """Line of a key, or of its table, or of what holds that; 1 if none is found."""
        above, _, last = table.rpartition(".")
        for place in ((table, key), (table, ""), (above, last), (above, "")):
            if place in self._found:
                return self._found[place]
        return 1


class Checks:
    """Collects what is wrong, so that all of it is said at once.

    Parameters
    ----------
    text : str
        Content of the file.

    Attributes
    ----------
    problems : list of tuple of int and str
        Line of each problem, and what it is.
    """

    def __init__(self, text: str) -> None:
        self._lines = _Lines(text)
        self.problems: list[tuple[int, str]] = []

    def wrong(self, text: str, table: str, key: str = "") -> None:
        """Note what is wrong with a key of a table, or with the table."""
        self.problems.append((self._lines.of(table, key), text))

    def table(self, content: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
        """Give a table; an empty one if there is none or it is something else."""
        found = content.get(key, {})
        name = f"{where}.{key}" if where else key
        if not isinstance(found, dict):
            self.wrong(f"{name} is no table", where, key)
            return {}
        return found

    def known(self, content: Mapping[str, Any], names: Collection[str], table: str) -> None:
        """Note each key that is none of the names, with the nearest of them."""
        for key in content:
            if key not in names:
                close = difflib.get_close_matches(key, names, 1)
                hint = f"; is {close[0]} meant?" if close else f" ({', '.join(names)})"
                self.wrong(f"[{table}] has no entry {key!r}{hint}", table, key)

    def text(self, content: Mapping[str, Any], key: str, table: str) -> str:
        """Give a text that must be there."""
        found = content.get(key)
        if isinstance(found, str) and found and found == found.strip():
            return found
        if key in content:
            self.wrong(f"{key} of [{table}] is {found!r}, no text", table, key)
        else:
            self.wrong(f"[{table}] has no {key}", table)
        return ""

    def text_or_number(self, content: Mapping[str, Any], key: str, table: str) -> str:
        """Give as text what may be a text, a whole number, or not there."""
        found = content.get(key, "")
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
        self.wrong(f"{key} of [{table}] is {found!r}, neither text nor whole number", table, key)
        return ""

    def numbers(
        self, content: Mapping[str, Any], keys: Mapping[str, Limits], table: str
    ) -> dict[str, float]:
        """Give those numbers that are there and in their ranges."""
        found: dict[str, float] = {}
        for key, limits in keys.items():
            value = content.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                self.wrong(f"{key} of [{table}] is {value!r}, no number", table, key)
            elif not limits.low <= value <= limits.high:
                self.wrong(
                    f"{key} of [{table}] is {value:g}, outside of {limits.low:g} to "
                    f"{limits.high:g} {limits.unit}",
                    table,
                    key,
                )
            else:
                found[key] = value
        return found
