"""Limits of the downlink's recovery: ``benchmarks/downlink.py --plot docs/images/downlink.svg``.

Runs the compiled data recovery on a model of the line and prints, as Markdown, the largest jitter
with which no bit is wrong against its frequency and the offset of the clocks; then how well sync
words are timed by the edges around them.
"""

from dataclasses import replace
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
from clock import FRAME_S, PASS_S, START_STEPS, arrival_ps, errors, rms, sync_records
from matplotlib.figure import Figure

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, FRAME_BITS, FRAME_DURATION_PS
from keybeam.protocol.records import FINE_PS
from keybeam.timing import ClockEstimator, RecordDecoder, refine_sync_times
from keybeam_gateware.line.data_recovery import DataRecovery
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.line import LineConditions, sample_line

OFFSETS = (-100e-6, 0.0, 100e-6)
FREQUENCIES_HZ = (0.1e6, 0.3e6, 1e6, 3e6, 10e6, 30e6, 70e6)
DRIFT = 0.4e-6
GOAL_UI, GOAL_HZ = 0.35, 10e6
SETTLE = 1000
MOST_UI = 32.0
TAGGER_PS = 25.0
"""RMS of a time of the tagger with one line, the goal; docs/time-tagger.md has what it reaches."""
LINE_UI = 0.02
"""RMS of random jitter of the line's edges, in bits."""
LATE_PS = 800.0
"""Mean lateness of a word's first sample, by which its time in the record differs."""


class Recovery:
    """The data recovery, and runs of it on lines."""

    def __init__(self, bits: int) -> None:
        self._block = CompiledBlock(DataRecovery())
        self._bits = bits

    def errors(self, conditions: LineConditions, seed: int) -> tuple[int, int]:
        """Wrong bits, and cycles with none or two; a bit too many or too few spoils the rest."""
        rng = np.random.default_rng(seed)
        sent = rng.integers(0, 2, self._bits, dtype=np.uint8)
        words, _ = sample_line(sent, conditions, rng)
        found = self._block.run(
            len(words),
            {"line": words, "cycle": np.arange(len(words)) % 4, "threshold": 8},
            ["recovered__count", "recovered__bits", "slipped"],
        )
        pairs = np.stack([found["recovered__bits"] & 1, found["recovered__bits"] >> 1], axis=1)
        received = pairs[np.arange(2) < found["recovered__count"].astype(int)[:, None]]
        pattern = received[SETTLE : SETTLE + 64]
        windows = np.lib.stride_tricks.sliding_window_view(sent[SETTLE - 40 : SETTLE + 130], 64)
        place = SETTLE - 40 + int(np.argmin(np.count_nonzero(windows != pattern, axis=1)))
        count = min(received.size - SETTLE, sent.size - place)
        wrong = sent[place : place + count] != received[SETTLE : SETTLE + count]
        return int(np.count_nonzero(wrong)), int(np.count_nonzero(found["slipped"][SETTLE:]))

    def tolerance(self, offset: float, hertz: float, seed: int) -> float:
        """Largest jitter, from peak to peak in bits, without a wrong bit: to 3 %, by bisection."""
        low, high = 0.1, MOST_UI
        # The borders of bits may not cross: 1 / (pi f T) is where they would.
        high = min(high, 0.9 / (np.pi * hertz * FABRIC_PERIOD_PS * 1e-12))
        while high / low > 1.03:
            middle = float(np.sqrt(low * high))
            conditions = LineConditions(
                offset=offset,
                ramp=float(np.copysign(DRIFT, offset)),
                jitter_ui=middle,
                jitter_hz=hertz,
                random_ui=0.01,
                start=4 * middle + 1.5,
            )
            low, high = (low, middle) if self.errors(conditions, seed)[0] else (middle, high)
        return low


def print_tolerance(recovery: Recovery, bits: int, seed: int) -> np.ndarray:
    """Print the table of limits and give it, shape (offsets, frequencies)."""
    click.echo(f"Largest sinusoidal jitter without a wrong bit of {bits}, UI from peak to peak")
    click.echo(f"(offset drifting by {1e6 * DRIFT:g} ppm/s, random jitter 0.01 UI RMS)\n")
    click.echo("| offset | " + " | ".join(f"{f / 1e6:g} MHz" for f in FREQUENCIES_HZ) + " |")
    click.echo("|---" * (len(FREQUENCIES_HZ) + 1) + "|")
    rows = []
    for offset in OFFSETS:
        rows.append([recovery.tolerance(offset, hertz, seed) for hertz in FREQUENCIES_HZ])
        cells = " | ".join(f"{limit:.2f}" for limit in rows[-1])
        click.echo(f"| {1e6 * offset:+.0f} ppm | {cells} |")
    return np.array(rows)


