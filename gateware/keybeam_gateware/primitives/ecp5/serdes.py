"""A SERDES of the ECP5 as an output of sixteen bits a cycle: DCUA.

The figures are those of Lattice's "ECP5 and ECP5-5G SERDES/PCS Usage Guide"
(FPGA-TN-02206): 8-bit SERDES-only mode, which has no line code; the transmit
FIFO of the FPGA bridge, which takes up any phase between the fabric's clock and
the transmitter's own, as long as their frequencies are the same; and the order
of a start. What the guide does not explain is set as Lattice's own tool does.
"""

from amaranth.hdl import ClockSignal, Const, Instance, IOValue, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from keybeam_gateware.primitives.serial_start import LOCK_CYCLES, SerialStart

__all__ = ["REFERENCE_MULTIPLIER", "SERIAL_BITS", "SerialLane"]

SERIAL_BITS = 16
"""Bits of a cycle: two words of eight, by the 2:1 gearbox."""

REFERENCE_MULTIPLIER = 16
"""Line rate by reference clock: the reference is the fabric's clock itself."""

_SECOND_WORD = 12  # first pin of the second word, with gearing

_POWER_AND_PLL = {
    "D_MACROPDB": "0b1",
    "D_IB_PWDNB": "0b1",
    "D_TXPLL_PWDNB": "0b1",
    "D_BITCLK_LOCAL_EN": "0b1",
    "D_SYNC_LOCAL_EN": "0b1",
    "D_BUS8BIT_SEL": "0b1",
    "D_REFCK_MODE": "0b010",  # bit clock is 16 times the reference
    "D_TX_VCO_CK_DIV": "0b000",  # bit clock is the oscillator's
    "D_PLL_LOL_SET": "0b00",  # lock within 300 ppm, loss beyond 600 ppm
}
_ANALOGUE = {  # as Lattice's tool sets them for every protocol
    "D_CMUSETBIASI": "0b00",
    "D_CMUSETI4CPP": "0d3",
    "D_CMUSETI4CPZ": "0d3",
    "D_CMUSETI4VCO": "0b00",
    "D_CMUSETICP4P": "0b01",
    "D_CMUSETICP4Z": "0b101",
    "D_CMUSETINITVCT": "0b00",
    "D_CMUSETISCL4VCO": "0b000",
    "D_CMUSETP1GM": "0b000",
    "D_CMUSETP2AGM": "0b000",
    "D_CMUSETZGM": "0b000",
    "D_PD_ISET": "0b11",
    "D_REQ_ISET": "0b011",
    "D_RG_EN": "0b0",
    "D_RG_SET": "0b00",
    "D_SETICONST_AUX": "0b01",
    "D_SETICONST_CH": "0b10",
    "D_SETIRPOLY_AUX": "0b01",
    "D_SETIRPOLY_CH": "0b01",
    "D_SETPLLRC": "0d1",
}
_CHANNEL = {
    "PROTOCOL": "8BSER",
    "UC_MODE": "0b1",
    "ENC_BYPASS": "0b1",
    "TPWDNB": "0b1",
    "RPWDNB": "0b0",  # the receiver is off
    "RATE_MODE_TX": "0b0",  # full rate
    "TX_GEAR_MODE": "0b1",  # two words a cycle
    "TX_GEAR_BYPASS": "0b0",
    "FF_TX_H_CLK_EN": "0b1",
    "FF_TX_F_CLK_DIS": "0b1",
    "RTERM_TX": "0d19",  # 50 ohms
    "TXAMPLITUDE": "0d1000",  # mV
    "TDRV_SLICE0_CUR": "0b011",
    "TDRV_SLICE0_SEL": "0b01",
    "TDRV_SLICE1_CUR": "0b000",
    "TDRV_SLICE1_SEL": "0b00",
    "TDRV_SLICE2_CUR": "0b11",
    "TDRV_SLICE2_SEL": "0b01",
    "TDRV_SLICE3_CUR": "0b10",
    "TDRV_SLICE3_SEL": "0b01",
    "TDRV_SLICE4_CUR": "0b00",
    "TDRV_SLICE4_SEL": "0b00",
    "TDRV_SLICE5_CUR": "0b00",
    "TDRV_SLICE5_SEL": "0b00",
}


