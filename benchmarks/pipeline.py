"""Speed and memory of the pipeline on recorded passes at a QBER of 1 %.

Simulates a pass of each source, makes key of it on one and on two cores, and prints Markdown
tables: sifted and secret Mb/s, where the time goes, and the memory for passes of different lengths.

Example:
    python benchmarks/pipeline.py --repeats 5
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import msgspec
import numpy as np
from reporting import machine, save, spread

from keybeam.key_length import Analysis
from keybeam.pipeline import PipelineResult, PipelineSettings, process_pass
from keybeam.pipeline.settings import RECONCILIATIONS
from keybeam.session.parameters import default_parameters
from keybeam_sim.recording import SOURCES, RecordedLink, record_pass

GOAL = 115.8
"""Secret Mb/s aimed at on two cores: the most that a link made so far (W. Li et al., Nat. Photon.
17 (2023) 416)."""

GOAL_SOURCE = "fibre"
"""Source of the pass that is to reach it: one of bases chosen unequally, as that link's."""

BLOCK_PACKETS = {"satellite": 5, "fibre": 100}
"""Packets of a block: those of a session, and so many that few checks bound the key well."""

SAMPLE_FRACTION = {"satellite": 0.1, "fibre": 0.01}
"""Part of the clicks that only tells the error rate: that of a session, and one for many clicks."""


def settings_for(name: str, folder: Path, mode: str, seed: int) -> PipelineSettings:
    """Settings for the pass of a source, whose files lie in a folder."""
    source = SOURCES[name]
    return PipelineSettings(
        captures=(folder / "tags.h5",),
        symbols=folder / "symbols.h5",
        mode=mode,
        parameters=msgspec.structs.replace(
            default_parameters(analysis=Analysis.COMPOSABLE),
            intensities=source.intensities,
            probabilities=source.probabilities,
            sample_fraction=SAMPLE_FRACTION[name],
        ),
        key_basis_probability=source.key_basis_probability,
        block_packets=BLOCK_PACKETS[name],
        seed=seed,
    )


