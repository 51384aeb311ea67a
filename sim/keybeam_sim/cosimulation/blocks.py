"""The Verilog around the two boards, and the blocks in which it exchanges their pins' levels.

Python is called once in `BLOCK_CYCLES` cycles of a board's clock, not in every
one. The wrapper gathers a word of the board's outputs each cycle and gives the
words of a block at once; it takes the words of the board's inputs in the same
way and plays them in the block after. A board's tick changes early in each
block: then the words of the block before can be read, and those of the next
are awaited. In the first block both boards are in reset.
"""

import numpy as np
from numpy.typing import NDArray

from keybeam_gateware.transmitter.pattern import FINE_DELAY_LAYOUT
from keybeam_sim.cosimulation.edge_places import PLACES_WORD_BITS

__all__ = [
    "AUXILIARY_SHIFTS",
    "BLOCK_CYCLES",
    "DETECTORS_SHIFT",
    "LANES_BITS",
    "LINE_SHIFT",
    "RANDOM_BLOCK_WORDS",
    "TOP_NAME",
    "UART_SHIFT",
    "WRAPPER",
    "block_from_integer",
    "integer_from_block",
]

BLOCK_CYCLES = 256
"""Cycles of a block, a power of two."""

RANDOM_BLOCK_WORDS = BLOCK_CYCLES // 2
"""Random words of 64 bits in a block: 16 bits of each of the two random-number chips a cycle."""

TOP_NAME = "cosimulation"
"""Name of the wrapper's module."""

LANES_BITS = 20
"""The transmitter's word: the five lanes of the single-laser source in the lowest bits, then the
downlink's four."""
LINE_SHIFT = LANES_BITS
DETECTORS_SHIFT = 4
"""The receiver's word: the four line samples in the lowest bits, then four of each detector."""
UART_SHIFT = 24
"""The level of the UART pin in all words."""
AUXILIARY_SHIFTS = (20, 25)
"""The four samples of each of the receiver's auxiliary inputs."""

_FINE_DELAYS_BITS = FINE_DELAY_LAYOUT.size

_CYCLE_BITS = BLOCK_CYCLES.bit_length() - 1
_PUBLIC = "/* verilator public_flat_rw */"

