"""An instrument that understands SCPI: headers, parameters, error queue, common commands."""

import re
from collections import deque
from collections.abc import Callable
from typing import ClassVar

__all__ = [
    "Command",
    "ScpiDevice",
    "ScpiError",
    "header_pattern",
    "parse_number",
    "parse_switch",
]

_UNITS = {"NM": 1e-9, "DB": 1.0, "V": 1.0, "A": 1.0, "S": 1.0, "HZ": 1.0, "C": 1.0, "": 1.0}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?)\s*([A-Z]*)")

Command = Callable[["re.Match[str]", list[str]], "str | bytes | None"]
"""Takes the matched header, whose groups are its numeric suffixes, and the parameters."""


class ScpiError(Exception):
    """What goes into the error queue: a number of SCPI-99, volume 2, chapter 21, and its text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def header_pattern(header: str) -> re.Pattern[str]:
    """Compile a header such as ``SOURce#:VOLTage[:LEVel]?`` as manuals write it.

    Capitals are the short form; brackets hold what may be left out; ``#`` stands for a numeric
    suffix, which may be left out (SCPI-99, volume 1, section 6.2).
    """

    def keyword(match: re.Match[str]) -> str:
        short, rest = match.group(1), match.group(2).upper()
        return f"{short}(?:{rest})?" if rest else short

    text = re.sub(r"([A-Z0-9*]+)([a-z]*)", keyword, header.replace("?", "\\?").replace("*", "\\*"))
    text = text.replace("[", "(?:").replace("]", ")?").replace("#", r"(\d*)")
    return re.compile(rf":?{text}")


def parse_number(text: str, low: float, high: float) -> float:
    """Read a parameter with its unit, in the base unit.

    Raises
    ------
    ScpiError
        If it is no number, or out of range.
    """
    match = _NUMBER.fullmatch(text.strip().upper())
    if not match or match.group(2) not in _UNITS:
        raise ScpiError(-104, "Data type error")
    value = float(match.group(1)) * _UNITS[match.group(2)]
    if not low <= value <= high:
        raise ScpiError(-222, "Data out of range")
    return value


def parse_switch(text: str) -> bool:
    """Read ON, OFF, 1 or 0.

    Raises
    ------
    ScpiError
        If it is none of these.
    """
    try:
        return {"ON": True, "1": True, "OFF": False, "0": False}[text.strip().upper()]
    except KeyError:
        raise ScpiError(-104, "Data type error") from None


class ScpiDevice:
    """Takes messages line by line, and answers queries.

    Attributes
    ----------
    identity : str
        The answer to ``*IDN?``.
    """

    identity: ClassVar[str]
    error_answer: ClassVar[str] = '{code},"{text}"'

    def __init__(self) -> None:
        self._errors: deque[ScpiError] = deque(maxlen=20)
        self._commands: list[tuple[re.Pattern[str], Command]] = []
        self.on("*IDN?", lambda *_: self.identity)
        self.on("*OPC?", lambda *_: "1")
        self.on("*CLS", lambda *_: self._errors.clear())
        self.on("SYSTem:ERRor[:NEXT]?", lambda *_: self._next_error())

    def on(self, header: str, command: Command) -> None:
        """Say what a header does."""
        self._commands.append((header_pattern(header), command))

    def ignore(self, *headers: str) -> None:
        """Take commands that change nothing of the physics, whatever their parameters."""
        for header in headers:
            self.on(header, lambda *_: None)

    def _next_error(self) -> str:
        error = self._errors.popleft() if self._errors else ScpiError(0, "No error")
        return self.error_answer.format(code=error.code, text=error.text)

    def handle(self, line: str) -> bytes | None:
        """Carry a message out.

        Returns
        -------
        bytes or None
            The answers of its queries with a line feed behind; None without queries.
        """
        answers: list[bytes] = []
        for unit in filter(None, (part.strip() for part in line.split(";"))):
            header, _, rest = unit.partition(" ")
            try:
                answer = self._run(
                    header.upper(), [word.strip() for word in rest.split(",") if word]
                )
            except ScpiError as error:
                self._errors.append(error)
                continue
            if answer is not None:
                answers.append(answer.encode() if isinstance(answer, str) else answer)
        return b";".join(answers) + b"\n" if answers else None

    def _run(self, header: str, parameters: list[str]) -> "str | bytes | None":
        for pattern, command in self._commands:
            match = pattern.fullmatch(header)
            if match:
                try:
                    return command(match, parameters)
                except IndexError:
                    raise ScpiError(-109, "Missing parameter") from None
        raise ScpiError(-113, "Undefined header")
