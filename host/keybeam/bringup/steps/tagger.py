"""The time-tagger: calibration and linearity of its bins, and its own jitter."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import Check, Data, check
from keybeam.bringup.edges import clock_ratio, line_residuals, sampled_limit_ps
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.drawing import BLUE, GREY, ORANGE
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FINE_STEPS, SLOT_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import FINE_PS, SAMPLED_FINE_STEP, TAGGED_CHANNELS, Channel
from keybeam.receiver.calibration import (
    calibrate_channel,
    load_tables,
    new_calibration,
    ring_pulses,
)
from keybeam.receiver.calibration_file import Calibration, ChannelCounts
from keybeam.report.plots import Plot, both_sizes
from keybeam.tagger import calibrate, linearity
from keybeam.tagger.linearity import Linearity

__all__ = ["TAGGER"]

_LINE_EDGES_HZ = FABRIC_CLOCK_HZ / 4
_HALF_BIN_STATISTICS = 3.0
_QUANTISATION_SHARE = 1.2
"""What noise may add to what the bins of a line alone would give."""


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    board, plan = bench.receiver, bench.plan
    taps = board.read("tagger.shared.lines.taps")
    lines = board.read("tagger.shared.lines.others")
    data: Data = {"lines": np.array(lines), "taps": np.array(taps)}
    if lines:
        data |= _calibrated(bench)
    with bench.channels({Channel.LINE: bench.divider(_LINE_EDGES_HZ, 1), Channel.SYNC: 1}):
        bench.tell("timing the downlink's edges")
        divider = bench.divider(_LINE_EDGES_HZ, 1)
        frames = 3 + int(2 * plan.tagger_tags * divider / _LINE_EDGES_HZ * FABRIC_CLOCK_HZ) // (
            1 << 14
        )
        capture = bench.capture(
            frames, lambda counts: counts.get(Channel.LINE, 0) >= plan.tagger_tags
        )
    data |= {
        "edges": capture.of(Channel.LINE),
        "sync_times": capture.sync_times,
        "sync_counters": capture.sync_counters,
    }
    return data


def _calibrated(bench: Bench) -> Data:
    """Calibrate all channels and load their tables; what was counted."""
    board = bench.receiver
    pulses = ring_pulses(board)
    counted: dict[str, ChannelCounts] = {}
    for channel in TAGGED_CHANNELS:
        bench.tell(f"calibrating {channel.name}")
        counted[channel.name] = calibrate_channel(
            board, channel, counts=bench.plan.calibration_counts, pulses=pulses
        )
    calibration: Calibration = new_calibration(board, counted)
    load_tables(board, calibration)
    return {
        f"counts_{name}": np.array([counts.chains, *(counts.rising or [])])
        for name, counts in counted.items()
    }


def _linearities(data: Data) -> dict[str, Linearity]:
    found = {}
    for name, counts in data.items():
        if name.startswith("counts_"):
            table = calibrate(
                counts[1:].astype(np.int64), chains=int(counts[0]), taps=int(data["taps"])
            )
            found[name.removeprefix("counts_")] = linearity(table)
    return found


def _residuals(data: Data) -> tuple[np.ndarray, float]:
    """Deviations of the downlink's edges from whole bits, and the ratio of the clocks."""
    if data["edges"].size < 3 or data["sync_times"].size < 2:
        return np.empty(0), 1.0
    ratio, uncertainty = clock_ratio(data["sync_times"], data["sync_counters"])
    return line_residuals(data["edges"], ratio, uncertainty, sampled=not data["lines"])


def _judge(data: Data, plan: Plan) -> list[Check]:
    checks = _sampled_bins(data, plan) if not data["lines"] else _lines(data)
    left, _ = _residuals(data)
    widest = max((line.quantisation_ps for line in _linearities(data).values()), default=0.0)
    limit = (
        max(plan.jitter_ps, _QUANTISATION_SHARE * widest)
        if data["lines"]
        else sampled_limit_ps(left.size)
    )
    rms = float(left.std()) if left.size else np.inf
    checks.append(
        check(
            "tagger: jitter of a single time",
            rms <= limit,
            f"{rms:.0f} ps RMS of {left.size:,} edges of the downlink, its own jitter included",
            f"≤ {limit:.0f} ps RMS"
            + ("" if data["lines"] else ": what bins of 1.6 ns and so few edges alone make"),
            "If the lanes show less, the downlink's own jitter is the reason; else calibrate anew "
            "(`keybeam rx calibrate`) and look at the supply of the reference oscillator.",
        )
    )
    return checks


