"""A simulated laboratory: instruments that answer as real ones do, around a bench with physics."""

from keybeam_sim.laboratory.bench import Bench
from keybeam_sim.laboratory.server import Laboratory
from keybeam_sim.laboratory.station_file import station_text

__all__ = ["Bench", "Laboratory", "station_text"]
