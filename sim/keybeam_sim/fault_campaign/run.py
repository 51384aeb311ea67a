"""One run of both co-simulated boards on a link with faults, and what became of every edge."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.device import Receiver, RecordLoss, Transmitter
from keybeam.errors import KeybeamError
from keybeam.protocol.downlink import SYNC_BYTES
from keybeam.protocol.numbers import (
    FABRIC_CLOCK_HZ,
    FABRIC_PERIOD_PS,
    FRAME_DURATION_PS,
    SLOT_PS,
)
from keybeam.protocol.records import (
    DETECTOR_CHANNELS,
    FINE_PS,
    RECORD_BYTES,
    Channel,
)
from keybeam.receiver import channel_rates, clear_flags, receiver_status
from keybeam.timing import DecodedChunk, RecordDecoder
from keybeam_sim.cosimulation import (
    BoardSettings,
    Cosimulation,
    LinkFault,
    LinkSettings,
    RunSettings,
    Truth,
)
from keybeam_sim.fault_campaign.accounts import (
    ChannelAccount,
    edges_on_pin,
    samples_before_reset,
    settle_accounts,
)

__all__ = ["CampaignResult", "FaultPlan", "run_campaign"]

_ANSWER_TIMEOUT_S = 30
_PROGRESS_TIMEOUT_S = 300.0
_POLL_S = 0.2
_UART_BITS = 10
_MS = 1_000_000_000


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True):
    """When each fault of the campaign is on, in ms of the boards' time, and how strong.

    Attributes
    ----------
    burst_ms, cut_ms, stuck_ms : tuple of float
        Begin and end of the burst, the line cut, and the detector H that sticks.
    burst_factor : float
        Tags of the burst by what the link to the host carries.
    """

    burst_ms: tuple[float, float] = (3.0, 3.8)
    cut_ms: tuple[float, float] = (5.0, 6.0)
    stuck_ms: tuple[float, float] = (8.5, 9.0)
    burst_factor: float = 10.0

    @property
    def begin_ms(self) -> float:
        """Before this the boards are set up."""
        return min(self.burst_ms[0], self.cut_ms[0], self.stuck_ms[0])

    @property
    def end_ms(self) -> float:
        """Afterwards all is well again."""
        return max(self.burst_ms[1], self.cut_ms[1], self.stuck_ms[1])

    def faults(self, link_rate: float) -> tuple[LinkFault, ...]:
        """Give the faults as the link model takes them.

        Parameters
        ----------
        link_rate : float
            Records a second that the link to the host carries.
        """

        def when(span: tuple[float, float]) -> dict[str, int]:
            return {"begin_ps": round(span[0] * _MS), "end_ps": round(span[1] * _MS)}

        rate = self.burst_factor * link_rate / len(DETECTOR_CHANNELS)
        return (
            LinkFault(kind="burst", rate_hz=rate, **when(self.burst_ms)),
            LinkFault(kind="line cut", **when(self.cut_ms)),
            LinkFault(kind="stuck detector", detector=Channel.H, **when(self.stuck_ms)),
        )


class CampaignResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all edges and of the downlink.

    Attributes
    ----------
    link_rate : float
        Records a second that the link to the host carries at most.
    accounts : list of ChannelAccount
        Of the four detectors, over the whole run.
    burst_edges, burst_marked : int
        Edges while the burst lasted; losses of the gaps that began in it.
    cut_frames : int
        Frames whose sync word the cut took away, in whole or in part.
    cut_flywheel : int
        Sync words whose time was filled in.
    cut_words_seen : int
        Sync words that the receiver claims to have seen while the line was cut.
    relock_frames : float
        Frames from the end of the cut to the next sync word that was seen.
    flags : dict of str to bool, str or None
        Sticky flags that the faults set.
    wrong_frames : int
        Sync words whose frame counter, where its check sum holds, is not what the transmitter sent.
    stuck_edges : int
        Edges of the stuck detector while it was high.
    link_losses : int
        Records lost between board and host.
    passed : bool
        Whether all loss was marked and the receiver was well again.
    """

    link_rate: float
    accounts: list[ChannelAccount]
    burst_edges: int
    burst_marked: int
    cut_frames: int
    cut_flywheel: int
    cut_words_seen: int
    relock_frames: float
    flags: dict[str, bool | str | int | float | None]
    wrong_frames: int
    stuck_edges: int
    link_losses: int
    passed: bool


