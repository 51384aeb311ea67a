"""The downlink: its bit error rate, and bytes that come through."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import CONFIDENCE, Check, Data, check, number, proportion_bounds
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.device import MessageLoss
from keybeam.drawing import BLUE, GREY, ORANGE
from keybeam.protocol.downlink import FRAME_BYTES, SYNC_BYTES
from keybeam.receiver.registers import take_snapshot
from keybeam.report.plots import Plot, both_sizes

__all__ = ["DOWNLINK"]

_COUNTERS = ("frames_good", "frames_bad", "syncs_flywheel")
_BITS = 8 * (FRAME_BYTES - SYNC_BYTES)
"""Bits of a frame that its check sums cover."""
_WAIT_S = 10.0


def _counts(bench: Bench) -> list[int]:
    take_snapshot(bench.receiver)
    return [bench.receiver.read(f"receiver.{name}.count") for name in _COUNTERS]


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    bench.tell(f"counting the check sums of {bench.plan.line_frames:,} frames")
    first = _counts(bench)
    sent = np.random.default_rng(1).integers(0, 256, bench.plan.payload_bytes, np.uint8)
    bench.receiver.messages()
    bench.transmitter.send_payload(sent.tobytes())
    got = bytearray()
    losses = 0
    while len(got) < sent.size and (pieces := bench.receiver.messages(_WAIT_S)):
        for piece in pieces:
            if isinstance(piece, MessageLoss):
                losses += 1
            else:
                got += piece
    bench.await_frames(bench.plan.line_frames)
    counted = np.array(_counts(bench)) - first
    return {
        **{name: np.array(value) for name, value in zip(_COUNTERS, counted, strict=True)},
        "sent": sent,
        "received": np.frombuffer(bytes(got), np.uint8),
        "losses": np.array(losses),
    }


def _rate(frame_error_rate: float) -> float:
    """Bit error rate of independent errors with which a part of the frames has at least one."""
    return float(-np.expm1(np.log1p(-frame_error_rate) / _BITS)) if frame_error_rate < 1 else 1.0


def _judge(data: Data, plan: Plan) -> list[Check]:
    bad = int(number(data, "frames_bad"))
    total = bad + int(number(data, "frames_good"))
    missed = int(number(data, "syncs_flywheel"))
    lower, upper = (_rate(bound) for bound in proportion_bounds(bad, total))
    shown = _rate(proportion_bounds(0, total)[1])
    limit = max(plan.bit_error_rate, shown)
    short = f": so few frames cannot show {plan.bit_error_rate:g}" if shown > limit / 1.01 else ""
    same = np.array_equal(data["sent"], data["received"])
    hint = (
        "`keybeam rx line` tells which of signal, sync words, headers and frames fail. Measure the "
        "optical power at the receiver (docs/instruments.md) and clean the connectors; too much "
        "power is as bad as too little."
    )
    return [
        check(
            "downlink: bit error rate",
            total > 0 and upper <= limit * 1.0000001 and missed == 0,
            f"{_rate(bad / total) if total else 1:.2g}, at most {upper:.2g} and at least "
            f"{lower:.2g} ({bad} of {total:,} frames bad, {missed} sync words missed)",
            f"at most {limit:.2g} with confidence {CONFIDENCE:.0%}{short}",
            hint,
        ),
        check(
            "downlink: bytes",
            same,
            f"{data['received'].size:,} of {data['sent'].size:,} bytes"
            + (", all right" if same else ", not what was sent"),
            "all bytes, as they were sent",
            hint,
        ),
    ]


def _draw(data: Data, plan: Plan) -> list[tuple[str, Plot]]:
    bad, good = int(number(data, "frames_bad")), int(number(data, "frames_good"))
    if not bad + good:
        return []

    def draw(axes: Axes) -> None:
        frames = np.unique(np.geomspace(1, max(bad + good, 2), 60).astype(int))
        bounds = [_rate(proportion_bounds(0, int(number))[1]) for number in frames]
        axes.loglog(frames, bounds, color=GREY, lw=1.2, label="bound without any bad frame")
        upper = _rate(proportion_bounds(bad, bad + good)[1])
        axes.loglog(
            [bad + good], [upper], "o", color=ORANGE if bad else BLUE, label="measured bound"
        )
        axes.axhline(plan.bit_error_rate, color=GREY, ls="--", lw=0.8, label="limit")
        axes.set(xlabel="frames", ylabel="bit error rate")
        axes.legend(frameon=False)

    return [("What the counted frames say of the bit error rate", both_sizes(draw, "downlink"))]


DOWNLINK = Step(
    "downlink",
    "Downlink",
    _measure,
    _judge,
    _draw,
    ("identity", "clocks"),
    "`keybeam rx line` shows the state of the downlink.",
)
"""The step."""
