"""Two ends of a session with a made-up board, small packets, and a channel that does its worst."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keybeam.distillation import BlockCounts, KeyLength, tag, toeplitz
from keybeam.keystore import KeyStore
from keybeam.protocol.link import LookupStatus
from keybeam.protocol.symbols import basis_of, map_random_bits
from keybeam.session import EndpointParts, GroundSession, PresharedSecret, SatelliteSession
from keybeam.session.distiller import Disclosure
from keybeam.session.framing import FrameDecoder, encode_frame
from keybeam.session.messages import (
    Message,
    SessionParameters,
    decode_message,
    encode_message,
)
from keybeam.session.randomness import SeededRandom
from keybeam.session.secret import Direction
from keybeam.timing import CLICK_DTYPE

PACKET_BITS = 1000

PARAMETERS = SessionParameters(
    intensities=(0.8, 0.1, 0.001),
    probabilities=(0.5, 0.25, 0.25),
    packet_bits=PACKET_BITS,
    block_packets=3,
    sample_fraction=0.1,
    analysis="paper",
    failure_probability=1e-10,
)


class PlainCorrection:
    """Finds the bits once enough of them were asked for."""

    def __init__(self, told, found, rounds):
        self.told = told
        self.found = found
        self.rounds = rounds

    def attempt(self):
        return self.told if self.found and not self.rounds else None

    def doubtful(self):
        if not self.rounds:
            return np.zeros(0, np.uint32)
        return np.arange(self.rounds, 100, 7, dtype=np.uint32)

    def tell(self, places, bits):
        assert np.array_equal(self.told[places], bits)
        self.rounds -= 1


class PlainDistiller:
    """Corrects by telling all bits, gives half of them as key, and cannot correct many errors.

    It asks for some of the bits again, more often the more errors there are.
    """

    fingerprint = b"plain"
    rounds = 3

    def __init__(self, most_errors: int = PACKET_BITS) -> None:
        self.most_errors = most_errors
        self.counted = []
        self.dropped = []

    def disclose(self, bits, counted, key):
        self.counted.append(counted)
        return Disclosure(1, np.packbits(bits).tobytes(), tag(bits, key))

    def correction(self, bits, disclosure, key):
        told = np.unpackbits(np.frombuffer(disclosure.syndrome, np.uint8), count=bits.size)
        errors = np.count_nonzero(told != bits)
        found = tag(told, key) == disclosure.tag and errors <= self.most_errors
        return PlainCorrection(told, found, min(int(errors) // 10, self.rounds))

    def key_length(
        self, counts: BlockCounts, signal_errors: int, leak_bits: int, dropped_packets: int
    ) -> KeyLength:
        self.dropped.append(dropped_packets)
        qber = signal_errors / counts.signal
        length = counts.signal // 256 * 128 if qber < 0.2 else 0
        return KeyLength(counts.signal / 2, qber, length, leak_bits)

    def amplify(self, bits, seed, length):
        if not length:
            return b""
        matrix = np.unpackbits(np.frombuffer(seed, np.uint8), count=bits.size + length - 1)
        return np.packbits(toeplitz(bits, matrix, length)).tobytes()


def symbols_sent(indices: np.ndarray) -> np.ndarray:
    """Symbols of a made-up transmitter: a hash of the pulse index."""
    mixed = (indices + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    return map_random_bits((mixed >> np.uint64(60)).astype(np.uint8))


def lookup(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.full(indices.size, LookupStatus.FOUND, np.uint8), symbols_sent(indices)


def make_clicks(count: int, error_rate: float, generator: np.random.Generator) -> np.ndarray:
    """Clicks whose intensities are as sent, whatever their loss."""
    clicks = np.zeros(count, CLICK_DTYPE)
    clicks["index"] = np.cumsum(generator.integers(1, 90_000, count))
    sent = symbols_sent(clicks["index"])
    basis = generator.integers(0, 2, count, dtype=np.uint8)
    bit = np.where(basis == basis_of(sent), sent & 1, generator.integers(0, 2, count))
    bit ^= generator.random(count) < error_rate
    clicks["channel"] = basis << 1 | bit
    return clicks


@dataclass
class Ends:
    """Both ends, their stores and their secrets."""

    satellite: SatelliteSession
    ground: GroundSession
    satellite_store: KeyStore
    ground_store: KeyStore
    secrets: tuple[PresharedSecret, PresharedSecret]

    def close(self) -> None:
        for part in (self.satellite_store, self.ground_store, *self.secrets):
            part.close()


def open_parts(
    folder: Path,
    end: str,
    *,
    seed: int = 1,
    distiller: PlainDistiller | None = None,
    parameters: SessionParameters = PARAMETERS,
) -> EndpointParts:
    """What "satellite" or "ground" works with, on the files of a folder that holds its secret."""
    return EndpointParts(
        parameters=parameters,
        distiller=distiller or PlainDistiller(),
        secret=PresharedSecret(folder / f"{end}.secret", Direction[f"FROM_{end.upper()}"]),
        store=KeyStore(folder / end),
        random=SeededRandom(seed, end),
    )


def open_ends(
    folder: Path,
    *,
    seed: int = 1,
    distiller: PlainDistiller | None = None,
    ground_parameters: SessionParameters = PARAMETERS,
    lookup: Callable = lookup,
) -> Ends:
    """Open both ends on the files of a folder, which hold the two copies of a secret."""
    satellite = open_parts(folder, "satellite", seed=seed, distiller=distiller)
    ground = open_parts(
        folder, "ground", seed=seed, distiller=distiller, parameters=ground_parameters
    )
    return Ends(
        SatelliteSession(satellite, lookup),
        GroundSession(ground),
        satellite.store,
        ground.store,
        (satellite.secret, ground.secret),
    )


class Channel:
    """Carries framed messages between two ends and, at given rates, does every harm to them.

    Parameters
    ----------
    ends : Ends
        Both ends.
    generator : numpy.random.Generator
        Chooses the harm.
    rate : float
        Probability with which a frame is lost; also that it is repeated, late, or corrupted.
    tamper : callable
        Takes the sender ("satellite" or "ground") and a message; returns what is carried instead.
    """

    STEP_S = 0.05

    def __init__(self, ends, generator, rate=0.0, tamper=lambda sender, message: message):
        self.ends = ends
        self.generator = generator
        self.rate = rate
        self.tamper = tamper
        self.now = 0.0
        self._queue: list[tuple[float, int, str, bytes]] = []
        self._count = 0
        self._decoders = {"satellite": FrameDecoder(), "ground": FrameDecoder()}
        self.corrupted = 0

    def post(self, sender: str, messages: list[Message]) -> None:
        receiver = "ground" if sender == "satellite" else "satellite"
        for message in messages:
            self._count += 1
            frame = encode_frame(self._count, encode_message(self.tamper(sender, message)))
            lost, again, late, broken = self.generator.random(4) < self.rate
            for _ in range((not lost) * (1 + again)):
                if broken:
                    place = self.generator.integers(len(frame))
                    flipped = bytes([frame[place] ^ 1 << self.generator.integers(8)])
                    frame = frame[:place] + flipped + frame[place + 1 :]
                delay = self.generator.exponential(1.0) if late else 0.0
                heapq.heappush(self._queue, (self.now + delay, self._count, receiver, frame))

    def step(self) -> None:
        """Let a little time pass."""
        self.now += self.STEP_S
        ends = {"satellite": self.ends.satellite, "ground": self.ends.ground}
        while self._queue and self._queue[0][0] <= self.now:
            receiver, frame = heapq.heappop(self._queue)[2:]
            for body in self._decoders[receiver].feed(frame):
                self.post(receiver, ends[receiver].handle(decode_message(body), self.now))
        for name, end in ends.items():
            while (job := end.next_job()) is not None:
                self.post(name, end.finish_job(job, job.work(), self.now))
            self.post(name, end.repeats(self.now))

    def run(self, clicks: np.ndarray, until: Callable[[], bool] | None = None) -> None:
        """Carry a pass through to its end, or until a condition holds."""
        ground = self.ends.ground
        parts = iter([*np.array_split(clicks, max(clicks.size // 1000, 1)), None])
        self.post("ground", ground.begin(self.now))
        ended = False
        while not (ground.done if until is None else until()):
            self.step()
            if ground.ready and not ended:
                part = next(parts)
                ended = part is None
                self.post(
                    "ground",
                    ground.end_pass(self.now) if ended else ground.add_clicks(part, self.now),
                )
            assert self.now < 2000, "the session goes nowhere"
