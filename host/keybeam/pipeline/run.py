"""A recorded pass from its files to key, with what is told of it."""

import time
from collections.abc import Callable, Generator

import msgspec

from keybeam.pipeline.amplify import amplify_blocks
from keybeam.pipeline.items import BlockMade, header_of
from keybeam.pipeline.meter import Meter, StageStatistics
from keybeam.pipeline.processes import Event, run_processes
from keybeam.pipeline.settings import PipelineSettings
from keybeam.pipeline.stages import find_clicks, reconcile_packets, sift_clicks
from keybeam.pipeline.symbols import SymbolRecord
from keybeam.session.statistics import BlockStatistics, PacketStatistics
from keybeam.tags import Capture
from keybeam.whole_files import part_of

__all__ = ["PipelineResult", "Progress", "process_pass"]


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come.

    Attributes
    ----------
    records, all_records : int
        Records read, and records of all captures.
    sifted_bits, secret_bits : int
        Sifted bits of full packets, and bits of key.
    """

    records: int
    all_records: int
    sifted_bits: int
    secret_bits: int


class PipelineResult(msgspec.Struct, frozen=True):
    """What came of a recorded pass. Nothing here says anything about the key but its length.

    Attributes
    ----------
    seconds, start_s : float
        Wall time, and how much of it passed before a stage first told of its work: the start of
        the processes.
    records, clicks, sifted_bits, secret_bits : int
        Records read, clicks that were sifted, bits of full packets, and bits of key.
    packets, packets_failed : int
        Packets, and those that could not be corrected.
    qber : float or None
        Mean error rate of the good packets; None where there is none.
    efficiency : float or None
        Bits disclosed over the Shannon limit of all good packets.
    stages : list of StageStatistics
        Every process of every stage.
    blocks : list of BlockStatistics
        Every block.
    """

    seconds: float
    start_s: float
    records: int
    clicks: int
    sifted_bits: int
    secret_bits: int
    packets: int
    packets_failed: int
    qber: float | None
    efficiency: float | None
    stages: list[StageStatistics]
    blocks: list[BlockStatistics]


def _run_inline(settings: PipelineSettings) -> Generator[Event, None, None]:
    """All stages in this process, one after another."""
    names = ("clicks", "sift", "reconcile 1", "amplify")
    meters = [Meter(name) for name in names]
    items = meters[0].stage_of(find_clicks(settings, meters[0]))
    for meter, work in zip(
        meters[1:], (sift_clicks, reconcile_packets, amplify_blocks), strict=True
    ):
        items = meter.stage_of(work(settings, meter, meter.upstream(items)))
    for item in items:
        yield from (meter.statistics for meter in meters)
        yield header_of(item, BlockMade)
    yield from (meter.statistics for meter in meters)


def _check_files(settings: PipelineSettings) -> int:
    """Open all files once, so that a wrong one is told before any work; count the records."""
    SymbolRecord(settings.symbols).close()
    records = 0
    for path in settings.captures:
        with Capture(path) as capture:
            records += capture.count
    return records


def process_pass(
    settings: PipelineSettings, progress: Callable[[Progress], None] | None = None
) -> PipelineResult:
    """Make key of a recorded pass.

    Memory is bounded however long the pass is: by the rings between the stages, the clicks that
    wait for the sync words around them, one packet and one block.

    Parameters
    ----------
    settings : PipelineSettings
        The pass.
    progress : callable
        Is told how far the run has come.

    Returns
    -------
    PipelineResult

    Raises
    ------
    PipelineError, CaptureError, SymbolRecordError, KeyLengthError, DistillationError
        If a file is not what it should be, or a stage cannot go on. Then there is no file of key.
    """
    all_records = _check_files(settings)
    begin, started = time.monotonic(), 0.0
    stages: dict[str, StageStatistics] = {}
    packets: list[PacketStatistics] = []
    blocks: list[BlockStatistics] = []
    events = run_processes(settings) if settings.workers else _run_inline(settings)
    try:
        for event in events:
            started = started or time.monotonic() - begin
            if isinstance(event, StageStatistics):
                stages[event.stage] = event
            else:
                packets += event.packets
                blocks += [event.block] if event.block else []
            if progress is not None:
                progress(_progress(stages, blocks, all_records))
    finally:
        events.close()
        if settings.key is not None:
            # What a stage that was stopped left behind.
            part_of(settings.key).unlink(missing_ok=True)
    return _result((time.monotonic() - begin, started), stages, packets, blocks)


def _progress(
    stages: dict[str, StageStatistics], blocks: list[BlockStatistics], all_records: int
) -> Progress:
    clicks, sift = (stages.get(name, StageStatistics(name)) for name in ("clicks", "sift"))
    secret = sum(block.length_bits for block in blocks)
    return Progress(clicks.taken, all_records, sift.given, secret)


def _result(
    seconds: tuple[float, float],
    stages: dict[str, StageStatistics],
    packets: list[PacketStatistics],
    blocks: list[BlockStatistics],
) -> PipelineResult:
    rates = [packet.qber for packet in packets if packet.qber is not None]
    told = [packet for packet in packets if packet.efficiency]
    limit = sum(packet.leak_bits / (packet.efficiency or 1) for packet in told)
    return PipelineResult(
        seconds=seconds[0],
        start_s=seconds[1],
        records=stages["clicks"].taken,
        clicks=stages["clicks"].given,
        sifted_bits=stages["sift"].given,
        secret_bits=sum(block.length_bits for block in blocks),
        packets=len(packets),
        packets_failed=sum(not packet.good for packet in packets),
        qber=sum(rates) / len(rates) if rates else None,
        efficiency=sum(packet.leak_bits for packet in told) / limit if limit else None,
        stages=sorted(stages.values(), key=_place),
        blocks=blocks,
    )


def _place(stage: StageStatistics) -> tuple[int, str]:
    """Place of a process in the order of the data."""
    order = ("clicks", "sift", "reconcile", "amplify")
    return order.index(stage.stage.split()[0]), stage.stage
