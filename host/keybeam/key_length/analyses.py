"""The analyses by name, as the two ends of a session agree on one."""

import enum
from dataclasses import dataclass

from keybeam.key_length.composable import (
    Security,
    check_error_rate,
    composable_bounds,
    composable_key_length,
)
from keybeam.key_length.counts import BasisCounts, BlockCounts, SiftedCounts
from keybeam.key_length.errors import KeyLengthError, NoKeyError
from keybeam.key_length.paper import KeyLength, paper_key_length
from keybeam.key_length.source import Source

__all__ = ["Analysis", "SessionAnalysis"]


class Analysis(enum.StrEnum):
    """Name of an analysis."""

    PAPER = "paper"
    COMPOSABLE = "composable"


@dataclass(frozen=True)
class SessionAnalysis:
    """An analysis for the blocks of one session.

    Attributes
    ----------
    analysis : Analysis
        Which one.
    intensities, probabilities : tuple of float
        Mean photons of signal, decoy and vacuum pulses, and their probabilities.
    failure_probability : float
        ξ of each bound of the paper's analysis, ε_sec of a block of the composable one.
    key_basis_probability : float or None
        See `Source`; not None only with the composable analysis.

    Raises
    ------
    KeyLengthError
        If the paper's analysis is to take a basis that only checks.
    """

    analysis: Analysis
    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    failure_probability: float
    key_basis_probability: float | None = None

    def __post_init__(self) -> None:
        if self.key_basis_probability is not None and self.analysis is Analysis.PAPER:
            raise KeyLengthError("the paper's analysis knows no basis that only checks")

    def prepare(self) -> None:
        """Do now what the first block would have to wait for, about a second of work."""
        if self.analysis is Analysis.COMPOSABLE:
            none = BasisCounts((0, 0, 0), (0, 0, None))
            check = None if self.key_basis_probability is None else none
            nothing = SiftedCounts(none, check)
            security = Security(self.failure_probability)
            composable_bounds(nothing, self._source(), security.counting, security.phase_errors)

    def key_length(
        self,
        counts: BlockCounts,
        signal_errors: int,
        leak_bits: int,
        *,
        packets: int,
        dropped_packets: int,
        check: BasisCounts | None = None,
    ) -> KeyLength:
        """Length of the key of a block; 0 where it makes none.

        Parameters
        ----------
        counts : BlockCounts
            Counts of the block.
        signal_errors : int
            Wrong bits among its signal clicks, counted exactly.
        leak_bits : int
            Bits disclosed by reconciliation.
        packets, dropped_packets : int
            Packets of the block, and those it was to have that were dropped.
        check : BasisCounts or None
            Clicks of the basis that only checks, with a `key_basis_probability`.

        Raises
        ------
        KeyLengthError
            If a quantity is impossible. Counts that are possible but prove no key, such as an
            error rate of 0.11 or more by either analysis, are a length of 0.
        """
        sifted = SiftedCounts(
            BasisCounts(
                (counts.signal, counts.decoy, counts.vacuum),
                (signal_errors, counts.decoy_errors, None),
            ),
            check,
            packets=packets,
            dropped_packets=dropped_packets,
        )
        try:
            check_error_rate(sifted)
            if self.analysis is Analysis.PAPER:
                return paper_key_length(
                    counts,
                    signal_errors / max(counts.signal, 1),
                    leak_bits=leak_bits,
                    intensities=self.intensities,
                    probabilities=self.probabilities,
                    xi=self.failure_probability,
                )
            security = Security(self.failure_probability)
            return composable_key_length(sifted, leak_bits, self._source(), security)
        except NoKeyError:
            return KeyLength(s1=0.0, e1=0.5, length_bits=0, leak_bits=leak_bits)

    def _source(self) -> Source:
        return Source(
            self.intensities,
            self.probabilities,
            key_basis_probability=self.key_basis_probability,
        )
