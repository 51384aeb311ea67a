"""The command ``keybeam cosim``."""

import contextlib
import json
import os
from pathlib import Path

import click

from keybeam.device import announce_boards
from keybeam_sim.cosimulation.named_faults import NAMED_FAULTS
from keybeam_sim.cosimulation.process import Cosimulation
from keybeam_sim.cosimulation.settings import (
    CLICK_WIDTH_PS,
    MAXIMUM_JITTER_PS,
    MINIMUM_DELAY_PS,
    BoardSettings,
    LeadSettings,
    LinkSettings,
    RunSettings,
)
from keybeam_sim.simulators import available_simulators

__all__ = ["cosim"]

_LINK, _BOARDS = LinkSettings(), BoardSettings()
_CLOCK_OFFSET_PPM = 20.0
"""Two crystals are never equal; what is sampled in bins is measured finer for that."""


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
    default=_CLOCK_OFFSET_PPM,
    show_default=True,
    help="Excess of the receiver's clock period in parts per million.",
)
@click.option(
    "--dead-time",
    type=click.IntRange(2 * CLICK_WIDTH_PS, 10_000_000),
    default=_LINK.dead_time_ps,
    show_default=True,
    help="Dead time of the detectors in picoseconds.",
)
@click.option(
    "--afterpulsing",
    type=click.FloatRange(0, 0.5),
    default=_LINK.afterpulse_probability,
    show_default=True,
    help="Probability that a click is followed by an afterpulse.",
)
@click.option(
    "--leads/--no-leads",
    default=True,
    show_default=True,
    help="Loop-back leads from lanes 0, 2, 4 to AUX_1 and from lanes 1, 3 to AUX_2.",
)
@click.option(
    "--fault",
    "faults",
    type=click.Choice(list(NAMED_FAULTS)),
    multiple=True,
    help="Something that is wrong: "
    + "; ".join(f"{name}: {fault.what}" for name, fault in NAMED_FAULTS.items())
    + ".",
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
    dead_time: int,
    afterpulsing: float,
    leads: bool,
    faults: tuple[str, ...],
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

    Each board answers on a pseudo-terminal as a real one does on its serial port; commands of the
    same user that look for boards find them. Ends by itself
    after --frames or --seconds, else with Ctrl-C. The first start builds the simulator, which takes
    a minute or two; later ones take seconds.

    \b
    Examples:
        keybeam cosim --loss 30 --clock-offset 5
        keybeam cosim --fault detector-noisy
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
            dead_time_ps=dead_time,
            afterpulse_probability=afterpulsing,
            leads=LeadSettings() if leads else None,
            seed=seed,
        ),
        boards=BoardSettings(uart_divisor=uart_divisor, log_frames=log_frames, lines=lines),
        simulator=simulator,
        frames=frames,
        truth=None if truth is None else str(truth.absolute()),
    )
    for name in faults:
        settings = NAMED_FAULTS[name].add_to(settings)
    with (
        Cosimulation(settings, lambda text: click.echo(f"{text} ...", err=True)) as simulation,
        announce_boards(simulation.ports),
    ):
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
