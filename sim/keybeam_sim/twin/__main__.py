"""Run the twin by itself: ``python -m keybeam_sim.twin --help``."""

import click

from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin.server import TwinServer
from keybeam_sim.twin.simulation import TwinSettings


@click.command()
@click.option(
    "--duration",
    type=click.FloatRange(0.1, 600),
    default=300.0,
    show_default=True,
    help="Length of the pass in seconds.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 64) - 1),
    default=1,
    show_default=True,
    help="Seed of all randomness.",
)
@click.option(
    "--log-frames",
    type=click.IntRange(1),
    default=1 << 17,
    show_default=True,
    help="Depth of the state log.",
)
@click.option(
    "--transmitter-port",
    type=click.IntRange(0, 65535),
    default=7001,
    show_default=True,
    help="TCP port of the satellite's board; 0 takes a free one.",
)
@click.option(
    "--receiver-port",
    type=click.IntRange(0, 65535),
    default=7002,
    show_default=True,
    help="TCP port of the ground station's board; 0 takes a free one.",
)
def main(
    duration: float, seed: int, log_frames: int, transmitter_port: int, receiver_port: int
) -> None:
    """Serve both boards of a simulated pass on two TCP ports of this machine.

    \b
    Example:
        python -m keybeam_sim.twin --duration 10
    """
    try:
        server = TwinServer(
            PassScenario(seed=seed, duration_s=duration),
            TwinSettings(log_frames=log_frames),
            transmitter_port=transmitter_port,
            receiver_port=receiver_port,
        )
    except OSError as error:
        ports = f"{transmitter_port} and {receiver_port}"
        raise click.UsageError(f"cannot listen on ports {ports}: {error.strerror}") from error
    with server:
        click.echo(f"transmitter at {server.transmitter_url}, receiver at {server.receiver_url}")
        server.serve()


if __name__ == "__main__":
    main()
