"""The command ``keybeam tags sync``: sync words timed by the edges of the downlink."""

from pathlib import Path

import click
import numpy as np

from keybeam.options import as_json
from keybeam.output import print_json
from keybeam.tags.options import CAPTURE_FILE, channel_number, html_option, show, write_page
from keybeam.tags.plots import Plot, Series
from keybeam.tags.sync_times import capture_sync_times

__all__ = ["sync"]


@click.command()
@click.argument("file", type=CAPTURE_FILE)
@click.option(
    "--edges",
    "channel",
    callback=channel_number,
    default="LINE",
    show_default=True,
    help="Channel that recorded edges of the downlink.",
)
@html_option
@as_json
def sync(file: Path, channel: int, html: Path | None, as_json: bool) -> None:
    """Time the sync words of a capture by the edges of the downlink around them.

    The receiver itself times a word to its sample of 1.6 ns. A straight line through the edges of
    a frame, as the time-tagger timed them, gives picoseconds. So LINE has to be recorded, with a
    divider for the link's sake.

    \b
    Examples:
        keybeam rx channels LINE --enable --divider 64
        keybeam tags record --duration 1 pass.h5
        keybeam tags sync pass.h5
        keybeam tags sync pass.h5 --edges AUX_1 --json
    """
    found = capture_sync_times(file, channel)
    fitted = found.edges > 0
    plot = Plot(
        f"{file.name}: time of the sync words by their edges, less that by their samples",
        "time / s",
        "difference / ps",
        (
            Series(
                "fitted",
                found.times_s[fitted],
                found.corrections_ps[fitted],
                found.errors_ps[fitted],
            ),
        ),
    )
    facts = {
        "words": f"{fitted.size:,}, of them fitted {np.count_nonzero(fitted):,}",
        "edges of a word": f"median {np.median(found.edges[fitted]):.0f}",
        "own error of a word": f"median {np.median(found.errors_ps[fitted]):.1f} ps RMS",
        "scatter about the clock of 0.1 s": f"{found.fitted_scatter_ps:.1f} ps RMS, by the samples "
        f"{found.sampled_scatter_ps:.1f} ps RMS",
        "error of a frame's start by that clock": f"{found.clock_error_ps:.2f} ps",
    }
    write_page(plot, facts, html)
    if as_json:
        names = ("sampled_scatter_ps", "fitted_scatter_ps", "clock_error_ps")
        print_json(
            {name: getattr(found, name) for name in names}
            | {
                "words": [
                    {"counter": counter, "time_s": time, "edges": edges}
                    | {"correction_ps": correction, "error_ps": error}
                    for counter, time, edges, correction, error in zip(
                        found.counters.tolist(),
                        found.times_s.tolist(),
                        found.edges.tolist(),
                        found.corrections_ps.tolist(),
                        found.errors_ps.tolist(),
                        strict=True,
                    )
                ]
            }
        )
    else:
        show(plot, facts, None)
