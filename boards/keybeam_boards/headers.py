"""Connectors as one sees them: which pin is beside which."""

from dataclasses import dataclass

__all__ = ["Header", "dual_row", "pmod", "rows_of"]


@dataclass(frozen=True)
class Header:
    """A connector as it is drawn."""

    connector: tuple[str, int]
    """Name and number in amaranth-boards."""
    title: str
    """What the board calls it."""
    rows: tuple[tuple[str, ...], ...]
    """Names of the pins, row by row from left to right as one sees them."""


def dual_row(connector: tuple[str, int], title: str, pins: int) -> Header:
    """Give a header of two rows, odd pins in the one and even pins in the other.

    Parameters
    ----------
    connector : tuple of str and int
        Name and number in amaranth-boards.
    title : str
        What the board calls it.
    pins : int
        How many pins it has.

    Returns
    -------
    Header
    """
    rows = (range(1, pins + 1, 2), range(2, pins + 1, 2))
    return Header(connector, title, tuple(tuple(map(str, row)) for row in rows))


def pmod(connector: tuple[str, int], title: str) -> Header:
    """Give a Pmod of twelve pins, 1 to 6 above 7 to 12.

    Parameters
    ----------
    connector : tuple of str and int
        Name and number in amaranth-boards.
    title : str
        What the board calls it.

    Returns
    -------
    Header
    """
    rows = (range(1, 7), range(7, 13))
    return Header(connector, title, tuple(tuple(map(str, row)) for row in rows))


def rows_of(connector: tuple[str, int], title: str, *rows: str) -> Header:
    """Give a connector whose pins have names.

    Parameters
    ----------
    connector : tuple of str and int
        Name and number in amaranth-boards.
    title : str
        What the board calls it.
    *rows : str
        Names of the pins of each row, with blanks between.

    Returns
    -------
    Header
    """
    return Header(connector, title, tuple(tuple(row.split()) for row in rows))
