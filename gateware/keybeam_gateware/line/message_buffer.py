"""Payload bytes, held back until the frame they came in is checked."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MessageBuffer"]


class MessageBuffer(wiring.Component):
    """Ring buffer in block RAM whose written bytes appear only once they are committed.

    Parameters
    ----------
    depth : int
        Bytes, a power of two.

    Members
    -------
    write : In(1)
        Append `data` provisionally.
    data : In(8)
        The byte.
    commit : In(1)
        Release what was appended since the last commit or discard.
    discard : In(1)
        Forget it.
    overflow : Out(1)
        A byte of the open frame found no room: it cannot be committed. Falls with `discard`; a
        `commit` in this state is a discard.
    message : Out(stream(8))
        Released bytes.
    """

    def __init__(self, *, depth: int = 4096) -> None:
        self._depth = depth
        super().__init__(
            {
                "write": In(1),
                "data": In(8),
                "commit": In(1),
                "discard": In(1),
                "overflow": Out(1),
                "message": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.storage = storage = memory.Memory(shape=8, depth=self._depth, init=[])
        write_port, read_port = storage.write_port(), storage.read_port()
        # One bit more than an address tells full from empty.
        written, released, read = (
            Signal(range(2 * self._depth), name=name) for name in ("written", "released", "read")
        )
        full = Signal()
        # A cycle late, and so with one place in reserve.
        m.d.sync += full.eq((written - read)[: len(read)] >= self._depth - 1)
        m.d.comb += [
            write_port.addr.eq(written),
            write_port.data.eq(self.data),
            write_port.en.eq(self.write & ~full),
            read_port.addr.eq(read),
        ]
        with m.If(self.discard | (self.commit & self.overflow)):
            m.d.sync += [written.eq(released), self.overflow.eq(0)]
        with m.Elif(self.commit):
            m.d.sync += released.eq(written)
        with m.Elif(self.write):
            with m.If(full):
                m.d.sync += self.overflow.eq(1)
            with m.Else():
                m.d.sync += written.eq(written + 1)

        # The port reads `read` all the time; its output belongs to it one cycle after it changed.
        present, fetched = Signal(), Signal()
        # The block RAM's own output register, which has no reset.
        byte = Signal(8, reset_less=True)
        m.d.comb += [present.eq(read != released), self.message.payload.eq(byte)]
        m.d.sync += fetched.eq(present)
        with m.If(self.message.valid & self.message.ready):
            m.d.sync += self.message.valid.eq(0)
        with m.If(fetched & ~self.message.valid):
            m.d.sync += [
                byte.eq(read_port.data),
                self.message.valid.eq(1),
                read.eq(read + 1),
                fetched.eq(0),
            ]
        return m
