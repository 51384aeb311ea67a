"""1BitSquared's iCEBreaker (iCE40UP5K): for teaching, and too small for either terminal.

It has 5280 logic cells, each a look-up table and a flip-flop. A transmitter with the shallowest
state log has 17,402 flip-flops before any mapping, and what a lesson could not do without (pattern,
time base, registers, host link) 5715 (``python -m keybeam_boards.block_sizes``). A slower clock
does not change that: four slots a cycle are what the blocks are made for, not how fast it is.
"""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from keybeam_boards.board import Board

__all__ = ["IcebreakerPlatform"]


class IcebreakerPlatform(Board, ICEBreakerPlatform):
    """The board as it is known here: what it is, and why it can be no terminal.

    Parameters
    ----------
    lanes : int, optional
        No number: it can be no transmitter.
    """

    toolchain_name = "IceStorm"
    speed = None
    title = "1BitSquared iCEBreaker (iCE40UP5K)"
    reference_clock = "clk12"
    restart_button = "button"
    slot_rates = {}
    no_role = (
        "neither terminal fits into 5280 logic cells: a transmitter has 17402 flip-flops, and 5715 "
        "without random source, state log, downlink and uplink"
    )
    timing_device = "iCE40UP5K"
    loader = ("--board", "ice40_generic")
