"""Loss of the optical link from the satellite's telescope to a click."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fading", "LinkBudget"]


@dataclass(frozen=True)
class LinkBudget:
    """Mean loss of the link.

    Figures are those of the Jinan-1 system (arXiv:2408.10994) unless said otherwise.

    Attributes
    ----------
    divergence_rad : float
        Full angle of the beam at 1/e² of its intensity ("9-10 µrad", measured).
    receiver_diameter_m : float
        Aperture of the ground telescope (280 mm).
    pointing_rms_rad : float
        Tracking error of the satellite, root mean square over both axes ("0.55-1.6 µrad").
    receiver_efficiency : float
        Optics of the ground station (49 %).
    zenith_transmittance : float
        Of the atmosphere at 850 nm; clear air over a city (MODTRAN's urban aerosol with 23 km
        visibility gives 0.7 to 0.8; not a figure of the paper).
    excess_loss_db : float
        What the figures above leave out: optics of the satellite, coupling into the 105 µm fibres
        behind a turbulent atmosphere, tracking error of the ground station. This one is
        calibrated, so that the pass of 25 September 2022 gives the paper's amount of sifted key.
    """

    divergence_rad: float = 9.5e-6
    receiver_diameter_m: float = 0.28
    pointing_rms_rad: float = 1.1e-6
    receiver_efficiency: float = 0.49
    zenith_transmittance: float = 0.75
    excess_loss_db: float = 5.1

    def geometric(self, range_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Part of a centred Gaussian beam that enters the aperture.

        ``1 - exp(-2 a²/w²)`` with aperture radius a and beam radius w at 1/e² (Siegman, Lasers,
        section 17.1).
        """
        width = range_m * self.divergence_rad / 2
        return -np.expm1(-2 * (self.receiver_diameter_m / 2 / width) ** 2)

    @property
    def pointing(self) -> float:
        """Mean loss by pointing jitter, as a factor.

        For Gaussian jitter of rms angle σ over both axes and an aperture much smaller than the
        beam, the mean of ``exp(-2 r²/w²)`` is ``1 / (1 + 2 σ²/θ²)``, θ the half angle of the beam
        (Toyoshima et al., J. Opt. Soc. Am. A 19, 567, 2002).
        """
        return 1 / (1 + 2 * (self.pointing_rms_rad / (self.divergence_rad / 2)) ** 2)

    def atmosphere(self, elevation_deg: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transmittance of the atmosphere along the line of sight.

        The zenith's to the power of the air mass of Kasten and Young (Appl. Opt. 28, 4735, 1989).
        """
        bent = 0.50572 * (np.asarray(elevation_deg) + 6.07995) ** -1.6364
        air_mass = 1 / (np.sin(np.radians(elevation_deg)) + bent)
        return self.zenith_transmittance**air_mass

    def transmittance(
        self, range_m: NDArray[np.float64], elevation_deg: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Mean transmittance from the satellite's telescope to the detectors' fibres."""
        fixed = self.pointing * self.receiver_efficiency * 10 ** (-self.excess_loss_db / 10)
        return self.geometric(range_m) * self.atmosphere(elevation_deg) * fixed


@dataclass(frozen=True)
class Fading:
    """Slow changes of the received power about its mean, from turbulence and tracking.

    Log-normal with unit mean (Andrews and Phillips, Laser Beam Propagation through Random Media,
    2005, section 9.9), its logarithm a first-order autoregressive process.

    Attributes
    ----------
    log_sigma : float
        Standard deviation of the logarithm; 0.2 to 0.3 after averaging over a 280 mm aperture.
    correlation_s : float
        Time after which the correlation of the logarithm is 1/e.
    """

    log_sigma: float = 0.2
    correlation_s: float = 0.5

    def sample(
        self, count: int, step_s: float, generator: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw factors on the mean power, one every `step_s` seconds."""
        kept = np.exp(-step_s / self.correlation_s)
        logarithm = generator.standard_normal(count)
        logarithm[1:] *= np.sqrt(1 - kept**2)
        for place in range(1, count):
            logarithm[place] += kept * logarithm[place - 1]
        return np.exp(self.log_sigma * logarithm - self.log_sigma**2 / 2)
