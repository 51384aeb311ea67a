"""A simulated bus of Thorlabs ELL14 rotation mounts."""

import re

from keybeam_sim.laboratory.bench import Bench

__all__ = ["RotationBus"]

_PULSES = 143_360
_MESSAGE = re.compile(rb"[\r\n]*([0-9A-F])(?:(in|gs|gp)|(ho)([01])|(ma)([0-9A-F]{8}))")
_REPEATABILITY_PULSES = 12
_SECONDS_A_TURN = 2.0
_OUT_OF_RANGE = "0C"


class RotationBus:
    """Four mounts at addresses 0 to 3, which turn the bench's plates.

    A move ends within 12 pulses (0.03°) of where it should, and the mount knows where that is.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._pulses = [0, 0, 0, 0]

    def take(self, received: bytearray) -> bytes:
        """Carry out all messages that are complete, and take them out of what was received."""
        answers = b""
        while match := _MESSAGE.match(bytes(received)):
            del received[: match.end()]
            address = int(match.group(1), 16)
            # Nobody answers at an address where there is no mount.
            if address < len(self._pulses):
                answers += f"{address:X}{self._run(address, match)}\r\n".encode()
        return answers

    def _run(self, address: int, match: re.Match[bytes]) -> str:
        if match.group(2) == b"in":
            return f"IN0E1140{address:04d}20211701016800{_PULSES:06X}"
        if match.group(2) == b"gs":
            return "GS00"
        if match.group(3):
            self._turn(address, 0)
        elif match.group(5):
            wanted = int(match.group(6), 16)
            if wanted >= 2 * _PULSES:
                return f"GS{_OUT_OF_RANGE}"
            self._turn(address, wanted)
        return f"PO{self._pulses[address] & 0xFFFFFFFF:08X}"

    def _turn(self, address: int, wanted: int) -> None:
        error = int(self._bench.rng.integers(-_REPEATABILITY_PULSES, _REPEATABILITY_PULSES + 1))
        distance = abs(wanted - self._pulses[address])
        self._pulses[address] = wanted + error
        self._bench.controls.plates_deg[address] = 360.0 * self._pulses[address] / _PULSES
        self._bench.advance(0.1 + _SECONDS_A_TURN * distance / _PULSES)
