"""The state log: a known pattern is sent and looked up."""

from collections.abc import Mapping

import numpy as np

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import Check, Data, check
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import Intensity
from keybeam.report.plots import Plot
from keybeam.transmitter import clear_flags, load_user_pattern, set_mode

__all__ = ["STATE_LOG"]

_SLOTS = 16
_FRAMES = 2
_GUARD = 64
"""Pulses at the begin of what is held that are answered as too old."""
_LOOKUPS = 28


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    board = bench.transmitter
    generator = np.random.default_rng(2)
    pattern = generator.integers(0, Intensity.INVALID << 2, _SLOTS).astype(np.uint8)
    bench.tell("sending a known pattern and looking it up")
    bench.stop_pattern()
    load_user_pattern(board, pattern)
    try:
        bench.run_pattern(PatternMode.USER, frames=_FRAMES)
        bench.await_that(lambda: bool(board.read("transmitter.status.finished")), 4 * _FRAMES + 4)
        board.write("log.snapshot.take", 1)
        newest, oldest = board.read("log.newest.index"), board.read("log.oldest.index")
        some = generator.integers(oldest + _GUARD, newest, _LOOKUPS - 2, np.uint64, endpoint=True)
        # Both ends of what is held, and the first pulse that never was.
        ends = np.array([oldest + _GUARD, newest, newest + 1], np.uint64)
        indices = np.concatenate([np.sort(some), ends])
        status, symbols = board.lookup(indices)
        lost = board.read("log.flags.lost")
    finally:
        bench.stop_pattern()
        set_mode(board, PatternMode.KEY)
        clear_flags(board)
    return {
        "pattern": pattern,
        "indices": indices,
        "status": status,
        "symbols": symbols,
        "held": np.array([oldest, newest], np.uint64),
        "lost": np.array(lost),
    }


def _judge(data: Data, _: Plan) -> list[Check]:
    indices, status = data["indices"], data["status"]
    expected = data["pattern"][indices % np.uint64(FRAME_SLOTS) % np.uint64(_SLOTS)]
    sent = indices <= data["held"][1]
    right = (status == LookupStatus.NOT_KEY) & (data["symbols"] == expected)
    future = status[~sent] == LookupStatus.TOO_NEW
    held = int(data["held"][1] - data["held"][0]) + 1
    return [
        check(
            "state log",
            right[sent].all() and future.all() and not data["lost"],
            f"{np.count_nonzero(right[sent])} of {np.count_nonzero(sent)} pulses right, of "
            f"{held:,} held" + (", pulses lost" if data["lost"] else ""),
            "all looked-up pulses as they were sent, none lost, none before it was sent",
            "`keybeam tx status` tells whether the log's memory works; with DDR3, did its start "
            "pass? `keybeam tx log` looks single pulses up.",
        )
    ]


def _draw(_data: Data, _plan: Plan) -> list[tuple[str, Plot]]:
    return []


STATE_LOG = Step(
    "log",
    "State log",
    _measure,
    _judge,
    _draw,
    ("identity",),
    "`keybeam tx status` shows the state of the log.",
)
"""The step."""
