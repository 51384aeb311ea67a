"""From the receiver board's records to clicks that may be sifted."""

import secrets
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from keybeam.device import RecordLoss
from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import PULSE_RATE_HZ, SLOT_PS
from keybeam.protocol.records import FINE_PS
from keybeam.session.errors import SessionError
from keybeam.session.statistics import ClickRates
from keybeam.tags import CaptureWriter
from keybeam.timing import (
    CLICK_DTYPE,
    PULSE_DTYPE,
    ClickGate,
    ClickOrder,
    DecodedChunk,
    PackedClicks,
    PulseIndexer,
    RecordDecoder,
    align,
    click_order,
    estimate_delay,
    gate,
    join_packed,
    joined,
    packed_order,
    resolve_packed,
)

__all__ = ["ClickSource", "RecordSource"]

_CALIBRATION_CLICKS = 4096
"""First clicks of a session, from which the constant part of their phase is estimated: to about
5 ps for a spread of 350 ps."""
_LOST_LINK_S = 10.0
"""Seconds of the board's time without a sync word that end the pass, once it has begun."""
_SILENT_BOARD_S = 30.0
"""Seconds without any record, though the board sends some even in silence."""
_POLL_S = 0.1
_NO_CLICKS = PackedClicks(0, np.empty(0, np.uint32))


