"""The transmitter's clock, from the sync words that a board sends."""

from keybeam.device import Receiver
from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import FINE_PS
from keybeam.receiver.errors import ReceiverError
from keybeam.tags.recording import decoded_stream
from keybeam.timing import ClockEstimator, ClockState, RecordDecoder

__all__ = ["recover_clock"]

_PATIENCE = 4
"""Windows after which there must have been one without loss of sync words."""


def recover_clock(board: Receiver, window_s: float) -> tuple[ClockState, int]:
    """Estimate the transmitter's clock from the next sync words.

    The record stream is switched on for it, and off after it.

    Parameters
    ----------
    board : Receiver
        The board.
    window_s : float
        Seconds of sync words.

    Returns
    -------
    state : ClockState
        The clock in that window.
    time : int
        Unwrapped time in fine steps up to which the stream had come, by which later ones are told.

    Raises
    ------
    ReceiverError
        If there are not enough sync words.
    DeviceError, TagsError
        If the board does not answer, or sends nothing.
    """
    estimator = ClockEstimator(max(8, round(window_s * 1e12 / FRAME_DURATION_PS)))
    found: list[ClockState] = []
    begin = time = 0

    def enough() -> bool:
        passed = (time - begin) * FINE_PS * 1e-12
        return bool(found) or passed > _PATIENCE * window_s

    for chunk in decoded_stream(board, RecordDecoder(), stop=enough):
        if chunk.lower_bound:
            begin, time = begin or chunk.lower_bound, chunk.lower_bound
        found += estimator.feed(chunk)
    if not found:
        raise ReceiverError(
            f"the receiver at {board.name} had too few sync words in "
            f"{_PATIENCE * window_s:g} s: is it locked (`keybeam rx status`)?"
        )
    return found[-1], time
