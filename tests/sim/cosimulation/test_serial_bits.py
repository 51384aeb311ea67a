import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keybeam_sim.cosimulation.serial_bits import UartReader, UartWriter
from keybeam_sim.cosimulation.terminal import Terminal


def levels_of(data, divisor):
    """Levels of a UART line, written down bit by bit."""
    line = []
    for byte in data:
        for bit in [0, *(byte >> place & 1 for place in range(8)), 1]:
            line += [bit] * divisor
    return np.array(line, np.uint8)


@given(st.binary(max_size=20), st.integers(4, 16), st.integers(1, 300))
def test_writer_sends_start_bit_data_and_stop_bit(data, divisor, block):
    writer = UartWriter(divisor)
    writer.send(data)
    expected = levels_of(data, divisor)
    taken = []
    while writer.waiting:
        taken.append(writer.take(block))
    line = np.concatenate([np.empty(0, np.uint8), *taken])
    assert np.array_equal(line[: expected.size], expected)
    assert line[expected.size :].all()
    assert writer.take(block).all()


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(4, 16), st.data())
def test_reader_finds_bytes_whatever_the_pauses_and_blocks(pieces, divisor, data):
    parts = [np.ones(divisor, np.uint8)]
    for piece in pieces:
        parts += [levels_of(piece, divisor), np.ones(data.draw(st.integers(0, 40)), np.uint8)]
    line = np.concatenate([*parts, np.ones(divisor, np.uint8)])
    reader, found, place = UartReader(divisor), b"", 0
    while place < line.size:
        size = data.draw(st.integers(1, 3 * divisor))
        found += reader.feed(line[place : place + size])
        place += size
    assert found == b"".join(pieces)
    assert reader.broken == 0


def test_reader_counts_and_drops_a_byte_without_stop_bit():
    line = np.concatenate([np.zeros(4 * 10, np.uint8), np.ones(8, np.uint8), levels_of(b"a", 4)])
    reader = UartReader(4)
    assert reader.feed(np.concatenate([line, np.ones(4, np.uint8)])) == b"a"
    assert reader.broken == 1


def test_terminal_passes_all_byte_values_both_ways():
    everything = bytes(range(256))
    with Terminal() as terminal:
        host = os.open(terminal.path, os.O_RDWR | os.O_NOCTTY)
        assert terminal.read() == b""
        os.write(host, everything)
        assert terminal.read() == everything
        terminal.write(everything)
        assert os.read(host, 1000) == everything
        os.close(host)


def test_terminal_drops_and_counts_what_nobody_fetches():
    with Terminal() as terminal:
        for _ in range(20):
            terminal.write(bytes(100_000))
        assert 0 < terminal.dropped < 2_000_000
