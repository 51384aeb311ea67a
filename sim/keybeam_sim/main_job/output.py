"""The folder a pass writes: complete, or not there at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keybeam.errors import KeybeamError

__all__ = ["OutputFolderError", "check_output_folder", "output_folder"]

RESULT_FILE = "result.json"
"""The file by which the folder of an earlier pass is known."""


class OutputFolderError(KeybeamError):
    """The folder for the results cannot be used."""


def check_output_folder(target: Path) -> None:
    """Refuse a target that is not free, not empty and not the result of an earlier pass.

    Parameters
    ----------
    target : Path
        Where the results are to stand.

    Raises
    ------
    OutputFolderError
        If something else stands there, or the folder above cannot be written.
    """
    if target.exists() and not target.is_dir():
        raise OutputFolderError(f"{target} is a file: name a folder with --out")
    if target.is_dir() and any(target.iterdir()) and not (target / RESULT_FILE).is_file():
        raise OutputFolderError(
            f"{target} holds files that no pass has written: name another folder with --out"
        )


@contextlib.contextmanager
def output_folder(target: Path) -> Iterator[Path]:
    """Give a working folder that takes the place of `target` when the block ends well.

    The results of an earlier pass in `target` are replaced only then. If the
    block fails, the working folder is removed and `target` stays as it was.

    Parameters
    ----------
    target : Path
        Where the results are to stand.

    Yields
    ------
    Path
        A new folder beside `target`, readable by its owner only.

    Raises
    ------
    OutputFolderError
        As `check_output_folder`.
    """
    check_output_folder(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    working = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield working
        if target.exists():
            replaced = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.rename(replaced / target.name)
            working.rename(target)
            shutil.rmtree(replaced)
        else:
            working.rename(target)
    finally:
        shutil.rmtree(working, ignore_errors=True)
