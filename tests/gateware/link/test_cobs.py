import random

import pytest
from cobs import cobs

from keybeam_gateware.link.cobs import CobsDecoder, CobsEncoder

GENERATOR = random.Random(11)
PACKETS = [
    b"\0",
    b"\0\0\0",
    b"\1",
    b"abc\0",
    b"\0abc",
    bytes(range(1, 254)),
    bytes(range(1, 255)),
    bytes(range(1, 256)),
    bytes(range(256)),
    b"\0" + bytes(range(1, 255)) + b"\0",
    *(GENERATOR.randbytes(GENERATOR.randrange(1, 60)) for _ in range(20)),
    *(bytes(GENERATOR.choice((0, 0, 7)) for _ in range(12)) for _ in range(10)),
]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_encoder_agrees_with_the_cobs_package(bench, share):
    encoder = CobsEncoder()
    got = []

    async def feed(ctx):
        for packet in PACKETS:
            await bench.send(ctx, encoder.input, bench.packet(packet), bench.pauses(1, share))

    async def take(ctx):
        pause = bench.pauses(2, share)
        got.extend(
            await bench.receive(ctx, encoder.output, len(PACKETS), pause, lambda value: value == 0)
        )

    bench.run(encoder, feed, take)
    assert bytes(got) == b"".join(cobs.encode(packet) + b"\0" for packet in PACKETS)


def decode(bench, wire, count, share=0.0):
    """The first `count` packets of stuffed bytes, None for the broken ones."""
    decoder = CobsDecoder()
    got = []

    async def feed(ctx):
        await bench.send(ctx, decoder.input, wire, bench.pauses(1, share))

    async def take(ctx):
        got.extend(
            await bench.receive(ctx, decoder.output, count, bench.pauses(2, share), bench.is_last)
        )

    bench.run(decoder, feed, take)
    broken = [value.broken for value in got if value.last]
    return [
        None if is_broken else packet
        for packet, is_broken in zip(bench.packets(got), broken, strict=True)
    ]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_decoder_agrees_with_the_cobs_package(bench, share):
    wire = b"".join(cobs.encode(packet) + b"\0" for packet in PACKETS)
    assert decode(bench, wire, len(PACKETS), share) == PACKETS


def test_decoder_marks_broken_packets_and_goes_on(bench):
    wire = b"\0\0\x05abc\0" + b"\x02a\0" + b"\x01\0" + b"\x03ab\x04\0\0" + b"\x02z\0"
    assert decode(bench, wire, 5) == [None, b"a", None, None, b"z"]
