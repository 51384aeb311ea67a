"""Dividers of phase-locked loops: which ones give a frequency exactly, within the data sheet.

A loop divides its input by M, and multiplies with its feedback and its output
divider: f_vco = f_in / M × N × P, f_out = f_vco / P. Some ratios need two loops
in a row, such as 12 MHz → 312.5 MHz.
"""

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["ECP5_PLL", "PllLimits", "PllStage", "plan_pll"]


@dataclass(frozen=True)
class PllLimits:
    """Ranges of a phase-locked loop; frequencies in hertz, both ends allowed."""

    input_hz: tuple[int, int]
    """Reference input."""
    phase_detector_hz: tuple[int, int]
    """Reference input after its divider."""
    oscillator_hz: tuple[int, int]
    """Voltage-controlled oscillator."""
    output_hz: tuple[int, int]
    """Output."""
    divider_max: int
    """Largest value of each divider."""


ECP5_PLL = PllLimits(
    input_hz=(8_000_000, 400_000_000),
    phase_detector_hz=(10_000_000, 400_000_000),
    oscillator_hz=(400_000_000, 800_000_000),
    output_hz=(3_125_000, 400_000_000),
    divider_max=128,
)
"""The EHXPLLL (Lattice FPGA-DS-02012, table "sysCLOCK PLL Timing")."""


@dataclass(frozen=True)
class PllStage:
    """One phase-locked loop with its feedback from its output."""

    input_hz: Fraction
    """Frequency of the reference in hertz."""
    reference_divider: int
    """Divider of the reference, M."""
    feedback_divider: int
    """Divider of the feedback, N."""
    output_divider: int
    """Divider of the oscillator, P."""

    @property
    def phase_detector_hz(self) -> Fraction:
        """Frequency at which phases are compared."""
        return self.input_hz / self.reference_divider

    @property
    def output_hz(self) -> Fraction:
        """Frequency of the output."""
        return self.phase_detector_hz * self.feedback_divider

    @property
    def oscillator_hz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.output_hz * self.output_divider

    def violations(self, limits: PllLimits) -> list[str]:
        """Say where the stage leaves the limits.

        Parameters
        ----------
        limits : PllLimits
            Ranges of the part.

        Returns
        -------
        list of str
            One sentence per violation; empty if there is none.
        """
        frequencies = {
            "input": (self.input_hz, limits.input_hz),
            "phase detector": (self.phase_detector_hz, limits.phase_detector_hz),
            "oscillator": (self.oscillator_hz, limits.oscillator_hz),
            "output": (self.output_hz, limits.output_hz),
        }
        found = [
            f"PLL {name} at {float(value) / 1e6:g} MHz is outside "
            f"{low / 1e6:g} to {high / 1e6:g} MHz"
            for name, (value, (low, high)) in frequencies.items()
            if not low <= value <= high
        ]
        dividers = {
            "reference": self.reference_divider,
            "feedback": self.feedback_divider,
            "output": self.output_divider,
        }
        found += [
            f"PLL {name} divider {value} is outside 1 to {limits.divider_max}"
            for name, value in dividers.items()
            if not 1 <= value <= limits.divider_max
        ]
        return found


def _stage(input_hz: Fraction, ratio: Fraction, limits: PllLimits) -> PllStage | None:
    """Give the stage that multiplies by a ratio, or None if it leaves the limits.

    The ratio in lowest terms gives the fastest phase comparison, so the least jitter; the
    oscillator is put as near as can be to the middle of its range.
    """
    middle = sum(limits.oscillator_hz) // 2
    output_divider = min(limits.divider_max, max(1, round(middle / (input_hz * ratio))))
    stage = PllStage(input_hz, ratio.denominator, ratio.numerator, output_divider)
    return None if stage.violations(limits) else stage


def plan_pll(
    input_hz: Fraction | int, output_hz: Fraction | int, limits: PllLimits = ECP5_PLL
) -> tuple[PllStage, ...]:
    """Find loops that make one frequency from another exactly.

    Parameters
    ----------
    input_hz, output_hz : Fraction or int
        Frequencies in hertz.
    limits : PllLimits
        Ranges of the part.

    Returns
    -------
    tuple of PllStage
        One stage, or two in a row where one cannot do it; of several answers the one whose
        slowest phase comparison is fastest, for the least jitter.

    Raises
    ------
    ValueError
        If neither one nor two loops give the frequency.
    """
    source, wanted = Fraction(input_hz), Fraction(output_hz)
    if (direct := _stage(source, wanted / source, limits)) is not None:
        return (direct,)
    # A larger divider would compare phases too slowly.
    slowest = int(source / limits.phase_detector_hz[0])
    ratios = {
        Fraction(feedback, reference)
        for reference in range(1, min(slowest, limits.divider_max) + 1)
        for feedback in range(1, limits.divider_max + 1)
    }
    plans = [
        (first, last)
        for ratio in ratios
        if (first := _stage(source, ratio, limits)) is not None
        and (last := _stage(first.output_hz, wanted / first.output_hz, limits)) is not None
    ]
    if not plans:
        raise ValueError(
            f"no one or two PLLs make {float(wanted) / 1e6:g} MHz from {float(source) / 1e6:g} MHz"
        )
    # Equally fast ones differ in the frequency between them; the lowest is the gentlest.
    return max(plans, key=lambda plan: (_slowest_comparison(plan), -plan[0].output_hz))


def _slowest_comparison(plan: tuple[PllStage, ...]) -> Fraction:
    return min(stage.phase_detector_hz for stage in plan)