WRAPPER = f"""
module {TOP_NAME} (
  input transmitter_clk {_PUBLIC},
  input receiver_clk {_PUBLIC},
  input [{64 * RANDOM_BLOCK_WORDS - 1}:0] random_block {_PUBLIC},
  input [{BLOCK_CYCLES - 1}:0] transmitter_uart {_PUBLIC},
  output reg [{32 * BLOCK_CYCLES - 1}:0] transmitter_block {_PUBLIC},
  output reg transmitter_tick {_PUBLIC},
  output [{_FINE_DELAYS_BITS - 1}:0] fine_delays {_PUBLIC},
  input [{32 * BLOCK_CYCLES - 1}:0] receiver_block {_PUBLIC},
  input [{PLACES_WORD_BITS * BLOCK_CYCLES - 1}:0] receiver_places {_PUBLIC},
  output reg [{BLOCK_CYCLES - 1}:0] receiver_uart {_PUBLIC},
  output reg receiver_tick {_PUBLIC}
);
  localparam CYCLES = {BLOCK_CYCLES};

  // The transmitter.
  wire [31:0] lanes;
  wire [3:0] downlink;
  wire transmitter_tx;
  reg transmitter_reset, random_loaded;
  reg [{64 * RANDOM_BLOCK_WORDS - 1}:0] random_words;
  reg [{_CYCLE_BITS - 1}:0] sent;
  reg [{32 * BLOCK_CYCLES - 1}:0] sent_words;
  reg [{BLOCK_CYCLES - 1}:0] transmitter_levels;
  wire [31:0] sent_word = {{7'd0, transmitter_tx, downlink, lanes[{LANES_BITS - 1}:0]}};
  always @(posedge transmitter_clk) begin
    sent <= sent + 1;
    sent_words[32*sent +: 32] <= sent_word;
    if (sent == 1) transmitter_tick <= ~transmitter_tick;
    if (sent == CYCLES - 1) begin
      transmitter_block <= {{sent_word, sent_words[32*(CYCLES-1)-1:0]}};
      transmitter_levels <= transmitter_uart;
      random_words <= random_block;
      transmitter_reset <= 0;
      random_loaded <= ~transmitter_reset;
    end
  end
  transmitter transmitter (
    .clk(transmitter_clk), .rst(transmitter_reset),
    // Both chips give bits always. The downlink is led back to the uplink input.
    .chips(random_words[32*sent +: 32]), .chip_valid({{2{{random_loaded}}}}),
    .ring(16'd0), .ring_valid(1'b0), .pps(4'd0), .fault(1'b0), .uplink(downlink),
    .lanes(lanes), .downlink(downlink), .fine_delay(fine_delays),
    .uart_rx(transmitter_levels[sent]), .uart_tx(transmitter_tx)
  );

  // The receiver.
  wire receiver_tx;
  reg receiver_reset;
  reg [{_CYCLE_BITS - 1}:0] played;
  reg [{32 * BLOCK_CYCLES - 1}:0] playing;
  reg [{PLACES_WORD_BITS * BLOCK_CYCLES - 1}:0] playing_places;
  reg [{BLOCK_CYCLES - 1}:0] receiver_levels;
  wire [31:0] playing_word = playing[32*played +: 32];
  always @(posedge receiver_clk) begin
    played <= played + 1;
    receiver_levels[played] <= receiver_tx;
    if (played == 1) receiver_tick <= ~receiver_tick;
    if (played == CYCLES - 1) begin
      receiver_uart <= {{receiver_tx, receiver_levels[CYCLES-2:0]}};
      playing <= receiver_block;
      playing_places <= receiver_places;
      receiver_reset <= 0;
    end
  end
  receiver receiver (
    .clk(receiver_clk), .rst(receiver_reset),
    .line(playing_word[3:0]), .detectors(playing_word[19:4]), .pps(4'd0),
    .auxiliary({{playing_word[{AUXILIARY_SHIFTS[1] + 3}:{AUXILIARY_SHIFTS[1]}],
      playing_word[{AUXILIARY_SHIFTS[0] + 3}:{AUXILIARY_SHIFTS[0]}]}}),
    .places(playing_places[{PLACES_WORD_BITS}*played +: {PLACES_WORD_BITS}]),
    .uart_rx(playing_word[{UART_SHIFT}]), .uart_tx(receiver_tx)
  );

  initial begin
    random_words = 0; random_loaded = 0;
    sent = 0; sent_words = 0; transmitter_block = {{CYCLES{{32'h01000000}}}};
    transmitter_tick = 0; transmitter_levels = {{CYCLES{{1'b1}}}};
    played = 0; playing = {{CYCLES{{32'h01000000}}}}; playing_places = 0;
    receiver_levels = {{CYCLES{{1'b1}}}};
    receiver_uart = {{CYCLES{{1'b1}}}}; receiver_tick = 0;
    transmitter_reset = 1; receiver_reset = 1;
  end
endmodule
"""
"""Verilog of the wrapper; the boards' modules are named ``transmitter`` and ``receiver``."""


def block_from_integer(value: int) -> NDArray[np.uint32]:
    """Words of a block, the earliest first, from the number that all its bits make.

    Returns
    -------
    ndarray of uint32, shape (BLOCK_CYCLES,)
    """
    return np.frombuffer(value.to_bytes(4 * BLOCK_CYCLES, "little"), np.dtype("<u4"))


def integer_from_block(words: NDArray[np.unsignedinteger]) -> int:
    """Make a number of a block's words, of 32 or 64 bits, the earliest in the lowest bits."""
    return int.from_bytes(words.astype(words.dtype.newbyteorder("<")).tobytes(), "little")
