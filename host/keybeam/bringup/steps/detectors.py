"""The detectors, by their tags: dark counts, dead time, afterpulses."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from keybeam.bringup.bench import Bench, has_counts
from keybeam.bringup.checks import (
    CONFIDENCE,
    Check,
    Data,
    check,
    number,
    poisson_bounds,
    proportion_bounds,
)
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.drawing import BLUE, GREEN, GREY, ORANGE
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FRAME_CYCLES, FRAME_RATE_HZ
from keybeam.protocol.records import COARSE_BITS, DETECTOR_CHANNELS, FINE_PS, Channel
from keybeam.protocol.symbols import Intensity, Polarisation
from keybeam.receiver.registers import channel_register, take_snapshot
from keybeam.report.plots import Plot, both_sizes
from keybeam.transmitter import clear_flags, set_mode

__all__ = ["DETECTORS", "Intervals", "afterpulse_bounds", "intervals_of"]

_LIT = {
    Polarisation.D: (Channel.H, Channel.V, Channel.D),
    Polarisation.A: (Channel.A,),
}
"""Polarisations that are sent, and the detectors of which enough clicks are awaited."""
_WINDOW_PS = 150_000.0
"""Time after the dead time in which afterpulses are looked for: three times what carriers usually
stay trapped in silicon."""
_FEWEST = 20
_SURE = 0.999
"""Confidence that a dead time is too long: good detectors of few clicks must not fail by chance."""


def _dark(bench: Bench) -> tuple[list[int], float]:
    """Edges of each detector in the dark, and in how many seconds."""
    moments = []
    for wait_s in (bench.plan.dark_s, 0.0):
        take_snapshot(bench.receiver)
        counts = [
            bench.receiver.read(channel_register(channel, "edges_count.count"))
            for channel in DETECTOR_CHANNELS
        ]
        moments.append((bench.receiver.read("receiver.time.cycle"), counts))
        if wait_s:
            bench.await_cycles(int(wait_s * FABRIC_CLOCK_HZ))
    (begin, before), (end, after) = moments
    counted = [last - first for first, last in zip(before, after, strict=True)]
    return counted, (end - begin) % (1 << COARSE_BITS) / FABRIC_CLOCK_HZ


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    board, plan = bench.transmitter, bench.plan
    bench.ask("plug the detectors into H, V, D and A, and keep all light from them")
    bench.stop_pattern()
    data: Data = {}
    with bench.channels(dict.fromkeys(DETECTOR_CHANNELS, 1)):
        bench.tell(f"counting in the dark for {plan.dark_s:g} s")
        counts, seconds = _dark(bench)
        data |= {"dark_counts": np.array(counts), "dark_s": np.array(seconds)}
        bench.ask("let the transmitter's light, or a little light of a lamp, onto all detectors")
        try:
            for light, lit in _LIT.items():
                bench.tell(f"counting with the light of {light.name}")
                bench.run_pattern(PatternMode.FIXED, symbol=Intensity.SIGNAL << 2 | light)
                # Light begins at a frame border: the wait for it is no interval between clicks.
                bench.await_cycles(FRAME_CYCLES)
                capture = bench.capture(
                    2 + int(plan.light_s * FRAME_RATE_HZ),
                    partial(has_counts, channels=lit, least=plan.clicks),
                )
                data |= {
                    f"{light.name}_times": capture.times,
                    f"{light.name}_channels": capture.channels,
                    f"{light.name}_gap_channels": capture.gap_channels,
                    f"{light.name}_gap_begins": capture.gap_begins,
                }
        finally:
            bench.stop_pattern()
            set_mode(board, PatternMode.KEY)
            clear_flags(board)
    return data


class Intervals(NamedTuple):
    """Times between clicks of one detector.

    Attributes
    ----------
    intervals_ps : ndarray of float64
        Between neighbouring clicks with no gap in between.
    dead_ps : float
        The shortest of them; infinite where there are none.
    rate_hz : float
        Rate of what comes at random, by the intervals beyond the afterpulses' window.
    expected : float
        Intervals within the window that such a rate makes by chance.
    within : int
        Intervals within the window.
    """

    intervals_ps: NDArray[np.float64]
    dead_ps: float
    rate_hz: float
    expected: float
    within: int


def intervals_of(
    times: NDArray[np.int64], gap_begins: NDArray[np.int64] | None = None
) -> Intervals:
    """Find dead time and afterpulses in the clicks of a detector.

    Light that is Poissonian makes exponentially distributed waiting times after the dead time
    (e.g. Knoll, Radiation Detection and Measurement, 4th ed., ch. 3 and 4). What comes sooner than
    the later intervals say is afterpulsing.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        Clicks in order, in fine steps.
    gap_begins : ndarray of int64, optional
        Where clicks are missing: intervals over these are left out.
    """
    intervals = np.diff(times) * FINE_PS
    if gap_begins is not None and intervals.size:
        broken = np.searchsorted(times, gap_begins, side="right") - 1
        whole = np.ones(intervals.size, bool)
        whole[broken[(broken >= 0) & (broken < intervals.size)]] = False
        intervals = intervals[whole]
    if intervals.size == 0:
        return Intervals(intervals, np.inf, 0.0, 0.0, 0)
    dead = float(intervals.min())
    end = dead + _WINDOW_PS
    late = intervals[intervals > end]
    rate = late.size / float((late - end).sum()) if late.size else 0.0
    # All that came later had not come within the window.
    within = int(np.count_nonzero(intervals <= end))
    chance = float(-np.expm1(-rate * _WINDOW_PS))
    expected = late.size * chance / max(1 - chance, 1e-9)
    return Intervals(intervals, dead, rate * 1e12, expected, within)


def _clicks(data: Data, channel: Channel) -> Intervals:
    """Intervals of a detector, in the light that lights it more."""
    found = []
    for light in _LIT:
        name = light.name
        mine = data[f"{name}_channels"] == channel
        gaps = np.isin(data[f"{name}_gap_channels"], (channel, -1))
        found.append(intervals_of(data[f"{name}_times"][mine], data[f"{name}_gap_begins"][gaps]))
    return max(found, key=lambda each: each.intervals_ps.size)


def afterpulse_bounds(found: Intervals) -> tuple[float, float, float]:
    """Estimate the probability of an afterpulse, with a lower and an upper bound."""
    total = found.intervals_ps.size
    late = total - found.within
    lower, upper = proportion_bounds(found.within, total)

    def by_chance(rate_hz: float) -> float:
        # As in `intervals_of`, where chance / (1 - chance) is this exponential less one.
        return late * float(np.expm1(rate_hz * 1e-12 * _WINDOW_PS)) / total

    # The rate is known from the later intervals alone, so what it makes by chance is uncertain too.
    slow, fast = (
        (bound / late * found.rate_hz for bound in poisson_bounds(late)) if late else (0, 0)
    )
    part = found.within / total - by_chance(found.rate_hz)
    low, high = lower - by_chance(fast), upper - by_chance(slow)
    return max(0.0, part), max(0.0, low), max(0.0, high)


def _judge(data: Data, plan: Plan) -> list[Check]:
    checks = []
    seconds = number(data, "dark_s")
    for channel, count in zip(DETECTOR_CHANNELS, data["dark_counts"], strict=True):
        lower, upper = (bound / seconds for bound in poisson_bounds(int(count)))
        checks.append(
            check(
                f"detector {channel.name}: dark counts",
                lower <= plan.dark_hz,
                f"{count / seconds:,.0f} /s, at most {upper:,.0f} /s ({count} in "
                f"{seconds * 1e3:.3g} ms)",
                f"not shown to be above {plan.dark_hz:,.0f} /s (confidence {CONFIDENCE:.0%})",
                f"Is the cap on detector {channel.name}, its cooler on, its threshold above the "
                "noise? Switch the room's light off: a change tells stray light from dark counts.",
            )
        )
    for channel in DETECTOR_CHANNELS:
        checks += _with_light(channel, _clicks(data, channel), plan)
    return checks


def _with_light(channel: Channel, found: Intervals, plan: Plan) -> list[Check]:
    name, clicks = f"detector {channel.name}", found.intervals_ps.size
    # The first click after the dead time comes after 1/(n rate) in the mean of n intervals, and its
    # time is exponentially distributed.
    doubt = (
        -np.log1p(-_SURE) * 1e12 / (found.rate_hz * clicks) if found.rate_hz and clicks else np.inf
    )
    most = plan.most_dead_time_ps + doubt
    dead = check(
        f"{name}: dead time",
        clicks >= _FEWEST and plan.least_dead_time_ps <= found.dead_ps <= most,
        f"≤ {found.dead_ps / 1e3:.1f} ns, the shortest of {clicks:,} intervals at "
        f"{found.rate_hz / 1e3:,.0f} kHz"
        if clicks >= _FEWEST
        else f"{clicks} intervals between clicks with light",
        f"{plan.least_dead_time_ps / 1e3:g} ns or more and not shown to be above "
        f"{plan.most_dead_time_ps / 1e3:g} ns (confidence {_SURE:.1%}), of "
        f"{_FEWEST} or more intervals",
        f"Without clicks: is detector {channel.name} on, biased, and does light reach it "
        "(`keybeam rx status` shows its rate)? Intervals that are too short are ringing or double "
        "edges: set the threshold, or a dead time (`keybeam rx channels --dead-time`).",
    )
    if clicks < _FEWEST:
        return [dead]
    part, lower, upper = afterpulse_bounds(found)
    return [
        dead,
        check(
            f"{name}: afterpulses",
            lower <= plan.afterpulses,
            f"{part:.1%}, at most {upper:.1%} ({found.within} clicks within "
            f"{_WINDOW_PS / 1e3:g} ns of the dead time, {found.expected:.1f} by chance)",
            f"not shown to be above {plan.afterpulses:.0%} (confidence {CONFIDENCE:.0%})",
            f"Lower the bias of detector {channel.name}, warm it, or give it a longer dead time.",
        ),
    ]


def _draw(data: Data, _: Plan) -> list[tuple[str, Plot]]:
    found = {channel.name: _clicks(data, channel) for channel in DETECTOR_CHANNELS}
    found = {name: each for name, each in found.items() if each.intervals_ps.size >= _FEWEST}
    if not found:
        return []

    def draw(axes: Axes) -> None:
        for (name, each), colour in zip(found.items(), (BLUE, ORANGE, GREEN, GREY), strict=False):
            ordered = np.sort(each.intervals_ps) / 1e3
            left = 1 - np.arange(ordered.size) / ordered.size
            axes.step(ordered, left, where="post", color=colour, lw=1.2, label=name)
        axes.set(xlabel="time to the next click / ns", ylabel="part that is longer", yscale="log")
        axes.legend(frameon=False, ncols=4, loc="upper right")

    return [("Times between clicks with light", both_sizes(draw, "detectors"))]


DETECTORS = Step(
    "detectors",
    "Detectors",
    _measure,
    _judge,
    _draw,
    ("identity", "clocks"),
    "`keybeam rx status` and `keybeam rx channels` show rates and settings of the detectors.",
)
"""The step."""
