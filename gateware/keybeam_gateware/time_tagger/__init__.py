"""Time stamps of single edges to picoseconds: delay lines, encoders, calibration, conditioning.

In the order of the data:

- `PictureEncoder`, `EdgeFinder`: pictures of delay lines → codes of edges
- `CodeHistogram`: how often each code comes, for the calibration
- `CalibrationTable`: codes → times
- `EdgeConditioner`: delay, dead time, divider → events
- `EdgeComparison`, `RateAlarm`: what watches over the edges
- `TaggerChannel`: all of it for one channel
- `TaggerUnit`: that with its registers; `TaggerShared`: what all channels have in common
"""

from .calibration_table import CalibrationTable
from .channel import TaggerChannel
from .code_histogram import CodeHistogram
from .comparison import EdgeComparison
from .conditioner import EdgeConditioner
from .edge_finder import EdgeFinder
from .encoder import PictureEncoder
from .events import EventSignature, TimedEdgeSignature
from .rate_alarm import RateAlarm
from .shared import TaggerShared
from .unit import TaggerUnit

__all__ = [
    "CalibrationTable",
    "CodeHistogram",
    "EdgeComparison",
    "EdgeConditioner",
    "EdgeFinder",
    "EventSignature",
    "PictureEncoder",
    "RateAlarm",
    "TaggerChannel",
    "TaggerShared",
    "TaggerUnit",
    "TimedEdgeSignature",
]
