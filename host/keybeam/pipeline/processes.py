"""The pipeline in processes of its own, joined by rings of shared memory.

    clicks ─► sift ─┬► reconcile ─┬► amplify ─► caller
                    └► reconcile ─┘

Packets go to the reconciling processes in turn and come back in the same turn, so that their order
does not depend on how long each takes.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any

import msgspec

from keybeam.errors import KeybeamError
from keybeam.pipeline.amplify import amplify_blocks
from keybeam.pipeline.errors import PipelineError
from keybeam.pipeline.items import BlockMade, header_of, item_bytes
from keybeam.pipeline.meter import Meter, StageStatistics
from keybeam.pipeline.ring import Item, RingReader, RingWriter, create_ring
from keybeam.pipeline.settings import PipelineSettings
from keybeam.pipeline.stages import find_clicks, reconcile_packets, sift_clicks

__all__ = ["Event", "run_processes"]

_SLOTS = 4
"""Items that may wait between two stages."""
_REPORT_S = 0.25
_PATIENCE_S = 5.0
"""Seconds for a process to end after its pipes were closed, before it is stopped."""

Event = StageStatistics | BlockMade
"""What the caller is told while a pass is processed."""


@dataclass(frozen=True)
class _Stage:
    """A process of the pipeline.

    Attributes
    ----------
    name : str
        Name of the stage, with a number where it has several processes.
    readers, writers : list
        Ends of rings from the stage before it and to the one after it, each taken in turn.
    """

    name: str
    readers: list[RingReader]
    writers: list[RingWriter]

    def close(self) -> None:
        """Close this process' copies of the pipes."""
        for reader in self.readers:
            reader.close()
        for writer in self.writers:
            writer.close()


class _Report(msgspec.Struct, frozen=True):
    """What a stage tells its caller.

    Attributes
    ----------
    statistics : StageStatistics
        Of the stage so far.
    block : bytes
        Header of a finished block, or nothing.
    error : str
        Why the stage cannot go on; empty while it can.
    done : bool
        Whether this is the last report.
    """

    statistics: StageStatistics
    block: bytes = b""
    error: str = ""
    done: bool = False


def _in_turn(readers: list[RingReader]) -> Iterator[Item]:
    """Items of several rings, one of each; the first that is over is the end of all."""
    while True:
        for reader in readers:
            item = reader.read()
            if item is None:
                # The others have no more items either, but may not have said so yet: a reader that
                # left now would look to them as if it had died.
                for other in readers:
                    if other is not reader:
                        other.read()
                return
            yield item


def _items(stage: _Stage, settings: PipelineSettings, meter: Meter) -> Iterator[Item]:
    """Items that a stage gives."""
    kind = stage.name.split()[0]
    if kind == "clicks":
        return meter.stage_of(find_clicks(settings, meter))
    work: Callable[..., Iterator[Item]] = {
        "sift": sift_clicks,
        "reconcile": reconcile_packets,
        "amplify": amplify_blocks,
    }[kind]
    taken = meter.upstream(_in_turn(stage.readers), from_process=True)
    return meter.stage_of(work(settings, meter, taken))


def _work(stage: _Stage, settings: PipelineSettings, meter: Meter, report: Connection) -> None:
    """Do the work of a stage; tell of it now and then, and of every block."""
    told = monotonic()
    for number, item in enumerate(_items(stage, settings, meter)):
        if stage.writers:
            writer = stage.writers[number % len(stage.writers)]
            with meter.handing_over():
                writer.write(item)
            meter.blocked_s = sum(writer.waited_s for writer in stage.writers)
        if not stage.writers or monotonic() - told > _REPORT_S:
            told = monotonic()
            block = b"" if stage.writers else item.header
            report.send_bytes(msgspec.msgpack.encode(_Report(meter.statistics, block)))
    for writer in stage.writers:
        writer.end()
    report.send_bytes(msgspec.msgpack.encode(_Report(meter.statistics, done=True)))


