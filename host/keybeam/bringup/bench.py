"""The two boards on the bench, as the steps of a bring-up use them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keybeam.bringup.checks import BringUpError
from keybeam.bringup.plan import Plan
from keybeam.device import FoundPort, HostClock, Receiver, ReferenceClock, Transmitter
from keybeam.protocol.link import TAGS_MAXIMUM
from keybeam.protocol.modes import PatternMode
from keybeam.protocol.numbers import FINE_BITS, FRAME_CYCLES, SLOTS_PER_CYCLE
from keybeam.protocol.records import COARSE_BITS, Channel
from keybeam.receiver.registers import channel_register, read_cycle
from keybeam.tags.recording import decoded_stream
from keybeam.timing import RecordDecoder
from keybeam.transmitter import set_mode, start, stop

__all__ = ["FRAME_BYTES_PER_RECORD", "Bench", "Capture", "has_counts"]

FRAME_BYTES_PER_RECORD = (2 + 4 + 8 * TAGS_MAXIMUM + 4 + 2) / TAGS_MAXIMUM
"""Bytes on the serial line for each record of a full frame: kind and sequence, number, records,
check sum, stuffing and delimiter."""

_BITS_PER_BYTE = 10
_MOST_POLLS = 100_000
_RISING = 1
_LINK_ERRORS = ("frames_dropped", "bytes_spoilt", "bytes_lost")
_LINK_SHARE = 0.7
"""Part of the serial line that a capture of divided edges may take."""


@dataclass
class Capture:
    """Records of a stretch of time.

    Attributes
    ----------
    times : ndarray of int64
        Times of tags in fine steps.
    channels : ndarray of uint8
        Their channels.
    gap_channels : ndarray of int64
        Channels of the gaps, -1 where records of any channel may be lost.
    gap_begins : ndarray of int64
        Where they begin.
    sync_times : ndarray of int64
        Times of sync words.
    sync_counters : ndarray of uint64
        Frame counters behind them, of those whose header was good.
    link_lost : int
        Records lost between board and host, beside what the gaps tell.
    """

    times: NDArray[np.int64]
    channels: NDArray[np.uint8]
    gap_channels: NDArray[np.int64]
    gap_begins: NDArray[np.int64]
    sync_times: NDArray[np.int64]
    sync_counters: NDArray[np.uint64]
    link_lost: int

    def of(self, channel: Channel) -> NDArray[np.int64]:
        """Take the times of a channel."""
        return np.asarray(self.times[self.channels == channel])


def has_counts(counts: Mapping[int, int], *, channels: Collection[int], least: int) -> bool:
    """Tell whether each of some channels has at least so many tags."""
    return all(counts.get(channel, 0) >= least for channel in channels)


@dataclass
class Bench:
    """Both boards, and how they are to be treated.

    Attributes
    ----------
    transmitter, receiver : Transmitter, Receiver
        The boards.
    plan : Plan
        How long to measure.
    baud : int
        Bits a second of the receiver's serial line.
    clock : ReferenceClock
        What the boards' clocks are measured by.
    tell : callable
        Told in a few words what is done now.
    ask : callable
        Asks the operator to do something, and returns when it is done.
    link_errors_before : list of list of int
        `link_errors` when the boards were opened.
    """

    transmitter: Transmitter
    receiver: Receiver
    plan: Plan
    baud: int
    clock: ReferenceClock = field(default_factory=HostClock)
    tell: Callable[[str], None] = lambda _: None
    ask: Callable[[str], None] = lambda _: None
    link_errors_before: list[list[int]] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        transmitter: FoundPort,
        receiver: FoundPort,
        plan: Plan,
        clock: ReferenceClock,
        tell: Callable[[str], None],
        ask: Callable[[str], None],
    ) -> "Bench":
        """Open both boards; errors are those of `keybeam.device.Board`."""
        first = Transmitter(transmitter.open())
        try:
            second = Receiver(receiver.open())
        except BaseException:
            first.close()
            raise
        bench = cls(first, second, plan, receiver.baud, clock, tell, ask)
        bench.link_errors_before = bench.link_errors()
        return bench

    def link_errors(self) -> list[list[int]]:
        """Read what both boards counted of spoilt bytes and frames from their hosts."""
        return [
            [board.read(f"link.{name}") for name in _LINK_ERRORS]
            for board in (self.transmitter, self.receiver)
        ]

    def close(self) -> None:
        """Give both ports back."""
        self.transmitter.close()
        self.receiver.close()

    def run_pattern(
        self, mode: PatternMode, *, symbol: int | None = None, frames: int = 0, spacing: int = 1
    ) -> None:
        """Stop the pattern, and start it anew in a mode."""
        self.stop_pattern()
        set_mode(self.transmitter, mode, symbol)
        start(self.transmitter, frames=frames, spacing=spacing)

    def stop_pattern(self) -> None:
        """Stop the pattern and wait until it rests."""
        stop(self.transmitter)
        self.await_rest()

    def await_rest(self) -> None:
        """Wait until the pattern does not run.

        Raises
        ------
        BringUpError
            If it goes on.
        """
        self._poll(
            lambda: not self.transmitter.read("pattern.status.locked"),
            "the pattern of the transmitter does not stop",
        )

    def await_cycles(self, cycles: int) -> None:
        """Wait for so many cycles of the receiver's clock."""
        begin = read_cycle(self.receiver)
        self._poll(
            lambda: (read_cycle(self.receiver) - begin) % (1 << COARSE_BITS) >= cycles,
            "the receiver's clock stands still",
        )

    def await_frames(self, frames: int) -> None:
        """Wait for so many frames of the downlink, by the receiver's clock."""
        self.await_cycles(frames * FRAME_CYCLES)

    def await_that(self, holds: Callable[[], bool], frames: int) -> bool:
        """Wait until something holds, for a number of frames at most; whether it does."""
        begin = read_cycle(self.receiver)
        while not holds():
            if (read_cycle(self.receiver) - begin) % (1 << COARSE_BITS) > frames * FRAME_CYCLES:
                return False
        return True

    def _poll(self, done: Callable[[], bool], otherwise: str) -> None:
        for _ in range(_MOST_POLLS):
            if done():
                return
        raise BringUpError(otherwise)

    def divider(self, edges_per_s: float, channels: int) -> int:
        """Divider with which a channel takes its part of the serial line.

        It has no divisor in common with the four samples of a cycle, nor with three, so that all
        edges of a pattern come up.

        Parameters
        ----------
        edges_per_s : float
            Edges of the channel.
        channels : int
            Channels that share the line.
        """
        records_per_s = self.baud / _BITS_PER_BYTE / FRAME_BYTES_PER_RECORD
        wanted = int(edges_per_s * channels / (_LINK_SHARE * records_per_s)) + 1
        while np.gcd(wanted, 2 * 3 * SLOTS_PER_CYCLE) != 1:
            wanted += 1
        return min(wanted, (1 << 16) - 1)

    @contextmanager
    def channels(self, dividers: dict[Channel, int]) -> Iterator[None]:
        """Have just these channels and the sync words enabled, with rising edges divided.

        Afterwards the same channels are enabled as before, and nothing is divided.
        """
        enabled = self.receiver.read("receiver.channels.enable")
        self.receiver.write("receiver.channels.enable", 0)
        for channel, divider in dividers.items():
            if channel != Channel.SYNC:
                self.receiver.write(channel_register(channel, "edges"), _RISING)
                self.receiver.write(channel_register(channel, "divider"), divider)
        self.receiver.write("receiver.channels.enable", self._bits(dividers))
        try:
            yield
        finally:
            self.receiver.write("receiver.channels.enable", 0)
            for channel in dividers:
                if channel != Channel.SYNC:
                    self.receiver.write(channel_register(channel, "divider"), 1)
            self.receiver.write("receiver.channels.enable", enabled)

    @staticmethod
    def _bits(channels: Collection[Channel]) -> int:
        return sum(1 << channel for channel in channels)

    def capture(
        self,
        most_frames: int,
        enough: Callable[[dict[int, int]], bool] = lambda _: False,
    ) -> Capture:
        """Take records for a while.

        Parameters
        ----------
        most_frames : int
            Frames after which to stop, by the receiver's clock.
        enough : callable
            Whether the tags are enough, given their number for each channel (sync words included);
            asked after every piece that arrives.
        """
        begin = read_cycle(self.receiver) << FINE_BITS
        decoder = RecordDecoder(channels=1 + max(Channel))
        counts: dict[int, int] = {}
        passed = 0

        def stop_now() -> bool:
            return passed > most_frames * FRAME_CYCLES << FINE_BITS or enough(counts)

        chunks = []
        for chunk in decoded_stream(self.receiver, decoder, stop=stop_now):
            passed = max(passed, chunk.lower_bound - begin)
            chunks.append(chunk)
            for channel, count in enumerate(np.bincount(chunk.tags["channel"])):
                counts[channel] = counts.get(channel, 0) + int(count)
            counts[Channel.SYNC] = counts.get(Channel.SYNC, 0) + chunk.syncs.size
        tags = np.concatenate([chunk.tags for chunk in chunks])
        syncs = np.concatenate([chunk.syncs for chunk in chunks])
        gaps = [gap for chunk in chunks for gap in chunk.gaps]
        kept = tags["time"] >= begin
        good = syncs["valid"] & ~syncs["flywheel"] & (syncs["time"] >= begin)
        return Capture(
            times=tags["time"][kept],
            channels=tags["channel"][kept],
            gap_channels=np.array([-1 if g.channel is None else g.channel for g in gaps], np.int64),
            gap_begins=np.array([gap.begin for gap in gaps], np.int64),
            sync_times=syncs["time"][good],
            sync_counters=syncs["counter"][good],
            link_lost=sum(gap.lost for gap in gaps if gap.channel is None),
        )
