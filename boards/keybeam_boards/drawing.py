"""Draws the connectors of a board, as one sees them, with what each pin carries."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from keybeam.protocol.identity import Role
from keybeam_boards.board import Board
from keybeam_boards.headers import Header
from keybeam_boards.pin_table import PinUse, header_uses

__all__ = ["draw_board"]

_PITCH, _PAD, _LABEL = 26, 16, 96
"""Pixels from pin to pin, of a pin's square, and of a label."""
_MARGIN, _TITLE = 14, 26
_FILL = {"out": "#d1495b", "in": "#00798c", "": "#e9e9e9"}
_TEXT = {"out": "#ffffff", "in": "#ffffff", "": "#555555"}
_STYLE = (
    "text{font-family:sans-serif;font-size:11px;fill:#222}"
    ".t{font-size:14px;font-weight:bold}.p{font-size:8px;text-anchor:middle}"
)


def draw_board(board: Board, role: Role) -> str:
    """Draw all connectors of a board that carry something of a role.

    Parameters
    ----------
    board : Board
        The board.
    role : Role
        The role.

    Returns
    -------
    str
        A picture as SVG.
    """
    parts, top, width = [], _MARGIN, 0
    heading = f"{board.title}: {role.name.lower()}"
    parts.append(_text(_MARGIN, top + 12, heading, "t"))
    top += _TITLE
    for header in board.headers:
        uses = header_uses(board, header, role)
        if any(use.direction for use in uses.values()):
            drawn, height, right = _draw_header(header, uses, top)
            parts += drawn
            top, width = top + height + _MARGIN, max(width, right)
    parts += _legend(top)
    width, height = max(width, 9 * len(heading)) + _MARGIN, top + _TITLE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, kind: str = "", more: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{style}{more}>{escape(text)}</text>'


def _draw_header(
    header: Header, uses: Mapping[str, PinUse], top: int
) -> tuple[list[str], int, int]:
    """Draw a connector; gives its parts, its height and its right edge.

    Labels of the upper row stand above it and those of the others below, turned to fit the pitch.
    """
    parts = [_text(_MARGIN, top + 12, header.title)]
    first = top + _TITLE + _LABEL
    columns = max(map(len, header.rows))
    below = first + len(header.rows) * _PITCH
    right = _MARGIN + columns * _PITCH
    parts.append(
        f'<rect x="{_MARGIN}" y="{first - 4}" width="{columns * _PITCH}" '
        f'height="{len(header.rows) * _PITCH}" fill="none" stroke="#222"/>'
    )
    for number, row in enumerate(header.rows):
        labels_up = number == 0
        parts += _draw_row(
            row, uses, first + number * _PITCH, first if labels_up else below, labels_up
        )
    height = below + (_LABEL if len(header.rows) > 1 else 0) - top
    return parts, height, right


def _draw_row(
    row: Sequence[str], uses: Mapping[str, PinUse], y: int, edge: int, labels_up: bool
) -> list[str]:
    parts = []
    for place, pin in enumerate(row):
        use, x = uses[pin], _MARGIN + place * _PITCH + (_PITCH - _PAD) / 2
        middle = x + _PAD / 2
        shape = f'rx="{_PAD / 2 if use.ball else 0:g}"'
        parts.append(
            f'<rect x="{x:g}" y="{y}" width="{_PAD}" height="{_PAD}" {shape} '
            f'fill="{_FILL[use.direction]}"/>'
        )
        colour = f' style="fill:{_TEXT[use.direction]}"'
        parts.append(_text(middle, y + 11, pin, "p", colour))
        if use.label:
            at = edge - 10 if labels_up else edge + 4
            turn = f' transform="rotate({-90 if labels_up else 90} {middle:g} {at})"'
            parts.append(_text(middle, at, f"{use.label} · {use.ball}", "", turn))
    return parts


def _legend(top: int) -> list[str]:
    words = (("out", "out of the board"), ("in", "into the board"), ("", "free; squares: power"))
    parts, x = [], _MARGIN
    for direction, word in words:
        parts.append(f'<rect x="{x}" y="{top}" width="10" height="10" fill="{_FILL[direction]}"/>')
        parts.append(_text(x + 14, top + 9, word))
        x += 130
    return parts
