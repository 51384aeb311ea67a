"""What all drivers have in common; each driver there is is found by itself."""

import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from keybeam.instruments import MODELS, InstrumentError, InstrumentTimeoutError, Settings, drivers
from keybeam.instruments.instrument import Instrument, Kind

_SPEC = importlib.util.spec_from_file_location("exchange", Path(__file__).with_name("conftest.py"))
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
ExpectedLink = _MODULE.ExpectedLink

LIMITS = Settings(voltage_limit_v=1.0, current_limit_a=0.01)
UNITS = ("_v", "_a", "_w", "_s", "_hz", "_nm", "_db", "_dbm", "_deg", "_c")
NO_QUANTITIES = {"is_on", "is_open", "readings", "scales_v", "trigger", "timeout_s", "messages"}


def every_driver():
    """All classes of the package's modules that could be instantiated as drivers."""
    found = []
    for module in pkgutil.iter_modules(drivers.__path__):
        content = importlib.import_module(f"{drivers.__name__}.{module.name}")
        found += [
            item
            for _, item in inspect.getmembers(content, inspect.isclass)
            if issubclass(item, Instrument)
            and not inspect.isabstract(item)
            and item.__module__ == content.__name__
        ]
    return found


class Deaf(ExpectedLink):
    """Never answers, and keeps what it was sent."""

    def __init__(self):
        super().__init__([])
        self.sent = []

    def write(self, message):
        self.sent.append(message)

    def query(self, message, *, timeout_s=None):
        self.sent.append(message)
        raise InstrumentTimeoutError(f"no answer to {message}")


class Obedient(Deaf):
    """Says yes to all that a driver asks when it is made safe."""

    def query(self, message, *, timeout_s=None):
        self.sent.append(message)
        return "1" if message == "*OPC?" else "0"


def test_every_driver_has_a_model_and_every_kind_a_driver():
    assert sorted(driver.model for driver in every_driver()) == sorted(MODELS)
    assert {driver.kind for driver in every_driver()} == set(Kind)


@pytest.mark.parametrize("driver", every_driver(), ids=lambda driver: driver.model)
class TestContract:
    def test_it_names_its_manual(self, driver):
        assert len(driver.manual) > 20
        assert "Manual: " in driver.__doc__
        assert driver.device.split()[0] in driver.__doc__

    def test_quantities_carry_their_units(self, driver):
        for name, method in inspect.getmembers(driver, inspect.isfunction):
            if name.startswith("_") or not hasattr(driver.__mro__[-3], "__dict__"):
                continue
            signature = inspect.signature(method)
            for parameter in list(signature.parameters.values())[1:]:
                if parameter.annotation in (float, "float") and parameter.name not in NO_QUANTITIES:
                    assert parameter.name.endswith(UNITS), f"{name}({parameter.name})"
            returns = signature.return_annotation
            if returns in (float, "float") and name != "read_number":
                assert name.endswith(UNITS), f"{name} gives a number of no unit"
            assert method.__doc__, f"{name} is not described"

    def test_it_tells_another_instrument_apart(self, driver):
        class Other(Deaf):
            def query(self, message, *, timeout_s=None):
                return "ACME,Coffee Machine 9,1,1"

        with pytest.raises(InstrumentError):
            driver(Other(), LIMITS).identify()

    def test_a_silent_instrument_is_a_time_out(self, driver):
        with pytest.raises(InstrumentTimeoutError), driver(Deaf(), LIMITS):
            pytest.fail("it was entered")

    def test_the_safe_state_switches_off_and_is_checked(self, driver):
        link = Obedient()
        driver(link, LIMITS).make_safe()
        commands = [message for message in link.sent if not message.endswith("?")]
        if driver.required or driver.kind is Kind.ATTENUATOR:
            assert any(re.search(r"OUTP\d?(:STAT)? OFF", message) for message in commands)
        if commands:
            assert link.sent[-2] == "*OPC?"
            assert "ERR" in link.sent[-1]

    def test_an_error_inside_leads_to_the_safe_state_and_is_told(self, driver):
        link = Obedient()
        instrument = driver(link, LIMITS)
        instrument.identify = instrument.prepare = lambda: None
        with pytest.raises(KeyError), instrument:
            raise KeyError
        after_error, link.sent = link.sent, []
        instrument.make_safe()
        assert after_error == link.sent

    def test_the_first_error_is_told_when_the_safe_state_fails_too(self, driver):
        instrument = driver(Deaf(), LIMITS)
        instrument.identify = instrument.prepare = lambda: None
        with pytest.raises(KeyError), instrument:
            raise KeyError
