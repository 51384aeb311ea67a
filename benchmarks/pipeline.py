"""Speed and memory of the pipeline on a recorded pass at a QBER of 1 %.

Simulates a pass, makes key of it on one and on two cores, and prints Markdown tables: sifted and
secret Mb/s, where the time goes, and the memory for passes of different lengths.

Example:
    python benchmarks/pipeline.py --repeats 5
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from reporting import machine, save, spread

from keybeam.key_length import Analysis
from keybeam.pipeline import PipelineResult, PipelineSettings, process_pass
from keybeam.pipeline.settings import RECONCILIATIONS
from keybeam.session.parameters import default_parameters
from keybeam_sim.recording import RecordedLink, record_pass

GOAL = 115.8
"""Secret Mb/s aimed at on two cores."""


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


def speeds(cores: int, results: list[PipelineResult]) -> str:
    """Line of the first table: rates by wall time, and by processor time."""
    wall = [result.seconds - result.start_s for result in results]
    sifted, secret = results[0].sifted_bits / 1e6, results[0].secret_bits / 1e6
    alone = [processor_seconds(cores, result, prepared=True) for result in results]
    whole = [processor_seconds(cores, result, prepared=False) for result in results]
    return (
        f"| {cores} | {spread([sifted / s for s in wall])} | {spread([secret / s for s in wall])} "
        f"| {spread([sifted / s for s in alone])} | {spread([secret / s for s in alone])} "
        f"| {spread([secret / s for s in whole])} |"
    )


def stages(results: list[PipelineResult]) -> list[str]:
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
            f"| {name} | {spread(times)} | {np.median(shares):.0%} | {1e3 / np.median(times):.3g} |"
        )
    return lines


def memory(result: PipelineResult) -> str:
    """Line of the third table."""
    total = sum(stage.memory_bytes for stage in result.stages) / 2**20
    largest = max(result.stages, key=lambda stage: stage.memory_bytes)
    return (
        f"| {result.records} | {result.packets} | {total:.0f} "
        f"| {largest.memory_bytes / 2**20:.0f} ({largest.stage}) |"
    )


@click.command()
@click.option("--frames", default=2400, show_default=True, help="Frames of the pass.")
@click.option("--efficiency", default=0.5, show_default=True, help="Clicks of a photon.")
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
    frames: int, efficiency: float, repeats: int, mode: str, seed: int, json_path: Path | None
) -> None:
    """Measure and print the tables."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    link = RecordedLink(efficiency=efficiency)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = PipelineSettings(
            captures=(folder / "tags.h5",),
            symbols=folder / "symbols.h5",
            mode=mode,
            parameters=default_parameters(analysis=Analysis.COMPOSABLE),
            seed=seed,
        )
        record_pass(*settings.captures, settings.symbols, frames=frames, link=link, seed=seed)
        found = {
            count: [run_on(set(cores[:count]), settings) for _ in range(repeats)]
            for count in range(1, len(cores) + 1)
        }
        first = found[1][0]
        click.echo(f"{machine()}; {mode}; {repeats} runs; seed {seed}\n")
        click.echo(
            f"{first.records} records, {first.packets} packets, QBER {first.qber:.2%}, "
            f"f = {first.efficiency:.3f}, {first.packets_failed} failed\n"
        )
        click.echo(
            "| cores | sifted Mb/s | secret Mb/s | sifted by CPU | secret by CPU "
            "| with preparation |"
        )
        click.echo("|---|---|---|---|---|---|")
        for count, results in found.items():
            click.echo(speeds(count, results))
        once = [sum(s.preparing_s for s in r.stages) for runs in found.values() for r in runs]
        click.echo(f"\nPreparation of the analysis: {spread(once)} s of processor time a run.")
        click.echo(f"Goal: {GOAL} secret Mb/s on 2 cores.\n")
        click.echo("| stage | CPU ns a sifted bit | part | sifted Mb/s on a core of its own |")
        click.echo("|---|---|---|---|")
        for line in stages(found[1]):
            click.echo(line)
        click.echo("\n| records | packets | memory of all processes, MiB | largest, MiB |")
        click.echo("|---|---|---|---|")
        largest = 0
        for length in (frames, 4 * frames):
            record_pass(*settings.captures, settings.symbols, frames=length, link=link, seed=seed)
            result = run_on(set(cores), settings)
            largest = max(largest, sum(stage.memory_bytes for stage in result.stages))
            click.echo(memory(result))
        if json_path:
            save(
                json_path,
                {
                    "mode": mode,
                    "secret": [
                        result.secret_bits / (result.seconds - result.start_s) / 1e6
                        for result in found[len(cores)]
                    ],
                    "secret_by_processor": [
                        result.secret_bits
                        / processor_seconds(len(cores), result, prepared=True)
                        / 1e6
                        for result in found[len(cores)]
                    ],
                    "cores": len(cores),
                    "memory_mib": largest / 2**20,
                },
            )


if __name__ == "__main__":
    main()
