"""What a run of the pipeline is told."""

from dataclasses import dataclass, field
from pathlib import Path

from keybeam.distillation import Mode
from keybeam.key_length import MOST_PACKETS, Analysis
from keybeam.pipeline.errors import PipelineError
from keybeam.protocol.symbols import CHECK_BASIS, Basis
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
    key_basis_probability : float or None
        Where one basis makes the key (`KEY_BASIS`) and the other only checks: with which
        probability either end chooses the former, above 0 and below 1. None where both bases are
        chosen equally and both make key. A session has no such source.
    block_packets : int or None
        Packets of a privacy-amplification block, 1 to 1024, in the place of those of the
        parameters, which a session bounds more closely.
    key : Path or None
        File that takes the key; None to keep nothing of it.
    seed : int or None
        Seed of all random choices of a simulation; None for the operating system's numbers.

    Raises
    ------
    PipelineError
        If there is no capture or no such mode, if a number is out of range, or if the paper's
        analysis is to take a basis that only checks.
    """

    captures: tuple[Path, ...]
    symbols: Path
    mode: str = Mode.INTERACTIVE.name.lower()
    workers: int = 1
    parameters: SessionParameters = field(default_factory=default_parameters)
    key_basis_probability: float | None = None
    block_packets: int | None = None
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
        chosen, packets = self.key_basis_probability, self.block_packets
        if chosen is not None and not 0 < chosen < 1:
            raise PipelineError(f"the key_basis_probability must lie between 0 and 1, not {chosen}")
        if chosen is not None and self.parameters.analysis != Analysis.COMPOSABLE:
            raise PipelineError(
                f"the analysis {self.parameters.analysis} knows no basis that only checks: take "
                f"{Analysis.COMPOSABLE}"
            )
        if packets is not None and not 1 <= packets <= MOST_PACKETS:
            raise PipelineError(f"a block has 1 to {MOST_PACKETS} packets, not {packets}")

    @property
    def check_basis(self) -> Basis | None:
        """The basis that only checks, if there is one."""
        return None if self.key_basis_probability is None else CHECK_BASIS

    @property
    def packets_of_a_block(self) -> int:
        """Packets of a privacy-amplification block."""
        return self.block_packets or self.parameters.block_packets
