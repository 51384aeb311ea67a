"""The exact messages of every driver."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from keybeam.instruments import MODELS, InstrumentError, InstrumentLimitError

_SPEC = importlib.util.spec_from_file_location("exchange", Path(__file__).with_name("conftest.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
checked, expected = _MODULE.checked, _MODULE.expected


def colon(*messages):
    return checked(*messages, error_query=":SYST:ERR?")


def test_the_power_meter():
    with expected(
        "thorlabs-pm100d",
        [
            ("*IDN?", "Thorlabs,PM100D,P0000006,2.5.0"),
            ("*CLS", None),
            *checked("CONF:POW", "SENS:POW:UNIT W", "SENS:POW:RANG:AUTO 1"),
            *checked("SENS:CORR:WAV 850", error='0,"No error"'),
            *checked("SENS:AVER:COUN 300"),
            *checked("SENS:CORR:COLL:ZERO:INIT"),
            ("SENS:CORR:COLL:ZERO:STAT?", "1"),
            ("SENS:CORR:COLL:ZERO:STAT?", "0"),
            ("SYST:ERR?", '+0,"No error"'),
            ("READ?", "1.23456789E-05"),
        ],
    ) as meter:
        with meter:
            meter.set_wavelength_nm(850)
            meter.set_averages(300)
            meter.zero()
            assert meter.power_w() == pytest.approx(1.23456789e-5)
        # 300 averages of 3 ms take longer than an answer may otherwise.
        assert meter.link.timeouts_s["READ?"] > 0.9


@pytest.mark.parametrize(
    ("model", "module", "wavelength"),
    [("keysight-81577a", "81577A", 1550), ("keysight-81578a", "81578A", 850)],
)
def test_the_attenuators(model, module, wavelength):
    with (
        expected(
            model,
            [
                ("*IDN?", "Keysight Technologies,8163B,MY1,V5.25"),
                (":SLOT3:IDN?", f"Keysight Technologies,{module},MY2,V1.00"),
                ("*CLS", None),
                *checked(f":INP3:WAV {wavelength}NM"),
                *checked(":INP3:ATT 57.37DB"),
                (":INP3:ATT?", "57.3700"),
                *checked(":OUTP3:STAT ON"),
                *checked(":OUTP3:STAT OFF"),
            ],
            channel="3",
        ) as attenuator,
        attenuator,
    ):
        attenuator.set_wavelength_nm(wavelength)
        attenuator.set_attenuation_db(57.37)
        assert attenuator.attenuation_db() == 57.37
        attenuator.open_shutter(True)


def test_an_attenuator_in_another_slot_is_said():
    exchange = [
        ("*IDN?", "Agilent Technologies,8164A,DE1,V4"),
        (":SLOT1:IDN?", "Agilent Technologies,81577A,DE2,V1"),
    ]
    with (
        expected("keysight-81578a", exchange) as attenuator,
        pytest.raises(InstrumentError, match=r"slot 1 of expected holds .*81577A.*not an 81578A"),
    ):
        attenuator.identify()


def test_the_laser_controller():
    with (
        expected(
            "thorlabs-itc4001",
            [
                ("*IDN?", "Thorlabs,ITC4001,M1,1.8"),
                ("*CLS", None),
                *checked(
                    "OUTP1:STAT OFF",
                    "SOUR1:FUNC:MODE CURR",
                    "SOUR1:CURR:LIM 0.03",
                    "SOUR2:FUNC TEMP",
                    "UNIT:TEMP C",
                ),
                *checked("SOUR2:TEMP 24.5", "OUTP2:STAT ON"),
                ("MEAS:TEMP?", "24.501"),
                *checked("SOUR1:CURR 0.0075"),
                *checked("OUTP1:STAT ON"),
                ("MEAS:CURR1?", "0.00750012"),
                *checked("SOUR1:CURR 0", "OUTP1:STAT OFF"),
            ],
            current_limit_a=0.03,
        ) as laser,
        laser,
    ):
        laser.set_temperature_c(24.5)
        assert laser.temperature_c() == 24.501
        laser.set_current_a(0.0075)
        laser.switch_laser(True)
        assert laser.current_a() == 0.00750012


def test_the_gs200():
    with (
        expected(
            "yokogawa-gs200",
            [
                ("*IDN?", "YOKOGAWA,GS210,1,2.02"),
                ("*CLS", None),
                *colon(":OUTP:STAT OFF", ":SOUR:FUNC VOLT", ":SOUR:PROT:CURR 0.001"),
                *colon(":SOUR:LEV:AUTO -3.71654"),
                *colon(":OUTP:STAT ON"),
                *colon(":OUTP:STAT OFF"),
            ],
            voltage_limit_v=8.0,
        ) as source,
        source,
    ):
        source.set_voltage_v(-3.71654)
        source.switch_output(True)


def test_the_2450():
    def keithley(*messages):
        return checked(*messages, error='0,"No error;0;2026/01/01"', error_query=":SYST:ERR:NEXT?")

    with (
        expected(
            "keithley-2450",
            [
                ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04000000,1.7.0"),
                ("*CLS", None),
                *keithley(
                    ":OUTP OFF",
                    ":SOUR:FUNC VOLT",
                    ":SOUR:VOLT:RANG:AUTO ON",
                    ":SOUR:VOLT:ILIM 0.001",
                ),
                *keithley(":SOUR:VOLT 2.5"),
                *keithley(":OUTP ON"),
                *keithley(":OUTP OFF"),
            ],
            voltage_limit_v=8.0,
        ) as source,
        source,
    ):
        source.set_voltage_v(2.5)
        source.switch_output(True)


def test_the_waveform_generator():
    with (
        expected(
            "keysight-33600a",
            [
                ("*IDN?", "Keysight Technologies,33622A,MY1,A.02"),
                ("*CLS", None),
                *checked(
                    "OUTP2 OFF",
                    "OUTP2:LOAD 50",
                    "SOUR2:VOLT:LIM:STAT OFF",
                    "SOUR2:FUNC DC",
                    "SOUR2:VOLT:OFFS 0",
                    "SOUR2:VOLT:LIM:HIGH 4",
                    "SOUR2:VOLT:LIM:LOW -4",
                    "SOUR2:VOLT:LIM:STAT ON",
                ),
                *checked("SOUR2:VOLT:OFFS 3.8505"),
                *checked("OUTP2 ON"),
                *checked("SOUR2:VOLT:OFFS 0", "OUTP2 OFF"),
            ],
            channel="2",
            voltage_limit_v=4.0,
        ) as generator,
        generator,
    ):
        generator.set_level_v(3.8505)
        generator.switch_output(True)


def test_the_rotation_mount():
    with (
        expected(
            "thorlabs-ell14",
            [
                ("2in", "2IN0E1140000220211701016800023000"),
                ("2gs", "2GS02"),
                ("2gs", "2GS00"),
                ("2ho0", "2PO00000000"),
                ("2ma00008C00", "2PO00008BFE"),
                ("2ma00020D00", "2PO00020D00"),
                ("2gp", "2POFFFFFFF0"),
            ],
            channel="2",
        ) as mount,
        mount,
    ):
        mount.home()
        mount.rotate_to_deg(90.0)
        mount.rotate_to_deg(-22.5)
        assert mount.angle_deg() == pytest.approx(-16 / 143360 * 360)


def test_a_mount_that_is_stuck_is_said():
    exchange = [("0in", "0IN0E1140000220211701016800023000"), ("0ma00000000", "0GS02")]
    with expected("thorlabs-ell14", exchange) as mount:
        assert mount.identify() == ("Thorlabs", "ELL14", "11400002", "17")
        with pytest.raises(InstrumentError, match="mechanical time-out"):
            mount.rotate_to_deg(360.0)


def test_the_counter():
    with (
        expected(
            "keysight-53230a",
            [
                ("*IDN?", "Keysight Technologies,53230A,MY1,03.05"),
                ("*CLS", None),
                *checked("CONF:FREQ (@2)"),
                *checked("INP2:COUP AC", "INP2:IMP 50"),
                *checked("SENS:FREQ:GATE:SOUR TIME", "SENS:FREQ:GATE:TIME 10"),
                ("READ?", "+9.765641601562E+06"),
                *checked("ABOR"),
            ],
            channel="2",
        ) as counter,
        counter,
    ):
        assert counter.frequency_hz(10.0) == 9765641.601562
        assert counter.link.timeouts_s["READ?"] >= 20


@pytest.mark.parametrize("place", ["GPIB0::1::INSTR", "TCPIP::10.0.0.9::10001::SOCKET"])
def test_the_spectrum_analyser(place):
    login = [('OPEN "anonymous"', "AUTHENTICATE CRAM-MD5."), ("", "ready")]
    with (
        expected(
            "yokogawa-aq6370",
            [
                *(login if place.endswith("SOCKET") else []),
                ("*IDN?", "YOKOGAWA,AQ6370D,1,01.00"),
                ("*CLS", None),
                *colon("CFORM1", ":INIT:SMOD SING", ":DISP:TRAC:Y1:SPAC LOG"),
                *colon(
                    ":SENS:WAV:CENT 850NM",
                    ":SENS:WAV:SPAN 4NM",
                    ":SENS:BAND:RES 0.05NM",
                    ":SENS:SWE:POIN:AUTO ON",
                ),
                *colon(":INIT"),
                (":TRAC:X? TRA", "+8.4900000E-07,+8.5000000E-07"),
                (":TRAC:Y? TRA", "-7.2E+01,-1.5E+01"),
                *colon(":ABOR"),
            ],
            name=place,
        ) as analyser,
        analyser,
    ):
        wavelength_nm, power_dbm = analyser.sweep(850.0, 4.0, 0.05)
    np.testing.assert_allclose(wavelength_nm, [849.0, 850.0])
    np.testing.assert_array_equal(power_dbm, [-72.0, -15.0])


def test_the_oscilloscope():
    samples = np.array([-32768, 0, 10, 32767], "<i2")
    with (
        expected(
            "keysight-infiniium",
            [
                ("*IDN?", "KEYSIGHT TECHNOLOGIES,DSAV334A,MY1,06.40"),
                ("*CLS", None),
                *colon(
                    ":SYST:HEAD OFF",
                    ":ACQ:MODE RTIM",
                    ":ACQ:AVER OFF",
                    ":WAV:FORM WORD",
                    ":WAV:BYT LSBF",
                    ":WAV:STR OFF",
                ),
                *colon(
                    ":CHAN1:DISP ON",
                    ":CHAN1:SCAL 0.1",
                    ":CHAN1:OFFS 0",
                    ":ACQ:SRAT:ANAL 8E+10".replace("E+", "e+"),
                    ":ACQ:POIN:ANAL 32",
                    ":TIM:RANG 4e-10",
                    ":TIM:REF LEFT",
                    ":TRIG:MODE EDGE",
                    ":TRIG:EDGE:SOUR CHAN2",
                    ":TRIG:EDGE:SLOP POS",
                    ":TRIG:LEV CHAN2,0",
                ),
                *colon(":DIG CHAN1"),
                *colon(":WAV:SOUR CHAN1"),
                (":WAV:XINC?", "1.25E-11"),
                (":WAV:XOR?", "-2.5E-11"),
                (":WAV:YINC?", "1.0E-05"),
                (":WAV:YOR?", "2.0E-01"),
                (":WAV:DATA?", samples.tobytes()),
                *colon(":STOP"),
            ],
        ) as scope,
        scope,
    ):
        trace = scope.acquire({1: 0.4}, duration_s=4e-10, sample_rate_hz=80e9, trigger=2)[1]
    np.testing.assert_allclose(trace.voltage_v, samples * 1e-5 + 0.2)
    np.testing.assert_allclose(trace.time_s, [-25e-12, -12.5e-12, 0, 12.5e-12], atol=1e-18)


def test_an_error_of_the_instrument_is_told_with_what_caused_it():
    exchange = checked("SENS:CORR:WAV 1500", error='-222,"Data out of range"')
    with (
        expected("thorlabs-pm100d", exchange) as meter,
        pytest.raises(InstrumentError, match=r"after 'SENS:CORR:WAV 1500': -222"),
    ):
        meter.set_wavelength_nm(1500)


@pytest.mark.parametrize("answer", ["", "nan", "9.91E+37", "OVER"])
def test_an_answer_that_is_no_number_is_told(answer):
    with (
        expected("thorlabs-pm100d", [("READ?", answer), ("SYST:ERR?", "0")]) as meter,
        pytest.raises(InstrumentError, match="no number"),
    ):
        meter.power_w()


@pytest.mark.parametrize(
    ("model", "settings", "call"),
    [
        ("thorlabs-itc4001", {"current_limit_a": 0.03}, lambda i: i.set_current_a(0.0301)),
        ("thorlabs-itc4001", {"current_limit_a": 0.03}, lambda i: i.set_current_a(-0.001)),
        ("thorlabs-itc4001", {"current_limit_a": 0.03}, lambda i: i.set_temperature_c(60.0)),
        ("yokogawa-gs200", {"voltage_limit_v": 8.0}, lambda i: i.set_voltage_v(8.1)),
        ("keithley-2450", {"voltage_limit_v": 40.0}, lambda i: i.set_voltage_v(20.5)),
        ("keysight-33600a", {"voltage_limit_v": 2.0}, lambda i: i.set_level_v(-2.01)),
        ("keysight-33600a", {"voltage_limit_v": 2.0}, lambda i: i.set_level_v(float("nan"))),
        ("keysight-81578a", {}, lambda i: i.set_attenuation_db(60.1)),
        ("keysight-81578a", {}, lambda i: i.set_wavelength_nm(1550)),
        ("thorlabs-pm100d", {}, lambda i: i.set_averages(0)),
        ("thorlabs-ell14", {}, lambda i: i.rotate_to_deg(float("inf"))),
        ("keysight-53230a", {}, lambda i: i.frequency_hz(0.0)),
        ("yokogawa-aq6370", {}, lambda i: i.sweep(850, 0.1, 0.05)),
        (
            "keysight-infiniium",
            {},
            lambda i: i.acquire({5: 1.0}, duration_s=1e-8, sample_rate_hz=8e10, trigger=1),
        ),
    ],
)
def test_nothing_outside_of_a_limit_is_sent(model, settings, call):
    with (
        expected(model, [], **settings) as instrument,
        pytest.raises(InstrumentLimitError, match="nothing was sent"),
    ):
        call(instrument)


@pytest.mark.parametrize("model", [name for name, driver in MODELS.items() if driver.required])
def test_a_source_without_a_limit_is_not_used(model):
    with (
        pytest.raises(InstrumentLimitError, match="is not used without"),
        expected(model, []),
    ):
        pass
