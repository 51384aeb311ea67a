"""Faults of the downlink, one after the other: ``python -m keybeam_sim.line_faults``.

Each is put on the line of a compiled receiver, and what was lost is held against what the receiver
told of it. Prints a Markdown table.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import click
import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.downlink import (
    SYNC_BYTES,
    SYNC_WORD,
    DownlinkFrame,
    FrameFlag,
    encode_frame,
    scrambler_bits,
)
from keybeam.protocol.numbers import FRAME_BITS, FRAME_CYCLES
from keybeam_gateware.line import LineReceiver, SyncState
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.line import LineConditions, sample_line

__all__ = ["FAULTS", "FaultReport", "LineCampaign"]

_FRAMES = 20
_FAULTY = 5
"""Frame in which a fault begins: after the lock, with time to recover behind it."""
_SPARE = 3000
"""Bits behind the last frame, until its payload has left."""
_PAYLOAD = 40
_COPY_AT = 600
"""Byte of a frame at which its payload holds the sync word."""
_LOCKED = 3
"""The first word and two that verify it: the third is the first that is reported."""
_SETTINGS = {
    "hysteresis": 8,
    "word": SYNC_WORD,
    "search_tolerance": 2,
    "lock_tolerance": 8,
    "verify_frames": _LOCKED - 1,
    "flywheel_frames": 4,
    "message__ready": 1,
}
_OUTPUTS = ["signal", "state", "event", "flywheel", "lost_lock", "slipped", "header"]
_OUTPUTS += ["header_valid", "counter", "good", "bad", "message__valid", "message__payload"]

_Bits = NDArray[np.uint8]


def _at(frame: float) -> int:
    return round(frame * FRAME_BITS)


def _cut(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    bits[_at(_FAULTY + 0.4) : _at(_FAULTY + 3.4)] = 0
    return bits


def _stuck(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    bits[_at(_FAULTY + 0.4) : _at(_FAULTY + 8.4)] = 1
    return bits


def _inverted(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    bits[_at(_FAULTY + 0.4) : _at(_FAULTY + 6.4)] ^= 1
    return bits


def _bit_lost(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    return np.delete(bits, _at(_FAULTY + 0.5))


def _bit_more(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    return np.insert(bits, _at(_FAULTY + 0.5), 1)


def _half_garbage(bits: _Bits, rng: np.random.Generator) -> _Bits:
    begin, end = _at(_FAULTY + 0.4), _at(_FAULTY + 6.4)
    garbage = rng.random(end - begin) < 0.5
    bits[begin:end][garbage] = rng.integers(0, 2, np.count_nonzero(garbage))
    return bits


def _noise(bits: _Bits, rng: np.random.Generator) -> _Bits:
    begin, end = _at(_FAULTY + 0.4), _at(_FAULTY + 3.4)
    bits[begin:end] = rng.integers(0, 2, end - begin)
    return bits


def _bursts(bits: _Bits, rng: np.random.Generator) -> _Bits:
    for begin in range(_at(_FAULTY), _at(_FAULTY + 6), 1000):
        bits[begin : begin + 30] ^= rng.integers(0, 2, 30, dtype=np.uint8)
    return bits


def _glitch(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    return np.delete(bits, slice(_at(_FAULTY + 0.5), _at(_FAULTY + 0.5) + 7))


def _nothing(bits: _Bits, _rng: np.random.Generator) -> _Bits:
    return bits


FAULTS: dict[str, Callable[[_Bits, np.random.Generator], _Bits]] = {
    "none": _nothing,
    "cut for 3 frames": _cut,
    "stuck high for 8 frames": _stuck,
    "inverted for 6 frames": _inverted,
    "a bit lost in mid-frame": _bit_lost,
    "a bit too many in mid-frame": _bit_more,
    "50 % garbage for 6 frames": _half_garbage,
    "noise for 3 frames": _noise,
    "bursts of 30 bits": _bursts,
    "sync word copied into every payload": _nothing,
    "reference glitch: 7 bits not sampled": _glitch,
}
"""What each fault does to the bits of the line."""


@dataclass(frozen=True)
class FaultReport:
    """What a fault did.

    Attributes
    ----------
    frames : int
        Frames that were sent; the first three or four pass before the lock.
    delivered : int
        Those whose payload left, all of it right.
    false_payloads : int
        Payloads that left but were never sent.
    unmarked : int
        Frames that were lost without a mark: no bad check sum, flywheel, or missing lock.
    counted : bool
        Every frame between two valid headers was an event: the frames passed are known.
    flywheel, bad, headers_bad, locks_lost, signal_lost, slips : int
        What the receiver told.
    """

    frames: int
    delivered: int
    false_payloads: int
    unmarked: int
    counted: bool
    flywheel: int
    bad: int
    headers_bad: int
    locks_lost: int
    signal_lost: int
    slips: int


class LineCampaign:
    """A compiled receiver and the faults that its line can have."""

    def __init__(self) -> None:
        self._receiver = CompiledBlock(LineReceiver())

    def run(self, name: str, *, seed: int = 1) -> FaultReport:
        """Put a fault on the line.

        Parameters
        ----------
        name : str
            One of `FAULTS`.
        seed : int
            Seed of payloads and noise.
        """
        rng = np.random.default_rng(seed)
        copies = name.startswith("sync word")
        # A copy is found out after 32 bad headers only.
        count = 48 if copies else _FRAMES
        payloads = [rng.bytes(_PAYLOAD) for _ in range(count)]
        if copies:
            payloads = [_with_copy(payload) for payload in payloads]
        frames = [
            encode_frame(DownlinkFrame(1000 + n, FrameFlag.RUNNING, payload))
            for n, payload in enumerate(payloads)
        ]
        # Begins in mid-frame, behind the word: a copy comes first.
        sent = np.concatenate(frames)[_at(0.2) :]
        lead = np.zeros(_at(0.2), np.uint8)
        bits = FAULTS[name](np.concatenate([lead, sent]), rng)[_at(0.2) :]
        conditions = LineConditions(offset=20e-6, random_ui=0.02, start=1.5)
        words, _ = sample_line(np.append(bits, rng.integers(0, 2, _SPARE)), conditions, rng)
        found = self._receiver.run(
            len(words), {"line": words, "cycle": np.arange(len(words)), **_SETTINGS}, _OUTPUTS
        )
        return _judge({key: values.astype(int) for key, values in found.items()}, payloads)


def _with_copy(payload: bytes) -> bytes:
    """Fill a payload up so that the line shows the sync word in its midst."""
    mask = np.packbits(scrambler_bits()).tobytes()[_COPY_AT - SYNC_BYTES :][:SYNC_BYTES]
    word = bytes(a ^ b for a, b in zip(mask, SYNC_WORD.to_bytes(SYNC_BYTES, "big"), strict=True))
    return payload.ljust(_COPY_AT - 20, b"\0") + word + bytes(20)


def _judge(found: dict[str, NDArray[np.int_]], payloads: list[bytes]) -> FaultReport:
    """Compare what left with what was sent."""
    left = bytes(found["message__payload"][found["message__valid"] == 1].astype(np.uint8))
    delivered, position = [], 0
    for number, payload in enumerate(payloads):
        if left.startswith(payload, position):
            delivered.append(number)
            position += len(payload)
    false_payloads = int(np.count_nonzero(found["good"])) - len(delivered)
    false_payloads += int(position != len(left))
    valid = np.flatnonzero((found["header"] == 1) & (found["header_valid"] == 1))
    numbers = found["counter"][valid] - 1000
    headers = np.flatnonzero(found["header"])
    marks = (found["bad"] == 1) | (found["state"] != SyncState.LOCKED.value)
    marks |= ((found["header"] == 1) & (found["header_valid"] == 0)) | (found["signal"] == 0)
    marks |= (found["event"] == 1) & (found["flywheel"] == 1)
    unmarked = 0
    for number in set(range(len(payloads))) - set(delivered):
        # From the frame's beginning, as sent, to the end of it and what the receiver needs.
        begin = int((number - 0.2) * FRAME_CYCLES)
        unmarked += not marks[max(0, begin) : begin + FRAME_CYCLES + 400].any()
    spans = np.diff(np.searchsorted(headers, valid))
    lost = np.flatnonzero(found["lost_lock"])
    steady = np.array(
        [not np.any((lost > a) & (lost < b)) for a, b in pairwise(valid)],
        bool,
    )
    return FaultReport(
        frames=len(payloads),
        delivered=len(delivered),
        false_payloads=false_payloads,
        unmarked=unmarked,
        counted=bool(np.all(spans[steady] == np.diff(numbers)[steady])),
        flywheel=int(np.count_nonzero(found["event"] & found["flywheel"])),
        bad=int(found["bad"].sum()),
        headers_bad=int(np.count_nonzero(found["header"] & (1 - found["header_valid"]))),
        locks_lost=int(found["lost_lock"].sum()),
        signal_lost=int(np.count_nonzero(np.diff(found["signal"]) == -1)),
        slips=int(found["slipped"].sum()),
    )


@click.command()
@click.option("--seed", default=1, show_default=True, help="Seed of payloads and noise.")
def main(seed: int) -> None:
    """Print what each fault of the line did, as a Markdown table; status 1 if a loss has no mark.

    \b
    Example:
        python -m keybeam_sim.line_faults --seed 2
    """
    campaign, sound = LineCampaign(), True
    click.echo(
        "| fault | frames | delivered | lost without a mark | false payloads | flywheel "
        "| bad headers | bad frames | locks lost | signal lost |"
    )
    click.echo("|---" * 10 + "|")
    for name in FAULTS:
        report = campaign.run(name, seed=seed)
        click.echo(
            f"| {name} | {report.frames} | {report.delivered} | {report.unmarked} | "
            f"{report.false_payloads} | {report.flywheel} | {report.headers_bad} | {report.bad} | "
            f"{report.locks_lost} | {report.signal_lost} |"
        )
        sound &= report.unmarked == report.false_payloads == 0 and report.counted
    click.echo(f"\n{'All loss was marked' if sound else 'Not all loss was marked'}.")
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
