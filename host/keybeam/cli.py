"""The ``keybeam`` command: a group that collects the commands of every installed package.

Commands are found through the entry-point group ``keybeam.commands``, so that
a host-only install lists only what it can run.
"""

import errno
import os
import sys
from collections.abc import Iterable
from importlib import metadata

import click

from keybeam._version import __version__, build_revision
from keybeam.errors import KeybeamError

__all__ = ["command_line", "main"]

_GROUP = "keybeam.commands"


def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=_GROUP)}


def _can_load(name: str) -> bool:
    """Whether what a command needs is installed; those of other installs are not listed."""
    try:
        _entry_points()[name].load()
    except ModuleNotFoundError:
        return False
    return True


class _EntryPointGroup(click.Group):
    """A click group whose commands are loaded from entry points when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *filter(_can_load, _entry_points())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = _entry_points().get(cmd_name)
        if point is None:
            return super().get_command(ctx, cmd_name)
        try:
            command = point.load()
        except ModuleNotFoundError as error:
            raise KeybeamError(
                f"`keybeam {cmd_name}` needs the module {error.name!r}, which is not installed: "
                "pip install 'keybeam[gateware,sim,lab,cluster]'"
            ) from error
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_EntryPointGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(message=f"keybeam {__version__} ({build_revision()})")
def command_line() -> None:
    """Keybeam, an open quantum-key-distribution terminal.

    \b
    Example:
        keybeam pass --out out/pass
    """


def _explain(error: OSError) -> str:
    """One line about a failed system call: what happened, and to which file."""
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    where = f" ({error.filename})" if error.filename else ""
    advice = ": free some space or choose another folder" if error.errno == errno.ENOSPC else ""
    return f"{reason}{where}{advice}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Run the command line; errors a user can meet become one line and exit status 2.

    Parameters
    ----------
    arguments : iterable of str, optional
        The words after ``keybeam``; those of the process by default.
    """
    words = None if arguments is None else list(arguments)
    try:
        # Outside of its own mode click gives the status of `ctx.exit` back; commands return None.
        status = command_line.main(args=words, prog_name="keybeam", standalone_mode=False)
        if status:
            sys.exit(status)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("keybeam: interrupted", err=True)
        sys.exit(130)
    except KeybeamError as error:
        click.echo(f"keybeam: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"keybeam: {_explain(error)}", err=True)
        sys.exit(2)
