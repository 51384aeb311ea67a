"""Takes a design through the toolchain: one synthesis, any number of placements, the best of them.

A design is placed and routed for the platform's ``timing_device``, whose
timing data can be believed, and the same configuration is packed for the part
on the board: between the two only the part's code differs.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.build import Platform

from keybeam.whole_files import write_whole
from keybeam_boards.build_report import BuildReport, SeedResult
from keybeam_boards.crossings import Crossing, crossing_violations, prepared_crossings
from keybeam_boards.delay_lines import (
    DelayLineResult,
    delay_line_results,
    delay_line_violations,
    substitute_delay_cells,
)
from keybeam_boards.errors import ToolError
from keybeam_boards.milestones import Milestones
from keybeam_boards.netlist import (
    blocks_apart,
    fill_fixed_words,
    free_collisions,
    name_clocks,
    plain_names,
)
from keybeam_boards.output_registers import absorb_output_registers
from keybeam_boards.pads import PACKAGES, Place, last_column
from keybeam_boards.rates import BITS_PER_EDGE_CYCLE
from keybeam_boards.reports import (
    ClockResult,
    WorstPath,
    clocks,
    places,
    utilisation,
    worst_paths,
)
from keybeam_boards.rules import (
    Violation,
    clock_violations,
    gear_violations,
    lane_violations,
    line_span_violations,
    serial_violations,
    x1_lane_violations,
)
from keybeam_boards.toolchain import Progress, Step, run_step
from keybeam_boards.tops import Top

__all__ = ["implement"]


@dataclass(frozen=True)
class _Placement:
    """A placed and routed design."""

    seed: int
    clocks: dict[str, ClockResult]
    violations: list[str]
    lab_only: list[str]
    delay_lines: list[DelayLineResult]
    report: dict[str, Any]

    @property
    def result(self) -> SeedResult:
        ratios = [one.achieved_mhz / one.required_mhz for one in self.clocks.values()]
        met = all(one.met for one in self.clocks.values())
        return SeedResult(self.seed, met, min(ratios), len(self.violations))


def implement(
    platform: Platform,
    top: Top,
    out: Path,
    *,
    name: str,
    seeds: Sequence[int],
    progress: Progress,
    about: Mapping[str, str],
    notes: tuple[str, ...] = (),
    lab_only: bool = False,
) -> BuildReport:
    """Take any top through the toolchain.

    Of several placements that one is kept which breaks the fewest limits of the part, and of these
    the one whose slowest clock, compared with what it must reach, is the fastest.

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
    seeds : sequence of int
        Seeds of placement, one or more.
    progress : callable
        Told of what begins and ends.
    about : mapping of str to str
        ``board``, ``role``, ``slot_rate``, ``git_revision`` and ``map_hash`` of the report.
    notes : tuple of str
        Notes of the report.
    lab_only : bool
        Let pass what a part on the bench may do beyond its data sheet.

    Returns
    -------
    BuildReport
        With a bitstream only if clocks and rules are met.

    Raises
    ------
    ToolError
        If a program of the toolchain is missing or fails, with every seed if it is placement.
    """
    folder = out / f"{name}.work"
    folder.mkdir(parents=True, exist_ok=True)
    bitstream = out / f"{name}.bit"
    bitstream.unlink(missing_ok=True)
    design = _synthesise(platform, top, folder, name, lab_only, progress)
    best, results = _best_placement(design, seeds, progress)
    usable = best.result.timing_met and not best.violations
    if usable:
        stem = _stem(name, best.seed)
        _retarget(folder / f"{stem}.config", platform.timing_device, platform.device)
        run_step(_packing(stem, name), folder, progress)
        os.replace(folder / f"{name}.bit", bitstream)
    report = BuildReport(
        **about,
        device=platform.device,
        timing_device=f"{platform.timing_device} -{platform.speed}",
        seed=best.seed,
        seeds=results,
        bitstream=str(bitstream) if usable else None,
        timing_met=best.result.timing_met,
        clocks=best.clocks,
        utilisation=utilisation(best.report),
        worst_paths=worst_paths(best.report),
        delay_lines=best.delay_lines,
        crossings=design.crossings,
        violations=best.violations,
        lab_only=best.lab_only,
        notes=notes,
    )
    write_whole(out / f"{name}.json", json.dumps(report.as_dict(), indent=2) + "\n")
    write_whole(out / f"{name}.txt", report.text())
    return report


@dataclass(frozen=True)
class _Design:
    """A net list that can be placed."""

    platform: Platform
    top: Top
    folder: Path
    name: str
    lab_only: bool
    crossings: list[Crossing]
    asked: dict[str, str]
    """Cells of delay lines, and the places asked for."""


def _synthesise(
    platform: Platform, top: Top, folder: Path, name: str, lab_only: bool, progress: Progress
) -> _Design:
    """Make the net list that is placed."""
    progress("writing the net list ...")
    platform.prepare(top, name).extract(folder)
    netlist, script = folder / f"{name}.il", folder / f"{name}.ys"
    netlist.write_text(free_collisions(plain_names(netlist.read_text())))
    script.write_text(blocks_apart(script.read_text(), netlist.read_text()))
    crossings = prepared_crossings(platform)
    step = Step("synthesis", "yosys", ("-q", "-l", f"{name}.rpt", f"{name}.ys"))
    run_step(step, folder, progress)
    asked = _rewrite_cells(folder / f"{name}.json")
    return _Design(platform, top, folder, name, lab_only, crossings, asked)


def _rewrite_cells(path: Path) -> dict[str, str]:
    """Name clocks, fill words in, let block RAMs register their outputs, make cells of delay lines.

    Gives the cells of delay lines and the places asked for.
    """
    netlist = json.loads(path.read_text())
    name_clocks(netlist)
    fill_fixed_words(netlist)
    absorb_output_registers(netlist)
    asked = substitute_delay_cells(netlist)
    path.write_text(json.dumps(netlist))
    return asked


def _best_placement(
    design: _Design, seeds: Sequence[int], progress: Progress
) -> tuple[_Placement, list[SeedResult]]:
    """Place with every seed; gives the best placement, and what all gave, the best first."""
    placements, failures = [], []
    for seed in seeds:
        try:
            placement = _place(design, seed, progress)
        except ToolError as error:
            if len(seeds) == 1:
                raise
            failures.append(SeedResult(seed, False, 0, 0, error.reason))
            progress(f"seed {seed}: {error}")
            continue
        placements.append(placement)
        progress(f"seed {seed}: {placement.result.outcome}")
    if not placements:
        reason = f"no seed could be placed and routed; {failures[0].failure}"
        raise ToolError(reason, design.folder)
    # Of equals the first: the sort keeps their order.
    placements.sort(key=lambda one: (one.result.violations, -one.result.worst_ratio))
    return placements[0], [one.result for one in placements] + failures


def _place(design: _Design, seed: int, progress: Progress) -> _Placement:
    """Place and route with one seed, and judge what comes out."""
    top, platform, stem = design.top, design.platform, _stem(design.name, seed)
    step = _place_and_route(
        platform, design.name, seed, loops=top.has_rings, fixed=bool(design.asked)
    )
    run_step(step, design.folder, progress)
    report = json.loads((design.folder / f"{stem}.timing.json").read_text())
    pads = places((design.folder / f"{stem}.tim").read_text())
    lines, displaced = [], []
    if design.asked:
        routed = json.loads((design.folder / f"{stem}.routed.json").read_text())
        displaced = delay_line_violations(routed, design.asked)
        lines = delay_line_results(routed, design.asked, displaced)
    found = _limits(design, pads, worst_paths(report))
    # What a part on the bench may do is let pass if that was asked for.
    passed = [one.sentence for one in found if design.lab_only and one.lab_only]
    broken = [_advised(one) for one in found if not (design.lab_only and one.lab_only)]
    return _Placement(
        seed=seed,
        clocks=clocks(report, top.clocks),
        violations=broken + displaced + crossing_violations(design.crossings),
        lab_only=passed,
        delay_lines=lines,
        report=report,
    )


def _limits(
    design: _Design, pads: Mapping[str, Place], paths: Sequence[WorstPath]
) -> list[Violation]:
    """Check all limits that nextpnr does not."""
    top, platform = design.top, design.platform
    edge_clock_hz = top.plan[-1].output_hz
    line_hz = edge_clock_hz * BITS_PER_EDGE_CYCLE
    if top.x1_lanes:
        of_lanes = [
            *x1_lane_violations(top.lanes, pads, line_hz),
            *gear_violations(paths, edge_clock_hz),
        ]
    else:
        last = last_column(platform.timing_device)
        of_lanes = lane_violations(top.lanes, pads, last, line_hz)
    return [
        *clock_violations(top.plan, platform.speed),
        *of_lanes,
        *serial_violations(top.serial_outputs, platform.timing_device),
        *line_span_violations(bool(design.asked), platform.speed, top.clocks["sync"]),
    ]


def _advised(violation: Violation) -> str:
    advice = ": --lab-only lets it pass, for a part on the bench" if violation.lab_only else ""
    return violation.sentence + advice


def _stem(name: str, seed: int) -> str:
    """Stem of the files of one placement."""
    return f"{name}.seed{seed}"


def _place_and_route(platform: Platform, name: str, seed: int, *, loops: bool, fixed: bool) -> Step:
    family, size = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F", platform.timing_device).groups()
    option = {"U": "", "UM": "um-", "UM5G": "um5g-"}[family]
    stem = _stem(name, seed)
    arguments = {
        f"--{option}{size}k": None,
        "--package": PACKAGES[platform.package],
        "--speed": platform.speed,
        "--seed": str(seed),
        "--json": f"{name}.json",
        "--lpf": f"{name}.lpf",
        "--textcfg": f"{stem}.config",
        "--log": f"{stem}.tim",
        "--report": f"{stem}.timing.json",
        # Judged by the report, which is wanted all the more when a clock is missed.
        "--timing-allow-fail": None,
        # The slowest paths count for more than they do by themselves.
        "--placer-heap-critexp": "5",
        "--placer-heap-timingweight": "20",
    }
    if loops:
        # Amaranth refuses loops of its own logic, so those there are can only be of vendor cells.
        arguments["--ignore-loops"] = None
    if fixed:
        # Where cells are that had to be at a place.
        arguments["--write"] = f"{stem}.routed.json"
    words = (word for pair in arguments.items() for word in pair if word is not None)
    return Step(f"place and route with seed {seed}", "nextpnr-ecp5", tuple(words), Milestones())


def _packing(stem: str, name: str) -> Step:
    arguments = ("--compress", "--input", f"{stem}.config", "--bit", f"{name}.bit")
    return Step("packing", "ecppack", arguments)


def _retarget(configuration: Path, source: str, target: str) -> None:
    """Name another part in a configuration."""
    text = configuration.read_text()
    head = f".device {source}\n"
    if not text.startswith(head):
        raise ValueError(f"{configuration} is not for {source}")
    configuration.write_text(f".device {target}\n" + text.removeprefix(head))
