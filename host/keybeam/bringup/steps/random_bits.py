"""The random-number chips: health, and min-entropy of a sample."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import Check, Data, check, number
from keybeam.bringup.plan import Plan
from keybeam.bringup.steps.step import Step
from keybeam.device import Transmitter
from keybeam.drawing import BLUE, GREY, ORANGE
from keybeam.protocol.modes import PatternMode, RandomOrigin
from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam.protocol.symbols import Intensity, intensity_of
from keybeam.randomness import markov_entropy, most_common_value_entropy
from keybeam.report.plots import Plot, both_sizes
from keybeam.transmitter import clear_flags, set_origin

__all__ = ["RANDOM_BITS", "SAMPLES"]

_CHIPS = {"a": RandomOrigin.CHIP_A, "b": RandomOrigin.CHIP_B}
SAMPLES = {name: f"sample_{name}" for name in _CHIPS}
"""Names of the samples of both chips in the data."""

_RELEASED = 2
_STATES = ("held", "in the start-up test", "released", "in a hard stop")
_BITS_OF_PULSE = 2
_RELEASE_FRAMES = 4
_GUARD = 256
"""Pulses at the start of a run that are left out: they may be blanked, or in the log's guard."""
_Z_99, _IDEAL_SIGMAS = 2.576, 4.0


def _take(bench: Bench, origin: RandomOrigin) -> NDArray[np.uint8]:
    """Bits of one chip: those that became polarisations, of pulses in a row."""
    board = bench.transmitter
    bench.stop_pattern()
    set_origin(board, origin)
    bench.await_that(lambda: bool(board.read("random.status.live")), _RELEASE_FRAMES)
    depth = board.read("log.size.frames")
    wanted = -(-bench.plan.sample_bits // _BITS_OF_PULSE)
    parts: list[NDArray[np.uint8]] = []
    while wanted > 0:
        frames = min(-(-wanted // FRAME_SLOTS), max(1, depth - 1))
        bench.run_pattern(PatternMode.KEY, frames=frames)
        bench.await_that(lambda: bool(board.read("transmitter.status.finished")), 4 * frames + 4)
        board.write("log.snapshot.take", 1)
        first = board.read("log.newest.index") + 1 - frames * FRAME_SLOTS
        # The pattern's first pulses may be answered as too old already, or wait for bits.
        pulses = min(wanted, frames * FRAME_SLOTS - _GUARD)
        indices = np.arange(first + _GUARD, first + _GUARD + pulses).astype(np.uint64)
        bench.tell(f"reading {_BITS_OF_PULSE * pulses:,} bits of chip {origin.name[-1]}")
        _, symbols = board.lookup(indices)
        parts.append(symbols[intensity_of(symbols) != Intensity.INVALID])
        wanted -= pulses
    symbols = np.concatenate(parts)
    return np.column_stack([symbols & 1, symbols >> 1 & 1]).astype(np.uint8).ravel()


def _is_tested(board: Transmitter, name: str) -> bool:
    return board.read(f"random.status.state_{name}") >= _RELEASED


def _measure(bench: Bench, _: Mapping[str, Data]) -> Data:
    board = bench.transmitter
    origin = RandomOrigin(board.read("random.origin.origin"))
    data: Data = {}
    for name in _CHIPS:
        bench.await_that(partial(_is_tested, board, name), _RELEASE_FRAMES)
        data[f"state_{name}"] = np.array(board.read(f"random.status.state_{name}"))
        data[f"alarms_{name}"] = np.array(board.read(f"random.alarms_{name}"))
    # What is read out can never become key: the frames are marked before a bit is taken.
    board.write("pattern.not_key.set", 1)
    try:
        for name, source in _CHIPS.items():
            released = int(data[f"state_{name}"]) == _RELEASED
            data[SAMPLES[name]] = _take(bench, source) if released else np.empty(0, np.uint8)
    finally:
        bench.stop_pattern()
        set_origin(board, origin)
        clear_flags(board)
    return data


def _ideal(bits: int) -> float:
    """Most common value estimate that an ideal source of so many bits may come out with."""
    return float(-np.log2(min(1.0, 0.5 + (_IDEAL_SIGMAS + _Z_99) / 2 / np.sqrt(max(bits, 1)))))


def _judge(data: Data, plan: Plan) -> list[Check]:
    checks = []
    for name in _CHIPS:
        state, alarms = int(number(data, f"state_{name}")), int(number(data, f"alarms_{name}"))
        checks.append(
            check(
                f"health of random-number chip {name.upper()}",
                state == _RELEASED and alarms == 0,
                _STATES[state] + (f", alarms {alarms:#07x}" if alarms else ", no alarm"),
                "released, no alarm",
                f"`keybeam tx source` tells which test raised the alarm of chip {name.upper()}. "
                "One lane alone is a broken or stuck line, all lanes are the chip or its supply. "
                f"After mending: `keybeam tx source --source {name} --restart --clear-alarms`.",
            )
        )
    for name in _CHIPS:
        sample = data[SAMPLES[name]]
        if sample.size < 2:
            continue
        counted, markov = most_common_value_entropy(sample), markov_entropy(sample)
        limit = min(plan.entropy_per_bit, _ideal(sample.size))
        short = (
            f" (a sample of {sample.size:,} bits cannot show {plan.entropy_per_bit:g})"
            if limit < plan.entropy_per_bit
            else ""
        )
        checks.append(
            check(
                f"min-entropy of chip {name.upper()}",
                min(counted, markov) >= limit and sample.size >= 0.99 * plan.sample_bits,
                f"{counted:.4f} by the most common value, {markov:.4f} by Markov, of "
                f"{sample.size:,} bits",
                f"≥ {limit:.3g} bit a bit{short}",
                "Run NIST's ea_non_iid on the stored sample to see all ten estimates; check the "
                "chip's supply and the training of its lanes (`keybeam tx source`).",
            )
        )
    return checks


def _draw(data: Data, _: Plan) -> list[tuple[str, Plot]]:
    samples = {name: data[key] for name, key in SAMPLES.items() if data[key].size > 1}
    if not samples:
        return []

    def draw(axes: Axes) -> None:
        longest = max(sample.size for sample in samples.values())
        place = np.unique(np.geomspace(10, longest, 200).astype(int))
        for (name, sample), colour in zip(samples.items(), (BLUE, ORANGE), strict=False):
            some = place[place <= sample.size]
            mean = np.cumsum(sample, dtype=np.int64)[some - 1] / some
            axes.plot(some, mean, color=colour, lw=1.2, label=f"chip {name.upper()}")
        width = _Z_99 / 2 / np.sqrt(place)
        axes.fill_between(place, 0.5 - width, 0.5 + width, color=GREY, alpha=0.25, label="99 %")
        axes.set(xlabel="bits", ylabel="part of ones", xscale="log", ylim=(0.3, 0.7))
        axes.legend(frameon=False, ncols=3, loc="upper right")

    return [("Part of ones in the first bits of the sample", both_sizes(draw, "random bits"))]


RANDOM_BITS = Step(
    "random",
    "Random numbers",
    _measure,
    _judge,
    _draw,
    ("identity",),
    "`keybeam tx source` and `keybeam tx status` show what the chips and the pattern do.",
)
"""The step."""
