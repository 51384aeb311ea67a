"""The host's end of a link in a cocotb test, with the UART model of cocotbext-uart."""

import logging

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer, with_timeout
from cocotbext.uart import UartSink, UartSource

from keybeam.protocol.link import FrameKind, decode_link_frame, encode_link_frame

CLOCK_FS = 6_400_000
ANSWER_US = 400


class UartHost:
    """Sends and receives link frames on a board's ``uart_rx`` and ``uart_tx``."""

    def __init__(self, board, divisor):
        baud = 10**15 / (CLOCK_FS * divisor)
        self._board = board
        self._source = UartSource(board.uart_rx, baud=baud)
        self._sink = UartSink(board.uart_tx, baud=baud)
        for end in (self._source, self._sink):
            end.log.setLevel(logging.WARNING)
        self._rest = b""
        self._frames = []

    @classmethod
    async def start(cls, board, divisor):
        """Start clock and reset, and let the line idle for 20 µs before the first byte."""
        board.rst.value = 1
        host = cls(board, divisor)
        cocotb.start_soon(Clock(board.clk, CLOCK_FS, unit="fs").start())
        await Timer(20, "us")
        board.rst.value = 0
        await Timer(1, "us")
        return host

    def write(self, data):
        self._source.write_nowait(data)

    def send(self, kind, sequence, body):
        self.write(encode_link_frame(kind, sequence, body))

    async def frame(self, timeout_us=ANSWER_US):
        """The next frame: kind, sequence, body."""
        while not self._frames:
            data = await with_timeout(self._sink.read(), timeout_us, "us")
            *whole, self._rest = (self._rest + bytes(data)).split(b"\0")
            self._frames += [decode_link_frame(stuffed) for stuffed in whole]
        return self._frames.pop(0)

    async def silent(self, time_us):
        """Whether nothing at all arrives for some time."""
        await Timer(time_us, "us")
        return not self._frames and not self._rest and self._sink.empty()

    async def request(self, kind, sequence, body):
        self.send(kind, sequence, body)
        answer, echoed, content = await self.frame()
        assert echoed == sequence
        return answer, content

    async def read(self, address, sequence=0):
        request = address.to_bytes(2, "little")
        kind, body = await self.request(FrameKind.REGISTER_READ, sequence, request)
        assert (kind, body[:2]) == (FrameKind.REGISTER_VALUE, request)
        return int.from_bytes(body[2:], "little")

    async def write_register(self, address, value, sequence=1):
        request = address.to_bytes(2, "little") + value.to_bytes(4, "little")
        kind, body = await self.request(FrameKind.REGISTER_WRITE, sequence, request)
        assert (kind, body) == (FrameKind.REGISTER_VALUE, request)
