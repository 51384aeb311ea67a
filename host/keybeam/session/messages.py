"""The messages of a session between satellite and ground station.

Messages are MessagePack (msgspec's tagged structs). The satellite answers
SiftRequest, BitsRequest, AmplifyInstruction, Settle, PassEnd and Goodbye; the ground station
answers Syndrome. Whoever asks repeats until it has the answer; whoever answers
gives the same answer to the same question, so that loss, repetition and
reordering do no harm.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from keybeam.session.errors import ParameterError

__all__ = [
    "PROTOCOL_VERSION",
    "TAG_BYTES",
    "AmplifyConfirm",
    "AmplifyInstruction",
    "BitsReply",
    "BitsRequest",
    "Goodbye",
    "GoodbyeReply",
    "Heartbeat",
    "Hello",
    "HelloReply",
    "Message",
    "MessageError",
    "PacketResult",
    "PassEnd",
    "PassEndReply",
    "SessionParameters",
    "Settle",
    "SettleReply",
    "SiftReply",
    "SiftRequest",
    "Syndrome",
    "decode_message",
    "encode_message",
]

PROTOCOL_VERSION = 3
"""Version of these messages; both ends must have the same."""

TAG_BYTES = 16
"""Length of a Poly1305 tag (RFC 8439, section 2.5)."""

Count = Annotated[int, Meta(ge=0)]
Identifier16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Tag = Annotated[bytes, Meta(min_length=0, max_length=TAG_BYTES)]


class MessageError(ValueError):
    """Bytes that are no message of this version."""


class SessionParameters(msgspec.Struct, frozen=True, array_like=True):
    """What both ends must agree on before they make key.

    Attributes
    ----------
    intensities : tuple of float
        Mean photons of signal, decoy and vacuum pulses.
    probabilities : tuple of float
        Their probabilities.
    packet_bits : int
        Sifted bits of a packet.
    block_packets : int
        Packets of a privacy-amplification block, 1 to 9.
    sample_fraction : float
        Part of the clicks whose bits are revealed, above 0 and below 1.
    analysis : str
        Name of the key-length analysis.
    failure_probability : float
        ξ of every bound of the paper's analysis, or ε_sec of a block by the composable one; above
        0 and below 1.

    Raises
    ------
    ParameterError
        If a number of bits or packets, the part or the probability is out of range.
    """

    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    packet_bits: int
    block_packets: int
    sample_fraction: float
    analysis: str
    failure_probability: float

    def __post_init__(self) -> None:
        for name, low, high in (("packet_bits", 1, 1 << 32), ("block_packets", 1, 9)):
            if not low <= getattr(self, name) <= high:
                raise ParameterError(f"{name} must be {low} to {high}, not {getattr(self, name)}")
        for name in ("sample_fraction", "failure_probability"):
            if not 0 < getattr(self, name) < 1:
                raise ParameterError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Ground station opens the session.

    Attributes
    ----------
    version : int
        `PROTOCOL_VERSION` of the sender.
    session : bytes
        Random name of the session, 16 bytes.
    parameters : SessionParameters
    codes : bytes
        Fingerprint of the error-correcting codes.
    secret : bytes
        Public name of the pre-shared secret.
    simulation : bool
        Whether the sender's randomness is that of a seed.
    """

    version: int
    session: Identifier16
    parameters: SessionParameters
    codes: bytes
    secret: bytes
    simulation: bool


class HelloReply(msgspec.Struct, frozen=True, tag="hello_reply"):
    """Satellite's answer to Hello.

    Attributes
    ----------
    session : bytes
        As in the Hello.
    refusal : str
        Why there can be no session; empty where there is one.
    simulation : bool
        Whether the satellite's randomness is that of a seed.
    unsettled : list of str
        Names of keys of earlier sessions whose last message never came.
    """

    session: Identifier16
    refusal: str
    simulation: bool
    unsettled: list[str]


class SiftRequest(msgspec.Struct, frozen=True, tag="sift"):
    """Ground station names its clicks.

    Attributes
    ----------
    chunk : int
        Counts from 0.
    oldest : int
        All chunks before this one had been answered when the request was first made.
    count : int
        Clicks of the chunk.
    indices : bytes
        Pulse indices (`keybeam.sifting.encode_indices`).
    bases, sampled : bytes
        One bit a click: basis, and whether the click is sampled.
    bits : bytes
        One bit a sampled click: its key bit.
    nonce : bytes
        Fresh random bytes. As the signatures of a block cover them, its chunks cannot have been
        made up in the ground station's name before their pulses arrived.
    """

    chunk: Count
    oldest: Count
    count: Count
    indices: bytes
    bases: bytes
    sampled: bytes
    bits: bytes
    nonce: Identifier16


class SiftReply(msgspec.Struct, frozen=True, tag="sift_reply"):
    """Satellite compares.

    Attributes
    ----------
    chunk : int
    matching : bytes
        One bit a click: symbol valid and basis equal.
    intensities : bytes
        Two bits a matching click: `Intensity`.
    decoy_bits : bytes
        One bit a matching decoy click that is not sampled: the bit that was sent.
    too_old, too_new, invalid : int
        Clicks dropped, see `keybeam.sifting.Comparison`.
    """

    chunk: Count
    matching: bytes
    intensities: bytes
    decoy_bits: bytes
    too_old: Count
    too_new: Count
    invalid: Count


