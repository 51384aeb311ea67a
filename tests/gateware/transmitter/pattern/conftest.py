"""Lets the tests of the pattern find the bench and the model beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
