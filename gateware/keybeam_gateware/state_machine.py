"""State machines with a flip-flop for each state."""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Module, Signal

__all__ = ["OneHotMachine"]


class OneHotMachine:
    """A state machine that asks few questions at a time.

    What follows a state is decided from the conditions of that state alone, while a machine with
    numbered states mixes all conditions into each bit of the number. With many states that makes
    much deeper logic.

    Parameters
    ----------
    m : Module
        Gets the logic, in the domain ``sync``.
    states : sequence of str
        Names of all states; the first is the one after a reset.

    Attributes
    ----------
    active : dict of str to Signal
        Whether the machine is in a state; always just one is 1.
    """

    def __init__(self, m: Module, states: list[str]) -> None:
        self._m = m
        self.active = {
            state: Signal(init=place == 0, name=f"in_{state.lower().replace(' ', '_')}")
            for place, state in enumerate(states)
        }
        self._moves: list[tuple[str, str, Signal]] = []
        self._current: str | None = None

    @contextmanager
    def state(self, name: str) -> Iterator[None]:
        """Say what happens in a state."""
        with self._m.If(self.active[name]):
            self._current = name
            yield
            self._current = None

    def go(self, name: str) -> None:
        """Go to another state next; of the conditions in a state one at most may do so."""
        move = Signal(name=f"move_{len(self._moves)}")
        self._m.d.comb += move.eq(1)
        self._moves.append((self._current, name, move))

    def finish(self) -> None:
        """Make the states follow each other; to be called after all is said."""
        for name, active in self.active.items():
            enters = Cat(move for _, target, move in self._moves if target == name).any()
            leaves = Cat(move for source, _, move in self._moves if source == name).any()
            self._m.d.sync += active.eq(enters | (active & ~leaves))
