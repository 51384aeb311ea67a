"""The transmitter's lanes, read back through leads: pattern, period, jitter, delay; and aligned."""

import math
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from msgspec.structs import replace
from numpy.typing import NDArray

from keybeam.bringup.bench import Bench, Capture, has_counts
from keybeam.bringup.checks import Check, Data, check
from keybeam.bringup.edges import (
    PERIOD_PS,
    PERIOD_SLOTS,
    SIGNATURES,
    LaneFit,
    fit_lane,
    sampled_limit_ps,
)
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.drawing import BLUE, ORANGE
from keybeam.protocol.lanes import FINE_DELAY_STEP_PS, LANES, sagnac_lane_table
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, PULSE_RATE_HZ, SLOT_PS
from keybeam.protocol.records import Channel
from keybeam.receiver.registers import write_whole
from keybeam.report.plots import Plot, both_sizes
from keybeam.transmitter import clear_flags, load_lane_table, set_mode, start

__all__ = ["LANE_DELAYS"]

_PASSES = ("before", "after")
_SYMBOL = 0
"""Symbol whose row of the lane table has the test pattern meanwhile."""
_LINE_EDGES_HZ = FABRIC_CLOCK_HZ / 4
"""Rising edges of random bits."""
_SIGMAS = 3.0


def _table() -> NDArray[np.uint16]:
    """Row of the lane table with the test pattern of each lane."""
    row = np.zeros((1, PERIOD_SLOTS), np.uint16)
    for lane, rises in enumerate(SIGNATURES[:LANES]):
        for slot in rises:
            row[0, slot : slot + 2] |= 1 << lane
    return row


def _rounds(leads: Mapping[int, Channel]) -> list[list[int]]:
    """Lanes that can be measured at the same time: one at each input."""
    rounds: list[list[int]] = []
    for lane, channel in leads.items():
        for each in rounds:
            if channel not in {leads[other] for other in each}:
                each.append(lane)
                break
        else:
            rounds.append([lane])
    return rounds


def _set_lanes(bench: Bench, on: list[int], delays: Mapping[int, tuple[int, int]]) -> None:
    for lane in bench.plan.leads:
        coarse, fine = delays.get(lane, (0, 0))
        write_whole(
            bench.transmitter,
            f"pattern.lane_{lane}",
            delay=coarse,
            fine_delay=fine,
            enable=int(lane in on),
        )


def _pass(
    bench: Bench, name: str, delays: Mapping[int, tuple[int, int]]
) -> Iterator[tuple[int, Capture]]:
    leads = bench.plan.leads
    for lanes in _rounds(leads):
        bench.tell(f"lanes {', '.join(map(str, lanes))} {name} their alignment")
        bench.ask(
            "plug the loop-back leads: "
            + ", ".join(f"lane {lane} to {leads[lane].name}" for lane in lanes)
        )
        bench.stop_pattern()
        _set_lanes(bench, lanes, delays)
        start(bench.transmitter, spacing=PERIOD_SLOTS)
        wanted = [Channel.LINE, *(leads[lane] for lane in lanes)]
        capture = bench.capture(
            _most_frames(bench),
            partial(has_counts, channels=wanted, least=bench.plan.lane_tags),
        )
        for lane in lanes:
            yield lane, capture


def _most_frames(bench: Bench) -> int:
    """Frames in which even a slow serial line brings all tags."""
    divider = bench.divider(_LINE_EDGES_HZ, 3)
    seconds = 2 * bench.plan.lane_tags * divider / _LINE_EDGES_HZ
    return 3 + int(seconds * FABRIC_CLOCK_HZ / (1 << 14))


def _keep(data: Data, name: str, lane: int, channels: set[Channel], capture: Capture) -> None:
    place = f"{name}_{lane}"
    for channel in channels:
        data[f"{place}_{channel.name}"] = capture.of(channel)
    data[f"{place}_LINE"] = capture.of(Channel.LINE)
    data[f"{place}_sync"] = capture.sync_times
    data[f"{place}_counters"] = capture.sync_counters


def _fits(data: Data, plan: Plan, name: str, lag: float | None = None) -> dict[int, LaneFit]:
    """Fit all lanes of a pass, each at the input where its lead should end."""
    fits: dict[int, LaneFit] = {}
    for lane, channel in plan.leads.items():
        place = f"{name}_{lane}"
        if f"{place}_sync" not in data:
            continue
        times, syncs = data[f"{place}_{channel.name}"], data[f"{place}_sync"]
        if times.size < 3 or syncs.size < 2 or data[f"{place}_LINE"].size < 3:
            fits[lane] = LaneFit(None, np.nan, np.nan, np.nan, np.nan)
            continue
        fits[lane] = fit_lane(
            times,
            data[f"{place}_LINE"],
            syncs,
            data[f"{place}_counters"],
            sampled=bool(data["sampled"]),
            lag=lag,
        )
        lag = fits[lane].lag if lag is None and fits[lane].lane is not None else lag
    return fits


