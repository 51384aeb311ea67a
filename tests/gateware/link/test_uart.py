import random

import pytest
from amaranth.sim import Simulator

from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam_gateware.link.uart import UartReceiver, UartTransmitter

PERIOD = 6.4e-9
DIVISOR = 9


def line_bits(byte):
    return [0, *(byte >> place & 1 for place in range(8)), 1]


def receive(bits, bit_seconds, *, take=True, divisor=DIVISOR):
    """Bytes, broken bytes and lost bytes that a receiver makes of line bits of any duration."""
    receiver = UartReceiver(divisor=divisor)
    got, broken, lost = [], 0, 0

    async def drive(ctx):
        await ctx.delay(7.3 * PERIOD)
        for bit in bits:
            ctx.set(receiver.line, bit)
            await ctx.delay(bit_seconds)
        await ctx.delay(3 * divisor * PERIOD)

    async def watch(ctx):
        nonlocal broken, lost
        ctx.set(receiver.output.ready, take)
        async for _, _, valid, byte, is_broken, is_lost in ctx.tick().sample(
            receiver.output.valid, receiver.output.payload, receiver.broken, receiver.lost
        ):
            if valid and take:
                got.append(byte)
            broken += is_broken
            lost += is_lost

    simulator = Simulator(receiver)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return got, broken, lost


@pytest.mark.parametrize("divisor", [4, DIVISOR, 52])
@pytest.mark.parametrize("error", [-0.02, 0.0, 0.02])
def test_receiver_takes_bytes_of_a_line_that_is_two_per_cent_off(divisor, error):
    sent = [0x00, 0xFF, 0x55, *random.Random(3).randbytes(12)]
    bits = [bit for byte in sent for bit in line_bits(byte)]
    got, broken, lost = receive(bits, divisor * PERIOD * (1 + error), divisor=divisor)
    assert (got, broken, lost) == (sent, 0, 0)


@pytest.mark.parametrize("baud", [115_200, 921_600, 3_000_000, 12_000_000])
def test_common_bit_rates_are_met_by_a_whole_number_of_cycles(baud):
    divisor = round(FABRIC_CLOCK_HZ / baud)
    # Ten bits may be off by less than half of one together, at both ends.
    assert abs(FABRIC_CLOCK_HZ / divisor / baud - 1) < 0.005
    sent = [0xA5, 0x00]
    bits = [bit for byte in sent for bit in line_bits(byte)]
    assert receive(bits, 1 / baud, divisor=divisor) == (sent, 0, 0)


def test_receiver_drops_a_byte_without_stop_bit_and_waits_for_the_line_to_idle():
    bits = [*line_bits(0x31), 0, *[1, 0] * 4, 0, *[0] * 15, 1, 1, *line_bits(0x32)]
    assert receive(bits, DIVISOR * PERIOD) == ([0x31, 0x32], 1, 0)


def test_receiver_does_not_take_a_glitch_for_a_start_bit():
    # One step is a third of a bit.
    bits = [0, *[1] * 40, *(bit for bit in line_bits(0x5A) for _ in range(3))]
    assert receive(bits, DIVISOR / 3 * PERIOD) == ([0x5A], 0, 0)


def test_receiver_reports_bytes_that_nobody_took():
    bits = [bit for byte in (1, 2, 3) for bit in line_bits(byte)]
    assert receive(bits, DIVISOR * PERIOD, take=False) == ([], 0, 2)


def test_transmitter_sends_start_data_stop(bench):
    transmitter = UartTransmitter(divisor=DIVISOR)
    sent = [0x00, 0xFF, 0x55, *random.Random(4).randbytes(6)]
    levels = []

    async def feed(ctx):
        await bench.send(ctx, transmitter.input, sent, bench.pauses(1, 0.3))
        await ctx.tick().repeat(12 * DIVISOR)

    async def watch(ctx):
        async for _, _, level in ctx.tick().sample(transmitter.line):
            levels.append(level)

    bench.run(transmitter, feed, background=[watch])
    # Sampled like any receiver does: in the middle of the bits after a falling edge.
    got, place = [], 0
    while 0 in levels[place:]:
        place = levels.index(0, place)
        bits = [levels[place + DIVISOR // 2 + DIVISOR * bit] for bit in range(10)]
        assert bits[0] == 0
        assert bits[9] == 1
        got.append(sum(bit << number for number, bit in enumerate(bits[1:9])))
        place += 9 * DIVISOR + DIVISOR // 2
    assert got == sent
