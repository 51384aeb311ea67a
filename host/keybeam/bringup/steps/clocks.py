"""Locks and frequencies of the clocks."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import Check, Data, check
from keybeam.bringup.edges import clock_ratio
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.drawing import BLUE
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FRAME_DURATION_PS
from keybeam.protocol.records import COARSE_BITS, FINE_PS, Channel
from keybeam.receiver.registers import read_cycle
from keybeam.receiver.status import SYNC_STATES
from keybeam.report.plots import Plot, both_sizes

__all__ = ["CLOCKS"]

_LOCK_FRAMES = 12
"""Frames within which a receiver finds sync words: three are enough without errors."""
_LEAST_RANGE_NS = 2.0
"""The plot shows no less than what sampling makes."""
_LOCKED = SYNC_STATES.index("locked")


def _moment(bench: Bench) -> tuple[float, int, float]:
    """Take the reference time before and after, and the receiver's cycle between."""
    before = bench.clock.now_s()
    cycle = read_cycle(bench.receiver)
    return before, cycle, bench.clock.now_s()


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    first = _moment(bench)
    bench.stop_pattern()
    locked = bench.await_that(
        lambda: bench.receiver.read("receiver.status.sync_state") == _LOCKED, _LOCK_FRAMES
    )
    signal = bench.receiver.read("receiver.status.signal")
    times, counters = np.empty(0, np.int64), np.empty(0, np.uint64)
    if locked:
        with bench.channels({Channel.SYNC: 1}):
            capture = bench.capture(
                2 * bench.plan.clock_frames,
                lambda counts: counts.get(Channel.SYNC, 0) >= bench.plan.clock_frames,
            )
        times, counters = capture.sync_times, capture.sync_counters
    last = _moment(bench)
    return {
        "locked": np.array(locked),
        "signal": np.array(signal),
        "sync_times": times,
        "sync_counters": counters,
        "begin": np.array(first, float),
        "end": np.array(last, float),
    }


def _frequency(data: Data) -> tuple[float, float]:
    """Receiver's clock in Hz by the reference, and how far off it can be."""
    begin, end = data["begin"], data["end"]
    cycles = (end[1] - begin[1]) % (1 << COARSE_BITS)
    # The board took the cycle at some moment between asking and answer.
    seconds = (end[0] + end[2] - begin[0] - begin[2]) / 2
    doubt = (end[2] - end[0] + begin[2] - begin[0]) / 2
    return cycles / seconds, cycles / seconds * doubt / seconds


def _judge(data: Data, plan: Plan) -> list[Check]:
    frequency, doubt = _frequency(data)
    off = frequency / FABRIC_CLOCK_HZ - 1
    doubt_ppm = doubt / FABRIC_CLOCK_HZ * 1e6
    checks = [
        check(
            "receiver's clock",
            abs(off) * 1e6 <= plan.absolute_ppm + doubt_ppm,
            f"{frequency / 1e6:.4f} ± {doubt / 1e6:.4f} MHz",
            f"156.25 MHz ± {plan.absolute_ppm:g} ppm"
            f" and what the measurement is uncertain by, {doubt_ppm:,.0f} ppm",
            "Is the receiver's reference oscillator the one its bitstream was built for "
            "(`keybeam boards`)?",
        ),
        check(
            "lock on the downlink",
            bool(data["locked"]),
            "locked"
            if data["locked"]
            else "signal, but no sync words"
            if data["signal"]
            else "no signal",
            "locked",
            "Is the downlink's fibre or lead plugged in at both ends, its laser on, its polarity "
            "right? `keybeam rx line` shows what arrives; `keybeam tx sync-word` must be the same "
            "on both boards.",
        ),
    ]
    if data["sync_times"].size >= 2:
        ratio, uncertainty = clock_ratio(data["sync_times"], data["sync_counters"])
        ppm, doubt = (ratio - 1) * 1e6, uncertainty * 1e6
        checks.append(
            check(
                "transmitter's clock against the receiver's",
                abs(ppm) <= plan.clock_ppm,
                f"{-ppm:+.3f} ± {doubt:.2g} ppm: {frequency / ratio / 1e6:.4f} MHz",
                f"± {plan.clock_ppm:g} ppm",
                "One reference oscillator is off: measure both with a frequency counter, or give "
                "both boards one reference.",
            )
        )
    elif data["locked"]:
        checks.append(
            check(
                "transmitter's clock against the receiver's",
                False,
                f"{data['sync_times'].size} sync words with good headers",
                f"± {plan.clock_ppm:g} ppm",
                "Sync words come but their frames do not pass: too many bit errors, see the "
                "downlink.",
            )
        )
    return checks


def _draw(data: Data, _: Plan) -> list[tuple[str, Plot]]:
    times, counters = data["sync_times"], data["sync_counters"]
    if times.size < 3:
        return []
    frames = (counters - counters[0]).astype(float)
    since = (times - times[0]) * FINE_PS
    left = since - np.polyval(np.polyfit(frames, since, 1), frames)
    most = max(_LEAST_RANGE_NS, 1.2 * float(np.abs(left).max()) / 1e3)

    def draw(axes: Axes) -> None:
        axes.plot(frames * FRAME_DURATION_PS * 1e-9, left / 1e3, ".-", color=BLUE, lw=0.8)
        axes.set(xlabel="time / ms", ylabel="sync word, off the line / ns")
        axes.set_ylim(-most, most)

    return [("Times of the sync words, less a straight line", both_sizes(draw, "clocks"))]


CLOCKS = Step(
    "clocks",
    "Clocks",
    _measure,
    _judge,
    _draw,
    ("identity",),
    "Does the receiver answer at all (`keybeam rx status`)? Is its clock running?",
)
"""The step."""
