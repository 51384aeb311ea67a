// Behaviour of the ECP5's cells as Lattice's documents describe it (FPGA-TN-02035, FPGA-TN-02200),
// without delays: enough to see which bit is where, and that all lanes start together.

module ODDRX2F (
    input SCLK, ECLK, RST, D0, D1, D2, D3,
    output Q
);
    parameter GSR = "ENABLED";
    reg [3:0] parallel = 0;
    reg [3:0] serial = 0;
    reg falling = 0;
    reg second = 0;

    always @(posedge SCLK or posedge RST)
        if (RST) parallel <= 0;
        else parallel <= {D3, D2, D1, D0};

    // Two rising edges of the edge clock a word: the first takes it over, the second moves on.
    always @(posedge ECLK or posedge RST)
        if (RST) begin
            second <= 0;
            serial <= 0;
        end else begin
            second <= !second;
            serial <= second ? serial >> 2 : parallel;
        end

    always @(negedge ECLK or posedge RST)
        if (RST) falling <= 0;
        else falling <= serial[1];

    assign Q = ECLK ? serial[0] : falling;
endmodule

module IDDRX2F (
    input D, SCLK, ECLK, RST, ALIGNWD,
    output reg Q0, Q1, Q2, Q3
);
    parameter GSR = "ENABLED";
    reg rising = 0;
    reg [1:0] pair = 0;
    reg [1:0] older = 0;

    always @(posedge ECLK) rising <= D;
    always @(negedge ECLK) begin
        pair <= {D, rising};
        older <= pair;
    end

    always @(posedge SCLK or posedge RST)
        if (RST) {Q3, Q2, Q1, Q0} <= 0;
        else {Q3, Q2, Q1, Q0} <= {pair, older};
endmodule

module ODDRX1F (
    input SCLK, RST, D0, D1,
    output Q
);
    parameter GSR = "ENABLED";
    reg [1:0] pair = 0;
    reg falling = 0;

    always @(posedge SCLK or posedge RST)
        if (RST) pair <= 0;
        else pair <= {D1, D0};
    always @(negedge SCLK or posedge RST)
        if (RST) falling <= 0;
        else falling <= pair[1];

    assign Q = SCLK ? pair[0] : falling;
endmodule

module IDDRX1F (
    input D, SCLK, RST,
    output reg Q0, Q1
);
    parameter GSR = "ENABLED";
    reg rising = 0;
    reg falling = 0;

    always @(posedge SCLK) rising <= D;
    always @(negedge SCLK) falling <= D;
    always @(posedge SCLK or posedge RST)
        if (RST) {Q1, Q0} <= 0;
        else {Q1, Q0} <= {falling, rising};
endmodule

// Frequencies are not modelled: a loop hands its input on once it is locked, and half of it.
module EHXPLLL (
    input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY,
    input PLLWAKESYNC, RST, ENCLKOP,
    output CLKOP,
    output reg CLKOS,
    output reg LOCK
);
    parameter CLKOS_DIV = 8, CLKOS_CPHASE = 0, CLKOS_FPHASE = 0, CLKOS_ENABLE = "DISABLED";
    parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0;
    parameter CLKOP_ENABLE = "ENABLED", FEEDBK_PATH = "CLKOP", PLLRST_ENA = "DISABLED";
    parameter INTFB_WAKE = "DISABLED", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED";
    reg [3:0] count = 0;
    // Set by a test that takes the reference away.
    reg lost /* verilator public_flat_rw */ = 0;
    wire unlock = RST || lost;
    initial LOCK = 0;
    assign CLKOP = CLKI;
    initial CLKOS = 0;
    always @(posedge CLKI) CLKOS <= !CLKOS;
    always @(posedge CLKI or posedge unlock)
        if (unlock) {LOCK, count} <= 0;
        else begin
            count <= count + 1;
            if (&count) LOCK <= 1;
        end
endmodule

// The stop acts on a whole period, never on a part of one.
module ECLKSYNCB (
    input ECLKI, STOP,
    output ECLKO
);
    reg enable = 1;
    always @(negedge ECLKI) enable <= !STOP;
    assign ECLKO = ECLKI & enable;
endmodule

module DCCA (
    input CLKI, CE,
    output CLKO
);
    reg enable = 1;
    always @(negedge CLKI) enable <= CE;
    assign CLKO = CLKI & enable;
endmodule

module CLKDIVF (
    input CLKI, RST, ALIGNWD,
    output reg CDIVX
);
    parameter GSR = "DISABLED", DIV = "2.0";
    initial CDIVX = 0;
    always @(posedge CLKI or posedge RST)
        if (RST) CDIVX <= 0;
        else CDIVX <= !CDIVX;
endmodule

// Low resets every flip-flop that follows it.
module GSR (
    input GSR
);
endmodule

module FD1S3AX (
    input CK, D,
    output reg Q
);
    parameter GSR = "ENABLED";
    wire reset = GSR == "ENABLED" && !bench.clocks.global_reset.GSR;
    initial Q = 0;
    always @(posedge CK or posedge reset)
        if (reset) Q <= 0;
        else Q <= D;
endmodule

module FD1S3DX (
    input CK, D, CD,
    output reg Q
);
    parameter GSR = "ENABLED";
    initial Q = 0;
    always @(posedge CK or posedge CD)
        if (CD) Q <= 0;
        else Q <= D;
endmodule

module FD1S3BX (
    input CK, D, PD,
    output reg Q
);
    parameter GSR = "ENABLED";
    initial Q = 0;
    always @(posedge CK or posedge PD)
        if (PD) Q <= 1;
        else Q <= D;
endmodule
