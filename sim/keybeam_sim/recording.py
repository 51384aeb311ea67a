"""A recorded pass over a link that does not change: the receiver's tags, the transmitter's symbols.

`python -m keybeam_sim.recording tags.h5 symbols.h5` writes the two files that ``keybeam pipeline``
makes key of. Other than the digital twin, which runs a satellite's pass in real time, it takes as
many clicks a second as one likes, and other sources than the satellite's.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from keybeam.key_length import Source
from keybeam.pipeline import SymbolRecordWriter
from keybeam.protocol.downlink import FrameFlag
from keybeam.protocol.numbers import FRAME_DURATION_PS, FRAME_SLOTS, SLOT_PS
from keybeam.protocol.records import FINE_PS, FRAME_VALID, RecordType, pack_records
from keybeam.protocol.symbols import (
    CHECK_BASIS,
    DEFAULT_SYMBOL_TABLE,
    KEY_BASIS,
    RANDOM_BITS_MAXIMUM,
    Intensity,
    basis_of,
    intensity_of,
    symbol_table,
)
from keybeam.tags import CaptureMetadata, CaptureWriter
from keybeam_sim.source import PhotonSource, SymbolSource

__all__ = ["SOURCES", "RecordedLink", "record_pass"]

_BLOCK_FRAMES = 16
_INTENSITIES = (Intensity.SIGNAL, Intensity.DECOY, Intensity.VACUUM)

SOURCES = {
    "satellite": Source(),
    "fibre": Source((0.4, 0.1, 0.001), (7 / 8, 7 / 64, 1 / 64), key_basis_probability=15 / 16),
}
"""Sources by name: that of arXiv:2408.10994, half of whose pulses are signals and whose bases are
equally likely, and one with unequal bases and few decoys, as for fibre links of much light (H.-K.
Lo, H. F. Chau, M. Ardehali, J. Cryptology 18 (2005) 133). The latter's intensities were found by
trial, for blocks of 10 Mbit; its probabilities are such that a symbol map can hold them."""


@dataclass(frozen=True)
class RecordedLink:
    """A link without drift, to detectors without dead time, such as those of many pixels.

    Attributes
    ----------
    source : Source
        Three intensities, their probabilities, and how often either end chooses the basis that
        makes key.
    contrast_db : float
        Polarisation contrast; see `PhotonSource`.
    efficiency : float
        Probability that a photon makes a click, 0 to 1.
    background : float
        Probability of a click in a slot that no photon makes.
    jitter_ps : float
        Standard deviation of the times of clicks.
    rate_ppm : float
        How much faster the receiver's clock is than the transmitter's.
    """

    source: Source = SOURCES["satellite"]
    contrast_db: float = 20.05
    efficiency: float = 0.05
    background: float = 1e-5
    jitter_ps: float = 150.0
    rate_ppm: float = 3.0

    @property
    def symbol_map(self) -> NDArray[np.uint8]:
        """Symbol map of the source; that of the satellite is the transmitter's own."""
        if self.source == SOURCES["satellite"]:
            return DEFAULT_SYMBOL_TABLE
        chosen = self._key_basis_probability
        return symbol_table(
            dict(zip(_INTENSITIES, self.source.probabilities, strict=True)),
            {KEY_BASIS: chosen, CHECK_BASIS: 1 - chosen},
            RANDOM_BITS_MAXIMUM,
        )

    @property
    def _key_basis_probability(self) -> float:
        chosen = self.source.key_basis_probability
        return 0.5 if chosen is None else chosen

    @property
    def _photons(self) -> PhotonSource:
        mean = dict(zip(_INTENSITIES, self.source.intensities, strict=True))
        return PhotonSource(self.contrast_db, mean_photons={**mean, Intensity.INVALID: 0.0})

    def clicks(
        self, symbols: NDArray[np.uint8], generator: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
        """Simulate which pulses make clicks, and in which detectors.

        Parameters
        ----------
        symbols : ndarray of uint8, shape (n,)
            Symbols of the pulses.
        generator : numpy.random.Generator
            Source of all chance.

        Returns
        -------
        places : ndarray of int, shape (m,)
            Pulses with a click, rising.
        channels : ndarray of uint8, shape (m,)
            Detector of each.
        """
        photons = self._photons
        mean = self.efficiency * photons.photons_of(np.arange(4))[intensity_of(symbols)]
        dark = generator.random(symbols.size) < self.background
        places = np.flatnonzero((generator.random(symbols.size) < -np.expm1(-mean)) | dark)
        sent = symbols[places] & np.uint8(3)
        if self.source.key_basis_probability is None:
            basis = generator.integers(0, 2, places.size, dtype=np.uint8)
        else:
            other = generator.random(places.size) >= self.source.key_basis_probability
            basis = np.where(other, np.uint8(CHECK_BASIS), np.uint8(KEY_BASIS))
        wrong = generator.random(places.size) < photons.misalignment
        chance = (basis != basis_of(sent)) | dark[places]
        bit = np.where(chance, generator.integers(0, 2, places.size), (sent & 1) ^ wrong)
        return places, basis << np.uint8(1) | bit.astype(np.uint8)


def record_pass(
    tags: Path,
    symbols: Path,
    *,
    frames: int,
    link: RecordedLink | None = None,
    seed: int = 1,
) -> int:
    """Write the two files of a recorded pass.

    Parameters
    ----------
    tags, symbols : Path
        The files.
    frames : int
        Frames of 65 536 pulses, at least 1.
    link : RecordedLink
        The link.
    seed : int
        Of symbols and chance.

    Returns
    -------
    int
        Number of clicks.
    """
    link = link or RecordedLink()
    generator = np.random.default_rng(seed)
    source = SymbolSource(seed, link.symbol_map)
    metadata = CaptureMetadata(source=f"simulated link, seed {seed}")
    clicks = 0
    with (
        CaptureWriter(tags, metadata, compression=0) as capture,
        SymbolRecordWriter(symbols, 0, frames) as record,
    ):
        for first in range(0, frames, _BLOCK_FRAMES):
            count = min(_BLOCK_FRAMES, frames - first)
            indices = np.arange(first * FRAME_SLOTS, (first + count) * FRAME_SLOTS, dtype=np.uint64)
            sent = source.symbols(indices)
            record.write(sent)
            places, channels = link.clicks(sent, generator)
            clicks += places.size
            last = first + count == frames
            capture.write(_records(link, first, count + last, places, channels, generator))
    return clicks


def _records(
    link: RecordedLink,
    first: int,
    syncs: int,
    places: NDArray[np.intp],
    channels: NDArray[np.uint8],
    generator: np.random.Generator,
) -> NDArray[np.uint64]:
    """Give the records of some frames, in the order of their times."""
    scale = (1 + link.rate_ppm * 1e-6) / FINE_PS
    frame = first * FRAME_DURATION_PS
    jitter = generator.normal(0.0, link.jitter_ps, places.size)
    # Sorted, and within the stretch: what jitter would carry into another one stays at its border.
    end = places.size and (places[-1] // FRAME_SLOTS + 1) * FRAME_DURATION_PS - 1
    inside = np.clip((places + 0.5) * SLOT_PS + jitter, 0, end)
    times = np.sort((frame + inside) * scale)
    counters = np.arange(first, first + syncs)
    starts = counters * FRAME_DURATION_PS * scale
    kinds = np.concatenate([np.full(places.size, 2), np.zeros(syncs), np.ones(syncs)])
    records = np.concatenate(
        [
            pack_records(RecordType.TAG, channels, np.rint(times).astype(np.int64)),
            pack_records(RecordType.SYNC, 0, np.rint(starts).astype(np.int64)),
            pack_records(RecordType.FRAME, FRAME_VALID, counters | int(FrameFlag.RUNNING) << 48),
        ]
    )
    order = np.lexsort((kinds, np.concatenate([times, starts, starts])))
    return records[order]


@click.command()
@click.argument("tags", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("symbols", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--frames", default=4000, show_default=True, help="Frames of 65 536 pulses.")
@click.option("--efficiency", default=0.05, show_default=True, help="Clicks of a photon.")
@click.option(
    "--source",
    type=click.Choice(list(SOURCES)),
    default="satellite",
    show_default=True,
    help="Intensities, their probabilities, and choice of the bases.",
)
@click.option("--seed", default=1, show_default=True, help="Seed of the simulation.")
def main(tags: Path, symbols: Path, frames: int, efficiency: float, source: str, seed: int) -> None:
    """Write TAGS and SYMBOLS of a simulated pass.

    \b
    Example:
        python -m keybeam_sim.recording tags.h5 symbols.h5 --frames 4000
        keybeam pipeline tags.h5 --symbols symbols.h5
    """
    link = RecordedLink(SOURCES[source], efficiency=efficiency)
    clicks = record_pass(tags, symbols, frames=frames, link=link, seed=seed)
    click.echo(f"{clicks} clicks of {frames} frames")
    used = link.source
    click.echo(f"intensities {used.intensities}, probabilities {used.probabilities}")
    if used.key_basis_probability is not None:
        click.echo(f"key basis with probability {used.key_basis_probability}")


if __name__ == "__main__":
    main()
