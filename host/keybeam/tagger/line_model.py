"""What delay lines show of an edge: delays of real slices, flip-flops and clock with noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.protocol.tagger import DELAY_LINE_SLICES

from .encoding import encode_pictures

__all__ = ["LINE_TIMINGS", "Edges", "LineTiming", "Noise", "TaggerModel"]

_NOISY_TAPS = 16
"""Taps on either side of an edge whose flip-flops may decide either way."""
_CHUNK = 20_000
"""Edges whose pictures are in memory at a time."""


@dataclass(frozen=True)
class LineTiming:
    """Delays of a slice in carry mode, in picoseconds."""

    carry_ps: float
    """From the carry of one slice to that of the next."""
    first_tap_ps: float
    """From the carry into the slice to its first tap."""
    second_tap_ps: float
    """From the carry into the slice to its second tap."""

    def tap_delays(self, slices: int) -> NDArray[np.float64]:
        """Give the delay of each tap from the carry into the first slice.

        Parameters
        ----------
        slices : int
            Slices of the line.

        Returns
        -------
        ndarray of float, shape (2 * slices,)
            In picoseconds; not always rising.
        """
        entries = self.carry_ps * np.arange(slices)
        taps = entries[:, None] + np.array([self.first_tap_ps, self.second_tap_ps])
        return np.asarray(taps.ravel())


LINE_TIMINGS = {
    "6": LineTiming(66, 343, 415),
    "7": LineTiming(59, 298, 359),
    "8": LineTiming(53, 253, 303),
    "8_5G": LineTiming(41, 198, 237),
}
"""Typical delays by speed grade, as nextpnr's timing data have them (Project Trellis, cell SCCU2C:
FCI to FCO, F0 and F1). They are worst-case figures of a part's temperature and voltage; a part on
the bench is faster."""


@dataclass(frozen=True)
class Noise:
    """What the timing data do not say; all of it assumed, since nothing was measured yet."""

    flip_flop_ps: float = 4.0
    """Standard deviation of the time at which a flip-flop decides, anew at every clock edge: its
    metastable window and its own noise."""
    clock_ps: float = 8.0
    """Standard deviation of the clock edge, the same for all flip-flops and lines."""
    mismatch: float = 0.1
    """Relative standard deviation of the delay of a tap behind the one before, fixed in a part."""
    skew_ps: float = 6.0
    """Standard deviation of the arrival of the clock at the flip-flops of a slice, fixed in a
    part."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name, value in vars(self).items():
            if not 0 <= value < FABRIC_PERIOD_PS:
                raise ValueError(f"{name} must be at least 0 and below a period, not {value}")


@dataclass(frozen=True)
class Edges:
    """Edges as the gateware finds them."""

    codes: NDArray[np.int64]
    """Code of each; -1 for one that was lost."""
    cycles: NDArray[np.int64]
    """Clock edge that took its picture, counted from the first one after the edge: 0 or 1."""


class TaggerModel:
    """One channel: delay lines of a certain part, their flip-flops, and the encoder.

    Parameters
    ----------
    timing : LineTiming
        Delays of the part.
    chains : int
        Lines whose codes are added.
    noise : Noise
        Fixed deviations of the part and noise of every picture.
    rng : Generator
        Draws the part's fixed deviations.
    slices : int
        Slices of each line.
    """

    def __init__(
        self,
        timing: LineTiming,
        *,
        chains: int,
        noise: Noise,
        rng: np.random.Generator,
        slices: int = DELAY_LINE_SLICES,
    ) -> None:
        self._noise = noise
        self.chains = chains
        self.taps = 2 * slices
        self._delays = [self._draw(timing, slices, rng) for _ in range(chains)]

    def _draw(
        self, timing: LineTiming, slices: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw the delays of one line: those of the part, with its deviations."""
        nominal = timing.tap_delays(slices)
        widths = np.diff(nominal, prepend=nominal[0])
        spread = self._noise.mismatch * timing.carry_ps / 2
        skew = np.repeat(rng.normal(0, self._noise.skew_ps, slices), 2)
        # Routed apart from each other, lines do not begin at the same time.
        start = rng.uniform(0, timing.carry_ps)
        walk = np.cumsum(widths + rng.normal(0, spread, len(widths)))
        return np.asarray(start + walk + skew)

    def drifted(self, ratio: float) -> "TaggerModel":
        """Give the same part with all its delays changed by a common factor.

        Parameters
        ----------
        ratio : float
            New delays by old ones.
        """
        other = TaggerModel.__new__(TaggerModel)
        other.__dict__.update(self.__dict__)
        other._delays = [delays * ratio for delays in self._delays]
        return other

    def edges(self, ages_ps: NDArray[np.float64], rng: np.random.Generator) -> Edges:
        """Find rising edges, with everything the gateware does.

        Parameters
        ----------
        ages_ps : ndarray of float
            Time from each edge to the next clock edge, 0 to 6400 ps.
        rng : Generator
            Noise of clock and flip-flops.

        Returns
        -------
        Edges
            One entry an edge.
        """
        codes = np.full(len(ages_ps), -1)
        cycles = np.zeros(len(ages_ps), int)
        for cycle in range(2):
            # The few edges of which the first picture shows too little are in the second one.
            missing = np.flatnonzero(codes < 0)
            for part in np.split(missing, range(_CHUNK, len(missing), _CHUNK)):
                found, code = self._picture(ages_ps[part] + cycle * FABRIC_PERIOD_PS, rng)
                codes[part[found]], cycles[part[found]] = code[found], cycle
        return Edges(codes, cycles)

    def _picture(
        self, ages_ps: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Encode what every line shows at one clock edge; the codes of all lines are added."""
        ages = ages_ps + rng.normal(0, self._noise.clock_ps, len(ages_ps))
        found, codes = np.ones(len(ages), bool), np.zeros(len(ages), int)
        for delays in self._delays:
            pictures = ages[:, None] > delays
            self._decide(pictures, ages, delays, rng)
            encoded = encode_pictures(pictures)
            found &= encoded.found
            codes += encoded.codes
        return found, codes

    def _decide(
        self,
        pictures: NDArray[np.bool_],
        ages: NDArray[np.float64],
        delays: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        """Let the flip-flops near the edge decide with noise of their own."""
        near = np.searchsorted(np.maximum.accumulate(delays), ages)
        columns = near[:, None] + np.arange(-_NOISY_TAPS, _NOISY_TAPS)
        columns = columns.clip(0, len(delays) - 1)
        noise = rng.normal(0, self._noise.flip_flop_ps, columns.shape)
        shown = ages[:, None] + noise > delays[columns]
        np.put_along_axis(pictures, columns, shown, axis=1)
