"""Thorlabs ELL14 rotation mount."""

from keybeam.instruments.errors import InstrumentError
from keybeam.instruments.instrument import Identity, Limits
from keybeam.instruments.kinds import RotationMount
from keybeam.instruments.link import Terminations

__all__ = ["ThorlabsEll14"]

_ANGLE_DEG = Limits(-360.0, 720.0, "°")
_MOVE_S = 10.0
_TYPES = {14: "ELL14", 16: "ELL16", 18: "ELL18"}
_OK, _BUSY = 0, 9
_STATES = {
    1: "communication time-out",
    2: "mechanical time-out",
    3: "command not understood or not supported",
    4: "value out of range",
    5: "module isolated",
    6: "module out of isolation",
    7: "initialising error",
    8: "thermal error",
    9: "busy",
    10: "sensor error",
    11: "motor error",
    12: "out of range",
    13: "over-current",
}


class ThorlabsEll14(RotationMount):
    """Thorlabs ELL14, and ELL16 and ELL18, on a serial bus of up to 16 modules.

    The channel is the address on the bus, 0 to F, 0 without. Messages are an address, two
    letters and hexadecimal digits; they have no termination, answers end by carriage return and
    line feed. A move is answered when it is over, by the position.

    Manual: Thorlabs, *ELLx modules protocol manual*, 7th issue: "Messages" and "Status codes".
    """

    model = "thorlabs-ell14"
    device = "Thorlabs ELL14, ELL16 or ELL18"
    manual = "Thorlabs, ELLx modules protocol manual, 7th issue"
    terminations = Terminations(write="", read="\r\n", baud_rate=9600)

    _pulses = 0

    @property
    def _address(self) -> str:
        return self.settings.channel.upper() or "0"

    def _ask(self, message: str, expected: str, timeout_s: float | None = None) -> str:
        """Send a message and give the digits of the answer, which must be of the kind expected."""
        answer = self.link.query(self._address + message, timeout_s=timeout_s)
        head, digits = answer[:3], answer[3:]
        if head == self._address + "GS" and expected != "GS":
            state = self._digits(digits)
            reason = _STATES.get(state, f"state {state}")
            raise InstrumentError(
                f"{self.model} {self._address} at {self.link.name}, after {message!r}: {reason}"
            )
        if head != self._address + expected:
            raise InstrumentError(
                f"{self.model} {self._address} at {self.link.name} answered {message!r} by "
                f"{answer!r}: is its address right?"
            )
        return digits

    def _digits(self, text: str) -> int:
        try:
            return int(text, 16)
        except ValueError:
            raise InstrumentError(
                f"{self.model} at {self.link.name} answered {text!r}, which is no number"
            ) from None

    def identify(self) -> Identity:
        """Ask the module who it is (message ``in``), and learn its pulses in a revolution."""
        answer = self._ask("in", "IN")
        kind = self._digits(answer[:2])
        if len(answer) != 30 or kind not in _TYPES:
            raise InstrumentError(
                f"{self.link.name}, address {self._address}, says {answer!r}, but a {self.device} "
                "is expected there"
            )
        self._pulses = self._digits(answer[22:30])
        return Identity("Thorlabs", _TYPES[kind], answer[2:10], answer[14:16])

    def prepare(self) -> None:
        """Check that it works.

        Raises
        ------
        InstrumentError
            If it reports an error.
        """
        # A first answer may tell of an error before; asking clears it.
        self._ask("gs", "GS")
        state = self._digits(self._ask("gs", "GS"))
        if state not in (_OK, _BUSY):
            reason = _STATES.get(state, f"state {state}")
            raise InstrumentError(f"{self.model} {self._address} at {self.link.name}: {reason}")

    def make_safe(self) -> None:
        """Do nothing: it stands still unless it is told to move."""

    def home(self) -> None:
        """Find the zero of its scale, turning clockwise."""
        self._ask("ho0", "PO", _MOVE_S)

    def rotate_to_deg(self, angle_deg: float) -> None:
        """Turn to an angle, which is taken modulo 360°, and wait until it is there."""
        angle = _ANGLE_DEG.check("an angle", angle_deg) % 360.0
        pulses = round(angle / 360.0 * self._pulses) % self._pulses
        self._ask(f"ma{pulses:08X}", "PO", _MOVE_S)

    def angle_deg(self) -> float:
        """Angle where it is, in degrees, -180 to 180."""
        pulses = self._digits(self._ask("gp", "PO"))
        signed = pulses - (1 << 32) if pulses >> 31 else pulses
        return (signed * 360.0 / self._pulses + 180.0) % 360.0 - 180.0
