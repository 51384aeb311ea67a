"""A recorded pass, processed offline: from tags and symbols to key, as fast as the machine allows.

The stages run in processes of their own, joined by shared memory; see ``docs/pipeline.md``.
"""

from keybeam.pipeline.errors import PipelineError, SymbolRecordError
from keybeam.pipeline.meter import StageStatistics
from keybeam.pipeline.run import PipelineResult, Progress, process_pass
from keybeam.pipeline.settings import PipelineSettings
from keybeam.pipeline.symbols import SymbolRecord, SymbolRecordWriter

__all__ = [
    "PipelineError",
    "PipelineResult",
    "PipelineSettings",
    "Progress",
    "StageStatistics",
    "SymbolRecord",
    "SymbolRecordError",
    "SymbolRecordWriter",
    "process_pass",
]
