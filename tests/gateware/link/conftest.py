"""What the tests of the link's blocks share beyond those of other gateware: pauses and packets."""

import random
from types import SimpleNamespace

import pytest


def _pauses(seed, share):
    """Say at random, so often out of one, that a stream pauses."""
    generator = random.Random(seed)
    return lambda: generator.random() < share


def _packet(plain):
    """Values of a packet stream for one packet."""
    return [{"data": byte, "last": place == len(plain) - 1} for place, byte in enumerate(plain)]


def _packets(values):
    """Packets of the values taken from a packet stream."""
    packets = [bytearray()]
    for value in values:
        packets[-1].append(value.data)
        if value.last:
            packets.append(bytearray())
    assert not packets.pop()
    return [bytes(packet) for packet in packets]


def _is_last(value):
    """Say whether a value of a packet stream ends its packet."""
    return value.last


@pytest.fixture
def bench(bench):
    """Run a component (`run`), move values through streams (`send`, `receive`, `pauses`), and make
    and join packets (`packet`, `is_last`, `packets`).
    """
    return SimpleNamespace(
        run=bench.run,
        send=bench.send,
        receive=bench.receive,
        pauses=_pauses,
        packet=_packet,
        packets=_packets,
        is_last=_is_last,
    )