def run_campaign(
    plan: FaultPlan,
    *,
    folder: Path,
    seed: int = 1,
    report_progress: Callable[[str], None] = lambda _: None,
) -> CampaignResult:
    """Run both boards on a link with faults, and account for all of it.

    Parameters
    ----------
    plan : FaultPlan
        The faults.
    folder : Path
        Where to keep what the link carried.
    seed : int
        Seed of clicks and random words.
    report_progress : callable
        Told in a few words what is going on.

    Raises
    ------
    KeybeamError
        If the boards do not get on.
    """
    boards = BoardSettings()
    link_rate = FABRIC_CLOCK_HZ / boards.uart_divisor / _UART_BITS / RECORD_BYTES
    link = LinkSettings(loss_db=30.0, seed=seed, faults=plan.faults(link_rate))
    truth = folder / "truth.npz"
    settings = RunSettings(link=link, boards=boards, truth=str(truth))
    with Cosimulation(settings, report_progress) as simulation:
        options = f"?timeout={_ANSWER_TIMEOUT_S}"
        with (
            Transmitter(f"serial:{simulation.transmitter}{options}") as transmitter,
            Receiver(f"serial:{simulation.receiver}{options}") as receiver,
        ):
            run = _Run(transmitter, receiver, plan, report_progress)
            run.drive()
    return _result(plan, link, link_rate, run, Truth.load(truth))


class _Run:
    """Both boards through the faults, as a host would drive them."""

    def __init__(
        self,
        transmitter: Transmitter,
        receiver: Receiver,
        plan: FaultPlan,
        report_progress: Callable[[str], None],
    ) -> None:
        self._transmitter, self._receiver, self._plan = transmitter, receiver, plan
        self._report = report_progress
        self._decoder = RecordDecoder()
        self.chunks: list[DecodedChunk] = []
        self.flags: dict[str, bool | str | int | float | None] = {}
        self.counters: dict[int, dict[str, int]] = {}
        self.well = False

    def drive(self) -> None:
        """Set the boards up, read through all faults, and until nothing is on its way."""
        receiver = self._receiver
        receiver.start_stream()
        self._await(lambda: receiver.read("receiver.status.sync_state") == 2, "a locked receiver")
        clear_flags(receiver)
        self._transmitter.write("transmitter.control.run", 1)
        receiver.write("receiver.snapshot.take", 1)
        now_ms = receiver.read("receiver.time.cycle") * FABRIC_PERIOD_PS / _MS
        if now_ms >= self._plan.begin_ms:
            raise KeybeamError(
                f"the boards were set up after {now_ms:.2f} ms, the first fault begins after "
                f"{self._plan.begin_ms:g} ms: let the faults begin later"
            )
        end = self._plan.end_ms * _MS / FINE_PS
        self._await(lambda: self._read(_POLL_S) > end, "the end of the faults")
        self._transmitter.write("transmitter.control.run", 0)
        self._await(
            lambda: not self._transmitter.read("transmitter.status.running"), "the end of the light"
        )
        self._await(self._all_came, "the last records")
        status = receiver_status(receiver)
        self.flags = dict(status["since the last clear"])
        self.well = status["downlink"]["sync"] == "locked"
        self.chunks.append(self._decoder.finish())

    def _read(self, timeout: float) -> int:
        """Take what has come; gives the time up to which all has."""
        records = self._receiver.records(timeout)
        if isinstance(records, RecordLoss):
            self._decoder.lose(records.records)
            return 0
        self.chunks.append(self._decoder.feed(records))
        self._report(f"{self.chunks[-1].lower_bound * FINE_PS / _MS:.2f} ms")
        return self.chunks[-1].lower_bound

    def _all_came(self) -> bool:
        """Whether all edges have become records or losses, and these have come."""
        rows = channel_rates(self._receiver)
        self.counters = {
            channel: {
                name: int(rows[channel.name][name] or 0)
                for name in ("arrived", "recorded", "dropped")
            }
            for channel in DETECTOR_CHANNELS
        }
        records = sum(chunk.tags.size for chunk in self.chunks)
        waiting = sum(int(rows[channel.name]["queued"] or 0) for channel in DETECTOR_CHANNELS)
        self._read(_POLL_S)
        marked = sum(gap.lost for chunk in self.chunks for gap in chunk.gaps)
        recorded = sum(counts["recorded"] for counts in self.counters.values())
        dropped = sum(counts["dropped"] for counts in self.counters.values())
        return not waiting and records >= recorded and marked >= dropped

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PROGRESS_TIMEOUT_S
        while not condition():
            if time.monotonic() > end:
                raise KeybeamError(f"the co-simulated boards do not come to {what}")


