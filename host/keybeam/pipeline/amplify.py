"""The last stage: the length of a block's key, and the key."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keybeam.distillation import BlockCounts, KeyLength, prepare_toeplitz, toeplitz
from keybeam.key_length import Analysis, BasisCounts, SessionAnalysis
from keybeam.pipeline.items import BlockMade, Corrected, header_of, pack
from keybeam.pipeline.meter import Meter
from keybeam.pipeline.ring import Item
from keybeam.pipeline.settings import PipelineSettings
from keybeam.pipeline.stages import random_source
from keybeam.session.blocks import BlockPlan
from keybeam.session.statistics import BlockStatistics
from keybeam.sifting import CheckCounts, unpack_bits
from keybeam.whole_files import part_of

__all__ = ["amplify_blocks"]


def amplify_blocks(
    settings: PipelineSettings, meter: Meter, items: Iterator[Item]
) -> Iterator[Item]:
    """Make the key of each block of packets; give what may be told of it."""
    parameters = settings.parameters
    analysis = SessionAnalysis(
        Analysis(parameters.analysis),
        parameters.intensities,
        parameters.probabilities,
        parameters.failure_probability,
        settings.key_basis_probability,
    )
    with meter.preparing():
        analysis.prepare()
        prepare_toeplitz()
    plan = BlockPlan(settings.packets_of_a_block)
    file = _KeyFile(settings.key)
    packets: list[tuple[Corrected, np.ndarray]] = []
    number = 0
    try:
        for item in items:
            header = header_of(item, Corrected)
            meter.taken += item.arrays[0].size
            packets.append((header, item.arrays[0].copy()))
            if header.counts.number + 1 == plan.end(header.counts.number):
                yield _block(settings, meter, analysis, packets, number, file)
                number += any(part.statistics.good for part, _ in packets)
                packets = []
        if packets:
            yield _block(settings, meter, analysis, packets, number, file)
        file.place()
    finally:
        file.close()


class _KeyFile:
    """File of the key, readable by its owner only; it gets its name when all is done."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._part = None if path is None else part_of(path)
        self._handle = None
        if self._part is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._handle = os.fdopen(os.open(self._part, flags, 0o600), "wb")

    def write(self, key: bytes) -> None:
        """Add the key of a block."""
        if self._handle is not None:
            self._handle.write(key)

    def place(self) -> None:
        """Give the file its name."""
        if self._handle is not None and self._part is not None and self._path is not None:
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._part.replace(self._path)

    def close(self) -> None:
        """Close the file; leave nothing of one that was not done."""
        if self._handle is not None and self._part is not None:
            self._handle.close()
            self._part.unlink(missing_ok=True)


def _block(
    settings: PipelineSettings,
    meter: Meter,
    analysis: SessionAnalysis,
    packets: list[tuple[Corrected, np.ndarray]],
    number: int,
    file: _KeyFile,
) -> Item:
    """Make the key of a block."""
    statistics = [header.statistics for header, _ in packets]
    good = [(header, bits) for header, bits in packets if header.statistics.good]
    if not good:
        return pack(BlockMade(statistics, None))
    headers = [header for header, _ in good]
    counts = BlockCounts(
        signal=sum(bits.size for _, bits in good),
        decoy=sum(header.counts.decoy for header in headers),
        vacuum=sum(header.counts.vacuum for header in headers),
        decoy_errors=sum(header.counts.decoy_errors for header in headers),
    )
    errors = sum(header.errors for header in headers)
    leak = sum(header.statistics.leak_bits for header in headers)
    length = analysis.key_length(
        counts,
        errors,
        leak,
        packets=math.ceil(counts.signal / settings.parameters.packet_bits),
        dropped_packets=len(packets) - len(good),
        check=None if settings.check_basis is None else _check(headers),
    )
    if length.length_bits:
        bits = np.concatenate([bits for _, bits in good])
        size = bits.size + length.length_bits - 1
        seed = random_source(settings).draw(f"toeplitz of block {number}", (size + 7) // 8)
        key = toeplitz(bits, unpack_bits(seed, size), length.length_bits)
        file.write(np.packbits(key).tobytes())
    meter.given += length.length_bits
    return pack(BlockMade(statistics, _statistics(number, headers, counts, errors, leak, length)))


def _check(headers: list[Corrected]) -> BasisCounts:
    """Add up the counts of the basis that only checks, without errors of vacuum pulses."""
    counts = CheckCounts(
        *(sum(found) for found in zip(*(header.counts.check for header in headers), strict=True))
    )
    return BasisCounts(
        (counts.signal, counts.decoy, counts.vacuum),
        (counts.signal_errors, counts.decoy_errors, None),
    )


def _statistics(
    number: int,
    headers: list[Corrected],
    counts: BlockCounts,
    errors: int,
    leak: int,
    length: KeyLength,
) -> BlockStatistics:
    return BlockStatistics(
        index=number,
        time_s=headers[-1].counts.time_s,
        packets=[header.counts.number for header in headers],
        signal=counts.signal,
        decoy=counts.decoy,
        vacuum=counts.vacuum,
        decoy_errors=counts.decoy_errors,
        qber=errors / counts.signal,
        leak_bits=leak,
        s1=length.s1,
        e1=length.e1,
        length_bits=length.length_bits,
        abandoned="",
    )
