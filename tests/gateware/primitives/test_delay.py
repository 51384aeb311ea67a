import itertools
import random

import pytest
from amaranth.sim import Simulator

from keybeam_gateware.primitives.delay import DelayStepper

MAXIMUM = 127


class DelayCell:
    """Lattice's DELAYF as FPGA-TN-02035 tells it: a step at each falling edge of MOVE."""

    def __init__(self):
        self.steps = None
        self.before = (0, 0, 0)

    def see(self, load_n, move, direction):
        _, earlier_move, earlier_direction = self.before
        if not load_n:
            self.steps = 0
        elif earlier_move and not move:
            assert direction == earlier_direction, "the direction changed with the step"
            self.steps += -1 if direction else 1
            assert 0 <= self.steps <= MAXIMUM
        self.before = load_n, move, direction


def run(values, patience=2000):
    """Ask for values one after the other; gives where the cell went, in order."""
    stepper, cell, visited = DelayStepper(), DelayCell(), []

    async def watch(ctx):
        async for *_, load_n, move, direction in ctx.tick().sample(
            stepper.load_n, stepper.move, stepper.direction
        ):
            cell.see(load_n, move, direction)
            if not visited or visited[-1] != cell.steps:
                visited.append(cell.steps)

    async def ask(ctx):
        for value in values:
            ctx.set(stepper.value, value)
            for _ in range(16):  # so long `settled` may still be of the value before
                await ctx.tick()
            for _ in range(patience):
                if ctx.get(stepper.settled):
                    break
                await ctx.tick()
            assert cell.steps == value

    simulator = Simulator(stepper)
    simulator.add_clock(6.4e-9)
    simulator.add_testbench(ask)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return visited


@pytest.mark.parametrize("values", [[MAXIMUM, 0], [1], [0, 5, 3, 3, 4]])
def test_the_cell_goes_step_by_step_to_the_value(values):
    visited = run(values)
    assert visited[0] == 0
    assert all(abs(later - earlier) == 1 for earlier, later in itertools.pairwise(visited))


def test_any_values():
    print("seed 1")
    source = random.Random(1)
    run([source.randrange(MAXIMUM + 1) for _ in range(12)])
