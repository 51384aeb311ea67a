"""Precision of the smoothed clock: ``python benchmarks/clock.py --plot docs/images/clock.svg``.

Sync words of a modelled pass (Doppler and jitter) go through the decoder and the estimator as
those of a board do. Prints a Markdown table of the error of a frame's start against the truth, for
several windows, and draws it.
"""

from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS
from keybeam.protocol.records import (
    FINE_PS,
    FRAME_COUNTER_BITS,
    FRAME_VALID,
    RecordType,
    pack_records,
)
from keybeam.timing import ClockEstimator, ClockState, RecordDecoder

START_STEPS = 1 << 20
WINDOWS_S = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
RATE, DRIFT, PASS_S = 23.4e-6, 0.4e-6, 360.0
"""Largest Doppler at 15° elevation, and largest change of it, of a 500 km orbit."""
FRAME_S = float(FRAME_DURATION_PS) * 1e-12


def arrival_ps(seconds: np.ndarray) -> np.ndarray:
    """Arrival of what is sent so many seconds into the pass, less what it would be at rest.

    Rate ``-RATE tanh(...)`` as of a satellite that comes, passes and goes; it changes by DRIFT a
    second in the middle.
    """
    width = RATE / DRIFT
    middle = PASS_S / 2
    path = np.logaddexp((seconds - middle) / width, -(seconds - middle) / width)
    return RATE * width * (path - np.logaddexp(-middle / width, middle / width)) * 1e12


def sync_records(
    generator: np.random.Generator, frames: int, first: int, jitter: float
) -> np.ndarray:
    """Sync words and headers of consecutive frames."""
    counters = first + np.arange(frames)
    times = counters * float(FRAME_DURATION_PS) + arrival_ps(counters * FRAME_S)
    times = np.rint((times + generator.normal(0, jitter, frames)) / FINE_PS).astype(np.int64)
    body = counters | int(FrameFlag.RUNNING) << FRAME_COUNTER_BITS
    syncs = pack_records(RecordType.SYNC, 0, times + START_STEPS)
    return np.stack([syncs, pack_records(RecordType.FRAME, FRAME_VALID, body)], axis=1).ravel()


def errors(states: list[ClockState], at: str) -> np.ndarray:
    """Start of one frame of each window by its state, less the truth."""
    counters = np.array([getattr(state, at) for state in states])
    found = [
        (state.segment_start - START_STEPS) * FINE_PS + state.start_ps(int(counter))
        for state, counter in zip(states, counters, strict=True)
    ]
    return np.array(found) - counters * float(FRAME_DURATION_PS) - arrival_ps(counters * FRAME_S)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@click.command()
@click.option("--jitter", default=42.0, show_default=True, help="RMS of a sync word in ps.")
@click.option("--seconds", default=40.0, show_default=True, help="Length, around the culmination.")
@click.option("--seed", default=1, show_default=True, help="Seed of the jitter.")
@click.option("--plot", type=click.Path(path_type=Path), help="Where to draw the figure (SVG).")
def main(jitter: float, seconds: float, seed: int, plot: Path | None) -> None:
    """Print the table and draw the figure."""
    generator = np.random.default_rng(seed)
    first = round((PASS_S - seconds) / 2 / FRAME_S)
    records = sync_records(generator, round(seconds / FRAME_S), first, jitter)
    rows = []
    click.echo(f"{seconds:g} s around culmination, {jitter:g} ps RMS a sync word, seed {seed}\n")
    click.echo("| window, ms | windows | middle, ps RMS | end, ps RMS | state's own error, ps |")
    click.echo("|---|---|---|---|---|")
    for window in WINDOWS_S:
        estimator = ClockEstimator(window_frames=round(window / FRAME_S))
        decoder = RecordDecoder()
        states = estimator.feed(decoder.feed(records)) + estimator.finish()
        middle, end = rms(errors(states, "counter")), rms(errors(states, "last_counter"))
        claimed = rms(np.array([state.offset_error_ps for state in states]))
        rows.append((window, middle, end))
        click.echo(
            f"| {1e3 * window:g} | {len(states)} | {middle:.2f} | {end:.2f} | {claimed:.2f} |"
        )
    if plot is not None:
        draw(plot, np.array(rows), jitter)


def draw(path: Path, rows: np.ndarray, jitter: float) -> None:
    """Error against window, with the goal and the single word."""
    with mpl.rc_context({"svg.hashsalt": "clock", "font.size": 10}):
        figure = Figure(figsize=(7.2, 3.8), layout="constrained")
        axes = figure.subplots()
        axes.loglog(1e3 * rows[:, 0], rows[:, 2], "s-", color="#D55E00", label="end of the window")
        axes.loglog(1e3 * rows[:, 0], rows[:, 1], "o-", color="#0072B2", label="middle")
        axes.axhline(jitter, color="#888888", ls="--", label=f"one sync word, {jitter:g} ps")
        axes.axhline(20.0, color="#009E73", ls=":", label="goal at 100 ms, 20 ps")
        axes.set(xlabel="window / ms", ylabel="error of a frame's start / ps RMS")
        axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