def _near(fits: dict[int, LaneFit], expected: Mapping[int, float]) -> dict[int, LaneFit]:
    """Take delays, which are known but for whole periods, as near as can be to expected ones."""
    near = {}
    for lane, fit in fits.items():
        turns = np.rint((fit.delay_ps - expected.get(lane, fit.delay_ps)) / PERIOD_PS)
        near[lane] = fit._replace(delay_ps=fit.delay_ps - PERIOD_PS * float(turns))
    return near


def _before(data: Data, plan: Plan) -> dict[int, LaneFit]:
    """Fits of the first pass, all within half a period of the first lane."""
    fits = _fits(data, plan, _PASSES[0])
    first = next((fit.delay_ps for fit in fits.values() if fit.lane is not None), 0.0)
    return _near(fits, dict.fromkeys(fits, first))


def _after(data: Data, plan: Plan, before: dict[int, LaneFit]) -> dict[int, LaneFit]:
    """Fits of the second pass, near to where the delays should have brought the lanes."""
    lag = next((fit.lag for fit in before.values() if fit.lane is not None), None)
    set_ps = _set_ps(data)
    expected = {lane: fit.delay_ps + set_ps.get(lane, 0.0) for lane, fit in before.items()}
    return _near(_fits(data, plan, _PASSES[1], lag), expected)


def _set_ps(data: Data) -> dict[int, float]:
    """Delay that was set for each lane."""
    return {
        int(lane): float(coarse * SLOT_PS + fine * FINE_DELAY_STEP_PS)
        for lane, coarse, fine in data["delays"]
    }


