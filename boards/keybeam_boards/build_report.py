"""What a build gave, to read and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

from keybeam_boards.errors import RuleError, TimingError
from keybeam_boards.reports import ClockResult, WorstPath

__all__ = ["BuildReport", "SeedResult"]


@dataclass(frozen=True)
class SeedResult:
    """What one placement gave."""

    seed: int
    """Seed of the placement."""
    timing_met: bool
    """All clocks reach what they must."""
    worst_ratio: float
    """Smallest ratio of achieved to required frequency among the clocks; 0 if there is none."""
    violations: int
    """How many limits of the part are not kept."""
    failure: str | None = None
    """Why nothing came of it; None if it was placed and routed."""

    @property
    def outcome(self) -> str:
        """The same in words."""
        if self.failure is not None:
            return self.failure
        kept = "" if not self.violations else f", {self.violations} violations"
        return f"slowest clock at {self.worst_ratio:.3f} of what is required{kept}"


@dataclass(frozen=True)
class BuildReport:
    """What a build gave."""

    board: str
    """Name of the board."""
    role: str
    """``transmitter`` or ``receiver``."""
    slot_rate: str
    """Slots a microsecond."""
    device: str
    """Part for which the bitstream is."""
    timing_device: str
    """Part by whose timing data it is judged, with its speed grade."""
    git_revision: str
    """Revision of the source; ends in ``-dirty`` if files differed from it."""
    seed: int
    """Seed of the placement that is kept."""
    seeds: list[SeedResult]
    """All placements, the best first."""
    bitstream: str | None
    """Path of the bitstream; None if there is none, because timing or rules are not met."""
    timing_met: bool
    """All clocks reach what they must."""
    clocks: dict[str, ClockResult]
    """By clock domain."""
    utilisation: dict[str, dict[str, int]]
    """Cells used and available, by type."""
    worst_paths: list[WorstPath]
    """The slowest path between every two clocks, the slowest first."""
    violations: list[str]
    """Limits of the part that are not kept."""
    notes: tuple[str, ...]
    """What whoever uses the bitstream has to know."""

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON writes it."""
        return asdict(self)

    def text(self) -> str:
        """Give the report as lines to read."""
        lines = [
            f"{self.role} for {self.board} ({self.device}), {self.slot_rate} MHz slots, "
            f"revision {self.git_revision}, seed {self.seed}",
            f"timing by {self.timing_device}: {'met' if self.timing_met else 'NOT MET'}",
        ]
        if len(self.seeds) > 1:
            lines += [
                f"  seed {one.seed}: {one.outcome}{'  kept' if one.seed == self.seed else ''}"
                for one in self.seeds
            ]
        lines += [
            f"  {name:<12} {clock.achieved_mhz:8.2f} MHz of {clock.required_mhz:8.2f} MHz "
            f"required{'' if clock.met else '  MISSED'}"
            for name, clock in self.clocks.items()
        ]
        lines.append("cells")
        lines += [
            f"  {cell:<16} {figures['used']:6} of {figures['available']:6}"
            for cell, figures in self.utilisation.items()
        ]
        lines.append("slowest paths")
        for path in self.worst_paths:
            lines.append(
                f"  {path.source} to {path.destination}: {path.delay_ns:.2f} ns, of which cells "
                f"{path.logic_ns:.2f} ns in {path.levels} levels"
            )
            if path.steps:
                lines.append(f"    from {path.steps[0]} to {path.steps[-1]}")
        lines += [f"violation: {sentence}" for sentence in self.violations]
        lines += [f"note: {sentence}" for sentence in self.notes]
        lines.append(f"bitstream: {self.bitstream or 'none'}")
        return "\n".join(lines) + "\n"

    def require(self) -> None:
        """Insist that the bitstream may be used.

        Raises
        ------
        RuleError
            If a limit of the part is not kept.
        TimingError
            If a clock is missed; the message names it.
        """
        name = f"{self.role} for {self.board}"
        if self.violations:
            raise RuleError(f"{name}: {'; '.join(self.violations)}")
        missed = [
            f"clock {domain} reaches {clock.achieved_mhz:.2f} MHz of "
            f"{clock.required_mhz:.2f} MHz required"
            for domain, clock in self.clocks.items()
            if not clock.met
        ]
        if missed:
            raise TimingError(f"{name}: {'; '.join(missed)}: another --seed may do")
