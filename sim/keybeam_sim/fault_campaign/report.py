"""The report of a fault campaign, as the documentation shows it."""

from keybeam_sim.fault_campaign.run import CampaignResult, FaultPlan

__all__ = ["markdown"]


def markdown(plan: FaultPlan, result: CampaignResult) -> str:
    """Write the report as Markdown tables.

    Parameters
    ----------
    plan : FaultPlan
        The faults.
    result : CampaignResult
        What became of them.
    """
    burst, cut, stuck = (
        round(span[1] - span[0], 3) for span in (plan.burst_ms, plan.cut_ms, plan.stuck_ms)
    )
    flags = ", ".join(name for name, value in result.flags.items() if value is True)
    lines = [
        "| fault | what was lost | how it is marked |",
        "|---|---|---|",
        f"| tags at {plan.burst_factor:g} times the {result.link_rate:,.0f} records/s of the link, "
        f"for {burst:g} ms | {result.burst_marked:,} of {result.burst_edges:,} detections "
        "| gaps of "
        "each channel with these counts |",
        f"| downlink cut for {cut:g} ms | the sync words of {result.cut_frames} frames; locked "
        f"again {result.relock_frames:.1f} frames after its end | {result.cut_flywheel} words "
        f"marked as filled in; flags: {flags} |",
        f"| detector H stuck high for {stuck:g} ms | its clicks meanwhile show no edge: "
        f"{result.stuck_edges} edge at the begin | by its rate: no tagger can know more |",
        "",
        "| channel | edges on the pin | arrived | recorded | dropped | records | marked as lost "
        "| gaps | unmarked |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {account.channel} | {account.edges:,} | {account.arrived:,} | {account.recorded:,} "
        f"| {account.dropped:,} | {account.records:,} | {account.marked:,} | {account.gaps} "
        f"| {account.unmarked} |"
        for account in result.accounts
    ]
    lines += [
        "",
        f"Sync words with a wrong frame counter: {result.wrong_frames}. Sync words told while the "
        f"line was cut: {result.cut_words_seen}. Losses between board and host: "
        f"{result.link_losses}. "
        + ("All loss was marked." if result.passed else "SOMETHING WAS LOST UNMARKED."),
    ]
    return "\n".join(lines)
