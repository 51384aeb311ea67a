"""1BitSquared's iCEBreaker (iCE40UP5K): for teaching, and too small for either terminal.

It has 5280 logic cells, each a look-up table and a flip-flop, and no x2 lane cells. The blocks of
the pattern alone, between random bits and lanes, take 2078 look-up tables and 3424 flip-flops of
them (``yosys synth_ice40 -device u``), without random source, state log, downlink and host link.
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
    no_role = "neither terminal fits into 5280 logic cells: the pattern alone has 3424 flip-flops"
    timing_device = "iCE40UP5K"
    loader = ("--board", "ice40_generic")
