"""Bring-up: checks a transmitter and a receiver on the bench, one thing after the other."""

from keybeam.bringup.checks import BringUpError, Check
from keybeam.bringup.page import render_page
from keybeam.bringup.plan import REAL, SIMULATED, Plan
from keybeam.bringup.recording import read_recording
from keybeam.bringup.run import BringUpResult, judge

__all__ = [
    "REAL",
    "SIMULATED",
    "BringUpError",
    "BringUpResult",
    "Check",
    "Plan",
    "judge",
    "read_recording",
    "render_page",
]
