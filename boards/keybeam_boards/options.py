"""What may be chosen of a terminal besides its board and its role, as ``--option NAME=VALUE``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keybeam.protocol.identity import Role
from keybeam_boards.board import Board
from keybeam_boards.errors import OptionError

__all__ = ["MOST_LINES", "NO_OPTIONS", "BuildOptions", "choices", "read_options"]

MOST_LINES = 2
"""Most delay lines of a detector."""


@dataclass(frozen=True)
class BuildOptions:
    """What was chosen; None where the board's own choice holds."""

    lanes: int | None = None
    """Lanes of a transmitter."""
    lines: int | None = None
    """Delay lines of each detector of a receiver."""


NO_OPTIONS = BuildOptions()
"""Everything as the board has it."""


def choices(board: type[Board], role: Role) -> Mapping[str, range]:
    """Give the options of a board in a role.

    Parameters
    ----------
    board : type of Board
        The board.
    role : Role
        The role.

    Returns
    -------
    mapping of str to range
        What each may be, by its name.
    """
    if role is Role.TRANSMITTER:
        return {"lanes": board.lane_choice}
    return {"lines": range(MOST_LINES + 1)}


def read_options(words: Iterable[str], board: type[Board], role: Role) -> BuildOptions:
    """Read options as the command line has them.

    Parameters
    ----------
    words : iterable of str
        As ``lanes=6``.
    board : type of Board
        The board.
    role : Role
        The role.

    Returns
    -------
    BuildOptions

    Raises
    ------
    OptionError
        If there is no such option, or it cannot have that value.
    """
    allowed, chosen = choices(board, role), {}
    for word in words:
        name, _, value = word.partition("=")
        values = allowed.get(name)
        if values is None:
            raise OptionError(
                f"--option {word}: a {role.name.lower()} has no such option: {', '.join(allowed)}"
            )
        if not value.isdecimal() or int(value) not in values:
            raise OptionError(
                f"--option {word}: {name} of this board's {role.name.lower()} is "
                f"{values.start} to {values.stop - 1}"
            )
        chosen[name] = int(value)
    return BuildOptions(**chosen)