class RecordSource(Protocol):
    """What gives records: a receiver's board, or what stands for one.

    Attributes
    ----------
    name : str
        What it is called in errors.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    def records(self, timeout: float) -> NDArray[np.uint64] | RecordLoss:
        """Return the next records, or none after `timeout` seconds, or a loss before the next."""
        ...


class ClickSource:
    """Reads a receiver board until the pass is over.

    The pass is over when the frames say that the pattern no longer runs, when there was no sync
    word for 10 s, or after `duration_s`.

    Parameters
    ----------
    board : RecordSource
        The `Receiver`, whose stream is switched on.
    indexer : PulseIndexer
        Set for the board's time resolution.
    duration_s : float or None
        Length of the pass in s on the satellite's clock; None for as long as there is one.
    seed : int or None
        Seed of the bits of double clicks in a simulation; None for the operating system's.
    recorder : CaptureWriter or None
        Takes all records, too.

    Attributes
    ----------
    detections, clicks, gated, resolved : int
        Tags; those with a pulse index; those within the gate; those given out.
    lost_records : int
        Records known to be lost.
    restarts : int
        How often the board started again; what it lost then is not among `lost_records`.
    """

    def __init__(
        self,
        board: RecordSource,
        indexer: PulseIndexer,
        duration_s: float | None = None,
        seed: int | None = None,
        recorder: CaptureWriter | None = None,
    ) -> None:
        self._board = board
        self._recorder = recorder
        self._decoder = RecordDecoder()
        self._indexer = indexer
        self._end_index = None if duration_s is None else round(duration_s * PULSE_RATE_HZ)
        self._generator = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
        self._early: NDArray[np.void] | None = np.empty(0, CLICK_DTYPE)
        self._delay_ps = 0.0
        self._held = _NO_CLICKS
        self._last_index = -1
        self._begun = self._over = False
        self._last_sync = 0
        self._heard = time.monotonic()
        self._per_second = [np.zeros(0, np.int64), np.zeros(0, np.int64)]
        self.detections = self.clicks = self.gated = self.resolved = 0
        self.restarts = 0

    @property
    def lost_records(self) -> int:
        """Records known to be lost."""
        return self._decoder.lost

    @property
    def time_s(self) -> float:
        """Time in the pass of the last click that was given out, in s."""
        return max(self._last_index, 0) * SLOT_PS * 1e-12

    @property
    def rates(self) -> ClickRates:
        """Clicks in every second so far."""
        clicks, gated = self._per_second
        return ClickRates(clicks.tolist(), gated.tolist())

    def read(self) -> NDArray[np.void] | None:
        """Wait up to 0.1 s for records; return the clicks that became ready.

        Returns
        -------
        ndarray of PULSE_DTYPE or None
            At most one click a pulse, by increasing pulse index; None once the pass is over and
            everything was given out.

        Raises
        ------
        DeviceError, SessionError
            See `read_packed`.
        """
        parts = self.read_packed()
        return None if parts is None else _unpacked(parts)

    def read_packed(self) -> list[PackedClicks] | None:
        """Do the same as `read`, and leave the clicks packed, one part after another.

        Raises
        ------
        DeviceError
            If the board does not answer any more.
        SessionError
            If the board has sent nothing for long.
        """
        if self._over:
            return None
        records = self._board.records(_POLL_S)
        if isinstance(records, RecordLoss):
            self._decoder.lose(records.records)
            self.restarts += records.records is None
            if self._recorder is not None:
                self._recorder.write(np.empty(0, np.uint64), records.records)
            return []
        if self._recorder is not None and records.size:
            self._recorder.write(records)
        if records.size:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > _SILENT_BOARD_S:
            raise SessionError(
                f"the receiver at {self._board.name} has sent nothing for {_SILENT_BOARD_S:.0f} s"
            )
        decoded = self._decoder.feed(records)
        self.detections += decoded.detections
        if self._early is None:
            ready = self._gated(decoded)
            self._watch(decoded)
            return [*ready, *(self._release() if self._over else [])]
        clicks = self._aligned(self._indexer.feed(decoded))
        self._watch(decoded)
        if self._end_index is not None:
            within = clicks["index"] < self._end_index
            self._over |= not within.all()
            clicks = clicks[within]
        return self._finish(clicks) if self._over else self._prepare(clicks)

    def finish(self) -> NDArray[np.void]:
        """Let the pass be over, as where records come from a file; give the clicks that are left.

        Returns
        -------
        ndarray of PULSE_DTYPE
            See `read`; empty where the pass was over already.
        """
        return _unpacked(self.finish_packed())

    def finish_packed(self) -> list[PackedClicks]:
        """Do the same as `finish`, and leave the clicks packed."""
        if self._over:
            return []
        self._over = True
        return self._release()

    def _watch(self, decoded: DecodedChunk) -> None:
        """Notice that the pass begins, and that it is over."""
        syncs = decoded.syncs
        if syncs.size:
            self._last_sync = int(syncs["time"][-1])
        # While records were lost there may have been any: that time is no silence.
        for gap in decoded.gaps:
            if gap.channel is None and gap.begin >= self._last_sync:
                self._last_sync += gap.end - gap.begin
        running = syncs["flags"][syncs["valid"]] & FrameFlag.RUNNING != 0
        self._begun |= bool(running.any())
        stopped = running.size > 0 and not running[-1]
        silent = (decoded.lower_bound - self._last_sync) * FINE_PS > _LOST_LINK_S * 1e12
        self._over |= self._begun and (stopped or silent)

    def _aligned(self, clicks: NDArray[np.void]) -> NDArray[np.void]:
        """Correct the constant part of the phase; hold the first clicks until it is known."""
        if self._early is not None:
            self._early = joined([self._early, clicks], CLICK_DTYPE)
            if self._early.size < _CALIBRATION_CLICKS:
                return clicks[:0]
            return self._calibrate(self._early)
        return align(clicks, self._delay_ps)

    def _calibrate(self, clicks: NDArray[np.void]) -> NDArray[np.void]:
        self._early = None
        if clicks.size:
            self._delay_ps = estimate_delay(clicks[:_CALIBRATION_CLICKS]).delay_ps
        return align(clicks, self._delay_ps)

    def _release(self) -> list[PackedClicks]:
        """Give what is left where the pass is over."""
        return self._finish(np.empty(0, CLICK_DTYPE))

    def _finish(self, clicks: NDArray[np.void]) -> list[PackedClicks]:
        if self._end_index is None:
            left = self._indexer.feed(self._decoder.finish())
            left = joined([left, self._indexer.finish()], CLICK_DTYPE)
            clicks = joined([clicks, self._aligned(left)], CLICK_DTYPE)
        if self._early is not None:
            clicks = self._calibrate(self._early)
        ready = self._prepare(clicks)
        last, self._held = self._held, _NO_CLICKS
        return [*ready, self._resolve(last)]

    def _gated(self, decoded: DecodedChunk) -> list[PackedClicks]:
        """Give the clicks within the gate, one a pulse; count them."""
        gate_of = ClickGate(self._delay_ps)
        if self._end_index is not None:
            gate_of = gate_of._replace(end=self._end_index)
        room = self._held.words.size
        parts, placed = self._indexer.feed_gated(decoded, gate_of, room)
        for part in placed:
            self._over |= part.beyond > 0
            self._add(part.second, part.placed_in, part.gated_in)
        return [ready for clicks in parts for ready in self._hold(clicks, room)]

    def _add(self, second: int, *counts: NDArray[np.int64]) -> None:
        """Add the clicks of some seconds, placed and gated, to the counts."""
        self.clicks += int(counts[0].sum())
        self.gated += int(counts[1].sum())
        for total, new in enumerate(counts):
            before = self._per_second[total]
            after = np.zeros(max(before.size, second + new.size if new.size else 0), np.int64)
            after[: before.size] = before
            after[second : second + new.size] += new
            self._per_second[total] = after

    def _prepare(self, clicks: NDArray[np.void]) -> list[PackedClicks]:
        """Gate, count, and leave one click a pulse."""
        gated = gate(clicks)
        self._add(0, _seconds(clicks), _seconds(gated))
        if click_order(gated) is ClickOrder.MIXED:
            gated = gated[np.argsort(gated["index"], kind="stable")]
        return [ready for part in PackedClicks.all_of(gated) for ready in self._hold(part)]

    def _hold(self, clicks: PackedClicks, room: int = 0) -> list[PackedClicks]:
        """Hold the clicks of the last pulse, of which another one may still come.

        Those that were held go before the new ones: into the room there, where it is just as large.
        """
        if clicks.words.size == room:
            return []
        ready: list[PackedClicks] = []
        pending = self._behind_held(clicks, room)
        if pending is None:
            # Too far away to be of the same pulse.
            ready.append(self._resolve(self._held))
            pending = PackedClicks(clicks.first, clicks.words[room:])
        order = packed_order(pending.words)
        if order is ClickOrder.MIXED:
            pending = PackedClicks(pending.first, np.sort(pending.words))
            order = packed_order(pending.words)
        end = pending.words.size
        while end and pending.index_at(end - 1) == pending.index_at(-1):
            end -= 1
        self._held = PackedClicks(pending.first, pending.words[end:].copy())
        ready.append(self._resolve(PackedClicks(pending.first, pending.words[:end]), order))
        return ready

    def _behind_held(self, clicks: PackedClicks, room: int) -> PackedClicks | None:
        """Give the held clicks and new ones, or None where they are too far apart."""
        held = self._held.counted_from(clicks.first)
        if held is not None and held.size == room:
            clicks.words[:room] = held
            return clicks
        return join_packed(self._held, PackedClicks(clicks.first, clicks.words[room:]))

    def _resolve(self, clicks: PackedClicks, order: ClickOrder | None = None) -> PackedClicks:
        single = PackedClicks(clicks.first, resolve_packed(clicks.words, self._generator, order))
        # A transmitter that restarts counts anew: what is not later can no longer be told apart.
        # The indices rise.
        single = single.later_than(self._last_index)
        if single.words.size:
            self._last_index = single.index_at(-1)
        self.resolved += single.words.size
        return single


def _unpacked(parts: list[PackedClicks]) -> NDArray[np.void]:
    return joined([part.unpacked() for part in parts], PULSE_DTYPE)


def _seconds(clicks: NDArray[np.void]) -> NDArray[np.int64]:
    """Count the clicks of each second."""
    return np.bincount((clicks["index"] // np.uint64(PULSE_RATE_HZ)).astype(np.int64))
