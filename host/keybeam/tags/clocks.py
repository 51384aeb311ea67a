"""The transmitter's clock in a capture."""

from pathlib import Path

from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.tags.capture import Capture, decode_capture
from keybeam.tags.errors import AnalysisError
from keybeam.timing import ClockEstimator, ClockState

__all__ = ["capture_clock"]


def capture_clock(path: Path, window_s: float = 0.1) -> list[ClockState]:
    """Estimate the transmitter's clock in a capture; see `ClockEstimator`.

    Parameters
    ----------
    path : Path
        The capture.
    window_s : float
        Length of a window in s.

    Raises
    ------
    AnalysisError
        If no window has enough sync words.
    CaptureError
        If the capture is not sound.
    """
    estimator, states = ClockEstimator(max(8, round(window_s * 1e12 / FRAME_DURATION_PS))), []
    with Capture(path) as capture:
        for chunk in decode_capture(capture):
            states += estimator.feed(chunk)
        states += estimator.finish()
    if not states:
        raise AnalysisError(
            f"{path}: no window of {window_s:g} s has enough sync words: choose a longer one"
        )
    return states
