"""Runs the steps in order, on boards or on what was recorded, and gathers what they say."""

from collections.abc import Callable, Mapping

import msgspec

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import BringUpError, Check, Data
from keybeam.bringup.identity import judge_identity
from keybeam.bringup.recording import Recording, RecordingHead
from keybeam.bringup.steps import STEPS, Step
from keybeam.errors import KeybeamError
from keybeam.report.plots import Plot

__all__ = ["BringUpResult", "Section", "judge", "measure"]

_IDENTITY = "identity"


class Section(msgspec.Struct, frozen=True):
    """What one step said.

    Attributes
    ----------
    title : str
        What it is about.
    checks : list of Check
        Its lines.
    """

    title: str
    checks: list[Check]


class BringUpResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a bring-up found.

    Attributes
    ----------
    passed : bool
        Whether all checks passed and none was left out.
    created, software : str
        When, in UTC, and by what it was measured.
    simulated : bool
        Whether the boards were simulated.
    boards : dict of str to str
        Port of each board.
    checks : list of Check
        All lines in order.
    left_out : list of str
        Titles of steps that made no sense any more, because of what failed before.
    """

    passed: bool
    created: str
    software: str
    simulated: bool
    boards: dict[str, str]
    checks: list[Check]
    left_out: list[str]


def measure(
    bench: Bench, recording: Recording, steps: list[str], tell: Callable[[str, float], None]
) -> dict[str, Data | str]:
    """Measure the steps on boards.

    A step is left out if one that it needs did not pass. An error between host and board is kept in
    the place of the data.

    Parameters
    ----------
    bench : Bench
        The boards.
    recording : Recording
        Keeps all of it.
    steps : list of str
        Names of the steps.
    tell : callable
        Told the title of each step before it begins, and the part of all that is over.

    Returns
    -------
    dict of str to Data or str
        As of `keybeam.bringup.recording.read_recording`.
    """
    measured: dict[str, Data | str] = {}
    failed: set[str] = set()
    wanted = [step for step in STEPS if step.name in steps]
    for place, step in enumerate(wanted):
        if failed & set(step.needs):
            continue
        tell(step.title, place / len(wanted))
        earlier = {name: data for name, data in measured.items() if not isinstance(data, str)}
        try:
            data = step.measure(bench, earlier)
        except KeybeamError as error:
            measured[step.name] = str(error)
            recording.fail(step.name, str(error))
        else:
            measured[step.name] = data
            recording.keep(step.name, data)
        if not all(check.passed for check in _checks(step, measured[step.name], bench.plan)):
            failed.add(step.name)
    return measured


def _checks(step: Step, data: Data | str, plan: object) -> list[Check]:
    if isinstance(data, str):
        return [Check(step.title, False, data, "can be measured", step.hint)]
    return step.judge(data, plan)  # type: ignore[arg-type]


def judge(
    head: RecordingHead, measured: Mapping[str, Data | str]
) -> tuple[BringUpResult, list[Section], dict[str, list[tuple[str, Plot]]]]:
    """Judge what was measured.

    Parameters
    ----------
    head : RecordingHead
        Boards and plan.
    measured : mapping of str to Data or str
        What the steps measured, or why they could not.

    Returns
    -------
    result : BringUpResult
        Everything that was found.
    sections : list of Section
        The same by step.
    plots : dict of str to list
        Captions and plots by the title of the section.

    Raises
    ------
    BringUpError
        If data have not the arrays that their step needs.
    """
    sections = [Section("Identity", judge_identity(head.asked))]
    plots: dict[str, list[tuple[str, Plot]]] = {}
    left_out = []
    for step in STEPS:
        if step.name not in head.steps:
            continue
        data = measured.get(step.name)
        if data is None:
            left_out.append(step.title)
            continue
        try:
            sections.append(Section(step.title, _checks(step, data, head.plan)))
            if not isinstance(data, str):
                plots[step.title] = step.draw(data, head.plan)
        except (KeyError, ValueError, IndexError) as error:
            raise BringUpError(
                f"the data of step {step.name!r} are not whole: {error!r}"
            ) from error
    checks = [check for section in sections for check in section.checks]
    result = BringUpResult(
        passed=all(check.passed for check in checks) and not left_out,
        created=head.created,
        software=head.software,
        simulated=head.plan.simulated,
        boards={
            each.identity.role.name.lower(): each.port.path for each in head.asked if each.identity
        },
        checks=checks,
        left_out=left_out,
    )
    return result, sections, plots
