"""What a run of the pipeline is told."""

from dataclasses import dataclass, field
from pathlib import Path

from keybeam.distillation import Mode
from keybeam.pipeline.errors import PipelineError
from keybeam.session.messages import SessionParameters
from keybeam.session.parameters import default_parameters

__all__ = ["CASCADE", "RECONCILIATIONS", "PipelineSettings"]

CASCADE = "cascade"
RECONCILIATIONS = (*(mode.name.lower() for mode in Mode), CASCADE)
"""Ways to reconcile packets: the modes of the codes, and Cascade."""


@dataclass(frozen=True)
class PipelineSettings:
    """A recorded pass, and how to make key of it.

    Attributes
    ----------
    captures : tuple of Path
        Captures of the receiver's tags, in the order of time.
    symbols : Path
        Record of the transmitter's symbols.
    mode : str
        How packets are reconciled: one of `RECONCILIATIONS`.
    workers : int
        Processes that reconcile; 0 to do everything in the calling process, one after another.
    parameters : SessionParameters
        Source, packets, blocks and analysis.
    key : Path or None
        File that takes the key; None to keep nothing of it.
    seed : int or None
        Seed of all random choices of a simulation; None for the operating system's numbers.

    Raises
    ------
    PipelineError
        If there is no capture or no such mode, or the number of workers is negative.
    """

    captures: tuple[Path, ...]
    symbols: Path
    mode: str = Mode.INTERACTIVE.name.lower()
    workers: int = 1
    parameters: SessionParameters = field(default_factory=default_parameters)
    key: Path | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.captures:
            raise PipelineError("a recorded pass has at least one capture of tags")
        if self.mode not in RECONCILIATIONS:
            raise PipelineError(
                f"packets are reconciled by {', '.join(RECONCILIATIONS)}, not {self.mode!r}"
            )
        if self.workers < 0:
            raise PipelineError(f"the number of workers must be 0 or more, not {self.workers}")
