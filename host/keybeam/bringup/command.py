"""``keybeam bringup``: checks the boards on the bench and writes a page about it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import BringUpError, Data
from keybeam.bringup.identity import ask_ports, judge_identity, port_of
from keybeam.bringup.page import render_page
from keybeam.bringup.plan import REAL, SIMULATED, Plan
from keybeam.bringup.recording import Recording, RecordingHead, read_recording
from keybeam.bringup.run import BringUpResult, judge, measure
from keybeam.bringup.steps import STEPS
from keybeam.device import DeviceError, FoundPort, HostClock, SimulatedClock, find_ports, port_at
from keybeam.options import as_json
from keybeam.output import print_json
from keybeam.protocol.identity import Role
from keybeam.tags.recording import software_name
from keybeam.whole_files import write_json, write_whole

__all__ = ["bringup"]

_SIMULATIONS = "keybeam.simulated_boards"
_PAGE, _RESULT = "report.html", "result.json"
_NAMES = [step.name for step in STEPS]

Tell = Callable[[str], None]


@contextmanager
def _simulated(faults: tuple[str, ...], tell: Tell) -> Iterator[list[FoundPort]]:
    """Start simulated boards of whatever package has them."""
    points = list(metadata.entry_points(group=_SIMULATIONS))
    if not points:
        raise BringUpError("no simulation is installed: pip install 'keybeam[gateware,sim,lab]'")
    try:
        start = points[0].load()
    except ModuleNotFoundError as error:
        raise BringUpError(
            f"the simulation needs the module {error.name!r}, which is not installed: "
            "pip install 'keybeam[gateware,sim,lab]'"
        ) from error
    with start(faults, tell) as ports:
        yield ports


@contextmanager
def _found(ports: tuple[str, ...]) -> Iterator[list[FoundPort]]:
    """Give the ports that were named, or all at which there may be a board."""
    found = [port_at(port) for port in ports] or find_ports()
    if not found:
        raise BringUpError(
            "no port of a board was found: is it plugged in and this user allowed to open it? "
            "`--port` names one, `--cosim` simulates both boards"
        )
    yield found


def _plan(simulated: bool, sample_bits: int | None) -> Plan:
    plan = SIMULATED if simulated else REAL
    return plan if sample_bits is None else msgspec.structs.replace(plan, sample_bits=sample_bits)


@click.command()
@click.option("--port", "ports", multiple=True, metavar="PORT", help="A board's port; give both.")
@click.option("--cosim", is_flag=True, help="Start simulated boards and check these.")
@click.option(
    "--fault", "faults", multiple=True, help="Fault of the simulated boards (`keybeam cosim -h`)."
)
@click.option(
    "--replay",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Judge a recorded run again; no board is needed.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/bringup"),
    show_default=True,
    help="Folder for page, result and what was measured.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_NAMES),
    help="Run just these steps, after identity and clocks; all by default.",
)
@click.option(
    "--sample-bits",
    type=click.IntRange(100, 1 << 27),
    help=f"Bits of the sample of each random-number chip  [default: {REAL.sample_bits}; "
    f"simulated boards: {SIMULATED.sample_bits}]",
)
@click.option("--ask", is_flag=True, help="Wait for Enter before leads or detectors are changed.")
@as_json
def bringup(
    *,
    ports: tuple[str, ...],
    cosim: bool,
    faults: tuple[str, ...],
    replay: Path | None,
    out: Path,
    only: tuple[str, ...],
    sample_bits: int | None,
    ask: bool,
    as_json: bool,
) -> None:
    """Check a transmitter and a receiver on the bench, and say what to do about what fails.

    Without --port, boards are looked for at USB ports and among the simulations of `keybeam cosim`.
    In order: identity, clocks, random numbers, lanes through loop-back leads, downlink,
    time-tagger, detectors, state log, link to the host. What makes no sense after a failure is left
    out. Nobody else may use the boards meanwhile. Lanes are aligned afterwards; all other
    settings are as after a reset.

    Ends with status 0 if all passed, with 1 if not.

    \b
    Examples:
        keybeam bringup --port /dev/ttyUSB1 --port /dev/ttyUSB3
        keybeam bringup --cosim --out out/simulated
        keybeam bringup --replay out/bringup
    """
    if sum((bool(ports), cosim, replay is not None)) > 1:
        raise click.UsageError("give one of --port, --cosim and --replay")
    if faults and not cosim:
        raise click.UsageError("--fault needs --cosim; `keybeam cosim` has it too")
    if replay is not None:
        head, measured = read_recording(replay)
    else:
        steps = [name for name in _NAMES if not only or name in ("clocks", *only)]
        with _progress() as tell:
            source = _simulated(faults, tell) if cosim else _found(ports)
            with source as found:
                head, measured = _run(found, steps, sample_bits, out, tell, ask)
    result = _write(head, measured, out)
    if as_json:
        print_json(result)
    else:
        _show(result, out)
    sys.exit(0 if result.passed else 1)


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show on standard error what is done now."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda text: bar.update(task, description=text)


def _run(
    found: list[FoundPort],
    steps: list[str],
    sample_bits: int | None,
    out: Path,
    tell: Tell,
    ask: bool,
) -> tuple[RecordingHead, dict[str, Data | str]]:
    """Find both boards among the ports and measure them."""
    tell("asking the boards what they are")
    asked = ask_ports(found)
    if len(found) > 2:
        # A bridge without a board behind it is not a fault of one that was found elsewhere.
        asked = [each for each in asked if each.identity] or asked
    transmitter, receiver = port_of(asked, Role.TRANSMITTER), port_of(asked, Role.RECEIVER)
    simulated = any(each.port.simulated for each in asked)
    plan = _plan(simulated, sample_bits)
    head = RecordingHead(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=software_name(),
        plan=plan,
        asked=asked,
        steps=steps,
    )
    recording = Recording(out, head)
    if not all(check.passed for check in judge_identity(asked)):
        return head, {}
    assert transmitter is not None
    assert receiver is not None
    clock = HostClock() if receiver.clock is None else SimulatedClock(Path(receiver.clock))
    wait = _ask if ask else lambda _: None
    try:
        bench = Bench.open(transmitter, receiver, plan, clock, tell, wait)
    except DeviceError as error:
        recording.fail(steps[0], str(error))
        return head, {steps[0]: str(error)}
    with closing(bench):
        return head, measure(bench, recording, steps, lambda title, _: tell(title))


def _ask(what: str) -> None:
    click.prompt(f"Please {what}; then press Enter", default="", show_default=False, err=True)


def _write(head: RecordingHead, measured: dict[str, Data | str], out: Path) -> BringUpResult:
    result, sections, plots = judge(head, measured)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / _PAGE, render_page(result, sections, plots))
    write_json(out / _RESULT, result)
    return result


def _show(result: BringUpResult, out: Path) -> None:
    """Print the table, and where the page is."""
    table = Table(show_lines=True)
    for column in ("", "check", "measured", "limit"):
        table.add_column(column)
    for check in result.checks:
        mark = "[green]pass[/]" if check.passed else "[bold red]FAIL[/]"
        measured = check.measured + (f"\n[red]→ {check.hint}[/]" if check.hint else "")
        table.add_row(mark, check.name, measured, check.limit)
    console = Console()
    console.print(table)
    if result.left_out:
        console.print(f"left out after that: {', '.join(result.left_out)}")
    failed = sum(not check.passed for check in result.checks)
    verdict = "all passed" if result.passed else f"{failed} failed"
    console.print(f"{len(result.checks)} checks, {verdict}; see {out / _PAGE}")
