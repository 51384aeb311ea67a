"""How benchmarks tell of the machine, and of measurements that were repeated."""

import platform

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
