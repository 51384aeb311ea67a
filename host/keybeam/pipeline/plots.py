"""Plot of where the time of a run goes."""

from pathlib import Path

import numpy as np

from keybeam.drawing import svg_figure
from keybeam.pipeline.run import PipelineResult

__all__ = ["plot_stages"]

# Okabe and Ito's palette, which most colour-blind readers can tell apart.
_PARTS = (
    ("at work", "busy_s", "#0072B2"),
    ("waiting for the stage before", "starved_s", "#CCCCCC"),
    ("waiting for the stage after", "blocked_s", "#D55E00"),
)


def plot_stages(result: PipelineResult, path: Path) -> None:
    """Draw for every process how long it worked and waited, into an SVG file.

    Parameters
    ----------
    result : PipelineResult
        What a run told.
    path : Path
        File to write.
    """
    with svg_figure(path, "stages", (8, 1.2 + 0.4 * len(result.stages))) as figure:
        axes = figure.subplots()
        places = np.arange(len(result.stages))
        left = np.zeros(len(result.stages))
        for label, name, colour in _PARTS:
            width = np.array([getattr(stage, name) for stage in result.stages])
            axes.barh(places, width, left=left, color=colour, label=label)
            left += width
        axes.set_yticks(places, [stage.stage for stage in result.stages])
        axes.invert_yaxis()
        axes.set(xlabel="s", xlim=(0, None))
        figure.legend(loc="outside lower center", ncols=len(_PARTS))