class Syndrome(msgspec.Struct, frozen=True, tag="syndrome"):
    """Satellite helps to correct a packet.

    Attributes
    ----------
    packet : int
        Counts from 0.
    code : int
        Identifier of the code.
    syndrome : bytes
        Its syndrome bits, the first in the highest bit.
    key, tag : bytes
        Fresh random key and tag of the verification.
    sampled, sampled_errors : int
        Sampled signal clicks of the packet and the errors among them, for the statistics.
    """

    packet: Count
    code: int
    syndrome: bytes
    key: Identifier16
    tag: Identifier16
    sampled: Count
    sampled_errors: Count


class BitsRequest(msgspec.Struct, frozen=True, tag="bits"):
    """Ground station asks for single bits of a packet that it cannot correct yet.

    Attributes
    ----------
    packet : int
    round : int
        Requests before this one for the same packet.
    places : bytes
        Places in the packet, rising (`keybeam.sifting.encode_indices`).
    """

    packet: Count
    round: Count
    places: bytes


class BitsReply(msgspec.Struct, frozen=True, tag="bits_reply"):
    """Satellite tells bits of a packet.

    Attributes
    ----------
    packet, round : int
        As in the request.
    bits : bytes
        One bit a place.
    """

    packet: Count
    round: Count
    bits: bytes


class PacketResult(msgspec.Struct, frozen=True, tag="packet_result"):
    """Ground station's verdict on a packet.

    Attributes
    ----------
    packet : int
    good : bool
        Corrected and verified; if not, both ends drop the packet.
    errors : int
        Wrong bits that were corrected; 0 for a dropped packet.
    """

    packet: Count
    good: bool
    errors: Count


class AmplifyInstruction(msgspec.Struct, frozen=True, tag="amplify"):
    """Ground station orders the privacy amplification of a block; signed.

    Attributes
    ----------
    session : bytes
    block : int
        Counts from 0.
    packets : list of int
        Packets of the block, increasing.
    signal, decoy, vacuum, decoy_errors : int
        S_μ, S_ν, S_o, T_ν of the block.
    leak_bits : int
        Bits disclosed about the block.
    length : int
        Bits of the final key; 0 where the block gives none.
    seed : bytes
        Bits of the Toeplitz matrix, the first in the highest bit; empty for length 0.
    key_offset : int
        Where in its half of the secret the one-time key of the tag stands.
    tag : bytes
        Authentication.
    """

    session: Identifier16
    block: Count
    packets: list[int]
    signal: Count
    decoy: Count
    vacuum: Count
    decoy_errors: Count
    leak_bits: Count
    length: Count
    seed: bytes
    key_offset: Count
    tag: Tag = b""


class AmplifyConfirm(msgspec.Struct, frozen=True, tag="amplify_confirm"):
    """Satellite's answer to an instruction; signed where it was accepted.

    The tag also covers the final key, so it shows that both keys are equal.

    Attributes
    ----------
    session : bytes
    block : int
    refusal : str
        Why the satellite abandoned the block; empty where it made the key.
    key_offset : int
        Where in its half of the secret the one-time key of the tag stands.
    tag : bytes
        Authentication; empty for a refusal.
    """

    session: Identifier16
    block: Count
    refusal: str
    key_offset: Count
    tag: Tag = b""


class Settle(msgspec.Struct, frozen=True, tag="settle"):
    """Ground station tells whether it has stored a key; signed.

    Attributes
    ----------
    key : str
        Name of the key in the stores of both ends.
    stored : bool
        Whether the ground station holds the key, so that it may be used.
    key_offset : int
        Where in its half of the secret the one-time key of the tag stands.
    tag : bytes
        Authentication.
    """

    key: str
    stored: bool
    key_offset: Count
    tag: Tag = b""


class SettleReply(msgspec.Struct, frozen=True, tag="settle_reply"):
    """Satellite has acted on a Settle.

    Attributes
    ----------
    key : str
        As in the Settle.
    """

    key: str


class PassEnd(msgspec.Struct, frozen=True, tag="pass_end"):
    """Ground station has no more clicks, and all its chunks are answered.

    Attributes
    ----------
    chunks : int
        Number of all chunks.
    """

    chunks: Count


class PassEndReply(msgspec.Struct, frozen=True, tag="pass_end_reply"):
    """Satellite has all chunks, too.

    Attributes
    ----------
    packets, pending_bits : int
        Packets made, and sifted bits left over.
    """

    packets: Count
    pending_bits: Count


class Goodbye(msgspec.Struct, frozen=True, tag="goodbye"):
    """Ground station ends the session.

    Attributes
    ----------
    blocks : int
        Number of all blocks.
    """

    blocks: Count


class GoodbyeReply(msgspec.Struct, frozen=True, tag="goodbye_reply"):
    """Satellite ends the session, too.

    Attributes
    ----------
    blocks : int
        Number of all blocks.
    """

    blocks: Count


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """Says only that the sender lives."""


Message = (
    Hello
    | HelloReply
    | SiftRequest
    | SiftReply
    | Syndrome
    | BitsRequest
    | BitsReply
    | PacketResult
    | AmplifyInstruction
    | AmplifyConfirm
    | Settle
    | SettleReply
    | PassEnd
    | PassEndReply
    | Goodbye
    | GoodbyeReply
    | Heartbeat
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Return the one form of a message in bytes."""
    return _ENCODER.encode(message)


def decode_message(data: bytes) -> Message:
    """Return the message of some bytes.

    Raises
    ------
    MessageError
        If they are no message, or a value is out of range.
    """
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise MessageError(str(error)) from error
