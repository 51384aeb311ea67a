"""The delay-line time-tagger as the host sees it: calibration, linearity, simulation.

- `calibrate`, `BinTable`: code densities → time of every code
- `linearity`: differential and integral non-linearity
- `LineTiming`, `LINE_TIMINGS`, `Noise`, `TaggerModel`: what a line of real delays shows
- `simulate`: the whole chain, shot by shot
"""

from .calibration import BinTable, calibrate
from .errors import CalibrationError, TaggerError
from .line_model import LINE_TIMINGS, LineTiming, Noise, TaggerModel
from .linearity import Linearity, linearity
from .simulation import SimulatedTagger, simulate

__all__ = [
    "LINE_TIMINGS",
    "BinTable",
    "CalibrationError",
    "LineTiming",
    "Linearity",
    "Noise",
    "SimulatedTagger",
    "TaggerError",
    "TaggerModel",
    "calibrate",
    "linearity",
    "simulate",
]
