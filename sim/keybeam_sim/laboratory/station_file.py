"""The station file of the simulated laboratory."""

from collections.abc import Callable

from keybeam.protocol.numbers import FRAME_SLOTS
from keybeam_sim.laboratory.bench import Bench

__all__ = ["station_text"]

_WAVELENGTH_NM = 850.0
_ALIGNED_DEG = 0.1


def station_text(resource: Callable[[str], str], bench: Bench) -> str:
    """Write the station file.

    Parameters
    ----------
    resource : callable
        Gives the VISA resource name of each of the laboratory's ports.
    bench : Bench
        The bench, whose plates are aligned to a tenth of a degree.
    """
    plates = (*bench.plates, bench.analyser.plate)
    zeros = [plate.zero_deg + bench.rng.uniform(-1, 1) * _ALIGNED_DEG for plate in plates]
    entries = [
        _entry("laser", "thorlabs-itc4001", resource("laser"), current_limit_ma=30),
        _entry("trigger-level", "keysight-33600a", resource("trigger"), voltage_limit_v=1.2),
        _entry("modulator-bias", "yokogawa-gs200", resource("bias"), voltage_limit_v=8),
        _entry(
            "intensity-drive", "keysight-33600a", resource("drives"), channel=1, voltage_limit_v=5
        ),
        _entry(
            "polarisation-drive",
            "keysight-33600a",
            resource("drives"),
            channel=2,
            voltage_limit_v=5,
        ),
        _entry("attenuator", "keysight-81578a", resource("attenuator"), uncertainty_db=0.1),
        _entry("power-meter", "thorlabs-pm100d", resource("power"), uncertainty_percent=3),
        _entry("analyser-meter", "thorlabs-pm100d", resource("analysed"), uncertainty_percent=3),
        *(
            _entry(name, "thorlabs-ell14", resource("mounts"), channel=address, zero_deg=zero)
            for address, (name, zero) in enumerate(
                zip(
                    ("quarter-wave-1", "quarter-wave-2", "half-wave", "analyser"),
                    zeros,
                    strict=True,
                )
            )
        ),
        _entry("oscilloscope", "keysight-infiniium", resource("oscilloscope")),
        _entry("counter", "keysight-53230a", resource("counter")),
        _entry("spectrum-analyser", "yokogawa-aq6370", resource("spectrum")),
    ]
    head = (
        "# Simulated instruments, as `keybeam laboratory` wrote them.\n"
        f'[station]\nname = "simulated laboratory"\nwavelength_nm = {_WAVELENGTH_NM}\n\n'
        "[source]\ntemperature_c = 25.0\nbias_ma = 9.0\ntrigger_level_v = 0.9\n"
        f"marker_divider = {FRAME_SLOTS}\n"
    )
    return "\n".join([head, *entries])


def _entry(name: str, model: str, resource: str, **others: float) -> str:
    lines = [f"[instruments.{name}]", f'model = "{model}"', f'resource = "{resource}"']
    lines += [f"{key} = {round(value, 3)}" for key, value in others.items()]
    return "\n".join(lines) + "\n"
