"""JSON files whose first field says what they are and in which version."""

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from keybeam.errors import KeybeamError
from keybeam.whole_files import write_json

__all__ = ["load_file", "save_file"]


class _Formatted(Protocol):
    @property
    def format(self) -> str: ...


_Content = TypeVar("_Content", bound=_Formatted)


def save_file(path: Path, content: object) -> None:
    """Write a file; what stood there is replaced once all of it is written.

    Parameters
    ----------
    path : Path
        The file (JSON).
    content : object
        Anything that msgspec encodes.
    """
    write_json(path, content)


def load_file(
    path: Path, kind: type[_Content], *, form: str, what: str, error: type[KeybeamError]
) -> _Content:
    """Read a file and check that it is of the kind and version that is wanted.

    Parameters
    ----------
    path : Path
        The file (JSON).
    kind : type
        Structure of its content, with a field ``format``.
    form : str
        What that field must say.
    what : str
        What the file should be, for the complaint: ``calibration of a receiver``.
    error : type of KeybeamError
        What is raised.

    Raises
    ------
    KeybeamError
        Of the type `error`, if it is no such file; the message names the file.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise error(f"{path}: no {what} ({problem})") from problem
    if found.format != form:
        raise error(f"{path}: {found.format!r} is not {form!r}")
    return found
