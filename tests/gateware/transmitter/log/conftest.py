"""Lets the tests of the log import their model, in pytest as in a simulator."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
