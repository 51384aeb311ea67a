"""A line's samples turned into frames: the receiving end of downlink and uplink."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from keybeam.protocol.downlink import SYNC_BYTES, SYNC_WORD
from keybeam.protocol.numbers import FRAME_BITS, SLOTS_PER_CYCLE
from keybeam.protocol.records import COARSE_BITS, FRAME_COUNTER_BITS

from .data_recovery import DataRecovery
from .deframer import Deframer
from .frame_aligner import FrameAligner
from .sync_extractor import SyncExtractor, SyncState

__all__ = ["LineReceiver"]


HEADERS_BAD_MOST = 32
"""Bad headers in a row, each behind a word that was seen, which show that it is a copy in the
payload that was found: at bit errors of 1e-2, where 62 % of all headers are bad, true words go on
so for minutes before they are doubted."""


class LineReceiver(wiring.Component):
    """Data recovery, sync-word extractor and deframer in a row.

    A payload may hold the sync word, even in the same place of every frame. Then nothing but the
    headers tells it from the true one: after `HEADERS_BAD_MOST` bad ones in a row the lock is given
    up, and the search goes on behind the copy.

    Parameters
    ----------
    frame_bits : int
        Line bits of a frame, 256 to 16384, whole bytes.

    Members
    -------
    line : In(4)
        Samples of the line in this cycle, earliest lowest.
    cycle : In(40)
        Number of the cycle.
    hysteresis : In(5)
        Lead of edges that moves the sampling phase, see `DataRecovery`.
    word, short, search_tolerance, lock_tolerance, verify_frames, flywheel_frames : In
        Settings of the `SyncExtractor`.
    signal, slipped : Out(1), Out(1)
        Edges are seen; a cycle brought no bit or two.
    state : Out(SyncState)
        What the extractor does.
    event, coarse, phase, flywheel, lost_lock : Out
        Sync events, see `SyncExtractor`.
    header, header_valid, counter, flags : Out
        Headers of frames, see `Deframer`.
    good, bad, dropped : Out(1)
        Ends of frames, see `Deframer`.
    message : Out(stream(8))
        Payload of the frames whose check sum held.
    """

    def __init__(self, *, frame_bits: int = FRAME_BITS) -> None:
        self._frame_bits = frame_bits
        super().__init__(
            {
                "line": In(SLOTS_PER_CYCLE),
                "cycle": In(COARSE_BITS),
                "hysteresis": In(5),
                "word": In(8 * SYNC_BYTES, init=SYNC_WORD),
                "short": In(1),
                "search_tolerance": In(4),
                "lock_tolerance": In(4),
                "verify_frames": In(4),
                "flywheel_frames": In(8),
                "signal": Out(1),
                "slipped": Out(1),
                "state": Out(SyncState),
                "event": Out(1),
                "coarse": Out(COARSE_BITS),
                "phase": Out(2),
                "flywheel": Out(1),
                "lost_lock": Out(1),
                "header": Out(1),
                "header_valid": Out(1),
                "counter": Out(FRAME_COUNTER_BITS),
                "flags": Out(8),
                "good": Out(1),
                "bad": Out(1),
                "dropped": Out(1),
                "message": Out(stream.Signature(8)),
            }
        )

    def counted(self) -> dict[str, Value]:
        """Give what is to be counted: whether it happens in this cycle, by counters' names.

        The names are those of `keybeam_gateware.line.registers.LINE_COUNTERS`.
        """
        flywheel = self.event & self.flywheel
        return {
            "bit_slips": self.slipped,
            "syncs_seen": self.event & ~self.flywheel,
            "syncs_flywheel": flywheel,
            "locks_lost": self.lost_lock,
            "headers_bad": self.header & ~self.header_valid,
            "frames_good": self.good,
            "frames_bad": self.bad,
            "messages_dropped": self.dropped,
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.recovery = recovery = DataRecovery()
        m.submodules.extractor = extractor = SyncExtractor(frame_bits=self._frame_bits)
        m.submodules.aligner = aligner = FrameAligner()
        m.submodules.deframer = deframer = Deframer(frame_bits=self._frame_bits)
        m.d.comb += [
            recovery.line.eq(self.line),
            recovery.cycle.eq(self.cycle),
            recovery.threshold.eq(self.hysteresis),
            extractor.cycle.eq(self.cycle),
            aligner.start.eq(extractor.event),
            aligner.first_bit.eq(extractor.first_bit),
            deframer.valid.eq(aligner.valid),
            deframer.data.eq(aligner.data),
            deframer.first.eq(aligner.first),
            self.signal.eq(recovery.signal),
            self.slipped.eq(recovery.slipped),
        ]
        for block in (extractor, aligner):
            m.d.comb += [
                getattr(block.recovered, name).eq(getattr(recovery.recovered, name))
                for name in ("count", "bits", "starts")
            ]
        connect(m, deframer.message, flipped(self.message))
        bad = Signal(range(HEADERS_BAD_MOST + 1))
        m.d.sync += extractor.give_up.eq(bad == HEADERS_BAD_MOST)
        with m.If((deframer.header & deframer.header_valid) | extractor.give_up):
            m.d.sync += bad.eq(0)
        with m.Elif(deframer.header & ~extractor.flywheel & (bad != HEADERS_BAD_MOST)):
            m.d.sync += bad.eq(bad + 1)
        self._forward(m, extractor, deframer)
        return m

    def _forward(self, m: Module, *blocks: wiring.Component) -> None:
        """Join the ports that bear the same name here and in a block."""
        mine = {name: member for name, member in self.signature.members.items() if member.is_port}
        for block in blocks:
            for name, member in block.signature.members.items():
                if not member.is_port or name not in mine or name == "cycle":
                    continue
                inner, outer = getattr(block, name), getattr(self, name)
                is_input = member.flow == In
                m.d.comb += inner.eq(outer) if is_input else outer.eq(inner)
