"""Run the twin by itself: ``python -m keybeam_sim.twin --help``."""

import click

from keybeam_sim.scenario import PassScenario
from keybeam_sim.twin.server import TwinServer
from keybeam_sim.twin.simulation import TwinSettings


@click.command()
@click.option("--duration", default=300.0, show_default=True, help="Length of the pass, seconds.")
@click.option("--seed", default=1, show_default=True, help="Seed of all randomness.")
@click.option("--log-frames", default=1 << 17, show_default=True, help="Depth of the state log.")
@click.option("--transmitter-port", default=7001, show_default=True, help="TCP port; 0: any.")
@click.option("--receiver-port", default=7002, show_default=True, help="TCP port; 0: any.")
def main(
    duration: float, seed: int, log_frames: int, transmitter_port: int, receiver_port: int
) -> None:
    r"""Serve both boards of a simulated pass on two TCP ports of this machine.

    \b
    Example:
        python -m keybeam_sim.twin --duration 10
    """
    scenario = PassScenario(seed=seed, duration_s=duration)
    with TwinServer(
        scenario,
        TwinSettings(log_frames=log_frames),
        transmitter_port=transmitter_port,
        receiver_port=receiver_port,
    ) as server:
        click.echo(f"transmitter at {server.transmitter_url}, receiver at {server.receiver_url}")
        server.serve()


if __name__ == "__main__":
    main()
