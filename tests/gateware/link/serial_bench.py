"""Runs cocotb tests on a top of which only the serial line is reached."""

from pathlib import Path

from keybeam_sim.simulators import build_simulation, emit_verilog, run_simulation

HERE = Path(__file__).parent

# Only what is marked stays visible, so that Verilator can optimise all the rest away.
BENCH = """\
module serial_bench (
  input clk /* verilator public_flat_rw */,
  input rst /* verilator public_flat_rw */,
  input uart_rx /* verilator public_flat_rw */,
  output uart_tx /* verilator public_flat_rw */
);
  {top} top (.clk(clk), .rst(rst), .uart_rx(uart_rx), .uart_tx(uart_tx){idle});
endmodule
"""


def run_on_serial_line(top, test_module, folder, simulator, *, idle=(), environment=None):
    """Number of tests that passed, with the inputs in `idle` (from names and widths) at 0."""
    verilog = emit_verilog(top, "terminal", folder / "terminal.v")
    bench = folder / "serial_bench.v"
    tied = "".join(f", .{name}({width}'d0)" for name, width in idle)
    bench.write_text(BENCH.format(top="terminal", idle=tied))
    build_simulation(
        sources=[verilog, bench],
        toplevel="serial_bench",
        folder=folder / simulator,
        simulator=simulator,
        opaque=True,
    )
    ran, failed = run_simulation(
        toplevel="serial_bench",
        test_module=test_module,
        build_folder=folder / simulator,
        folder=folder / simulator,
        simulator=simulator,
        environment=environment,
        search_folder=HERE,
    )
    assert failed == 0
    return ran
