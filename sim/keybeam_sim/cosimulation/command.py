"""The command ``keybeam cosim``."""

import contextlib
import json
import os
from pathlib import Path

import click

from keybeam_sim.cosimulation.process import Cosimulation
from keybeam_sim.cosimulation.settings import (
    MAXIMUM_JITTER_PS,
    MINIMUM_DELAY_PS,
    BoardSettings,
    LinkSettings,
    RunSettings,
)
from keybeam_sim.simulators import available_simulators

__all__ = ["cosim"]

_LINK, _BOARDS = LinkSettings(), BoardSettings()


class _PowerOfTwo(click.IntRange):
    """A power of two."""

    name = "power of two"

    def convert(self, value, parameter, context):
        number = super().convert(value, parameter, context)
        if number & (number - 1):
            self.fail(f"{number} is not a power of two.", parameter, context)
        return number


@click.command()
@click.option(
    "--loss",
    type=click.FloatRange(0, 200),
    default=_LINK.loss_db,
    show_default=True,
    help="Loss from transmitter to count in dB, detector efficiency included.",
)
@click.option(
    "--delay",
    type=click.IntRange(MINIMUM_DELAY_PS, 20_000_000_000),
    default=_LINK.delay_ps,
    show_default=True,
    help="Time of flight in picoseconds.",
)
@click.option(
    "--background",
    type=click.FloatRange(0, 1e7),
    default=_LINK.background_hz,
    show_default=True,
    help="Dark and background counts a second of each detector.",
)
@click.option(
    "--jitter",
    type=click.FloatRange(0, MAXIMUM_JITTER_PS),
    default=_LINK.jitter_fwhm_ps,
    show_default=True,
    help="Detector jitter in picoseconds, full width at half maximum.",
)
@click.option(
    "--misalignment",
    type=click.FloatRange(0, 1),
    default=_LINK.misalignment,
    show_default=True,
    help="Probability that a photon reaches the wrong detector.",
)
@click.option(
    "--line-errors",
    type=click.FloatRange(0, 1),
    default=_LINK.line_error_rate,
    show_default=True,
    help="Probability that a downlink bit is inverted.",
)
@click.option(
    "--clock-offset",
    type=click.FloatRange(-1000, 1000),
    default=_LINK.clock_offset_ppm,
    show_default=True,
    help="Excess of the receiver's clock period in parts per million.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=_LINK.seed,
    show_default=True,
    help="Seed of random words, clicks and errors.",
)
@click.option(
    "--uart-divisor",
    type=click.IntRange(4, 65535),
    default=_BOARDS.uart_divisor,
    show_default=True,
    help="Fabric clock cycles in a bit of the boards' UARTs.",
)
@click.option(
    "--log-frames",
    type=_PowerOfTwo(1, 64),
    default=_BOARDS.log_frames,
    show_default=True,
    help="Depth of the transmitter's state log in frames.",
)
@click.option(
    "--lines",
    type=click.IntRange(0, 1),
    default=_BOARDS.lines,
    show_default=True,
    help="Delay lines behind each of the receiver's inputs; with none, sampled inputs give times.",
)
@click.option("--frames", type=click.IntRange(1), help="End after so many simulated frames.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="End after so many seconds of wall time.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File (.npz) for what was sent and detected, written at the end.",
)
@click.option(
    "--simulator",
    type=click.Choice(available_simulators()),
    default="verilator",
    show_default=True,
    help="Verilog simulator.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print ports and process id as one line of JSON."
)
def cosim(
    *,
    loss: float,
    delay: int,
    background: float,
    jitter: float,
    misalignment: float,
    line_errors: float,
    clock_offset: float,
    seed: int,
    uart_divisor: int,
    log_frames: int,
    lines: int,
    frames: int | None,
    seconds: float | None,
    truth: Path | None,
    simulator: str,
    as_json: bool,
) -> None:
    """Simulate both boards from their Verilog, joined by a model of the optical link.

    Each board answers on a pseudo-terminal as a real one does on its serial port. Ends by itself
    after --frames or --seconds, else with Ctrl-C. The first start builds the simulator, which takes
    a minute or two; later ones take seconds.

    \b
    Example:
        keybeam cosim --loss 30 --clock-offset 5
    """
    settings = RunSettings(
        link=LinkSettings(
            loss_db=loss,
            delay_ps=delay,
            background_hz=background,
            jitter_fwhm_ps=jitter,
            misalignment=misalignment,
            line_error_rate=line_errors,
            clock_offset_ppm=clock_offset,
            seed=seed,
        ),
        boards=BoardSettings(uart_divisor=uart_divisor, log_frames=log_frames, lines=lines),
        simulator=simulator,
        frames=frames,
        truth=None if truth is None else str(truth.absolute()),
    )
    with Cosimulation(settings, lambda text: click.echo(f"{text} ...", err=True)) as simulation:
        _show(simulation, as_json)
        # Ctrl-C is how this command is meant to end.
        with contextlib.suppress(KeyboardInterrupt):
            simulation.wait(seconds)


def _show(simulation: Cosimulation, as_json: bool) -> None:
    """Print where the boards are."""
    if as_json:
        where = {
            "transmitter": simulation.transmitter,
            "receiver": simulation.receiver,
            "pid": os.getpid(),
        }
        click.echo(json.dumps(where))
    else:
        click.echo(f"transmitter  {simulation.transmitter}")
        click.echo(f"receiver     {simulation.receiver}")
        click.echo("Ctrl-C ends the simulation.", err=True)