def _bin_counts(data: Data) -> np.ndarray:
    bins = data["edges"] % FINE_STEPS // SAMPLED_FINE_STEP
    return np.bincount(bins, minlength=SLOTS_PER_CYCLE)


def _sampled_bins(data: Data, plan: Plan) -> list[Check]:
    counts = _bin_counts(data)
    total = int(counts.sum())
    mean = total / SLOTS_PER_CYCLE
    dnl = counts / max(mean, 1) - 1
    _, ratio = _residuals(data)
    span_ps = np.ptp(data["edges"]) * FINE_PS if total else 0.0
    sweep = abs(ratio - 1) * span_ps / SLOT_PS
    doubt = _HALF_BIN_STATISTICS / np.sqrt(max(mean, 1))
    return [
        check(
            "tagger: bins of the sampled inputs",
            total > 0 and sweep >= 1 and np.abs(dnl).max() <= plan.dnl_lsb + doubt,
            f"bins of 1.6 ns, no delay lines: DNL {dnl.min():+.2f} to {dnl.max():+.2f}, INL "
            f"{np.cumsum(dnl).min():+.2f} to {np.cumsum(dnl).max():+.2f} bins, of {total:,} edges "
            f"that wandered through {sweep:.1f} bins",
            f"DNL within ± {plan.dnl_lsb:g} bins and what so few edges leave open, {doubt:.2f}",
            "If edges hardly wander, both boards run from one clock: the bins cannot be seen by "
            "the downlink then. Else the clock's duty cycle or an input cell is wrong.",
        )
    ]


def _lines(data: Data) -> list[Check]:
    checks = []
    for name, line in _linearities(data).items():
        # A bin wider than the slot would hide an edge; IEEE Std 1241 has no limit of its own.
        checks.append(
            check(
                f"tagger: delay line of {name}",
                line.widest_bin_ps <= 5 * line.mean_bin_ps,
                f"mean bin {line.mean_bin_ps:.1f} ps, widest {line.widest_bin_ps:.1f} ps, DNL "
                f"{line.dnl_lsb.min():+.1f} to {line.dnl_lsb.max():+.1f}, INL "
                f"{line.inl_lsb.min():+.1f} to {line.inl_lsb.max():+.1f} bins",
                "no bin wider than five mean ones",
                "`keybeam rx calibrate --plot` shows the bins; a wide one is a part of the line "
                "that was not placed in a row: read the report of `keybeam build`.",
            )
        )
    return checks


def _draw(data: Data, _: Plan) -> list[tuple[str, Plot]]:
    plots = []
    lines = _linearities(data)

    def draw_bins(axes: Axes) -> None:
        if lines:
            name, line = next(iter(lines.items()))
            axes.plot(line.dnl_lsb, color=GREY, lw=0.8, label=f"DNL of {name}")
            axes.plot(line.inl_lsb, color=BLUE, lw=1.2, label=f"INL of {name}")
            axes.set(xlabel="code", ylabel="bins")
        else:
            counts = _bin_counts(data)
            axes.bar(np.arange(SLOTS_PER_CYCLE) * SLOT_PS / 1e3, counts, width=1.4, color=BLUE)
            axes.axhline(counts.mean(), color=ORANGE, lw=1, ls="--", label="equally wide")
            axes.set(xlabel="bin of the clock period / ns", ylabel="edges")
        axes.legend(frameon=False)

    if lines or data["edges"].size:
        plots.append(("Bins of the tagger", both_sizes(draw_bins, "tagger bins")))
    left = _residuals(data)[0]

    def draw_jitter(axes: Axes) -> None:
        axes.hist(left, bins=40, color=BLUE)
        axes.set(xlabel="edge of the downlink, off a whole bit / ps", ylabel="edges")

    if left.size:
        plots.append(("Deviation of single times", both_sizes(draw_jitter, "tagger jitter")))
    return plots


TAGGER = Step(
    "tagger",
    "Time-tagger",
    _measure,
    _judge,
    _draw,
    ("identity", "clocks"),
    "`keybeam rx channels` and `keybeam rx calibrate` show what the tagger does.",
)
"""The step."""
