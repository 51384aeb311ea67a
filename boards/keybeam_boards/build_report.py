"""What a build gave, to read and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

from keybeam_boards.crossings import Crossing
from keybeam_boards.delay_lines import DelayLineResult
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
    map_hash: str
    """Hash of the register map, by which the host knows it."""
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
    """The slowest path within every clock, then between every two, then of those without a clock at
    one end; of each the slowest first."""
    delay_lines: list[DelayLineResult]
    """Where the delay lines are; empty if there are none."""
    crossings: list[Crossing]
    """Every register that takes over a signal of another clock."""
    violations: list[str]
    """Limits of the part that are not kept."""
    lab_only: list[str]
    """Limits that are not kept and were let pass; with any, the bitstream is for the lab only."""
    notes: tuple[str, ...]
    """What whoever uses the bitstream has to know."""

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON writes it."""
        crossings = [one._asdict() for one in self.crossings]
        return asdict(self) | {"crossings": crossings}

    def text(self) -> str:
        """Give the report as lines to read."""
        lines = [
            f"{self.role} for {self.board} ({self.device}), {self.slot_rate} MHz slots, "
            f"revision {self.git_revision}, register map {self.map_hash}, seed {self.seed}",
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
        lines += _table_of_crossings(self.crossings)
        if self.delay_lines:
            lines.append("delay lines")
        lines += [
            f"  {one.name:<12} row {one.row:3}, columns {one.columns[0]:3} to {one.columns[1]:3}, "
            f"{one.cells} cells {'as asked' if one.as_asked else 'DISPLACED'}"
            for one in self.delay_lines
        ]
        lines += [f"LAB ONLY: {sentence}" for sentence in self.lab_only]
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


def _table_of_crossings(crossings: list[Crossing]) -> list[str]:
    """Give the crossings as lines to read, those of one kind in one line."""
    modules: dict[tuple[str, str, str], list[str]] = {}
    for one in crossings:
        kind = (one.source, one.clock, one.primitive or "NOTHING SAFE")
        modules.setdefault(kind, []).append(one.module or "top")
    return ["crossings between clocks"] + [
        f"  {source} to {clock} through {primitive}: {', '.join(names)}"
        for (source, clock, primitive), names in sorted(modules.items())
    ]
