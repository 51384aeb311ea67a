"""Accounts of a receiver's channels: what came in is what came out and what was marked as lost."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from keybeam.protocol.numbers import FABRIC_PERIOD_PS, SLOTS_PER_CYCLE
from keybeam.protocol.records import SAMPLED_FINE_STEP, Channel
from keybeam.timing import Gap
from keybeam_sim.cosimulation.settings import CLICK_WIDTH_PS, LinkFault

__all__ = ["ChannelAccount", "edges_on_pin", "samples_before_reset", "settle_accounts"]

_SAMPLE_FS = FABRIC_PERIOD_PS * 1000 // SLOTS_PER_CYCLE


class ChannelAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Where the edges of a channel went.

    Attributes
    ----------
    channel : str
        Its name.
    edges : int
        Rising edges on its pin, as the link model made them.
    arrived, recorded, dropped : int
        The board's counters.
    records : int
        Detections in the record stream.
    marked : int
        Losses that gaps in the record stream tell of.
    gaps : int
        Those gaps.
    unmarked : int
        Edges without a record that are not between the begin of a gap of the channel and the
        channel's next record, and records without an edge.
    """

    channel: str
    edges: int
    arrived: int
    recorded: int
    dropped: int
    records: int
    marked: int
    gaps: int
    unmarked: int

    @property
    def balanced(self) -> bool:
        """Whether every edge is recorded or marked as lost, by counters and by records alike."""
        return (
            self.edges == self.arrived == self.recorded + self.dropped
            and self.recorded == self.records
            and self.dropped == self.marked
            and self.unmarked == 0
        )


def edges_on_pin(
    clicks: NDArray[np.void], detector: int, faults: Sequence[LinkFault]
) -> NDArray[np.int64]:
    """Find the rising edges that the samples of a detector's pin show.

    Parameters
    ----------
    clicks : ndarray of TRUTH_DTYPE
        What was detected; clocks of both boards alike.
    detector : int
        Which.
    faults : sequence of LinkFault
        Faults of the link, of which those of this detector take edges away.

    Returns
    -------
    ndarray of int64
        Samples from the first clock edge on.
    """
    own = clicks[clicks["channel"] == detector]
    rises = own["sample"]
    falls = -(-(own["time_fs"] + CLICK_WIDTH_PS * 1000) // _SAMPLE_FS)
    stuck = [
        [-(-time * 1000 // _SAMPLE_FS) for time in (fault.begin_ps, fault.end_ps)]
        for fault in faults
        if fault.kind == "stuck detector" and fault.detector == detector
    ]
    pulses = np.concatenate([np.stack([rises, falls], 1), np.array(stuck, int).reshape(-1, 2)])
    pulses = pulses[np.argsort(pulses[:, 0], kind="stable")]
    # A pulse that begins before all earlier ones are over shows no edge.
    over = np.maximum.accumulate(pulses[:, 1])
    shows = np.ones(len(pulses), bool)
    shows[1:] = pulses[1:, 0] > over[:-1]
    edges: NDArray[np.int64] = pulses[shows, 0]
    return edges


def settle_accounts(
    edges: Mapping[int, NDArray[np.int64]],
    tags: NDArray[np.void],
    gaps: Sequence[Gap],
    counters: Mapping[int, Mapping[str, int]],
    shift: int,
) -> list[ChannelAccount]:
    """Compare what came in with what came out.

    Parameters
    ----------
    edges : dict of int to ndarray of int64
        By channel, samples of the edges on its pin.
    tags : ndarray of TAG_DTYPE
        All detections in the record stream.
    gaps : sequence of Gap
        All gaps.
    counters : dict of int to dict
        By channel: ``arrived``, ``recorded``, ``dropped`` of the board.
    shift : int
        Samples of the link's time before the board's, of `samples_before_reset`.

    Returns
    -------
    list of ChannelAccount
        In the order of the channels.
    """
    accounts = []
    for channel, came in edges.items():
        own = tags["time"][tags["channel"] == channel]
        told = own // SAMPLED_FINE_STEP + shift
        lost = [gap for gap in gaps if gap.channel == channel]
        missing = np.setdiff1d(came, told)
        covered = np.zeros(missing.size, bool)
        for gap in lost:
            begin = gap.begin // SAMPLED_FINE_STEP + shift
            end = gap.end // SAMPLED_FINE_STEP + shift
            covered |= (missing >= begin) & (missing <= end)
        accounts.append(
            ChannelAccount(
                channel=Channel(channel).name,
                edges=came.size,
                **counters[channel],
                records=told.size,
                marked=sum(gap.lost for gap in lost),
                gaps=len(lost),
                unmarked=int(np.count_nonzero(~covered)) + np.setdiff1d(told, came).size,
            )
        )
    return accounts


def samples_before_reset(edges: Mapping[int, NDArray[np.int64]], tags: NDArray[np.void]) -> int:
    """Find the samples of the link's time before the board's time begins.

    Parameters
    ----------
    edges, tags
        As those of `settle_accounts`; nothing must be lost of the first twenty of a channel.
    """
    shifts = []
    for channel, came in edges.items():
        told = tags["time"][tags["channel"] == channel] // SAMPLED_FINE_STEP
        count = min(came.size, told.size, 20)
        shifts += (came[:count] - told[:count]).tolist()
    values, counts = np.unique(np.array(shifts, np.int64), return_counts=True)
    return int(values[counts.argmax()]) if values.size else 0
