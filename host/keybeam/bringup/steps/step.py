"""What a step of the bring-up is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keybeam.bringup.bench import Bench
from keybeam.bringup.checks import Check, Data
from keybeam.bringup.plan import Plan
from keybeam.report.plots import Plot

__all__ = ["Step"]


@dataclass(frozen=True)
class Step:
    """Measuring is apart from judging, so that a recorded run can be judged again.

    Attributes
    ----------
    name : str
        One word; also that of the file with its data.
    title : str
        What it is about.
    measure : callable
        Gives the data. An error that it raises makes the step fail with that text.
    judge : callable
        Gives the checks.
    draw : callable
        Gives plots with their captions.
    needs : tuple of str
        Steps without which this one makes no sense.
    hint : str
        What to look at if it cannot be measured.
    """

    name: str
    title: str
    measure: Callable[[Bench, Mapping[str, Data]], Data]
    judge: Callable[[Data, Plan], list[Check]]
    draw: Callable[[Data, Plan], list[tuple[str, Plot]]]
    needs: tuple[str, ...]
    hint: str
