"""What a co-simulated receiver makes of faults: all that is lost is marked, and how much it is."""

from keybeam_sim.fault_campaign.accounts import (
    ChannelAccount,
    edges_on_pin,
    samples_before_reset,
    settle_accounts,
)
from keybeam_sim.fault_campaign.run import CampaignResult, FaultPlan, run_campaign

__all__ = [
    "CampaignResult",
    "ChannelAccount",
    "FaultPlan",
    "edges_on_pin",
    "run_campaign",
    "samples_before_reset",
    "settle_accounts",
]
