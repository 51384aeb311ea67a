"""The port between the state log and the memory that keeps its lines."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from keybeam.protocol.symbols import SYMBOL_BITS, SYMBOLS_PER_WORD

__all__ = ["WORD_BITS", "MemoryPort", "ReadPort", "WritePort"]

WORD_BITS = SYMBOL_BITS * SYMBOLS_PER_WORD
"""Bits of a word: the symbols of a fabric clock cycle."""


class WritePort(wiring.Signature):
    """Writes of lines that cannot wait.

    Parameters
    ----------
    lines : int
        Lines of the memory, a power of two.
    line_words : int
        Words of a line, a power of two.

    Members
    -------
    enable : Out(1)
        Write `line` at `address`, in this cycle or not at all.
    address : Out(range(lines))
    line : Out(WORD_BITS * line_words)
        The words of the line, the earliest lowest.
    taken : In(1)
        A write asked for in this cycle is done. Does not depend on `enable`.
    """

    def __init__(self, lines: int, line_words: int) -> None:
        super().__init__(
            {
                "enable": Out(1),
                "address": Out(exact_log2(lines)),
                "line": Out(WORD_BITS * line_words),
                "taken": In(1),
            }
        )


class ReadPort(wiring.Signature):
    """Reads of lines, and their answers.

    Parameters
    ----------
    lines : int
        Lines of the memory, a power of two.
    line_words : int
        Words of a line, a power of two.

    Members
    -------
    enable : Out(1)
        Read the line at `address`, as it is now or not at all.
    address : Out(range(lines))
    taken : In(1)
        A read asked for in this cycle is done.
    answered : In(1)
        `line` answers the earliest read that was taken and not yet answered.
    line : In(WORD_BITS * line_words)
    """

    def __init__(self, lines: int, line_words: int) -> None:
        super().__init__(
            {
                "enable": Out(1),
                "address": Out(exact_log2(lines)),
                "taken": In(1),
                "answered": In(1),
                "line": In(WORD_BITS * line_words),
            }
        )


class MemoryPort(wiring.Signature):
    """A memory of lines, seen from the log.

    A read gives what the writes taken in earlier cycles left at its address;
    whether it may see a write of the same cycle is not defined. Writes and
    reads may be asked for in the same cycle, and the memory may then refuse
    the read.

    Parameters
    ----------
    lines : int
        Lines of the memory, a power of two.
    line_words : int
        Words of a line, a power of two.

    Members
    -------
    write : Out(WritePort(lines, line_words))
    read : Out(ReadPort(lines, line_words))
    initialised : In(1)
        The memory was made ready for use.
    passed : In(1)
        The memory passed its test and can be used; while 0, nothing is taken. When it falls, the
        contents are gone.
    """

    def __init__(self, lines: int, line_words: int) -> None:
        super().__init__(
            {
                "write": Out(WritePort(lines, line_words)),
                "read": Out(ReadPort(lines, line_words)),
                "initialised": In(1),
                "passed": In(1),
            }
        )
