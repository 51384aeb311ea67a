"""Version of the package and revision of the source it runs from."""

import functools
import subprocess
from importlib import metadata
from pathlib import Path

__version__ = metadata.version("keybeam")


@functools.cache
def build_revision() -> str:
    """Git revision of the source tree the package runs from.

    Returns
    -------
    str
        Twelve hexadecimal digits, with ``-dirty`` behind them when tracked
        files other than those in ``docs`` differ from that revision, since
        builds write their figures there; ``"unknown"`` outside a checkout.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "unknown"
    return _revision_of(root)


def _revision_of(root: Path) -> str:
    try:
        described = _git(root, "describe", "--always", "--abbrev=12")
        differing = _git(root, "diff", "--name-only", "HEAD", "--", ".", ":(exclude)docs")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described + ("-dirty" if differing else "")


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
