"""Speed of decoding and correlating tags: ``python benchmarks/tags.py``.

Prints Markdown tables. Decoding: millions of records a second on one core, of the kernel, of its
NumPy twin on the same records, and of the whole decoder. Correlating: millions of detections a
second of kernel and twin, with so many pairs for each detection. Captures: bytes a record, and
millions of records a second written and read.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from reporting import machine

from keybeam.protocol.records import TIME_MODULO, RecordType, pack_records
from keybeam.tags import CaptureWriter, read_capture
from keybeam.tags.correlation import count_pairs, count_pairs_numpy
from keybeam.timing import RecordDecoder
from keybeam.timing.splitting import StreamTime, split_records, split_records_numpy

CHUNK = 1 << 18
"""Records a chunk: two megabytes, a millisecond or two of work."""


def stream(generator: np.random.Generator, count: int, other: float) -> np.ndarray:
    """Records of which a part `other` are EPOCH, SYNC with FRAME and PPS, the rest detections."""
    times = (TIME_MODULO - 10**9 + np.cumsum(generator.integers(1, 40_000, count))) % TIME_MODULO
    types = np.full(count, int(RecordType.TAG))
    places = np.flatnonzero(generator.random(count) < other)
    types[places] = generator.choice(
        [RecordType.EPOCH, RecordType.SYNC, RecordType.PPS], places.size
    )
    after = places[types[places] == RecordType.SYNC] + 1
    types[after[after < count]] = RecordType.FRAME
    channels = np.where(types == RecordType.TAG, generator.integers(0, 4, count), 1)
    return pack_records(types, channels, times)


def chunks(function: Callable[[np.ndarray], object], records: np.ndarray) -> float:
    """Seconds to give all records to a function, chunk by chunk."""
    start = time.thread_time()
    for place in range(0, records.size, CHUNK):
        function(records[place : place + CHUNK])
    return time.thread_time() - start


def rates(seconds: list[float], count: int) -> str:
    """Median and range in millions a second."""
    speed = count / np.array(seconds) / 1e6
    return f"{np.median(speed):.0f} ({speed.min():.0f}-{speed.max():.0f})"


def correlating(generator: np.random.Generator, count: int, pairs: float, repeats: int) -> str:
    """Times of counting pairs of two random lists; a line of the table."""
    times = [np.cumsum(generator.integers(0, 2000, count)) for _ in range(2)]
    bins = 101
    width = max(1, round(1000 * pairs / bins))
    lists = (*times, -width * bins // 2, width, bins)
    fast, slow = [], []
    for _ in range(repeats):
        for function, seconds in ((count_pairs, fast), (count_pairs_numpy, slow)):
            start = time.thread_time()
            function(*lists)
            seconds.append(time.thread_time() - start)
    ratio = np.median(slow) / np.median(fast)
    return f"| {pairs} | {rates(fast, count)} | {rates(slow, count)} | {ratio:.1f} |"


def capturing(words: np.ndarray, level: int, repeats: int, folder: Path) -> str:
    """Size and times of captures at a level of compression; a line of the table."""
    path = folder / f"level-{level}.h5"
    written, read = [], []
    for _ in range(repeats):
        start = time.thread_time()
        with CaptureWriter(path, compression=level) as writer:
            for place in range(0, words.size, CHUNK):
                writer.write(words[place : place + CHUNK])
        written.append(time.thread_time() - start)
        start = time.thread_time()
        assert sum(packet.records.size for packet in read_capture(path)) == words.size
        read.append(time.thread_time() - start)
    size = path.stat().st_size / words.size
    return f"| {level} | {size:.2f} | {rates(written, words.size)} | {rates(read, words.size)} |"


@click.command()
@click.option("--records", default=1 << 24, show_default=True, help="Records of each run.")
@click.option("--repeats", default=7, show_default=True, help="Runs of each timing.")
@click.option("--seed", default=1, show_default=True, help="Seed of the records.")
def main(records: int, repeats: int, seed: int) -> None:
    """Measure and print the table; speeds are the median and the range of processor times."""
    generator = np.random.default_rng(seed)
    click.echo(f"{machine()}; one core; {records} records in chunks of {CHUNK}; seed {seed}\n")
    click.echo(
        "| records other than detections | kernel, M/s | NumPy twin, M/s | ratio | decoder, M/s |"
    )
    click.echo("|---|---|---|---|---|")
    for other in (0.0, 0.001, 0.1):
        words = stream(generator, records, other)
        fast, slow, whole = [], [], []
        for _ in range(repeats):
            fast.append(chunks(lambda part: split_records(part, 4, StreamTime()), words))
            part = words[: records // 8]
            slow.append(8 * chunks(lambda part: split_records_numpy(part, 4, StreamTime()), part))
            decoder = RecordDecoder()
            whole.append(chunks(lambda part, decoder=decoder: decoder.feed(part).tags, words))
        ratio = np.median(slow) / np.median(fast)
        click.echo(
            f"| {other:.1%} | {rates(fast, records)} | {rates(slow, records)} "
            f"| {ratio:.0f} | {rates(whole, records)} |"
        )
    click.echo("\n| pairs a detection | kernel, M/s | NumPy twin, M/s | ratio |\n|---|---|---|---|")
    for pairs in (0.1, 1.0, 10.0):
        click.echo(correlating(generator, 1 << 20, pairs, repeats))
    click.echo("\n| compression | bytes a record | written, M/s | read, M/s |\n|---|---|---|---|")
    words = stream(generator, records // 4, 0.001)
    with tempfile.TemporaryDirectory() as folder:
        for level in (0, 1, 6):
            click.echo(capturing(words, level, repeats, Path(folder)))


if __name__ == "__main__":
    main()