def _delays(fits: Mapping[int, LaneFit]) -> dict[int, tuple[int, int]]:
    """Coarse and fine delays that bring all lanes to the latest one."""
    late = max(fit.delay_ps for fit in fits.values())
    delays = {}
    for lane, fit in fits.items():
        coarse = int((late - fit.delay_ps) // SLOT_PS)
        fine = round((late - fit.delay_ps - coarse * SLOT_PS) / FINE_DELAY_STEP_PS)
        delays[lane] = coarse, fine
    return delays


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    board = bench.transmitter
    data: Data = {"sampled": np.array(not bench.receiver.read("tagger.shared.lines.others"))}
    channels = set(bench.plan.leads.values())
    bench.stop_pattern()
    load_lane_table(board, _table())
    set_mode(board, PatternMode.FIXED, _SYMBOL)
    dividers = {Channel.LINE: bench.divider(_LINE_EDGES_HZ, 3), Channel.SYNC: 1}
    # Two rises a period on average.
    edges = 2 * PULSE_RATE_HZ / PERIOD_SLOTS
    dividers |= {channel: bench.divider(edges, 3) for channel in channels}
    delays: dict[int, tuple[int, int]] = {}
    try:
        with bench.channels(dividers):
            for lane, capture in _pass(bench, _PASSES[0], {}):
                _keep(data, _PASSES[0], lane, channels, capture)
            fits = _before(data, bench.plan)
            if all(fit.lane == lane for lane, fit in fits.items()):
                delays = _delays(fits)
                for lane, capture in _pass(bench, _PASSES[1], delays):
                    _keep(data, _PASSES[1], lane, channels, capture)
    finally:
        bench.stop_pattern()
        _set_lanes(bench, list(bench.plan.leads), delays)
        load_lane_table(board, sagnac_lane_table()[:1])
        set_mode(board, PatternMode.KEY)
        clear_flags(board)
    data["delays"] = np.array([(lane, *delay) for lane, delay in delays.items()]).reshape(-1, 3)
    return data


def _seen_elsewhere(data: Data, plan: Plan, lane: int) -> str:
    """Say what the inputs showed instead of a lane's pattern."""
    seen = []
    for channel in sorted(set(plan.leads.values())):
        times = data[f"before_{lane}_{channel.name}"]
        if times.size:
            fit = _fits(data, _only(plan, lane, channel), "before").get(lane)
            what = "no pattern" if fit is None or fit.lane is None else f"lane {fit.lane}"
            seen.append(f"{what} at {channel.name}")
    return ", ".join(seen) or "no edges at any input"


def _only(plan: Plan, lane: int, channel: Channel) -> Plan:
    return replace(plan, leads={lane: channel})


def _uncertainty_ps(data: Data, plan: Plan, lane: int) -> float:
    """Give the standard deviation of a delay: a bin over the number of sampled times."""
    place = f"before_{lane}"
    counts = [data[f"{place}_{name}"].size for name in ("LINE", plan.leads[lane].name)]
    if data["sampled"]:
        return math.hypot(*(SLOT_PS / max(count, 1) for count in counts))
    return math.hypot(*(plan.jitter_ps / math.sqrt(max(count, 1)) for count in counts))


def _judge(data: Data, plan: Plan) -> list[Check]:
    before = _before(data, plan)
    checks = []
    for lane, fit in before.items():
        channel = plan.leads[lane].name
        checks.append(
            check(
                f"lane {lane}: pattern",
                fit.lane == lane and abs(fit.ratio - 1) * 1e6 <= plan.clock_ppm,
                f"its own at {channel}, period {PERIOD_PS / 1e3 * fit.ratio:.6f} ns of the "
                f"receiver's clock, {data[f'before_{lane}_{channel}'].size} edges timed"
                if fit.lane == lane
                else _seen_elsewhere(data, plan, lane),
                f"its own pattern at {channel}, period {PERIOD_PS / 1e3:g} ns "
                f"± {plan.clock_ppm:g} ppm",
                f"Is the lead from lane {lane} to {channel} plugged at both ends, into the right "
                "pins (docs/boards)? An oscilloscope at the lane's pin tells the transmitter from "
                "the lead.",
            )
        )
    for lane, fit in before.items():
        if fit.lane == lane:
            count = data[f"before_{lane}_{plan.leads[lane].name}"].size
            jitter = sampled_limit_ps(count) if data["sampled"] else 2 * plan.jitter_ps
            checks.append(
                check(
                    f"lane {lane}: jitter",
                    fit.rms_ps <= jitter,
                    f"{fit.rms_ps:.0f} ps RMS"
                    + (" with the bins of 1.6 ns" if data["sampled"] else ""),
                    f"≤ {jitter:.0f} ps RMS"
                    + (", what such bins and so few edges alone make" if data["sampled"] else ""),
                    "Is the lead terminated, its level right for the input? Reflections and slow "
                    "edges add jitter.",
                )
            )
    return [*checks, *_alignment(data, plan, before)]


def _alignment(data: Data, plan: Plan, before: dict[int, LaneFit]) -> list[Check]:
    after = _after(data, plan, before)
    hint = (
        "Do the lanes have delay cells in this build (`keybeam boards`)? Lanes further apart than "
        "12.8 ns cannot be told from nearer ones: make the leads equally long."
    )
    if not after or any(fit.lane != lane for lane, fit in after.items()):
        return [check("lanes aligned", False, "not aligned", f"≤ {plan.alignment_ps:g} ps", hint)]
    delays = _set_ps(data)
    # Both passes measured the same skew, so their mean says more than either.
    skew = {
        lane: (before[lane].delay_ps + delays[lane] + fit.delay_ps) / 2
        for lane, fit in after.items()
    }
    middle = (max(skew.values()) + min(skew.values())) / 2
    worst = max(abs(value - middle) for value in skew.values())
    doubt = _SIGMAS * max(_uncertainty_ps(data, plan, lane) for lane in after)
    told = f" and what so few tags leave open, {doubt:.0f} ps" if doubt > 1 else ""
    first = [fit.delay_ps for fit in before.values()]
    return [
        check(
            "lanes aligned",
            worst <= plan.alignment_ps + doubt,
            f"within ± {worst:.0f} ps, from {np.ptp(first):.0f} ps before",
            f"± one step of {plan.alignment_ps:g} ps{told}",
            hint,
        )
    ]


def _draw(data: Data, plan: Plan) -> list[tuple[str, Plot]]:
    before = {lane: fit for lane, fit in _before(data, plan).items() if fit.lane == lane}
    if not before:
        return []
    after = {lane: fit for lane, fit in _after(data, plan, before).items() if fit.lane == lane}

    def draw(axes: Axes) -> None:
        start_ps = min(fit.delay_ps for fit in before.values())
        for fits, marker, colour, label in (
            (before, "o", ORANGE, "before"),
            (after, "s", BLUE, "after alignment"),
        ):
            if fits:
                delays = [(fit.delay_ps - start_ps) / 1e3 for fit in fits.values()]
                axes.plot(delays, list(fits), marker, color=colour, label=label)
        axes.set(xlabel="delay after the earliest lane / ns", ylabel="lane")
        axes.set_yticks(list(before))
        axes.legend(frameon=False)

    return [("Delay of each lane", both_sizes(draw, "lanes"))]


LANE_DELAYS = Step(
    "lanes",
    "Lanes",
    _measure,
    _judge,
    _draw,
    ("identity", "clocks"),
    "`keybeam tx lanes` and `keybeam rx channels` show the settings of both ends of the leads.",
)
"""The step."""
