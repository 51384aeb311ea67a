"""Runs in the simulator: the link of a looped board, driven over its serial line."""

import random
import zlib
from functools import reduce
from operator import xor

import cocotb
from cobs import cobs
from cocotb.triggers import Timer
from cocotb.utils import get_sim_time
from looped_board import (
    ADDRESSES,
    DIVISOR,
    FIRST_RECORD,
    FLUSH_CYCLES,
    PAYLOAD_BYTES,
    RECORD_STEP,
)
from uart_host import CLOCK_FS, UartHost

from keybeam.protocol.identity import ABI_VERSION, IDENTITY_MAGIC, IdentityAddress, Role
from keybeam.protocol.link import (
    CREDIT_LEAST,
    CREDIT_OF_FRAME,
    PAYLOAD_ADDRESS,
    CreditAddress,
    FrameKind,
    LinkError,
    encode_link_frame,
)

SCRATCH = ADDRESSES["identity"] + IdentityAddress.SCRATCH
ACCEPTED, DROPPED, SPOILT = (ADDRESSES["link"] + number for number in range(3))
BUMPS, BURST, WIDE, HOLD = (ADDRESSES["bank"] + number for number in (0, 1, 2, 4))


def address(number):
    return number.to_bytes(2, "little")


def index_bytes(indices):
    return b"".join(index.to_bytes(8, "little") for index in indices)


def refusal(error, number=PAYLOAD_ADDRESS):
    return FrameKind.REGISTER_ERROR, address(number) + bytes([error])


@cocotb.test()
async def registers(dut):
    host = await UartHost.start(dut, DIVISOR)
    assert await host.read(IdentityAddress.MAGIC) == IDENTITY_MAGIC
    assert await host.read(IdentityAddress.ABI, 7) == ABI_VERSION
    assert await host.read(IdentityAddress.ROLE, 0) == Role.RECEIVER
    assert await host.read(IdentityAddress.REVISION, 255) == 0xC0FFEE
    for value in (0, 0xFFFFFFFF, 0x12003400):
        await host.write_register(SCRATCH, value, value & 0xFF)
        assert await host.read(SCRATCH) == value
    # The whole of a wide register is held when its lowest word is read.
    assert await host.read(WIDE) == await host.read(WIDE + 1)
    # No register: in a hole, and beyond the bus; a register that is not writable.
    read, write = FrameKind.REGISTER_READ, FrameKind.REGISTER_WRITE
    for number in (0x3F, ADDRESSES["bank"] + 5, 0x4000 + SCRATCH):
        assert await host.request(read, 9, address(number)) == refusal(
            LinkError.NO_REGISTER, number
        )
    assert await host.request(write, 9, address(0) + bytes(4)) == refusal(LinkError.READ_ONLY, 0)
    assert await host.read(IdentityAddress.MAGIC) == IDENTITY_MAGIC


@cocotb.test()
async def repeated_requests_are_answered_but_not_carried_out(dut):
    host = await UartHost.start(dut, DIVISOR)
    before = await host.read(BUMPS) >> 16
    for _ in range(3):
        await host.write_register(BUMPS, 5, 40)
    assert (await host.read(BUMPS) >> 16) - before == 5
    # After a read nothing is remembered; and another sequence byte is another request.
    await host.write_register(BUMPS, 5, 40)
    await host.write_register(BUMPS, 6, 41)
    await host.write_register(BUMPS, 6, 42)
    assert (await host.read(BUMPS) >> 16) - before == 22
    # Refusals are remembered like any answer.
    for _ in range(2):
        assert await host.request(FrameKind.PAYLOAD, 3, b"") == refusal(LinkError.MALFORMED)


