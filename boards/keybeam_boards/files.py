"""Files that are written whole or not at all."""

import os
from pathlib import Path

__all__ = ["publish"]


def publish(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path
        The file; its folder is made if missing.
    text : str
        What is in it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text)
    os.replace(scratch, path)
