"""The link to the host: register accesses, and tags at full speed."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from keybeam.bringup.bench import FRAME_BYTES_PER_RECORD, Bench
from keybeam.bringup.checks import Check, Data, check, number
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.device import Board
from keybeam.drawing import BLUE, ORANGE
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ, FINE_BITS, FRAME_RATE_HZ
from keybeam.protocol.records import COARSE_BITS, Channel
from keybeam.receiver.registers import take_snapshot
from keybeam.report.plots import Plot, both_sizes

__all__ = ["HOST_LINK"]

_BITS_PER_BYTE = 10
_ANSWER_BYTES, _ANSWERS = 14, 6
"""Bytes of an answer on the line, and answers between two readings of the counters."""
_MOST_BAUD = 12e6
"""The fastest line that boards and bridges have."""
_CYCLES_BESIDE_BYTE = 2
"""Clock cycles that a board takes for a byte beside its bits: one to begin it, one to stuff it."""
_PATTERNS = (0x5555_AAAA, 0xFFFF_0000, 0x0123_4567)


def _round_trips(bench: Bench, board: Board) -> tuple[list[float], int]:
    """Seconds of accesses, and how many gave something else than was written."""
    seconds, wrong = [], 0
    for turn in range(bench.plan.round_trips):
        value = _PATTERNS[turn % len(_PATTERNS)] ^ turn
        begin = bench.clock.now_s()
        board.write("identity.scratch.value", value)
        wrong += board.read("identity.scratch.value") != value
        seconds.append((bench.clock.now_s() - begin) / 2)
    return seconds, wrong


def _merged(bench: Bench) -> tuple[int, int]:
    take_snapshot(bench.receiver)
    return bench.receiver.read("receiver.time.cycle"), bench.receiver.read(
        "receiver.merged_line.count"
    )


def _throughput(bench: Bench) -> Data:
    """Let more edges come than fit, and count what leaves."""
    wanted = bench.plan.throughput_records
    bench.tell("taking tags as fast as they come")
    expected_s = wanted * FRAME_BYTES_PER_RECORD * _BITS_PER_BYTE / bench.baud
    moments: list[tuple[int, int]] = []

    def enough(counts: Mapping[int, int]) -> bool:
        # The queues are full, and the line is busy, once the first records have come.
        seen = counts.get(Channel.LINE, 0)
        if len(moments) < 2 and seen > (wanted // 5, wanted + wanted // 5)[len(moments)]:
            moments.append(_merged(bench))
        return len(moments) == 2

    with bench.channels({Channel.LINE: 1}):
        capture = bench.capture(4 + int(4 * expected_s * FRAME_RATE_HZ), enough)
    return {
        "moments": np.array(moments).reshape(-1, 2),
        "gaps": capture.gap_begins,
        "taken": np.array(capture.of(Channel.LINE).size),
        "lost": np.array(capture.link_lost),
    }


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    data: Data = {"baud": np.array(bench.baud)}
    wrong = 0
    for name, board in (("transmitter", bench.transmitter), ("receiver", bench.receiver)):
        bench.tell(f"timing register accesses of the {name}")
        seconds, errors = _round_trips(bench, board)
        data[f"{name}_s"] = np.array(seconds)
        wrong += errors
    data["wrong"] = np.array(wrong)
    data |= _throughput(bench)
    boards = (bench.transmitter, bench.receiver)
    data["spoilt"] = np.array(bench.link_errors()) - bench.link_errors_before
    data["broken"] = np.array([board.broken_frames for board in boards])
    data["repeated"] = np.array([board.repeated_requests for board in boards])
    return data


def _judge(data: Data, plan: Plan) -> list[Check]:
    slow = max(float(data[f"{name}_s"].max()) for name in ("transmitter", "receiver"))
    broken, repeated = int(data["broken"].sum()), int(data["repeated"].sum())
    spoilt, wrong, lost = (
        int(data["spoilt"].sum()),
        int(number(data, "wrong")),
        int(number(data, "lost")),
    )
    good = not (broken or repeated or spoilt or wrong or lost)
    return [
        check(
            "host link: errors",
            good,
            f"{wrong} wrong answers, {repeated} requests repeated, {broken} broken frames from the "
            f"boards, {spoilt} to them, {lost} records lost; slowest access {slow * 1e3:.3g} ms",
            "none of them",
            "Try another USB cable and port, and a lower bit rate of board and host; is another "
            "program (a modem manager) reading the port?",
        ),
        _rate(data, plan),
    ]


def _rate(data: Data, plan: Plan) -> Check:
    name = "host link: throughput of tags"
    baud = number(data, "baud")
    least, why = plan.throughput, ""
    if baud > _MOST_BAUD:
        least /= 1 + _CYCLES_BESIDE_BYTE * baud / _BITS_PER_BYTE / FABRIC_CLOCK_HZ
        why = ", as 95 % less the board's own two cycles a byte, which count on so fast a line"
    limit = f"≥ {least:.1%} of the line rate of {baud / 1e6:g} Mbit/s{why}"
    hint = (
        "A slow host shows as gaps and a low rate: close other programs. With an FTDI bridge "
        "set its latency timer to 1 ms (docs/first-day.md). Is the bit rate given (`baud=`) the "
        "board's?"
    )
    if len(data["moments"]) < 2:
        return check(name, False, f"only {int(number(data, 'taken'))} records came", limit, hint)
    (begin, before), (end, after) = data["moments"].tolist()
    seconds = (end - begin) % (1 << COARSE_BITS) / FABRIC_CLOCK_HZ
    # Each gap took two records, and the line also carried the answers by which this is known.
    inside = (data["gaps"] >> FINE_BITS >= begin) & (data["gaps"] >> FINE_BITS < end)
    records = after - before + 2 * np.count_nonzero(inside)
    room = seconds * baud / _BITS_PER_BYTE - _ANSWER_BYTES * _ANSWERS
    part = records * FRAME_BYTES_PER_RECORD / room
    records_per_s = records / seconds
    return check(
        name,
        part >= least,
        f"{part:.1%}: {records_per_s:,.0f} records/s for {seconds * 1e3:.3g} ms",
        limit,
        hint,
    )


def _draw(data: Data, _: Plan) -> list[tuple[str, Plot]]:
    def draw(axes: Axes) -> None:
        for name, colour in (("transmitter", BLUE), ("receiver", ORANGE)):
            axes.plot(data[f"{name}_s"] * 1e3, ".", color=colour, label=name)
        axes.set(xlabel="access", ylabel="time / ms", ylim=(0, None))
        axes.legend(frameon=False, ncols=2)

    return [("Time of register accesses", both_sizes(draw, "host link"))]


HOST_LINK = Step(
    "link",
    "Link to the host",
    _measure,
    _judge,
    _draw,
    ("identity",),
    "Is the cable in? `keybeam registers --port` reads all registers of a board.",
)
"""The step."""