@cocotb.test()
async def wrong_frames_are_counted_and_dropped(dut):
    host = await UartHost.start(dut, DIVISOR)
    accepted, dropped = await host.read(ACCEPTED), await host.read(DROPPED)
    good = encode_link_frame(FrameKind.REGISTER_READ, 1, address(SCRATCH))
    spoilt = bytearray(good)
    spoilt[2] ^= 0x10
    long = bytes(range(1, 251)) + b"aaaaa"
    from_a_board = encode_link_frame(FrameKind.REGISTER_VALUE, 1, bytes(6))
    wrong = [bytes(spoilt), good[:5] + b"\0", b"\x09ab\0", b"\x01\0"]
    wrong.append(cobs.encode(long + zlib.crc32(long).to_bytes(4, "little")) + b"\0")
    for frame in [*wrong, from_a_board, b"\0\0"]:
        host.write(frame)
    assert await host.silent(60)
    assert await host.read(DROPPED) - dropped == len(wrong) + 1
    # Right frames since: the read of DROPPED twice, the one from a board, this one.
    assert await host.read(ACCEPTED) - accepted == 4
    # A byte without a stop bit costs its frame only.
    dut.uart_rx.value = 0
    await Timer(12 * DIVISOR * CLOCK_FS, "fs")
    dut.uart_rx.value = 1
    await Timer(2 * DIVISOR * CLOCK_FS, "fs")
    host.write(b"\0")
    assert await host.read(SPOILT) == 1


@cocotb.test()
async def a_write_that_is_cut_anywhere_changes_nothing(dut):
    host = await UartHost.start(dut, DIVISOR)
    await host.write_register(SCRATCH, 0x5EED5EED, 7)
    body = address(SCRATCH) + (0xBAD0BAD0).to_bytes(4, "little")
    whole = encode_link_frame(FrameKind.REGISTER_WRITE, 8, body)
    for sent in range(1, len(whole)):
        host.write(whole[:sent])
        # The line comes back with a request that grows onto the torn frame, and is lost with it.
        host.send(FrameKind.REGISTER_READ, 9, address(SCRATCH))
        assert await host.silent(20)
        assert await host.read(SCRATCH, 10) == 0x5EED5EED, f"cut after {sent} bytes"
    await host.write_register(SCRATCH, 0xBAD0BAD0, 8)
    assert await host.read(SCRATCH, 10) == 0xBAD0BAD0


@cocotb.test()
async def requests_of_wrong_form_are_refused(dut):
    host = await UartHost.start(dut, DIVISOR)
    malformed = [
        (FrameKind.REGISTER_READ, b"\0"),
        (FrameKind.REGISTER_READ, bytes(6)),
        (FrameKind.REGISTER_WRITE, bytes(5)),
        (FrameKind.LOOKUP, b""),
        (FrameKind.LOOKUP, bytes(12)),
        (FrameKind.PAYLOAD, b""),
        (FrameKind.PAYLOAD, bytes(241)),
    ]
    for sequence, (kind, body) in enumerate(malformed):
        assert await host.request(kind, sequence, body) == refusal(LinkError.MALFORMED)
    assert await host.request(0x70, 1, b"abc") == refusal(LinkError.UNSUPPORTED)


@cocotb.test()
async def lookups(dut):
    host = await UartHost.start(dut, DIVISOR)
    generator = random.Random(cocotb.RANDOM_SEED)
    for sequence, count in enumerate((1, 31, 2)):
        indices = [generator.getrandbits(64) for _ in range(count)]
        body = index_bytes(indices)
        expected = bytes(reduce(xor, index.to_bytes(8, "little")) for index in indices)
        for _ in range(2 if count == 2 else 1):
            answer = await host.request(FrameKind.LOOKUP, sequence, body)
            assert answer == (FrameKind.LOOKUP_ANSWER, expected)