def print_goal(recovery: Recovery, bits: int, seed: int) -> None:
    """Print what is left under everything that is asked for at once."""
    click.echo(f"\n{GOAL_UI:g} UI at {GOAL_HZ / 1e6:g} MHz, bit errors of 1e-3, {bits} bits\n")
    click.echo("| offset | bits wrong | of them on the line | slips |")
    click.echo("|---|---|---|---|")
    for offset in OFFSETS:
        conditions = LineConditions(
            offset=offset,
            ramp=float(np.copysign(DRIFT, offset)),
            jitter_ui=GOAL_UI,
            jitter_hz=GOAL_HZ,
            random_ui=0.01,
            error_rate=1e-3,
            start=1.5,
        )
        wrong, slips = recovery.errors(conditions, seed)
        rng = np.random.default_rng(seed)
        rng.integers(0, 2, bits, dtype=np.uint8)
        flipped = int(np.count_nonzero((rng.random(bits) < 1e-3)[SETTLE:]))
        click.echo(f"| {1e6 * offset:+.0f} ppm | {wrong} | {flipped} | {slips} |")


def line_edges(
    generator: np.random.Generator, frames: int, first: int, divider: int, jitter_ui: float
) -> np.ndarray:
    """Times of every so many rising edges, in fine steps; one bit in four begins with one."""
    number = np.arange(frames * FRAME_BITS // (4 * divider))
    bit = first * FRAME_BITS + 4 * divider * number + generator.integers(0, 4, number.size)
    sent_s = bit * (FABRIC_PERIOD_PS * 1e-12)
    times = bit * float(FABRIC_PERIOD_PS) + arrival_ps(sent_s)
    times += jitter_ui / 2 * FABRIC_PERIOD_PS * np.sin(2 * np.pi * GOAL_HZ * sent_s)
    spread = np.hypot(TAGGER_PS, LINE_UI * FABRIC_PERIOD_PS)
    times += generator.normal(0, spread, number.size)
    return np.sort(np.rint(times / FINE_PS).astype(np.int64)) + START_STEPS


def print_sync(seconds: float, seed: int) -> None:
    """Print how well sync words are timed by their edges."""
    frames, first = round(seconds / FRAME_S), round((PASS_S - seconds) / 2 / FRAME_S)
    counters = first + np.arange(frames)
    truth = counters * float(FRAME_DURATION_PS) + arrival_ps(counters * FRAME_S)
    click.echo(
        f"\nSync words by a fit over the edges around them: {TAGGER_PS:g} ps RMS of the tagger, "
        f"{LINE_UI:g} UI RMS of the line; {seconds:g} s\n"
    )
    click.echo(
        "| edges a frame | sinusoidal jitter | a word, ps RMS | own error | 100 ms, ps RMS |"
    )
    click.echo("|---|---|---|---|---|")
    for divider, jitter_ui in ((256, 0.0), (64, 0.0), (16, 0.0), (16, GOAL_UI), (4, GOAL_UI)):
        generator = np.random.default_rng(seed)
        records = sync_records(generator, frames, first, 460.0)
        chunk = RecordDecoder().feed(records)
        edges = line_edges(generator, frames, first, divider, jitter_ui)
        refined = refine_sync_times(chunk.syncs, edges)
        single = (refined.syncs["time"] - START_STEPS) * FINE_PS - truth
        estimator = ClockEstimator(window_frames=round(0.1 / FRAME_S))
        states = estimator.feed(replace(chunk, syncs=refined.syncs)) + estimator.finish()
        click.echo(
            f"| {np.median(refined.edges):.0f} | {jitter_ui:g} UI | {rms(single[1:-1]):.1f} | "
            f"{np.nanmedian(refined.error_ps):.1f} | {rms(errors(states, 'counter')):.2f} |"
        )


def draw(path: Path, table: np.ndarray) -> None:
    """Tolerance against frequency, with what is asked for."""
    with mpl.rc_context({"svg.hashsalt": "downlink", "font.size": 10}):
        figure = Figure(figsize=(7.2, 3.8), layout="constrained")
        axes = figure.subplots()
        colours = ("#0072B2", "#009E73", "#D55E00")
        for offset, row, colour in zip(OFFSETS, table, colours, strict=True):
            label = f"{1e6 * offset:+.0f} ppm"
            axes.loglog(np.array(FREQUENCIES_HZ) / 1e6, row, "o-", color=colour, label=label)
        axes.plot(GOAL_HZ / 1e6, GOAL_UI, "k*", ms=12, label="asked for")
        axes.set(xlabel="frequency of the jitter / MHz", ylabel="tolerated jitter / UI pp")
        axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


@click.command()
@click.option("--bits", default=400_000, show_default=True, help="Bits of each run.")
@click.option("--seconds", default=4.0, show_default=True, help="Sync words timed by edges.")
@click.option("--seed", default=1, show_default=True, help="Seed of bits and jitter.")
@click.option("--plot", type=click.Path(path_type=Path), help="Where to draw the figure (SVG).")
def main(bits: int, seconds: float, seed: int, plot: Path | None) -> None:
    """Print the tables and draw the figure."""
    recovery = Recovery(bits)
    table = print_tolerance(recovery, bits, seed)
    print_goal(recovery, bits, seed)
    print_sync(seconds, seed)
    if plot is not None:
        draw(plot, table)


if __name__ == "__main__":
    main()
