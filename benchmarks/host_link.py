"""Throughput of tags over the serial line: ``benchmarks/host_link.py``.

Runs the compiled link of a board with more records than fit and with a host that grants credit as
it goes, reads the levels of the serial line as the host's UART does, and prints, as Markdown, the
part of the line's rate that the frames of records take, how much of it is records, and what the
answers to the grants take.
"""

import click
import numpy as np
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from keybeam.device import RecordLoss
from keybeam.device.frames import FrameSorter
from keybeam.device.transports import SERIAL_WINDOW
from keybeam.protocol.link import (
    CREDIT_OF_FRAME,
    LINK_DELIMITER,
    TAGS_MAXIMUM,
    CreditAddress,
    FrameKind,
    decode_link_frame,
    encode_link_frame,
)
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam.protocol.records import RECORD_BYTES
from keybeam_gateware.link import Link, RecordCredit
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.cosimulation.serial_bits import UartReader, UartWriter

RATES = (1_000_000, 3_000_000, 12_000_000)
FULL_FRAME_BYTES = 252
BITS_PER_BYTE = 10
GRANT_STEP = SERIAL_WINDOW // 2
"""Credit of a grant, as `keybeam.device.credit` gives it."""
GRANT_FRAMES = GRANT_STEP // (TAGS_MAXIMUM + CREDIT_OF_FRAME)
GRANTS = 4
ADDRESS_WIDTH = 12


class GrantedLink(wiring.Component):
    """The link of a receiver with the registers of its credit and no others."""

    uart_rx: In(1)
    uart_tx: Out(1)
    records: In(stream.Signature(64))

    def __init__(self, divisor: int) -> None:
        super().__init__()
        self._credit = RecordCredit()
        self._decoder = csr.Decoder(addr_width=ADDRESS_WIDTH, data_width=CSR_DATA_WIDTH)
        self._decoder.add(self._credit.bus, name="credit", addr=CreditAddress.GRANT)
        self._link = Link(
            memory_map=self._decoder.bus.memory_map,
            uart_divisor=divisor,
            transmitter_streams=False,
            receiver_streams=True,
        )

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.credit = credit = self._credit
        m.submodules.decoder = self._decoder
        m.submodules.link = link = self._link
        connect(m, link.bus, self._decoder.bus)
        connect(m, flipped(self.records), link.records)
        m.d.comb += [
            link.uart_rx.eq(self.uart_rx),
            self.uart_tx.eq(link.uart_tx),
            credit.spent.eq(link.spent),
            credit.number.eq(link.number),
            link.allowed.eq(credit.allowed),
        ]
        return m


def grants(divisor: int, frame_cycles: int) -> NDArray[np.uint8]:
    """Levels of the line from a host: a window first, then a step whenever one was used up."""
    writer, levels = UartWriter(divisor), []
    for number in range(GRANTS):
        grant = SERIAL_WINDOW + number * GRANT_STEP
        body = CreditAddress.GRANT.to_bytes(2, "little") + grant.to_bytes(4, "little")
        writer.send(encode_link_frame(FrameKind.REGISTER_WRITE, number, body))
        levels.append(writer.take(GRANT_FRAMES * frame_cycles))
    return np.concatenate(levels)


def throughput(baud: float) -> tuple[float, float, float, float]:
    """Give the line's rate in bits/s, and the parts that frames, records, and answers take."""
    divisor = round(FABRIC_CLOCK_HZ / baud)
    link = CompiledBlock(GrantedLink(divisor))
    host = grants(divisor, FULL_FRAME_BYTES * BITS_PER_BYTE * divisor)
    inputs = {
        "uart_rx": host,
        "records__valid": 1,
        "records__payload": np.arange(host.size),
    }
    levels = link.run(host.size, inputs, ["uart_tx"])["uart_tx"].astype(np.uint8)
    begin = int(np.flatnonzero(levels == 0)[0])
    data = UartReader(divisor).feed(levels[begin:])
    sorter = FrameSorter()
    sorter.feed(data)
    records = sorter.take_records()
    assert not isinstance(records, RecordLoss)
    assert sorter.broken == 0
    room = (host.size - begin) / divisor / BITS_PER_BYTE
    whole = data.rindex(LINK_DELIMITER) + 1
    frames = data[: whole - 1].split(LINK_DELIMITER)
    answers = sum(
        len(frame) + 1 for frame in frames if decode_link_frame(frame)[0] != FrameKind.TAGS
    )
    used = (len(data) - answers) / room
    payload = used * records.size * RECORD_BYTES / (whole - answers)
    return FABRIC_CLOCK_HZ / divisor, used, payload, answers / room


@click.command()
@click.option("--baud", "rates", multiple=True, type=int, default=RATES, show_default=True)
def main(rates: tuple[int, ...]) -> None:
    """Print the throughput at bit rates."""
    click.echo(
        "| asked for | line, bit/s | in use by frames of tags | records alone | answers to grants |"
    )
    click.echo("|---|---|---|---|---|")
    for baud in rates:
        line, used, payload, answers = throughput(baud)
        click.echo(f"| {baud:,} | {line:,.0f} | {used:.1%} | {payload:.1%} | {answers:.1%} |")


if __name__ == "__main__":
    main()
