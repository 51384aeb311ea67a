"""Lane tables: what the lines to lasers and modulators do for each symbol.

A table has an entry for each symbol and each slot of the pulse's period, of
which there are up to 16 (a pulse every 1, 2, 4, 8 or 16 slots). An entry says
what the eight lanes do in that slot, one bit each, lane 0 lowest; and in bits
8 to 11 what the serial lane does in its four sub-slots of 400 ps, the earliest
lowest. The rows of `Intensity.INVALID` cannot be loaded: the transmitter uses
the VACUUM row of the same polarisation for them.
"""

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.symbols import Intensity, Polarisation

__all__ = [
    "FINE_DELAY_BITS",
    "FINE_DELAY_STEPS",
    "FINE_DELAY_STEP_PS",
    "LANES",
    "LANE_DELAY_BITS",
    "LANE_ENTRY_BITS",
    "PULSE_SPACINGS",
    "SUBSLOTS",
    "lane_table_address",
    "one_hot_lane_table",
    "sagnac_lane_table",
    "time_bin_lane_table",
]

LANES = 8
"""Lanes of one bit a slot."""

SUBSLOTS = 4
"""Bits a slot of the serial lane."""

LANE_ENTRY_BITS = LANES + SUBSLOTS
"""Bits of an entry."""

PULSE_SPACINGS = (1, 2, 4, 8, 16)
"""Slots from pulse to pulse."""

LANE_DELAY_BITS = 6
"""Bits of the coarse delay of a lane in slots, 0 to 63."""

FINE_DELAY_BITS = 7
"""Bits of the delay of a lane in steps of its I/O cell, 0 to 127."""

FINE_DELAY_STEPS = 1 << FINE_DELAY_BITS
"""Number of such delays."""

FINE_DELAY_STEP_PS = 25
"""Duration of such a step in picoseconds, about (Lattice FPGA-DS-02012, tables of DELAYF)."""

_POSITIONS = max(PULSE_SPACINGS)
_SENT = (Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM)


def lane_table_address(symbol: int, position: int) -> int:
    """Address of an entry in the transmitter's memory.

    Parameters
    ----------
    symbol : int
        Symbol, 0 to 15.
    position : int
        Slot in the period of the pulse, 0 to 15; 0 is the slot that has the pulse's index.
    """
    return symbol * _POSITIONS + position


def sagnac_lane_table(shape: int = 0b0011) -> NDArray[np.uint16]:
    """Table of a single laser, an intensity modulator and a Sagnac polarisation modulator.

    Lane 0 is the laser's trigger, 1 in the slot of every pulse, vacuum included; lanes 1 and 2
    are bits 0 and 1 of the `Intensity`, lanes 3 and 4 those of the `Polarisation`; lanes 5 to 7
    are 0. The source is that of arXiv:2408.10994, "Compact QKD light source".

    Parameters
    ----------
    shape : int
        Sub-slots of the trigger on the serial lane, 4 bits.

    Returns
    -------
    ndarray of uint16, shape (16, 16)
        Entry by symbol and slot in the period.
    """
    table = _empty()
    for intensity, polarisation in _states():
        entry = 1 | intensity << 1 | polarisation << 3 | shape << LANES
        table[intensity << 2 | polarisation, 0] = entry
    return _with_invalid(table)


def one_hot_lane_table(shape: int = 0b0011) -> NDArray[np.uint16]:
    """Table of a source with a laser for each of the four polarisations, twice.

    Lanes 0 to 3 fire the signal lasers of H, V, D, A and lanes 4 to 7 the decoy lasers; vacuum
    fires none (the eight lasers of Chen et al., Nature 589, 214, 2021).

    Parameters
    ----------
    shape : int
        Sub-slots of the serial lane in the slot of a pulse that is not vacuum, 4 bits.

    Returns
    -------
    ndarray of uint16, shape (16, 16)
        Entry by symbol and slot in the period.
    """
    table = _empty()
    for intensity, polarisation in _states():
        if intensity != Intensity.VACUUM:
            laser = polarisation + (4 if intensity == Intensity.DECOY else 0)
            table[intensity << 2 | polarisation, 0] = 1 << laser | shape << LANES
    return _with_invalid(table)


def time_bin_lane_table(spacing: int) -> NDArray[np.uint16]:
    """Table of a time-bin source: H is early, V late, D and A are both, A with opposite phase.

    The early bin is the first slot of the period, the late bin the slot in its middle. With a
    pulse in every slot the bins are sub-slots 0 and 2 of the serial lane instead, 800 ps apart.

    Lane 0 is 1 in the bins that have light (with a pulse in every slot: in every slot that has),
    lanes 1 and 2 are bits 0 and 1 of the `Intensity` for the whole period, and lane 3 turns the
    phase for the second half of the period of A (with a pulse in every slot: for the slot of A).
    Vacuum has no light in any bin.

    Parameters
    ----------
    spacing : int
        Slots from pulse to pulse, one of `PULSE_SPACINGS`.

    Returns
    -------
    ndarray of uint16, shape (16, 16)
        Entry by symbol and slot in the period.

    Raises
    ------
    ValueError
        If the spacing is not one of those.
    """
    if spacing not in PULSE_SPACINGS:
        raise ValueError(f"a pulse every {spacing} slots is not one of {PULSE_SPACINGS}")
    # The serial lane counts time in sub-slots; a bin is one sub-slot there.
    period = spacing * SUBSLOTS
    table = _empty()
    for intensity, polarisation in _states():
        bins = set()
        if intensity != Intensity.VACUUM:
            bins |= {0} if polarisation != Polarisation.V else set()
            bins |= {period // 2} if polarisation != Polarisation.H else set()
        for position in range(spacing):
            first = position * SUBSLOTS
            pulses = sum(1 << subslot for subslot in range(SUBSLOTS) if first + subslot in bins)
            turned = polarisation == Polarisation.A and position >= spacing // 2
            entry = bool(pulses) | intensity << 1 | turned << 3 | pulses << LANES
            table[intensity << 2 | polarisation, position] = entry
    return _with_invalid(table)


def _empty() -> NDArray[np.uint16]:
    return np.zeros((4 * len(Intensity), _POSITIONS), dtype=np.uint16)


def _states() -> list[tuple[Intensity, Polarisation]]:
    return [(intensity, polarisation) for intensity in _SENT for polarisation in Polarisation]


def _with_invalid(table: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Show in the rows of INVALID what the transmitter does for them."""
    table[4 * Intensity.INVALID :] = table[4 * Intensity.VACUUM : 4 * Intensity.INVALID]
    return table
