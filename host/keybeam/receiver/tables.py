"""Figures of calibrated delay lines, for a reader."""

import math

from keybeam.output import Value
from keybeam.protocol.numbers import FABRIC_PERIOD_PS
from keybeam.receiver.calibration_file import Calibration
from keybeam.tagger import linearity

__all__ = ["linearity_rows"]


def linearity_rows(calibration: Calibration) -> list[dict[str, Value]]:
    """Tell how even the codes of each channel and direction of edges are.

    Parameters
    ----------
    calibration : Calibration
        What was counted.

    Returns
    -------
    list of dict
        Counts, codes in use, widths of bins in ps, non-linearity in LSB (mean bins) before
        calibration, and the errors in ps RMS that are left after it: by the widths of the bins
        alone, and by the finite counts in the middle of the period, where they are largest. Of N
        counts a part p lies before it with a variance of p (1 - p) / N.
    """
    rows: list[dict[str, Value]] = []
    for name, counts in calibration.channels.items():
        for edge, table in counts.tables().items():
            shape = linearity(table)
            rows.append(
                {
                    "channel": name,
                    "edge": edge,
                    "lines": counts.chains,
                    "counts": int(table.counts.sum()),
                    "codes": len(shape.dnl_lsb),
                    "mean bin, ps": round(shape.mean_bin_ps, 2),
                    "widest, ps": round(shape.widest_bin_ps, 2),
                    "DNL, LSB": f"{shape.dnl_lsb.min():+.2f} {shape.dnl_lsb.max():+.2f}",
                    "INL, LSB": f"{shape.inl_lsb.min():+.2f} {shape.inl_lsb.max():+.2f}",
                    "bins alone, ps RMS": round(shape.quantisation_ps, 2),
                    "counts alone, ps RMS": round(_counting_ps(int(table.counts.sum())), 2),
                }
            )
    return rows


def _counting_ps(counts: int) -> float:
    return 0.5 * FABRIC_PERIOD_PS / math.sqrt(counts)
