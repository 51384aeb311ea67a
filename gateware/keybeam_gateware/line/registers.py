"""Registers of the receiving end of a line."""

from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD
from keybeam_gateware.soc import csr

__all__ = ["FLYWHEEL_FRAMES", "LINE_COUNTERS", "Line", "Sync", "SyncWord", "counter_register"]

FLYWHEEL_FRAMES = 128
"""Sync words that may be missed in a row after reset, 13.4 ms: a fade of 10 ms takes away 97. What
this costs is said in docs/downlink.md."""


class Line(csr.Register, access="rw"):
    """Settings of the data recovery.

    hysteresis : Lead of edges to one side, 1 to 31, that moves the sampling phase by half a sample.
    """

    hysteresis: csr.Field(csr.action.RW, 5, init=8)


class Sync(csr.Register, access="rw"):
    """Settings of the sync-word extractor.

    search_tolerance : Wrong bits allowed in a sync word while searching, 0 to 15, and when locked
        in one that comes more than a bit from its place after others were missed.
    lock_tolerance : Wrong bits allowed in a sync word while verifying and when locked, 0 to 15.
    verify_frames : Further sync words, at exactly the length of a frame, that a candidate needs.
    flywheel_frames : Sync words that may be missed in a row before the lock is given up: 128,
        as after reset, last for 13.4 ms.
    short : Compare the first 32 bits of `sync_word` only.
    """

    search_tolerance: csr.Field(csr.action.RW, 4, init=2)
    lock_tolerance: csr.Field(csr.action.RW, 4, init=8)
    verify_frames: csr.Field(csr.action.RW, 4, init=2)
    flywheel_frames: csr.Field(csr.action.RW, 8, init=FLYWHEEL_FRAMES)
    short: csr.Field(csr.action.RW, 1)


class SyncWord(csr.Register, access="rw"):
    """What stands in the place of the sync word on the line.

    word : The sync word, its first bit highest; one of 32 bits is followed by its fill.
    """

    word: csr.Field(csr.action.RW, 8 * SYNC_BYTES, init=SYNC_WORD)


def counter_register(meaning: str, width: int) -> csr.Register:
    """Make the register of a counter.

    Parameters
    ----------
    meaning : str
        What is counted, as the beginning of a sentence.
    width : int
        Bits of the counter.

    Returns
    -------
    csr.Register
        A register of a class of its own, whose docstring says what is counted.
    """
    text = f"""{meaning}, as of the last snapshot.

    count : The count, modulo 2^{width}.
    """
    fields = {"count": csr.Field(csr.action.R, width)}
    return type(
        "Counter", (csr.Register,), {"__doc__": text, "__annotations__": fields}, access="r"
    )()


LINE_COUNTERS = {
    "bit_slips": "Cycles with no line bit or two, which follow the offset of the two clocks",
    "syncs_seen": "Sync words seen while locked",
    "syncs_flywheel": "Sync words missed while locked, whose times were filled in",
    "locks_lost": "Times the lock on the sync word was given up",
    "headers_bad": "Frames whose header failed its check",
    "frames_good": "Frames whose check sum held",
    "frames_bad": "Frames whose check sum failed or that were cut short",
    "messages_dropped": "Good frames whose payload found no room",
}
"""Counters of 32 bits of a line."""
