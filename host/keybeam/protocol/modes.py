"""What the transmitter can send, and where its random bits can come from."""

from enum import IntEnum

__all__ = ["PRBS_TAPS", "InjectedFault", "PatternMode", "RandomOrigin", "StartCondition"]


class PatternMode(IntEnum):
    """What the pattern generator sends; taken up at frame borders only. Only KEY makes key."""

    KEY = 0
    """Symbols from fresh random bits."""
    FIXED = 1
    """One symbol in every pulse, for alignment and polarisation compensation."""
    USER = 2
    """A pattern from memory, looped."""
    PRBS7 = 3
    """Symbols from the pseudo-random sequence of x^7 + x^6 + 1 (ITU-T O.150)."""
    PRBS15 = 4
    """The same of x^15 + x^14 + 1."""
    PRBS23 = 5
    """The same of x^23 + x^18 + 1."""
    PRBS31 = 6
    """The same of x^31 + x^28 + 1."""
    OFF = 7
    """Lanes at their idle levels; no pulse is sent, while pulse indices go on."""


PRBS_TAPS = {
    PatternMode.PRBS7: (7, 6),
    PatternMode.PRBS15: (15, 14),
    PatternMode.PRBS23: (23, 18),
    PatternMode.PRBS31: (31, 28),
}
"""Each bit of a pseudo-random sequence is the exclusive-or of those that came so many bits before
it (ITU-T O.150, whose inversion of some sequences is left out). A sequence begins as if ones had
come before it."""


class RandomOrigin(IntEnum):
    """Where random bits come from. Only the chips' can become key."""

    CHIP_A = 0
    """The first random-number chip alone."""
    CHIP_B = 1
    """The second random-number chip alone."""
    BOTH = 2
    """Exclusive-or of both chips: random as long as one of them is, if they are independent."""
    HOST = 3
    """Words the host writes, for replay and tests; never key."""
    RING = 4
    """Ring oscillators in the part, for demonstrations; never key."""


class InjectedFault(IntEnum):
    """What is done to raw random bits on purpose, to see the alarms it raises."""

    NONE = 0
    """Nothing."""
    STUCK_0 = 1
    """They are all 0."""
    STUCK_1 = 2
    """They are all 1."""
    BIASED = 3
    """Three of four are 1: each is the or of a bit of this lane and one of the next lane."""
    REPEATING = 4
    """The bits of the first such word come again in every word."""
    COPY = 5
    """They are those of the next lane."""


class StartCondition(IntEnum):
    """What a pattern that was told to run waits for before it starts at a frame border."""

    COMMAND = 0
    """Nothing: it starts at the next frame border."""
    PPS = 1
    """A rising edge of the pulse-per-second input: it starts at the next border after it."""
    FRAME = 2
    """A value of the frame counter: it starts with the frame of that counter."""