def run_on(cores: set[int], settings: PipelineSettings) -> PipelineResult:
    """Process a pass on some cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        return process_pass(replace(settings, workers=len(cores)))
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(cores: int, result: PipelineResult, *, prepared: bool) -> float:
    """Seconds that a run would take by processor time alone, as if all had been prepared or not.

    No faster than all work shared out evenly, nor than the slowest process.
    """
    used = [stage.processor_s - (stage.preparing_s if prepared else 0.0) for stage in result.stages]
    return max(sum(used) / cores, *used)


def speeds(name: str, cores: int, results: list[PipelineResult]) -> str:
    """Line of the first table: rates by wall time, and by processor time."""
    wall = [result.seconds - result.start_s for result in results]
    sifted, secret = results[0].sifted_bits / 1e6, results[0].secret_bits / 1e6
    alone = [processor_seconds(cores, result, prepared=True) for result in results]
    whole = [processor_seconds(cores, result, prepared=False) for result in results]
    return (
        f"| {name} | {cores} "
        f"| {spread([sifted / s for s in wall])} | {spread([secret / s for s in wall])} "
        f"| {spread([sifted / s for s in alone])} | {spread([secret / s for s in alone])} "
        f"| {spread([secret / s for s in whole])} |"
    )


def stages(source: str, results: list[PipelineResult]) -> list[str]:
    """Lines of the second table: processor time of each stage for a sifted bit."""
    names = list(dict.fromkeys(stage.stage.split()[0] for stage in results[0].stages))
    lines = []
    for name in names:
        times, shares = [], []
        for result in results:
            own = {s.stage: s.processor_s - s.preparing_s for s in result.stages}
            mine = sum(time for stage, time in own.items() if stage.split()[0] == name)
            times.append(mine / result.sifted_bits * 1e9)
            shares.append(mine / sum(own.values()))
        lines.append(
            f"| {source} | {name} | {spread(times)} "
            f"| {np.median(shares):.0%} | {1e3 / np.median(times):.3g} |"
        )
    return lines


def memory(name: str, result: PipelineResult) -> str:
    """Line of the third table."""
    total = sum(stage.memory_bytes for stage in result.stages) / 2**20
    largest = max(result.stages, key=lambda stage: stage.memory_bytes)
    return (
        f"| {name} | {result.records} | {result.packets} | {total:.0f} "
        f"| {largest.memory_bytes / 2**20:.0f} ({largest.stage}) |"
    )


def measure(
    settings: PipelineSettings, cores: list[int], repeats: int
) -> dict[int, list[PipelineResult]]:
    """Process a pass several times on one core, and on two."""
    return {
        count: [run_on(set(cores[:count]), settings) for _ in range(repeats)]
        for count in range(1, len(cores) + 1)
    }


def show(found: dict[str, dict[int, list[PipelineResult]]]) -> None:
    """Print the tables of speed."""
    click.echo(
        "| source | records a sifted bit | packets | failed | QBER | f | key of a sifted bit |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        first = runs[1][0]
        click.echo(
            f"| {name} | {first.records / first.sifted_bits:.2f} | {first.packets} "
            f"| {first.packets_failed} | {first.qber:.2%} | {first.efficiency:.3f} "
            f"| {first.secret_bits / first.sifted_bits:.3f} |"
        )
    click.echo(
        "\n| source | cores | sifted Mb/s | secret Mb/s | sifted by CPU | secret by CPU "
        "| with preparation |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    for name, runs in found.items():
        for count, results in runs.items():
            click.echo(speeds(name, count, results))
    click.echo()
    for name, runs in found.items():
        once = [sum(s.preparing_s for s in r.stages) for results in runs.values() for r in results]
        click.echo(
            f"Preparation for the {name}'s source: {spread(once)} s of processor time a run."
        )
    click.echo(f"Goal: {GOAL} secret Mb/s on 2 cores, of the {GOAL_SOURCE}'s source.\n")
    click.echo("| source | stage | CPU ns a sifted bit | part | sifted Mb/s on a core of its own |")
    click.echo("|---|---|---|---|---|")
    for name, runs in found.items():
        for line in stages(name, runs[1]):
            click.echo(line)


@click.command()
@click.option("--frames", default=4800, show_default=True, help="Frames of a pass.")
@click.option("--efficiency", default=0.5, show_default=True, help="Clicks of a photon.")
@click.option(
    "--source",
    "names",
    type=click.Choice(list(SOURCES)),
    multiple=True,
    default=list(SOURCES),
    show_default=True,
    help="Sources of the passes.",
)
@click.option("--repeats", default=5, show_default=True, help="Runs of each measurement.")
@click.option("--mode", type=click.Choice(RECONCILIATIONS), default="fast", show_default=True)
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation.")
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the values to this file.",
)
def main(
    frames: int,
    efficiency: float,
    names: tuple[str, ...],
    repeats: int,
    mode: str,
    seed: int,
    json_path: Path | None,
) -> None:
    """Measure and print the tables."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    found, lines, largest = {}, [], 0.0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            settings = settings_for(name, Path(folder), mode, seed)
            files = (*settings.captures, settings.symbols)
            link = RecordedLink(SOURCES[name], efficiency=efficiency)
            record_pass(*files, frames=frames, link=link, seed=seed)
            found[name] = measure(settings, cores, repeats)
            whole = found[name][len(cores)][0]
            record_pass(*files, frames=frames // 4, link=link, seed=seed)
            lines += [memory(name, result) for result in (run_on(set(cores), settings), whole)]
            total = sum(stage.memory_bytes for stage in whole.stages) / 2**20
            largest = max(largest, total)
    click.echo(f"{machine()}; {mode}; {repeats} runs; seed {seed}\n")
    show(found)
    click.echo("\n| source | records | packets | memory of all processes, MiB | largest, MiB |")
    click.echo("|---|---|---|---|---|")
    for line in lines:
        click.echo(line)
    if json_path:
        save(json_path, {"mode": mode, "cores": len(cores), "memory_mib": largest, **values(found)})


def values(found: dict[str, dict[int, list[PipelineResult]]]) -> dict[str, dict[str, list[float]]]:
    """Secret Mb/s of each source on all cores, by wall time and by processor time."""
    rates = {}
    for name, runs in found.items():
        cores = max(runs)
        rates[name] = {
            "secret": [r.secret_bits / (r.seconds - r.start_s) / 1e6 for r in runs[cores]],
            "secret_by_processor": [
                r.secret_bits / processor_seconds(cores, r, prepared=True) / 1e6
                for r in runs[cores]
            ],
        }
    return rates


if __name__ == "__main__":
    main()
