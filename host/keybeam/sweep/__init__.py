"""Sweeps: any command of ``keybeam`` at many points, on all processors or on a Dask cluster."""

from keybeam.sweep.errors import SweepError
from keybeam.sweep.points import Axis, Outcome, Point, grid, run_point

__all__ = ["Axis", "Outcome", "Point", "SweepError", "grid", "run_point"]
