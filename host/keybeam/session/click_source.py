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
    ClickGate,
    ClickOrder,
    DecodedChunk,
    PulseIndexer,
    RecordDecoder,
    align,
    click_order,
    estimate_delay,
    gate,
    joined,
    resolve_double_clicks,
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
        self._held = np.empty(0, CLICK_DTYPE)
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
        ndarray of CLICK_DTYPE or None
            At most one click a pulse, by increasing pulse index; None once the pass is over and
            everything was given out.

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
            return np.empty(0, CLICK_DTYPE)
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
            pending = self._gated(decoded)
            self._watch(decoded)
            return joined([self._hold(pending), self._leave()], CLICK_DTYPE)
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
        ndarray of CLICK_DTYPE
            See `read`; empty where the pass was over already.
        """
        nothing = np.empty(0, CLICK_DTYPE)
        if self._over:
            return nothing
        self._over = True
        return self._finish(nothing)

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

    def _finish(self, clicks: NDArray[np.void]) -> NDArray[np.void]:
        if self._end_index is None:
            left = self._indexer.feed(self._decoder.finish())
            left = joined([left, self._indexer.finish()], CLICK_DTYPE)
            clicks = joined([clicks, self._aligned(left)], CLICK_DTYPE)
        if self._early is not None:
            clicks = self._calibrate(self._early)
        return joined([self._prepare(clicks), self._resolve(self._held)], CLICK_DTYPE)

    def _leave(self) -> NDArray[np.void]:
        """Give what is left where the pass is over."""
        return self._finish(self._held[:0]) if self._over else self._held[:0]

    def _gated(self, decoded: DecodedChunk) -> NDArray[np.void]:
        """Give the clicks within the gate, behind those that are held; count them."""
        gate_of = ClickGate(self._delay_ps)
        if self._end_index is not None:
            gate_of = gate_of._replace(end=self._end_index)
        held = self._held
        pending, parts = self._indexer.feed_gated(decoded, gate_of, room=held.size)
        pending[: held.size] = held
        for part in parts:
            self._over |= part.beyond > 0
            self._add(part.second, part.placed_in, part.gated_in)
        return pending

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

    def _prepare(self, clicks: NDArray[np.void]) -> NDArray[np.void]:
        """Gate, count, and leave one click a pulse."""
        gated = gate(clicks)
        self._add(0, _seconds(clicks), _seconds(gated))
        return self._hold(joined([self._held, gated], CLICK_DTYPE))

    def _hold(self, pending: NDArray[np.void]) -> NDArray[np.void]:
        """Hold the clicks of the last pulse, of which another one may still come."""
        order = click_order(pending)
        if order is ClickOrder.MIXED:
            pending = pending[np.argsort(pending["index"], kind="stable")]
            order = click_order(pending)
        end = pending.size
        while end and pending["index"][end - 1] == pending["index"][-1]:
            end -= 1
        self._held = pending[end:].copy()
        return self._resolve(pending[:end], order)

    def _resolve(
        self, clicks: NDArray[np.void], order: ClickOrder | None = None
    ) -> NDArray[np.void]:
        single = resolve_double_clicks(clicks, self._generator, order)
        # A transmitter that restarts counts anew: what is not later can no longer be told apart.
        # The indices rise.
        if single.size and int(single["index"][0]) <= self._last_index:
            single = single[single["index"].astype(np.int64) > self._last_index]
        if single.size:
            self._last_index = int(single["index"][-1])
        self.resolved += single.size
        return single


def _seconds(clicks: NDArray[np.void]) -> NDArray[np.int64]:
    """Count the clicks of each second."""
    return np.bincount((clicks["index"] // np.uint64(PULSE_RATE_HZ)).astype(np.int64))
