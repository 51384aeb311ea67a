"""Throughput of tags over the serial line: ``benchmarks/host_link.py``.

Runs the compiled link of a board with more records than fit, reads the levels of its serial line as
a host's UART does, and prints, as Markdown, the part of the line's rate that the frames of records
take and how much of it is records.
"""

import click
import numpy as np

from keybeam.device import RecordLoss
from keybeam.device.frames import FrameSorter
from keybeam.protocol.identity import Role
from keybeam.protocol.link import LINK_DELIMITER
from keybeam.protocol.numbers import FABRIC_CLOCK_HZ
from keybeam.protocol.records import RECORD_BYTES
from keybeam_gateware.identity import Identity
from keybeam_gateware.link import Link
from keybeam_gateware.soc import CSR_DATA_WIDTH, csr
from keybeam_sim.compiled import CompiledBlock
from keybeam_sim.cosimulation.serial_bits import UartReader

RATES = (115_200, 1_000_000, 3_000_000, 12_000_000)
FRAMES = 1, 40
MOST_CYCLES = 1_500_000
"""Cycles in which as many frames are sent as these two numbers allow."""
LONGEST_FRAME_BYTES = 252
BITS_PER_BYTE = 10
START_CYCLES = 2_000
REGISTERS = Identity(role=Role.RECEIVER, revision=0)
"""Some registers, whose addresses the link knows."""


def throughput(baud: float) -> tuple[float, float, float]:
    """Give the line's rate in bits/s, the part of it in use, and the part that is records."""
    divisor = round(FABRIC_CLOCK_HZ / baud)
    decoder = csr.Decoder(addr_width=8, data_width=CSR_DATA_WIDTH)
    decoder.add(REGISTERS.bus, name="identity", addr=0)
    link = CompiledBlock(
        Link(
            memory_map=decoder.bus.memory_map,
            uart_divisor=divisor,
            transmitter_streams=False,
            receiver_streams=True,
        )
    )
    frame_cycles = LONGEST_FRAME_BYTES * BITS_PER_BYTE * divisor
    frames = int(np.clip(MOST_CYCLES // frame_cycles, *FRAMES))
    cycles = START_CYCLES + frames * frame_cycles
    inputs = {"uart_rx": 1, "records__valid": 1, "records__payload": np.arange(cycles)}
    inputs["allowed"] = 1
    levels = link.run(cycles, inputs, ["uart_tx"])["uart_tx"].astype(np.uint8)
    begin = int(np.flatnonzero(levels == 0)[0])
    data = UartReader(divisor).feed(levels[begin:])
    sorter = FrameSorter()
    sorter.feed(data)
    records = sorter.take_records()
    assert not isinstance(records, RecordLoss)
    assert sorter.broken == 0
    room = (cycles - begin) / divisor / BITS_PER_BYTE
    used = len(data) / room
    whole = data.rindex(LINK_DELIMITER) + 1
    return FABRIC_CLOCK_HZ / divisor, used, used * records.size * RECORD_BYTES / whole


@click.command()
@click.option("--baud", "rates", multiple=True, type=int, default=RATES, show_default=True)
def main(rates: tuple[int, ...]) -> None:
    """Print the throughput at bit rates."""
    click.echo("| asked for | line, bit/s | in use by frames of tags | records alone |")
    click.echo("|---|---|---|---|")
    for baud in rates:
        line, used, payload = throughput(baud)
        click.echo(f"| {baud:,} | {line:,.0f} | {used:.1%} | {payload:.1%} |")


if __name__ == "__main__":
    main()
