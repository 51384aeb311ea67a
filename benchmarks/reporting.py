"""How benchmarks tell of the machine, and of measurements that were repeated."""

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np


def machine() -> str:
    """Processor and versions, for the reader of a result."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    return f"{model}, Python {platform.python_version()}, NumPy {np.__version__}"


def spread(values: list[float]) -> str:
    """Median and range, to three digits."""
    low, middle, high = np.quantile(values, (0, 0.5, 1))
    return f"{middle:.3g} ({low:.3g}-{high:.3g})"


def revision() -> str:
    """Revision of the sources, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=8"]
    folder = Path(__file__).parent
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


def save(path: Path, values: dict[str, Any]) -> None:
    """Write what was measured, with revision and machine, for `targets.py`."""
    values = {"revision": revision(), "machine": machine(), **values}
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
