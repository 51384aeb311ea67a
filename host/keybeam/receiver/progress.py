"""How far what takes long has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskID

__all__ = ["Tell", "shown_progress"]

Tell = Callable[[str, float], None]
"""Told what is done now, and the part of it that is over, 0 to 1."""


@contextmanager
def shown_progress() -> Iterator[Tell]:
    """Show on standard error what is told to what this gives."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, part: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0)
            bar.update(tasks[what], completed=part)

        yield tell
