"""The stages of the pipeline, each a generator over the items of the one before.

They know nothing of processes: `keybeam.pipeline.inline` joins them in one process,
`keybeam.pipeline.processes` by rings.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from keybeam.device import RecordLoss
from keybeam.distillation import TAG_BITS, binary_entropy, choose_code, reconcile, tag
from keybeam.distillation.errors import NoCodeError
from keybeam.distillation.reconciliation import (
    Code,
    Counted,
    Mode,
    Reconciled,
    code_by_identifier,
    code_identifiers,
    estimate_error_rate,
    fast_code_by_identifier,
    fast_code_identifiers,
)
from keybeam.distillation.reconciliation.cascade import (
    CascadePlan,
    CascadeSender,
    reconcile_by_cascade,
)
from keybeam.key_length import LARGEST_QBER
from keybeam.pipeline.items import (
    CLICK_BATCH,
    Clicks,
    Corrected,
    PacketCounts,
    Sifted,
    header_of,
    pack,
)
from keybeam.pipeline.meter import Meter
from keybeam.pipeline.ring import Item
from keybeam.pipeline.settings import CASCADE, PipelineSettings
from keybeam.pipeline.symbols import SymbolRecord
from keybeam.protocol.numbers import SLOT_PS
from keybeam.session.click_source import ClickSource
from keybeam.session.randomness import RandomSource, SeededRandom, SystemRandom, random_mask
from keybeam.session.statistics import PacketStatistics
from keybeam.sifting import JoinedPacket
from keybeam.tags import Capture
from keybeam.timing import PackedClicks, PulseIndexer

__all__ = ["find_clicks", "random_source", "reconcile_packets", "sift_clicks"]

_REMEMBERED = 4
"""Packets before this one whose errors choose its code, as in a session."""


def random_source(settings: PipelineSettings) -> RandomSource:
    """Where the random choices of a run come from."""
    return SystemRandom() if settings.seed is None else SeededRandom(settings.seed, "pipeline")


_READ_CHUNKS = 8
"""Chunks of a capture that are read at once, 4 MiB: less than the processor's cache."""


class _Replay:
    """Gives the records of captures, one packet after another, in the place of a board."""

    name = "the capture"

    def __init__(self, settings: PipelineSettings, meter: Meter) -> None:
        self._packets = self._all(settings, meter)
        self.over = False

    def _all(
        self, settings: PipelineSettings, meter: Meter
    ) -> Iterator[NDArray[np.uint64] | RecordLoss]:
        for place, path in enumerate(settings.captures):
            with Capture(path) as capture:
                # Another capture of the same pass: the time begins anew.
                if place:
                    yield RecordLoss(None)
                for packet in capture.packets(_READ_CHUNKS):
                    if packet.lost is None or packet.lost > 0:
                        yield RecordLoss(packet.lost)
                    if packet.records.size:
                        meter.taken += packet.records.size
                        yield packet.records

    def records(self, timeout: float) -> NDArray[np.uint64] | RecordLoss:  # noqa: ARG002
        """Give the next records; none once the captures are over."""
        following = next(self._packets, None)
        self.over = following is None
        return np.empty(0, np.uint64) if following is None else following


def _parts(source: ClickSource, replay: _Replay) -> Iterator[PackedClicks]:
    """Clicks as they become ready, until the pass or the captures are over."""
    while (parts := source.read_packed()) is not None:
        yield from parts
        if replay.over:
            yield from source.finish_packed()
            return


def find_clicks(settings: PipelineSettings, meter: Meter) -> Iterator[Item]:
    """Read the captures; give the clicks with their pulse index, gated, one a pulse."""
    with Capture(settings.captures[0]) as capture:
        metadata = capture.metadata
    replay = _Replay(settings, meter)
    indexer = PulseIndexer(bin_ps=metadata.bin_ps, sync_bin_ps=metadata.sync_bin_ps)
    source = ClickSource(replay, indexer, seed=settings.seed)
    told = 0
    for clicks in _parts(source, replay):
        for start in range(0, clicks.words.size, CLICK_BATCH):
            words = clicks.words[start : start + CLICK_BATCH]
            meter.given += words.size
            yield pack(Clicks(clicks.first, source.detections - told), words)
            told = source.detections