@cocotb.test()
async def payload_comes_back_as_messages(dut):
    host = await UartHost.start(dut, DIVISOR)
    payload = random.Random(cocotb.RANDOM_SEED).randbytes(PAYLOAD_BYTES)
    await host.write_register(HOLD, 1)
    kind, body = await host.request(FrameKind.PAYLOAD, 2, payload[:240])
    assert kind == FrameKind.REGISTER_VALUE
    assert body == address(PAYLOAD_ADDRESS) + (PAYLOAD_BYTES - 240).to_bytes(4, "little")
    # All or nothing: 60 bytes of room are not enough for 61; the repeat is not taken again.
    assert await host.request(FrameKind.PAYLOAD, 3, bytes(61)) == refusal(LinkError.NO_ROOM)
    for _ in range(2):
        kind, body = await host.request(FrameKind.PAYLOAD, 4, payload[240:])
        assert body == address(PAYLOAD_ADDRESS) + bytes(4)
    await host.write_register(HOLD, 0, 5)
    first, second = await host.frame(), await host.frame()
    assert (first[0], second[0]) == (FrameKind.MESSAGE, FrameKind.MESSAGE)
    assert (second[1] - first[1]) % 256 == 1
    assert first[2] + second[2] == payload


def grant(host, value, sequence):
    """Grant credit; frames of records may come before the answer."""
    body = address(CreditAddress.GRANT) + value.to_bytes(4, "little")
    host.send(FrameKind.REGISTER_WRITE, sequence, body)


async def tags(host):
    """Sequence byte and body of the next frame of records."""
    while True:
        kind, sequence, body = await host.frame()
        if kind == FrameKind.TAGS:
            return sequence, body
        assert (kind, body[:2]) == (FrameKind.REGISTER_VALUE, address(CreditAddress.GRANT))


@cocotb.test()
async def records_leave_in_full_frames_and_after_the_time_out(dut):
    host = await UartHost.start(dut, DIVISOR)
    count = 75
    await host.write_register(BURST, count)
    # Nothing is granted after reset.
    assert await host.silent(4 * FLUSH_CYCLES * CLOCK_FS // 10**9)
    spent = count + 1 + 4 * CREDIT_OF_FRAME
    grant(host, spent - 1 + CREDIT_LEAST, 3)
    got, sizes = [], []
    while len(got) < count:
        sequence, body = await tags(host)
        assert sequence == len(sizes)
        assert int.from_bytes(body[:4], "little") == len(got)
        sizes.append((len(body) - 4) // 8)
        got += [int.from_bytes(body[at : at + 8], "little") for at in range(4, len(body), 8)]
    assert sizes == [30, 30, 15]
    assert got == [(FIRST_RECORD + place * RECORD_STEP) % 2**64 for place in range(count)]
    # One record alone waits for the time-out, and the line is free meanwhile.
    await host.write_register(BURST, 1, 2)
    start = get_sim_time("fs")
    await host.frame()
    waited = (get_sim_time("fs") - start) / CLOCK_FS
    on_the_line = (2 + 4 + 8 + 4 + 2) * 10 * DIVISOR
    assert FLUSH_CYCLES - 20 * DIVISOR < waited < FLUSH_CYCLES + on_the_line + 40 * DIVISOR
    # That was all the credit: one more record does not leave until there is more.
    assert await host.read(CreditAddress.SPENT) == spent
    assert await host.read(CreditAddress.RECORDS) == count + 1
    await host.write_register(BURST, 1, 4)
    assert await host.silent(4 * FLUSH_CYCLES * CLOCK_FS // 10**9)
    grant(host, spent + CREDIT_LEAST, 5)
    assert len((await tags(host))[1]) == 4 + 8


@cocotb.test()
async def answers_overtake_waiting_records(dut):
    host = await UartHost.start(dut, DIVISOR)
    await host.write_register(CreditAddress.GRANT, 1000, 2)
    await host.write_register(BURST, 90, 3)
    await host.frame()
    host.send(FrameKind.REGISTER_READ, 77, address(IdentityAddress.MAGIC))
    kinds = [(await host.frame())[0] for _ in range(3)]
    # At most the frame that was being stuffed and the one being collected go before it.
    assert kinds.index(FrameKind.REGISTER_VALUE) <= 1
    assert kinds.count(FrameKind.TAGS) == 2
