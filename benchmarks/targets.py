"""All that is aimed at in the distillation beside what is measured, in one table.

Short measurements are made at once. Those that take long are read from the files that
`distillation.py` and `pipeline.py` saved with ``--json benchmarks/results/NAME.json``; the last
column tells of which revision and machine they are.

Example:
    python benchmarks/targets.py
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import numpy as np
from kernels import AMPLIFICATION, CHECKED_BITS, FAST, measure_amplification, measure_fast
from pipeline import GOAL, GOAL_SOURCE
from reporting import machine, revision, spread

from keybeam.protocol.numbers import PACKET_BITS
from keybeam_sim.recording import SOURCES

RESULTS = Path(__file__).parent / "results"

FRAMES = 1000
"""Frames of a packet over which f and failures are asked for."""

KEY_GAIN = {"whole": 1.35, "blocks": 1.10}
"""Least median of the composable key over the paper's, of one block a pass and of 500 kbit."""

LARGEST_GAIN = 1.8
"""More would be an error to be found."""

TRIAL_BLOCKS = 10_000
"""Simulated blocks of each attack."""

MEMORY_MIB = 2048
"""Most memory of all processes."""


class Row(NamedTuple):
    """A line of the table: `met` is None where too little was measured to tell."""

    what: str
    aim: str
    measured: str
    met: bool | None
    source: str


def saved(name: str) -> tuple[dict[str, Any], str] | None:
    """Values of a file of results, and where they are from."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return values, f"{values['revision']}, {values['machine'].split(',')[0]}"


def reconciliation() -> list[Row]:
    """Modes for low f, which need thousands of frames."""
    found = saved("distillation")
    if found is None:
        return [Row("f of 100 kbit and 1 Mbit", "", "run distillation.py --json", None, "")]
    values, source = found
    rows = []
    for row in values["rows"]:
        if not row["aim"]:
            continue
        what = f"f, {row['mode']}, {row['frame_bits'] // 1000} kbit, {row['qber']:.0%}"
        text = f"{row['f']:.4f} ± {row['f_error']:.4f}, {row['failed']}/{row['frames']} failed"
        met = row["met"]
        if row["frames"] < FRAMES and row["frame_bits"] == PACKET_BITS:
            # So few do not show that no more fail than may.
            text, met = f"{text}, of {FRAMES} asked for", met and None
        rows.append(Row(what, f"<= {row['aim']}", text, met, source))
    frames = sum(row["frames"] for row in values["rows"])
    silent = sum(row["silent"] for row in values["rows"])
    text = f"{silent} in {frames} frames"
    return [*rows, Row("errors before the hash in silence", "0", text, not silent, source)]


def kernels(frames: int) -> list[Row]:
    """Fast mode and amplification, measured now."""
    generator = np.random.default_rng(1)
    rows = []
    for qber, aim in FAST.items():
        if aim is None:
            continue
        point = measure_fast(qber, frames, 5, generator)
        good = point["f"] <= aim[1] and point["failed"] <= 0.01 * frames and not point["silent"]
        text = f"{point['f']:.4f}, {point['failed']}/{frames} failed"
        rows.append(Row(f"f, fast, {qber:.0%}", f"<= {aim[1]}", text, good, "now"))
        enough = median(point["speeds"]) >= aim[0]
        speeds = spread(point["speeds"])
        rows.append(Row(f"Mb/s a core, fast, {qber:.0%}", f">= {aim[0]}", speeds, enough, "now"))
    for bits, length, speed in AMPLIFICATION:
        if speed is None:
            continue
        point = measure_amplification(bits, length, 5, generator)
        enough = median(point["speeds"]) >= speed and point["right"] == CHECKED_BITS
        what = f"Mb/s a core, amplification of {bits / 1e6:g} Mbit"
        rows.append(Row(what, f">= {speed}", spread(point["speeds"]), enough, "now"))
    return rows


def keylength(*words: str) -> Any:
    """Run a command of ``keybeam keylength``."""
    command = [sys.executable, "-m", "keybeam", "keylength", *words, "--json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


def key_length() -> list[Row]:
    """Keys of the published passes, computed now."""
    passes = keylength("published")["passes"]
    rows = []
    for kind, aim in KEY_GAIN.items():
        gains = [one[kind] / one["key_bits"] for one in passes]
        met = aim <= round(median(gains), 2) <= LARGEST_GAIN
        what = "composable key over the paper's, " + (
            "a block a pass" if kind == "whole" else "500 kbit"
        )
        rows.append(Row(what, f">= {aim}", spread(gains), met, "now"))
    return rows


def key_length_bounds() -> list[Row]:
    """The Monte Carlo of the bounds, and the gain of the parameters that are best for a link."""
    rows = []
    for one in keylength("trial", "--blocks", str(TRIAL_BLOCKS)):
        most = one["allowed"] * one["blocks"]
        rows.append(
            Row(
                f"bound on {one['bound']} exceeded, {one['attack']}",
                f"<= {most:.0f} of {one['blocks']}",
                str(one["exceeded"]),
                one["exceeded"] <= most,
                "now",
            )
        )
    for one in keylength("optimise"):
        gain = one["key_bits"] / one["reference_bits"]
        what = f"gain of the best source over 0.8, 0.1, 0.001, {one['loss_db']:g} dB"
        rows.append(Row(what, "", f"{gain:.2f}", None, "now"))
    return rows


def pipeline() -> list[Row]:
    """The whole, which needs a long pass."""
    found = saved("pipeline")
    if found is None:
        return [Row("secret Mb/s of the pipeline", "", "run pipeline.py --json", None, "")]
    values, source = found
    rows = []
    for name in SOURCES:
        # The goal is one of a link with such a source.
        aimed = name == GOAL_SOURCE
        for what, part in (("", "secret"), (", by processor time", "secret_by_processor")):
            rates = values[name][part]
            rows.append(
                Row(
                    f"secret Mb/s of the pipeline on {values['cores']} cores, {name}{what}",
                    f">= {GOAL}" if aimed else "",
                    spread(rates),
                    median(rates) >= GOAL if aimed else None,
                    source,
                )
            )
    memory = values["memory_mib"]
    rows.append(
        Row("its memory, MiB", f"<= {MEMORY_MIB}", f"{memory:.0f}", memory <= MEMORY_MIB, source)
    )
    return rows


@click.command()
@click.option("--frames", default=200, show_default=True, help="Frames of the fast mode.")
def main(frames: int) -> None:
    """Print the table; medians, and ranges in brackets.

    \b
    Example:
        python benchmarks/targets.py
    """
    click.echo(f"now: {revision()}, {machine()}\n")
    click.echo("| what | aim | measured | met | from |\n|---|---|---|---|---|")
    for row in [
        *reconciliation(),
        *kernels(frames),
        *key_length(),
        *key_length_bounds(),
        *pipeline(),
    ]:
        met = "" if row.met is None else "yes" if row.met else "no"
        click.echo(f"| {row.what} | {row.aim} | {row.measured} | {met} | {row.source} |")


if __name__ == "__main__":
    main()