def sift_clicks(settings: PipelineSettings, meter: Meter, items: Iterator[Item]) -> Iterator[Item]:
    """Compare the clicks with the symbols that were sent; give packets of both ends' bits."""
    parameters, random = settings.parameters, random_source(settings)
    samples: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED + 1)
    exact: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)
    with closing(SymbolRecord(settings.symbols)) as record:
        sifter = record.sifter(parameters.packet_bits, settings.check_basis)
        for item in items:
            clicks = PackedClicks(header_of(item, Clicks).first, item.arrays[0])
            count = clicks.words.size
            meter.taken += count
            sampled = random_mask(random, "sample", count, parameters.sample_fraction)
            for packet in sifter.feed(clicks, sampled):
                samples.append((packet.sampled_errors, packet.sampled))
                meter.given += packet.sent.size
                yield pack(_sifted(packet, samples, exact), packet.sent, packet.received)
                # What a session knows of a packet that was corrected. One that could not be would
                # be missing there.
                errors = int(np.count_nonzero(packet.sent != packet.received))
                exact.append((errors, packet.sent.size))
            record.release()


def _sifted(
    packet: JoinedPacket, samples: deque[tuple[int, int]], exact: deque[tuple[int, int]]
) -> Sifted:
    counts = PacketCounts(
        packet.number,
        packet.last_index * SLOT_PS * 1e-12,
        packet.decoy,
        packet.vacuum,
        packet.decoy_errors,
        packet.sampled,
        packet.sampled_errors,
        packet.check,
    )
    counted = [(errors, bits, age) for age, (errors, bits) in enumerate(reversed(samples))]
    counted += [(errors, bits, age) for age, (errors, bits) in enumerate(reversed(exact), 1)]
    return Sifted(counts, counted)


def reconcile_packets(
    settings: PipelineSettings, meter: Meter, items: Iterator[Item]
) -> Iterator[Item]:
    """Correct the received bits of packets, and verify them."""
    random = random_source(settings)
    for item in items:
        header = header_of(item, Sifted)
        sent, received = item.arrays
        meter.taken += sent.size
        found, code = _reconcile(settings.mode, header, sent, received)
        key = random.draw(f"verification of packet {header.counts.number}", 16)
        good = found.result.converged and tag(found.result.bits, key) == tag(sent, key)
        errors = found.result.errors if good else 0
        qber = errors / sent.size
        leak = found.leak_bits + TAG_BITS
        shannon = sent.size * binary_entropy(qber)
        statistics = PacketStatistics(
            index=header.counts.number,
            time_s=header.counts.time_s,
            good=good,
            qber=qber if good else None,
            sampled_qber=header.counts.sampled_errors / max(header.counts.sampled, 1),
            sampled=header.counts.sampled,
            code=code,
            leak_bits=leak,
            efficiency=leak / shannon if shannon else None,
        )
        bits = found.result.bits if good else found.result.bits[:0]
        meter.given += bits.size
        yield pack(Corrected(header.counts, errors, statistics), bits)


def _reconcile(
    name: str, header: Sifted, sent: NDArray[np.uint8], received: NDArray[np.uint8]
) -> tuple[Reconciled, int]:
    """Correct the received bits; also give the identifier of the code, 0 for Cascade."""
    counted = [Counted(*count) for count in header.counted if count[1]]
    if name == CASCADE:
        rate = estimate_error_rate(counted).rate if counted else LARGEST_QBER
        plan = CascadePlan(sent.size, rate, seed=header.counts.number)
        return reconcile_by_cascade(plan, received, CascadeSender(plan, sent).parities), 0
    mode = Mode[name.upper()]
    code = _code_for(counted, mode)
    found = reconcile(
        mode, code, received, code.syndrome(sent), lambda places: sent[places], retry=True
    )
    return found, code.identifier


def _code_for(counted: list[Counted], mode: Mode) -> Code:
    """Code by the samples; the strongest where there are none, or too many errors for any."""
    try:
        if counted:
            return choose_code(estimate_error_rate(counted), mode)
    except NoCodeError:
        pass
    if mode is Mode.FAST:
        return fast_code_by_identifier(fast_code_identifiers()[-1])
    return code_by_identifier(code_identifiers()[-1])
