"""What goes wrong between a simulated board's pins and its host."""

import numpy as np

from keybeam.protocol.identity import IdentityAddress
from keybeam.protocol.link import (
    LINK_DELIMITER,
    FrameKind,
    LinkFrameError,
    decode_link_frame,
    encode_link_frame,
)
from keybeam_sim.cosimulation.settings import HostLinkSettings

__all__ = ["HostLink"]

_OTHER_HASH = 0x0BAD_CAFE


class HostLink:
    """The cable, and the revision of what answers at its end.

    Parameters
    ----------
    settings : HostLinkSettings
        What goes wrong.
    seed : int
        Seed of the errors.
    other_revision : bool
        Whether this board tells the hash of another register map.
    """

    def __init__(self, settings: HostLinkSettings, seed: int, *, other_revision: bool) -> None:
        self._rate = settings.byte_error_rate
        self._generator = np.random.default_rng([seed, 2])
        self._other_revision = other_revision
        self._waiting = b""

    def to_board(self, data: bytes) -> bytes:
        """Give what arrives at the board of bytes from the host."""
        return self._spoilt(data)

    def to_host(self, data: bytes) -> bytes:
        """Give what arrives at the host of bytes from the board."""
        return self._spoilt(self._renamed(data) if self._other_revision else data)

    def _spoilt(self, data: bytes) -> bytes:
        if not self._rate or not data:
            return data
        sent = np.frombuffer(data, np.uint8)
        wrong = self._generator.random(sent.size) < self._rate
        flips = np.where(wrong, self._generator.integers(1, 256, sent.size), 0)
        return (sent ^ flips.astype(np.uint8)).tobytes()

    def _renamed(self, data: bytes) -> bytes:
        *frames, self._waiting = (self._waiting + data).split(LINK_DELIMITER)
        return b"".join(self._with_other_hash(stuffed) for stuffed in frames)

    def _with_other_hash(self, stuffed: bytes) -> bytes:
        try:
            kind, sequence, body = decode_link_frame(stuffed)
        except LinkFrameError:
            return stuffed + LINK_DELIMITER
        address = IdentityAddress.MAP_HASH.to_bytes(2, "little")
        if kind == FrameKind.REGISTER_VALUE and body[:2] == address:
            body = address + _OTHER_HASH.to_bytes(4, "little")
        return encode_link_frame(kind, sequence, body)