def _main(stage: _Stage, settings: PipelineSettings, report: Connection) -> None:
    """Body of a process. It ends when its neighbours or its caller are gone."""
    # Ctrl-C is the caller's affair: it ends all processes in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    meter = Meter(stage.name)
    try:
        _work(stage, settings, meter, report)
    except ConnectionError:
        return
    except Exception as error:
        named = isinstance(error, KeybeamError | OSError)
        text = str(error) if named else f"{type(error).__name__}: {error}"
        follows = isinstance(error, PipelineError) and "ended" in text
        problem = "" if follows else f"{stage.name}: {text}"
        try:
            report.send_bytes(msgspec.msgpack.encode(_Report(meter.statistics, error=problem)))
        except ConnectionError:
            return
    finally:
        stage.close()
        report.close()


def _stages(context: BaseContext, settings: PipelineSettings) -> list[_Stage]:
    sizes = item_bytes(settings.parameters)
    found = create_ring(context, _SLOTS, sizes["clicks"])
    sifted = [create_ring(context, _SLOTS, sizes["sift"]) for _ in range(settings.workers)]
    corrected = [create_ring(context, _SLOTS, sizes["reconcile"]) for _ in range(settings.workers)]
    return [
        _Stage("clicks", [], [found[0]]),
        _Stage("sift", [found[1]], [ring[0] for ring in sifted]),
        *(
            _Stage(f"reconcile {number + 1}", [sifted[number][1]], [corrected[number][0]])
            for number in range(settings.workers)
        ),
        _Stage("amplify", [ring[1] for ring in corrected], []),
    ]


_ENVIRONMENT = {
    # No threads for linear algebra beside the processes.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # What is freed of memory is kept for the next item (mallopt(3)): clearing new pages would take
    # the stage of clicks a third of its time.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 26),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 26),
}


@contextmanager
def _environment() -> Iterator[None]:
    """Set what the processes that are started here find in their environment."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_processes(settings: PipelineSettings) -> Generator[Event, None, None]:
    """Process a recorded pass in `settings.workers` + 3 processes.

    Whatever ends the iteration, an error or a closed iterator, ends the processes, too.

    Parameters
    ----------
    settings : PipelineSettings
        The pass; with at least one worker.

    Yields
    ------
    StageStatistics or BlockMade
        Statistics of a stage now and then and at its end, and every block.

    Raises
    ------
    PipelineError
        If a stage cannot go on.
    """
    context = get_context("spawn")
    stages = _stages(context, settings)
    processes: list[BaseProcess] = []
    reports: dict[Connection, str] = {}
    try:
        with _environment():
            for stage in stages:
                ours, theirs = context.Pipe(duplex=False)
                reports[ours] = stage.name
                process = context.Process(
                    target=_main, args=(stage, settings, theirs), name=stage.name, daemon=True
                )
                process.start()
                processes.append(process)
                # From here on the other end alone keeps the pipe open.
                theirs.close()
                stage.close()
        yield from _events(reports)
    finally:
        _end(processes, [*reports])


def _events(reports: dict[Connection, str]) -> Iterator[Event]:
    """Give what the stages tell, until all are done."""
    running = dict(reports)
    lost = ""
    while running:
        ready: list[Any] = wait(list(running))
        for connection in ready:
            try:
                report = msgspec.msgpack.decode(connection.recv_bytes(), type=_Report)
            except (EOFError, ConnectionError):
                # Its neighbours notice, too; one that has something to say is heard first.
                name = running.pop(connection)
                lost = lost or f"the process of the stage {name!r} ended early"
                continue
            if report.error:
                raise PipelineError(report.error)
            yield report.statistics
            if report.block:
                yield header_of(Item(report.block, []), BlockMade)
            if report.done:
                del running[connection]
    if lost:
        raise PipelineError(lost)


def _end(processes: list[BaseProcess], reports: list[Connection]) -> None:
    """Let the processes end, by force where they do not."""
    for connection in reports:
        connection.close()
    deadline = monotonic() + _PATIENCE_S
    for process in processes:
        process.join(max(0.0, deadline - monotonic()))
        if process.is_alive():
            process.terminate()
            process.join()
        process.close()
