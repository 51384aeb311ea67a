"""Print what a co-simulated receiver makes of faults: ``python -m keybeam_sim.fault_campaign``."""

import sys
import tempfile
from pathlib import Path

import click
import msgspec

from keybeam_sim.fault_campaign.report import markdown
from keybeam_sim.fault_campaign.run import FaultPlan, run_campaign


@click.command()
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(seed: int, as_json: bool) -> None:
    """Run a burst, a line cut and a stuck detector through the co-simulated boards.

    Ends with status 1 if anything was lost without a mark.

    \b
    Example:
        python -m keybeam_sim.fault_campaign --seed 2
    """
    plan, said = FaultPlan(), ""

    def report(text: str) -> None:
        nonlocal said
        if text.split(".")[0] != said.split(".")[0]:
            click.echo(f"{text} ...", err=True)
        said = text

    with tempfile.TemporaryDirectory() as folder:
        result = run_campaign(plan, folder=Path(folder), seed=seed, report_progress=report)
    click.echo(msgspec.json.encode(result).decode() if as_json else markdown(plan, result))
    sys.exit(not result.passed)


if __name__ == "__main__":
    main()
