"""Sessions: satellite and ground station turn clicks into equal keys over a classical channel.

Each end is a state machine (`SatelliteSession`, `GroundSession`) over typed messages; a thin loop
(`keybeam.session.running`) joins it to a TCP connection and to its board.
"""

from keybeam.session.endpoint import EndpointParts
from keybeam.session.errors import ParameterError, PeerLostError, SessionError, SessionRefusedError
from keybeam.session.ground import GroundSession
from keybeam.session.satellite import SatelliteSession
from keybeam.session.secret import PresharedSecret, SecretError, create_secret_pair
from keybeam.session.statistics import GroundStatistics, SatelliteStatistics

__all__ = [
    "EndpointParts",
    "GroundSession",
    "GroundStatistics",
    "ParameterError",
    "PeerLostError",
    "PresharedSecret",
    "SatelliteSession",
    "SatelliteStatistics",
    "SecretError",
    "SessionError",
    "SessionRefusedError",
    "create_secret_pair",
]
