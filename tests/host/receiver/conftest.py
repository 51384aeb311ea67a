"""A receiver that is nothing but its registers, with delay lines behind some of them."""

import numpy as np
import pytest

from keybeam.device.register_map import load_register_map
from keybeam.protocol.identity import Role
from keybeam.protocol.records import Channel
from keybeam.tagger import LINE_TIMINGS, Noise, TaggerModel

RING_PULSES = 9000
STEP_CYCLES = 1 << 19


class SimulatedReceiver:
    """Holds what is written, as reset left it, and counts codes of a delay line of grade 8.

    The clock runs on by half a window of the ring's counter with every snapshot. `flaws` makes
    every so many readings of a count go through twice, as where an answer was lost on the link.
    Where both directions of edges count at once, the pause after each keeps all of one away.
    """

    name = "simulated"

    def __init__(self, *, lines=1, flaws=0, drift=1.0):
        self.register_map = load_register_map(Role.RECEIVER)
        self.values = {register.name: 0 for register in self.register_map.registers}
        for register in self.register_map.registers:
            for field in register.fields:
                self.values[register.name] = field.insert(
                    self.values[register.name], field.reset or 0
                )
        self.writes, self.tables, self.repeated_requests = [], {}, 0
        self.model = TaggerModel(
            LINE_TIMINGS["8"], chains=max(lines, 1), noise=Noise(), rng=np.random.default_rng(4)
        )
        taps = self.model.taps
        self.values["tagger.shared.lines"] = lines | min(lines, 1) << 2 | taps << 4
        self._ring, self._cycle, self._since = round(RING_PULSES / drift), 0, None
        self._counts, self._code, self._flaws, self._readings = None, 0, flaws, 0
        self._generator = np.random.default_rng(5)
        self.phases, self.clock = {}, None

    def read(self, name):
        register, field = self.register_map.find(name)
        assert (field or register).access != "w", f"{name} cannot be read"
        value = self.values[register.name]
        if register.name == "receiver.time":
            value = self._cycle
        if register.name == "tagger.shared.pulser_rate":
            value = self._ring if self.values["tagger.shared.pulser"] & 1 else 0
        if register.name == "gate.shared.slot_status":
            value = int(self.clock is not None and not 0 < self._cycle - self.clock["at"] < 1 << 24)
        if register.name.startswith("gate.") and register.name.endswith(".histogram_count"):
            place = self.values[register.name.replace("_count", "_bin")]
            value = int(self.phases[register.name.split(".")[1]][place])
        if register.name == "tagger.shared.histogram_count":
            value = self._next_count()
        return field.extract(value) if field else value

    def write(self, name, value):
        register, field = self.register_map.find(name)
        access = (field or register).access
        assert access != "r", f"{name} cannot be written"
        assert 0 <= value < 1 << (field or register).width, f"{name} cannot be {value}"
        self.writes.append((name, value))
        before = self.values[register.name]
        after = field.insert(before, value) if field else value
        if name in ("receiver.events", "tagger.shared.alarms"):
            after = before & ~value
        self.values[register.name] = after
        parts = {each.name: each.extract(after) for each in register.fields}
        if register.name == "receiver.snapshot":
            self._cycle = (self._cycle + STEP_CYCLES) % (1 << 40)
        elif register.name == "gate.shared.slot_arm":
            names = ("at", "offset", "increment", "ramp")
            self.clock = {name: self.values[f"gate.shared.slot_{name}"] for name in names}
        elif register.name == "tagger.shared.histogram_clear":
            self._counts = None
        elif register.name == "tagger.shared.histogram_code":
            self._code = parts["code"] | parts["falling"] << 16
        elif register.name == "tagger.shared.histogram":
            self._run(before >> 4 & 1, parts)
        elif register.name.endswith(".table"):
            key = register.name.split(".")[1], parts["falling"]
            self.tables.setdefault(key, {})[parts["code"]] = parts["lead"]

    def scan(self, selector, choices, name, tell=lambda _: None):
        values = []
        for choice in choices:
            repeated = None
            while repeated != self.repeated_requests:
                repeated = self.repeated_requests
                self.write(selector, choice)
                value = self.read(name)
            values.append(value)
        tell(1.0)
        return values

    def write_all(self, name, values, tell=lambda _: None):
        for value in values:
            self.write(name, value)
        tell(1.0)

    def _run(self, ran, parts):
        """Count while the histogram runs."""
        if parts["run"] and not ran:
            self._since = self._cycle
        if ran and not parts["run"]:
            channel = Channel(parts["channel"])
            pulsed = self.values["tagger.shared.pulser"] >> 1 >> channel & 1
            edges = self.values[f"tagger.{channel.name.lower()}.edges"]
            assert not self.values["receiver.channels"] >> channel & 1, "pulses become records"
            count = int(self._ring * (self._cycle - self._since) / (1 << 20)) * pulsed
            if self._counts is None:
                self._counts = [np.zeros(1 << 10, np.int64) for _ in range(2)]
            if edges:
                self._counts[edges.bit_length() - 1] += self._codes(count)

    def _codes(self, count):
        ages = self._generator.uniform(0, 6400, count)
        codes = self.model.edges(ages, self._generator).codes
        return np.bincount(codes[codes >= 0], minlength=1 << 10)

    def _next_count(self):
        half, code = divmod(self._code, 1 << 16)
        self._readings += 1
        if self._flaws and self._readings % self._flaws == 0:
            self.repeated_requests += 1
            self._code += 1
            code += 1
        self._code += 1
        return 0 if self._counts is None else int(self._counts[half][code])


@pytest.fixture(scope="session")
def registers():
    """Makes simulated receivers."""
    return SimulatedReceiver
