import pytest

from keybeam_sim.laboratory.bench import Bench
from keybeam_sim.laboratory.mounts import RotationBus
from keybeam_sim.laboratory.scpi import header_pattern
from keybeam_sim.laboratory.sources import BiasSource, LaserController, WaveformGenerator


@pytest.mark.parametrize(
    ("header", "good", "bad"),
    [
        ("SOURce#:VOLTage[:LEVel]?", ["SOUR1:VOLT?", ":SOURCE:VOLTAGE:LEVEL?", "SOUR2:VOLT:LEV?"],
         ["SOUR1:VOLT", "SOURC:VOLT?", "SOUR1:LEV?"]),
        ("*IDN?", ["*IDN?"], ["IDN?", "*IDN"]),
    ],
)  # fmt: skip
def test_headers_match_in_long_and_short_form(header, good, bad):
    pattern = header_pattern(header)
    assert all(pattern.fullmatch(each) for each in good)
    assert not any(pattern.fullmatch(each) for each in bad)


def test_errors_queue_up_until_they_are_asked_for():
    source = BiasSource(Bench(1))
    for line in ("SOUR:NONSENSE 1", "SOUR:LEV:AUTO 33", "SOUR:LEV:AUTO x", "OUTP"):
        assert source.handle(line) is None
    answers = [source.handle("SYST:ERR?") for _ in range(5)]
    assert [int(answer.split(b",")[0]) for answer in answers] == [-113, -222, -104, -109, 0]
    source.handle("OUTP")
    source.handle("*CLS")
    assert source.handle(":SYSTem:ERRor:NEXT?").startswith(b"0,")


def test_a_source_reaches_the_bench_only_while_it_is_on():
    bench = Bench(1)
    source = BiasSource(bench)
    source.handle("SOUR:LEV:AUTO 2.5")
    assert bench.controls.bias_v == 0
    source.handle("OUTP ON")
    assert bench.controls.bias_v == 2.5
    source.handle("OUTP:STAT 0;*OPC?")
    assert bench.controls.bias_v == 0


def test_the_laser_wants_its_cooler_and_obeys_its_limit():
    bench = Bench(1)
    laser = LaserController(bench)
    laser.handle("OUTP1 ON")
    assert not bench.controls.laser_on
    laser.handle("SOUR2:TEMP 24;:OUTP2 ON;:OUTP1 ON;:SOUR1:CURR:LIM 0.02")
    assert bench.controls.laser_on
    assert bench.controls.temperature_c == pytest.approx(24, abs=0.02)
    laser.handle("SOUR1:CURR 0.021")
    assert bench.controls.bias_a == 0
    assert float(laser.handle("MEAS:CURR1?")) == pytest.approx(0, abs=1e-5)


def test_a_generator_keeps_its_own_limits():
    bench = Bench(1)
    generator = WaveformGenerator(bench, {"1": "drive_v", "2": "polarisation_v"})
    generator.handle("SOUR2:VOLT:LIM:HIGH 1")
    generator.handle("OUTP2 ON")
    generator.handle("SOUR2:VOLT:OFFS 1.2")
    assert bench.controls.polarisation_v == 0
    generator.handle("SOUR2:VOLT:OFFS 0.9")
    assert (bench.controls.polarisation_v, bench.controls.drive_v) == (0.9, 0)


def test_mounts_answer_for_themselves_and_only_whole_messages():
    bench = Bench(1)
    bus = RotationBus(bench)
    received = bytearray(b"0in1ma0000")
    assert bus.take(received).startswith(b"0IN0E")
    assert received == b"1ma0000"
    received += b"8C007gp"
    answer = bus.take(received)
    assert answer.startswith(b"1PO0000")
    assert bench.controls.plates_deg[1] == pytest.approx(90, abs=0.04)
    assert not received
