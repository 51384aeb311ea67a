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
        files differ from that revision; ``"unknown"`` outside a checkout.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()
