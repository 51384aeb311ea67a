"""Delay lines with uneven taps, and plain models of what they show."""

from types import SimpleNamespace

import numpy as np
import pytest

PERIOD_PS = 6400


def _delays(taps, rng, *, mean_ps=None, skew_ps=12):
    """Uneven delays of taps, longer than a period together, and out of order in places."""
    mean_ps = 7700 / taps if mean_ps is None else mean_ps
    # Alternately short and long, as the two taps of a slice are, with some spread.
    widths = mean_ps * np.tile([0.2, 1.8], taps // 2) * rng.uniform(0.7, 1.3, taps)
    skew = rng.normal(0, skew_ps, taps)
    return np.maximum(1, np.cumsum(widths) + skew).astype(int)


def _picture(changes, delays, edge_ps):
    """What the taps show at a clock edge of a signal that changes at these times, as a number."""
    levels = np.searchsorted(np.asarray(changes), edge_ps - np.asarray(delays), "right") % 2
    return sum(int(level) << place for place, level in enumerate(levels))


@pytest.fixture
def lines():
    """Make delays of taps (`delays`) and pictures of a signal (`picture`)."""
    return SimpleNamespace(delays=_delays, picture=_picture, period_ps=PERIOD_PS)
