import pytest

from keybeam.instruments import StationError, read_station
from keybeam.instruments.drivers import Keysight33600a, ThorlabsItc4001

GOOD = """\
[station]
name = "bench 2"
wavelength_nm = 850.0

[source]
bias_ma = 9.0

[instruments.laser]
model = "thorlabs-itc4001"
resource = "USB0::0x1313::0x804A::M1::INSTR"
current_limit_ma = 30

[instruments.intensity-drive]
model = "keysight-33600a"
resource = "TCPIP::10.0.0.5::INSTR"
channel = 2
voltage_limit_v = 4.5
timeout_s = 20
"""


def write(tmp_path, text):
    path = tmp_path / "station.toml"
    path.write_text(text)
    return path


def test_a_station_says_what_is_where(tmp_path):
    station = read_station(write(tmp_path, GOOD))
    assert (station.name, station.wavelength_nm) == ("bench 2", 850.0)
    assert station.source.bias_a == pytest.approx(9e-3)
    laser, drive = station.entries["laser"], station.entries["intensity-drive"]
    assert (laser.driver, drive.driver) == (ThorlabsItc4001, Keysight33600a)
    assert laser.settings.current_limit_a == pytest.approx(30e-3)
    assert (drive.settings.channel, drive.settings.voltage_limit_v) == ("2", 4.5)
    assert (laser.timeout_s, drive.timeout_s) == (5.0, 20)


def test_all_that_is_wrong_is_told_at_once_with_its_line(tmp_path):
    text = """\
[station]
wavelength_nm = "red"

[instruments.lazer]
model = "thorlabs-itc4001"

[instruments.laser]
model = "thorlabs-itc4000"
resource = 5
curent_limit_ma = 30

[instruments.attenuator]
model = "thorlabs-pm100d"
resource = "TCPIP::10.0.0.5::INSTR"
timeout_s = 0

[instruments.modulator-bias]
model = "yokogawa-gs200"
"""
    with pytest.raises(StationError) as caught:
        read_station(write(tmp_path, text))
    head, *lines = str(caught.value).splitlines()
    assert head.endswith("station.toml has 10 wrong or missing entries:")
    assert [line.split(":")[0].strip() for line in lines] == [
        "line 1", "line 2", "line 4", "line 8", "line 9", "line 10", "line 13", "line 15",
        "line 17", "line 17",
    ]  # fmt: skip
    told = "\n".join(lines)
    for words in (
        "[station] has no name",
        "wavelength_nm of [station] is 'red', no number",
        "no use 'lazer' of an instrument; is laser meant?",
        "no driver for 'thorlabs-itc4000'; is thorlabs-itc4001 meant?",
        "resource of [instruments.laser] is 5, no text",
        "no entry 'curent_limit_ma'; is current_limit_ma meant?",
        "attenuator is a variable optical attenuator, but thorlabs-pm100d a optical power meter",
        "timeout_s of [instruments.attenuator] is 0, outside of 0.1 to 600 s",
        "[instruments.modulator-bias] has no resource",
        "has no voltage_limit_v, without which yokogawa-gs200 is not used",
    ):
        assert words in told


def test_two_mounts_cannot_have_one_address(tmp_path):
    mounts = "".join(
        f'[instruments.{name}]\nmodel = "thorlabs-ell14"\nresource = "ASRL/dev/ttyUSB1"\n'
        for name in ("half-wave", "analyser")
    )
    with pytest.raises(StationError, match="analyser and half-wave have one channel '0'"):
        read_station(write(tmp_path, GOOD + mounts))


def test_what_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(StationError, match=r"is no TOML: .*line 2"):
        read_station(write(tmp_path, "[station]\nname = bench\n"))


def test_a_station_without_instruments_is_told(tmp_path):
    with pytest.raises(StationError, match="there is no instrument"):
        read_station(write(tmp_path, '[station]\nname = "x"\nwavelength_nm = 850\n'))