class SerialLane(wiring.Component):
    """Send sixteen bits a cycle on a SERDES output: four sub-slots a slot.

    The transmitter's reference is ``sync`` itself, so both run at exactly one rate and no bit is
    lost or doubled. The phase between them is that of the FIFO at the start: the lane's latency
    stays the same until the next start, but may then differ by whole cycles of ``sync``. Its
    position against the other lanes is to be measured after every start.

    There is no line code, and the pins are alternating-current coupled on most boards: patterns
    that are seldom high keep their edges, but their levels wander to where the mean is zero.

    Parameters
    ----------
    unit : int
        Which dual-channel unit, 0 or 1.
    channel : int
        Which of its channels, 0 or 1.
    maximum_gbps : str
        Fastest line rate of the unit, as the part's tools write it.
    positive, negative : IOValue
        The pads.
    lock_cycles : int
        Cycles for which the transmitter's loop must have been locked before the lane starts.

    Members
    -------
    word : In(16)
        Bits of this cycle, the earliest lowest.
    ready : Out(1)
        The words are sent. Else the lane gives a constant level, and all words are dropped.
    """

    word: In(SERIAL_BITS)
    ready: Out(1)

    def __init__(
        self,
        *,
        positive: IOValue,
        negative: IOValue,
        unit: int = 0,
        channel: int = 0,
        maximum_gbps: str = "2.5",
        lock_cycles: int = LOCK_CYCLES,
    ) -> None:
        self._pads = positive, negative
        self._unit, self._channel, self._maximum = unit, channel, maximum_gbps
        self._lock_cycles = lock_cycles
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.start = start = SerialStart(lock_cycles=self._lock_cycles)
        unlocked = Signal()
        m.submodules.lock = FFSynchronizer(unlocked, start.unlocked, init=1)
        m.d.comb += self.ready.eq(start.ready)
        word = Signal(SERIAL_BITS)
        with m.If(start.ready):
            m.d.sync += word.eq(self.word)
        with m.Else():
            m.d.sync += word.eq(0)

        prefix = f"CH{self._channel}_"
        positive, negative = self._pads
        data = {
            f"i_{prefix}FF_TX_D_{bit % 8 + _SECOND_WORD * (bit // 8)}": word[bit]
            for bit in range(SERIAL_BITS)
        }
        m.submodules.unit = Instance(
            "DCUA",
            a_LOC=f"DCU{self._unit}",
            **{f"p_{name}": value for name, value in (_POWER_AND_PLL | _ANALOGUE).items()},
            p_D_TX_MAX_RATE=self._maximum,
            **{f"p_{prefix}{name}": value for name, value in _CHANNEL.items()},
            i_D_REFCLKI=ClockSignal("sync"),
            i_D_FFC_MACROPDB=Const(1),
            i_D_FFC_MACRO_RST=start.reset_all,
            i_D_FFC_DUAL_RST=start.reset_all,
            i_D_FFC_TRST=start.reset_all,
            o_D_FFS_PLOL=unlocked,
            **{
                f"i_{prefix}FFC_TXPWDNB": Const(1),
                f"i_{prefix}FFC_RXPWDNB": Const(0),
                f"i_{prefix}FFC_RRST": Const(1),
                f"i_{prefix}FFC_LANE_RX_RST": Const(1),
                f"i_{prefix}FFC_LANE_TX_RST": start.reset_lane,
                f"i_{prefix}FF_TXI_CLK": ClockSignal("sync"),
                f"o_{prefix}HDOUTP": positive,
                f"o_{prefix}HDOUTN": negative,
            },
            **data,
        )
        return m
