"""Files that are written whole or not at all.

What is not done stands beside its place, under the name with ``.part`` added, so that an older
file is replaced by a whole one and never by half of one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["part_of", "whole_file", "write_json", "write_whole"]


def part_of(path: Path) -> Path:
    """Name of a file until it is done.

    Parameters
    ----------
    path : Path
        Name of the file.

    Returns
    -------
    Path
    """
    return path.with_name(path.name + ".part")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Let a file be written beside its place, and put it there at the end.

    If writing fails, nothing is left of it, and what stood there before stays. Links are followed;
    what is no file, such as a device or a pipe, is written as it is.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    Path
        The file to write instead.

    Raises
    ------
    OSError
        If it cannot take its place.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    place = path.resolve()
    part = part_of(place)
    try:
        yield part
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    content : str or bytes
        What is in it; a text is written as UTF-8.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, content: Any, **encoding: Any) -> None:
    """Write a JSON file, to be read by eye too, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    content : object
        Anything that msgspec encodes.
    **encoding
        Further arguments of `msgspec.json.encode`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    text = msgspec.json.encode(content, **encoding)
    write_whole(path, msgspec.json.format(text, indent=1) + b"\n")
