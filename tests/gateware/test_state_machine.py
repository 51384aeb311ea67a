"""A state machine with a flip-flop for each state: in one of them, and going where it should."""

import random

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.sim import Simulator

from keybeam_gateware.state_machine import OneHotMachine

SEED = 11
STATES = ["WAIT", "LEFT", "RIGHT HAND"]


class Turnstile(Elaboratable):
    """Leaves WAIT to a side, and comes back from the right when it is told to."""

    def __init__(self):
        self.left, self.right, self.back = Signal(), Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        self.machine = machine = OneHotMachine(m, STATES)
        with machine.state("WAIT"):
            with m.If(self.left):
                machine.go("LEFT")
            with m.Elif(self.right):
                machine.go("RIGHT HAND")
        with machine.state("LEFT"):
            machine.go("WAIT")
        with machine.state("RIGHT HAND"), m.If(self.back):
            machine.go("WAIT")
        machine.finish()
        return m


def test_one_state_at_a_time_and_the_right_one():
    print("seed", SEED)
    generator = random.Random(SEED)
    turnstile = Turnstile()
    seen = set()

    async def bench(ctx):
        expected = "WAIT"
        for _ in range(400):
            left, right, back = (generator.random() < 0.4 for _ in range(3))
            ctx.set(turnstile.left, left)
            ctx.set(turnstile.right, right)
            ctx.set(turnstile.back, back)
            active = [name for name, bit in turnstile.machine.active.items() if ctx.get(bit)]
            assert active == [expected]
            seen.add(expected)
            if expected == "WAIT":
                expected = "LEFT" if left else "RIGHT HAND" if right else "WAIT"
            elif expected == "LEFT" or back:
                expected = "WAIT"
            await ctx.tick()

    simulator = Simulator(turnstile)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == set(STATES)