def _result(
    plan: FaultPlan, link: LinkSettings, link_rate: float, run: _Run, truth: Truth
) -> CampaignResult:
    tags = np.concatenate([chunk.tags for chunk in run.chunks])
    gaps = [gap for chunk in run.chunks for gap in chunk.gaps]
    edges = {
        int(channel): edges_on_pin(truth.clicks, channel, link.faults)
        for channel in DETECTOR_CHANNELS
    }
    shift = samples_before_reset(edges, tags)
    accounts = settle_accounts(edges, tags, gaps, run.counters, shift)
    downlink = _downlink(plan, link, truth, run, shift)
    burst, stuck = ([ms * _MS // SLOT_PS for ms in span] for span in (plan.burst_ms, plan.stuck_ms))
    marked = sum(account.marked for account in accounts)
    link_losses = sum(gap.channel is None for gap in gaps)
    return CampaignResult(
        link_rate=link_rate,
        accounts=accounts,
        burst_edges=sum(_count_between(each, *burst) for each in edges.values()),
        burst_marked=marked,
        **downlink,
        flags=run.flags,
        stuck_edges=_count_between(edges[Channel.H], *stuck),
        link_losses=link_losses,
        passed=all(account.balanced for account in accounts)
        and marked > 0
        and downlink["cut_words_seen"] == downlink["wrong_frames"] == link_losses == 0
        and downlink["cut_flywheel"] == downlink["cut_frames"]
        and bool(run.flags["signal lost"] and run.flags["flywheel"])
        and run.well,
    )


def _count_between(edges: NDArray[np.int64], begin: float, end: float) -> int:
    return int(np.count_nonzero((edges >= begin) & (edges < end)))


def _downlink(
    plan: FaultPlan, link: LinkSettings, truth: Truth, run: _Run, shift: int
) -> dict[str, Any]:
    """Tell what became of the sync words."""
    syncs = np.concatenate([chunk.syncs for chunk in run.chunks])
    times = syncs["time"] * FINE_PS + shift * SLOT_PS
    frames = truth.frames()
    arrivals = np.array([frame.cycle for frame in frames]) * FABRIC_PERIOD_PS + link.delay_ps
    begin, end = (ms * _MS for ms in plan.cut_ms)
    word = 8 * SYNC_BYTES * FABRIC_PERIOD_PS
    seen = ~syncs["flywheel"]
    # Of a word whose first bits alone are cut enough is left.
    cut = (times >= begin) & (times < end - word / 4)
    counters = np.array([frame.counter for frame in frames], np.uint64)
    nearest = np.abs(times[:, None] - arrivals).argmin(axis=1)
    wrong = syncs["valid"] & (syncs["counter"] != counters[nearest])
    return {
        "cut_frames": int(np.count_nonzero((arrivals + word > begin) & (arrivals < end))),
        "cut_flywheel": int(np.count_nonzero(~seen)),
        "cut_words_seen": int(np.count_nonzero(seen & cut)),
        "relock_frames": float(times[seen & (times >= end - word / 4)].min() - end)
        / FRAME_DURATION_PS,
        "wrong_frames": int(np.count_nonzero(wrong)),
    }
