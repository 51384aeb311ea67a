"""Points of a sweep on a Dask cluster: one of this machine, or one whose address is known."""

from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster, as_completed

from keybeam.sweep.errors import SweepError
from keybeam.sweep.points import Outcome, Point, run_point

__all__ = ["connect", "outcomes"]

_PATIENCE_S = 20


@contextmanager
def connect(address: str | None, workers: int) -> Iterator[Client]:
    """Open a client of a cluster; close both in the end, but no cluster that was there before.

    Parameters
    ----------
    address : str or None
        Of a Dask scheduler; None for processes on this machine.
    workers : int
        Processes on this machine, 1 or more.

    Raises
    ------
    SweepError
        If no scheduler answers, or it has no workers.
    """
    if address is None:
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as here,
            Client(here) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise SweepError(f"no Dask scheduler answers at {address}: start one there") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError as error:
            raise SweepError(
                f"the Dask scheduler at {address} has no workers: start `dask worker {address}`"
            ) from error
        yield client


def outcomes(client: Client, points: list[Point]) -> Iterator[tuple[int, Outcome]]:
    """Run all points; give what came of each, with its number, as it is done.

    Parameters
    ----------
    client : Client
        The cluster, whose workers have this package.
    points : list of Point
        The points.
    """
    futures = client.map(run_point, points, pure=False)
    numbers = {future.key: number for number, future in enumerate(futures)}
    try:
        for future in as_completed(futures):
            number = numbers[future.key]
            if future.status == "finished":
                yield number, future.result()
            else:
                text = f"the worker could not run it: {future.exception()}"
                yield number, Outcome(points[number].values, None, text)
    finally:
        client.cancel(futures)
