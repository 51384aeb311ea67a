"""The commands ``keybeam instruments measure``: one for each routine, and all of them."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from keybeam.instruments.routines import ROUTINES, Files, Goal, Outcome, Rig, save_outcome
from keybeam.instruments.station import open_station
from keybeam.instruments.station_file import StationFile, read_station
from keybeam.options import as_json
from keybeam.output import print_json, print_rows, print_sections
from keybeam.receiver.progress import shown_progress
from keybeam.transmitter.calibration_file import load_calibration, new_calibration

__all__ = ["measure", "run_routine"]


def run_routine(
    name: str, station: StationFile, folder: Path, calibration: Path
) -> tuple[Outcome, Files]:
    """Run a routine with what the calibration knows so far, and write what it finds.

    Parameters
    ----------
    name : str
        One of `ROUTINES`.
    station : StationFile
        The instruments; all are left in their safe states.
    folder : Path
        Where data and plot go.
    calibration : Path
        Read if it exists, and written with the new section.
    """
    routine = ROUTINES[name]
    known = load_calibration(calibration) if calibration.exists() else new_calibration(station.name)
    with (
        shown_progress() as tell,
        open_station(station, routine.needed, routine.useful) as opened,
    ):
        outcome = routine.measure(Rig(opened, known, tell))
    return outcome, save_outcome(outcome, folder, calibration, station.name)


def _goal_rows(goals: Sequence[Goal]) -> list[dict[str, str | float | bool | None]]:
    return [
        {
            "goal": goal.name,
            "measured": round(goal.measured, 3),
            "wanted": goal.wanted,
            "unit": goal.unit,
            "met": goal.is_met,
        }
        for goal in goals
    ]


@click.group()
def measure() -> None:
    """Measure a transmitter; each routine writes data, a plot and a part of its calibration.

    Status 1 if a goal is missed. `keybeam tx calibration` shows and loads the calibration.

    \b
    Example:
        keybeam instruments measure modulator station.toml --out out/instruments
    """


def _measure(
    names: Sequence[str], station: Path, out: Path, calibration: Path | None, as_json: bool
) -> None:
    found = read_station(station)
    file = out / "calibration.json" if calibration is None else calibration
    goals: list[Goal] = []
    results = {}
    for name in names:
        outcome, files = run_routine(name, found, out, file)
        goals += outcome.goals()
        if as_json:
            results[name] = {
                "figures": outcome.figures(),
                "goals": _goal_rows(outcome.goals()),
                "data": str(files.data),
                "plot": str(files.plot),
                "calibration": str(files.calibration),
            }
            continue
        print_sections(outcome.figures(), as_json=False)
        if outcome.goals():
            print_rows(_goal_rows(outcome.goals()), as_json=False)
        click.echo(f"wrote {files.data}, {files.plot}, {files.calibration}")
    if as_json:
        print_json(results)
    if not all(goal.is_met for goal in goals):
        sys.exit(1)


def _command(name: str, names: Sequence[str], title: str) -> click.Command:
    """Make the command of a routine."""

    @click.command(name, short_help=title)
    @click.argument("station", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("out/instruments"),
        show_default=True,
        help="Folder of data and plots.",
    )
    @click.option(
        "--calibration",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Calibration to take known settings from and to write to.  "
        "[default: calibration.json in that folder]",
    )
    @as_json
    def command(station: Path, out: Path, calibration: Path | None, as_json: bool) -> None:
        _measure(names, station, out, calibration, as_json)

    command.help = (
        f"Measure {title}.\n\n\b\nExample:\n    keybeam instruments measure {name} station.toml"
    )
    return command


for _name, _routine in ROUTINES.items():
    measure.add_command(_command(_name, [_name], _routine.title))
measure.add_command(_command("all", list(ROUTINES), "everything, one routine after the other"))
