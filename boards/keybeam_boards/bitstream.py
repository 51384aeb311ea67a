"""From a terminal to a bitstream, with a report that says whether it may be used.

A design is placed and routed once, for the platform's ``timing_device``, whose
timing data can be believed, and the same configuration is packed for the part
on the board: between the two only the part's code differs.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amaranth.build import Platform

from keybeam._version import build_revision
from keybeam.protocol.identity import Role
from keybeam_boards.butterstick import ButterstickPlatform
from keybeam_boards.delay_lines import delay_line_violations, substitute_delay_cells
from keybeam_boards.ecp5_5g_evn import Ecp55GEvnPlatform
from keybeam_boards.errors import RuleError, TimingError
from keybeam_boards.netlist import blocks_apart, free_collisions, name_clocks, plain_names
from keybeam_boards.output_registers import absorb_output_registers
from keybeam_boards.rates import DEFAULT_SLOT_RATE, SLOT_RATES, SlotRate
from keybeam_boards.reports import (
    ClockResult,
    WorstPath,
    clocks,
    places,
    utilisation,
    worst_paths,
)
from keybeam_boards.rules import clock_violations, lane_violations, serial_violations
from keybeam_boards.toolchain import Progress, Step, run_step
from keybeam_boards.tops import Top, make_top

__all__ = ["BOARDS", "BuildReport", "build", "implement", "revision_number"]

BOARDS: Mapping[str, type[Platform]] = {
    "butterstick": ButterstickPlatform,
    "ecp5_5g_evn": Ecp55GEvnPlatform,
}
"""Platforms by the name of the board."""

_PACKAGES = {"BG381": "CABGA381"}


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
    """Seed of placement."""
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


def revision_number(revision: str) -> int:
    """Give the first 32 bits of a git revision.

    Parameters
    ----------
    revision : str
        Hexadecimal digits, with anything behind them; or any other word.

    Returns
    -------
    int
        Its first eight digits as a number; 0 for a word that is no revision.
    """
    match = re.match(r"[0-9a-f]{8}", revision)
    return int(match[0], 16) if match else 0


def build(
    board: str,
    role: Role,
    out: Path,
    *,
    seed: int,
    progress: Progress,
    slot_rate: str = DEFAULT_SLOT_RATE,
    lanes: int | None = None,
) -> BuildReport:
    """Build the bitstream of a terminal.

    Parameters
    ----------
    board : str
        One of `BOARDS`.
    role : Role
        Which terminal.
    out : Path
        Folder for bitstream and report; made if missing.
    seed : int
        Seed of placement; the same source and seed give the same bitstream.
    progress : callable
        Told of what begins and ends.
    slot_rate : str
        One of `keybeam_boards.rates.SLOT_RATES`.
    lanes : int, optional
        Lanes of a transmitter, where the board leaves the choice.

    Returns
    -------
    BuildReport
        Also written to ``BOARD_ROLE.json`` and ``BOARD_ROLE.txt`` in `out`.

    Raises
    ------
    ToolError
        If a program of the toolchain is missing or fails.
    RuleError
        If the board does not have so many lanes.
    """
    if lanes not in (None, *BOARDS[board].lane_choice):
        raise RuleError(f"{board} cannot have {lanes} lanes")
    platform = BOARDS[board]() if lanes is None else BOARDS[board](lanes)
    revision = build_revision()
    top = make_top(platform, role, revision_number(revision), slot_rate)
    return implement(
        platform,
        top,
        out,
        name=f"{board}_{role.name.lower()}",
        seed=seed,
        progress=progress,
        about={
            "board": board,
            "role": role.name.lower(),
            "slot_rate": slot_rate,
            "git_revision": revision,
        },
        notes=_notes(platform, SLOT_RATES[slot_rate]),
    )


def _notes(platform: Platform, rate: SlotRate) -> tuple[str, ...]:
    """Say what a board needs so that the bitstream works."""
    if rate.external_hz is None:
        return platform.notes
    return (
        *platform.notes,
        f"{platform.external_clock} must be given a clock of {rate.external_hz / 1e6:g} MHz",
    )


def implement(
    platform: Platform,
    top: Top,
    out: Path,
    *,
    name: str,
    seed: int,
    progress: Progress,
    about: Mapping[str, str],
    notes: tuple[str, ...] = (),
) -> BuildReport:
    """Take any top through the toolchain.

    Parameters
    ----------
    platform : Platform
        The board; not used before.
    top : Top
        What to build.
    out : Path
        Folder for bitstream and report; made if missing.
    name : str
        Stem of the files.
    seed : int
        Seed of placement.
    progress : callable
        Told of what begins and ends.
    about : mapping of str to str
        ``board``, ``role``, ``slot_rate`` and ``git_revision`` of the report.
    notes : tuple of str
        Notes of the report.

    Returns
    -------
    BuildReport
        With a bitstream only if clocks and rules are met.

    Raises
    ------
    ToolError
        If a program of the toolchain is missing or fails.
    """
    folder = out / f"{name}.work"
    folder.mkdir(parents=True, exist_ok=True)
    bitstream = out / f"{name}.bit"
    bitstream.unlink(missing_ok=True)

    progress("writing the net list ...")
    platform.prepare(top, name).extract(folder)
    netlist, script = folder / f"{name}.il", folder / f"{name}.ys"
    netlist.write_text(free_collisions(plain_names(netlist.read_text())))
    script.write_text(blocks_apart(script.read_text(), netlist.read_text()))
    run_step(_synthesis(name), folder, progress)
    asked = _rewrite_cells(folder / f"{name}.json")
    step = _place_and_route(platform, name, seed, loops=top.has_rings, fixed=bool(asked))
    run_step(step, folder, progress)

    report = json.loads((folder / f"{name}.timing.json").read_text())
    reached = clocks(report, top.clocks)
    pads = places((folder / f"{name}.tim").read_text())
    violations = clock_violations(top.plan, platform.speed)
    violations += lane_violations(top.lanes, pads, platform.last_column)
    violations += serial_violations(top.serial_outputs, platform.timing_device)
    if asked:
        routed = json.loads((folder / f"{name}.routed.json").read_text())
        violations += delay_line_violations(routed, asked)
    timing_met = all(clock.met for clock in reached.values())
    usable = timing_met and not violations
    if usable:
        _retarget(folder / f"{name}.config", platform.timing_device, platform.device)
        run_step(_packing(name), folder, progress)
        os.replace(folder / f"{name}.bit", bitstream)

    result = BuildReport(
        **about,
        device=platform.device,
        timing_device=f"{platform.timing_device} -{platform.speed}",
        seed=seed,
        bitstream=str(bitstream) if usable else None,
        timing_met=timing_met,
        clocks=reached,
        utilisation=utilisation(report),
        worst_paths=worst_paths(report),
        violations=violations,
        notes=notes,
    )
    _publish(out / f"{name}.json", json.dumps(result.as_dict(), indent=2) + "\n")
    _publish(out / f"{name}.txt", result.text())
    return result


def _rewrite_cells(path: Path) -> dict[str, str]:
    """Name clocks, let block RAMs use their output registers, and make cells of delay lines.

    Gives the cells of delay lines and the places asked for.
    """
    netlist = json.loads(path.read_text())
    name_clocks(netlist)
    absorb_output_registers(netlist)
    asked = substitute_delay_cells(netlist)
    path.write_text(json.dumps(netlist))
    return asked


def _synthesis(name: str) -> Step:
    return Step("synthesis", "yosys", ("-q", "-l", f"{name}.rpt", f"{name}.ys"))


def _place_and_route(platform: Platform, name: str, seed: int, *, loops: bool, fixed: bool) -> Step:
    family, size = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F", platform.timing_device).groups()
    option = {"U": "", "UM": "um-", "UM5G": "um5g-"}[family]
    arguments = {
        f"--{option}{size}k": None,
        "--package": _PACKAGES[platform.package],
        "--speed": platform.speed,
        "--seed": str(seed),
        "--json": f"{name}.json",
        "--lpf": f"{name}.lpf",
        "--textcfg": f"{name}.config",
        "--log": f"{name}.tim",
        "--report": f"{name}.timing.json",
        "--quiet": None,
        # Judged by the report, which is wanted all the more when a clock is missed.
        "--timing-allow-fail": None,
    }
    if loops:
        # Amaranth refuses loops of its own logic, so those there are can only be of vendor cells.
        arguments["--ignore-loops"] = None
    if fixed:
        # Where cells are that had to be at a place.
        arguments["--write"] = f"{name}.routed.json"
    words = (word for pair in arguments.items() for word in pair if word is not None)
    return Step("place and route", "nextpnr-ecp5", tuple(words))


def _packing(name: str) -> Step:
    arguments = ("--compress", "--input", f"{name}.config", "--bit", f"{name}.bit")
    return Step("packing", "ecppack", arguments)


def _retarget(configuration: Path, source: str, target: str) -> None:
    """Name another part in a configuration."""
    text = configuration.read_text()
    head = f".device {source}\n"
    if not text.startswith(head):
        raise ValueError(f"{configuration} is not for {source}")
    configuration.write_text(f".device {target}\n" + text.removeprefix(head))


def _publish(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text)
    os.replace(scratch, path)
